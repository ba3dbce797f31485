/** Every interleaving of a few nodes that gossip, with loss, doubled messages and a crash. */
import { Plumtree, PushPull, RumorMongering } from "@troupe/gossip"
import { Checker, Property, System } from "@troupe/model-checker"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { nodesOf } from "./epidemic/rounds.ts"

/** Which node has heard which item, in this life; and whether one has heard an item twice. */
interface History {
  readonly heard: ReadonlyArray<string>
  readonly twice: boolean
}

const record: System.Record<History, any, PushPull.Event, PushPull.Command> = {
  init: { heard: [], twice: false },
  about: (occurrence) => occurrence._tag === "Emitted" || occurrence._tag === "Crashed",
  note: (history, occurrence) => {
    if (occurrence._tag === "Crashed") {
      return { ...history, heard: history.heard.filter((each) => !each.startsWith(`${occurrence.node} `)) }
    }
    if (occurrence._tag !== "Emitted" || occurrence.event._tag !== "Heard") return history
    const { origin, sequence } = occurrence.event.item
    const name = `${occurrence.node} ${origin} ${sequence}`
    return history.heard.includes(name)
      ? { ...history, twice: true }
      : { ...history, heard: [...history.heard, name].toSorted() }
  }
}

const once = Property.always("each item is heard once", ({ history }: System.View<any, History>) => !history.twice)

const payload = Uint8Array.of()

const check = (given: {
  readonly protocol: typeof PushPull.protocol | typeof RumorMongering.protocol | typeof Plumtree.protocol
  readonly options: unknown
  readonly nodes: number
  readonly publishers: number
  readonly network?: System.Network
  readonly crashes?: System.Crashes
  readonly maxDepth: number
}) => {
  const nodes = nodesOf(given.nodes)
  const protocol = given.protocol as typeof PushPull.protocol
  return Effect.runPromise(
    Checker.check(
      System.make({
        name: protocol.name,
        members: System.members(protocol, nodes, given.options as PushPull.Options),
        network: given.network ?? {},
        ...(given.crashes === undefined ? {} : { crashes: given.crashes }),
        timeouts: "any",
        random: [0, 0.6],
        user: {
          memo: 0,
          moves: ({ memo, node }): ReadonlyArray<System.Move<PushPull.Command, number>> =>
            memo === 0 && nodes.indexOf(node) < given.publishers
              ? [{ _tag: "Command", command: { _tag: "Publish", topic: "t", payload }, memo: 1 }]
              : []
        },
        record,
        properties: [
          once,
          ...System.guarantees(protocol.card!).filter(({ kind }) => kind === "always"),
          Property.sometimes(
            "all have heard all",
            ({ history }: System.View<any, History>) => history.heard.length === given.nodes * given.publishers
          )
        ]
      }),
      { maxDepth: given.maxDepth }
    )
  )
}

const verdicts = ({ properties }: Checker.Report) =>
  Object.fromEntries(properties.map(({ name, verdict }) => [name, verdict]))

describe("two nodes that both publish, with loss and doubled messages", () => {
  it.each([
    ["push-pull", PushPull.protocol, PushPull.defaults, 9],
    ["rumours by push", RumorMongering.protocol, { ...RumorMongering.defaults, k: 1 }, 8],
    ["rumours by pull", RumorMongering.protocol, { ...RumorMongering.defaults, mode: "pull", k: 1 }, 8],
    ["plumtree", Plumtree.protocol, { ...Plumtree.defaults, threshold: 1 }, 8]
  ] as const)("%s: each item is heard once, and none is made up", async (_, protocol, options, maxDepth) => {
    const report = await check({
      protocol,
      options,
      nodes: 2,
      publishers: 2,
      network: { loss: true, duplication: true },
      maxDepth
    })
    expect(report.uniqueStates).toBeGreaterThan(300)
    const { "all have heard all": reached, ...always } = verdicts(report)
    expect(reached).toBe("holds")
    expect(Object.values(always).every((verdict) => verdict !== "violated")).toBe(true)
  })
})

describe("three nodes of which one publishes, and one may crash and come back", () => {
  it.each([
    ["push-pull", PushPull.protocol, PushPull.defaults, 6],
    ["rumours", RumorMongering.protocol, { ...RumorMongering.defaults, k: 1 }, 6],
    ["plumtree", Plumtree.protocol, Plumtree.defaults, 5]
  ] as const)("%s", async (_, protocol, options, maxDepth) => {
    // The publisher stays: in this model it would draw the same life again.
    const crashes = { max: 1, restart: true, nodes: ["n2", "n3"] }
    const report = await check({ protocol, options, nodes: 3, publishers: 1, crashes, maxDepth })
    expect(report.uniqueStates).toBeGreaterThan(1_000)
    const { "all have heard all": _reached, ...always } = verdicts(report)
    expect(Object.values(always).every((verdict) => verdict !== "violated")).toBe(true)
  })
})

describe("a fault that is planted is found", () => {
  const mutant = (onMessage: typeof PushPull.protocol.onMessage) =>
    check({
      protocol: { ...PushPull.protocol, onMessage },
      options: PushPull.defaults,
      nodes: 2,
      publishers: 2,
      network: { duplication: true },
      maxDepth: 9
    })

  it("a node that forgets what it has heard hears it twice", async () => {
    const report = await mutant((state, from, message, act) => {
      const next = PushPull.protocol.onMessage(state, from, message, act)
      return message._tag === "Items" ? { ...next, store: state.store } : next
    })
    expect(verdicts(report)).toMatchObject({ "each item is heard once": "violated" })
  })

  it("a node that hands items on under another number makes them up", async () => {
    const report = await mutant((state, from, message, act) =>
      PushPull.protocol.onMessage(
        state,
        from,
        message._tag === "Items"
          ? { ...message, items: message.items.map((item) => ({ ...item, sequence: item.sequence + 1 })) }
          : message,
        act
      )
    )
    expect(verdicts(report)).toMatchObject({ "nothing is made up": "violated" })
  })
})
