/** What is said of what clients saw. */
import { Effect } from "effect"
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { judge as judgeHistory, readingsOf } from "../src/Histories.ts"
import { parse, Refusal } from "../src/torture/Connection.ts"
import { figuresOf } from "../src/torture/Figures.ts"
import { judge, type Judgement } from "../src/torture/Judge.ts"
import { type Call, type Outcome as Ended, Recorder, type Sample } from "../src/torture/Recorder.ts"
import { htmlOf } from "../src/torture/Report.ts"
import { claimsOf, verdictOf } from "../src/torture/Summary.ts"
import type { Outcome } from "../src/torture/Torture.ts"

const directory = mkdtempSync(join(tmpdir(), "torture-judge-"))
afterAll(() => rmSync(directory, { recursive: true }))

const ok = (value?: string | number | boolean | null): Ended => ({
  type: "ok",
  ...(value === undefined ? {} : { value })
})
const inDoubt: Ended = { type: "info", why: "INDOUBT" }
const refused: Ended = { type: "fail", why: "CLUSTERDOWN" }

const write = (input: number): Call => ({ service: "registers", f: "write", key: "r0-0", input })
const cas = (expected: number, next: number): Call => ({
  service: "registers",
  f: "cas",
  key: "r0-0",
  input: [expected, next]
})
const read: Call = { service: "registers", f: "read", key: "r0-0" }
const add = (input: number): Call => ({ service: "counters", f: "fetch-and-add", key: "c0-0", input })
const count: Call = { service: "counters", f: "read", key: "c0-0" }
const append = (input: string): Call => ({ service: "texts", f: "append", key: "t0-0", input })
const get: Call = { service: "texts", f: "get", key: "t0-0" }

const recorderIn = (name: string): Recorder => {
  const own = join(directory, name)
  mkdirSync(own, { recursive: true })
  return new Recorder(own)
}

/** Calls one after another, each by a client of its own. */
const recorded = (calls: ReadonlyArray<readonly [Call, Ended]>, name = "any"): Recorder => {
  const recorder = recorderIn(name)
  for (const [index, [call, outcome]] of calls.entries()) recorder.invoke(index, call)(outcome)
  return recorder
}

const judged = (recorder: Recorder, budgetMillis = 10_000): Promise<Judgement> =>
  Effect.runPromise(judge(recorder.events, budgetMillis, () => {}))

const three = { nodes: 3, hasPrimary: true }

const outcome = (judgement: Judgement, more: Partial<Outcome> = {}): Outcome => ({
  options: {
    ...{ replication: "passive", nodes: 3, clients: 2, seed: 1, rate: 100, faults: [], budgetMillis: 1_000, directory },
    length: { _tag: "Time", millis: 1_000 }
  },
  millis: 1_000,
  figures: figuresOf([{ fromMillis: 1, toMillis: 2, type: "ok", isRead: false }], [], three, 1_000),
  ...{ inflicted: [], samples: [], judgement, problems: [], reasons: new Map(), isInterrupted: false },
  ...more
})

