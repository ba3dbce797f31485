import {
  BoundedCounter,
  CounterOverflow,
  type Crdt,
  EnableWinsFlag,
  GCounter,
  InvalidAmount,
  LwwRegister,
  MvRegister,
  OrMap,
  OrSet,
  PNCounter,
  PrunedDifferently,
  ReplicaReused
} from "@troupe/gossip"
import { Codec } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { draw, History, kinds } from "./crdtHistories.ts"

const names = OrSet.crdt(Schema.String)
const kindOf = (name: string) => kinds.find((kind) => kind.name === name)!

describe("counters", () => {
  it("a count stops at 2^53 − 1, with a typed error, and so does a sum", () => {
    const { empty, merge } = GCounter.crdt
    const most = merge(empty, GCounter.increment(empty, "n1", Number.MAX_SAFE_INTEGER))
    expect(() => GCounter.increment(most, "n1")).toThrow(CounterOverflow)
    const two = merge(most, GCounter.increment(empty, "n2"))
    expect(() => GCounter.value(two)).toThrow("a G-counter would pass 2^53 − 1")
    expect(() => GCounter.value(GCounter.prune(two, ["n1"]))).toThrow(CounterOverflow)
    expect(() => PNCounter.increment({ up: most, down: empty }, "n1")).toThrow(CounterOverflow)
    const stock = BoundedCounter.increment(BoundedCounter.empty, "n1", Number.MAX_SAFE_INTEGER)
    expect(() => BoundedCounter.increment(stock, "n1")).toThrow(CounterOverflow)
  })

  it.each([0, -1, 1.5, Number.NaN, 2 ** 53])("%d is no amount to count by", (amount) => {
    expect(() => GCounter.increment(GCounter.empty, "n1", amount)).toThrow(InvalidAmount)
    expect(() => BoundedCounter.decrement(BoundedCounter.empty, "n1", amount)).toThrow(InvalidAmount)
  })

  it("the dots of a replica stop at 2^53 − 1", () => {
    const context = { ...names.empty.context, replicas: new Map([["n1", [1, Number.MAX_SAFE_INTEGER]]]) }
    const full: OrSet.OrSet<string> = { store: names.empty.store, context }
    expect(() => OrSet.add(full, "n1", "x")).toThrow(CounterOverflow)
    expect(OrSet.has(names.merge(full, OrSet.add(full, "n2", "x")), "x")).toBe(true)
  })

  it("a removed counter of a map starts at 0 again (Baquero, Almeida & Lerche 2016)", () => {
    const votes = OrMap.crdt(GCounter.crdt)
    const up = (by: number) => (counter: GCounter.GCounter, replica: string) => GCounter.increment(counter, replica, by)
    const five = votes.merge(votes.empty, votes.update(votes.empty, "n1", "k", up(5)))
    const removed = votes.merge(five, votes.remove(five, "k"))
    const again = votes.merge(removed, votes.update(removed, "n1", "k", up(1)))
    // n2 counted in the meantime, on what was removed: that stays, and nothing is lost of either.
    const concurrent = votes.merge(five, votes.update(five, "n2", "k", up(2)))
    expect(votes.value(again).get("k")).toBe(1)
    expect(votes.value(votes.merge(again, concurrent)).get("k")).toBe(3)
  })
})

