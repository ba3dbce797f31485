import { Cache, History, Linearizable, Reader, Sequential, Specifications, Strict, Tester } from "@troupe/consistency"
import { Result } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { callsOf, history } from "./linearizable/Histories.ts"
import { isLinearizable, isSequential } from "./linearizable/Reference.ts"

const shapes = [
  { operations: 4, processes: 2, wrong: 0.3, lost: 0.1 },
  { operations: 6, processes: 3, wrong: 0.3, lost: 0.1 },
  { operations: 7, processes: 3, wrong: 0.3, lost: 0.02 }
]

const callsIn = (kind: string): (typeof callsOf)[string] => {
  if (kind !== "register, keyed") return callsOf[kind]!
  return (pick, fresh) => ({ ...callsOf["register, distinct"]!(pick, fresh), key: pick.pick(["x", "y"]) })
}

describe.each(["register, keyed", ...Object.keys(callsOf)])("%s: sequential as the definition says", (kind) => {
  const spec = Specifications.find(kind.split(",")[0]!)!

  it.each(shapes)("$operations operations of $processes processes", (shape) => {
    const verdicts = { Ok: 0, Violated: 0, Unknown: 0 }
    for (let seed = 0; seed < 700; seed++) {
      const { operations } = history(seed, spec, callsIn(kind), shape)
      // A process that ended with "info" goes on under its name.
      const made = { operations: operations.map((one) => ({ ...one, process: one.process.split(".")[0]! })) }
      const verdict = Sequential.check(made, spec)
      verdicts[verdict._tag]++
      expect(verdict._tag === "Ok", `seed ${seed}`).toBe(isSequential(made.operations, spec))
    }
    expect(verdicts.Unknown).toBe(0)
    expect(Math.min(verdicts.Ok, verdicts.Violated)).toBeGreaterThan(10)
  })
})

describe("Tester", () => {
  const told = ({ operations }: History.History): Tester.History => {
    let tester = Tester.empty
    const events = operations.flatMap((one) => [
      { at: one.invoked, happens: () => Tester.invoke(tester, one.process, { f: one.f, input: one.input }) },
      { at: one.returned, happens: () => Tester.complete(tester, one.process, one.output!) }
    ])
    for (const { at, happens } of events.sort((a, b) => a.at - b.at)) if (at !== Infinity) tester = happens()
    return tester
  }

  it.each(["register", "queue", "mutex"])("%s: says what the definitions say", (kind) => {
    const spec = Specifications.find(kind)!
    let refused = 0
    for (let seed = 0; seed < 700; seed++) {
      const made = history(seed, spec, callsOf[kind]!, { operations: 6, processes: 3, wrong: 0.3, lost: 0.1 })
      const tester = told(made)
      const right = isLinearizable(made.operations, spec)
      refused += right ? 0 : 1
      expect(Tester.isLinearizable(tester, spec), `seed ${seed}`).toBe(right)
      expect(Tester.isSequential(tester, spec), `seed ${seed}`).toBe(isSequential(made.operations, spec))
    }
    expect(refused).toBeGreaterThan(10)
  })
})

describe("what was taken more often than it was added", () => {
  const { invoke, ok, make } = History

  it.each(["queue", "stack"])("a %s of any size is refused for it", (name) => {
    const [add, take] = name === "queue" ? ["enqueue", "dequeue"] : ["push", "pop"]
    const clients = Array.from({ length: 300 }, (_, at) => [at % 8, at] as const)
    const events = [
      ...clients.flatMap(([client, at]) => [invoke(client, add!, at % 150), ok(client, add!)]),
      ...[...clients, [3, 0] as const].flatMap(([client, at]) => [invoke(client, take!), ok(client, take!, at % 150)])
    ]
    const verdict = Sequential.check(make(events), Specifications.find(name)!, { millis: 2_000 })
    expect(verdict._tag).toBe("Violated")
  })

  it("a register is refused for a value that it never held", () => {
    const writes = Array.from({ length: 200 }, (_, at) => [invoke(at % 9, "write", at % 5), ok(at % 9, "write")])
    const events = [...writes.flat(), invoke("r", "read"), ok("r", "read", 7)]
    const verdict = Sequential.check(make(events), Specifications.register(), { millis: 2_000 })
    expect(verdict).toMatchObject({ _tag: "Violated", culprit: { operation: { process: "r" } } })
    expect(Sequential.check(make(events), Specifications.register({ initial: 7 }))._tag).toBe("Ok")
  })
})

