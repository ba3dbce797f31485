import { AntiEntropy, Fingerprint, InvalidOptions, MerkleTree, SetSketch } from "@troupe/gossip"
import { Memory } from "@troupe/transport"
import { Effect, Exit, Layer, Stream } from "effect"
import { describe, expect, it } from "@effect/vitest"
import { layoutOf, shapeOf } from "../src/internal/antiEntropy/state.ts"
import { areSame, defaults, Replica, round, settle, storeOf, total, type Traffic } from "./antiEntropy/pair.ts"
import { seeded } from "./epidemic/rounds.ts"

const { card } = AntiEntropy

const base = (count: number, value = "1") => Array.from({ length: count }, (_, i) => [`key ${i}`, value] as const)
const changed = (count: number, of: number) => base(of).map(([key], i) => [key, i < count ? "2" : "1"] as const)

const pair = (
  first: Iterable<readonly [string, string]>,
  second: Iterable<readonly [string, string]>,
  options: Partial<AntiEntropy.Options> = {},
  random?: () => number
) => [new Replica("n1", first, options, random), new Replica("n2", second, options, random)] as const

const traffic = (): Traffic => ({ bytes: {}, messages: {} })

const tags = (messages: ReadonlyArray<AntiEntropy.Message>) => messages.map(({ _tag }) => _tag)

const hello = (messages: ReadonlyArray<AntiEntropy.Message>) => {
  const [message] = messages
  if (message?._tag !== "Hello") throw new Error("it begins with a Hello")
  return message
}

describe("a round", () => {
  it.each([0, 1, 500])("in which nothing differs is two messages, of %i entries (the card)", (count) => {
    const [n1, n2] = pair(base(count), base(count))
    const { messages } = round(n1, n2)
    expect(messages).toEqual({ Hello: 1, Same: 1 })
    expect(card.cost.best.of(2)).toBe(2 * total(messages))
    expect(n1.comparisons).toMatchObject([{ peer: "n2", by: "same" }])
  })

  it("in which little differs is settled by a sketch: each is handed what the other alone has", () => {
    const [n1, n2] = pair([...changed(10, 2_000), ["own", "x"]], base(2_000))
    const seen = round(n1, n2, traffic())
    expect(areSame(n1, n2)).toBe(true)
    expect(n1.comparisons).toMatchObject([{ peer: "n2", by: "sketch", mine: 11, theirs: 10 }])
    expect(Object.keys(seen.messages).toSorted()).toEqual(["Cells", "Entries", "Hello", "Want"])
    expect(n1.hand.state.received).toBe(10)
    expect(n2.hand.state.received).toBe(11)
  })

  it("in which much differs goes down the tree", () => {
    const [n1, n2] = pair(changed(1_500, 3_000), base(3_000))
    const seen = round(n1, n2, traffic())
    expect(n1.comparisons).toMatchObject([{ peer: "n2", by: "tree" }])
    expect(seen.messages.Cells).toBeUndefined()
    expect(seen.messages.Nodes).toBeGreaterThan(0)
  })

  it("with a node that has nothing hands over all, in as many rounds as its budget makes them", () => {
    const [n1, n2] = pair(base(3_000), [], { entriesPerRound: 1_000 })
    const seen = traffic()
    expect(settle(n1, n2, seen)).toBeLessThanOrEqual(4)
    // The empty one says so, and is not taken down the tree.
    expect(seen.bytes.Nodes ?? 0).toBeLessThan(3_000)
  })

  it("asks for more cells where the estimate was too low, and gets the rest only", () => {
    const [n1, n2] = pair(changed(60, 1_000), base(1_000))
    const said = hello(n1.round())
    // As if little differed: the estimate is n2's own, but for one.
    const estimate = SetSketch.estimate(SetSketch.add(n2.hand.state.sketch, { position: 1, hi: 2, lo: 3 }))
    const cells = n2.hear("n1", { ...said, estimate })
    expect(tags(cells)).toEqual(["Cells"])
    let asked = n1.hear("n2", cells[0]!)
    let upTo = 0
    while (asked[0]?._tag === "More") {
      expect(asked[0].from).toBeGreaterThan(upTo)
      upTo = asked[0].from
      asked = n2.hear("n1", asked[0]).flatMap((message) => n1.hear("n2", message))
    }
    expect(tags(asked).toSorted()).toEqual(["Entries", "Entries", "Want"].slice(0, asked.length).toSorted())
    expect(n1.comparisons).toMatchObject([{ by: "sketch", mine: 60, theirs: 60 }])
  })

  it("goes down the tree where as many cells as there may be do not decode", () => {
    const [n1, n2] = pair(changed(100, 1_000), base(1_000), { sketchCells: 64 })
    const said = hello(n1.round())
    const estimate = SetSketch.estimate(SetSketch.add(n2.hand.state.sketch, { position: 1, hi: 2, lo: 3 }))
    let messages = n2.hear("n1", { ...said, estimate })
    while (tags(messages).includes("Cells")) {
      const answers = messages.flatMap((message) => n1.hear("n2", message))
      if (tags(answers).includes("Nodes")) break
      messages = answers.flatMap((message) => n2.hear("n1", message))
    }
    expect(n1.comparisons).toMatchObject([{ by: "tree", cells: 64 }])
  })
})

