/**
 * One reference in front of several actors that understand the same: each message goes to one of them, or to all. Answers go
 * to who asked, without a detour. One that is no more is left out from then on; when none is left, the router stops.
 *
 * @example
 * import { ActorSystem, Behavior, Messages, Router } from "@troupe/actor"
 * import { Effect, Schema } from "effect"
 *
 * const Worker = Messages.make("worker", { Square: Messages.ask({ of: Schema.Int }, { reply: Schema.Int }) })
 *
 * const worker = Behavior.make(Worker, {
 *   init: () => 0,
 *   on: { Square: (done, { of }) => ({ state: done + 1, reply: of * of }) }
 * })
 *
 * const program = Effect.gen(function*() {
 *   const workers = yield* Effect.all([ActorSystem.spawn(worker), ActorSystem.spawn(worker)])
 *   const router = yield* ActorSystem.spawn(Router.make(Worker, workers, Router.roundRobin))
 *   return yield* Effect.forEach([1, 2, 3], (of) => router.ask({ _tag: "Square", of }), { concurrency: 3 })
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(ActorSystem.layer())))) // [ 1, 4, 9 ]
 */
import { HashRing, PrimaryKey } from "effect"
import type { ActorRef } from "./ActorRef.ts"
import { type Behavior, capacity, type Later, type Self, type Table } from "./Behavior.ts"
import { Cell } from "./internal/system/Cell.ts"
import { type Ask, type Definition, isAsk, type MessageOf, type Messages } from "./Messages.ts"

/** Which of the actors a message goes to. */
export type Choice =
  | { readonly _tag: "RoundRobin" }
  | { readonly _tag: "Random" }
  | { readonly _tag: "SmallestMailbox" }
  | { readonly _tag: "ConsistentHash"; readonly key: (message: any) => string }
  | { readonly _tag: "All" }

/** Each in turn. */
export const roundRobin: Choice = { _tag: "RoundRobin" }

/** Any. */
export const random: Choice = { _tag: "Random" }

/** The one with the fewest messages waiting, of those on this node; where none is, the first. */
export const smallestMailbox: Choice = { _tag: "SmallestMailbox" }

/** Those with one key to one actor; when actors go, only theirs move. */
export const consistentHash = <D extends Definition>(key: (message: MessageOf<D>) => string): Choice => ({
  _tag: "ConsistentHash",
  key
})

/** All of them. Of a question the first answer counts, of whichever kind. */
export const all: Choice = { _tag: "All" }

interface Routing<D extends Definition> {
  readonly refs: ReadonlyArray<ActorRef<D>>
  readonly next: number
  readonly ring: HashRing.HashRing<Place> | undefined
}

/** An actor on the ring. */
interface Place extends PrimaryKey.PrimaryKey {
  readonly ref: ActorRef<any>
}

const gone = "\0gone"

export const make = <D extends Definition>(
  messages: Messages<D>,
  refs: ReadonlyArray<ActorRef<D>>,
  choice: Choice
): Behavior<D> => {
  const table: Record<string, Table[string]> = Object.create(null)
  for (const [tag, entry] of Object.entries(messages.definition)) {
    const isAsked = isAsk(entry as Ask)
    const handle = (routing: Routing<D>, message: MessageOf<D>, self: Self<D>) => {
      const later = route(routing, message, choice, self)
      const next = choice._tag === "RoundRobin" ? { ...routing, next: routing.next + 1 } : routing
      return isAsked ? { state: next, later } : next
    }
    table[tag] = { handle, isAsk: isAsked }
  }
  table[gone] = {
    isAsk: false,
    handle: (routing: Routing<D>, { ref }: { readonly ref: ActorRef<D> }, self: Self<D>) => {
      const left = routing.refs.filter((each) => each !== ref)
      if (left.length === 0) self.stop()
      return { ...routing, refs: left, ring: ringOf(left, choice) }
    }
  }
  return {
    messages,
    kind: "plain",
    capacity,
    table,
    context: undefined,
    handlerMillis: undefined,
    "~R": undefined,
    init: (self) => {
      if (refs.length === 0) throw new RangeError("a router has one actor at least")
      for (const ref of refs) self.watch(ref, () => ({ _tag: gone, ref }) as never)
      return { refs, next: 0, ring: ringOf(refs, choice) } satisfies Routing<D>
    }
  }
}

const ringOf = (refs: ReadonlyArray<ActorRef<any>>, choice: Choice): HashRing.HashRing<Place> | undefined =>
  choice._tag !== "ConsistentHash"
    ? undefined
    : HashRing.addMany(
        HashRing.make<Place>(),
        refs.map((ref) => ({ ref, [PrimaryKey.symbol]: () => ref.path }))
      )

const route = <D extends Definition>(
  { next, refs, ring }: Routing<D>,
  message: MessageOf<D>,
  choice: Choice,
  self: Self<D>
): Later => {
  switch (choice._tag) {
    case "RoundRobin":
      return self.forward(refs[next % refs.length]!)
    case "Random":
      return self.forward(refs[Math.floor(self.random() * refs.length)]!)
    case "SmallestMailbox":
      return self.forward(leastBusy(refs))
    case "ConsistentHash":
      return self.forward(HashRing.get(ring!, choice.key(message))!.ref)
    case "All":
      return self.forward(...refs)
  }
}

const waiting = (ref: ActorRef<any>): number => (ref instanceof Cell ? ref.waiting : Infinity)

const leastBusy = <D extends Definition>(refs: ReadonlyArray<ActorRef<D>>): ActorRef<D> => {
  let least = refs[0]!
  for (const ref of refs) if (waiting(ref) < waiting(least)) least = ref
  return least
}
