/**
 * One copy, in memory: what the others are measured against and tested beside. A request is executed and applied at once,
 * so it is linearizable, and gone with its node.
 */

import { VersionVector } from "@troupe/clocks"
import type { NodeId } from "@troupe/transport"
import { Clock, Effect, Layer, Random, Stream } from "effect"
import type { Moment } from "./Machine.ts"
import { Behind, InvalidOptions, type Position, type Status, type Tag } from "./Replicated.ts"

export const layer = <Self, S, Q, U, R>(
  tag: Tag<Self, S, Q, U, R>,
  options: { readonly self: NodeId.NodeId }
): Layer.Layer<Self, InvalidOptions> =>
  Layer.effect(
    tag,
    Effect.gen(function* () {
      const { machine } = tag
      const { self } = options
      if (self === "") return yield* new InvalidOptions({ reason: "a node has a name" })
      const clock = yield* Clock.Clock
      const chance = yield* Random.Random
      const random = (): number => chance.nextDoubleUnsafe()
      let state = machine.init
      let applied = 0
      let latest = 0
      const at = (): Moment => ({ now: (latest = Math.max(latest, clock.currentTimeMillisUnsafe())), random })
      const apply = (updates: ReadonlyArray<U>): void => {
        for (const update of updates) state = machine.apply(state, update)
        applied += updates.length
      }
      const { housekeeping } = machine
      if (housekeeping !== undefined) {
        const keep = Effect.sync(() => apply(housekeeping.due(state, at())))
        yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(housekeeping.everyMillis), keep)))
      }
      const status = Effect.sync((): Status => ({
        role: "primary",
        view: 1,
        primary: self,
        members: [self],
        applied,
        committed: applied
      }))
      const invoke = (request: Q): Effect.Effect<R> =>
        Effect.sync(() => {
          const { response, updates } = machine.execute(state, request, at())
          apply(updates)
          return response
        })
      const held = (): Position => (applied === 0 ? VersionVector.empty : [[self, applied]])
      return {
        self,
        invoke,
        positions: {
          of: `replication/single/${machine.name}`,
          // Who has seen more has seen it before this copy began.
          invoke: (request: Q, needed: Position) =>
            Effect.suspend(() =>
              VersionVector.descends(held(), needed)
                ? Effect.map(invoke(request), (response) => ({ response, at: held() }))
                : new Behind({ node: self, needed, held: held() })
            )
        },
        status,
        changes: Stream.fromEffect(status)
      }
    })
  )