describe("Strict", () => {
  const { invoke, ok, info, make } = History
  const register = Specifications.register()

  it("refuses what only another order than that of invocations explains", () => {
    const late = make([invoke("a", "write", 1), invoke("b", "read"), ok("b", "read", null), ok("a", "write")])
    expect(Linearizable.check(late, register)._tag).toBe("Ok")
    const verdict = Strict.check(late, register)
    expect(verdict).toMatchObject({ _tag: "Violated", culprit: { operation: { process: "b" } } })
    expect(verdict._tag === "Violated" && verdict.reason).toBe("When read() -> null by b was invoked, the state was 1.")
  })

  it("lets an open operation take effect when it was invoked, or never", () => {
    const events = [invoke("a", "write", 1), info("a", "write"), invoke("b", "read")]
    expect(Strict.check(make([...events, ok("b", "read", 1)]), register)._tag).toBe("Ok")
    expect(Strict.check(make([...events, ok("b", "read", null)]), register)._tag).toBe("Ok")
    expect(Strict.check(make([...events, ok("b", "read", 2)]), register)._tag).toBe("Violated")
  })
})

describe("Cache", () => {
  it("asks nothing of orders across keys (store buffers)", () => {
    const { invoke, ok, make } = History
    const events = [
      ...[invoke("a", "write", 1, "x"), ok("a", "write", null, "x"), invoke("a", "read", null, "y")],
      ...[ok("a", "read", 0, "y"), invoke("b", "write", 1, "y"), ok("b", "write", null, "y")],
      ...[invoke("b", "read", null, "x"), ok("b", "read", 0, "x")]
    ]
    const register = Specifications.register({ initial: 0 })
    expect(Cache.check(make(events), register)._tag).toBe("Ok")
    expect(Sequential.check(make(events), register)).toMatchObject({
      _tag: "Violated",
      culprit: { operation: { process: "b", f: "read" } }
    })
  })
})

const folder = new URL("../../../../shared/corpora/memory-models/", import.meta.url)
const hasCorpus = existsSync(folder)

interface Labels {
  readonly linearizable: boolean
  readonly sequential: boolean
  readonly cache: boolean
}

describe.skipIf(!hasCorpus)("labelled small histories (skipped where shared/corpora/memory-models is not)", () => {
  it.each(["anchors.jsonl", "random.jsonl"])("%s: linearizable, sequential and cache are as labelled", (file) => {
    const text = readFileSync(new URL(file, folder), "utf8")
    const labels = text
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { readonly verdict: Labels }).verdict)
    const readings = Result.getOrThrow(Reader.read(text, { file, format: "memory-models" }))
    const register = Specifications.register({ initial: 0 })
    const wrong = readings.filter((reading, at) => {
      if (reading._tag !== "Operations") return true
      const isOk = (check: typeof Sequential.check) => check(reading.history, register)._tag === "Ok"
      const label = labels[at]!
      if (isOk(Strict.check) && !label.linearizable) return true
      return (
        isOk(Linearizable.check) !== label.linearizable ||
        isOk(Sequential.check) !== label.sequential ||
        isOk(Cache.check) !== label.cache
      )
    })
    expect(wrong.map(({ id }) => id)).toEqual([])
    expect(readings).toHaveLength(labels.length)
  })
})