describe("stores become the same", () => {
  const sizes = [0, 1, 2, 10, 100, 1_000]

  it.each([
    ["by whichever is better", {}],
    ["by tree alone", { sketchCells: 0 }],
    ["by a tree of two levels", { sketchCells: 0, fanOut: 4, depth: 2 }],
    [
      "in small packets, with small budgets",
      { packetBytes: 512, messagesPerRound: 12, entriesPerRound: 100, sketchCells: 128 }
    ],
    ["where one message in five is lost", { isLossy: true }]
  ])(
    "of random pairs, whatever differs: %s",
    (_, { isLossy = false, ...options }: { isLossy?: boolean } & Partial<AntiEntropy.Options>) => {
      for (let seed = 1; seed <= 8; seed++) {
        const random = seeded(seed)
        const draw = () => sizes[Math.floor(random() * sizes.length)]!
        const [common, a, b, c] = [draw(), draw(), draw(), draw()]
        const of = (own: string, count: number) => [
          ...base(common).map(([key, value], i) => [key, i < c && random() < 0.5 ? `${own} 2` : value] as const),
          ...base(count).map(([key, value]) => [`${own} ${key}`, value] as const)
        ]
        const [n1, n2] = pair(of("n1", a), of("n2", b), options, random)
        const expected = new Map([...n1.values])
        for (const [key, value] of n2.values) if (value > (expected.get(key) ?? "")) expected.set(key, value)
        const rounds = settle(n1, n2, traffic(), 400, () => isLossy && random() < 0.2)
        expect({ seed, isFinite: Number.isFinite(rounds) }).toEqual({ seed, isFinite: true })
        expect(new Map([...n1.values].toSorted())).toEqual(new Map([...expected].toSorted()))
        expect([...n1.refused, ...n2.refused]).toEqual([])
      }
    }
  )

  it("with two keys of one position, wherever a list is divided", () => {
    const colliding = ["key 28397", "key 43570"]
    const positionOf = (key: string) => Fingerprint.of(defaults.hashKey, key, "").position >>> 0
    const [position, other] = colliding.map(positionOf) as [number, number]
    expect(position).toBe(other)
    const before = base(1_000).filter(([key]) => positionOf(key) < position)
    const options = { sketchCells: 0, fanOut: 2, depth: 1, packetBytes: 512 }
    // A list holds 36 fingerprints.
    for (let count = 33; count <= 37; count++) {
      const common = [...before.slice(0, count), ...base(2_000).slice(1_990)]
      const of = (value: string) => [...common, ...colliding.map((key) => [key, value] as const)]
      const [n1, n2] = pair(of("1"), of("2"), options)
      expect(settle(n1, n2, traffic(), 5)).toBeLessThanOrEqual(5)
      expect([...n1.refused, ...n2.refused]).toEqual([])
    }
  })

  it("while both go on to write", () => {
    const random = seeded(5)
    const [n1, n2] = pair(base(1_000), changed(200, 1_000), {}, random)
    for (let i = 0; i < 40; i++) {
      for (const node of [n1, n2]) node.write(`key ${Math.floor(random() * 1_200)}`, `3 ${node.id} ${i}`)
      if (i % 2 === 0) round(n1, n2)
      else round(n2, n1)
    }
    expect(settle(n1, n2)).toBe(1)
  })

  it("and the index follows each write, so that it is that of the store", () => {
    const n1 = new Replica("n1", base(500))
    const random = seeded(9)
    for (let i = 0; i < 2_000; i++) {
      const key = `key ${Math.floor(random() * 700)}`
      if (random() < 0.3) {
        n1.values.delete(key)
        n1.hand.command({ _tag: "Changed", changes: [{ key, version: undefined }] })
      } else n1.write(key, `${i}`)
    }
    const again = new Replica("n1", n1.values)
    expect(n1.hand.state.tree).toEqual(again.hand.state.tree)
    expect(SetSketch.settled(n1.hand.state.sketch)).toEqual(again.hand.state.sketch)
  })
})

