/**
 * Histories of replicas that change a CRDT and merge each other's states, beside what the types are specified to mean: a
 * value as a function of the changes that were seen, and of which of them had seen which.
 */
import {
  BoundedCounter,
  type Crdt,
  EnableWinsFlag,
  GCounter,
  GSet,
  LwwRegister,
  MvRegister,
  OrMap,
  OrSet,
  PNCounter,
  TwoPhaseSet
} from "@troupe/gossip"
import { Result, Schema } from "effect"

/** Numbers from a seed (mulberry32). */
export const chance = (seed: number) => {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return { below, pick: <A>(all: ReadonlyArray<A>): A => all[below(all.length)]! }
}
export type Chance = ReturnType<typeof chance>

/** A change: what was done, and which changes its replica had seen by then, those of its own included. */
export interface Change {
  readonly id: number
  readonly replica: string
  readonly what: ReadonlyArray<string | number>
  readonly past: ReadonlySet<number>
}

/** A type under test. */
export interface Kind<State = any> {
  readonly name: string
  readonly crdt: Crdt<State>
  /** All that can be done, with small arguments: exhaustive histories take each. */
  readonly operations: ReadonlyArray<Change["what"]>
  /** The delta of an operation; `undefined` where it is refused. */
  readonly apply: (state: State, replica: string, what: Change["what"], nowMillis: number) => State | undefined
  readonly value: (state: State) => unknown
  /** The value that these changes mean. */
  readonly specified: (seen: ReadonlyArray<Change>) => unknown
}

const kind = <State>(it: Kind<State>): Kind => it as Kind

/** The changes of `seen` whose `what` starts so. */
const those = (seen: ReadonlyArray<Change>, ...start: Change["what"]): ReadonlyArray<Change> =>
  seen.filter(({ what }) => start.every((part, i) => what[i] === part))

/** Those of `some` that none of `others` had seen. */
const unseen = (some: ReadonlyArray<Change>, others: ReadonlyArray<Change>): ReadonlyArray<Change> =>
  some.filter(({ id }) => !others.some((other) => other.id !== id && other.past.has(id)))

const sum = (some: ReadonlyArray<Change>, at: number): number =>
  some.reduce((total, { what }) => total + (what[at] as number), 0)

const sorted = (values: Iterable<unknown>): ReadonlyArray<unknown> => [...new Set(values)].sort()

const sets = OrSet.crdt(Schema.String)
const carts = OrMap.crdt(sets)
const tallies = OrMap.crdt(PNCounter.crdt)
const titles = OrMap.crdt(LwwRegister.crdt(Schema.String))
const deep = OrMap.crdt(OrMap.crdt(MvRegister.crdt(Schema.String)))

/** What the updates of `key` by one replica have come to: each stands on the one before, if that was not removed by then. */
const contribution = (updates: ReadonlyArray<Change>, removals: ReadonlyArray<Change>): number => {
  const last = updates.at(-1)
  if (last === undefined) return 0
  const before = updates.slice(0, -1)
  const previous = before.at(-1)
  const isRemoved =
    previous !== undefined && removals.some(({ id, past }) => last.past.has(id) && past.has(previous.id))
  return (last.what[2] as number) + (isRemoved ? 0 : contribution(before, removals))
}

