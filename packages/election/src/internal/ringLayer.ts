/**
 * The `Election` service by an algorithm round a ring: what the layers of those algorithms share.
 */
import { Actor, type Protocol } from "@troupe/actor"
import { FailureDetector, Suspicion } from "@troupe/failure-detection"
import { type ChannelInUse, type NodeId, Transport } from "@troupe/transport"
import { Effect, Layer, Option } from "effect"
import { Election, InvalidOptions } from "../Election.ts"
import { electing } from "./electing.ts"
import type { Command, Event, Options, State } from "./ring.ts"

/** An `Election` by `protocol`. Listens to the `FailureDetector` of its context, where there is one. */
export const ringLayer = <S extends State, Message>(
  protocol: Protocol.Protocol<S, Message, Command, Event, never, Options>,
  options: Options
): Layer.Layer<Election, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Election,
    Effect.gen(function* () {
      yield* checkRing(options.ring, (yield* Transport).nodes)
      const { election, onRestart } = yield* electing((state: S) => state.leader)
      let suspectAgain = (): void => {}
      const actor = yield* Actor.spawn(protocol, {
        options,
        onRestart: () => {
          onRestart()
          suspectAgain()
        }
      })
      const service = yield* election(actor)
      suspectAgain = yield* Suspicion.follow(actor)
      if (Option.isSome(yield* Effect.serviceOption(FailureDetector))) yield* Effect.forkScoped(watch(actor))
      return service
    })
  )

/** How long an election may stand still, where nodes may crash, before it is begun anew: twice as long each time. */
export const patienceMillis = 2_000

/** Looks time and again whether an election stands still: there is no leader, and no later election has begun. */
const watch = Effect.fnUntraced(function* ({ state, tell }: Actor.Actor<State, Command, Event>) {
  for (let patience = patienceMillis; ;) {
    const { round } = state()
    yield* Effect.sleep(patience)
    const now = state()
    if (now.leader !== undefined) patience = patienceMillis
    else if (now.round === round) {
      tell({ _tag: "Retry" })
      patience = Math.min(2 * patience, 2 ** 31)
    }
  }
})

/** A ring has each node of the group once. */
const checkRing = (ring: Options["ring"], nodes: ReadonlyArray<NodeId.NodeId>): Effect.Effect<void, InvalidOptions> => {
  if (ring === undefined) return Effect.void
  const twice = ring.find((node, at) => ring.indexOf(node) !== at)
  const missing = nodes.find((node) => !ring.includes(node))
  const unknown = ring.find((node) => !nodes.includes(node))
  const wrong =
    twice !== undefined
      ? `${twice} stands on the ring twice`
      : missing !== undefined
        ? `${missing} is not on the ring`
        : unknown !== undefined
          ? `${unknown} is on the ring, and not in the group`
          : undefined
  return wrong === undefined
    ? Effect.void
    : Effect.fail(new InvalidOptions({ reason: `${wrong}. Name each node of the group once in \`ring\`.` }))
}
