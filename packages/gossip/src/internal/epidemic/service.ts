/** The service of gossip, from the actor that it is. */
import type { Actor } from "@troupe/actor"
import { Suspicion } from "@troupe/failure-detection"
import { type Channel, Codec } from "@troupe/transport"
import { Cause, Effect, Layer, Option, Queue, type Scope, Stream } from "effect"
import { Gossip, type Heard, type ItemId, ItemRefused, TopicInUse } from "../../Gossip.ts"
import { Overlay } from "../../Overlay.ts"
import type { Base, Command, Event } from "./base.ts"
import type { Item } from "./items.ts"

type Node = Actor.Actor<Base, Command, Event>

/** `Gossip` by the actor that `spawn` makes, which tells of each time that its protocol starts anew. */
export const layer = <E, R>(
  spawn: (onRestart: () => void) => Effect.Effect<Node, E, R>
): Layer.Layer<Gossip, E, Exclude<R, Scope.Scope>> =>
  Layer.effect(
    Gossip,
    Effect.gen(function* () {
      let tellAgain = (): void => {}
      const actor = yield* spawn(() => tellAgain())
      const suspects = yield* Suspicion.follow(actor)
      const neighbours = yield* followOverlay(actor)
      tellAgain = () => {
        neighbours()
        suspects()
      }
      return yield* serve(actor)
    })
  )

const serve = Effect.fnUntraced(function* (actor: Node): Effect.fn.Return<Gossip["Service"], never, Scope.Scope> {
  const listeners = new Map<string, (item: Item) => void>()
  const refusals = new Set<(refused: { readonly from: string; readonly reason: string }) => void>()
  const refuse = (from: string, reason: string): void => refusals.forEach((listener) => listener({ from, reason }))
  const unsubscribe = actor.subscribe((event) => {
    if (event._tag === "Heard") listeners.get(event.item.topic)?.(event.item)
    else if (event._tag === "Refused") refuse(event.from, event.reason)
  })
  yield* Effect.addFinalizer(() => Effect.sync(unsubscribe))
  const logError = Effect.runForkWith(yield* Effect.context<never>())
  return {
    self: actor.node,
    missed: eventsOf(actor, (event) => (event._tag === "Missed" ? event : undefined)),
    refused: Stream.callback(
      (queue) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            const listener = (refused: { readonly from: string; readonly reason: string }): void =>
              void Queue.offerUnsafe(queue, refused)
            refusals.add(listener)
            return listener
          }),
          (listener) => Effect.sync(() => refusals.delete(listener))
        ),
      { bufferSize: 1_024, strategy: "sliding" }
    ),
    open: Effect.fnUntraced(function* <A>(topic: Channel.Channel<A>, hear?: (heard: Heard<A>) => void) {
      const { name } = topic
      if (listeners.has(name)) return yield* new TopicInUse({ node: actor.node, topic: name })
      const hearers = new Set<(heard: Heard<A>) => void>()
      if (hear !== undefined) hearers.add(hear)
      const listen = ({ life, origin, payload, sequence }: Item): void => {
        const item = decoded(topic, payload)
        if (Option.isNone(item)) {
          return refuse(origin, `item ${sequence} of ${origin} is not of the schema of topic "${name}"`)
        }
        for (const hearer of hearers) {
          try {
            hearer({ origin, life, sequence, item: item.value })
          } catch (defect) {
            logError(Effect.logError(`a listener to topic "${name}" threw`, Cause.die(defect)))
          }
        }
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          listeners.set(name, listen)
          for (const { items } of actor.state().store.logs) {
            for (const item of items) if (item.topic === name) listen(item)
          }
        }),
        () => Effect.sync(() => listeners.delete(name))
      )
      return {
        publish: (item: A) => publish(actor, topic, item),
        heard: Stream.callback<Heard<A>>(
          (queue) =>
            Effect.acquireRelease(
              Effect.sync(() => {
                const hearer = (heard: Heard<A>): void => void Queue.offerUnsafe(queue, heard)
                hearers.add(hearer)
                return hearer
              }),
              (hearer) => Effect.sync(() => hearers.delete(hearer))
            ),
          { bufferSize: 1_024, strategy: "sliding" }
        )
      }
    })
  }
})

const decoded = <A>({ codec }: Channel.Channel<A>, payload: Uint8Array): Option.Option<A> => {
  try {
    return Option.some(Codec.decode(codec, payload))
  } catch {
    return Option.none()
  }
}

const publish = <A>(actor: Node, topic: Channel.Channel<A>, item: A): Effect.Effect<ItemId, ItemRefused> => {
  const refuse = (reason: string) => new ItemRefused({ node: actor.node, topic: topic.name, reason })
  const told = Effect.callback<ItemId, ItemRefused>((resume) => {
    const payload = Codec.encode(topic.codec, item)
    // The step is done when `tell` returns, unless one is under way that called this: then it follows.
    const stop = actor.subscribe((event) => {
      if (event._tag === "Heard" && event.item.payload === payload) {
        const { life, origin, sequence } = event.item
        resume(Effect.succeed({ origin, life, sequence }))
      } else if (event._tag === "Unpublished" && event.payload === payload) resume(Effect.fail(refuse(event.reason)))
      else return
      stop()
    })
    actor.tell({ _tag: "Publish", topic: topic.name, payload })
    return Effect.sync(stop)
  })
  const stopped = Effect.catchTag(actor.failed, "ActorFailed", ({ message }) => Effect.fail(refuse(message)))
  return Effect.raceFirst(told, stopped)
}

const eventsOf = <A>(actor: Node, of: (event: Event) => A | undefined): Stream.Stream<A> =>
  Stream.callback<A>(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() =>
          actor.subscribe((event) => {
            const found = of(event)
            if (found !== undefined) Queue.offerUnsafe(queue, found)
          })
        ),
        (unsubscribe) => Effect.sync(unsubscribe)
      ),
    { bufferSize: 1_024, strategy: "sliding" }
  )

/** Tells `actor` of its neighbours, where there is an `Overlay`. Returns how to tell it again. */
const followOverlay = (actor: Node): Effect.Effect<() => void, never, Scope.Scope> =>
  Effect.flatMap(
    Effect.serviceOption(Overlay),
    Option.match({
      onNone: () => Effect.succeed(() => {}),
      onSome: Effect.fnUntraced(function* (overlay) {
        let nodes = yield* overlay.neighbours
        const tell = (): void => actor.tell({ _tag: "Neighbours", nodes })
        yield* Effect.forkScoped(
          Stream.runForEach(overlay.changes, (changed) =>
            Effect.sync(() => {
              nodes = changed
              tell()
            })
          ),
          { startImmediately: true }
        )
        nodes = yield* overlay.neighbours
        tell()
        return tell
      })
    })
  )
