/** View synchrony: views that change under faults, joiners under load, and what it all costs. */
import { Membership, Protocol } from "@troupe/actor"
import { Multicast, ViewSynchrony } from "@troupe/group"
import { Simulation } from "@troupe/simulation"
import { Trace } from "@troupe/trace"
import { Channel, Transport } from "@troupe/transport"
import * as Udp from "@troupe/transport/Udp"
import { Context, Deferred, Duration, Effect, Layer, Queue, Schema, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { fifo } from "../src/internal/fifo.ts"
import { type Kernel, kernel } from "../src/internal/kernel.ts"
import { chaos, run, type World } from "./chaos.ts"
import { conforms } from "./conformance.ts"

const { card, defaults, protocol } = ViewSynchrony
const texts = kernel({ name: "test/views", order: fifo, payload: Schema.String })

/** What is broken first in these seeds, and the most of everything that was seen. */
const search = async (seeds: number, world: World, first = 1) => {
  const most = { deliveries: 0, views: 0, transfers: 0, kept: 0, own: 0, ahead: 0, held: 0, queue: 0 }
  for (let seed = first; seed < first + seeds; seed++) {
    const { broken, deliveries, peaks, transfers, views } = await run(seed, world)
    if (broken.length > 0) return { broken: `seed ${seed}: ${broken.join("; ")}`, most }
    const seen = { deliveries, views, transfers, ...peaks }
    for (const key of Object.keys(seen) as Array<keyof typeof seen>) most[key] = Math.max(most[key], seen[key])
  }
  return { broken: undefined, most }
}

describe("members crash, come back and join, are left out wrongly, messages are lost, doubled and overtake", () => {
  it("150 seeds: who goes on has delivered the same, joiners have the state, and what is kept is bounded", async () => {
    const { broken, most } = await search(150, { protocol: texts, ...chaos })
    expect(broken).toBeUndefined()
    const { maxEarly, window } = chaos.options
    expect(most.own).toBeLessThanOrEqual(window)
    expect(most.kept).toBeLessThanOrEqual(window + 16)
    expect(most.queue).toBeLessThanOrEqual(window)
    expect(Math.max(most.ahead, most.held)).toBeLessThanOrEqual(maxEarly)
    expect(most.transfers).toBeGreaterThan(3)
  })

  it("20 seeds: what the card says of the states of its nodes holds all along", async () => {
    expect((await search(20, { ...chaos, protocol: texts, card }, 1001)).broken).toBeUndefined()
  })

  it("40 seeds: delivering uniformly, nobody has delivered what survivors don't", async () => {
    const options = { ...chaos.options, uniform: true, reportMillis: 0 }
    const guarantees = [...chaos.guarantees, "uniform"] as const
    expect((await search(40, { ...chaos, protocol: texts, options, guarantees })).broken).toBeUndefined()
  })

  it("without that, some member that is left out has delivered more", async () => {
    const guarantees = [...chaos.guarantees, "uniform"] as const
    expect((await search(60, { ...chaos, protocol: texts, guarantees })).broken).toContain("uniform")
  })

  it("a planted fault, a view that is entered before the one before is flushed, is found", async () => {
    const hasty: Kernel<string, any> = {
      ...texts,
      onView: (state, view, act) => {
        const isIn = view.members.includes(act.self.id) && view.joined?.includes(act.self.id) !== true
        return texts.onView!(isIn ? { ...state, view: undefined } : state, view, act)
      }
    }
    expect((await search(20, { ...chaos, protocol: hasty })).broken).toContain("view synchrony")
  })
})

// --------------------------------------------------------------------------------------------------- through the service

const nodes = ["n1", "n2", "n3"]
const first: Protocol.View = { number: 1, members: ["n1", "n2", "n3", "n4"], joined: ["n1", "n2", "n3", "n4"] }

const membership = (...views: ReadonlyArray<Protocol.View>): Layer.Layer<Membership> =>
  Layer.succeed(Membership, { views: Stream.concat(Stream.fromIterable(views), Stream.never) })

conforms(
  {
    name: "ViewSynchrony",
    guarantees: ["reliable", "fifo", "view-synchronous"],
    layer: () => Layer.provide(ViewSynchrony.layer(), membership(first)),
    protocol,
    hasViews: true
  },
  { worlds: ["none", "lossy", "partition", "doubled"], seeds: 10, card: true, sockets: ["tcp", "udp"] }
)
conforms(
  {
    name: "ViewSynchrony.uniform",
    guarantees: ["uniform", "fifo", "view-synchronous"],
    layer: () => Layer.provide(ViewSynchrony.uniform(), membership(first)),
    protocol,
    hasViews: true
  },
  { worlds: ["none", "lossy"], seeds: 10, sockets: ["tcp"] }
)

const Additions = Channel.make("additions", Schema.Int)

/** Two nodes add numbers at full speed; a third joins meanwhile, is given the sum and adds on. */
const joinUnderLoad = async (seed: number, loss: number) => {
  const sums = new Map<string, Array<number>>()
  const installed = new Map<string, number>()
  const perNode = 400
  const result = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes,
      duration: "2 minutes",
      faults: { lossProbability: loss },
      program: (node) =>
        Effect.gen(function* () {
          const views = yield* Queue.unbounded<Protocol.View>()
          if (node !== "n3") Queue.offerUnsafe(views, { number: 1, members: ["n1", "n2"], joined: ["n1", "n2"] })
          const layer = Layer.provide(
            ViewSynchrony.layer({ pieceBytes: 8 }),
            Layer.succeed(Membership, { views: Stream.fromQueue(views) })
          )
          const multicast = Context.get(yield* Layer.build(layer), Multicast.key<ViewSynchrony.Guarantees>())
          let sum = 0
          sums.set(node, [])
          const topic = yield* multicast.open(
            Additions,
            ({ message }) => {
              sum += message
              sums.get(node)!.push(sum)
            },
            {
              schema: Schema.Struct({ sum: Schema.Int, padding: Schema.String }),
              snapshot: () => ({ sum, padding: "x".repeat(200) }),
              install: (state) => {
                expect(sums.get(node)).toEqual([])
                installed.set(node, state.sum)
                sum = state.sum
              }
            }
          )
          const join = Effect.sync(() => Queue.offerUnsafe(views, { number: 2, members: nodes, joined: ["n3"] }))
          yield* Effect.forkScoped(Effect.delay(join, Duration.millis(200 + 50 * nodes.indexOf(node))))
          for (let i = 0; i < perNode; i++) yield* topic.send(1 + (i % 7))
        })
    })
  )
  expect(result.violations).toEqual([])
  return { sums, installed }
}

