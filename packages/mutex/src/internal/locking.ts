/**
 * A protocol as a `Mutex` that hears the failure detector of its context: what the layers of locks share.
 */
import { Actor, type Protocol } from "@troupe/actor"
import { Suspicion } from "@troupe/failure-detection"
import { type ChannelInUse, Transport } from "@troupe/transport"
import { Effect, type Scope } from "effect"
import { type FencingToken, InvalidOptions, type Mutex } from "../Mutex.ts"
import { acquisition, type Reading } from "./acquisition.ts"

type Command = { readonly _tag: "Acquire" } | { readonly _tag: "Release" } | Suspicion.Suspicion
type Event = { readonly _tag: "Acquired"; readonly token: FencingToken }

/** Refuses a node outside its group, for it has no rank there and nobody hears it, and a group that has a node twice. */
export const inGroup: Effect.Effect<void, InvalidOptions, Transport> = Effect.flatMap(Transport, ({ nodes, self }) => {
  const refuse = (reason: string) => Effect.fail(new InvalidOptions({ reason }))
  if (!nodes.includes(self)) {
    return refuse(`node "${self}" is not in its group, which is ${nodes.join(", ") || "empty"}.`)
  }
  const twice = nodes.find((node, at) => nodes.indexOf(node) !== at)
  return twice === undefined ? Effect.void : refuse(`its group names node "${twice}" twice.`)
})

export const locking = <State, Message, More, Timer extends string, Options>(
  protocol: Protocol.Protocol<State, Message, Command | More, Event, Timer, Options>,
  reading: Reading<State>,
  options: { readonly resource: string; readonly options: NoInfer<Options> }
): Effect.Effect<
  { readonly actor: Actor.Actor<State, Command | More, Event>; readonly mutex: Mutex["Service"] },
  ChannelInUse,
  Transport | Scope.Scope
> =>
  Effect.gen(function* () {
    const { mutex, onRestart } = yield* acquisition(reading)
    let suspectAgain = (): void => {}
    const actor = yield* Actor.spawn(protocol, {
      name: `${protocol.name}/${options.resource}`,
      options: options.options,
      onRestart: () => {
        suspectAgain()
        onRestart()
      }
    })
    suspectAgain = yield* Suspicion.follow(actor)
    return { actor, mutex: yield* mutex(actor) }
  })
