import { Plumtree } from "@troupe/gossip"
import { describe, expect, it } from "vitest"
import { bytes, Hand, item, known, publish } from "./epidemic/hand.ts"
import { broadcast, kill, overlay } from "./epidemic/overlays.ts"
import { nodesOf, seeded, world } from "./epidemic/rounds.ts"

const { card, defaults, protocol } = Plumtree

const node = (options: Partial<Plumtree.Options> = {}, neighbours = ["n2", "n3", "n4"]) => {
  const n1 = new Hand(protocol, "n1", { ...defaults, ...options }, nodesOf(6))
  n1.command({ _tag: "Neighbours", nodes: neighbours })
  return n1
}

const gossip = (sequence: number, hops = 0, origin = "n2") =>
  ({ _tag: "Gossip", items: [item(origin, sequence)], hops: [hops] }) as const

const idOf = (origin: string, sequence: number) => ({ origin, life: 0, sequence })
const iHave = (sequence: number, hops = 0) => ({ _tag: "IHave", ids: [idOf("n2", sequence)], hops: [hops] }) as const

const lazyOf = ({ state }: { readonly state: Plumtree.State }) => state.trees.lazy.flatMap(({ lazy }) => lazy)

describe("eager push (Leitão et al. 2007b, §3.4–3.5)", () => {
  it("at first all links are eager: what is new goes on to all neighbours but the one that brought it", () => {
    const n1 = node()
    const { events, sent } = n1.hear("n2", gossip(1))
    expect(events).toEqual([{ _tag: "Heard", item: item("n2", 1) }])
    expect(sent).toEqual([
      { to: "n3", ...gossip(1, 1) },
      { to: "n4", ...gossip(1, 1) }
    ])
  })

  it("who hears an item again prunes the link that brought it: it is lazy on both sides", () => {
    const [n1, n3] = [node(), node()]
    n1.hear("n2", gossip(1))
    expect(n1.hear("n3", gossip(1)).sent).toEqual([{ to: "n3", _tag: "Prune", tree: "" }])
    n3.hear("n4", { _tag: "Prune", tree: "" })
    expect([lazyOf(n1), lazyOf(n3)]).toEqual([["n3"], ["n4"]])
    expect(n1.hear("n2", gossip(2)).sent).toEqual([{ to: "n4", ...gossip(2, 1) }])
  })

  it("an item that comes on a lazy link makes it eager", () => {
    const n1 = node()
    n1.hear("n3", { _tag: "Prune", tree: "" })
    n1.hear("n3", gossip(1))
    expect(lazyOf(n1)).toEqual([])
  })

  it("a shared tree is shaped by one publisher, the first by name, so that two do not cut it in two places", () => {
    const n1 = node()
    n1.hear("n2", gossip(1))
    n1.hear("n3", gossip(1, 0, "n5"))
    expect(n1.hear("n4", gossip(1, 0, "n5")).sent).toEqual([])
    expect(n1.hear("n4", gossip(1)).sent).toMatchObject([{ _tag: "Prune" }])
    // Until it has published nothing for a while.
    n1.now = 20_000
    n1.hear("n2", gossip(2, 0, "n5"))
    expect(n1.hear("n3", gossip(2, 0, "n5")).sent).toMatchObject([{ _tag: "Prune" }])
  })

  it("with a tree for each publisher, a link may be lazy in one and eager in another", () => {
    const n1 = node({ trees: "per-publisher" })
    n1.hear("n2", gossip(1))
    expect(n1.hear("n3", gossip(1)).sent).toEqual([{ to: "n3", _tag: "Prune", tree: "n2 0" }])
    expect(n1.hear("n2", gossip(2)).sent.map(({ to }) => to)).toEqual(["n4"])
    expect(n1.hear("n2", gossip(1, 0, "n5")).sent.map(({ to }) => to)).toEqual(["n3", "n4"])
  })

  it("what is gathered goes out in one message, to each without what it brought", () => {
    const n1 = node({ batchMillis: 50 }, ["n2", "n3"])
    expect(n1.hear("n2", gossip(1)).timers).toEqual({ batch: 50 })
    n1.hear("n3", gossip(1, 0, "n3"))
    n1.command(publish(bytes(9)))
    const { sent } = n1.timeout("batch")
    expect(
      sent.map((message) => [message.to, message._tag === "Gossip" ? message.items.map(({ origin }) => origin) : []])
    ).toEqual([
      ["n2", ["n3", "n1"]],
      ["n3", ["n2", "n1"]]
    ])
  })
})