describe("traffic follows the difference, not the store", () => {
  const spent = (entries: number, differences: number, options: Partial<AntiEntropy.Options>): number => {
    const large = { packetBytes: 65_536, messagesPerRound: 10_000, entriesPerRound: 100_000, ...options }
    const [n1, n2] = pair(changed(differences, entries), base(entries), large, seeded(1))
    const seen = traffic()
    expect(settle(n1, n2, seen)).toBeLessThanOrEqual(2)
    return total(seen.bytes, ["Entries"])
  }

  it("by sketch: below 75 bytes a key that has two versions, and some hundred, for any size of the store", () => {
    for (const entries of [2_000, 10_000]) {
      for (const differences of [1, 100, 400]) {
        expect(spent(entries, differences, {})).toBeLessThan(800 + 75 * differences)
      }
    }
  })

  it("by tree: a path each, and a leaf", () => {
    for (const differences of [1, 10, 100]) {
      // 132 bytes for each node whose children are told, on at most 4 levels; at most 32 entries of 12 bytes are listed.
      expect(spent(20_000, differences, { sketchCells: 0 })).toBeLessThan(400 + differences * (4 * 132 + 32 * 12 + 60))
    }
  })
})

describe("what is lost, doubled or late", () => {
  const many = () => pair(changed(100, 1_000), base(1_000), {}, seeded(3))

  it("cells that were lost are asked for again, and only these", () => {
    const [n1, n2] = many()
    const cells = n2.hear("n1", hello(n1.round()))
    expect(cells.length).toBeGreaterThan(3)
    const lost = cells[1]!
    for (const message of cells) if (message !== lost) n1.hear("n2", message)
    const [again] = n1.done(n1.hand.timeout("retry"))
    if (again?._tag !== "More" || lost._tag !== "Cells") throw new Error("it asks for cells")
    expect([again.from, again.to]).toEqual([lost.from, lost.to])
    let messages = n2.hear("n1", again)
    while (tags(messages).includes("Cells")) {
      messages = messages.flatMap((message) => n1.hear("n2", message))
      if (messages[0]?._tag === "More") messages = n2.hear("n1", messages[0])
    }
    expect(n1.comparisons).toMatchObject([{ by: "sketch", mine: 100, theirs: 100 }])
  })

  it("they are asked for twice at most; then another round comes", () => {
    const [n1, n2] = many()
    n1.hear("n2", n2.hear("n1", hello(n1.round()))[0]!)
    expect(tags(n1.done(n1.hand.timeout("retry")))).toEqual(["More"])
    expect(tags(n1.done(n1.hand.timeout("retry")))).toEqual(["More"])
    expect(n1.done(n1.hand.timeout("retry"))).toEqual([])
    expect(n1.hand.state.session).toBeUndefined()
  })

  it("cells that come twice count once", () => {
    const [n1, n2] = many()
    const cells = n2.hear("n1", hello(n1.round()))
    for (let i = 0; i < 3; i++) n1.hear("n2", cells[0]!)
    expect(n1.hand.state.session?.chunks.length).toBe(1)
  })

  it("cells of an earlier comparison, or of another node, are ignored", () => {
    const [n1, n2] = many()
    const old = n2.hear("n1", hello(n1.round()))
    n1.round()
    for (const message of old) expect(n1.hear("n2", message)).toEqual([])
    expect(n1.hand.state.session?.chunks).toEqual([])
  })

  it("cells of a set that has changed meanwhile are not mixed with those of before", () => {
    const [n1, n2] = many()
    const cells = n2.hear("n1", hello(n1.round()))
    n1.hear("n2", cells[0]!)
    n2.write("key 999", "9")
    const more = n2.hear("n1", { _tag: "More", session: n1.hand.state.session!.id, from: 60, to: 100 })
    n1.hear("n2", more[0]!)
    expect(n1.hand.state.session?.chunks).toMatchObject([{ from: 60 }])
    expect(settle(n1, n2)).toBeLessThan(5)
  })
})