describe("the bounded counter (Balegas et al. 2015)", () => {
  const { crdt, decrement, increment, rights, transfer } = BoundedCounter
  const { empty, merge } = crdt()

  it("a replica takes no more than it has the right to, and is told so", () => {
    const stock = increment(empty, "n1", 3)
    expect(Result.getOrThrow(Result.flip(decrement(stock, "n2", 1)))).toMatchObject({
      _tag: "InsufficientRights",
      rights: 0,
      asked: 1
    })
    const shared = merge(stock, Result.getOrThrow(transfer(stock, "n1", "n2", 2)))
    expect([rights(shared, "n1"), rights(shared, "n2")]).toEqual([1, 2])
    expect(Result.isFailure(decrement(shared, "n1", 2))).toBe(true)
    expect(Result.isFailure(transfer(shared, "n1", "n2", 2))).toBe(true)
    expect(BoundedCounter.value(merge(shared, Result.getOrThrow(decrement(shared, "n2", 2))))).toBe(1)
  })

  it("counts from a bound other than 0", () => {
    expect(crdt({ minimum: -5 }).value(increment(empty, "n1", 2))).toBe(-3)
  })

  it("rights that the departed gave stay given, and those that it had are lost", () => {
    const created = merge(increment(empty, "n1", 5), increment(empty, "n2", 1))
    const given = merge(created, Result.getOrThrow(transfer(created, "n1", "n2", 2)))
    const pruned = BoundedCounter.prune(given, ["n1"])
    expect([BoundedCounter.value(pruned), rights(pruned, "n1"), rights(pruned, "n2")]).toEqual([6, 0, 3])
  })

  /** Every schedule of so many steps of two replicas, whose deltas are delivered one by one, in any order, or lost. */
  const search = (apply: (state: BoundedCounter.BoundedCounter, replica: string) => unknown, steps: number) => {
    type Node = Readonly<Record<string, BoundedCounter.BoundedCounter>>
    let states = 0
    let lowest = 0
    const seen = new Set<string>()
    const print = (state: unknown): string =>
      JSON.stringify(state, (_, value) => (value instanceof Map ? [...value].sort() : value))
    const visit = (node: Node, deltas: ReadonlyArray<BoundedCounter.BoundedCounter>, left: number): void => {
      const key = print([node, deltas.map(print).sort(), left])
      if (seen.has(key)) return
      seen.add(key)
      states++
      const all = deltas.reduce(merge, empty)
      lowest = Math.min(lowest, ...[...Object.values(node), all].map(BoundedCounter.value))
      if (left === 0) return
      for (const name of Object.keys(node)) {
        const own = node[name]!
        const to = name === "n1" ? "n2" : "n1"
        const changes = [
          ...(deltas.length < 2 ? [increment(own, name, 2)] : []),
          apply(own, name) as BoundedCounter.BoundedCounter | undefined,
          Result.getOrUndefined(transfer(own, name, to, 1))
        ]
        for (const delta of changes) {
          if (delta !== undefined) visit({ ...node, [name]: merge(own, delta) }, [...deltas, delta], left - 1)
        }
        for (const delta of deltas) {
          const next = merge(own, delta)
          if (next !== own) visit({ ...node, [name]: next }, deltas, left - 1)
        }
      }
    }
    visit({ n1: empty, n2: empty }, [], steps)
    return { states, lowest }
  }

  it("is nowhere below its bound, in every schedule of two replicas and eight steps", () => {
    const { lowest, states } = search((state, name) => Result.getOrUndefined(decrement(state, name, 1)), 8)
    expect(lowest).toBe(0)
    expect(states).toBe(2_735)
  })

  it("a replica that goes by the value in place of its rights is found to break the bound", () => {
    const careless = (state: BoundedCounter.BoundedCounter, name: string) =>
      BoundedCounter.value(state) < 1
        ? undefined
        : { ...state, handed: new Map(), spent: new Map([[name, (state.spent.get(name) ?? 0) + 1]]) }
    expect(search(careless, 7).lowest).toBeLessThan(0)
  })
})

describe("registers", () => {
  const title = LwwRegister.crdt(Schema.String)

  it("a write that had seen another one wins, however the clocks differ", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const { history } = draw(kindOf("LwwRegister"), seed, 20)
      for (const { seen, state } of history.replicas.values()) {
        const winner = history.deltas.findIndex((delta) => title.equals(delta, state))
        if (seen.size === 0) continue
        const later = history.changes.filter(({ id, past }) => seen.has(id) && past.has(winner))
        expect({ seed, later }).toEqual({ seed, later: [] })
      }
    }
  })

  it("of two writes at one time that of the greater replica wins", () => {
    const one = LwwRegister.set(title.empty, "n1", "one", 5)
    const two = LwwRegister.set(title.empty, "n2", "two", 5)
    expect(title.value(title.merge(two, one))).toBe("two")
    expect(title.merge(one, two)).toBe(two)
  })

  it("two writes of one replica at one time are a replica that was used again", () => {
    const write = (value: string) => LwwRegister.set(title.empty, "n1", value, 5)
    expect(() => title.merge(write("a"), write("b"))).toThrow(ReplicaReused)
    const room = MvRegister.crdt(Schema.String)
    const first = MvRegister.set(room.empty, "n1", "a")
    expect(() => room.merge(first, MvRegister.set(room.empty, "n1", "b"))).toThrow(
      'Replica "n1" is not the one that it was: its change 1 is two different ones'
    )
  })
})

