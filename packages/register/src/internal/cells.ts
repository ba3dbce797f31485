/** Registers as data: what a call is, and what it does, whoever holds them. */
import { Schema } from "effect"

/** In characters. */
const nameLimit = 255

/** Of a value as JSON, in characters. */
const textLimit = 65_536

/** How many registers there may be: what is set is kept for good. */
const cellLimit = 1_024

export interface Cell {
  /** How often it has been set. */
  readonly version: number
  /** The value as JSON. */
  readonly text: string
}

/** Those that were set, by name. */
export type Cells = ReadonlyMap<string, Cell>

const absent: Cell = { version: 0, text: "null" }

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Name = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(nameLimit))
const Text = Schema.String.check(Schema.isMaxLength(textLimit))

export const Call = Schema.Union([
  Schema.TaggedStruct("Read", { name: Name }),
  Schema.TaggedStruct("CompareAndSet", { name: Name, expected: Natural, text: Text })
])
export type Call = typeof Call.Type

export const Answer = Schema.Union([
  /** What there is: of a read, or where another version was expected. */
  Schema.TaggedStruct("Is", { version: Natural, text: Text }),
  Schema.TaggedStruct("Set", { version: Natural }),
  /** No more registers can be made. */
  Schema.TaggedStruct("Full", {})
])
export type Answer = typeof Answer.Type

/** What is wrong with a call, before it is made. */
export const problem = (call: Call): string | undefined => {
  if (call.name.length === 0 || call.name.length > nameLimit) return `a name has 1 to ${nameLimit} characters`
  if (call._tag === "Read") return undefined
  const { expected, text } = call
  // A value that JSON has no text for leaves none.
  if (typeof text !== "string") return "the value is no JSON"
  if (text.length > textLimit) return `the value has ${text.length} characters as JSON, ${textLimit} are allowed`
  return Number.isSafeInteger(expected) && expected >= 0
    ? undefined
    : `${expected} is no version: whole numbers from 0 are`
}

export const answer = (cells: Cells, call: Call): Answer => {
  const { text, version } = cells.get(call.name) ?? absent
  if (call._tag === "Read" || call.expected !== version) return { _tag: "Is", version, text }
  return version === 0 && cells.size >= cellLimit ? { _tag: "Full" } : { _tag: "Set", version: version + 1 }
}

export const full = `there are ${cellLimit} registers already, and none is ever removed`