describe("budgets", () => {
  it("a node sends no more than so many messages in a round, of each kind, whoever asks", () => {
    const limits = { messagesPerRound: 6, entriesPerRound: 1_000 }
    const [n1, n2] = pair(changed(1_000, 2_000), base(2_000), limits, seeded(2))
    const seen = round(n1, n2, traffic())
    // Both have a budget, besides the Hello.
    expect(total(seen.messages, ["Entries", "Hello"])).toBeLessThanOrEqual(2 * 6)
    expect(seen.messages.Entries).toBeLessThanOrEqual(2 * 6)
    for (const session of [1, 2, 3, 4, 5, 6, 7, 8]) n2.hear("n1", { ...hello(n1.round()), session })
    expect(n2.hand.state.said).toBeLessThanOrEqual(6)
    expect(settle(n1, n2, traffic(), 400)).toBeLessThan(400)
  })

  // With as many messages as a node has to go down, 58 rounds pass in the first.
  it.each([
    [64, 2, 6_000, 40],
    [2, 12, 1_000, 10]
  ])(
    "the least that is allowed reaches the leaves, however much differs: %i children, %i levels",
    (fanOut, depth, count, most) => {
      const options = { fanOut, depth, messagesPerRound: depth + 2, sketchCells: 0 }
      const [n1, n2] = pair(changed(count / 2, count), base(count), options, seeded(2))
      expect(settle(n1, n2, traffic(), 100)).toBeLessThanOrEqual(most)
    }
  )

  it("no message is larger than a packet", () => {
    for (const packetBytes of [512, 1_200, 5_000]) {
      const [n1, n2] = pair(changed(600, 3_000), base(3_000), { packetBytes }, seeded(2))
      for (let i = 0; i < 8; i++) {
        const seen = round(n1, n2, traffic())
        for (const tag of Object.keys(seen.bytes)) {
          expect(seen.bytes[tag]! / seen.messages[tag]!).toBeLessThanOrEqual(packetBytes)
        }
      }
    }
  })

  it("a store that is asked by many is read only so often in a round", () => {
    const [n1] = pair(base(2_000), [], { entriesPerRound: 50 })
    n1.hand.timeout("round")
    const all = { _tag: "List", ranges: new Uint8Array(new Int32Array([0, -1, 0]).buffer) } as const
    let read = 0
    for (let i = 0; i < 10; i++) {
      for (const event of n1.hand.hear("n2", all).events) if (event._tag === "Fetch") read += event.keys.length
    }
    expect(read).toBe(50)
  })
})

