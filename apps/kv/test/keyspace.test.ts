/** The machine against its dump, and patterns against expressions. */
import { Trie } from "@troupe/replication"
import { describe, expect, it } from "vitest"
import type * as Facts from "../src/Facts.ts"
import * as Glob from "../src/Glob.ts"
import { machine, type Step } from "../src/KeyspaceMachine.ts"
import * as Reply from "../src/Reply.ts"

let draws = 0
const chance = (): number => (draws++ * 0.618) % 1

const run = (state: Facts.State, steps: ReadonlyArray<Step>, now = 1_000) => {
  const { response, updates } = machine.execute(state, { steps }, { now, random: chance })
  const next = updates.reduce(machine.apply, state)
  expect(machine.applyAll!(state, updates)).toEqual(next)
  return { response, updates, state: next }
}

const words = (line: string): Step => ({ _tag: "Run", words: line.split(" ") })

describe("the machine", () => {
  it("sees in each step what the steps before it did", () => {
    const { response, updates } = run(machine.init, [
      words("SET a 1"),
      words("INCR a"),
      words("DBSIZE"),
      words("DEL a"),
      words("GET a")
    ])
    expect(response.map((reply) => reply._tag)).toEqual(["Simple", "Integer", "Integer", "Integer", "Null"])
    expect(updates.map(({ _tag }) => _tag)).toEqual(["Put", "Put", "Remove"])
  })

  it("decides at one place when a key expires: the fact is an instant, and a copy with another clock has the same", () => {
    const { state, updates } = run(machine.init, [words("SET a 1 PX 50"), words("EXPIRE a 7")], 1_000)
    expect(updates.at(-1)).toMatchObject({ expires: 8_000 })
    expect(run(state, [words("GET a")], 7_999).response).toEqual([{ _tag: "Bulk", bytes: "1" }])
    expect(run(state, [words("GET a")], 8_000).response).toEqual([{ _tag: "Null" }])
    expect(machine.housekeeping!.due(state, { now: 7_999, random: () => 0 })).toEqual([])
    const due = machine.housekeeping!.due(state, { now: 8_000, random: () => 0 })
    expect(due).toEqual([{ _tag: "Expired", keys: ["a"], locks: [], by: 8_000 }])
    expect(due.reduce(machine.apply, state).entries.size).toBe(0)
    // Set anew while the fact was under way, it stays; and it is not due again.
    const anew = run(state, [words("SET a 2")], 8_000).state
    expect(due.reduce(machine.apply, anew).entries.size).toBe(1)
    expect(machine.housekeeping!.due(anew, { now: 9_000, random: () => 0 })).toEqual([])
  })

  it("dumps all that the next requests can see", () => {
    const { state } = run(machine.init, [
      words("MSET a 1 b 2"),
      words("SET c 3 PX 5"),
      words("LOCK.ACQUIRE l 100"),
      words("DEL a")
    ])
    const copy = [...machine.dump(state)].reduce(machine.apply, machine.init)
    const { locks, ...rest } = state
    const { locks: copied, ...others } = copy
    expect(others).toEqual(rest)
    expect([...Trie.from(copied)].map(({ key, value }) => [key, value])).toEqual([["l", "1"]])
    expect(locks.size).toBe(1)
  })

  it("gives growing fencing tokens, whatever is flushed, released or expired", () => {
    let state: Facts.State = machine.init
    for (let token = 1; token <= 5; token++) {
      const next = run(state, [words("FLUSHDB"), words("LOCK.ACQUIRE l 10"), words("LOCK.ACQUIRE l 10")], token * 10)
      expect(next.response.slice(1)).toEqual([{ _tag: "Integer", value: token }, { _tag: "Null" }])
      state = next.state
    }
  })

  it("takes no transaction whose keys have changed, though their values are the same again", () => {
    const { state } = run(machine.init, [words("SET a 1")])
    const { response } = run(state, [{ _tag: "Watch", keys: ["a", "b"] }])
    const { version } = Trie.get(state.entries, "a")!
    expect(response).toEqual([Reply.multiple([Reply.integer(version), Reply.zero])])
    const again = run(state, [words("DEL a"), words("SET a 1")]).state
    const step: Step = { _tag: "Transaction", watched: [{ key: "a", version }], commands: [["SET", "b", "2"]] }
    expect(run(state, [step]).updates.length).toBe(1)
    expect(run(again, [step])).toMatchObject({ response: [{ _tag: "NullArray" }], updates: [] })
  })
})

describe("patterns", () => {
  const cases: ReadonlyArray<readonly [string, string, boolean]> = [
    ["*", "", true],
    ["h?llo", "hello", true],
    ["h?llo", "hllo", false],
    ["h[ae]llo", "hallo", true],
    ["h[^e]llo", "hello", false],
    ["h[a-c]llo", "hbllo", true],
    ["a\\*", "a*", true],
    ["a\\*", "ab", false],
    ["*:*:end", "a:b:c:end", true],
    ["[", "a", false]
  ]
  for (const [pattern, text, holds] of cases) {
    it(`${pattern} ${holds ? "takes" : "does not take"} "${text}"`, () =>
      expect(Glob.matches(pattern, text)).toBe(holds))
  }

  it("take their time within the product of the lengths", () => {
    expect(Glob.matches(`${"*a".repeat(200)}b`, "a".repeat(5_000))).toBe(false)
  })
})
