import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"
import { ended, start, troupe } from "./command.ts"

const directory = mkdtempSync(join(tmpdir(), "troupe-"))
afterAll(() => rmSync(directory, { recursive: true }))

const file = (name: string, ...lines: ReadonlyArray<string>): string => {
  const path = join(directory, name)
  writeFileSync(path, lines.map((line) => `${line}\n`).join(""))
  return path
}

const event = (process: number, type: string, f: string, value: string): string =>
  `{:process ${process}, :type :${type}, :f :${f}, :value ${value}}`

const write = [event(0, "invoke", "write", "1"), event(0, "ok", "write", "1")]
const good = file("good.edn", ...write, event(1, "invoke", "read", "nil"), event(1, "ok", "read", "1"))
const bad = file("bad.edn", ...write, event(1, "invoke", "read", "nil"), event(1, "ok", "read", "2"))
const awdit = file("skew.txt", "r 0 0", "w 0 1", "===", "w 0 0", "w 1 0")

// Of 22 writes that overlap it, none makes the compare-and-set right: there are 4 million ways to see that.
const overlapping = Array.from({ length: 22 }, (_, process) => process)
const hard = file(
  "hard.edn",
  ...overlapping.map((process) => event(process, "invoke", "write", `${process}`)),
  event(99, "invoke", "cas", "[99 1]"),
  event(99, "ok", "cas", "[99 1]"),
  ...overlapping.map((process) => event(process, "ok", "write", `${process}`))
)

/** A line for each history. */
const verify = async (...args: ReadonlyArray<string>) => {
  const { code, stderr, stdout } = await troupe("verify", ...args, "--json")
  const answers = stdout.split("\n").flatMap((line): ReadonlyArray<any> => (line === "" ? [] : [JSON.parse(line)]))
  return { code, stderr, answers }
}

describe("troupe verify", () => {
  it("exits with 0 where all is right", async () => {
    const { answers, code, stderr } = await verify(good)
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(answers).toEqual([
      {
        file: good,
        format: "knossos",
        model: "linearizable",
        verdict: "ok",
        culprit: null,
        milliseconds: expect.any(Number),
        reason: null
      }
    ])
  })

  it("exits with 1 where a model is violated, and names the operation at fault", async () => {
    const { answers, code } = await verify(good, bad)
    expect(code).toBe(1)
    expect(answers.map(({ verdict }) => verdict)).toEqual(["ok", "violated"])
    expect(answers[1].culprit).toEqual({ index: 3, line: 4, operation: 1, process: "1", f: "read", value: 2 })
    expect(answers[1].reason).toContain("read")
  })

  it("exits with 2 where a file cannot be read, and verifies the others all the same", async () => {
    const { answers, code, stderr } = await verify(bad, "/no/such/file", good)
    expect({ code, stderr }).toEqual({ code: 2, stderr: "" })
    expect(answers).toMatchObject([
      { verdict: "violated" },
      { file: "/no/such/file", error: "/no/such/file: it cannot be read, there is no such file or directory." },
      { verdict: "ok" }
    ])
  })

  it("exits with 3 where the budget did not do, and nothing is violated", async () => {
    const { answers, code } = await verify(hard, good, "--budget", "0.05")
    expect(answers.map(({ verdict }) => verdict)).toEqual(["unknown", "ok"])
    expect(code).toBe(3)
  })

  it("Ctrl-C ends a check, and says how far it came", async () => {
    const child = start("verify", bad, hard, good, "--json")
    child.stdout!.once("data", () => child.kill("SIGINT"))
    const { code, stderr, stdout } = await ended(child)
    expect(code).toBe(130)
    expect(JSON.parse(stdout)).toMatchObject({ file: bad, verdict: "violated" })
    expect(stderr).toMatch(
      /^troupe: interrupted after [01] of 3 files, while \S+(?:bad|hard)\.edn was checked for [\d.]+ s\. /
    )
    expect(stderr).toContain("1 history: 0 ok, 1 violated, 0 unknown")
  })

  it("takes the other names of a model, and names all where there is none of that name", async () => {
    const answers = await Promise.all(["CCv", "Causal_Convergence"].map((model) => verify(good, "--model", model)))
    expect(answers.map(({ code }) => code)).toEqual([0, 0])
    const { code, stderr } = await verify(good, "--model", "atomic")
    expect(code).toBe(2)
    expect(stderr).toMatch(/--model atomic: expected one of strict, linearizable, .*, read-committed\./)
  })

  it("an object that no specification has is said, with the services that there are", async () => {
    const { answers, code } = await verify(file("bag.log", "# @object atomic-bag", "[1] call add(3)", "[1] return"))
    expect(code).toBe(2)
    expect(answers[0].error).toMatch(/bag\.log.*Name it with --data/)
  })

  it("takes the histories of a directory, sorted, and says what it leaves out", async () => {
    const inside = join(directory, "inside", "deeper")
    mkdirSync(inside, { recursive: true })
    writeFileSync(join(inside, "b.edn"), readFileSync(bad))
    writeFileSync(join(inside, "..", "a.edn"), readFileSync(good))
    writeFileSync(join(inside, "NOTE.txt"), "About these histories.\n")
    const { answers, code, stderr } = await verify(join(directory, "inside"))
    expect(answers.map(({ file }) => basename(file))).toEqual(["a.edn", "b.edn"])
    expect(stderr).toBe("troupe: 1 file of directories left out: no history of a known format.\n")
    expect(code).toBe(1)
  })

  it("holds transactions against isolation levels, serializability by default", async () => {
    const [serializable, causal] = [await verify(awdit), await verify(awdit, "--model", "causal")]
    expect([serializable, causal].map(({ answers }) => answers[0].model)).toEqual(["serializable", "causal"])
    const { answers, code } = await verify(awdit, "--model", "linearizable")
    expect(code).toBe(2)
    expect(answers[0].error).toMatch(
      /linearizable is no model of transactions.* Give --model one of strict-serializable/
    )
  })

  it("refuses to hold a queue against a model of registers", async () => {
    const queue = file("queue.log", "# @object atomic-queue", "[1] call add(3)", "[1] return")
    const { answers, code } = await verify(queue, "--model", "causal")
    expect(answers[0].error).toMatch(/queue\.log:2: .* enqueue\(3\).* For causal it has to be a register/)
    expect(code).toBe(2)
  })

  it("draws the first history that is violated", async () => {
    const svg = join(directory, "verified.svg")
    const { code } = await verify(good, bad, "--svg", svg)
    expect(code).toBe(1)
    const drawn = readFileSync(svg, "utf8")
    expect(drawn).toContain("bad.edn")
    expect(drawn).toMatch(/class="bar culprit"/)
  })

  it("starts from the value that is given", async () => {
    const seven = file("seven.edn", event(1, "invoke", "read", "nil"), event(1, "ok", "read", "7"))
    expect((await verify(seven, "--initial", "7")).code).toBe(0)
    expect((await verify(seven, "--initial", "8")).code).toBe(1)
  })

  it("says it in words, with a line for each history and why", async () => {
    const { code, stderr, stdout } = await troupe("verify", good, bad)
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" })
    expect(stdout).toMatch(/^✓ \S+good\.edn {2}linearizable {2}[\d.]+ ms\n✗ \S+bad\.edn {2}not linearizable/)
    expect(stdout).toContain("read() -> 2 by 1 (line 4)")
    expect(stdout).toMatch(/\n2 histories: 1 ok, 1 violated, 0 unknown, in [\d.]+ s\n$/)
  })
})