describe("sets and flags", () => {
  it("of an add and a remove at the same time the add wins, of an enable and a disable the enable", () => {
    const set = names.merge(names.empty, OrSet.add(names.empty, "n1", "x"))
    const both = names.merge(names.merge(set, OrSet.remove(set, "x")), OrSet.add(set, "n2", "x"))
    expect(OrSet.has(both, "x")).toBe(true)
    expect(OrSet.has(names.merge(both, OrSet.remove(both, "x")), "x")).toBe(false)
    const { empty, merge } = EnableWinsFlag.crdt
    const on = merge(empty, EnableWinsFlag.enable(empty, "n1"))
    expect(EnableWinsFlag.isEnabled(merge(EnableWinsFlag.disable(on), EnableWinsFlag.enable(on, "n2")))).toBe(true)
  })

  it("elements that are equal are one", () => {
    const points = OrSet.crdt(Schema.Struct({ x: Schema.Int }))
    const both = points.merge(OrSet.add(points.empty, "n1", { x: 1 }), OrSet.add(points.empty, "n2", { x: 1 }))
    expect([...OrSet.values(both)]).toEqual([{ x: 1 }])
  })

  it("what was removed leaves nothing behind: ten thousand adds and removes are one range", () => {
    let set = names.empty
    for (let i = 0; i < 10_000; i++) {
      set = names.merge(set, OrSet.add(set, "n1", `${i % 100}`))
      set = names.merge(set, OrSet.remove(set, `${i % 100}`))
    }
    expect(OrSet.size(set)).toBe(0)
    expect([...set.context.replicas]).toEqual([["n1", [1, 10_000]]])
    expect(Codec.encode(Codec.binary(names.schema), set).length).toBeLessThan(40)
  })

  it("what comes early makes a gap, and the gap closes", () => {
    const deltas = Array.from({ length: 5 }).reduce<ReadonlyArray<OrSet.OrSet<string>>>(
      (all, _, i) => [...all, OrSet.add(all.reduce(names.merge, names.empty), "n1", `${i}`)],
      []
    )
    const gaps = [4, 0, 2].map((i) => deltas[i]!).reduce(names.merge, names.empty)
    expect([...gaps.context.replicas]).toEqual([["n1", [1, 1, 3, 3, 5, 5]]])
    expect([...[1, 3].map((i) => deltas[i]!).reduce(names.merge, gaps).context.replicas]).toEqual([["n1", [1, 5]]])
  })
})

