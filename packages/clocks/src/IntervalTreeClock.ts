/**
 * Interval tree clocks: causality among parties that come and go, without names or a coordinator.
 *
 * The seed owns the whole of an interval; `fork` halves what a party owns, `join` puts two parties' shares together. A
 * stamp is a share (its id) and a function over the interval (its event), stored as trees that split only where they
 * must. An `event` raises the function somewhere within the own share; one stamp is before another if its function is
 * nowhere higher, and somewhere lower. `peek` gives a stamp without a share, to send along with a message. So a party is
 * made and retired by anyone, locally, and a clock's size follows how many there are, not how many there ever were.
 *
 * Each share must be held once: a stamp that was forked or joined is used up. All stamps are in normal form, so that equal
 * ones have equal trees.
 *
 * Source: P. S. Almeida, C. Baquero, V. Fonte, "Interval Tree Clocks: A Logical Clock for Dynamic Systems", OPODIS 2008.
 *
 * @example
 * import { IntervalTreeClock } from "@troupe/clocks"
 *
 * const { compare, event, fork, join, peek, seed } = IntervalTreeClock
 * const [ours, theirs] = fork(seed)
 * const sent = event(ours)
 * const apart = event(theirs)
 * console.log(compare(sent, apart)) // concurrent
 * const received = event(join(apart, peek(sent)))
 * console.log(compare(sent, received)) // before
 * console.log(join(sent, received)) // { id: 1, event: [ 1, 0, 1 ] }
 */
import {
  Effect,
  type Equivalence as EffectEquivalence,
  Result,
  Schema,
  SchemaIssue,
  SchemaTransformation
} from "effect"
import { type Causality, causality } from "./internal/Causality.ts"
import { counted } from "./internal/Counting.ts"
import * as Encoding from "./internal/itc/Encoding.ts"
import * as Event from "./internal/itc/Event.ts"
import * as Id from "./internal/itc/Id.ts"
import { problem, type Stamp } from "./internal/itc/NormalForm.ts"

export type { Causality } from "./internal/Causality.ts"
export { CountOutOfRange } from "./internal/Counting.ts"

/** `id` is the share: 0, 1 or `[left, right]`. `event` is the function: a count or `[count, left, right]`. */
export type IntervalTreeClock = Stamp

/** Plain JSON, as it is: `{ "id": [1, 0], "event": [3, 1, 0] }`. What is not in normal form is refused. */
export const IntervalTreeClock = Schema.Unknown.check(
  // The walk is of bounded depth, which a recursive schema's is not: nested garbage is refused like any other.
  Schema.makeFilter(problem)
) as Schema.Codec<IntervalTreeClock, unknown, never, never>

/** Two stamps own the same part of the interval: one of them was used up before, by a fork, a join or a message. */
export class OverlappingShares extends Schema.TaggedError<OverlappingShares>()("OverlappingShares", {
  first: IntervalTreeClock,
  second: IntervalTreeClock
}) {
  override get message(): string {
    return "Stamps whose shares overlap cannot be joined: one was forked or joined before. Send what peek returns."
  }
}

/** An event needs a share, and a stamp that `peek` returned has none. */
export class NoShare extends Schema.TaggedError<NoShare>()("NoShare", {}) {
  override get message(): string {
    return "A stamp without a share has no events of its own: join it with one that has a share"
  }
}

/** A share was halved too often without being joined. */
export class TooManyForks extends Schema.TaggedError<TooManyForks>()("TooManyForks", { limit: Schema.Int }) {
  override get message(): string {
    return `A share was halved ${this.limit} times: fork others of the stamps, or join those that retire`
  }
}

/** Bytes that are no stamp. */
export class MalformedStamp extends Schema.TaggedError<MalformedStamp>()("MalformedStamp", { reason: Schema.String }) {
  override get message(): string {
    return `These bytes are no interval tree clock: ${this.reason}`
  }
}