describe("what is wrong with a history is said with its line, and exits with 2", () => {
  const mistakes: ReadonlyArray<readonly [what: string, lines: ReadonlyArray<string>, says: RegExp]> = [
    [
      "malformed EDN at line 17",
      [...Array.from({ length: 8 }, () => write).flat(), `{:process 0, :type :invoke, :f :write, :value "one}`],
      /bad\.edn:17:\d+: found a string without an end/
    ],
    [
      "overlapping operations of one process",
      [event(0, "invoke", "write", "1"), event(0, "invoke", "read", "nil")],
      /bad\.edn:2: event 1: process 0 invokes "read" while its "write" of line 1 still runs\. .*complete the first/
    ],
    [
      "a completion without invocation",
      [event(0, "ok", "read", "1")],
      /bad\.edn:1: event 0: process 0 completes "read", but has no operation running/
    ],
    [
      "an unknown function",
      [...write, event(0, "invoke", "raed", "nil"), event(0, "ok", "raed", "1")],
      /bad\.edn:3: operation 1 calls "raed", which no service here has.* --data: register \(read, write\);/
    ],
    [
      "a value nested too deep",
      [`{"process":1,"type":"invoke","f":"write","value":${"[".repeat(20_000)}${"]".repeat(20_000)}}`],
      /bad\.edn: a value in it is nested too deep\./
    ],
    ["no history at all", ["Hello."], /bad\.edn:1:1: found "Hello\.", expected /]
  ]
  it.each(mistakes)("%s", async (_, lines, says) => {
    mkdirSync(join(directory, "mistakes"), { recursive: true })
    const { code, stderr, stdout } = await troupe("verify", file("mistakes/bad.edn", ...lines))
    expect(stderr).toMatch(/^troupe: [^\n]+\n$/)
    expect(stderr).toMatch(says)
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" })
  })
})

const corpora = fileURLToPath(new URL("../../../../shared/corpora/", import.meta.url))
const table = (path: string): ReadonlyArray<ReadonlyArray<string>> =>
  readFileSync(join(corpora, path), "utf8")
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => line.split("\t"))

