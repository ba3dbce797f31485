import { PushPull } from "@troupe/gossip"
import { describe, expect, it } from "vitest"
import { bytes, Hand, item, known, publish } from "./epidemic/hand.ts"
import { nodesOf, world } from "./epidemic/rounds.ts"

const { card, defaults, protocol } = PushPull

const node = (id = "n1", options: Partial<PushPull.Options> = {}, nodes = nodesOf(4)) =>
  new Hand(protocol, id, { ...defaults, ...options }, nodes)

const digest = (sources: ReadonlyArray<ReturnType<typeof known>>, mode: PushPull.Options["mode"] = "push-pull") =>
  ({ _tag: "Digest", mode, after: "", upTo: "", sources }) as const

describe("a round (Demers et al. 1987, §1.3)", () => {
  it("says what the node knows to one other, at random", () => {
    const n1 = node()
    n1.command(publish())
    n1.command(publish())
    n1.random = () => 0.99
    const { sent, timers } = n1.timeout("round")
    expect(sent).toEqual([{ to: "n4", ...digest([known("n1", [1, 2], 1)]) }])
    expect(timers).toEqual({ round: 1_000 })
  })

  it("pull: who is asked sends what the other lacks, and asks for nothing", () => {
    const n1 = node()
    n1.command(publish())
    const { sent } = n1.hear("n2", digest([known("n2", [1, 1], 1)], "pull"))
    expect(sent).toEqual([{ to: "n2", _tag: "Items", items: [item("n1", 1)], wants: [] }])
  })

  it("push: who is told asks for what it lacks, and sends nothing", () => {
    const n1 = node()
    n1.command(publish())
    const { sent } = n1.hear("n2", digest([known("n2", [1, 3], 1)], "push"))
    expect(sent).toEqual([{ to: "n2", _tag: "Items", items: [], wants: [known("n2", [], 0)] }])
  })

  it("push-pull: both in one message, and the other answers with what is wanted", () => {
    const [n1, n2] = [node("n1"), node("n2")]
    n1.random = () => 0.3
    n1.command(publish())
    n2.command(publish(bytes(7)))
    const [first] = n1.timeout("round").sent
    const [second] = n2.hear("n1", first!).sent
    expect(second).toMatchObject({ to: "n1", items: [{ origin: "n2" }], wants: [{ origin: "n1" }] })
    const { events, sent } = n1.hear("n2", second!)
    expect(events).toEqual([{ _tag: "Heard", item: item("n2", 1, bytes(7)) }])
    expect(n2.hear("n1", sent[0]!)).toEqual({
      sent: [],
      events: [{ _tag: "Heard", item: item("n1", 1) }],
      timers: {}
    })
  })

  it("nothing is sent to who has heard the same", () => {
    const n1 = node()
    n1.command(publish())
    for (const mode of ["push", "pull", "push-pull"] as const) {
      expect(n1.hear("n2", digest([known("n1", [1, 1], 1)], mode)).sent).toEqual([])
    }
  })

  it("what the other does not keep any more is not asked for", () => {
    expect(node().hear("n2", digest([known("n2", [1, 9], 0)])).sent).toEqual([])
    const wants = node().hear("n2", digest([known("n2", [1, 9], 7)])).sent
    expect(wants).toMatchObject([{ wants: [{ origin: "n2", heard: [] }] }])
  })

  it("an item is heard once, however often it comes", () => {
    const n1 = node()
    const items = { _tag: "Items", items: [item("n2", 1), item("n2", 1)], wants: [] } as const
    expect(n1.hear("n3", items).events.length).toBe(1)
    expect(n1.hear("n4", items).events).toEqual([])
  })

  it("a node that comes back begins a new life, so that what it published before is news to it", () => {
    const again = new Hand(protocol, "n1", defaults, nodesOf(4), () => 0.5)
    expect(again.state.life).toBe(2 ** 31)
    const { events } = again.hear("n2", { _tag: "Items", items: [item("n1", 1)], wants: [] })
    expect(events).toEqual([{ _tag: "Heard", item: item("n1", 1) }])
  })

  it("those that the failure detector takes for dead are spared; with an overlay only neighbours are asked", () => {
    const n1 = node()
    const asked = (): ReadonlyArray<string> => {
      const found = new Set<string>()
      for (let i = 0; i < 40; i++) {
        n1.random = () => i / 40
        for (const { to } of n1.timeout("round").sent) found.add(to)
      }
      return [...found].toSorted()
    }
    expect(asked()).toEqual(["n2", "n3", "n4"])
    n1.command({ _tag: "Suspect", node: "n2" })
    expect(asked()).toEqual(["n3", "n4"])
    n1.command({ _tag: "Trust", node: "n2" })
    n1.command({ _tag: "Neighbours", nodes: ["n2"] })
    expect(asked()).toEqual(["n2"])
  })
})