/** The first stamp of a system: it owns all, and knows nothing. There is one. */
export const seed: IntervalTreeClock = { id: 1, event: 0 }

/** Two stamps in place of one, each with half its share. Throws `TooManyForks` beyond 1,000 halvings of the seed. */
export const fork = ({ id, event }: IntervalTreeClock): readonly [IntervalTreeClock, IntervalTreeClock] => {
  const parts = Id.split(id)
  if (parts === undefined) throw new TooManyForks({ limit: Id.maxDepth })
  return [
    { id: parts[0], event },
    { id: parts[1], event }
  ]
}

/** What this stamp knows, without its share. */
export const peek = ({ event }: IntervalTreeClock): IntervalTreeClock => ({ id: 0, event })

/** One stamp in place of two: both shares, and what either knows. Throws `OverlappingShares`. */
export const join = (first: IntervalTreeClock, second: IntervalTreeClock): IntervalTreeClock => {
  const id = Id.sum(first.id, second.id)
  if (id === undefined) throw new OverlappingShares({ first, second })
  return { id, event: Event.join(first.event, second.event) }
}

/** After an event of its own. Throws `NoShare` and `CountOutOfRange`. */
export const event = ({ id, event }: IntervalTreeClock): IntervalTreeClock => {
  if (id === 0) throw new NoShare()
  const filled = Event.fill(id, event)
  if (filled !== event) return { id, event: filled }
  const grown = Event.grow(id, event).event
  counted(Event.max(grown))
  return { id, event: grown }
}

/** Whether all that the first knows, the second knows too. */
export const leq = (first: IntervalTreeClock, second: IntervalTreeClock): boolean =>
  Event.leq(first.event, second.event)

/** How two stamps stand to each other; their shares do not matter. */
export const compare = (first: IntervalTreeClock, second: IntervalTreeClock): Causality =>
  causality(!leq(first, second), !leq(second, first))

/** Same share, same knowledge. */
export const Equivalence: EffectEquivalence.Equivalence<IntervalTreeClock> = (first, second) =>
  Id.equals(first.id, second.id) && Event.equals(first.event, second.event)

// ------------------------------------------------------------------------------------------------------------ binary form

/** The compact form of the paper's §6, filled with zeros to whole bytes: 1 byte for the seed. */
export const toBytes = (stamp: IntervalTreeClock): Uint8Array => Encoding.encode(stamp)

/** The stamp of its compact form. Each stamp has one form: any other bytes are refused. */
export const fromBytes = (bytes: Uint8Array): Result.Result<IntervalTreeClock, MalformedStamp> => {
  try {
    const stamp = Encoding.decode(bytes)
    const reason =
      problem(stamp) ?? (isSame(toBytes(stamp), bytes) ? undefined : "there is a shorter form of that stamp")
    return reason === undefined ? Result.succeed(stamp) : Result.fail(new MalformedStamp({ reason }))
  } catch (error) {
    if (error instanceof Encoding.Malformed) return Result.fail(new MalformedStamp({ reason: error.reason }))
    throw error
  }
}

/** A stamp as its compact form. */
export const FromBytes: Schema.Codec<IntervalTreeClock, Uint8Array, never, never> = Schema.Uint8Array.pipe(
  Schema.decodeTo(
    IntervalTreeClock,
    SchemaTransformation.transformEffect({
      decode: (bytes: Uint8Array, options): Effect.Effect<unknown, SchemaIssue.Issue> =>
        Effect.mapError(
          Effect.fromResult(fromBytes(bytes)),
          ({ message }) => new SchemaIssue.InvalidValue({ message }, bytes, options)
        ),
      encode: (stamp) => Effect.succeed(toBytes(stamp as IntervalTreeClock))
    })
  )
)

const isSame = (first: Uint8Array, second: Uint8Array): boolean =>
  first.length === second.length && first.every((byte, i) => byte === second[i])