/** The verdicts of a directory, by the path in it. */
const verdicts = async (path: string, ...args: ReadonlyArray<string>) => {
  const { answers, code } = await verify(join(corpora, path), ...args)
  const entries = answers.map((answer): readonly [string, any] => [
    answer.file.slice(corpora.length + path.length + 1),
    answer
  ])
  return { code, answers: new Map(entries) }
}

const expectAll = (
  answers: ReadonlyMap<string, any>,
  expected: ReadonlyArray<readonly [file: string, verdict: string]>
): void => {
  const wrong = expected.filter(([file, verdict]) => answers.get(file)?.verdict !== verdict)
  expect(wrong).toEqual([])
  expect(answers.size).toBe(expected.length)
}

const rules: Readonly<Record<string, () => void>> = {
  porcupine: () => {
    it.each([
      ["jepsen", "expected_jepsen.tsv", 1, ""],
      ["kv", "expected_kv.tsv", 2, ".txt"]
    ] as const)("%s: the verdicts are Porcupine's", async (path, expected, column, end) => {
      const { answers } = await verdicts(`porcupine/${path}`)
      const present = new Set(readdirSync(join(corpora, "porcupine", path)))
      // Some are there twice, with and without parts.
      const rows = new Map(table(`porcupine/${expected}`).map((row) => [`${row[0]}${end}`, row[column]]))
      expectAll(
        answers,
        [...rows].flatMap(([file, isRight]) =>
          present.has(file) ? [[file, isRight === "true" ? "ok" : "violated"] as const] : []
        )
      )
    })
  },
  knossos: () => {
    it("the verdicts are Knossos's, and so are the operations at fault", async () => {
      const { answers } = await verdicts("knossos")
      expectAll(
        answers,
        [...answers.keys()].map((file) => [file, file.includes("/good/") ? "ok" : "violated"])
      )
      expect(answers.size).toBeGreaterThan(0)
      const culprits = {
        "bad-analysis": 14,
        "cas-failure": 491,
        "rethink-fail-minimal": 4,
        "rethink-fail-smaller": 217
      }
      for (const [name, index] of Object.entries(culprits)) {
        const answer = answers.get(`cas-register/bad/${name}.edn`)
        if (answer !== undefined) expect([name, answer.culprit.index]).toEqual([name, index])
      }
    })
  },
  violin: () => {
    it("the verdicts are Porcupine's, and what it gives up on is decided", async () => {
      const { answers } = await verdicts("violin")
      const rows = table("violin/expected.tsv").map(
        ([name, , , verdict]) => [name!.slice("violin/".length), verdict!] as const
      )
      const decided = (file: string) => answers.get(`histories/${file}`)?.verdict
      const wrong = rows.filter(([file, verdict]) =>
        verdict === "Unknown"
          ? !["ok", "violated"].includes(decided(file))
          : decided(file) !== (verdict === "Ok" ? "ok" : "violated")
      )
      expect(wrong).toEqual([])
      expect(answers.size).toBe(rows.length)
    }, 60_000)
  },
  awdit: () => {
    // Each directory is named after the strongest level that its histories are right at.
    const levels = ["none", "read-committed", "read-atomic", "causal"]
    it.each(levels.slice(1))("%s", async (model) => {
      const { answers } = await verdicts("awdit/tests", "--model", model)
      expectAll(
        answers,
        [...answers.keys()].map((file) => [
          file,
          levels.indexOf(file.split("/")[0]!) >= levels.indexOf(model) ? "ok" : "violated"
        ])
      )
      expect(answers.size).toBeGreaterThan(0)
    })
  },
  "memory-models": () => {
    const columns = {
      linearizable: "linearizable",
      sequential: "sequential",
      "causal-memory": "causal_memory_CM",
      causal: "causal_CC",
      "causal-convergence": "causal_CCv",
      pram: "pram",
      cache: "cache",
      "read-your-writes": "read_your_writes",
      "monotonic-reads": "monotonic_reads"
    }
    const files = ["anchors.jsonl", "random.jsonl"]
    it.each(Object.entries(columns))("%s", async (model, column) => {
      const labelled = files.flatMap((file) =>
        readFileSync(join(corpora, "memory-models", file), "utf8")
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line) as { readonly id: unknown; readonly verdict: Record<string, boolean> })
      )
      const { answers } = await verify(...files.map((file) => join(corpora, "memory-models", file)), "--model", model)
      const given = answers.map(({ history, verdict }) => [history, verdict])
      expect(given).toEqual(labelled.map(({ id, verdict }) => [`${id}`, verdict[column] ? "ok" : "violated"]))
    })
  }
}

for (const [name, rule] of Object.entries(rules)) {
  describe.skipIf(!existsSync(join(corpora, name)))(`shared/corpora/${name} (skipped where absent)`, () => {
    rule()
  })
}
