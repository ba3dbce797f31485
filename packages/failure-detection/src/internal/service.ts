/** The service of a detector, from the actor that it is. */
import type { Actor } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import { Clock, Duration, Effect, Option, Queue, Schema, Stream } from "effect"
import { InvalidOptions, type FailureDetector, type Opinion, UnknownNode } from "../FailureDetector.ts"

/** How to read the state of a detector. */
export interface Reading<in State> {
  /** Whom it watches: never its own node. */
  readonly watched: (state: State) => Iterable<NodeId.NodeId>
  /** What it thinks of a node at a time of the monotonic clock, in milliseconds; `undefined` of one it doesn't watch. */
  readonly opinion: (state: State, node: NodeId.NodeId, monotonicMillis: number) => Opinion | undefined
}

export const serve = <State, Command>(
  actor: Actor.Actor<State, Command, Opinion>,
  { opinion, watched }: Reading<State>
): Effect.Effect<FailureDetector["Service"]> =>
  Effect.map(Clock.Clock, (clock) => {
    const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    return {
      self: actor.node,
      opinions: Effect.sync(() => {
        const state = actor.state()
        const at = now()
        return new Map(Array.from(watched(state), (node) => [node, opinion(state, node, at)!]))
      }),
      opinion: (node) =>
        Effect.suspend(() => {
          const found = opinion(actor.state(), node, now())
          return found === undefined ? Effect.fail(new UnknownNode({ self: actor.node, node })) : Effect.succeed(found)
        }),
      changes: Stream.callback<Opinion>(
        (queue) =>
          Effect.acquireRelease(
            Effect.sync(() => actor.subscribe((event) => Queue.offerUnsafe(queue, event))),
            (unsubscribe) => Effect.sync(unsubscribe)
          ),
        { bufferSize: 1_024, strategy: "sliding" }
      )
    }
  })

/** More than nothing, and a delay that a timer can have. */
export const Millis = Schema.Number.check(Schema.isGreaterThan(0), Schema.isLessThan(2 ** 31))

/** So many of what happens again and again. */
export const Count = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 }))

/** What is no duration stays as it is, for the schema to refuse. */
export const millis = (given: Duration.Input | undefined, otherwise: number): unknown =>
  given === undefined
    ? otherwise
    : Option.match(Duration.fromInput(given), { onNone: () => given, onSome: Duration.toMillis })

/** Options as a schema has them; `together` says what is wrong with them as a whole, if anything. */
export const settings = <Options>(
  schema: Schema.Codec<Options, any>,
  given: { readonly [Key in keyof Options]: unknown },
  together: (options: Options) => string | undefined = () => undefined
): Effect.Effect<Options, InvalidOptions> =>
  Schema.decodeUnknownEffect(schema)(given).pipe(
    Effect.mapError(({ message }) => new InvalidOptions({ reason: message })),
    Effect.flatMap((options) => {
      const reason = together(options)
      return reason === undefined ? Effect.succeed(options) : Effect.fail(new InvalidOptions({ reason }))
    })
  )