const itemsOf = (message: PushPull.Message) => (message._tag === "Items" ? message.items : [])

describe("budgets", () => {
  const many = (options: Partial<PushPull.Options>, count: number) => {
    const n1 = node("n1", options)
    for (let i = 0; i < count; i++) n1.command(publish(new Uint8Array(100)))
    return n1
  }

  it("a message holds so many items, and a round so many messages: the rest waits for the next", () => {
    const n1 = many({ itemsPerMessage: 3, messagesPerRound: 4 }, 20)
    const first = n1.hear("n2", digest([], "pull")).sent
    expect(first.map(itemsOf).map(({ length }) => length)).toEqual([3, 3, 3, 3])
    expect(n1.hear("n3", digest([], "pull")).sent).toEqual([])
    n1.timeout("round")
    const rest = n1.hear("n2", digest([known("n1", [1, 12], 0)], "pull")).sent
    expect(rest.flatMap(itemsOf).map(({ sequence }) => sequence)).toEqual([13, 14, 15, 16, 17, 18, 19, 20])
  })

  it("no message with several items is larger than a packet", () => {
    const { sent } = many({ packetBytes: 500 }, 20).hear("n2", digest([], "pull"))
    expect(sent.map(itemsOf).map(({ length }) => length)).toEqual([3, 3, 3, 3, 3, 3, 2])
  })

  it("a digest of more sources than it may name is of a part of them, and of nothing outside of it", () => {
    const nodes = nodesOf(40)
    const n1 = node("n1", { sourcesPerDigest: 8 }, nodes)
    n1.hear("n2", { _tag: "Items", items: nodes.slice(1).map((origin) => item(origin, 1)), wants: [] })
    const n2 = node("n2", { messagesPerRound: 1_000 }, nodes)
    n2.hear("n3", { _tag: "Items", items: nodes.slice(2).map((origin) => item(origin, 1)), wants: [] })
    const named = new Set<string>()
    for (let i = 0; i < 40; i++) {
      const draws = [0.5, (i + 0.5) / 40]
      n1.random = () => draws.shift() ?? 0.5
      const [said] = n1.timeout("round").sent
      if (said?._tag !== "Digest") throw new Error("it says what it knows")
      expect(said.sources.length).toBeLessThanOrEqual(8)
      for (const { origin } of said.sources) named.add(origin)
      // It lacks nothing: what it has not named, it was not to name.
      expect(n2.hear("n1", said).sent.flatMap(itemsOf)).toEqual([])
    }
    expect(named.size).toBe(39)
  })
})

describe("hostile input is refused and told of, and changes nothing", () => {
  const refused = (message: PushPull.Message, options: Partial<PushPull.Options> = {}) => {
    const n1 = node("n1", options)
    n1.command(publish())
    const before = n1.state.store
    const { events, sent } = n1.hear("n2", message)
    expect(n1.state.store).toEqual(before)
    expect(sent).toEqual([])
    return events
  }

  it("an item in the node's own name that it has not published", () => {
    const events = refused({ _tag: "Items", items: [item("n1", 2)], wants: [] })
    expect(events).toMatchObject([{ _tag: "Refused", from: "n2", reason: /item 2 bears the name of n1/ }].map(like))
  })

  it("an item of a node that is no member", () => {
    const events = refused({ _tag: "Items", items: [item("mallory", 1)], wants: [] })
    expect(events).toMatchObject([{ _tag: "Refused", from: "n2", reason: /mallory.*is no member/ }].map(like))
  })

  it("an item above the limit", () => {
    const events = refused({ _tag: "Items", items: [item("n2", 1, new Uint8Array(2_000))], wants: [] })
    expect(events).toMatchObject([{ _tag: "Refused", reason: /2\d\d\d bytes.* limit of 1100/ }].map(like))
  })

  it.each([
    ["numbers that do not ascend", [known("n2", [3, 1], 0)]],
    ["sources that do not ascend", [known("n3", [1, 1], 1), known("n2", [1, 1], 1)]],
    ["one source twice", [known("n2", [1, 1], 1), known("n2", [1, 2], 1)]],
    ["more that is kept than was heard", [known("n2", [1, 1], 9)]]
  ])("a digest with %s", (_, sources) => {
    expect(refused(digest(sources))).toMatchObject([{ _tag: "Refused", from: "n2" }])
  })

  it("what the user publishes above the limit", () => {
    const { events } = node().command(publish(new Uint8Array(2_000)))
    expect(events).toMatchObject([{ _tag: "Unpublished" }])
  })
})