export const kinds: ReadonlyArray<Kind> = [
  kind<GCounter.GCounter>({
    name: "GCounter",
    crdt: GCounter.crdt,
    operations: [
      ["up", 1],
      ["up", 3]
    ],
    apply: (state, replica, [, by]) => GCounter.increment(state, replica, by as number),
    value: GCounter.value,
    specified: (seen) => sum(seen, 1)
  }),
  kind<PNCounter.PNCounter>({
    name: "PNCounter",
    crdt: PNCounter.crdt,
    operations: [
      ["up", 2],
      ["down", 3]
    ],
    apply: (state, replica, [what, by]) =>
      (what === "up" ? PNCounter.increment : PNCounter.decrement)(state, replica, by as number),
    value: PNCounter.value,
    specified: (seen) => sum(those(seen, "up"), 1) - sum(those(seen, "down"), 1)
  }),
  kind<BoundedCounter.BoundedCounter>({
    name: "BoundedCounter",
    crdt: BoundedCounter.crdt(),
    operations: [
      ["up", 2],
      ["down", 1],
      ["hand", 1, "n1"],
      ["hand", 1, "n2"]
    ],
    apply: (state, replica, [what, amount, to]) =>
      what === "up"
        ? BoundedCounter.increment(state, replica, amount as number)
        : Result.getOrUndefined(
            what === "down"
              ? BoundedCounter.decrement(state, replica, amount as number)
              : BoundedCounter.transfer(state, replica, to as string, amount as number)
          ),
    value: BoundedCounter.value,
    specified: (seen) => sum(those(seen, "up"), 1) - sum(those(seen, "down"), 1)
  }),
  kind<GSet.GSet<string>>({
    name: "GSet",
    crdt: GSet.crdt(Schema.String),
    operations: [
      ["add", "x"],
      ["add", "y"]
    ],
    apply: (state, _replica, [, element]) => GSet.add(state, element as string),
    value: (state) => sorted(state),
    specified: (seen) => sorted(seen.map(({ what }) => what[1]))
  }),
  kind<TwoPhaseSet.TwoPhaseSet<string>>({
    name: "TwoPhaseSet",
    crdt: TwoPhaseSet.crdt(Schema.String),
    operations: [
      ["add", "x"],
      ["add", "y"],
      ["remove", "x"]
    ],
    apply: (state, _replica, [what, element]) => {
      if (what === "add") return TwoPhaseSet.add(state, element as string)
      return TwoPhaseSet.has(state, element as string) ? TwoPhaseSet.remove(state, element as string) : undefined
    },
    value: (state) => sorted(TwoPhaseSet.values(state)),
    specified: (seen) => {
      const removed = new Set(those(seen, "remove").map(({ what }) => what[1]))
      return sorted(those(seen, "add").flatMap(({ what }) => (removed.has(what[1]!) ? [] : [what[1]])))
    }
  }),
  kind<LwwRegister.LwwRegister<string>>({
    name: "LwwRegister",
    crdt: LwwRegister.crdt(Schema.String),
    operations: [["set"]],
    // Each write is a value of its own, so that the last can be told.
    apply: (state, replica, _what, nowMillis) => LwwRegister.set(state, replica, `${replica} ${nowMillis}`, nowMillis),
    // Which one wins is a matter of clocks, which the history doesn't know: `lastWrites` holds the rule.
    value: () => undefined,
    specified: () => undefined
  }),
  kind<MvRegister.MvRegister<string>>({
    name: "MvRegister",
    crdt: MvRegister.crdt(Schema.String),
    operations: [["set", "x"], ["set", "y"], ["clear"]],
    apply: (state, replica, [what, value]) =>
      what === "set" ? MvRegister.set(state, replica, value as string) : MvRegister.clear(state),
    value: (state) => MvRegister.values(state).toSorted(),
    specified: (seen) =>
      unseen(those(seen, "set"), seen)
        .map(({ what }) => what[1])
        .sort()
  }),
  kind<OrSet.OrSet<string>>({
    name: "OrSet",
    crdt: sets,
    operations: [["add", "x"], ["remove", "x"], ["add", "y"], ["clear"]],
    apply: (state, replica, [what, element]) =>
      what === "add"
        ? OrSet.add(state, replica, element as string)
        : what === "remove"
          ? OrSet.remove(state, element as string)
          : OrSet.clear(state),
    value: (state) => sorted(OrSet.values(state)),
    specified: (seen) =>
      sorted(
        ["x", "y"].filter(
          (element) =>
            unseen(those(seen, "add", element), [...those(seen, "remove", element), ...those(seen, "clear")]).length > 0
        )
      )
  }),
  kind<EnableWinsFlag.EnableWinsFlag>({
    name: "EnableWinsFlag",
    crdt: EnableWinsFlag.crdt,
    operations: [["enable"], ["disable"]],
    apply: (state, replica, [what]) =>
      what === "enable" ? EnableWinsFlag.enable(state, replica) : EnableWinsFlag.disable(state),
    value: EnableWinsFlag.isEnabled,
    specified: (seen) => unseen(those(seen, "enable"), those(seen, "disable")).length > 0
  }),
  kind<Parameters<typeof carts.get>[0]>({
    name: "OrMap of OrSet",
    crdt: carts,
    operations: [
      ["add", "k", "x"],
      ["add", "k", "y"],
      ["take", "k", "x"],
      ["add", "l", "x"],
      ["remove", "k"]
    ],
    apply: (state, replica, [what, key, element]) =>
      what === "remove"
        ? carts.remove(state, key as string)
        : carts.update(state, replica, key as string, (set, name) =>
            what === "add" ? OrSet.add(set, name, element as string) : OrSet.remove(set, element as string)
          ),
    value: (state) => [...carts.value(state)].map(([key, set]) => [key, sorted(set)]).sort(),
    specified: (seen) =>
      ["k", "l"].flatMap((key) => {
        const there = ["x", "y"].filter(
          (element) =>
            unseen(those(seen, "add", key, element), [
              ...those(seen, "take", key, element),
              ...those(seen, "remove", key)
            ]).length > 0
        )
        return there.length === 0 ? [] : [[key, there]]
      })
  }),
  kind<Parameters<typeof tallies.get>[0]>({
    name: "OrMap of PNCounter",
    crdt: tallies,
    operations: [
      ["up", "k", 1],
      ["up", "k", 5],
      ["up", "l", 1],
      ["remove", "k"]
    ],
    apply: (state, replica, [what, key, by]) =>
      what === "remove"
        ? tallies.remove(state, key as string)
        : tallies.update(state, replica, key as string, (counter, name) =>
            PNCounter.increment(counter, name, by as number)
          ),
    value: (state) => [...tallies.value(state)].sort(),
    specified: (seen) =>
      ["k", "l"].flatMap((key) => {
        const removals = those(seen, "remove", key)
        const replicas = sorted(seen.map(({ replica }) => replica))
        const counts = replicas.flatMap((replica) => {
          const updates = those(seen, "up", key).filter((each) => each.replica === replica)
          return unseen(updates.slice(-1), removals).length === 0 ? [] : [contribution(updates, removals)]
        })
        return counts.length === 0 ? [] : [[key, counts.reduce((a, b) => a + b)]]
      })
  }),
  kind<Parameters<typeof titles.get>[0]>({
    name: "OrMap of LwwRegister",
    crdt: titles,
    operations: [
      ["set", "k"],
      ["set", "l"],
      ["remove", "k"]
    ],
    apply: (state, replica, [what, key], nowMillis) =>
      what === "remove"
        ? titles.remove(state, key as string)
        : titles.update(state, replica, key as string, (register, name) =>
            LwwRegister.set(register, name, `${name} ${nowMillis}`, nowMillis)
          ),
    value: (state) => [...titles.value(state).keys()].sort(),
    specified: (seen) =>
      ["k", "l"].filter((key) =>
        sorted(seen.map(({ replica }) => replica)).some((replica) => {
          const last = those(seen, "set", key)
            .filter((each) => each.replica === replica)
            .slice(-1)
          return unseen(last, those(seen, "remove", key)).length > 0
        })
      )
  }),
  kind<Parameters<typeof deep.get>[0]>({
    name: "OrMap of OrMap of MvRegister",
    crdt: deep,
    operations: [
      ["set", "k", "a", "x"],
      ["set", "k", "a", "y"],
      ["set", "k", "b", "x"],
      ["drop", "k", "a"],
      ["remove", "k"]
    ],
    apply: (state, replica, [what, key, inner, value]) => {
      if (what === "remove") return deep.remove(state, key as string)
      const values = OrMap.crdt(MvRegister.crdt(Schema.String))
      return deep.update(state, replica, key as string, (map, name) =>
        what === "drop"
          ? values.remove(map, inner as string)
          : values.update(map, name, inner as string, (register, own) => MvRegister.set(register, own, value as string))
      )
    },
    value: (state) =>
      [...(deep.value(state).get("k") ?? [])].map(([inner, values]) => [inner, values.toSorted()]).sort(),
    specified: (seen) =>
      ["a", "b"].flatMap((inner) => {
        const writes = those(seen, "set", "k", inner)
        const left = unseen(writes, [...writes, ...those(seen, "drop", "k", inner), ...those(seen, "remove", "k")])
        return left.length === 0 ? [] : [[inner, left.map(({ what }) => what[3]).sort()]]
      })
  })
]

