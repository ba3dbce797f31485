/**
 * The `Election` service by an algorithm round a ring: what the layers of those algorithms share.
 */
import { Actor, type Protocol } from "@troupe/actor"
import { Suspicion } from "@troupe/failure-detection"
import { type ChannelInUse, type NodeId, Transport } from "@troupe/transport"
import { Effect, Layer } from "effect"
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
      return service
    })
  )

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