describe("what a peer says that is no such thing", () => {
  const options = { ...defaults }
  const words = (...values: ReadonlyArray<number>): Uint8Array => {
    const view = new DataView(new ArrayBuffer(4 * values.length))
    values.forEach((value, at) => view.setInt32(4 * at, value))
    return new Uint8Array(view.buffer)
  }
  const fresh = () => new Replica("n1", base(500))

  it.each([
    ["nodes", { _tag: "Nodes", level: 0, nodes: words(0, 1, 2) }],
    ["nodes", { _tag: "Nodes", level: 4, nodes: new Uint8Array(132) }],
    ["nodes", { _tag: "Nodes", level: 1, nodes: words(16, ...Array<number>(32).fill(7)) }],
    ["ranges", { _tag: "List", ranges: words(0, 5) }],
    ["ranges", { _tag: "List", ranges: words(6, 5, 0) }],
    ["ranges", { _tag: "List", ranges: words(0, 5, 2, 1, 1, 1) }],
    ["ranges", { _tag: "List", ranges: words(0, 5, -1) }],
    ["ranges", { _tag: "List", ranges: words(0, 5, 1, 6, 1, 1) }],
    ["fingerprints", { _tag: "Want", items: words(1, 2) }]
  ] as ReadonlyArray<readonly [string, AntiEntropy.Message]>)(
    "a list of %s is refused, and nothing changes: %o",
    (what, message) => {
      const n1 = fresh()
      const before = n1.hand.state
      expect(n1.hear("n2", message)).toEqual([])
      expect(n1.hand.state).toEqual(before)
      expect(n1.refused).toMatchObject([{ _tag: "Malformed", from: "n2", what }])
    }
  )

  it("an estimate that is none", () => {
    const n1 = fresh()
    const said = hello(new Replica("n2", base(3)).round())
    expect(n1.hear("n2", { ...said, estimate: new Uint8Array(3) })).toEqual([])
    expect(n1.refused).toMatchObject([{ _tag: "Malformed", what: "counters" }])
  })

  it.each([
    ["that are cut off", { cells: new Uint8Array(5) }],
    ["of more than were asked for", { to: 99, upTo: 16 }],
    ["of more than the node has itself", { to: 5_000, upTo: 5_000 }],
    ["of none", { from: 3, to: 3 }]
  ])("cells %s end the comparison", (_, forged) => {
    const [n1, n2] = pair(changed(2, 500), base(500))
    const [cells] = n2.hear("n1", hello(n1.round()))
    expect(n1.hear("n2", { ...cells, ...forged } as AntiEntropy.Message)).toEqual([])
    expect(n1.refused).toMatchObject([{ _tag: "Malformed", what: "cells" }])
    expect(n1.hand.state.session).toBeUndefined()
  })

  it("a node of another layout is told, and tells: nothing else is exchanged", () => {
    const n1 = new Replica("n1", base(5))
    const n2 = new Replica("n2", base(9), { depth: 3 })
    expect(round(n1, n2).messages).toEqual({ Hello: 1, Other: 1 })
    expect(n1.refused).toMatchObject([{ _tag: "OtherLayout", mine: /16\^4/, theirs: /16\^3/ }].map(like))
    expect(n2.refused).toMatchObject([{ _tag: "OtherLayout", mine: /16\^3/, theirs: /16\^4/ }].map(like))
  })

  it("an entry above the limit neither goes nor comes", () => {
    const large = ["large", "x".repeat(2_000)] as const
    const [n1, n2] = pair([...base(5), large], base(3))
    round(n1, n2)
    expect(n2.values.size).toBe(5)
    expect(n1.refused).toMatchObject([{ _tag: "EntryTooLarge", key: "large", limit: 1_100 }])
    n2.hear("n1", { _tag: "Entries", entries: [{ key: "large", value: new Uint8Array(2_000) }] })
    expect(n2.refused).toMatchObject([{ _tag: "EntryTooLarge", key: "large" }])
  })

  const like = <A extends { readonly mine: RegExp; readonly theirs: RegExp }>(expected: A) => ({
    ...expected,
    mine: expect.stringMatching(expected.mine) as unknown,
    theirs: expect.stringMatching(expected.theirs) as unknown
  })

  it("a sketch that was made up costs a round's messages at the most, and corrupts nothing", () => {
    const random = seeded(4)
    for (let run = 0; run < 10; run++) {
      const n1 = new Replica("n1", base(300), {}, random)
      const before = new Map(n1.values)
      const { session } = hello(n1.round())
      const liar = SetSketch.fromItems(
        shapeOf(options),
        Array.from({ length: 40 }, (_, i) => Fingerprint.of([run, i], `${i}`, "?"))
      )
      // Of a set that nobody has; and in every second run no set has such cells.
      const cells = SetSketch.encode(liar, 0, 100)
      if (run % 2 === 1) for (let i = 0; i < 50; i++) cells[Math.floor(random() * cells.length)] = 1
      let messages = n1.hear("n2", {
        _tag: "Cells",
        session,
        version: 1,
        items: 40,
        from: 0,
        to: 100,
        upTo: 100,
        cells
      })
      for (let i = 0; i < 20; i++) {
        messages = messages.flatMap((message) =>
          message._tag === "More"
            ? n1.hear("n2", { ...message, _tag: "Cells", version: 1, items: 40, upTo: message.to, cells })
            : []
        )
      }
      expect(n1.hand.state.said).toBeLessThanOrEqual(options.messagesPerRound)
      expect(n1.values).toEqual(before)
      const { tree } = n1.hand.state
      expect(tree).toEqual(new Replica("n1", before).hand.state.tree)
    }
  })

  it("a tree that was made up costs a round's messages at the most, and corrupts nothing", () => {
    const random = seeded(6)
    const word = () => Math.floor(random() * 2 ** 32) | 0
    for (let run = 0; run < 10; run++) {
      const n1 = new Replica("n1", base(2_000), {}, random)
      n1.hand.timeout("round")
      const { tree } = n1.hand.state
      let sent = 0
      for (let i = 0; i < 50; i++) {
        const level = Math.floor(random() * 4)
        const index = Math.floor(random() * 16 ** level)
        sent += n1.hear("n2", { _tag: "Nodes", level, nodes: words(index, ...Array.from({ length: 32 }, word)) }).length
        const from = Math.floor(random() * 2 ** 31)
        const items = Array.from({ length: 20 }, () => [from + Math.floor(random() * 1_000), word(), word()]).flat()
        sent += n1.hear("n2", { _tag: "List", ranges: words(from, from + 1_000, 20, ...items) }).length
        sent += n1.hear("n2", { _tag: "Want", items: words(...items) }).length
      }
      expect(sent).toBeLessThanOrEqual(2 * options.messagesPerRound)
      expect(n1.hand.state.tree).toBe(tree)
      expect(n1.refused).toEqual([])
    }
  })
})

