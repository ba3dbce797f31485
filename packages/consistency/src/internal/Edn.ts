/**
 * EDN, the data notation of Clojure, as far as it is data: what is read becomes JSON. Keywords and symbols become their
 * names, sets sorted arrays, keys of maps texts, and numbers that JavaScript cannot hold their digits; tags and metadata
 * are left out.
 *
 * @see https://github.com/edn-format/edn
 */
import type { Value } from "../History.ts"
import type { MalformedInput } from "./MalformedInput.ts"
import { kind } from "./Events.ts"
import { malformed, type Source } from "./Source.ts"

/** How deep vectors, lists, maps and sets may be nested: reading one calls itself for what is inside. */
const depthLimit = 200

const end = -1
const quote = 34 // "
const hash = 35
const openList = 40
const closeList = 41
const plus = 43
const comma = 44
const minus = 45
const zero = 48
const nine = 57
const colon = 58
const semicolon = 59
const openVector = 91
const backslash = 92
const closeVector = 93
const caret = 94
const underscore = 95
export const openMap = 123
const closeMap = 125

const isBlank = (code: number): boolean => code === 32 || code === comma || (code >= 9 && code <= 13)

/** What ends a word. */
const isDelimiter = (code: number): boolean =>
  isBlank(code) ||
  code === quote ||
  code === semicolon ||
  code === openList ||
  code === closeList ||
  code === openVector ||
  code === closeVector ||
  code === openMap ||
  code === closeMap

const closings: Readonly<Record<number, number>> = {
  [openList]: closeList,
  [openVector]: closeVector,
  [openMap]: closeMap
}

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", '"': '"', "\\": "\\" }

const characters: Readonly<Record<string, string>> = { newline: "\n", space: " ", tab: "\t", return: "\r" }

/** Stands in a text and reads what comes next. Its methods throw MalformedInput. */
export class Edn {
  /** Of the next character. */
  position = 0
  private readonly source: Source
  private readonly text: string
  private depth = 0
  /** Lines are counted as far as somebody asked. */
  private counted = 0
  private line = 1

  constructor(source: Source) {
    this.source = source
    this.text = source.text
  }

  /** The code of the next character that counts, -1 at the end. Skips blanks, comments, metadata and what `#_` hides. */
  peek(): number {
    const { text } = this
    for (;;) {
      const code = this.position < text.length ? text.charCodeAt(this.position) : end
      if (isBlank(code)) this.position++
      else if (code === semicolon) this.position = this.endOfLine()
      else if (code === hash && text.charCodeAt(this.position + 1) === underscore) this.hidden(2)
      else if (code === caret) this.hidden(1)
      else return code
    }
  }

  /** The line of a position, from 1. Positions are asked for in ascending order. */
  lineOf(position: number): number {
    for (;;) {
      const found = this.text.indexOf("\n", this.counted)
      if (found < 0 || found >= position) return this.line
      this.counted = found + 1
      this.line++
    }
  }

  /** Enters a list, vector or map, if one is next, and says by which character it ends. */
  open(): number | undefined {
    const closing = closings[this.peek()]
    if (closing !== undefined) this.position++
    return closing
  }

  /** Leaves it again, if its end is next. `opened` is where it began. */
  close(closing: number, opened: number): boolean {
    const code = this.peek()
    if (code === closing) {
      this.position++
      return true
    }
    if (code === end || code === closeList || code === closeVector || code === closeMap) {
      const [line, column] = this.place(opened)
      const begun = `"${this.text[opened]}" of line ${line}, column ${column}`
      throw this.unexpected(`"${String.fromCharCode(closing)}", which closes ${begun}`)
    }
    return false
  }

  /** Skips tags: `#jepsen.history.Op {...}` is the map. */
  skipTags(): void {
    for (;;) {
      if (this.peek() !== hash) return
      const next = this.text.charCodeAt(this.position + 1)
      if (next === openMap || next === hash) return
      const tagged = this.position
      this.position++
      this.word()
      if (this.position === tagged + 1) throw this.unexpected(`a tag after "#"`)
    }
  }

  keywordIsNext(): boolean {
    return this.peek() === colon
  }

  /** The name of the keyword that is next; `undefined` when something else is. */
  keyword(): string | undefined {
    if (this.peek() !== colon) return undefined
    this.position++
    const name = this.word()
    if (name === "") throw this.unexpected(`a keyword's name after ":"`)
    return name
  }

  value(): Value {
    this.skipTags()
    const code = this.peek()
    if (code === quote) return this.string()
    if (code === colon) return this.keyword()!
    if (code === openList || code === openVector) return this.sequence(1)
    if (code === openMap) return this.map()
    if (code === hash) return this.text.charCodeAt(this.position + 1) === hash ? this.symbolic() : this.set()
    if (code === backslash) return this.character()
    if (code === end || isDelimiter(code)) throw this.unexpected("a value")
    return this.scalar()
  }

  /** What is next is not `expected`. */
  unexpected(expected: string): MalformedInput {
    const code = this.peek()
    const start = this.position
    if (code === end) return this.malformed(start, "the end of the text", expected)
    if (isDelimiter(code)) return this.malformed(start, `"${this.text[start]}"`, expected)
    this.position++
    this.word()
    return this.malformed(start, kind(this.text.slice(start, this.position)), expected)
  }

  malformed(position: number, found: string, expected: string): MalformedInput {
    const [line, column] = this.place(position)
    return malformed(this.source, line, column, found, expected)
  }

