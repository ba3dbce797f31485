import { kind } from "./Events.ts"
import { MalformedInput } from "./MalformedInput.ts"

/** A text that is read, and where errors in it are. */
export interface Source {
  readonly text: string
  readonly format: string
  readonly file: string | undefined
}

export const malformed = (
  { format, file }: Source,
  line: number,
  column: number,
  found: string,
  expected: string
): MalformedInput => new MalformedInput({ format, found, expected, line, column, ...(file !== undefined && { file }) })

/** The line, trimmed, is not what it should be. */
export const malformedLine = (source: Source, line: Line, expected: string): MalformedInput =>
  malformed(source, line.number, line.column, kind(line.text), expected)

export interface Line {
  /** Without blanks around it; never empty. */
  readonly text: string
  /** From 1. */
  readonly number: number
  /** Where `text` begins in its line, from 1. */
  readonly column: number
}

/** Lines that are not blank. */
export function* lines(text: string): Generator<Line> {
  let number = 1
  for (let start = 0; start < text.length; number++) {
    const newline = text.indexOf("\n", start)
    const end = newline < 0 ? text.length : newline
    const line = text.slice(start, end)
    const trimmed = line.trim()
    if (trimmed !== "") yield { text: trimmed, number, column: line.length - line.trimStart().length + 1 }
    start = end + 1
  }
}

/** A number where the word is one that can be held exactly; otherwise the word itself. */
export const scalar = (word: string): string | number => {
  if (!/^-?\d{1,16}$/.test(word)) return word
  const number = Number(word)
  return Number.isSafeInteger(number) ? number : word
}
