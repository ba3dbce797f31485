import { Codec } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { type Chance, draw, History, type Kind, kinds } from "./crdtHistories.ts"

const histories = 200
const steps = 24

const shuffled = <A>(all: ReadonlyArray<A>, { below }: Chance): ReadonlyArray<A> => {
  const left = [...all]
  return Array.from({ length: left.length }, () => left.splice(below(left.length), 1)[0]!)
}

describe.each(kinds.map((kind) => [kind.name, kind] as const))(
  "%s, over histories of three replicas",
  (_name, kind) => {
    const { crdt } = kind
    const each = (check: (drawn: ReturnType<typeof draw>, seed: number) => void): void => {
      for (let seed = 1; seed <= histories; seed++) check(draw(kind, seed, steps), seed)
    }
    const same = (first: unknown, second: unknown, what: unknown): void => {
      if (!crdt.equals(first, second)) expect({ what, first }).toEqual({ what, first: second })
    }
    /** Three of the states and deltas of a history. */
    const three = ({ from, history }: ReturnType<typeof draw>): ReadonlyArray<unknown> => {
      const all = [...history.deltas, ...[...history.replicas.values()].map(({ state }) => state), crdt.empty]
      return [from.pick(all), from.pick(all), from.pick(all)]
    }

    it("merge is commutative, associative and idempotent, for states and deltas; empty is its identity", () => {
      each((drawn, seed) => {
        const [a, b, c] = three(drawn)
        same(crdt.merge(a, b), crdt.merge(b, a), { law: "commutative", seed })
        same(crdt.merge(crdt.merge(a, b), c), crdt.merge(a, crdt.merge(b, c)), { law: "associative", seed })
        expect(crdt.merge(a, a)).toBe(a)
        for (const { state } of drawn.history.replicas.values()) {
          expect(crdt.merge(state, crdt.empty)).toBe(state)
          same(crdt.merge(crdt.empty, state), state, { law: "identity", seed })
          // What a state includes changes nothing, and costs no new state.
          const known = crdt.merge(state, a)
          expect(crdt.merge(known, a)).toBe(known)
        }
      })
    })

    it("deltas in any order, doubled, and joined in groups come to what the full states come to", () => {
      each(({ from, history }, seed) => {
        const expected = history.joined()
        const some = shuffled([...history.deltas, ...history.deltas.filter(() => from.below(2) === 0)], from)
        same(some.reduce(crdt.merge, crdt.empty), expected, { way: "one by one", seed })
        const groups: Array<unknown> = []
        for (let i = 0; i < some.length;) {
          const end = i + 1 + from.below(5)
          groups.push(some.slice(i, end).reduce(crdt.merge))
          i = end
        }
        same(shuffled(groups, from).reduce(crdt.merge, crdt.empty), expected, { way: "in groups", seed })
      })
    })

    it("its value is what the changes seen mean, and which of them had seen which", () => {
      for (let seed = 1; seed <= histories; seed++) {
        const { history } = draw(kind, seed, steps)
        for (const name of history.names) {
          const { specified, value } = history.compare(name)
          expect({ seed, name, value }).toEqual({ seed, name, value: specified })
        }
      }
    })

    it("a state goes over the wire as it is, and so does a delta", () => {
      const codec = Codec.binary(crdt.schema as Codec.MessageSchema<unknown>)
      const json = Codec.json(crdt.schema as Codec.MessageSchema<unknown>)
      for (let seed = 1; seed <= 40; seed++) {
        const drawn = draw(kind, seed, steps)
        for (const state of [...three(drawn), drawn.history.joined()]) {
          same(Codec.decode(codec, Codec.encode(codec, state)), state, { seed })
          same(Codec.decode(json, Codec.encode(json, state)), state, { seed })
        }
        // What was a delta works as one.
        const received = drawn.history.deltas.map((delta) => Codec.decode(codec, Codec.encode(codec, delta)))
        same(received.reduce(crdt.merge, crdt.empty), drawn.history.joined(), { seed })
      }
    })

    it("a state that is divided, again and again, is together what it was, in any order", () => {
      const divide = (state: unknown): ReadonlyArray<unknown> => crdt.halves(state)?.flatMap(divide) ?? [state]
      for (let seed = 1; seed <= 60; seed++) {
        const { from, history } = draw(kind, seed, steps)
        const base = from.pick([...history.replicas.values()]).state
        for (const state of [history.joined(), ...history.deltas]) {
          const parts = shuffled(divide(state), from)
          same(parts.reduce(crdt.merge, base), crdt.merge(base, state), { seed })
          same(parts.reduce(crdt.merge, crdt.empty), crdt.merge(crdt.empty, state), { seed })
        }
      }
    })

    it("replicas that prune the same after all have seen the same of the departed go on as before", () => {
      for (let seed = 1; seed <= 60; seed++) {
        const { from, history } = draw(kind, seed, steps)
        for (const to of ["n1", "n2"]) history.merge("n3", to)
        // Some of what the live ones did is not known to both yet.
        history.change("n1", from.pick(kind.operations), 60)
        const pruned = ["n1", "n2"].map((name) => crdt.prune(history.replicas.get(name)!.state, ["n3"]))
        const whole = crdt.prune(crdt.merge(history.replicas.get("n1")!.state, history.replicas.get("n2")!.state), [
          "n3"
        ])
        same(crdt.merge(pruned[0], pruned[1]), whole, { seed })
        expect(kind.value(whole)).toEqual(kind.value(history.joined()))
        expect(crdt.known(whole, "n3")).toBe(0)
      }
    })
  }
)

