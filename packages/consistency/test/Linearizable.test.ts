import { History, Linearizable, Reader, Specifications } from "@troupe/consistency"
import { Result } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { history, type random } from "./linearizable/Histories.ts"

const { invoke, ok, info, make } = History

const folder = new URL("../../../../shared/corpora/", import.meta.url)
const hasCorpus = existsSync(folder)

const rows = (file: string): ReadonlyArray<ReadonlyArray<string>> =>
  readFileSync(new URL(file, folder), "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split("\t"))

const check = (file: string) => {
  const [reading] = Result.getOrThrow(Reader.read(readFileSync(new URL(file, folder), "utf8"), { file }))
  if (reading?._tag !== "Operations") throw new Error(`${file} holds no operations`)
  const { name = "cas-register", ...options } = reading.specification ?? {}
  const spec = Specifications.find(name, options)!
  return Linearizable.check(Result.getOrThrow(Specifications.validate(reading.history, spec)), spec)
}

const wrong = (expected: ReadonlyArray<readonly [file: string, linearizable: boolean]>) =>
  expected.filter(([file, linearizable]) => check(file)._tag !== (linearizable ? "Ok" : "Violated"))

describe.skipIf(!hasCorpus)("recorded histories (skipped where shared/corpora is not)", () => {
  it("etcd's logs are as Porcupine says", () => {
    const logs = rows("porcupine/expected_jepsen.tsv")
    expect(wrong(logs.map(([file, verdict]) => [`porcupine/jepsen/${file}`, verdict === "true"]))).toEqual([])
    expect(logs.length).toBeGreaterThan(0)
  })

  it("key–value stores are as Porcupine says", () => {
    const stores = rows("porcupine/expected_kv.tsv")
    expect(wrong(stores.map(([name, , verdict]) => [`porcupine/kv/${name}.txt`, verdict === "true"]))).toEqual([])
  })

  it("registers are as Knossos says, with the culprit that it names", () => {
    const registers = rows("knossos/expected.tsv").map(([name, , , , verdict]) => {
      const file = `${verdict === "true" ? "good" : "bad"}/${name!.replace("knossos/", "")}`
      return [`knossos/cas-register/${file}`, verdict === "true"] as const
    })
    expect(wrong(registers.filter(([file]) => existsSync(new URL(file, folder))))).toEqual([])
    const culprits = [
      ["bad-analysis", 14, "21"],
      ["rethink-fail-minimal", 4, "1"]
    ] as const
    for (const [name, returnIndex, process] of culprits) {
      const culprit = { operation: { process, source: { returnIndex } } }
      expect(check(`knossos/cas-register/bad/${name}.edn`)).toMatchObject({ _tag: "Violated", culprit })
    }
  })

  it("queues and stacks are as Violin and Porcupine say, and all are decided", () => {
    const objects = rows("violin/expected.tsv").map(
      ([name, , , verdict]) => [name!.replace("violin/", "violin/histories/"), verdict!] as const
    )
    const decided = objects.filter(([, verdict]) => verdict !== "Unknown")
    expect(wrong(decided.map(([file, verdict]) => [file, verdict === "Ok"]))).toEqual([])
    const rest = objects.filter(([, verdict]) => verdict === "Unknown").map(([file]) => check(file)._tag)
    expect(rest).not.toContain("Unknown")
  })
})

describe("a refusal", () => {
  it("names the states before the culprit, and what overlaps it", () => {
    const history = make([
      ...[invoke("a", "write", 1), ok("a", "write"), invoke("b", "write", 2), info("b", "write")],
      ...[invoke("c", "read"), invoke("a", "read"), ok("a", "read", 2), ok("c", "read", 3)]
    ])
    const { collection: _, ...register } = Specifications.register()
    const verdict = Linearizable.check(history, register)
    expect(verdict).toMatchObject({ _tag: "Violated", culprit: { operation: { id: 2 } } })
    if (verdict._tag !== "Violated") return
    expect(verdict.reason).toBe("Before read() -> 3 by c completed, the state can only have been 2.")
    expect(verdict.involved.map((one) => one._tag === "Operation" && one.operation.id)).toEqual([0, 1, 2, 3])
  })

  it.each([
    ["stack", "was removed twice", [1, "push"], [1, "pop"], [1, "pop"]],
    ["stack", "was never added", [1, "push"], [2, "pop"]],
    ["stack", "the stack was never empty in that time", [1, "push"], [null, "pop"]],
    ["stack", "Not last in, first out", [1, "push"], [2, "push"], [1, "pop"]],
    ["queue", "1 was overtaken", [1, "enqueue"], [2, "enqueue"], [2, "dequeue"]],
    ["register", "leaves no time for 2", [1, "write"], [2, "write"], [1, "read"]]
  ] as ReadonlyArray<[string, string, ...ReadonlyArray<readonly [History.Value, string]>]>)(
    "of a %s says what is wrong: %s",
    (kind, says, ...steps) => {
      const adds = ["push", "enqueue", "write"]
      const events = steps.flatMap(([value, f]) =>
        adds.includes(f) ? [invoke("a", f, value), ok("a", f)] : [invoke("a", f), ok("a", f, value)]
      )
      const verdict = Linearizable.check(make(events), Specifications.find(kind)!)
      expect(verdict._tag === "Violated" && verdict.reason).toContain(says)
    }
  )
})

describe("bounds", () => {
  // Every order of the additions is another state.
  const many = make([
    ...Array.from({ length: 14 }, (_, at) => invoke(at, "push", at % 7)),
    ...Array.from({ length: 14 }, (_, at) => ok(at, "push")),
    ...[invoke("r", "pop"), ok("r", "pop", 9)]
  ])

  it("out of time is its own verdict", () => {
    const verdict = Linearizable.check(many, Specifications.stack(), { millis: 20 })
    expect(verdict).toMatchObject({ _tag: "Unknown", reason: expect.stringContaining("out of time") })
  })

  it("out of memory is its own verdict", () => {
    const verdict = Linearizable.check(many, Specifications.stack(), { bytes: 1_000_000 })
    expect(verdict).toMatchObject({ _tag: "Unknown", reason: expect.stringContaining("out of memory") })
  })

  it("a queue of which four clients add each of twenty values again and again is decided", () => {
    const calls = ({ next, below }: ReturnType<typeof random>) =>
      next() < 0.5
        ? { f: "enqueue", input: below(20), outputs: [null] }
        : { f: "dequeue", input: null, outputs: [null, ...Array.from({ length: 20 }, (_, value) => value)] }
    const shape = { operations: 2_000, processes: 4, wrong: 0, lost: 0.01 }
    const { operations } = history(7, Specifications.queue(), calls, shape)
    const check = (all: ReadonlyArray<History.Operation>) =>
      Linearizable.check({ operations: all }, Specifications.queue(), { millis: 10_000 })
    expect(check(operations)._tag).toBe("Ok")
    // The value that was there twenty removals before.
    const taken = operations.filter(({ f, output, returned }) => f === "dequeue" && output !== null && returned < 3_000)
    const [other, late] = [taken.at(-20)!, taken.at(-1)!]
    expect(other.output).not.toBe(late.output)
    const verdict = check(operations.map((one) => (one === late ? { ...one, output: other.output! } : one)))
    expect(
      verdict._tag === "Violated" && verdict.culprit._tag === "Operation" && verdict.culprit.operation.returned
    ).toBe(late.returned)
  })

  it("an empty history is linearizable", () => {
    expect(Linearizable.check(make([]), Specifications.stack())._tag).toBe("Ok")
  })

  it("hundreds of writes that stay open cost little", () => {
    const open = Array.from({ length: 300 }, (_, at) => [invoke(`w${at}`, "write", at % 5), info(`w${at}`, "write")])
    const reads = Array.from({ length: 300 }, (_, at) => [invoke("r", "read"), ok("r", "read", (at * 2) % 5)])
    const all = make([...open, ...reads].flat())
    const more = make([...open, ...reads, [invoke("r", "read"), ok("r", "read", 0)]].flat())
    expect(Linearizable.check(all, Specifications.register())._tag).toBe("Ok")
    // The values are written sixty times each, and 0 would have to be once more.
    expect(Linearizable.check(more, Specifications.register())._tag).toBe("Violated")
  })
})
