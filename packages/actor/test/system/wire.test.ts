/** What systems keep of each other's frames: texts that come again, and questions that are open. */
import { Reader, Writer } from "@troupe/transport"
import { Exit } from "effect"
import { describe, expect, it } from "vitest"
import { Open, RemoteQuestion } from "../../src/internal/system/Open.ts"
import type { RemoteRef } from "../../src/internal/system/RemoteRef.ts"
import { readText, writeText } from "../../src/internal/system/texts.ts"

const written = (texts: ReadonlyArray<string>): Reader => {
  const writer = new Writer(16)
  for (const text of texts) writeText(text, writer)
  return new Reader(writer.buffer, 0, writer.length)
}

describe("texts on their way", () => {
  it("are read as they were written, more of them than are kept, and again", () => {
    const odd = [
      "",
      "ä",
      "a\u0000b",
      "日本",
      "a".repeat(64),
      "a".repeat(65),
      "ä".repeat(64),
      "𝄞 at the end, after ascii 𝄞"
    ]
    const many = Array.from({ length: 5_000 }, (_, i) => `room-${i}/user-${i % 7}`)
    const texts = [...odd, ...many, ...odd, ...many]
    const reader = written(texts)
    expect(texts.map(() => readText(reader))).toEqual(texts)
    reader.finish()
  })

  it("that end too early are refused, known ones too", () => {
    readText(written(["a name"]))
    const { bytes, end } = written(["a name"])
    expect(() => readText(new Reader(bytes, 0, end - 1))).toThrow("the bytes end too early")
  })
})

describe("questions that are open", () => {
  const ask = (open: Open): RemoteQuestion => new RemoteQuestion({ _tag: "Sum" }, { path: "n2:a" } as RemoteRef, open)

  it("are found by their numbers until they are over, however many come and go meanwhile", () => {
    const open = new Open()
    const slow = Array.from({ length: 100 }, () => ask(open))
    const numbers = new Set(slow.map(({ id }) => id))
    for (let i = 0; i < 10_000; i++) {
      const question = ask(open)
      expect(numbers.has(question.id)).toBe(false)
      numbers.add(question.id)
      expect(open.get(question.id)).toBe(question)
      question.end(Exit.void)
      question.end(Exit.void)
      expect(open.get(question.id)).toBeUndefined()
    }
    expect(slow.every((question) => open.get(question.id) === question)).toBe(true)
    expect(open.size).toBe(100)
    expect(new Set(open.all())).toEqual(new Set(slow))
  })

  it("are not found by a number that none has", () => {
    const open = new Open()
    const { id } = ask(open)
    for (const other of [0, id + 64, id + 2 ** 32, 2 ** 53 - 1]) expect(open.get(other)).toBeUndefined()
  })
})