describe("planted faults are found", () => {
  it("a sketch that does not follow the store is seen by the card", () => {
    const { state } = new Replica("n2", base(500)).hand
    // It forgot to take out what was replaced.
    const stale = { ...state, sketch: SetSketch.add(state.sketch, { position: 5, hi: 6, lo: 7 }) }
    expect(
      card.guarantees
        .find(({ name }) => name === "a sketch of the tree")!
        .holds([{ node: "n2", alive: true, state: stale }])
    ).toBe(false)
  })
})

describe("weaknesses of the card", () => {
  it("what is deleted without a trace comes back", () => {
    const [n1, n2] = pair(base(100), base(100))
    n1.values.delete("key 7")
    n1.hand.command({ _tag: "Changed", changes: [{ key: "key 7", version: undefined }] })
    round(n1, n2)
    expect(n1.values.get("key 7")).toBe("1")
  })

  it("what nobody else has is lost with its node", () => {
    const [n1, n2] = pair(base(100), base(100))
    n1.write("own", "1")
    // It comes back without its memory.
    const again = new Replica("n1", [])
    expect(settle(again, n2)).toBeLessThan(5)
    expect(again.values.has("own")).toBe(false)
  })

  it("both versions of a key travel", () => {
    const [n1, n2] = pair(changed(1, 100), base(100))
    expect(round(n1, n2).messages.Entries).toBe(2)
  })

  it("replicas differ for some rounds", () => {
    const [n1, n2] = pair(base(100), base(100))
    n1.write("key 7", "2")
    const states = [n1, n2].map(({ hand, id }) => ({ node: id, alive: true, state: hand.state }))
    expect(card.guarantees[0]!.holds(states)).toBe(false)
  })
})

