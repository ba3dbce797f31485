/** Reliable multicast by negative acknowledgements. */
import { Protocol } from "@troupe/actor"
import { Multicast, NakReliable } from "@troupe/group"
import { Simulation } from "@troupe/simulation"
import { Trace } from "@troupe/trace"
import { Channel } from "@troupe/transport"
import { Context, Effect, Layer, Schema, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { conforms, explain, search, type Subject } from "./conformance.ts"

const { card, defaults, protocol } = NakReliable
type State = NakReliable.State

const reliable: Subject = {
  name: "NakReliable",
  guarantees: ["reliable", "fifo"],
  layer: () => NakReliable.layer(),
  protocol
}
conforms(reliable, {
  worlds: ["none", "lossy", "partition", "doubled", "half-way"],
  seeds: 25,
  sockets: ["tcp", "udp"]
})
conforms(reliable, { worlds: ["none", "lossy", "partition"], seeds: 10, card: true, sockets: [] })

const uniform: Subject = { ...reliable, guarantees: ["uniform", "fifo"], layer: () => NakReliable.uniform() }
conforms(uniform, { worlds: ["none", "lossy", "partition", "doubled"], seeds: 25, sockets: ["tcp", "udp"] })

// ------------------------------------------------------------------------------------------------------------- by hand

const nodes = ["n1", "n2", "n3"]
const Posts = Channel.make("posts", Schema.Number)

/** A node that is given one input after the other; `asked` is what it asked for last. */
class Node {
  readonly self: Protocol.Self<NakReliable.Options>
  state: State
  asked: ReadonlyArray<Protocol.Action<any, any>> = []
  now = 0

  constructor(id: string, options: Partial<NakReliable.Options> = {}) {
    this.self = Protocol.self(id, nodes, { ...defaults, ...options })
    this.state = protocol.init(this.self)
    this.give({ _tag: "Start" })
  }

  give(input: Protocol.Input<any, any>): this {
    const { actions, state } = Protocol.step(protocol as never, this.self, this.state, input, {
      monotonic: () => this.now,
      random: () => 0.5
    })
    this.asked = actions as never
    this.state = state as State
    return this
  }

  hear = (from: string, message: NakReliable.Message): this => this.give({ _tag: "Message", from, message })
  timeout = (timer: "report" | "ask" | "tick"): this => this.give({ _tag: "Timeout", timer })
  send = (payload: unknown): this => this.give({ _tag: "Command", command: { _tag: "Multicast", payload } })

  get sent(): ReadonlyArray<readonly [to: string, message: any]> {
    return this.asked.flatMap((each) => (each._tag === "Send" ? [[each.to, each.message] as const] : []))
  }

  get events(): ReadonlyArray<any> {
    return this.asked.flatMap((each) => (each._tag === "Emit" ? [each.event] : []))
  }
}

const data = (sequence: number, life = 7): NakReliable.Message => ({
  _tag: "Data",
  view: 0,
  life,
  sequence,
  stamp: null,
  payload: `m${sequence}`
})
const report = (...received: ReadonlyArray<number>): NakReliable.Message => ({
  _tag: "Report",
  view: 0,
  received,
  asks: false
})

describe("who misses something says so", () => {
  it("a gap that is still there at a second look is asked about, the sender first, then others who have it", () => {
    const node = new Node("n1").hear("n2", data(3)).hear("n3", report(0, 3, 0))
    expect(node.timeout("ask").sent).toEqual([])
    const missing = { _tag: "Missing", view: 0, rank: 1, from: 1, to: 2 }
    expect(node.timeout("ask").sent).toEqual([["n2", missing]])
    expect(node.timeout("ask").sent).toEqual([["n3", missing]])
    node.hear("n3", { _tag: "Repair", view: 0, rank: 1, message: data(1) as never })
    expect(node.events.map(({ payload }) => payload)).toEqual(["m1"])
    node.hear("n2", data(2))
    expect(node.events.map(({ payload, from }) => [from, payload])).toEqual([
      ["n2", "m2"],
      ["n2", "m3"]
    ])
  })

  it("what is asked for is sent again by whoever has it, 32 at a time", () => {
    const node = new Node("n1")
    for (let i = 1; i <= 40; i++) node.hear("n2", data(i))
    node.hear("n3", { _tag: "Missing", view: 0, rank: 1, from: 5, to: 40 })
    expect(node.sent.map(([to, { _tag, message, rank }]) => [to, _tag, rank, message.sequence])).toEqual(
      Array.from({ length: 32 }, (_, i) => ["n3", "Repair", 1, 5 + i])
    )
  })

  it("the loss of a last message is found by the reports of others", () => {
    const node = new Node("n1").hear("n3", report(0, 1, 0))
    node.timeout("ask")
    expect(node.timeout("ask").sent).toEqual([["n2", { _tag: "Missing", view: 0, rank: 1, from: 1, to: 1 }]])
  })

  it("a message that all have is stable, and forgotten", () => {
    const node = new Node("n1").hear("n2", data(1))
    const kept = (): number => node.state.streams[1]!.log.next - node.state.streams[1]!.log.first
    expect(kept()).toBe(1)
    node.hear("n3", report(0, 1, 0))
    expect([node.state.streams[1]!.stable, kept()]).toEqual([1, 0])
  })
})

describe("a gap that is never filled", () => {
  const waiting = (node: Node): Node => {
    node.timeout("ask").timeout("ask")
    node.now = defaults.gapTimeoutMillis
    return node.timeout("ask")
  }

  it("nobody within reach has it: it is told once, and taken if it comes after all", () => {
    const node = waiting(new Node("n1").hear("n2", data(2)))
    expect(node.events).toEqual([{ _tag: "Lost", from: "n2", sequence: 1 }])
    expect(node.timeout("ask").asked).toEqual([])
    node.hear("n2", data(1))
    expect(node.events.map(({ _tag, payload }) => [_tag, payload])).toEqual([
      ["Delivered", "m1"],
      ["Delivered", "m2"]
    ])
  })

  it("another member has it, and delivers it: this one takes no part any more, and says why", () => {
    const node = waiting(new Node("n1").hear("n2", data(2)).hear("n3", report(0, 2, 0)))
    const reason = "message 1 of n2, which n3 has, could not be had within 30000 ms. Let this node join anew."
    expect(node.events).toEqual([{ _tag: "Failed", reason }])
    expect(node.hear("n2", data(1)).asked).toEqual([])
    expect(node.send("x").asked).toEqual([])
  })

  it("what an earlier life had is forgotten: the new one is told so", () => {
    const other = new Node("n3").hear("n2", data(1)).hear("n1", report(0, 1, 0))
    other.hear("n1", { _tag: "Missing", view: 0, rank: 1, from: 1, to: 1 })
    const gone = { _tag: "Gone", view: 0, rank: 1, sequence: 1 } as const
    expect(other.sent).toEqual([["n1", gone]])
    expect(new Node("n1").hear("n3", gone).events[0]._tag).toBe("Failed")
    // One that has got it since it asked.
    expect(new Node("n1").hear("n2", data(1)).hear("n3", gone).events).toEqual([])
  })
})

describe("messages that are none of the group's", () => {
  it("of a node that is no member: refused and counted", () => {
    const node = new Node("n1").hear("stranger", data(1))
    expect([node.asked, node.state.refused]).toEqual([[], { strangers: 1, past: 0, overflow: 0 }])
  })

  it("of another life of a member: refused, and told that it is a stranger", () => {
    const node = new Node("n1").hear("n2", data(1)).hear("n2", data(2, 8))
    expect(node.sent).toEqual([["n2", { _tag: "Stranger", view: 0, life: 8 }]])
    expect(node.state.refused.strangers).toBe(1)
    const again = new Node("n2")
    expect(again.hear("n1", { _tag: "Stranger", view: 0, life: 8 }).events).toEqual([])
    expect(again.hear("n1", { _tag: "Stranger", view: 0, life: again.state.life }).events[0]._tag).toBe("Failed")
  })

  it("of a view to come: kept, up to the bound; of a view that is over: counted", () => {
    const early = { ...data(1), view: 1 } as NakReliable.Message
    const node = new Node("n1", { maxEarly: 2 }).hear("n2", early).hear("n2", early).hear("n2", early)
    expect([node.state.held.next, node.state.refused.overflow]).toEqual([2, 1])
  })
})

describe("what waits has a bound", () => {
  const Multicasts = (node: Node, count: number): Node => {
    for (let i = 0; i < count; i++) node.send(i)
    return node
  }

  it("of a node's messages no more than its window are under way, and the return of room is told", () => {
    const full = Multicasts(new Node("n1", { window: 2 }), 3)
    expect([full.asked, full.state.streams[0]!.log.next - 1]).toEqual([[], 2])
    const node = Multicasts(new Node("n1", { window: 2 }), 2)
    expect(node.hear("n2", report(1, 0, 0)).events).toEqual([])
    expect(node.hear("n3", report(1, 0, 0)).events).toEqual([{ _tag: "Room" }])
  })

  it("a member whose application lags does not report, so that senders wait for it", () => {
    const node = new Node("n1", { maxWaiting: 10 }).hear("n2", data(1))
    expect(node.timeout("report").sent.length).toBe(2)
    node.give({ _tag: "Command", command: { _tag: "Lag", count: 10 } })
    expect(node.hear("n2", data(2)).sent).toEqual([])
    expect(node.timeout("report").sent).toEqual([])
    node.give({ _tag: "Command", command: { _tag: "Lag", count: 9 } })
    expect(node.sent.map(([, message]) => message.received)).toEqual([
      [0, 2, 0],
      [0, 2, 0]
    ])
  })

  it("a reader of a stream that is slow slows the senders, and misses nothing", async () => {
    const read: Array<number> = []
    let ahead = 0
    const result = await Effect.runPromise(
      Simulation.run({
        seed: 1,
        nodes: ["n1", "n2", "n3"],
        duration: "5 minutes",
        program: (node) =>
          Effect.gen(function* () {
            const context = yield* Layer.build(NakReliable.layer({ window: 32, maxWaiting: 64 }))
            const multicast = Context.get(context, Multicast.key<NakReliable.Guarantees>())
            if (node !== "n2") {
              const topic = yield* multicast.open(Posts, () => {})
              for (let i = 0; node === "n1" && i < 1_000; i++) {
                yield* topic.send(i)
                ahead = Math.max(ahead, i - read.length)
              }
              return
            }
            const topic = yield* multicast.open(Posts)
            yield* Stream.runForEach(topic.deliveries, ({ message }) =>
              Effect.as(Effect.sleep("20 millis"), read.push(message))
            )
          })
      })
    )
    expect(result.violations).toEqual([])
    expect(read).toEqual(Array.from({ length: 1_000 }, (_, i) => i))
    // What the reader holds, what waits for it, what is under way; the protocol hears of the lag 32 messages late at most.
    expect(ahead).toBeLessThan(64 + 64 + 32 + 32)
  })

  it("what waits to be stable holds back no report: uniform delivery goes on where all windows are full", async () => {
    const tight: Subject = { ...uniform, layer: () => NakReliable.uniform({ window: 8, maxWaiting: 4 }) }
    expect(explain(await search(tight, "lossy", 5, { senders: 4, messages: 60, pauseMillis: 1 }))).toBe("nothing")
  })

  it.each([{ window: 0 }, { maxWaiting: 0.5 }, { reportEvery: NaN }, { askMillis: -1 }])(
    "a bound that is none: %o",
    async (wrong) => {
      const build = Layer.build(NakReliable.layer(wrong))
      const error = await Effect.runPromise(Effect.scoped(Effect.flip(build as never)))
      expect(error).toBeInstanceOf(Multicast.InvalidOptions)
    }
  )
})

// ------------------------------------------------------------------------------------------------------------ the card

/** Counts messages by what they are, of one multicast in a group that is at rest otherwise. */
const count = async (members: number): Promise<Record<string, number>> => {
  const counts: Record<string, number> = {}
  const all = Array.from({ length: members }, (_, i) => `n${i + 1}`)
  const result = await Effect.runPromise(
    Simulation.run({
      seed: 1,
      nodes: all,
      duration: "1 hour",
      program: (node) =>
        Effect.gen(function* () {
          const context = yield* Layer.build(NakReliable.layer())
          const topic = yield* Context.get(context, Multicast.key<NakReliable.Guarantees>()).open(Posts, () => {})
          if (node === "n1") yield* topic.send(1)
        }),
      trace: (event) => {
        for (const { message } of Trace.sends(event)) {
          const { _tag } = message as { readonly _tag: string }
          counts[_tag] = (counts[_tag] ?? 0) + 1
        }
      }
    })
  )
  expect(result.ended).toBe("quiet")
  return counts
}

describe("cost", () => {
  it.each([2, 3, 5, 9])(
    "a multicast among %i nodes is N−1 messages, and (N−1)² reports where nothing else is sent",
    async (n) => {
      expect(await count(n)).toEqual({ Data: card.cost.best.of(n), Report: (n - 1) ** 2 })
    }
  )
})

describe("outside what it assumes", () => {
  it("what a crashed node lacks is never stable", async () => {
    expect(explain(await search(reliable, "half-way", 20, { card: true }))).toContain("everybody gets everything")
  })

  it("a node that comes back lacks what the others have forgotten", async () => {
    expect(explain(await search(reliable, "crash", 20, { card: true }))).toContain("nothing is forgotten")
  })

  it("senders stop when their windows are full of what a crashed member lacks", () => {
    const node = new Node("n1", { window: 2 })
      .send(1)
      .send(2)
      .hear("n2", report(2, 0, 0))
    expect(node.events).toEqual([])
    expect(node.send(3).asked).toEqual([])
  })

  it("a member may deliver what dies with it; one that delivers uniformly waits for what all have", async () => {
    const shape = {
      messages: 3,
      delays: () => ({ minMillis: 1, maxMillis: 200 })
    }
    const strict: Subject = { ...reliable, guarantees: ["uniform"] }
    expect(explain(await search(strict, "half-way", 100, shape))).toContain("uniform")
  })
})