describe("what clients saw", () => {
  it("of a store that works is right: doubt explains either", async () => {
    const recorder = recorded([
      [write(1), ok()],
      [cas(1, 2), ok(true)],
      [cas(1, 3), ok(false)],
      [write(4), inDoubt],
      [read, ok(4)],
      [add(2), ok(0)],
      [add(3), inDoubt],
      [count, ok(2)],
      [append("a;"), ok()],
      [append("b;"), refused],
      [get, ok("a;")]
    ])
    expect(await judged(recorder)).toMatchObject({ keys: 3, violated: [], unknown: [], lost: [] })
  })

  it.each<readonly [name: string, calls: ReadonlyArray<readonly [Call, Ended]>]>([
    [
      "a read of an old value",
      [
        [write(1), ok()],
        [write(2), ok()],
        [read, ok(1)]
      ]
    ],
    [
      "a compare-and-set of another value",
      [
        [write(1), ok()],
        [cas(2, 3), ok(true)]
      ]
    ],
    [
      "a number that was given twice",
      [
        [add(1), ok(0)],
        [add(1), ok(0)]
      ]
    ],
    [
      "a write that was refused, and is there",
      [
        [write(1), refused],
        [read, ok(1)]
      ]
    ]
  ])("of %s is convicted", async (_, calls) => {
    const { lost, violated } = await judged(recorded(calls))
    expect(violated).toHaveLength(1)
    expect(lost).toEqual([])
  })

  it("is undecided when the budget is too small, which is no pass", async () => {
    const recorder = recorderIn("any")
    const ends = Array.from({ length: 22 }, (_, process) => recorder.invoke(process, write(process)))
    recorder.invoke(99, cas(98, 97))(ok(true))
    for (const end of ends) end(ok())
    const judgement = await judged(recorder, 1)
    expect(judgement).toMatchObject({ violated: [], unknown: [{ key: "r0-0" }] })
    expect(verdictOf(outcome(judgement))).toBe("unknown")
  })
})

describe("an acknowledged piece of a text", () => {
  it.each([
    [
      "that is not there is lost",
      [append("a;"), ok()],
      [append("b;"), ok()],
      [get, ok("b;")],
      "acknowledged, and is not there"
    ],
    [
      "that is there twice was executed again",
      [append("a;"), ok()],
      [get, ok("a;")],
      [get, ok("a;a;")],
      "is there 2 times"
    ],
    [
      "that was refused must not be there",
      [append("a;"), refused],
      [get, ok("")],
      [get, ok("a;")],
      "refused, and is there"
    ]
  ] as const)("%s", async (_, one, two, three, says) => {
    const { lost } = await judged(recorded([one, two, three]))
    expect(lost.map(({ reason }) => reason)).toEqual([expect.stringContaining(says)])
  })

  it("may be missing where a read began before its end", async () => {
    const recorder = recorderIn("any")
    const ended = recorder.invoke(1, append("a;"))
    const told = recorder.invoke(2, get)
    ended(ok())
    told(ok(""))
    expect((await judged(recorder)).lost).toEqual([])
  })
})

describe("a fencing token", () => {
  const acquire: Call = { service: "locks", f: "acquire", key: "l0-0" }

  it("that grows is right, and so is a lock that is held", async () => {
    const { keys, stale } = await judged(
      recorded([
        [acquire, ok(1)],
        [acquire, ok(null)],
        [acquire, ok(5)]
      ])
    )
    expect({ keys, stale }).toEqual({ keys: 0, stale: [] })
  })

  it.each([
    ["that falls is stale", 1, "token 1 was given after token 2"],
    ["that is given again is stale", 2, "token 2 was given after token 2"]
  ])("%s", async (_, token, reason) => {
    const judgement = await judged(
      recorded([
        [acquire, ok(2)],
        [acquire, ok(token)]
      ])
    )
    expect(judgement.stale).toEqual([{ key: "l0-0", reason }])
    expect(verdictOf(outcome(judgement))).toBe("violated")
  })

  it("may be smaller than one that is asked for at once, but not the same", async () => {
    const recorder = recorderIn("any")
    const ends = [1, 2, 3].map((process) => recorder.invoke(process, acquire))
    for (const [index, token] of [7, 6, 7].entries()) ends[index]!(ok(token))
    expect((await judged(recorder)).stale).toEqual([{ key: "l0-0", reason: "token 7 was given twice" }])
  })
})

