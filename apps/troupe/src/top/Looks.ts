/** Looks at systems, of which some may not answer: these keep nobody from being looked at. */
import type * as Inspector from "@troupe/actor/Inspector"
import { Effect } from "effect"
import { CannotRun } from "../Problem.ts"
import { type Address, look, textOf } from "./Source.ts"
import type { Seen } from "./View.ts"

/** Actors of a system. */
const most = 1_000

export const nothing = (address: Address): Seen => ({
  address: textOf(address),
  ...{ now: undefined, before: undefined, problem: undefined }
})

/** What a look adds to what was seen before. */
export const another = (address: Address, last: Seen, order: Inspector.Order): Effect.Effect<Seen> =>
  Effect.match(look(address, order, most), {
    onSuccess: (now): Seen => ({ ...last, now, before: last.now, problem: undefined }),
    onFailure: ({ reason }): Seen => ({ ...last, problem: reason })
  })

export const isSeen = ({ now }: Seen): boolean => now !== undefined

/** Why nobody is seen. */
export const nobody = (all: ReadonlyArray<Seen>): CannotRun =>
  new CannotRun({ reason: all.map(({ problem }) => problem).join(" ") })

/** What happened between two looks is what one picture can tell. Fails where nobody is seen. */
export const twice = (
  addresses: ReadonlyArray<Address>,
  order: Inspector.Order,
  everyMillis: number
): Effect.Effect<ReadonlyArray<Seen>, CannotRun> =>
  Effect.gen(function* () {
    const all = yield* Effect.forEach(addresses, (address) => twiceAt(address, order, everyMillis), {
      concurrency: "unbounded"
    })
    return all.some(isSeen) ? all : yield* nobody(all)
  })

const twiceAt = (address: Address, order: Inspector.Order, everyMillis: number): Effect.Effect<Seen> =>
  Effect.flatMap(another(address, nothing(address), order), (first) =>
    isSeen(first) ? Effect.delay(another(address, first, order), everyMillis) : Effect.succeed(first)
  )
