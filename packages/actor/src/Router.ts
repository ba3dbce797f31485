/**
 * One reference in front of several actors that understand the same: each message goes to one of them, or to all. Answers go
 * to who asked, and wait for no turn of the router. One that is no more is left out from then on; when none is left, the
 * router stops.
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

import { Context, Exit, HashRing, PrimaryKey } from "effect"
import { type ActorRef, MailboxFull } from "./ActorRef.ts"
import { type Behavior, capacity, make as behave, type Later, type Self, type Table } from "./Behavior.ts"
import { Cell } from "./internal/system/Cell.ts"
import { Question } from "./internal/system/envelopes.ts"
import { whole } from "./internal/system/options.ts"
import { type Ask, type Definition, isAsk, type MessageOf, type Messages } from "./Messages.ts"
import { Receptionist, type ServiceKey } from "./Receptionist.ts"

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

/**
 * All of them. Of a question the first answer counts, a reply or the question's own failure; what came of it elsewhere, as of
 * one that has stopped, counts where nobody has an answer.
 */
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
const listing = "\0listing"

/** In front of these. */
export const make = <D extends Definition>(
  messages: Messages<D>,
  refs: ReadonlyArray<ActorRef<D>>,
  choice: Choice
): Behavior<D> => {
  whole({ of: "Router.make", option: "refs.length", given: refs.length })
  const init = (self: Self<D>): Routing<D> => {
    for (const ref of refs) self.watch(ref, () => ({ _tag: gone, ref }) as never)
    return placed({ refs: [], next: 0, ring: undefined }, refs, choice)
  }
  const behavior = behave(messages, { init, on: {} as never })
  const onGone = (routing: Routing<D>, { ref }: { readonly ref: ActorRef<D> }, self: Self<D>): Routing<D> => {
    const left = routing.refs.filter((each) => each !== ref)
    if (left.length === 0) self.stop()
    return placed(routing, left, choice)
  }
  return { ...behavior, table: { ...routed(messages, choice, 0), [gone]: { isAsk: false, handle: onGone } } }
}

/**
 * In front of those that are registered under a key, on all nodes, as that changes. While there are none, messages wait for
 * them, `waiting` (1,000; up to 65,536) at the most; one more is a dead letter, and a question fails with `MailboxFull`.
 * Routers of different nodes hash a key to the same actor.
 */
export const group = <D extends Definition>(
  key: ServiceKey<D>,
  choice: Choice,
  options: { readonly waiting?: number } = {}
): Behavior<D, Receptionist> => {
  const { messages } = key
  const waiting = whole({
    of: "Router.group",
    option: "waiting",
    given: options.waiting ?? 1_000,
    least: 0,
    most: capacity
  })
  const init = (self: Self<D>): Routing<D> => {
    const receptionist = Context.get(contextOf(self), Receptionist)
    receptionist.subscribeActor(key, self.ref, (refs) => ({ _tag: listing, refs }) as never)
    return placed({ refs: [], next: 0, ring: undefined }, receptionist.listing(key), choice)
  }
  const behavior = behave(messages, { init, on: {} as never })
  const onListing = (routing: Routing<D>, { refs }: Pick<Routing<D>, "refs">, self: Self<D>): Routing<D> => {
    if (refs.length > 0) self.unstash()
    return placed(routing, refs, choice)
  }
  const table = routed(messages, choice, waiting)
  return { ...behavior, table: { ...table, [listing]: { isAsk: false, handle: onListing } } }
}

const contextOf = (self: Self<any>): Context.Context<Receptionist> =>
  (self as unknown as Cell).behavior.context as unknown as Context.Context<Receptionist>

/** Handlers that hand on. */
const routed = (messages: Messages<any>, choice: Choice, waiting: number): Table => {
  const table: Record<string, Table[string]> = Object.create(null)
  for (const [tag, entry] of Object.entries(messages.definition)) {
    const isAsked = isAsk(entry as Ask)
    const handle = (routing: Routing<any>, message: MessageOf<any>, self: Self<any>) => {
      const later = routing.refs.length > 0 ? route(routing, message, choice, self) : wait(self, message, waiting)
      const next = choice._tag === "RoundRobin" ? { ...routing, next: routing.next + 1 } : routing
      return isAsked ? { state: next, later } : next
    }
    table[tag] = { handle, isAsk: isAsked }
  }
  return table
}

/** Until there is somebody. */
const wait = (self: Self<any>, message: MessageOf<any>, waiting: number): Later => {
  const cell = self as unknown as Cell
  const rare = cell.rarely()
  // Who asked may have had enough by now.
  if (rare.stash.length >= waiting) rare.stash = rare.stash.filter((each) => !(each instanceof Question && each.isOver))
  if (rare.stash.length < waiting) return self.stash()
  cell.system.deadLetters.add(cell, message, "mailbox full")
  cell.question?.end(Exit.fail(new MailboxFull({ actor: cell.path, capacity: waiting })))
  return {} as Later
}

/** With these from now on: whoever stays keeps its place on the ring. */
const placed = <D extends Definition>(
  { next, refs: before, ring = HashRing.make<Place>() }: Routing<D>,
  refs: ReadonlyArray<ActorRef<D>>,
  choice: Choice
): Routing<D> => {
  if (choice._tag !== "ConsistentHash") return { refs, next, ring: undefined }
  const places = refs.map(placeOf)
  const keys = new Set(places.map(PrimaryKey.value))
  for (const place of before.map(placeOf)) if (!keys.has(PrimaryKey.value(place))) HashRing.remove(ring, place)
  return { refs, next, ring: HashRing.addMany(ring, places) }
}

/** By its path as other nodes have it. */
const placeOf = (ref: ActorRef<any>): Place => {
  const node = ref instanceof Cell ? ref.system.remote?.node : undefined
  const path = node === undefined ? ref.path : `${node}:${ref.path}`
  return { ref, [PrimaryKey.symbol]: () => path }
}

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
