/** Operations and states in words, for the reasons of verdicts. */
import type { Operation, Value } from "./History.ts"
import { textOf } from "./specifications/Values.ts"

const longest = 60

const short = (text: string): string => (text.length <= longest ? text : `${text.slice(0, longest - 1)}…`)

/** A value as JSON, cut where it is long. */
export const value = (given: Value): string => short(textOf(given))

/** A state of a specification, the same way. */
export const state = (given: unknown): string => short(typeof given === "object" ? textOf(given as Value) : `${given}`)

/** `read() -> 3 by 5 (line 12)` */
export const operation = ({ process, f, key, input, output, source }: Operation): string => {
  const call = `${f}(${[...(key === undefined ? [] : [key]), ...(input === null ? [] : [value(input)])].join(", ")})`
  const result =
    output === undefined || output === null
      ? output === null && input === null
        ? " -> null"
        : ""
      : ` -> ${value(output)}`
  const line = source === undefined ? "" : ` (line ${source.returnLine ?? source.invokeLine})`
  return `${call}${result} by ${process}${line}`
}

/** The first few, and how many more there are. */
export const few = (texts: ReadonlyArray<string>, atMost = 4): string => {
  const rest = texts.length - atMost
  return rest <= 0 ? texts.join(", ") : `${texts.slice(0, atMost).join(", ")} and ${rest} more`
}
