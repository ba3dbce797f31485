import { kind } from "./Events.ts"
import { type Line, malformed, type Source } from "./Source.ts"

/** The JSON of a line. Throws MalformedInput. */
export const parseLine = (source: Source, line: Line): unknown => {
  try {
    return JSON.parse(line.text)
  } catch (error) {
    const [, position] = /at position (\d+)/.exec((error as SyntaxError).message) ?? []
    const at = Math.min(position === undefined ? line.text.length : Number(position), line.text.length)
    const found = at === line.text.length ? "the end of the line" : kind(line.text.slice(at, at + 30))
    throw malformed(source, line.number, line.column + at, found, "JSON, an object a line")
  }
}
