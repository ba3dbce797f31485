import { Reader } from "@troupe/consistency"
import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { samples } from "./support.ts"

/** Numbers in [0, 1) that follow from a seed (Marsaglia 2003, xorshift). */
const random = (seed: number) => {
  let state = seed * 2_654_435_761 + 1
  return (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

describe("damaged texts are read or refused with a typed error, never thrown at", () => {
  const pieces = [
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    '"',
    "\\",
    "#",
    "#_",
    "^",
    ":",
    ";",
    "\n",
    ",",
    "-",
    "=",
    "0",
    "nil",
    "\u0000",
    "é",
    '"u',
    "1e999"
  ]

  const damage = (text: string, next: () => number): string => {
    let damaged = text
    for (let edits = 1 + Math.floor(next() * 4); edits > 0; edits--) {
      const at = Math.floor(next() * (damaged.length + 1))
      const kind = Math.floor(next() * 4)
      const piece = pieces[Math.floor(next() * pieces.length)]!
      if (kind === 0) damaged = damaged.slice(0, at)
      else if (kind === 1) damaged = damaged.slice(0, at) + piece + damaged.slice(at)
      else if (kind === 2) damaged = damaged.slice(0, at) + damaged.slice(at + 1 + Math.floor(next() * 8))
      else damaged = damaged.slice(0, at) + piece + damaged.slice(at + 1)
    }
    return damaged
  }

  const errors = new Set(["UnknownFormat", "MalformedInput", "MalformedHistory"])

  it.each(Reader.formats)("%s", (format) => {
    const next = random(Reader.formats.indexOf(format) + 1)
    let refused = 0
    for (let i = 0; i < 1500; i++) {
      const text = damage(samples[format], next)
      for (const options of [{ format }, {}]) {
        const outcome = Reader.read(text, options)
        if (Result.isSuccess(outcome)) continue
        refused++
        const { _tag, message } = outcome.failure
        if (!errors.has(_tag) || message.length > 500) expect.fail(`${_tag} of ${text}: ${message}`)
      }
    }
    expect(refused).toBeGreaterThan(100)
  })

  it("what repeats without end is refused in time", () => {
    for (const piece of [...pieces, "r(", "[1] call ", "#a ", "w 1 ", '{"a":', "[1] call a(1,", "jepsen.util - "]) {
      const text = piece.repeat(50_000)
      for (const format of Reader.formats) {
        const outcome = Reader.read(text, { format })
        if (Result.isFailure(outcome)) expect(errors).toContain(outcome.failure._tag)
      }
      Reader.recognise(text)
    }
  }, 10_000)
})
