/** Whether a value of a run is the one of a trace, which may have been written as JSON and read again. */
import { Trace } from "@troupe/trace"

/**
 * The order of fields and of members of a `Set` or `Map` makes no difference, nor does a field that is undefined. What is
 * text in a trace, because it isn't JSON, agrees with what is written as that text.
 */
export const agree = (expected: unknown, found: unknown): boolean => {
  if (expected === found) return true
  if (typeof expected === "string") return typeof found !== "string" && expected === written(found)
  if (typeof expected !== "object" || typeof found !== "object" || expected === null || found === null) {
    return Object.is(expected, found)
  }
  if (Array.isArray(expected)) {
    return (
      Array.isArray(found) && expected.length === found.length && expected.every((item, at) => agree(item, found[at]))
    )
  }
  if (expected instanceof Set || expected instanceof Map) {
    return expected.constructor === found.constructor && haveSameMembers([...expected], [...(found as typeof expected)])
  }
  if (Array.isArray(found) || found instanceof Set || found instanceof Map) return false
  return haveSameFields(expected as Fields, found as Fields)
}

type Fields = Readonly<Record<string, unknown>>

const haveSameFields = (expected: Fields, found: Fields): boolean => {
  for (const key in found) if (found[key] !== undefined && !Object.hasOwn(expected, key)) return false
  for (const key in expected) if (!agree(expected[key], found[key])) return false
  return true
}

const haveSameMembers = (expected: ReadonlyArray<unknown>, found: ReadonlyArray<unknown>): boolean => {
  const left = [...found]
  return (
    expected.length === left.length &&
    expected.every((item) => {
      const place = left.findIndex((other) => agree(item, other))
      if (place >= 0) left.splice(place, 1)
      return place >= 0
    })
  )
}

/** As a trace has it when it is written and read. */
export const written = (value: unknown): unknown => {
  const line = Trace.encodeEvent({
    _tag: "Step",
    node: "",
    clock: {},
    actor: "",
    input: { _tag: "Command", command: value },
    actions: []
  })
  return (JSON.parse(line) as { readonly input: { readonly command: unknown } }).input.command
}