describe("lazy push and grafts (§3.5–3.6)", () => {
  it("lazy links are told of what the node has, gathered for a while", () => {
    const n1 = node()
    n1.hear("n4", { _tag: "Prune", tree: "" })
    expect(n1.hear("n2", gossip(1)).timers).toEqual({ announce: 100 })
    n1.hear("n2", gossip(2))
    expect(n1.timeout("announce").sent).toEqual([
      { to: "n4", _tag: "IHave", ids: [idOf("n2", 1), idOf("n2", 2)], hops: [1, 1] }
    ])
  })

  it("an item that was told of and does not come in time is asked for, and its link is eager again", () => {
    const n1 = node()
    n1.hear("n3", { _tag: "Prune", tree: "" })
    expect(n1.hear("n3", iHave(1)).timers).toEqual({ graft: 500 })
    n1.now = 500
    expect(n1.timeout("graft").sent).toEqual([{ to: "n3", _tag: "Graft", tree: "", ids: [idOf("n2", 1)] }])
    expect(lazyOf(n1)).toEqual([])
  })

  it("one that comes in time is not asked for", () => {
    const n1 = node()
    n1.hear("n3", iHave(1))
    n1.hear("n2", gossip(1))
    n1.now = 500
    expect(n1.timeout("graft").sent).toEqual([])
  })

  it("where the first who told of it does not send it, the next is asked, and then nobody", () => {
    const n1 = node()
    n1.hear("n3", iHave(1))
    n1.hear("n4", iHave(1))
    n1.now = 500
    expect(n1.timeout("graft").timers).toEqual({ graft: 500 })
    n1.now = 1_000
    expect(n1.timeout("graft").sent).toMatchObject([{ to: "n4", _tag: "Graft" }])
    n1.now = 1_500
    expect(n1.timeout("graft")).toMatchObject({ sent: [], timers: {} })
    expect(n1.state.missing).toEqual([])
  })

  it("a graft is answered with the item, and makes the link eager", () => {
    const n1 = node()
    n1.hear("n2", gossip(1))
    n1.hear("n3", { _tag: "Prune", tree: "" })
    const { sent } = n1.hear("n3", { _tag: "Graft", tree: "", ids: [idOf("n2", 1), idOf("n5", 7)] })
    expect(sent).toEqual([{ to: "n3", _tag: "Items", items: [item("n2", 1)], wants: [] }])
    expect(lazyOf(n1)).toEqual([])
  })

  it("a lazy link that would have been shorter by the threshold is changed over to (§3.8)", () => {
    const n1 = node({ threshold: 2 })
    n1.hear("n3", { _tag: "Prune", tree: "" })
    n1.hear("n3", iHave(1, 1))
    const { sent } = n1.hear("n2", gossip(1, 3))
    expect(sent.filter(({ _tag }) => _tag !== "Gossip")).toEqual([
      { to: "n3", _tag: "Graft", tree: "", ids: [] },
      { to: "n2", _tag: "Prune", tree: "" }
    ])
    expect(lazyOf(n1)).toEqual(["n2"])
  })
})

