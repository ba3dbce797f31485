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

/** In milliseconds, `least` or more: Infinity is one. Default: more than none. */
export const duration = ({
  given,
  least,
  ...what
}: Given<Duration.Input> & { readonly least?: 0 | undefined }): number => {
  // Effect takes what is no number for none.
  const millis = Number.isNaN(given) ? NaN : Duration.toMillis(given)
  if (millis > 0 || millis === least) return millis
  const allowed = `a time ${least === undefined ? "above 0" : "from 0 on"}, such as "5 seconds"`
  throw new InvalidOption({ ...what, given: typeof given === "object" ? `${millis} ms` : String(given), allowed })
}

/** Of an actor, as part of its path. */
export const named = (given: string, of: string): void => {
  if (given === "" || given.length > 255 || given.includes("/"))
    throw new InvalidOption({
      of,
      option: "name",
      given: text(given),
      allowed: 'text of 1 to 255 characters without "/"'
    })
}

/** Of a log, as `Storage` has them. */
export const logName = (given: string, of: string): void => {
  if (given === "" || given.length > 200)
    throw new InvalidOption({ of, option: "log", given: text(given), allowed: "text of 1 to 200 characters" })
}

const text = (given: string): string => (given.length > 200 ? `${given.slice(0, 40)}…` : JSON.stringify(given))
