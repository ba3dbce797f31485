/**
 * Commands out of the bytes of a Redis client, in whatever pieces they arrive. A command is an array of bulk strings, or a
 * line of words ("inline"), as somebody types it.
 *
 * Each byte is looked at once: a value that arrives in many pieces is not searched anew. What was understood is never
 * taken back; after an error nothing more is.
 */
import { splitWords } from "./inline.ts"

export interface Limits {
  /** Of one word, in bytes. */
  maxWordBytes: number
  /** Of all words of a command. */
  maxCommandBytes: number
  /** Of words of a command. */
  maxWords: number
}

/** Of a line: of a count, a length, or words in a line. As Redis has it. */
const maxLineBytes = 64 * 1024

/** What the words after a command cost beside their bytes. */
const wordOverheadBytes = 16

const nothing = Buffer.alloc(0)

const star = 0x2a
const dollar = 0x24
const cr = 0x0d
const lf = 0x0a

export class Parser {
  /** They may change between two commands: who has not said the password is allowed less. */
  limits: Limits
  /** Set once: the rest of what arrives means nothing. */
  error: string | undefined
  /** What has arrived and was not understood yet is `buffer` from `at` to `end`. */
  private buffer: Buffer = nothing
  /** `buffer`, if it is not a caller's. */
  private owned: Buffer | undefined
  private at = 0
  private end = 0
  /** How far it was searched for the end of a line. */
  private searched = 0
  /** The command that is being read, and how many words it lacks: 0 between commands. */
  private words: Array<string> = []
  private lacking = 0
  private commandBytes = 0
  /** Of the word that is being read; -1 when its length is yet to come. */
  private length = -1

  constructor(limits: Limits) {
    this.limits = limits
  }

  /** How much is held of what is no whole command yet. */
  get pendingBytes(): number {
    return this.end - this.at + this.commandBytes
  }

  /** The bytes are the caller's again when it returns. */
  push(chunk: Uint8Array, onCommand: (words: Array<string>) => void): void {
    if (this.error !== undefined) return
    this.add(chunk)
    while (this.error === undefined && this.step(onCommand));
    this.keep()
  }

  private add(chunk: Uint8Array): void {
    if (this.at === this.end) {
      this.buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
      this.at = this.searched = 0
      this.end = chunk.length
      return
    }
    // Only here what is held is a copy of its own, with room behind.
    if (this.end + chunk.length > this.buffer.length) this.move(this.end - this.at + chunk.length)
    this.buffer.set(chunk, this.end)
    this.end += chunk.length
  }

  private move(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(1024, needed * 2))
    this.buffer.copy(grown, 0, this.at, this.end)
    this.searched -= this.at
    this.end -= this.at
    this.at = 0
    this.buffer = grown
    this.owned = grown
  }

  /** What is left over is copied out of the caller's bytes. */
  private keep(): void {
    if (this.error !== undefined || this.at === this.end) {
      this.buffer = nothing
      this.owned = undefined
      this.at = this.end = this.searched = 0
    } else if (this.owned !== this.buffer) this.move(this.end - this.at)
  }

  /** Understands one more piece; false when more bytes are needed for it. */
  private step(onCommand: (words: Array<string>) => void): boolean {
    if (this.length >= 0) return this.word(onCommand)
    if (this.at === this.end) return false
    const first = this.buffer[this.at]!
    if (this.lacking > 0) {
      if (first !== dollar) return this.fail(`expected '$', got '${printable(first)}'`)
      return this.wordLength()
    }
    return first === star ? this.count() : this.inline(onCommand)
  }

  private count(): boolean {
    const line = this.line("too big mbulk count string")
    if (line < 0) return false
    const count = this.number(this.at + 1, line)
    if (count === undefined || count > this.limits.maxWords) return this.fail("invalid multibulk length")
    this.at = line + 2
    this.lacking = Math.max(0, count)
    return true
  }

  private wordLength(): boolean {
    const line = this.line("too big bulk count string")
    if (line < 0) return false
    const length = this.number(this.at + 1, line)
    if (length === undefined || length < 0 || length > this.limits.maxWordBytes) return this.fail("invalid bulk length")
    this.commandBytes += length + wordOverheadBytes
    if (this.commandBytes > this.limits.maxCommandBytes) return this.fail("too big command")
    this.at = line + 2
    this.length = length
    return true
  }

  private word(onCommand: (words: Array<string>) => void): boolean {
    const { at, buffer, length } = this
    const stop = at + length
    if (this.end < stop + 2) return false
    if (buffer[stop] !== cr || buffer[stop + 1] !== lf)
      return this.fail("expected the end of a line after a bulk string")
    this.words.push(buffer.toString("latin1", at, stop))
    this.at = this.searched = stop + 2
    this.length = -1
    if (--this.lacking === 0) {
      const { words } = this
      this.words = []
      this.commandBytes = 0
      onCommand(words)
    }
    return true
  }

  private inline(onCommand: (words: Array<string>) => void): boolean {
    const stop = this.lineFeed("too big inline request")
    if (stop < 0) return false
    const text = this.buffer.toString(
      "latin1",
      this.at,
      this.buffer[stop - 1] === cr && stop > this.at ? stop - 1 : stop
    )
    this.at = this.searched = stop + 1
    const words = splitWords(text)
    if (words === undefined) return this.fail("unbalanced quotes in request")
    const { maxWordBytes, maxWords } = this.limits
    if (words.length > maxWords || words.some((word) => word.length > maxWordBytes)) {
      return this.fail("too big inline request")
    }
    if (words.length > 0) onCommand(words)
    return true
  }

  /** Where the line ends that begins at `at`, before its CR LF; -1 while that is not there. */
  private line(tooLong: string): number {
    const stop = this.lineFeed(tooLong)
    if (stop < 0) return -1
    if (this.buffer[stop - 1] === cr) return stop - 1
    this.fail("expected CR before LF")
    return -1
  }

  private lineFeed(tooLong: string): number {
    const { buffer, end } = this
    let i = Math.max(this.searched, this.at)
    while (i < end && buffer[i] !== lf) i++
    this.searched = i
    if (i - this.at > maxLineBytes) {
      this.fail(tooLong)
      return -1
    }
    return i < end ? i : -1
  }

  /** A whole number of up to 10 digits. */
  private number(from: number, to: number): number | undefined {
    const { buffer } = this
    const negative = buffer[from] === 0x2d
    const first = negative ? from + 1 : from
    if (first === to || to - first > 10) return undefined
    let value = 0
    for (let i = first; i < to; i++) {
      const digit = buffer[i]! - 0x30
      if (digit < 0 || digit > 9) return undefined
      value = value * 10 + digit
    }
    return negative ? -value : value
  }

  private fail(reason: string): false {
    this.error = `Protocol error: ${reason}`
    this.words = []
    this.commandBytes = 0
    return false
  }
}

const printable = (byte: number): string => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "?")