describe("neighbours come and go", () => {
  it("a new one is compared with, and eager; one that is gone is in no tree", () => {
    const n1 = node()
    n1.hear("n4", { _tag: "Prune", tree: "" })
    n1.command(publish())
    const { sent } = n1.command({ _tag: "Neighbours", nodes: ["n2", "n3", "n5"] })
    expect(sent).toMatchObject([{ to: "n5", _tag: "Digest", mode: "push-pull" }])
    expect(lazyOf(n1)).toEqual([])
    expect(n1.hear("n2", gossip(1)).sent.map(({ to }) => to)).toEqual(["n3", "n5"])
  })

  it("without an overlay all nodes are neighbours, but for those that are taken for dead", () => {
    const n1 = new Hand(protocol, "n1", defaults, nodesOf(4))
    expect(n1.command(publish()).sent.map(({ to }) => to)).toEqual(["n2", "n3", "n4"])
    n1.command({ _tag: "Suspect", node: "n3" })
    expect(n1.command(publish()).sent.map(({ to }) => to)).toEqual(["n2", "n4"])
  })

  it("what a comparison brings goes on like any other item", () => {
    const n1 = node()
    const { sent } = n1.hear("n2", { _tag: "Items", items: [item("n5", 1)], wants: [known("n1", [], 0)] })
    expect(sent.filter(({ _tag }) => _tag === "Gossip").map(({ to }) => to)).toEqual(["n3", "n4"])
  })
})

describe("bounds", () => {
  it("items that wait for a batch go out when there are 1,024 of them", () => {
    const n1 = node({ batchMillis: 60_000, keptItems: 10_000 }, ["n2"])
    for (let i = 1; i < 1_024; i++) expect(n1.command(publish()).sent).toEqual([])
    expect(n1.command(publish()).sent.length).toBeGreaterThan(0)
    expect(n1.state.outbox).toEqual([])
  })

  it("no more than 4,096 items are waited for", () => {
    const n1 = node()
    for (let from = 0; from < 6_000; from += 1_000) {
      const ids = Array.from({ length: 1_000 }, (_, at) => idOf("n2", from + at + 1))
      n1.hear("n3", { _tag: "IHave", ids, hops: ids.map(() => 0) })
    }
    expect(n1.state.missing.length).toBe(4_096)
  })
})

describe("over HyParView's views: redundancy and repair (§4)", () => {
  const views = overlay({ nodes: 300, seed: 5, rounds: 90 })
  const { publish: send, trees } = broadcast(views, { seed: 9 })

  it("the first item floods; from then on each node hears each item once, and no message with it is in vain", () => {
    const first = send(0, 3)
    expect(first).toMatchObject({ heard: 300, eagerly: 300 })
    expect(first.redundancy).toBeGreaterThan(2)
    for (let i = 0; i < 5; i++)
      expect(send(0, 3)).toMatchObject({ heard: 300, redundancy: 0, payloads: card.cost.best.of(300) })
  })

  it("a fifth of the nodes die at once: word on lazy links brings all items to all others, and mends the tree", () => {
    kill(views, 0.2, seeded(3), 0, trees)
    const first = send(0, 8)
    expect(first.eagerly).toBeLessThan(200)
    expect(first.heard).toBe(240)
    // The tree is mended: nobody waits for word any more.
    expect(send(0, 8)).toMatchObject({ eagerly: 240, heard: 240 })
  })

  it("and once views have dropped the dead, nothing is sent in vain again", () => {
    views.live(10)
    trees.settle()
    send(0, 8)
    for (let i = 0; i < 3; i++) expect(send(0, 3)).toMatchObject({ heard: 240, eagerly: 240, redundancy: 0 })
  })
})

it("a settled tree costs N−1 messages with items, whoever publishes (the card)", () => {
  for (const nodes of [2, 5, 40]) {
    const it = world(protocol, { nodes, options: defaults, seed: 1 })
    const gossips = (): number => it.sent.Gossip ?? 0
    it.command(0, publish())
    it.settle()
    for (const at of [0, 1, nodes - 1]) {
      const before = gossips()
      it.command(at, publish())
      it.settle()
      expect(gossips() - before).toBe(card.cost.worst.of(nodes))
    }
  }
})
