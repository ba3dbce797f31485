/** What the layers of clock protocols share: an actor that reads the node's clock with fractions, and their options. */
import { Actor, type Protocol } from "@troupe/actor"
import { type NodeId, Transport } from "@troupe/transport"
import { Clock, Duration, Effect, Option, Queue, Schema, Stream } from "effect"
import { InvalidClockOptions, NodeClock } from "../../NodeClock.ts"
import type { Estimate, TimeSource } from "../../TimeSource.ts"

/** The clock of an actor: `act.now()` has fractions of a millisecond. */
const precise = (clock: Clock.Clock): Clock.Clock => ({
  currentTimeMillisUnsafe: () => Number(clock.currentTimeNanosUnsafe()) / 1e6,
  currentTimeMillis: Effect.sync(() => Number(clock.currentTimeNanosUnsafe()) / 1e6),
  currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
  currentTimeNanos: clock.currentTimeNanos,
  monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
  monotonicTimeNanos: clock.monotonicTimeNanos,
  sleep: (duration) => clock.sleep(duration)
})

/** An event that may say by how much this node's clock is behind. */
export interface Correction {
  readonly deltaMillis: number | undefined
}

/** Hosts a protocol that reads this node's `NodeClock`, and adjusts it as its events say. */
export const discipline = <State, Message, Command, Event extends Correction, Timer extends string, Options>(
  protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options>,
  options: NoInfer<Options>
) =>
  Effect.gen(function* () {
    const nodeClock = yield* NodeClock
    const actor = yield* Actor.spawn(protocol, { options }).pipe(
      Effect.provideService(Clock.Clock, precise(nodeClock.clock))
    )
    actor.subscribe(({ deltaMillis }) => {
      if (deltaMillis !== undefined) nodeClock.adjustUnsafe(deltaMillis)
    })
    return actor
  })

/** A `TimeSource` of what an actor knows. */
export const timeSource = <State, Event extends Correction & { readonly estimate: Estimate }>(
  actor: Actor.Actor<State, never, Event>,
  latest: (state: State) => Estimate | undefined
): TimeSource["Service"] => ({
  self: actor.node,
  latest: Effect.sync(() => Option.fromUndefinedOr(latest(actor.state()))),
  changes: Stream.callback<Estimate>(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const known = latest(actor.state())
          if (known !== undefined) Queue.offerUnsafe(queue, known)
          return actor.subscribe(({ estimate }) => Queue.offerUnsafe(queue, estimate))
        }),
        (unsubscribe) => Effect.sync(unsubscribe)
      ),
    { bufferSize: 64, strategy: "sliding" }
  )
})

// -------------------------------------------------------------------------------------------------------------- options

/** More than nothing, and a delay that a timer can have. */
export const Millis = Schema.Number.check(Schema.isGreaterThan(0), Schema.isLessThan(2 ** 31))

/** From nothing on. */
export const Amount = Schema.Number.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThan(2 ** 31))

/** Of a clock: 200 are 17 seconds a day. */
export const Ppm = Schema.Number.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThanOrEqualTo(100_000))

/** What is no duration stays as it is, for the schema to refuse. */
export const millis = (given: Duration.Input | undefined, otherwise: number): unknown =>
  given === undefined
    ? otherwise
    : Option.match(Duration.fromInput(given), { onNone: () => given, onSome: Duration.toMillis })

/** Options as a schema has them; `together` says what is wrong with them as a whole, if anything. */
export const settings = <Options>(
  schema: Schema.Codec<Options, any>,
  given: { readonly [Key in keyof Options]: unknown },
  together: (options: Options, nodes: ReadonlyArray<NodeId.NodeId>) => string | undefined = () => undefined
): Effect.Effect<Options, InvalidClockOptions, Transport> =>
  Effect.gen(function* () {
    const { nodes } = yield* Transport
    const options = yield* Schema.decodeUnknownEffect(schema)(given).pipe(
      Effect.mapError(({ message }) => new InvalidClockOptions({ reason: message }))
    )
    const reason = together(options, nodes)
    return reason === undefined ? options : yield* new InvalidClockOptions({ reason })
  })

/** What is wrong with these servers, if anything. */
export const wrongServers = (
  servers: ReadonlyArray<NodeId.NodeId>,
  nodes: ReadonlyArray<NodeId.NodeId>
): string | undefined => {
  if (servers.length === 0) return "it names no server"
  const stranger = servers.find((server) => !nodes.includes(server))
  if (stranger !== undefined) return `server "${stranger}" is none of the nodes: ${nodes.join(", ")}`
  const twice = servers.find((server, at) => servers.indexOf(server) !== at)
  return twice === undefined ? undefined : `server "${twice}" is named twice`
}
