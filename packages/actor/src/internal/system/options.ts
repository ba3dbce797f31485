/** Options that are none: found where they are given, not when they first matter. */
import { Duration, Schema } from "effect"

/** An option is not what it may be. */
export class InvalidOption extends Schema.TaggedError<InvalidOption>()("InvalidOption", {
  /** Whose option: of these messages, this actor, or this function. */
  of: Schema.String,
  option: Schema.String,
  given: Schema.String,
  allowed: Schema.String
}) {
  override get message(): string {
    return `${this.of}: \`${this.option}\` is ${this.given}. Give it ${this.allowed}`
  }
}

interface Given<A> {
  readonly of: string
  readonly option: string
  readonly given: A
}

const shown = (value: number): string => value.toLocaleString("en")

export const whole = ({
  given,
  least = 1,
  most = Number.MAX_SAFE_INTEGER,
  ...what
}: Given<number> & { readonly least?: number; readonly most?: number }): number => {
  if (Number.isInteger(given) && given >= least && given <= most) return given
  const upTo = most === Number.MAX_SAFE_INTEGER ? "on" : `to ${shown(most)}`
  throw new InvalidOption({ ...what, given: String(given), allowed: `a whole number from ${shown(least)} ${upTo}` })
}

/** In milliseconds. Infinity is one. */
export const duration = ({ given, ...what }: Given<Duration.Input>): number => {
  const millis = isNumber(given) ? Duration.toMillis(given) : NaN
  if (millis > 0) return millis
  const allowed = 'a time above 0, such as "5 seconds"'
  throw new InvalidOption({ ...what, given: typeof given === "object" ? `${millis} ms` : String(given), allowed })
}

/** Effect takes what is no number for 0. */
const isNumber = (given: Duration.Input): boolean => !Number.isNaN(given)
