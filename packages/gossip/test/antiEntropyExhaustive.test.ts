/** Every interleaving of a few replicas that compare their stores, with loss and a crash, to the end. */
import type { Card, Protocol } from "@troupe/actor"
import { AntiEntropy, MerkleTree, SetSketch } from "@troupe/gossip"
import { Checker, Property, System } from "@troupe/model-checker"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { storeOf } from "./antiEntropy/pair.ts"
import { nodesOf } from "./epidemic/rounds.ts"

type Values = Readonly<Record<string, string>>
interface State {
  readonly inner: AntiEntropy.State
  readonly values: Values
}
type Command = { readonly _tag: "Write"; readonly key: string; readonly value: string }
type Act = Protocol.Actions<AntiEntropy.Message, never, AntiEntropy.Timer, AntiEntropy.Options>

const { protocol } = AntiEntropy

/** Planted: the index is not told of what a merge changed; or the store keeps what it has, whatever comes. */
type Fault = "untold" | "stubborn" | undefined

/** All stores have these from the start, so that they are too many to be listed at once. */
const common: Values = Object.fromEntries(Array.from({ length: 34 }, (_, i) => [`key ${10 + i}`, "1"]))

/** The protocol together with a store of which it is the index, as one machine. */
const stored = (
  fault: Fault
): Protocol.Protocol<State, AntiEntropy.Message, Command, never, AntiEntropy.Timer, AntiEntropy.Options> => {
  const run = (values: Values, act: Act, handler: (act: AntiEntropyAct) => AntiEntropy.State): State => {
    const held = new Map(Object.entries(values))
    const store = storeOf(held)
    const events: Array<AntiEntropy.Event> = []
    const inward: AntiEntropyAct = {
      self: act.self,
      send: (to, message) => act.send(to, message),
      sendAll: (to, message) => act.sendAll(to, message),
      setTimer: (timer, delayMillis) => act.setTimer(timer, delayMillis),
      clearTimer: (timer) => act.clearTimer(timer),
      emit: (event) => void events.push(event),
      now: () => act.now(),
      monotonic: () => act.monotonic(),
      random: () => act.random()
    }
    let inner = handler(inward)
    for (let event = events.shift(); event !== undefined; event = events.shift()) {
      if (event._tag === "Fetch") {
        const entries = event.keys.map((key) => ({ key, value: store.read(key)! }))
        inner = protocol.onCommand(inner, { _tag: "Give", to: event.to, entries }, inward)
      } else if (event._tag === "Received") {
        for (const { key, value } of event.entries) {
          if (fault !== "stubborn" || !held.has(key)) store.merge(key, value, event.from)
        }
        const changes = event.entries.map(({ key }) => ({ key, version: held.get(key) }))
        if (fault === "untold") continue
        inner = protocol.onCommand(inner, { _tag: "Changed", changes }, inward)
      }
    }
    // How often it was handed something would make each state a new one.
    const kept = { ...inner, sketch: SetSketch.settled(inner.sketch), received: Math.min(1, inner.received) }
    return { inner: kept, values: Object.fromEntries([...held].toSorted()) }
  }
  return {
    name: protocol.name,
    message: protocol.message,
    init: (self) => ({ inner: protocol.init(self), values: common }),
    onStart: ({ inner, values }, act) =>
      run(values, act, (inward) => {
        const entries = Object.entries(values).map(([key, version]) => ({ key, version }))
        return protocol.onStart!(protocol.onCommand(inner, { _tag: "Load", entries }, inward), inward)
      }),
    onCommand: ({ inner, values }, { key, value }, act) =>
      run({ ...values, [key]: value }, act, (inward) =>
        protocol.onCommand(inner, { _tag: "Changed", changes: [{ key, version: value }] }, inward)
      ),
    onMessage: ({ inner, values }, from, message, act) =>
      run(values, act, (inward) => protocol.onMessage(inner, from, message, inward)),
    onTimeout: ({ inner, values }, timer, act) =>
      run(values, act, (inward) => protocol.onTimeout!(inner, timer, inward))
  }
}