/** One replica in a history. */
export interface Replica<State = any> {
  state: State
  readonly seen: Set<number>
}

/** Replicas that change and merge, and all that they did. */
export class History<State = any> {
  readonly kind: Kind<State>
  readonly names: ReadonlyArray<string>
  readonly replicas: ReadonlyMap<string, Replica<State>>
  readonly changes: Array<Change> = []
  readonly deltas: Array<State> = []

  constructor(kind: Kind<State>, names: ReadonlyArray<string>) {
    this.kind = kind
    this.names = names
    this.replicas = new Map(names.map((name) => [name, { state: kind.crdt.empty, seen: new Set() }]))
  }

  change(name: string, what: Change["what"], nowMillis = 0): void {
    const replica = this.replicas.get(name)!
    const delta = this.kind.apply(replica.state, name, what, nowMillis)
    if (delta === undefined) return
    const id = this.changes.length
    this.changes.push({ id, replica: name, what, past: new Set(replica.seen) })
    this.deltas.push(delta)
    replica.seen.add(id)
    replica.state = this.kind.crdt.merge(replica.state, delta)
  }

  merge(from: string, to: string): void {
    const source = this.replicas.get(from)!
    const target = this.replicas.get(to)!
    target.state = this.kind.crdt.merge(target.state, source.state)
    for (const id of source.seen) target.seen.add(id)
  }

  /** The value of a replica, and the one that its changes mean. */
  compare(name: string): { readonly value: unknown; readonly specified: unknown } {
    const { seen, state } = this.replicas.get(name)!
    return {
      value: this.kind.value(state),
      specified: this.kind.specified(this.changes.filter(({ id }) => seen.has(id)))
    }
  }

  /** What all replicas have together. */
  joined(): State {
    return [...this.replicas.values()].reduce<State>(
      (joined, { state }) => this.kind.crdt.merge(joined, state),
      this.kind.crdt.empty
    )
  }
}

/** A history of so many steps: changes, and merges of whole states. */
export const draw = <State>(kind: Kind<State>, seed: number, steps: number, names = ["n1", "n2", "n3"]) => {
  const from = chance(seed)
  const history = new History(kind, names)
  for (let i = 0; i < steps; i++) {
    if (from.below(3) > 0) history.change(from.pick(names), from.pick(kind.operations), from.below(50))
    else history.merge(from.pick(names), from.pick(names))
  }
  return { history, from }
}
