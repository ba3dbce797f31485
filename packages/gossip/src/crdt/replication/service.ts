/** The service of a replica, whatever carries its deltas. */
import { Context, Effect, Queue, Result, Schema, Stream } from "effect"
import type { NodeId } from "@troupe/transport"
import { type Crdt, type ReplicaId, ReplicaReused } from "../../Crdt.ts"
import { asRefusal, type Mutate, type Refusal } from "./state.ts"

/** One replica of a CRDT. */
export interface Replicated<in out S, out Value> {
  /** The name under which this replica makes its changes. */
  readonly replica: Effect.Effect<ReplicaId>
  readonly state: Effect.Effect<S>
  readonly value: Effect.Effect<Value>
  /** The value now, then each later one. A reader that lags misses those between: it gets the latest. */
  readonly changes: Stream.Stream<Value>
  /**
   * Makes the change whose delta `mutate` returns, of the state, the name of this replica and the time of day in
   * milliseconds. It is made here on return, and reaches the others later. What `mutate` throws is a defect, and changes
   * nothing. Fails for good once another replica of this name was found.
   */
  readonly update: (
    mutate: (state: S, replica: ReplicaId, nowMillis: number) => S
  ) => Effect.Effect<void, ReplicaReused>
  /** As `update`, for changes that may be refused, such as those of a `BoundedCounter`. */
  readonly tryUpdate: <E>(
    mutate: (state: S, replica: ReplicaId, nowMillis: number) => Result.Result<S, E>
  ) => Effect.Effect<void, E | ReplicaReused>
  /** See `Crdt.prune`: all replicas must prune the same, and have heard of everything that the departed did before. */
  readonly prune: (departed: ReadonlyArray<ReplicaId>) => Effect.Effect<void, Refusal>
  /** What was refused, from now on. A reader that lags by more than 1,024 misses the oldest. */
  readonly refusals: Stream.Stream<{ readonly from: NodeId.NodeId; readonly failure: Refusal }>
}

/** A key for the replica of one CRDT: `class Cart extends Context.Service…` without the class. */
export const key = <S, Value>(name: string): Context.Service<Replicated<S, Value>, Replicated<S, Value>> =>
  Context.Service<Replicated<S, Value>>(`@troupe/gossip/Replicated/${name}`)

/** What carries the deltas, and holds the state. */
export interface Carrier<S> {
  readonly replica: () => ReplicaId
  readonly current: () => S
  readonly isReused: () => boolean
  /** Runs `mutate` on the latest state, now or after the step that is under way, and merges its delta. */
  readonly apply: (mutate: Mutate<S>) => void
  readonly prune: (departed: ReadonlyArray<ReplicaId>) => void
  readonly onChange: (listener: () => void) => () => void
  readonly onRefusal: (
    listener: (refusal: { readonly from: NodeId.NodeId; readonly failure: Refusal }) => void
  ) => () => void
}

export const make = <S, Value>(crdt: Crdt<S, Value>, carrier: Carrier<S>): Replicated<S, Value> => {
  const { apply, current, isReused, onChange, onRefusal, replica } = carrier

  const tryUpdate: Replicated<S, Value>["tryUpdate"] = (mutate) =>
    Effect.callback((resume) => {
      if (isReused()) {
        const reason = "another replica of this name was found"
        return resume(Effect.fail(new ReplicaReused({ replica: replica(), reason })))
      }
      apply((state, name, nowMillis) => {
        try {
          const delta = mutate(state, name, nowMillis)
          // Tried here, so that what cannot be merged is the caller's defect.
          if (Result.isSuccess(delta)) crdt.merge(state, delta.success)
          resume(Result.isSuccess(delta) ? Effect.void : Effect.fail(delta.failure))
          return Result.isSuccess(delta) ? delta.success : undefined
        } catch (defect) {
          resume(Effect.die(defect))
          return undefined
        }
      })
    })

  return {
    replica: Effect.sync(replica),
    state: Effect.sync(current),
    value: Effect.sync(() => crdt.value(current())),
    changes: Stream.map(
      Stream.callback<void>(
        (queue) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              Queue.offerUnsafe(queue, undefined)
              return onChange(() => Queue.offerUnsafe(queue, undefined))
            }),
            (unsubscribe) => Effect.sync(unsubscribe)
          ),
        { bufferSize: 1, strategy: "sliding" }
      ),
      () => crdt.value(current())
    ),
    update: (mutate) => tryUpdate((state, name, nowMillis) => Result.succeed(mutate(state, name, nowMillis))),
    tryUpdate,
    prune: (departed) =>
      Effect.try({
        // Tried first: what is thrown inside a step would cost the replica its state.
        try: () => {
          crdt.prune(current(), departed)
          carrier.prune(departed)
        },
        catch: asRefusal
      }),
    refusals: Stream.callback(
      (queue) =>
        Effect.acquireRelease(
          Effect.sync(() => onRefusal((refusal) => Queue.offerUnsafe(queue, refusal))),
          (unsubscribe) => Effect.sync(unsubscribe)
        ),
      { bufferSize: 1_024, strategy: "sliding" }
    )
  }
}

// ---------------------------------------------------------------------------------------------------------------- options

const Millis = Schema.Number.check(Schema.isGreaterThan(0), Schema.isLessThan(2 ** 31))

/** What options must be. */
export const Settings = Schema.Struct({
  intervalMillis: Millis,
  bufferedDeltas: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_536 })),
  messagesPerRound: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_536 })),
  packetBytes: Schema.Int.check(Schema.isBetween({ minimum: 256, maximum: 2 ** 30 })),
  replica: Schema.String.check(Schema.isMaxLength(255))
})
