/** The parser against a writer of its own, and against noise. */
import { describe, expect, it } from "vitest"
import { Parser } from "../src/resp/Parser.ts"
import { command } from "./harness.ts"

const limits = { maxWordBytes: 4096, maxCommandBytes: 16_384, maxWords: 64 }

/** Park and Miller's generator. */
const random = (seed: number): ((below: number) => number) => {
  let state = seed * 48_271 + 1
  return (below) => {
    state = (state * 48_271) % 2_147_483_647
    return Math.floor((state / 2_147_483_647) * below)
  }
}

const word = (draw: (below: number) => number): string =>
  Array.from({ length: draw(8) === 0 ? draw(2000) : draw(12) }, () => String.fromCharCode(draw(256))).join("")

/** In pieces of any size. */
const feed = (parser: Parser, bytes: Buffer, draw: (below: number) => number): Array<Array<string>> => {
  const commands: Array<Array<string>> = []
  for (let at = 0; at < bytes.length;) {
    const size = 1 + (draw(3) === 0 ? 0 : draw(64))
    const piece = Buffer.from(bytes.subarray(at, at + size))
    parser.push(piece, (words) => commands.push(words))
    // The bytes are the caller's again.
    piece.fill(0)
    at += size
  }
  return commands
}

describe("the parser", () => {
  it("gets every command out of any pieces, bytes as they were: 200 seeds", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const draw = random(seed)
      const commands = Array.from({ length: 1 + draw(20) }, () => Array.from({ length: 1 + draw(5) }, () => word(draw)))
      const parser = new Parser(limits)
      const bytes = Buffer.from(commands.map((words) => command(...words)).join(""), "latin1")
      expect([seed, feed(parser, bytes, draw), parser.error]).toEqual([seed, commands, undefined])
      expect(parser.pendingBytes).toBe(0)
    }
  })

  it("says the same of damaged input whatever its pieces, and holds no more than its bounds: 500 seeds", () => {
    let errors = 0
    for (let seed = 1; seed <= 500; seed++) {
      const draw = random(seed)
      const commands = Array.from({ length: 1 + draw(6) }, () => Array.from({ length: 1 + draw(4) }, () => word(draw)))
      const bytes = Buffer.from(commands.map((words) => command(...words)).join(""), "latin1")
      for (let i = 0; i <= draw(4); i++)
        bytes[draw(bytes.length)] = draw(2) === 0 ? draw(256) : "*$:-\r\n0919"[draw(10)]!.charCodeAt(0)
      const inPieces = new Parser(limits)
      const atOnce = new Parser(limits)
      const understood: Array<Array<string>> = []
      atOnce.push(Buffer.from(bytes), (words) => understood.push(words))
      expect([seed, feed(inPieces, bytes, draw), inPieces.error]).toEqual([seed, understood, atOnce.error])
      expect(inPieces.pendingBytes).toBeLessThan(limits.maxCommandBytes + 65_536 + 64)
      if (atOnce.error !== undefined) errors++
    }
    expect(errors).toBeGreaterThan(100)
  })

  it("understands lines as somebody types them", () => {
    const said = (line: string): ReadonlyArray<ReadonlyArray<string>> => {
      const commands: Array<Array<string>> = []
      new Parser(limits).push(Buffer.from(line, "latin1"), (words) => commands.push(words))
      return commands
    }
    expect(said("PING\r\n")).toEqual([["PING"]])
    expect(said("  SET  a\tb \n\r\n\nGET a\n")).toEqual([
      ["SET", "a", "b"],
      ["GET", "a"]
    ])
    expect(said('SET "a b" \'c"d\\\'\' "\\x00\\n\\q" ""\n')).toEqual([["SET", "a b", "c\"d'", "\u0000\nq", ""]])
    expect(said("*0\r\n*-1\r\nPING\r\n")).toEqual([["PING"]])
  })
})
