/** Whole numbers that count events: their schema, and the one way to count on. */
import { Schema } from "effect"

export const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** A count is no whole number from 0 to 2⁵³ − 1, or would pass it. */
export class CountOutOfRange extends Schema.TaggedError<CountOutOfRange>()("CountOutOfRange", {
  count: Schema.Number
}) {
  override get message(): string {
    return `${this.count} is no count of events: whole numbers from 0 to ${Number.MAX_SAFE_INTEGER} are`
  }
}

/** The count itself. Throws `CountOutOfRange`. */
export const counted = (count: number): number => {
  if (Number.isSafeInteger(count) && count >= 0) return count
  throw new CountOutOfRange({ count })
}