type AntiEntropyAct = Protocol.Actions<AntiEntropy.Message, AntiEntropy.Event, AntiEntropy.Timer, AntiEntropy.Options>

const innerOf = (nodes: Card.Snapshot<State>): Card.Snapshot<AntiEntropy.State> =>
  nodes.map(({ alive, node, state }) => ({ alive, node, state: state.inner }))

const check = (given: {
  readonly options: Partial<AntiEntropy.Options>
  readonly nodes: number
  readonly network?: System.Network
  readonly crashes?: System.Crashes
  readonly fault?: Fault
}) => {
  const nodes = nodesOf(given.nodes)
  const options: AntiEntropy.Options = {
    ...AntiEntropy.defaults,
    fanOut: 2,
    depth: 1,
    packetBytes: 512,
    messagesPerRound: 4,
    ...given.options
  }
  return Effect.runPromise(
    Checker.check(
      System.make({
        name: protocol.name,
        members: System.members(stored(given.fault), nodes, options),
        network: given.network ?? {},
        ...(given.crashes === undefined ? {} : { crashes: given.crashes }),
        timeouts: "synchronous",
        random: [0],
        user: {
          memo: 0,
          // Two write the same key, and one of them another.
          moves: ({ memo, node }): ReadonlyArray<System.Move<Command, number>> =>
            memo === 0 && node !== "n3"
              ? [{ _tag: "Command", command: { _tag: "Write", key: "a", value: node }, memo: node === "n1" ? 1 : 2 }]
              : memo === 1
                ? [{ _tag: "Command", command: { _tag: "Write", key: "b", value: node }, memo: 2 }]
                : []
        },
        properties: [
          Property.always("the index is of the store", ({ nodes: all }: System.View<State>) =>
            all.every(({ state: { inner, values } }) => {
              const entries = Object.entries(values).map(([key, version]) => ({ key, version }))
              return MerkleTree.isSame(inner.tree.root, MerkleTree.fromEntries(inner.tree.layout, entries).root)
            })
          ),
          Property.always("nothing is made up", ({ nodes: all }: System.View<State>) =>
            all.every(({ state: { values } }) =>
              Object.entries(values).every(([key, value]) =>
                key === "a" ? value === "n1" || value === "n2" : value === (key === "b" ? "n1" : common[key])
              )
            )
          ),
          ...AntiEntropy.card.guarantees.map(({ holds, kind, name }) => ({
            name,
            kind: kind === "eventually" ? ("infinitely often" as const) : kind,
            holds: ({ nodes: all }: System.View<State>) => holds(innerOf(all))
          }))
        ]
      }),
      { maxStates: 200_000 }
    )
  )
}

const verdicts = ({ properties }: Checker.Report) =>
  Object.fromEntries(properties.map(({ name, verdict }) => [name, verdict]))

const kept = {
  "the index is of the store": "holds",
  "nothing is made up": "holds",
  convergence: "holds",
  "a sketch of the tree": "holds",
  "a node is handed what it lacks": "holds"
}

describe.each([
  ["by sketch", { sketchCells: 16 }],
  ["by tree", { sketchCells: 0 }]
] as const)("every run of replicas that compare %s", (_, options) => {
  it("two, with a message lost", async () => {
    const report = await check({ options, nodes: 2, network: { loss: 1 } })
    expect(verdicts(report)).toEqual(kept)
  }, 60_000)
})

it("every run of two of which one crashes, and comes back without its store", async () => {
  const report = await check({ options: { sketchCells: 16 }, nodes: 2, crashes: { max: 1, restart: true } })
  expect(verdicts(report)).toEqual(kept)
}, 60_000)

describe("planted faults are found", () => {
  it.each([
    ["untold", "the index is of the store"],
    ["stubborn", "convergence"]
  ] as const)(
    "%s",
    async (fault, property) => {
      expect(verdicts(await check({ options: {}, nodes: 2, fault }))[property]).toBe("violated")
    },
    60_000
  )
})