/** Every history of two replicas of so many steps: changes of a few kinds, and merges either way. */
const exhaust = (kind: Kind, operations: Kind["operations"], length: number): number => {
  const names = ["n1", "n2"]
  const moves: ReadonlyArray<(history: History) => void> = [
    ...names.flatMap((name) => operations.map((what) => (history: History) => history.change(name, what))),
    (history) => history.merge("n1", "n2"),
    (history) => history.merge("n2", "n1")
  ]
  let count = 0
  for (let number = 0; number < moves.length ** length; number++) {
    const history = new History(kind, names)
    for (let i = 0, left = number; i < length; i++, left = Math.floor(left / moves.length)) {
      moves[left % moves.length]!(history)
    }
    for (const name of names) {
      const { specified, value } = history.compare(name)
      if (JSON.stringify(value) !== JSON.stringify(specified)) {
        expect({ history: history.changes, name, value }).toEqual({ history: history.changes, name, value: specified })
      }
    }
    count++
  }
  return count
}

describe("every history of two replicas", () => {
  it.each([
    [
      "OrSet",
      [
        ["add", "x"],
        ["remove", "x"]
      ],
      6,
      46_656
    ],
    ["EnableWinsFlag", [["enable"], ["disable"]], 5, 7_776],
    ["MvRegister", [["set", "x"], ["clear"]], 5, 7_776],
    [
      "OrMap of PNCounter",
      [
        ["up", "k", 1],
        ["remove", "k"]
      ],
      5,
      7_776
    ],
    [
      "OrMap of OrSet",
      [
        ["add", "k", "x"],
        ["take", "k", "x"],
        ["remove", "k"]
      ],
      5,
      32_768
    ]
  ] as const)("%s means what is specified: %j, %d steps", (name, operations, length, count) => {
    expect(
      exhaust(
        kinds.find((kind) => kind.name === name)!,
        operations,
        length
      )
    ).toBe(count)
  })
})

describe("a planted fault is found by what the changes mean", () => {
  const named = (name: string): Kind => kinds.find((kind) => kind.name === name)!
  /** The type, with the context of each delta changed. */
  const mutant = (name: string, context: (delta: any, state: any) => unknown): Kind => {
    const kind = named(name)
    return {
      ...kind,
      apply: (state, replica, what, nowMillis) => {
        const delta = kind.apply(state, replica, what, nowMillis)
        return { ...delta, context: context(delta, state) }
      }
    }
  }
  const onlyNew = ({ context, store }: any) => {
    const dots = Array.isArray(store) ? store : [...store.entries].flatMap(([, each]) => each)
    return { ...context, replicas: new Map(dots.map((dot: any) => [dot.replica, [dot.counter, dot.counter]])) }
  }
  it.each([
    ["a write that leaves what it has seen beside it", mutant("MvRegister", onlyNew)],
    ["a remove that removes nothing", mutant("OrSet", onlyNew)],
    ["a disable that puts out nothing", mutant("EnableWinsFlag", onlyNew)]
  ])("%s", (_fault, kind) => {
    const wrong = Array.from({ length: 20 }, (_, i) => draw(kind, i + 1, steps).history).filter((history) =>
      history.names.some((name) => {
        const { specified, value } = history.compare(name)
        return JSON.stringify(specified) !== JSON.stringify(value)
      })
    )
    expect(wrong.length).toBeGreaterThan(0)
  })
})
