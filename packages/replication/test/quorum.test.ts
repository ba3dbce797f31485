import { type Machine, Quorum, Replicated, Trie } from "@troupe/replication"
import { Simulation } from "@troupe/simulation"
import { MemoryStorage } from "@troupe/storage"
import { Memory } from "@troupe/transport"
import { Context, Effect, Layer, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { add, get, numbers, put, Request } from "./machines.ts"
import { Nodes } from "./quorumNodes.ts"

const three = ["n1", "n2", "n3"]
const five = ["n1", "n2", "n3", "n4", "n5"]

/** Requests of several keys; none at all is answered how many keys there are. */
const several: Machine.Machine<Readonly<Record<string, number>>, ReadonlyArray<Request>, any, ReadonlyArray<number>> = {
  name: "several",
  init: numbers.init,
  update: numbers.update,
  apply: numbers.apply,
  dump: numbers.dump,
  request: Schema.Array(Request),
  response: Schema.Array(Schema.Int),
  isRead: (requests) => requests.every(numbers.isRead),
  execute: (state, [request], at) => {
    const { response, updates } = numbers.execute(state, request!, at)
    return { response: [response], updates }
  },
  keyed: {
    split: (requests) =>
      requests.length > 100 ? "too many" : requests.map((request) => ({ key: request.key, request: [request] })),
    join: (_requests, responses) => responses.flat(),
    survey: ({ from, get, size }) => [size, [...from(0)].length, Object.keys(get("nobody")).length]
  }
}

class Several extends Replicated.Service<Several>()("test/Several", several) {}

type Service = Replicated.Replicated<ReadonlyArray<Request>, ReadonlyArray<number>>

/** What a program sees of nodes with disks that outlive crashes. */
const world = async <A>(
  test: (at: (node: string) => Service, simulator: Simulation.Simulator) => Effect.Effect<A, unknown>,
  layer: Quorum.LayerOptions = {}
) => {
  const stores = new Map(three.map((node) => [node, MemoryStorage.make()]))
  const services = new Map<string, Service>()
  const { value, violations } = await Effect.runPromise(
    Simulation.run({
      seed: 1,
      nodes: three,
      duration: "40 seconds",
      program: (node) =>
        Effect.gen(function* () {
          const built = Quorum.layer(Several, layer).pipe(Layer.provide(MemoryStorage.layer(stores.get(node)!)))
          services.set(node, Context.get(yield* Layer.build(built), Several))
        }),
      test: (simulator) =>
        Effect.andThen(
          Effect.sleep("1 second"),
          test((node) => services.get(node)!, simulator)
        )
    })
  )
  expect(violations).toEqual([])
  return value
}

const stateAt = (simulator: Simulation.Simulator, node: string): Quorum.State => {
  const all = simulator.world.snapshot(Quorum.protocol(several).name)
  return all.find((each) => each.node === node)!.state as Quorum.State
}

// -------------------------------------------------------------------------------------------------------------- the rules

describe("Gifford's rules (SOSP 1979)", () => {
  const nodes = (count: number) => Array.from({ length: count }, (_, i) => `n${i}`)
  const reason = (count: number, options: Quorum.LayerOptions) =>
    Effect.runSync(Effect.match(Quorum.optionsOf(nodes(count), options), { onFailure: String, onSuccess: () => "" }))

  it("allow (5, R3, W3), (5, R2, W4), and majorities by default", () => {
    expect(reason(5, { readQuorum: 3, writeQuorum: 3 })).toBe("")
    expect(reason(5, { readQuorum: 2, writeQuorum: 4 })).toBe("")
    for (let count = 1; count < 10; count++) expect(reason(count, {})).toBe("")
  })

  it("refuse (5, R4, W2): two updates could miss each other", () => {
    expect(reason(5, { readQuorum: 4, writeQuorum: 2 })).toContain("W > N/2 is broken: N = 5, R = 4, W = 2.")
  })

  it("refuse (10, R3, W7): a read could miss an update", () => {
    expect(reason(10, { readQuorum: 3, writeQuorum: 7 })).toContain("R + W > N is broken: N = 10, R = 3, W = 7.")
  })

  it("count votes, not nodes", () => {
    expect(reason(3, { votes: { n0: 3 }, readQuorum: 2, writeQuorum: 4 })).toBe("")
    expect(reason(3, { votes: { n0: 3 }, readQuorum: 2, writeQuorum: 3 })).toContain("R + W > N is broken: N = 5")
    expect(reason(3, { readQuorum: 3, writeQuorum: 4 })).toContain("not so many votes: N = 3")
  })

  it("refuse other bad options", async () => {
    expect(reason(3, { votes: { n7: 1 } })).toContain("names n7, which is none of n0, n1, n2")
    expect(reason(3, { silentAfter: 1 })).toContain("silentTicks")
    const { keyed: _, ...whole } = numbers
    class Whole extends Replicated.Service<Whole>()("test/Whole", whole) {}
    const disk = Layer.merge(MemoryStorage.layer(), Memory.layer(Memory.network({ nodes: three }), "n1"))
    const failure = await Effect.runPromise(
      Effect.flip(Effect.scoped(Layer.build(Quorum.layer(Whole).pipe(Layer.provide(disk)))))
    )
    expect(failure.message).toContain(`"numbers" cannot be had key by key`)
  })
})

describe("a replica", () => {
  const ballot = (counter: number, node: number) => ({ counter, node, life: 1 })
  const none = ballot(0, -1)
  const copy = (counter: number, node: number, value: number) => ({
    ...{ version: ballot(counter, node), past: [], now: 0 },
    value: value === 0 ? [] : [{ key: "x", value }]
  })
  const hear = (nodes: Nodes, ...asks: ReadonlyArray<any>) =>
    nodes.step("n3", { _tag: "Message", from: "n1", message: { _tag: "Asks", life: 1, asks } })
  const votes = (actions: ReturnType<typeof hear>) =>
    actions.flatMap((action) => (action._tag === "Send" && action.message._tag === "Votes" ? action.message.votes : []))

  it("promises and accepts after its disk, never ahead of it", () => {
    const nodes = new Nodes(numbers, three)
    const first = hear(nodes, { _tag: "Prepare", round: 1, key: "x", ballot: ballot(1, 0), have: none })
    const second = hear(nodes, { _tag: "Accept", round: 2, key: "x", copy: copy(1, 0, 5) })
    for (const actions of [first, second]) {
      expect(actions.map(({ _tag }) => _tag)).toEqual(["Persist", "Send"])
      expect(actions[1]).not.toHaveProperty("now")
    }
  })

  it("takes nothing of a lower ballot than it promised, and says which that is (Rystsov 2018)", () => {
    const nodes = new Nodes(numbers, three)
    hear(nodes, { _tag: "Prepare", round: 1, key: "x", ballot: ballot(2, 1), have: none })
    const refused = { _tag: "Refused", round: 2, key: "x", promised: ballot(2, 1) }
    expect(votes(hear(nodes, { _tag: "Prepare", round: 2, key: "x", ballot: ballot(2, 0), have: none }))).toEqual([
      refused
    ])
    expect(votes(hear(nodes, { _tag: "Accept", round: 2, key: "x", copy: copy(2, 0, 5) }))).toEqual([
      { ...refused, absent: undefined }
    ])
  })

  it("sends its copy where it is newer than the coordinator's, and the version alone where it is not", () => {
    const nodes = new Nodes(numbers, three)
    hear(nodes, { _tag: "Accept", round: 1, key: "x", copy: copy(1, 0, 5) })
    const read = (have: typeof none) => votes(hear(nodes, { _tag: "Read", round: 2, key: "x", have }))[0]
    expect(read(none)).toHaveProperty("copy", copy(1, 0, 5))
    expect(read(ballot(1, 0))).not.toHaveProperty("copy")
  })

  it("promises the next ballot also where a reader brought it the copy first", () => {
    const nodes = new Nodes(numbers, three)
    hear(nodes, { _tag: "Accept", round: 1, key: "x", copy: copy(1, 0, 5) })
    hear(nodes, { _tag: "Accept", round: 1, key: "x", copy: copy(1, 0, 5), ahead: true })
    expect(Trie.get(nodes.states.get("n3")!.registers.byKey, "x")!.promised).toEqual(ballot(2, 0))
  })

  it("takes no key back that was forgotten, however late the message", () => {
    const nodes = new Nodes(numbers, three)
    hear(nodes, { _tag: "Accept", round: 1, key: "x", copy: copy(3, 0, 0) })
    expect(votes(hear(nodes, { _tag: "Forget", round: 2, key: "x", version: ballot(3, 0) }))).toEqual([
      { _tag: "Forgotten", round: 2, key: "x" }
    ])
    for (const late of [copy(2, 0, 5), copy(3, 0, 0)]) {
      expect(votes(hear(nodes, { _tag: "Accept", round: 1, key: "x", copy: late }))).toMatchObject([{ absent: true }])
    }
    expect(nodes.states.get("n3")!.registers.byKey.size).toBe(0)
  })
})

describe("a coordinator", () => {
  const cost = Quorum.card.cost

  it.each([three, five])("takes as many messages as the card says", (...nodes) => {
    const all = new Nodes(numbers, nodes)
    const { length } = nodes
    expect(all.ask("n2", [put("x", 1)])).toBe(cost.worst.of(length))
    expect(all.ask("n2", [add("x", 1)])).toBe(cost.best.of(length))
    expect(all.ask("n1", [get("x")])).toBe(cost.best.of(length))
    expect(all.ask("n1", [add("x", 1)])).toBe(cost.worst.of(length))
    expect(all.answers).toEqual([1, 2, 2, 3])
  })

  it("has many keys share the messages of each round", () => {
    const all = new Nodes(numbers, three)
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`)
    expect(
      all.ask(
        "n1",
        keys.map((key) => put(key, 1))
      )
    ).toBe(cost.worst.of(3))
    expect(
      all.ask(
        "n1",
        keys.map((key) => get(key))
      )
    ).toBe(cost.best.of(3))
  })

  it("executes what is asked of one key at once in that order", () => {
    const all = new Nodes(numbers, three)
    all.ask("n1", [get("x"), put("x", 1), get("x"), add("x", 1), get("x")])
    expect(all.answers).toEqual([0, 1, 1, 2, 2])
  })

  it("sends a replica that answers a read late, or with less, the newest copy (read repair)", () => {
    const all = new Nodes(numbers, three)
    all.passes = ({ to }) => to !== "n3"
    all.ask("n1", [put("x", 7)])
    all.passes = () => true
    all.ask("n2", [get("x")])
    expect(Trie.get(all.states.get("n3")!.registers.byKey, "x")!.copy.first).toEqual({ key: "x", value: 7 })
  })

  it("answers a read when a write quorum holds it (Attiya, Bar-Noy, Dolev 1995): R = 2 is not enough where W = 4", () => {
    const all = new Nodes(numbers, five, { readQuorum: 2, writeQuorum: 4 })
    all.passes = ({ message, to }) => message._tag === "Votes" || to === "n2" || message.asks[0]?._tag === "Prepare"
    all.ask("n1", [put("x", 7)])
    all.passes = ({ from, to }) => [from, to].every((node) => node <= "n3")
    all.ask("n2", [get("x")])
    expect(all.answers).toEqual([])
    all.passes = () => true
    all.tick()
    all.tick()
    expect(all.answers).toContain(7)
  })

  it("counts votes: who has three of five decides with any other", () => {
    const all = new Nodes(numbers, three, { votes: { n1: 3 }, readQuorum: 3, writeQuorum: 3 })
    all.passes = ({ from, to }) => from === to
    all.ask("n1", [put("x", 7)])
    expect(all.answers).toEqual([7])
    all.ask("n2", [put("x", 8)])
    expect(all.answers).toEqual([7])
  })
})

describe("keys that are gone", () => {
  const sizes = (all: Nodes) => [...all.states.values()].map(({ registers }) => registers.byKey.size)

  it("are forgotten when all replicas hold them as gone, and not before", () => {
    const all = new Nodes(numbers, three)
    const keys = Array.from({ length: 1000 }, (_, i) => `k${i}`)
    all.ask(
      "n1",
      keys.map((key) => put(key, 1))
    )
    all.passes = ({ from, to }) => from !== "n3" && to !== "n3"
    all.ask(
      "n2",
      keys.map((key) => put(key, 0))
    )
    for (let i = 0; i < 6; i++) all.tick()
    expect(sizes(all)).toEqual([1000, 1000, 1000])
    all.passes = () => true
    for (let i = 0; i < 3; i++) all.tick()
    expect(sizes(all)).toEqual([0, 0, 0])
    all.ask("n3", [get("k1"), add("k1", 1)])
    expect(all.answers.slice(-2)).toEqual([0, 1])
  })

  it("leave nothing behind where an update came to nothing", () => {
    const all = new Nodes(numbers, three)
    all.ask("n1", [put("x", 0)])
    all.ask("n2", [add("y", 0)])
    for (let i = 0; i < 4; i++) all.tick()
    expect(sizes(all)).toEqual([0, 0, 0])
  })

  it("leave who was adopted, and asks after they were forgotten, in doubt: it does not execute again", () => {
    const all = new Nodes(numbers, three)
    all.passes = ({ from, message, to }) =>
      from === to || message._tag === "Votes" || message.asks[0]?._tag === "Prepare"
    all.ask("n1", [add("x", 1)])
    all.passes = () => true
    all.ask("n2", [get("x"), put("x", 0)])
    for (let i = 0; i < 3; i++) all.tick(["n2"])
    expect([all.answers, sizes(all)]).toEqual([
      [1, 0],
      [0, 0, 0]
    ])
    for (let i = 0; i < 2; i++) all.tick(["n1"])
    all.step("n1", { _tag: "Timeout", timer: "back-off 1" })
    all.settle()
    all.ask("n3", [get("x")])
    expect([all.answers, all.lost]).toEqual([[1, 0, 0], 1])
  })

  it("come back from the disk as forgotten: from the log, and from fewer records", () => {
    const protocol = Quorum.protocol(numbers)
    const all = new Nodes(numbers, three)
    all.ask("n1", [put("x", 1), put("y", 2), add("y", 1)])
    all.ask("n2", [put("x", 0)])
    for (let i = 0; i < 3; i++) all.tick()
    const state = all.states.get("n3")!
    const self = all.self("n3")
    const again = [...protocol.durable!.compact!(state)!].reduce(
      (each, record) => protocol.durable!.restore(each, record, self),
      protocol.init(self)
    )
    expect(again.registers).toEqual({ ...state.registers, accepted: 1 })
    expect(again.registers.floor.counter).toBeGreaterThan(0)
  })
})

describe("weaknesses of the card", () => {
  it("a disk that is lost: what it was one of a quorum for is not read any more", () => {
    const all = new Nodes(numbers, three)
    all.passes = ({ to }) => to !== "n3"
    all.ask("n1", [put("x", 7)])
    all.passes = () => true
    all.states.set("n2", new Nodes(numbers, three).states.get("n2")!)
    all.passes = ({ from, to }) => from !== "n1" && to !== "n1"
    all.ask("n2", [get("x")])
    expect(all.answers).toEqual([7, 0])
  })

  it("times of day differ: what one coordinator's clock has made of a read, another's makes otherwise", () => {
    const times = {
      ...numbers,
      execute: (_: unknown, __: unknown, { now }: Machine.Moment) => ({ response: now, updates: [] })
    }
    const all = new Nodes(times, three)
    all.now = 2_000
    all.ask("n1", [get("x")])
    all.now = 1_000
    all.ask("n2", [get("x")])
    expect(all.answers).toEqual([2_000, 1_000])
  })

  it("times of updates never fall, whichever node executes", () => {
    const times: Machine.Any = {
      ...numbers,
      execute: (_: unknown, { key }: Request, { now }: Machine.Moment) => ({
        response: now,
        updates: [{ key, value: now }]
      })
    }
    const all = new Nodes(times, three)
    all.now = 2_000
    all.ask("n1", [add("x", 1)])
    all.now = 1_000
    all.ask("n2", [add("x", 1)])
    expect(all.answers).toEqual([2_000, 2_000])
  })
})

// ------------------------------------------------------------------------------------------------------------ the service

describe("the service", () => {
  it("executes on any node, and takes requests of many keys to pieces", async () => {
    const value = await world((at) =>
      Effect.gen(function* () {
        const one = yield* at("n1").invoke([put("x", 1), put("y", 2)])
        const other = yield* at("n2").invoke([get("y"), get("x")])
        yield* Effect.sleep("1 second")
        const local = yield* at("n3").invoke([get("x")], { read: "local" })
        const survey = yield* at("n3").invoke([])
        const refused = yield* Effect.flip(at("n3").invoke(Array.from({ length: 101 }, () => get("x"))))
        const { role } = yield* at("n2").status
        return [one, other, local, survey, refused._tag, role]
      })
    )
    expect(value).toEqual([[1, 2], [2, 1], [1], [2, 2, 0], "Refused", "replica"])
  })

  it("goes on without a node that is down, which catches up by what is read", async () => {
    const value = await world((at, simulator) =>
      Effect.gen(function* () {
        yield* at("n1").invoke([put("x", 1)])
        yield* simulator.crash("n3")
        const without = yield* at("n2").invoke([add("x", 1)])
        yield* simulator.restart("n3")
        yield* Effect.sleep("1 second")
        const back = yield* at("n3").invoke([get("x")])
        return [without, back, yield* at("n3").invoke([get("x")], { read: "local" })]
      })
    )
    expect(value).toEqual([[2], [2], [2]])
  })

  it("has on disk what it acknowledged, when all nodes start again", async () => {
    const value = await world((at, simulator) =>
      Effect.gen(function* () {
        yield* at("n1").invoke([put("x", 1), put("y", 5)])
        for (const node of three) yield* simulator.crash(node)
        for (const node of three) yield* simulator.restart(node)
        yield* Effect.sleep("1 second")
        return yield* at("n2").invoke([get("x"), get("y")])
      })
    )
    expect(value).toEqual([1, 5])
  })

  it("says that nothing was changed where nothing can have been accepted, and is in doubt where it can", async () => {
    const value = await world(
      (at, simulator) =>
        Effect.gen(function* () {
          yield* at("n1").invoke([put("x", 1)])
          yield* simulator.split([["n1"], ["n2", "n3"]])
          const ends = yield* Effect.all(
            [
              // Of x it has the promise of the next ballot, and accepts at once; of y it gets none.
              Effect.flip(at("n1").invoke([put("x", 2)])),
              Effect.flip(at("n1").invoke([put("y", 2)])),
              Effect.flip(at("n1").invoke([get("x")]))
            ],
            { concurrency: "unbounded" }
          )
          const later = yield* Effect.flip(at("n1").invoke([get("x")]))
          const { role } = yield* at("n1").status
          return [...ends, later].map((end) => end._tag as string).concat(role)
        }),
      { timeout: "2 seconds" }
    )
    expect(value).toEqual(["InDoubt", "Unavailable", "Unavailable", "Unavailable", "apart"])
  })

  it("brings a node that was away what it missed, also where nobody reads it, and no key that was deleted", async () => {
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
    const value = await world(
      (at, simulator) =>
        Effect.gen(function* () {
          yield* at("n1").invoke(keys.map((key) => put(key, 1)))
          yield* simulator.crash("n3")
          yield* at("n1").invoke(keys.map((key, i) => put(key, 2 * (i % 2))))
          yield* simulator.restart("n3")
          yield* Effect.sleep("8 seconds")
          const held = three.map((node) => stateAt(simulator, node).registers.byKey.size)
          return [held, (yield* at("n3").invoke([get("k0"), get("k1")], { read: "local" })).join()]
        }),
      { compareEvery: "1 second" }
    )
    expect(value).toEqual([[50, 50, 50], "0,2"])
  })

  it("forgets what was deleted while all are there", async () => {
    const value = await world((at, simulator) =>
      Effect.gen(function* () {
        for (let i = 0; i < 300; i += 50) {
          const keys = Array.from({ length: 50 }, (_, j) => `k${i + j}`)
          yield* at("n1").invoke(keys.map((key) => put(key, 1)))
          yield* at("n2").invoke(keys.map((key) => put(key, 0)))
        }
        yield* Effect.sleep("2 seconds")
        return three.map((node) => stateAt(simulator, node).registers.byKey.size)
      })
    )
    expect(value).toEqual([0, 0, 0])
  })
})