/** Counts messages by what they are, of a group that goes from a view to the next without anything else to do. */
const changing = async (members: number, next: (nodes: ReadonlyArray<string>) => Protocol.View) => {
  const counts: Record<string, number> = {}
  const all = Array.from({ length: members }, (_, i) => `n${i + 1}`)
  const result = await Effect.runPromise(
    Simulation.run({
      seed: 1,
      nodes: all,
      duration: "1 hour",
      program: (node) =>
        Effect.gen(function* () {
          const views = [{ number: 1, members: all, joined: all }, next(all)]
          const told = Stream.concat(
            Stream.mapEffect(Stream.fromIterable(views), (view) => Effect.as(Effect.sleep("1 second"), view)),
            Stream.never
          )
          const layer = Layer.provide(ViewSynchrony.layer(), Layer.succeed(Membership, { views: told }))
          const multicast = Context.get(yield* Layer.build(layer), Multicast.key<ViewSynchrony.Guarantees>())
          const topic = yield* multicast.open(Additions, () => {})
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
    "a multicast among %i is N−1 messages, a change of the view S(S−1) for S survivors",
    async (n) => {
      const counts = await changing(n, (members) => ({ number: 2, members: members.slice(1), joined: [] }))
      expect(counts).toEqual({
        Data: card.cost.best.of(n),
        Report: (n - 1) ** 2,
        ...(n > 2 ? { Flush: (n - 1) * (n - 2) } : {})
      })
    }
  )

  it.each([2, 3, 5])(
    "among %i, one that joins costs an offer, a question, a piece for each 1,024 bytes, and N−1 words that it has it",
    async (n) => {
      const counts = await changing(n, (members) => ({ number: 2, members, joined: [`n${n}`] }))
      const survivors = (n - 1) * (n - 2)
      expect(counts).toMatchObject({ Data: n - 1, ...(survivors > 0 ? { Flush: survivors } : {}), Want: 1, Piece: 1 })
      expect(counts["Have"]).toBeGreaterThanOrEqual(n - 1)
    }
  )
})

describe("a joiner under full load", () => {
  it.each([
    [1, 0],
    [2, 0],
    [3, 0.1],
    [4, 0.2]
  ])("seed %i, loss %d: misses nothing and gets nothing twice", async (seed, loss) => {
    const { installed, sums } = await joinUnderLoad(seed, loss)
    const all = 3 * Array.from({ length: 400 }, (_, i) => 1 + (i % 7)).reduce((sum, each) => sum + each, 0)
    expect(nodes.map((node) => sums.get(node)!.at(-1))).toEqual([all, all, all])
    const given = installed.get("n3")!
    expect(given).toBeGreaterThan(0)
    expect(given).toBeLessThan(all)
    // Where it came in, the others were at the same sum.
    for (const node of ["n1", "n2"]) expect(sums.get(node)).toContain(given)
    expect([...installed.keys()]).toEqual(["n3"])
  })
})

describe("over UDP", () => {
  it("a state of 200,000 bytes comes to a joiner, in packets", async () => {
    const size = 200_000
    const views = { n1: [{ number: 1, members: ["n1"], joined: ["n1"] }], n2: [] as Array<Protocol.View> }
    const program = Effect.gen(function* () {
      const first = yield* Udp.make({ self: "n1", listen: "127.0.0.1:0", peers: { n2: null } })
      const peers = { n1: `127.0.0.1:${first.address.port}` }
      const second = yield* Udp.make({ self: "n2", listen: "127.0.0.1:0", peers })
      yield* first.introduce("n2", `127.0.0.1:${second.address.port}`)
      const given = yield* Deferred.make<number>()
      const join: Protocol.View = { number: 2, members: ["n1", "n2"], joined: ["n2"] }
      for (const [node, transport] of Object.entries({ n1: first, n2: second })) {
        const told = Stream.concat(Stream.fromIterable([...views[node as "n1" | "n2"], join]), Stream.never)
        const layer = Layer.provide(ViewSynchrony.layer(), Layer.succeed(Membership, { views: told }))
        const context = yield* Effect.provideService(Layer.build(layer), Transport, transport)
        yield* Context.get(context, Multicast.key<ViewSynchrony.Guarantees>()).open(Additions, () => {}, {
          schema: Schema.Uint8Array,
          snapshot: () => new Uint8Array(size).fill(7),
          install: (state) => void Deferred.doneUnsafe(given, Effect.succeed(state.filter((each) => each === 7).length))
        })
      }
      return yield* Deferred.await(given)
    })
    expect(await Effect.runPromise(Effect.scoped(program))).toBe(size)
  })
})

// ------------------------------------------------------------------------------------------------------------ by hand

/** A node that is given one input after the other; `sent` is what it asked for last. */
class Node {
  readonly self: Protocol.Self<ViewSynchrony.Options>
  state: ViewSynchrony.State
  sent: ReadonlyArray<readonly [to: string, message: any]> = []
  events: ReadonlyArray<any> = []

  constructor(id: string, options: Partial<ViewSynchrony.Options> = {}) {
    this.self = Protocol.self(id, nodes, { ...defaults, ...options })
    this.state = protocol.init(this.self)
  }

  give(input: Protocol.Input<any, any>): this {
    const { actions, state } = Protocol.step(protocol as never, this.self, this.state, input)
    this.state = state as ViewSynchrony.State
    const all = actions as ReadonlyArray<Protocol.Action<any, any>>
    this.sent = all.flatMap((each) => (each._tag === "Send" ? [[each.to, each.message] as const] : []))
    this.events = all.flatMap((each) => (each._tag === "Emit" ? [each.event] : []))
    return this
  }

  view = (number: number, members: ReadonlyArray<string>, joined: ReadonlyArray<string> = []): this =>
    this.give({ _tag: "View", view: { number, members, joined } })
  hear = (from: string, message: ViewSynchrony.Message): this => this.give({ _tag: "Message", from, message })
  send = (payload: unknown): this => this.give({ _tag: "Command", command: { _tag: "Multicast", payload } })
}

const flush = (attempt: number, received: ReadonlyArray<number>, ready = false): ViewSynchrony.Message => ({
  _tag: "Flush",
  view: 1,
  attempt,
  received,
  ready
})

const data = (sequence: number, view = 1): ViewSynchrony.Message => ({
  _tag: "Data",
  view,
  life: 5,
  sequence,
  stamp: null,
  payload: `m${sequence}`
})

describe("the end of a view", () => {
  const inView = (): Node => new Node("n1").view(1, nodes, nodes)

  it("survivors tell each other what they have; where all have the same they go on, S(S−1) messages in all", () => {
    const node = inView().view(2, ["n1", "n2"])
    expect(node.sent).toEqual([["n2", flush(2, [0, 0, 0])]])
    expect(node.events).toEqual([])
    expect(node.hear("n2", flush(2, [0, 0, 0])).events).toEqual([
      { _tag: "Viewed", view: { number: 2, members: ["n1", "n2"], joined: [] } }
    ])
  })

  it("what a member lacks it asks a survivor for, and tells when it has it", () => {
    const node = inView()
      .view(2, ["n1", "n2"])
      .hear("n2", flush(2, [0, 0, 1]))
    expect(node.sent).toEqual([["n2", { _tag: "Missing", view: 1, rank: 2, from: 1, to: 1 }]])
    node.hear("n2", { _tag: "Repair", view: 1, rank: 2, message: data(1) as never })
    expect(node.sent).toEqual([["n2", flush(2, [0, 0, 0], true)]])
    expect(node.events.map(({ _tag }) => _tag)).toEqual(["Delivered", "Viewed"])
  })

  it("a message of one who is left out counts only if a survivor told of it", () => {
    const node = inView()
      .view(2, ["n1", "n2"])
      .hear("n3", data(1))
      .hear("n2", flush(2, [0, 0, 0]))
    expect(node.events.map(({ _tag }) => _tag)).toEqual(["Viewed"])
    const other = inView()
      .view(2, ["n1", "n2"])
      .hear("n3", data(1))
      .hear("n2", flush(2, [0, 0, 1]))
    expect(other.events.map(({ _tag }) => _tag)).toEqual(["Delivered", "Viewed"])
  })

  it("a survivor that drops out lets it begin again, and every view is entered, one after the other", () => {
    const node = inView().view(2, ["n1", "n2"]).view(3, ["n1"])
    expect(node.events.map(({ view }) => view.number)).toEqual([2, 3])
  })

  it("what is asked for meanwhile is sent in the new view, and delivered in it", () => {
    const node = inView().view(2, ["n1", "n2"]).send("late")
    expect(node.sent).toEqual([])
    node.hear("n2", flush(2, [0, 0, 0]))
    expect(node.sent.map(([to, { payload, view }]) => [to, view, payload])).toEqual([["n2", 2, "late"]])
    expect(node.events.at(-1)).toMatchObject({ _tag: "Delivered", view: 2, payload: "late" })
  })

  it("a straggler among the survivors is told that it may go on; one who was none is not", () => {
    const node = inView()
      .view(2, ["n1", "n2"])
      .hear("n2", flush(2, [0, 0, 0]))
    expect(node.hear("n2", flush(2, [0, 0, 0])).sent).toEqual([["n2", { _tag: "Installed", view: 1 }]])
    expect(node.hear("n3", flush(2, [0, 0, 0])).sent).toEqual([])
  })

  it("a node that a view leaves out takes no part any more; its messages are refused in the next view", () => {
    const node = inView().view(2, ["n2", "n3"])
    expect(node.events).toEqual([{ _tag: "Failed", reason: "view 2 leaves this node out" }])
    expect(node.send("x").sent).toEqual([])
    const other = inView()
      .view(2, ["n1", "n2"])
      .hear("n2", flush(2, [0, 0, 0]))
      .hear("n3", data(1, 2))
    expect(other.state.refused.strangers).toBe(1)
    expect(other.hear("n2", data(1, 1)).state.refused.past).toBe(1)
  })

  it("more than 64 views that nobody gets through", () => {
    const node = inView()
    for (let number = 2; number <= 65; number++) node.view(number, nodes)
    expect(node.events).toEqual([])
    expect(node.view(66, nodes).events[0]).toMatchObject({ _tag: "Failed" })
  })
})

describe("the state, for those who join", () => {
  const donor = (): Node => {
    const node = new Node("n1", { pieceBytes: 4 }).view(1, ["n1", "n2"], ["n1", "n2"]).view(2, nodes, ["n3"])
    return node.hear("n2", flush(2, [0, 0]))
  }
  const joiner = (): Node => new Node("n3").view(2, nodes, ["n3"])
  const state = new Uint8Array([1, 2, 3, 4, 5, 6])
  const snapshot = { _tag: "Snapshot", view: 2, state } as const
  const offer = { _tag: "Offer", view: 2, bytes: 6 } as const
  const piece = (offset: number, ...bytes: ReadonlyArray<number>): ViewSynchrony.Message => ({
    _tag: "Piece",
    view: 2,
    offset,
    bytes: new Uint8Array(bytes),
    isLast: false
  })

  it("is asked for between the last delivery of a view and the first of the next", () => {
    expect(donor().events.map(({ _tag }) => _tag)).toEqual(["Snapshot", "Viewed"])
  })

  it("is offered by the first who has it, and sent in pieces", () => {
    const node = donor().give({ _tag: "Command", command: snapshot })
    expect(node.sent).toEqual([["n3", offer]])
    node.hear("n3", { _tag: "Want", view: 2, offset: 0 })
    expect(node.sent.map(([, { bytes, offset }]) => [offset, [...bytes]])).toEqual([
      [0, [1, 2, 3, 4]],
      [4, [5, 6]]
    ])
    expect(node.state.snapshots.length).toBe(1)
    expect(node.hear("n3", { _tag: "Have", view: 2 }).state.snapshots).toEqual([])
  })

  it("comes before everything that is delivered meanwhile", () => {
    const node = joiner().hear("n1", data(1, 2))
    expect(node.events).toEqual([])
    expect(node.hear("n2", offer).sent).toEqual([["n2", { _tag: "Want", view: 2, offset: 0 }]])
    node
      .hear("n2", piece(0, 1, 2, 3))
      .hear("n2", piece(0, 9, 9, 9))
      .hear("n1", piece(3, 9, 9, 9))
    node.hear("n2", piece(3, 4, 5, 6))
    expect(node.events.map(({ _tag }) => _tag)).toEqual(["Install", "Viewed", "Delivered"])
    expect([...node.events[0].state]).toEqual([1, 2, 3, 4, 5, 6])
    expect(node.sent).toEqual([
      ["n1", { _tag: "Have", view: 2 }],
      ["n2", { _tag: "Have", view: 2 }]
    ])
    expect(node.hear("n1", offer).sent).toEqual([["n1", { _tag: "Have", view: 2 }]])
  })

  it("comes from another where its sender is gone", () => {
    const node = joiner()
      .hear("n1", offer)
      .hear("n1", piece(0, 1, 2, 3))
    node.view(3, ["n2", "n3"])
    expect(node.hear("n2", offer).sent).toEqual([["n2", { _tag: "Want", view: 2, offset: 0 }]])
  })

  it("is lost with the last who had it, which is a typed failure", () => {
    expect(joiner().view(3, ["n3"]).events).toEqual([
      { _tag: "Failed", reason: "nobody is left who has the state of the group. Let this node join anew." }
    ])
  })
})

describe("outside what it assumes", () => {
  it("while a crashed member is in the view, nothing becomes stable and senders stop", async () => {
    const still = { ...chaos, changes: false, evictionProbability: 0 }
    expect((await search(20, { ...still, protocol: texts })).broken).toBeDefined()
  })

  it("its card says which", () => {
    expect(card.weaknesses.map(({ name }) => name)).toEqual([
      "waits for the membership",
      "the state goes with its last holder",
      "not uniform"
    ])
  })
})