describe("pruning departed replicas", () => {
  const setUp = () => {
    const history = new History<OrSet.OrSet<string>>(kindOf("OrSet"), ["n1", "n2", "n3"])
    for (const what of ["x", "y"]) history.change("n3", ["add", what])
    const [n1, n2, n3] = ["n1", "n2", "n3"].map((name) => history.replicas.get(name)!)
    return { n1: n1!, n2: n2!, n3: n3!, history }
  }

  it("a hundred that have departed take the place of one name", () => {
    let set = names.empty
    const lives = Array.from({ length: 100 }, (_, life) => `n1.${life}`)
    for (const life of lives) set = names.merge(set, OrSet.add(set, life, "x"))
    expect(set.context.replicas.size).toBe(100)
    const pruned = names.prune(set, lives)
    expect([...pruned.context.replicas]).toEqual([["", [1, 100]]])
    expect([...OrSet.values(pruned)]).toEqual(["x"])
  })

  it("who has pruned and who has not refuse each other, until both have", () => {
    const { history, n1, n2 } = setUp()
    history.merge("n3", "n1")
    history.merge("n3", "n2")
    const pruned = names.prune(n1.state, ["n3"])
    expect(() => names.merge(pruned, n2.state)).toThrow(PrunedDifferently)
    expect(() => names.merge(n2.state, OrSet.remove(pruned, "x"))).toThrow("Prune the one that is behind")
    expect(names.merge(pruned, names.prune(n2.state, ["n3"]))).toBe(pruned)
  })

  it("broken rule: one had not merged all of the departed: found at the first merge, nothing is mixed up", () => {
    const { history, n1, n2, n3 } = setUp()
    history.merge("n3", "n1")
    history.merge("n3", "n2")
    history.change("n3", ["add", "z"])
    history.merge("n3", "n1")
    const [one, two] = [n1, n2].map(({ state }) => names.prune(state, ["n3"]))
    expect(() => names.merge(one!, two!)).toThrow("begin anew from one replica's state")
    // The departed comes back after all.
    expect(() => names.merge(one!, n3.state)).toThrow(PrunedDifferently)
  })

  it("broken rule: others were pruned, or in another order: found too", () => {
    const { history, n1, n2 } = setUp()
    history.change("n1", ["add", "a"])
    for (const [from, to] of [
      ["n3", "n1"],
      ["n1", "n2"],
      ["n2", "n1"]
    ] as const) {
      history.merge(from, to)
    }
    const once = names.prune(names.prune(n1.state, ["n3"]), ["n1"])
    const other = names.prune(names.prune(n2.state, ["n1"]), ["n3"])
    expect(() => names.merge(once, other)).toThrow(PrunedDifferently)
  })

  it.each(["GCounter", "PNCounter", "BoundedCounter"])("%s too finds out that one had not merged all", (name) => {
    const kind = kindOf(name)
    const history = new History(kind, ["n1", "n2", "n3"])
    history.change("n3", ["up", 2])
    history.merge("n3", "n1")
    history.change("n3", ["up", 2])
    history.merge("n3", "n2")
    const crdt: Crdt<unknown> = kind.crdt
    const [one, two] = ["n1", "n2"].map((each) => crdt.prune(history.replicas.get(each)!.state, ["n3"]))
    expect(() => crdt.merge(one, two)).toThrow(PrunedDifferently)
  })

  it("a newcomer, with an empty state, takes over the state of those who have pruned", () => {
    const { history, n1 } = setUp()
    history.merge("n3", "n1")
    const pruned = names.prune(n1.state, ["n3"])
    expect(names.equals(names.merge(names.empty, pruned), pruned)).toBe(true)
  })
})

describe("a replica whose name is used again after its state was lost", () => {
  it("its changes are taken for old ones, which is why it must not: an add is lost in silence", () => {
    const set = names.merge(names.empty, OrSet.addAll(names.empty, "n1", ["a", "b"]))
    const reborn = OrSet.add(names.empty, "n1", "c")
    expect(OrSet.has(names.merge(set, reborn), "c")).toBe(false)
    expect(names.known(set, "n1")).toBeGreaterThan(names.known(reborn, "n1"))
  })
})

describe("what is malformed is refused", () => {
  const codec = Codec.json(names.schema)
  const decode = (text: string) => Codec.decode(codec, new TextEncoder().encode(text))
  const state = (replicas: string, entries = "[]") =>
    `{"context":{"epoch":{"prunings":0,"fingerprint":0},"replicas":${replicas}},"store":{"entries":${entries},"lists":false}}`

  it("an empty state as it travels", () => {
    expect(names.equals(decode(state("[]")), names.empty)).toBe(true)
  })

  it.each([
    ["ranges that touch", state('[["n1",[1,2,3,4]]]')],
    ["a range that ends before it starts", state('[["n1",[2,1]]]')],
    ["half a range", state('[["n1",[1]]]')],
    ["a count below 1", state('[["n1",[0,1]]]')],
    ["a replica twice", state('[["n1",[1,1]],["n1",[3,3]]]')],
    ["a dot twice", state('[["n1",[1,1]]]', '[["x",[{"replica":"n1","counter":1},{"replica":"n1","counter":1}]]]')]
  ])("%s", (_what, text) => {
    expect(() => decode(text)).toThrow(/expected/i)
  })
})