describe("the layer", () => {
  const network = () => Memory.network({ nodes: ["n1", "n2"] })

  /** For as long as the scope lives. */
  const on = <A, E, R>(shared: Memory.Network, node: string, effect: Effect.Effect<A, E, R>) =>
    Effect.flatMap(Layer.build(Memory.layer(shared, node)), (context) => Effect.provide(effect, context))

  it.live("refuses options that are out of range, or don't go together", () =>
    Effect.gen(function* () {
      for (const options of [
        { fanOut: 10 },
        { depth: 9 },
        { interval: 0 },
        { sketchCells: -1 },
        { packetBytes: 100 },
        { fanOut: 256, depth: 1 },
        { messagesPerRound: 0 },
        { messagesPerRound: 5 },
        { entryBytes: 1 }
      ] satisfies ReadonlyArray<AntiEntropy.LayerOptions>) {
        const built = Layer.build(AntiEntropy.layer(storeOf(new Map()), options)).pipe(
          Effect.scoped,
          Effect.provide(Memory.layer(network(), "n1"))
        )
        const failure = yield* Effect.flip(built)
        expect(failure).toBeInstanceOf(InvalidOptions)
      }
    })
  )

  it.live("compares when it is asked to, tells how it came out, and what a store would not take", () =>
    Effect.gen(function* () {
      const shared = network()
      const values = [new Map(base(50)), new Map(changed(5, 50))] as const
      const options = { interval: "1 hour" } as const
      const first = yield* on(shared, "n1", AntiEntropy.make(storeOf(values[0]), options))
      const picky: AntiEntropy.Store = {
        ...storeOf(values[1]),
        merge: (key) => {
          throw new Error(`${key} is read-only`)
        }
      }
      const second = yield* on(shared, "n2", AntiEntropy.make(picky, options))
      const comparisons: Array<AntiEntropy.Comparison> = []
      const refused: Array<AntiEntropy.Refused> = []
      yield* Effect.forkScoped(
        Stream.runForEach(first.comparisons, (each) => Effect.sync(() => comparisons.push(each))),
        { startImmediately: true }
      )
      yield* Effect.forkScoped(
        Stream.runForEach(second.refused, (each) => Effect.sync(() => refused.push(each))),
        { startImmediately: true }
      )
      yield* first.compare("n2")
      while (refused.length < 5 || values[0].get("key 0") !== "2") yield* Effect.sleep(1)
      expect(comparisons).toMatchObject([{ peer: "n2", by: "sketch", mine: 5, theirs: 5 }])
      expect(refused.length).toBe(5)
      expect(refused[0]?.from).toBe("n1")
      expect(refused[0]?.failure.message).toMatch(/The store refused the entry of "key \d": key \d is read-only/)
      expect(MerkleTree.isSame(first.tree().root, second.tree().root)).toBe(true)
      first.changed([{ key: "x".repeat(2_000), version: "1" }])
      expect(first.tree().root.count).toBe(50)
    }).pipe(Effect.scoped)
  )

  it.live("of several stores on a node each has a name; one name twice is refused", () =>
    Effect.gen(function* () {
      const store = storeOf(new Map())
      yield* AntiEntropy.make(store, { name: "a" })
      yield* AntiEntropy.make(store, { name: "b" })
      const again = yield* Effect.exit(AntiEntropy.make(store, { name: "a" }))
      expect(Exit.isFailure(again)).toBe(true)
    }).pipe(Effect.scoped, Effect.provide(Memory.layer(network(), "n1")))
  )

  it("a layout is that of the options", () => {
    expect(layoutOf(defaults)).toEqual({ fanOut: 16, depth: 4, key: [0, 0] })
  })
})