describe("a verdict", () => {
  const fine: Judgement = { keys: 1, operations: 1, violated: [], unknown: [], lost: [], stale: [], millis: 1 }

  it("is well only where all was decided, and all nodes serve again", () => {
    expect(verdictOf(outcome(fine))).toBe("ok")
    expect(verdictOf(outcome(fine, { problems: ["n1 did not come back"] }))).toBe("violated")
    expect(verdictOf(outcome({ ...fine, lost: [{ key: "t", reason: "gone" }] }))).toBe("violated")
    expect(verdictOf(outcome(fine, { isInterrupted: true }))).toBe("unknown")
    expect(verdictOf(outcome(fine, { figures: figuresOf([], [], three, 1_000) }))).toBe("unknown")
  })

  it("is a page with a picture of what is at fault", async () => {
    const judgement = await judged(
      recorded([
        [write(1), ok()],
        [write(2), ok()],
        [read, ok(1)]
      ])
    )
    const page = htmlOf(outcome(judgement))
    expect(page).toContain("What is at fault")
    expect(page).toContain("data:image/svg+xml;base64,")
    expect(page).not.toMatch(/(src|href)="https?:/)
    expect(claimsOf(outcome(judgement))[0]).toMatchObject({ verdict: "violated" })
  })
})

describe("figures", () => {
  const sample = (fromMillis: number, toMillis: number, type: Sample["type"] = "ok", isRead = false): Sample => ({
    ...{ fromMillis, toMillis, type, isRead }
  })

  it("count a failover from a kill of the primary that left a majority to the first write that began after it and succeeded", () => {
    const samples = [sample(90, 150), sample(110, 300, "info"), sample(120, 130, "ok", true), sample(400, 420)]
    const fault = { what: "", nodes: ["n1"], fromMillis: 100, toMillis: 900 }
    const { failoverMillis } = figuresOf(
      samples,
      [
        { ...fault, kind: "kill", hitPrimary: true },
        { ...fault, kind: "kill", hitPrimary: false },
        { ...fault, kind: "kill", hitPrimary: true, nodes: ["n1", "n2"] },
        { ...fault, kind: "pause", hitPrimary: true }
      ],
      three,
      1_000
    )
    expect(failoverMillis).toEqual([320])
  })

  it("tell the longest time without a write, to the end", () => {
    expect(figuresOf([sample(0, 100), sample(150, 200)], [], three, 1_000).longestGap).toEqual({
      fromMillis: 200,
      millis: 800
    })
    expect(figuresOf([], [], three, 1_000).longestGap).toEqual({ fromMillis: 0, millis: 1_000 })
  })
})

describe("a recorded history", () => {
  it("is read by troupe verify, with the same verdict in both formats", async () => {
    const recorder = recorded(
      [
        [write(1), ok()],
        [cas(1, 2), ok(true)],
        [cas(1, 3), ok(false)],
        [read, ok(1)],
        [add(2), ok(0)],
        [count, ok(2)],
        [append("a;"), ok()],
        [get, ok("a;")]
      ],
      "verified"
    )
    await recorder.close()
    const question = { model: undefined, data: undefined, initial: undefined, format: undefined, budget: {} }
    const verdictsOf = (file: string): ReadonlyArray<string> => {
      const readings = readingsOf(readFileSync(join(directory, "verified", "history", file), "utf8"), file, question)
      if (readings._tag === "Failure") return [readings.failure.message]
      return readings.success.map((reading) => {
        const verdict = judgeHistory(reading, file, question)
        return verdict._tag === "Success" ? verdict.success._tag : verdict.failure.message
      })
    }
    for (const format of ["ndjson", "edn"]) {
      expect(verdictsOf(`registers.${format}`)).toEqual(["Violated"])
      expect(verdictsOf(`counters.${format}`)).toEqual(["Ok"])
      expect(verdictsOf(`texts.${format}`)).toEqual(["Ok"])
    }
  })
})

describe("a reply", () => {
  it("is read when all of it is there", () => {
    const whole = "*4\r\n$3\r\na\r\n\r\n:5\r\n$-1\r\n-INDOUBT why\r\n"
    expect(parse(whole, 0)).toEqual({ reply: ["a\r\n", 5, null, new Refusal("INDOUBT why")], end: whole.length })
    for (let length = 0; length < whole.length; length++) expect(parse(whole.slice(0, length), 0)).toBeUndefined()
  })
})
