/** Deltas carried by a multicast of a group, in place of gossip. */
import { Multicast } from "@troupe/group"
import { Channel, type ChannelInUse, type Codec, type NodeId } from "@troupe/transport"
import { Clock, type Context, Effect, Layer, Queue, Random, Schema, Stream } from "effect"
import { type Crdt, ReplicaId, ReplicaReused } from "../../Crdt.ts"
import * as Service from "./service.ts"
import { asRefusal, type Mutate, type Refusal } from "./state.ts"

const Wire = <S>(states: Schema.Codec<S, any>) =>
  Schema.Struct({ replica: ReplicaId, delta: states }) as unknown as Codec.MessageSchema<{
    readonly replica: ReplicaId
    readonly delta: S
  }>

export interface MulticastOptions<S> {
  /** Names what is replicated: nodes that use the same name share it. */
  readonly name: string
  /** The name of the replica, for one whose state is kept over restarts. Default: a new one in each life. */
  readonly replica?: ReplicaId
  /** The state that was kept, which includes every change that the replica has made. Default: empty. */
  readonly restore?: S
}

/**
 * A replica on this node, whose changes are multicast to its group. It takes any order, for deltas can be merged in any; the
 * multicast must be reliable, for nothing is sent twice. Changes that the group has no room for yet are joined into one delta.
 *
 * Whoever enters the group is sent the whole state, in one message, by the lowest of those who were there; where two parts
 * of a group become one, by the lowest of each.
 */
export const multicastLayer = <S, Value>(
  tag: Context.Key<Service.Replicated<S, Value>, Service.Replicated<S, Value>>,
  crdt: Crdt<S, Value>,
  given: MulticastOptions<S>
): Layer.Layer<Service.Replicated<S, Value>, ChannelInUse, Multicast.Multicast<"reliable">> =>
  Layer.effect(tag, make(crdt, given))

const make = Effect.fnUntraced(function* <S, Value>(crdt: Crdt<S, Value>, given: MulticastOptions<S>) {
  const multicast = yield* Multicast.of("reliable")
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  const life = Math.floor(random.nextDoubleUnsafe() * 2 ** 48)
  const replica = given.replica ?? `${multicast.self}.${life.toString(36)}`
  const changed = listeners<void>()
  const refused = listeners<{ readonly from: NodeId.NodeId; readonly failure: Refusal }>()
  const wake = yield* Queue.sliding<void>(1)
  let value = given.restore ?? crdt.empty
  let reused = false
  /** What the group is to be sent. */
  let pending: S | undefined

  const take = (next: S): void => {
    if (next === value) return
    value = next
    changed.tell()
  }
  const send = (delta: S): void => {
    pending = pending === undefined ? delta : crdt.merge(pending, delta)
    Queue.offerUnsafe(wake, undefined)
  }

  const topic = yield* multicast.open(
    Channel.make(`gossip/replicated/${given.name}`, Wire(crdt.schema)),
    ({ from, message }) => {
      if (from === multicast.self) return
      try {
        if (message.replica === replica) {
          reused = true
          throw new ReplicaReused({ replica, reason: `"${multicast.self}" and "${from}" both use the name` })
        }
        take(crdt.merge(value, message.delta))
      } catch (failure) {
        refused.tell({ from, failure: asRefusal(failure) })
      }
    }
  )

  yield* Effect.gen(function* () {
    yield* Queue.take(wake)
    const delta = pending
    if (delta === undefined) return
    pending = undefined
    // What could not be sent goes with what is sent next.
    yield* Effect.catch(topic.send({ replica, delta }), (failure) =>
      Effect.sync(() => {
        pending = pending === undefined ? delta : crdt.merge(delta, pending)
        refused.tell({ from: multicast.self, failure: asRefusal(failure) })
      })
    )
  }).pipe(Effect.forever, Effect.forkScoped)

  let members: ReadonlyArray<NodeId.NodeId> | undefined
  yield* Effect.forkScoped(
    Stream.runForEach(multicast.views, (view) =>
      Effect.sync(() => {
        const before = members ?? [multicast.self]
        members = view.members
        const stayed = before.filter((node) => view.members.includes(node))
        const hasNewcomers = view.members.some((node) => !before.includes(node))
        if (hasNewcomers && stayed[0] === multicast.self && !crdt.equals(value, crdt.empty)) send(value)
      })
    )
  )

  return Service.make(crdt, {
    replica: () => replica,
    current: () => value,
    isReused: () => reused,
    apply: (mutate: Mutate<S>) => {
      const delta = mutate(value, replica, clock.currentTimeMillisUnsafe())
      if (delta === undefined) return
      const next = crdt.merge(value, delta)
      if (next === value) return
      // Before anybody is told, so that what they change is sent after it.
      send(delta)
      take(next)
    },
    prune: (departed) => {
      const pruned = crdt.prune(value, departed)
      if (pruned === value) return
      value = pruned
      // Changes that were not sent yet cannot be merged any more by those who have pruned.
      if (pending !== undefined) pending = value
    },
    onChange: changed.add,
    onRefusal: refused.add
  })
})

const listeners = <A>() => {
  const all = new Set<(event: A) => void>()
  return {
    tell: (event: A): void => [...all].forEach((listener) => listener(event)),
    add: (listener: (event: A) => void): (() => void) => {
      const own = (event: A): void => listener(event)
      all.add(own)
      return () => void all.delete(own)
    }
  }
}
