/** The terminal that a command writes to: what it can do, and how. */
import { Effect } from "effect"
import { TerminalCapabilities } from "effect/cli"

export interface Screen {
  readonly width: number
  readonly height: number
  /** Whether lines that are written can be written over. */
  readonly canRedraw: boolean
  readonly style: Style
}

/** Each gives the text back as it is where there is no colour. */
export interface Style {
  readonly bold: Paint
  readonly dim: Paint
  readonly red: Paint
  readonly green: Paint
  readonly yellow: Paint
}

type Paint = (text: string) => string

export const screen: Effect.Effect<Screen> = Effect.gen(function* () {
  const { canAnimate, canColor } = yield* TerminalCapabilities.TerminalCapabilities
  return {
    width: process.stdout.columns ?? 100,
    height: process.stdout.rows ?? 24,
    canRedraw: canAnimate,
    style: styleOf(canColor)
  }
})

export const styleOf = (canColor: boolean): Style => {
  const paint =
    (code: number): Paint =>
    (text) =>
      canColor ? `\u001b[${code}m${text}\u001b[0m` : text
  return { bold: paint(1), dim: paint(2), red: paint(31), green: paint(32), yellow: paint(33) }
}

/** Done once it is written: what a pipe has not taken is lost when the process ends. */
export const print = (lines: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    process.stdout.write(lines.map((line) => `${line}\n`).join(""), () => resume(Effect.void))
  })

/** Lines at the bottom of a terminal, each drawing of which takes the place of the one before. */
export class Drawing {
  private drawn = 0
  private readonly out: NodeJS.WriteStream

  constructor(out: NodeJS.WriteStream) {
    this.out = out
  }

  draw(lines: ReadonlyArray<string>): void {
    const up = this.drawn > 0 ? `\u001b[${this.drawn}A` : begin
    this.out.write(`${up}${lines.map((line) => `\r${line}\u001b[K\n`).join("")}\u001b[J`)
    this.drawn = lines.length
  }

  /** What comes next is written below, or, once `erase` has been asked for, in its place. */
  end(erase = false): void {
    if (this.drawn === 0) return
    this.out.write(`${erase ? `\u001b[${this.drawn}A\r\u001b[J` : ""}${restore}`)
    this.drawn = 0
  }
}

/** A line that is too long is cut off then: in two, it would be one more to write over. */
const begin = "\u001b[?25l\u001b[?7l"
const restore = "\u001b[?7h\u001b[?25h"

/** Draws ten times a second until `effect` has ended, and once more then. */
export const whileDrawing = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  out: NodeJS.WriteStream,
  lines: () => ReadonlyArray<string>,
  options: { readonly erase?: boolean } = {}
): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => new Drawing(out)),
    (drawing) => {
      const draw = Effect.sync(() => drawing.draw(lines()))
      const drawingOn = Effect.forever(Effect.andThen(draw, Effect.sleep("100 millis")))
      return Effect.raceFirst(effect, drawingOn).pipe(Effect.tap(draw))
    },
    (drawing) => Effect.sync(() => drawing.end(options.erase))
  )

/** Breaks a text into lines of at most `width` characters. */
export const wrap = (text: string, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of text.split(" ")) {
    const line = lines.at(-1)
    if (line === undefined || line.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return lines
}

/** What somebody else has written, on one line: what would move the cursor, or turn the direction of writing, is a dot. */
export const plain = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "·")

const wide =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60]/u
const mark = /\p{M}/u

/** Of a terminal. */
export const columnsOf = (text: string): number => {
  if (/^[ -~]*$/.test(text)) return text.length
  let columns = 0
  for (const letter of text) columns += mark.test(letter) ? 0 : wide.test(letter) ? 2 : 1
  return columns
}

export const cut = (text: string, width: number): string => {
  if (columnsOf(text) <= width) return text
  let kept = ""
  let columns = 1
  for (const letter of text) {
    columns += columnsOf(letter)
    if (columns > width) break
    kept += letter
  }
  return `${kept}…`
}

/** Cut, or filled with spaces. */
export const fit = (text: string, width: number): string => {
  const shown = cut(text, width)
  return shown + " ".repeat(Math.max(0, width - columnsOf(shown)))
}

/** `1,234`. */
export const number = (value: number): string => value.toLocaleString("en-US", { maximumFractionDigits: 2 })

/** `one entry`, `5 entries`. */
export const count = (value: number, word: string): string => `${number(value)} ${value === 1 ? word : plural(word)}`

const plural = (word: string): string => (/[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : `${word}s`)

/** A bar of `width` characters, `part` of which is filled; none where there is no room. */
export const bar = (part: number, room: number): string => {
  const width = Math.max(0, room)
  const filled = Math.round(Math.min(1, Math.max(0, part)) * width)
  return "█".repeat(filled) + "░".repeat(width - filled)
}
