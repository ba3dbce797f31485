/** The examples have as many states as published, and as other programs count. */
import { Checker } from "@troupe/model-checker"
import { AbdRegister, BadSize, examples, SingleCopyRegister } from "@troupe/model-checker/examples/index"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"

const all: Checker.Options = { stopAtViolation: false }

const check = (name: string, values: Readonly<Record<string, number>>): Promise<Checker.Report> => {
  const example = examples.find((each) => each.name === name)!
  return Effect.runPromise(Checker.check(example.model(values), all))
}

const text = (values: Readonly<Record<string, number>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${value} ${name}`)
    .join(", ")

const verdicts = ({ properties }: Checker.Report) => properties.map(({ name, verdict }) => `${name}: ${verdict}`)

describe.each(examples)("$title", ({ flags, knownCounts, model, name }) => {
  it.each(knownCounts.map(({ uniqueStates, values }) => ({ uniqueStates, values, sizes: text(values) })))(
    "has $uniqueStates states with $sizes, in all of which its properties hold",
    async ({ uniqueStates, values }) => {
      const report = await check(name, values)
      expect(report.complete).toBe(true)
      expect(report.uniqueStates).toBe(uniqueStates)
      expect(report.properties.map(({ verdict }) => verdict)).toEqual(report.properties.map(() => "holds"))
    }
  )

  it("runs at the sizes that are not given by default, and refuses those out of bounds by name", async () => {
    const defaults = Object.fromEntries(flags.map((flag) => [flag.name, flag.default]))
    expect(model().name).toBe(model(defaults).name)
    for (const flag of flags) {
      expect(() => model({ [flag.name]: flag.maximum + 1 })).toThrow(BadSize)
      expect(() => model({ [flag.name]: flag.minimum - 1 })).toThrow(BadSize)
      expect(() => model({ [flag.name]: flag.minimum + 0.5 })).toThrow(
        `example/${name}: --${flag.name} ${flag.minimum + 0.5} will not do: give a whole number from ${flag.minimum} to ` +
          `${flag.maximum}.`
      )
    }
    expect(() => model({ colour: 1 })).toThrow("--colour 1 will not do: it has --")
  })
})

describe("registers, at other sizes", () => {
  // Counted by a search in another language, with tuples for states.
  it.each([
    ["single-copy-register", 2, 1, 5, 5],
    ["single-copy-register", 2, 2, 62, 81],
    ["single-copy-register", 3, 2, 51, 69],
    ["abd-register", 2, 1, 13, 13],
    ["abd-register", 2, 3, 35_009, 68_115],
    ["abd-register", 3, 1, 1_449, 3_728],
    ["abd-register", 4, 1, 12_915, 40_298],
    ["paxos", 2, 1, 11, 12],
    ["paxos", 2, 2, 111, 137],
    ["paxos", 2, 3, 211, 262],
    ["paxos", 3, 1, 265, 482],
    ["paxos", 4, 1, 1_169, 2_742]
  ])(
    "%s with %i servers and %i clients has %i states, come to %i times",
    async (name, servers, clients, unique, all) => {
      const report = await check(name, { servers, clients })
      expect([report.uniqueStates, report.generatedStates]).toEqual([unique, all])
      if (name !== "single-copy-register") expect(verdicts(report)).toContain("linearizable: holds")
    }
  )

  it("a single-copy register with two servers is refused in four messages", async () => {
    const report = await Effect.runPromise(Checker.check(SingleCopyRegister.model({ servers: 2, clients: 2 })))
    const { counterexample, verdict } = report.properties.find(({ name }) => name === "linearizable")!
    expect(verdict).toBe("violated")
    expect(counterexample!.steps).toEqual([
      "start",
      'client1 → server1: {"_tag":"Put","request":2,"value":"A"}',
      'server1 → client1: {"_tag":"PutOk","request":2}',
      'client1 → server2: {"_tag":"Get","request":4}',
      'server2 → client1: {"_tag":"GetOk","request":4,"value":null}'
    ])
  })

  it("a server of the ABD register has its copy replaced by none that is older", () => {
    const options = { servers: ["server1", "server2"] }
    const self = { id: "server1", nodes: options.servers, peers: ["server2"], options }
    const late = { sequencer: { number: 1, server: "server2" }, value: "B" }
    const before = { copy: { sequencer: { number: 2, server: "server1" }, value: "A" }, call: null }
    const sent: Array<unknown> = []
    const act: any = { self, send: (_to: string, message: unknown) => sent.push(message) }
    const message = { _tag: "Record", request: 1, copy: late } as const
    expect(AbdRegister.protocol.onMessage(before, "server2", message, act)).toEqual(before)
    expect(sent).toEqual([{ _tag: "RecordOk", request: 1 }])
  })
})

describe("two-phase commit, at any size", () => {
  // While it is open, each manager works, has aborted, is prepared, or is known to be: 4. Once it is to be committed, each is
  // prepared or has committed: 2. Once it is to be aborted, each works or has aborted, or has sent that it is prepared, known
  // or not, and is so still or has aborted: 6.
  it.each([1, 2, 3, 4, 5, 6])("%i managers have 4ⁿ + 2ⁿ + 6ⁿ states", async (managers) => {
    const report = await check("two-phase-commit", { managers })
    expect(report.uniqueStates).toBe(4 ** managers + 2 ** managers + 6 ** managers)
  })
})

/** The states of a ring, counted by a search of texts: of each node started, its role and what waits. */
const ringStates = (nodes: number): number => {
  const seen = new Set<string>()
  const open: Array<string> = []
  const come = (ring: ReadonlyArray<string>): void => {
    const state = ring.join("|")
    if (!seen.has(state)) open.push(state)
    seen.add(state)
  }
  const put = (ring: Array<string>, from: number, id: number): ReadonlyArray<string> => {
    const to = (from + 1) % nodes
    const [head, ids = ""] = ring[to]!.split(":")
    return ring.with(to, `${head}:${[...new Set([...ids, String(id)])].sort().join("")}`)
  }
  // A head is the initiator's mark, a role, and whether it started.
  for (let set = 0; set < 2 ** nodes; set++) {
    come(Array.from({ length: nodes }, (_, i) => ((set >> i) % 2 === 1 ? "ic-:" : "nl-:")))
  }
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    const ring = state.split("|")
    for (const [at, node] of ring.entries()) {
      const [mark, role, begun] = node
      const ids = node.slice(4)
      if (begun === "-") {
        const started = ring.with(at, `${mark}${role}+:${ids}`)
        come(mark === "i" ? put(started, at, at) : started)
        continue
      }
      for (const id of ids) {
        const become = (next: string) => ring.with(at, `${mark}${next}+:${ids.replace(id, "")}`)
        if (role === "l") come(put(become("l"), at, Number(id)))
        else if (Number(id) < at) come(put(become("l"), at, Number(id)))
        else come(become(Number(id) === at ? "w" : role!))
      }
    }
  }
  return seen.size
}

describe("Chang–Roberts, at any size", () => {
  it.each([1, 2, 3, 6])("%i nodes have as many states as a search of texts finds", async (nodes) => {
    const report = await check("chang-roberts", { nodes })
    expect(report.uniqueStates).toBe(ringStates(nodes))
    expect(verdicts(report)).toEqual(["the smallest wins: holds", "a node wins: holds"])
  })
})
