/** Keys that some of the nodes hold; and sloppy quorums, in which others stand in for those that are silent. */
import { History, Linearizable } from "@troupe/consistency"
import { Quorum, Trie } from "@troupe/replication"
import { Simulation } from "@troupe/simulation"
import { MemoryStorage } from "@troupe/storage"
import { Context, Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { specification } from "../proof/worlds.ts"
import { add, get, Numbers, numbers, put, type Request } from "./machines.ts"
import { Nodes } from "./quorumNodes.ts"

const five = ["n1", "n2", "n3", "n4", "n5"]
const sloppy = { copies: 3, sloppy: true }

const holders = (all: Nodes, key: string): ReadonlyArray<string> =>
  five.filter((node) => Trie.get(all.states.get(node)!.registers.byKey, key) !== undefined)

/** Those that hold x when all are there, and those that don't. */
const placed = new Nodes(numbers, five, { copies: 3 })
placed.ask("n1", [put("x", 1)])
const homes = holders(placed, "x")
const others = five.filter((node) => !homes.includes(node))

describe("fewer copies than nodes", () => {
  it("are at as many nodes as are asked for, each key at its own, and any node answers", () => {
    const all = new Nodes(numbers, five, { copies: 3 })
    const keys = Array.from({ length: 200 }, (_, i) => `k${i}`)
    all.ask(
      "n1",
      keys.map((key) => put(key, 1))
    )
    for (const key of keys) expect(holders(all, key).length).toBe(3)
    for (const node of five) {
      const { size } = all.states.get(node)!.registers.byKey
      expect([node, size > 80 && size < 160]).toEqual([node, true])
      all.ask(node, [add("k7", 1)])
    }
    expect(all.answers.slice(-5)).toEqual([2, 3, 4, 5, 6])
  })

  it("are forgotten by all of them when the key is gone", () => {
    const all = new Nodes(numbers, five, { copies: 3 })
    all.ask("n1", [put("x", 1)])
    all.ask("n2", [put("x", 0)])
    for (let i = 0; i < 3; i++) all.tick()
    expect(holders(all, "x")).toEqual([])
  })

  it("are counted by Gifford's rules, and need all that is asked of them", () => {
    const reason = (options: Quorum.LayerOptions) =>
      Effect.runSync(Effect.match(Quorum.optionsOf(five, options), { onFailure: String, onSuccess: () => "" }))
    expect(reason({ copies: 3, readQuorum: 2, writeQuorum: 2 })).toBe("")
    expect(reason({ copies: 4, readQuorum: 2, writeQuorum: 2 })).toContain("R + W > N is broken: N = 4")
    expect(reason({ copies: 6 })).toContain("5 nodes for 6 copies")
    expect(reason({ sloppy: true })).toContain("nobody can stand in")
    expect(reason({ copies: 3, votes: { n1: 2 } })).toContain("leave `votes` out")
    expect(reason({ copies: 3, compareEvery: "1 second" })).toContain("leave `compareEvery` out")
  })
})

describe("sloppy quorums (DeCandia and others 2007)", () => {
  const away = (all: Nodes, nodes: ReadonlyArray<string>): void => {
    all.passes = ({ from, to }) => !nodes.includes(from) && !nodes.includes(to)
    for (let i = 0; i < 5; i++) all.tick()
  }

  it("take an update while two of three homes are away, where strict ones don't", () => {
    for (const [options, answers] of [
      [{ copies: 3 }, []],
      [sloppy, [7]]
    ] as const) {
      const all = new Nodes(numbers, five, options)
      away(all, homes.slice(1))
      all.ask(others[0]!, [put("x", 7)])
      expect(all.answers).toEqual(answers)
    }
  })

  it("hand what they took to its homes when these are back, and forget it (hinted handoff)", () => {
    const all = new Nodes(numbers, five, sloppy)
    away(all, homes.slice(1))
    all.ask(others[0]!, [put("x", 7)])
    expect(holders(all, "x")).toEqual([homes[0]!, ...others].sort())
    all.passes = () => true
    for (let i = 0; i < 4; i++) all.tick()
    expect(holders(all, "x")).toEqual(homes)
    all.passes = ({ from, to }) => from !== homes[0] && to !== homes[0]
    all.ask(homes[1]!, [get("x")])
    expect(all.answers).toEqual([7, 7])
  })

  it("stand in for so many keys at the most, and for so long", () => {
    const all = new Nodes(numbers, five, { ...sloppy, hints: 1 })
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`)
    away(all, homes.slice(1))
    for (const key of keys) all.ask(others[0]!, [put(key, 7)])
    for (const node of five) expect(all.states.get(node)!.hints.size).toBeLessThanOrEqual(1)
    const old = new Nodes(numbers, five, { ...sloppy, hintsFor: "1 hour" })
    away(old, homes.slice(1))
    old.ask(others[0]!, [put("x", 7)])
    old.now = 3_600_001
    for (let i = 0; i < 2; i++) old.tick()
    expect(holders(old, "x")).toEqual([homes[0]!])
  })

  it("lose what was acknowledged where the network was split: the anomaly that they are refused for by default", async () => {
    const events: Array<History.Event> = []
    const services = new Map<string, Context.Service.Shape<typeof Numbers>>()
    const say = (node: string, request: Request) =>
      Effect.gen(function* () {
        const about = { process: node, f: request._tag, key: request.key }
        events.push({ ...about, type: "invoke", value: request._tag === "Put" ? request.value : null })
        events.push({ ...about, type: "ok", value: yield* services.get(node)!.invoke(request) })
      })
    await Effect.runPromise(
      Simulation.run({
        seed: 1,
        nodes: five,
        duration: "30 seconds",
        program: (node) =>
          Effect.gen(function* () {
            const layer = Quorum.layer(Numbers, sloppy).pipe(Layer.provide(MemoryStorage.layer()))
            services.set(node, Context.get(yield* Layer.build(layer), Numbers))
          }),
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep("1 second")
            yield* simulator.split([
              [homes[0]!, others[0]!],
              [homes[1]!, homes[2]!, others[1]!]
            ])
            yield* Effect.sleep("1 second")
            yield* say(homes[0]!, put("x", 1))
            yield* say(homes[1]!, put("x", 2))
            yield* say(homes[0]!, get("x"))
          })
      })
    )
    const verdict = Linearizable.check(History.make(events), specification)
    expect(verdict).toMatchObject({ _tag: "Violated", culprit: { operation: { f: "Get", output: 1 } } })
  })
})