  private place(position: number): readonly [line: number, column: number] {
    const before = this.text.slice(0, position)
    return [before.split("\n").length, position - before.lastIndexOf("\n")]
  }

  private endOfLine(): number {
    const found = this.text.indexOf("\n", this.position)
    return found < 0 ? this.text.length : found
  }

  private hidden(skip: number): void {
    const start = this.position
    this.enter(start)
    this.position += skip
    this.value()
    this.depth--
  }

  private enter(position: number): void {
    if (++this.depth > depthLimit) {
      throw this.malformed(position, `something nested more than ${depthLimit} deep`, "a history")
    }
  }

  /** Up to the next delimiter; empty where one is next. */
  private word(): string {
    const { text } = this
    const start = this.position
    let at = start
    while (at < text.length && !isDelimiter(text.charCodeAt(at))) at++
    this.position = at
    return text.slice(start, at)
  }

  private set(): Value {
    return this.sequence(2).sort(compare)
  }

  /** `##NaN`, `##Inf` */
  private symbolic(): string {
    this.position += 2
    return this.word()
  }

  private sequence(opening: number): Array<Value> {
    const opened = this.position + opening - 1
    const closing = closings[this.text.charCodeAt(opened)]!
    this.enter(opened)
    this.position = opened + 1
    const values: Array<Value> = []
    while (!this.close(closing, opened)) values.push(this.value())
    this.depth--
    return values
  }

  private map(): Value {
    const opened = this.position
    const entries = this.sequence(1)
    if (entries.length % 2 === 1) {
      throw this.malformed(opened, "a map whose last key has no value", "a value for each key")
    }
    const map: Array<[string, Value]> = []
    for (let i = 0; i < entries.length; i += 2) {
      const key = entries[i]!
      map.push([typeof key === "string" ? key : JSON.stringify(key), entries[i + 1]!])
    }
    return Object.fromEntries(map)
  }

  private string(): string {
    const { text } = this
    const start = this.position
    const quoted = text.slice(start + 1, text.indexOf('"', start + 1))
    if (!quoted.includes("\\") && text.charCodeAt(start + 1 + quoted.length) === quote) {
      this.position = start + quoted.length + 2
      return quoted
    }
    let at = start + 1
    let pieces = ""
    for (;;) {
      const next = text.charCodeAt(at)
      if (at >= text.length) throw this.malformed(start, `a string without an end`, `'"' after it`)
      if (next === quote) break
      if (next !== backslash) {
        at++
        continue
      }
      const [escaped, length] = this.escape(at)
      pieces += text.slice(this.position + 1, at) + escaped
      at += length
      this.position = at - 1
    }
    const rest = text.slice(this.position + 1, at)
    this.position = at + 1
    return pieces === "" ? rest : pieces + rest
  }

  private escape(at: number): readonly [escaped: string, length: number] {
    const letter = this.text[at + 1] ?? ""
    const escaped = escapes[letter]
    if (escaped !== undefined) return [escaped, 2]
    const digits = this.text.slice(at + 2, at + 6)
    if (letter === "u" && /^[\da-f]{4}$/i.test(digits)) return [String.fromCharCode(parseInt(digits, 16)), 6]
    throw this.malformed(at, `"\\${letter}" in a string`, String.raw`\n, \t, \r, \b, \f, \", \\ or \uXXXX`)
  }

  /** `\a`, `\newline`, `\u0041` */
  private character(): string {
    const start = this.position
    this.position += 2
    const name = this.text.slice(start + 1, this.position) + this.word()
    if (name === "") throw this.malformed(start, `"\\" at the end of the text`, "a character")
    if (/^u[\da-f]{4}$/i.test(name)) return String.fromCharCode(parseInt(name.slice(1), 16))
    return characters[name] ?? name
  }

  /** A number, a constant or a symbol. */
  private scalar(): Value {
    const { text } = this
    const start = this.position
    let at = start
    const first = text.charCodeAt(at)
    if (first === minus || first === plus) at++
    const digits = at
    let number = 0
    for (let code = text.charCodeAt(at); code >= zero && code <= nine; code = text.charCodeAt(++at)) {
      number = number * 10 + code - zero
    }
    if (at > digits && at - digits <= 15 && (at === text.length || isDelimiter(text.charCodeAt(at)))) {
      this.position = at
      return first === minus && number > 0 ? -number : number
    }
    const word = this.word()
    if (word === "nil") return null
    if (word === "true") return true
    if (word === "false") return false
    return /^[+-]?\d/.test(word) ? this.number(start, word) : word
  }

  /** Long integers, `12N`, `1.5M`, `-2.5e3`, `3/4`. */
  private number(start: number, word: string): Value {
    const [, digits, suffix] = /^([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)([NM]?)$/.exec(word) ?? []
    if (digits !== undefined) {
      const number = Number(digits)
      const exact = /^[+-]?\d+$/.test(digits) ? Number.isSafeInteger(number) : Number.isFinite(number)
      return exact ? number : digits
    }
    if (suffix === undefined && /^[+-]?\d+\/\d+$/.test(word)) return word
    throw this.malformed(start, kind(word), "a number")
  }
}

const compare = (a: Value, b: Value): number => {
  if (typeof a === "number" && typeof b === "number") return a - b
  const [left, right] = [JSON.stringify(a), JSON.stringify(b)]
  return left < right ? -1 : left > right ? 1 : 0
}
