import type { Value } from "../../History.ts"
import type { Implied, Reading } from "../../Reader.ts"
import type { MalformedInput } from "../MalformedInput.ts"
import { Pairing } from "../Pairing.ts"
import { lines, malformedLine, scalar, type Source } from "../Source.ts"
import { impliedBy } from "./Implied.ts"

const objectPattern = /@object\s+(?:atomic-)?([\w-]+)/
const callPattern = /^\[\s*([\w-]+)\s*\]\s*call\s+(\w+)\s*(?:\(([^()]*)\))?$/
const returnPattern = /^\[\s*([\w-]+)\s*\]\s*ret(?:urn)?(?:\s+(.*))?$/

export const isViolinLine = (line: string): boolean => callPattern.test(line) || returnPattern.test(line)

const puts = ["add", "enqueue", "enq", "push", "put", "insert", "offer"]
const takes = ["remove", "dequeue", "deq", "pop", "take", "poll", "get"]

/** What an object calls its two functions. */
const objects: Readonly<Record<string, { readonly put: string; readonly take: string }>> = {
  queue: { put: "enqueue", take: "dequeue" },
  stack: { put: "push", take: "pop" }
}

/**
 * Calls and returns of a queue or a stack, as `[3] call add(7)` and `[3] return`, under a comment that names the object:
 * `# @object atomic-queue`. Who called is not told, so that each operation is a process of its own.
 */
export const readViolin = (source: Source): Reading => {
  const pairing = new Pairing(source.file)
  const functions = new Set<string>()
  const ids = new Set<string>()
  const object = objectPattern.exec(source.text)?.[1]
  for (const line of lines(source.text)) {
    const { number } = line
    const text = line.text.split("#", 1)[0]!.trim()
    if (text === "") continue
    const [, caller, name, given = ""] = callPattern.exec(text) ?? []
    if (caller !== undefined && name !== undefined) {
      if (ids.has(caller)) throw pairing.malformed(`[${caller}] is called twice: each call has its own number.`, number)
      ids.add(caller)
      const f = canonical(object, name)
      functions.add(f)
      pairing.invoke(caller, f, undefined, values(given), number)
      continue
    }
    const [, returner, result = ""] = returnPattern.exec(text) ?? []
    if (returner === undefined) throw malformedLine(source, line, `"[1] call add(3)", "[1] return" or "[1] return 3"`)
    const f = pairing.current(returner)?.f ?? "return"
    const missing = (): MalformedInput => malformedLine(source, line, `what ${f} returned: a value, or "empty"`)
    if (isTake(f) && result === "") throw missing()
    pairing.complete(returner, "ok", f, result === "empty" ? null : values(result), number)
  }
  const specification = implied(object, functions)
  return {
    _tag: "Operations",
    format: "violin",
    history: pairing.finish(),
    ...(specification !== undefined && { specification })
  }
}

const implied = (object: string | undefined, functions: ReadonlySet<string>): Implied | undefined =>
  object === undefined ? impliedBy(functions) : { name: object }

const canonical = (object: string | undefined, name: string): string => {
  const names = objects[object ?? ""]
  if (names === undefined) return name
  if (puts.includes(name)) return names.put
  return takes.includes(name) ? names.take : name
}

const isTake = (f: string): boolean => f === "dequeue" || f === "pop"

/** Nothing, one value, or several as an array. */
const values = (given: string): Value => {
  const words = given.split(",").map((word) => word.trim())
  if (words.length > 1) return words.map(scalar)
  return words[0] === "" ? null : scalar(words[0]!)
}
