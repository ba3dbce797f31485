/** A replica and its store, from the actor that compares. */
import type { Actor } from "@troupe/actor"
import { Suspicion } from "@troupe/failure-detection"
import type { NodeId } from "@troupe/transport"
import { Effect, Queue, type Scope, Stream } from "effect"
import type { MerkleTree, Versioned } from "../../MerkleTree.ts"
import { keyLengthMax, type StoredEntry } from "./messages.ts"
import {
  type Change,
  type Command,
  type Comparison,
  type Event,
  type Refusal,
  type State,
  StoreRefused
} from "./state.ts"

/** A keyed store, as far as it is compared and repaired. All of it is called in turn, never twice at once. */
export interface Store {
  /**
   * Every key with the version of its entry: text that two entries of a key share if and only if they are the same, such as a
   * version vector or a hash. A deleted key has an entry too, which says so, until nobody could bring it back.
   */
  readonly entries: () => Iterable<Versioned>
  /** The entry of a key as bytes, of which `merge` on another node can make use. `undefined`: it is gone. */
  readonly read: (key: string) => Uint8Array | undefined
  /**
   * Takes the entry of another replica into its own, by a rule that gives the same whichever of the two came first, and again
   * when it comes twice: the later of two stamps wins, or both are kept. Returns the version that the key has now, or
   * `undefined` if it has none. What it throws refuses the entry.
   */
  readonly merge: (key: string, value: Uint8Array, from: NodeId.NodeId) => string | undefined
}

/** Something that was not taken in, of a node; its own if the node is this one. */
export interface Refused {
  readonly from: NodeId.NodeId
  readonly failure: Refusal
}

export interface ReplicaShape {
  /** This node. */
  readonly self: NodeId.NodeId
  /** What the store has by now, as it is told to peers. */
  readonly tree: () => MerkleTree
  /** To be called with each change of the store but those that it makes in `merge`. */
  readonly changed: (changes: ReadonlyArray<Change>) => void
  /** Compares with this peer at once, besides the rounds: for a node that knows that it was away. */
  readonly compare: (peer: NodeId.NodeId) => Effect.Effect<void>
  /** How the comparisons come out that this node begins, from now on. A reader that lags by more than 1,024 misses the oldest. */
  readonly comparisons: Stream.Stream<Comparison>
  /** What is refused from now on. */
  readonly refused: Stream.Stream<Refused>
}

type Node = Actor.Actor<State, Command, Event>

export const make = Effect.fnUntraced(function* <E, R>(
  store: Store,
  spawn: (onRestart: () => void) => Effect.Effect<Node, E, R>
): Effect.fn.Return<ReplicaShape, E, R | Scope.Scope> {
  let tellAgain = (): void => {}
  const actor = yield* spawn(() => tellAgain())
  const suspects = yield* Suspicion.follow(actor)
  const refusals = new Set<(refused: Refused) => void>()
  const refuse = (from: string, key: string, cause: unknown): void => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const failure = new StoreRefused({ key, reason })
    refusals.forEach((listener) => listener({ from, failure }))
  }
  const unsubscribe = actor.subscribe((event) => {
    if (event._tag === "Fetch") {
      actor.tell({
        _tag: "Give",
        to: event.to,
        entries: readAll(store, event.keys, (...why) => refuse(actor.node, ...why))
      })
    } else if (event._tag === "Received") {
      const changes = mergeAll(store, event.entries, event.from, (...why) => refuse(event.from, ...why))
      actor.tell({ _tag: "Changed", changes })
    } else if (event._tag === "Refused") refusals.forEach((listener) => listener(event))
  })
  yield* Effect.addFinalizer(() => Effect.sync(unsubscribe))
  tellAgain = () => {
    actor.tell({ _tag: "Load", entries: store.entries() })
    suspects()
  }
  actor.tell({ _tag: "Load", entries: store.entries() })
  return {
    self: actor.node,
    tree: () => actor.state().tree,
    changed: (changes) => {
      const fit = changes.filter(({ key }) => key.length <= keyLengthMax)
      for (const { key } of changes) {
        if (key.length > keyLengthMax) refuse(actor.node, key, `keys have at most ${keyLengthMax} characters`)
      }
      actor.tell({ _tag: "Changed", changes: fit })
    },
    compare: (peer) => Effect.sync(() => actor.tell({ _tag: "Compare", peer })),
    comparisons: callback((offer) =>
      actor.subscribe((event) => {
        if (event._tag === "Compared") offer(event)
      })
    ),
    refused: callback((offer) => {
      refusals.add(offer)
      return () => refusals.delete(offer)
    })
  }
})

const callback = <A>(listen: (offer: (value: A) => void) => () => unknown): Stream.Stream<A> =>
  Stream.callback<A>(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() => listen((value) => void Queue.offerUnsafe(queue, value))),
        (stop) => Effect.sync(stop)
      ),
    { bufferSize: 1_024, strategy: "sliding" }
  )

const readAll = (
  store: Store,
  keys: ReadonlyArray<string>,
  refuse: (key: string, cause: unknown) => void
): ReadonlyArray<StoredEntry> =>
  keys.flatMap((key) => {
    try {
      const value = store.read(key)
      return value === undefined ? [] : [{ key, value }]
    } catch (cause) {
      refuse(key, cause)
      return []
    }
  })

const mergeAll = (
  store: Store,
  entries: ReadonlyArray<StoredEntry>,
  from: string,
  refuse: (key: string, cause: unknown) => void
): ReadonlyArray<Change> =>
  entries.flatMap(({ key, value }) => {
    try {
      return [{ key, version: store.merge(key, value, from) }]
    } catch (cause) {
      refuse(key, cause)
      return []
    }
  })