const like = <A extends { readonly reason: RegExp }>(expected: A) => ({
  ...expected,
  reason: expect.stringMatching(expected.reason) as unknown
})

describe("rounds to all: measured against theory, one item, one publisher", () => {
  const spread = (mode: PushPull.Options["mode"], nodes: number, seed: number) => {
    const options = { ...defaults, mode, messagesPerRound: 1_000_000 }
    const it = world(protocol, { nodes, options, seed })
    let heard = 0
    let half = 0
    it.onEvent = (_, event) => {
      if (event._tag === "Heard") heard++
    }
    it.command(0, publish())
    while (heard < nodes && it.round < 200) {
      it.fire("round")
      if (half === 0 && heard >= nodes / 2) half = it.round
    }
    return { rounds: it.round, tail: it.round - half, sent: it.sent }
  }

  it.each([
    [100, 20],
    [1_000, 10],
    [10_000, 1],
    [100_000, 1]
  ])(
    "push takes log₂n + ln n + O(1) rounds: %i nodes (Pittel 1987)",
    (nodes, runs) => {
      for (let seed = 1; seed <= runs; seed++) {
        const off = spread("push", nodes, seed).rounds - (Math.log2(nodes) + Math.log(nodes))
        expect(Math.abs(off)).toBeLessThan(7)
      }
    },
    180_000
  )

  it.each([
    [1_000, 20],
    [10_000, 1]
  ])(
    "once half have heard, pull ends in log log n rounds, and push takes ln n: %i nodes (Karp et al. 2000)",
    (nodes, runs) => {
      for (let seed = 1; seed <= runs; seed++) {
        for (const mode of ["pull", "push-pull"] as const) {
          expect(spread(mode, nodes, seed).tail, `${mode}, seed ${seed}`).toBeLessThanOrEqual(
            Math.log2(Math.log2(nodes)) + 2
          )
        }
      }
      if (nodes <= 10_000) expect(spread("push", nodes, 1).tail).toBeGreaterThan(Math.log(nodes) - 3)
    }
  )

  it("push-pull takes log₃n + O(log log n) rounds (Karp et al. 2000)", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { rounds } = spread("push-pull", 1_000, seed)
      const grows = Math.log(1_000) / Math.log(3)
      expect(rounds).toBeGreaterThan(grows)
      expect(rounds).toBeLessThanOrEqual(grows + 2 * Math.log2(Math.log2(1_000)))
    }
  })
})

describe("cost", () => {
  it.each([2, 5, 100])("a round in which nobody lacks anything: N messages, of %i nodes (the card)", (nodes) => {
    const it = world(protocol, { nodes, options: defaults, seed: 3 })
    it.command(0, publish())
    for (let round = 0; round < 40; round++) it.fire("round")
    const before = { ...it.sent }
    it.fire("round")
    expect(it.sent.Digest! - before.Digest!).toBe(card.cost.best.of(nodes))
    expect(it.sent.Items).toBe(before.Items)
  })

  it("an item is sent to each node once, whatever the number of rounds", () => {
    const it = world(protocol, { nodes: 200, options: defaults, seed: 3 })
    let items = 0
    it.onSend = (_, __, message) => {
      if (message._tag === "Items") items += message.items.length
    }
    it.command(0, publish())
    for (let round = 0; round < 40; round++) it.fire("round")
    // Several may have it sent by two others in one round.
    expect(items).toBeGreaterThanOrEqual(199)
    expect(items).toBeLessThan(1.5 * 199)
  })

  it("state of a node does not grow with the nodes that publish nothing", () => {
    const [small, large] = [10, 10_000].map((count) => node("n1", {}, nodesOf(count)).state)
    expect(JSON.stringify(small)).toBe(JSON.stringify(large))
  })
})
