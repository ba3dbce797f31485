import { type Card, Protocol } from "@troupe/actor"
import { LamportClock, LamportTimestamp, LogicalClock, type Stamped } from "@troupe/clocks"
import { Faults, Simulation } from "@troupe/simulation"
import { Memory } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Layer, Random, Stream } from "effect"

const { card, protocol } = LamportClock
const nodes = ["P1", "P2", "P3"]
const guarantees = Simulation.fromCard(card, protocol.name)

const at = (time: number, node = "P1") => ({ time, node })
const tick = { _tag: "Command", command: { _tag: "Tick" } } as const
const send = { _tag: "Command", command: { _tag: "Send", to: "P2" } } as const
const arrival = (sent: number) => ({ _tag: "Message", from: "P2", message: { sent } }) as const
const self = Protocol.self("P1", nodes, undefined)
const run = (...inputs: ReadonlyArray<Protocol.Input<LamportClock.Message, LamportClock.Command, never>>) =>
  inputs.reduce<
    ReturnType<
      typeof Protocol.step<LamportClock.State, LamportClock.Message, LamportClock.Command, Stamped, never, void>
    >
  >(({ state }, input) => Protocol.step(protocol, self, state, input), { state: protocol.init(self), actions: [] })

describe("the clock (Lamport 1978, Logical Clocks)", () => {
  it("advances between any two events of a process (IR1)", () => {
    expect([run(tick), run(tick, tick), run(tick, send)].map(({ state }) => state.clock)).toEqual([at(1), at(2), at(2)])
  })

  it("a message carries the time of its sending (IR2a)", () => {
    expect(run(tick, send).actions).toEqual([
      { _tag: "Send", to: "P2", message: { sent: 2 } },
      { _tag: "Emit", event: { kind: "send", at: at(2), to: "P2" } }
    ])
  })

  it("a receiver moves past that time and its own (IR2b)", () => {
    expect(run(tick, arrival(7)).state.clock).toEqual(at(8))
    expect(run(tick, tick, tick, arrival(2)).state.clock).toEqual(at(4))
    expect(run(arrival(1), arrival(1)).state.clock).toEqual(at(3))
  })

  it("a message of the user's own counts like one of the clock's", () => {
    const witness = { _tag: "Command", command: { _tag: "Witness", sent: at(7, "P2") } } as const
    expect(run(tick, witness)).toEqual(run(tick, arrival(7)))
  })
})

describe("timestamps (Lamport 1978, Ordering the Events Totally)", () => {
  it("of two that have one time the lower process comes first", () => {
    expect(LamportTimestamp.isBefore(at(5, "P1"), at(5, "P2"))).toBe(true)
    expect(LamportTimestamp.isBefore(at(5, "P9"), at(5, "P10"))).toBe(true)
    expect(LamportTimestamp.isBefore(at(6, "P1"), at(5, "P2"))).toBe(false)
    expect(LamportTimestamp.isBefore(at(5), at(5))).toBe(false)
  })

  it("the order is total", () => {
    const { Order } = LamportTimestamp
    const all = [0, 1, 2, 10].flatMap((time) => ["P1", "P2", "P10", "Q"].map((node) => at(time, node)))
    const before = all.flatMap((a) => all.flatMap((b) => (LamportTimestamp.isBefore(a, b) ? [[a, b] as const] : [])))
    expect(before).toHaveLength((all.length * (all.length - 1)) / 2)
    for (const [a, b] of before) {
      expect(Order(b, a)).toBe(1)
      for (const c of all) if (Order(b, c) < 0) expect(Order(a, c)).toBe(-1)
    }
  })
})

/** The clock, in the scope of the node. */
const clock = Effect.map(Layer.build(LamportClock.layer), Context.get(LogicalClock))

/** Ticks, sends and waits at random. */
const busy = (node: string) =>
  Effect.gen(function* () {
    const { send, tick } = yield* clock
    for (let i = 0; i < 20; i++) {
      const to = yield* Random.nextIntBetween(0, nodes.length)
      yield* nodes[to] === node ? tick : send(nodes[to]!)
      yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 500)))
    }
  })

const search = (faults: Card.Faults, program: typeof busy = busy) =>
  Simulation.search({
    seeds: { first: 1, last: 1000 },
    nodes,
    program,
    faults: {
      ...Faults.presets[faults],
      ...(faults === "partition" ? { partitionMillisMin: 100, partitionMillisMax: 1000 } : {})
    },
    duration: "15 seconds",
    properties: guarantees
  })

describe("inside its assumptions every guarantee of the card holds", () => {
  it.live.each(card.assumes.tolerates)("faults %s, seeds 1..1000", (faults) =>
    Effect.gen(function* () {
      expect((yield* search(faults)).failures).toEqual([])
    })
  )

  const stamped = (time: number, latest: Stamped | undefined, previous = 0): LamportClock.State => ({
    clock: at(time),
    latest,
    previous
  })
  it.each([
    ["clock condition across nodes", stamped(3, { kind: "receive", at: at(3), sent: at(3, "P2") }, 2)],
    ["clock condition within a node", stamped(2, { kind: "local", at: at(2) }, 2)],
    ["a message is received", stamped(2, { kind: "local", at: at(2) }, 1)]
  ])("a state that breaks it is found out: %s", (name, state) => {
    const broken = card.guarantees.filter(({ holds }) => !holds([{ node: "P1", alive: true, state }]))
    expect(broken.map((guarantee) => guarantee.name)).toContain(name)
  })
})

describe("the converse is false (Lamport 1978, Logical Clocks)", () => {
  it("C(a) < C(b), and neither event can have caused the other", () => {
    const [weakness] = card.weaknesses
    expect(weakness).toMatchObject({ name: "the converse is false", faults: "none" })
    expect(weakness!.breaks).toBeUndefined()
    // No message is sent, so that what P1 does is concurrent with what P2 does.
    const a = LamportTimestamp.next(LamportTimestamp.zero("P1"))
    const b = LamportTimestamp.next(LamportTimestamp.next(LamportTimestamp.zero("P2")))
    expect(a.time).toBeLessThan(b.time)
  })
})

describe("a node that forgets", () => {
  it.live("repeats the timestamps of its life before", () =>
    Effect.gen(function* () {
      expect(card.weaknesses[1]).toMatchObject({ name: "a node that forgets", faults: "crash" })
      const stamps: Array<LamportTimestamp.LamportTimestamp> = []
      const { violations } = yield* Simulation.run({
        seed: 1,
        nodes: ["P1"],
        program: () => Effect.flatMap(clock, ({ tick }) => Effect.map(tick, (stamp) => stamps.push(stamp))),
        test: ({ crash, restart }) =>
          Effect.gen(function* () {
            yield* Effect.sleep("1 second")
            yield* crash("P1")
            yield* restart("P1")
            yield* Effect.sleep("1 second")
          })
      })
      expect(violations).toEqual([])
      expect(stamps).toEqual([at(1), at(1)])
    })
  )
})

describe("it costs one message a message", () => {
  it.live("as many as were sent by the user", () =>
    Effect.gen(function* () {
      const program = (node: string) =>
        Effect.flatMap(clock, ({ send }) => Effect.forEach(nodes, (to) => (to === node ? Effect.void : send(to))))
      const { counts } = yield* Simulation.run({ seed: 1, nodes, program })
      expect(counts.sent).toBe(6 * card.cost.best.of(3))
      expect(card.cost.worst.of(3)).toBe(1)
    })
  )
})

describe("LogicalClock", () => {
  it.live("stamps ticks and sends, and tells of each event as it comes", () =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes: ["P1", "P2"], encode: "always" })
      const [first, second] = yield* Effect.forEach(network.nodes, (node) =>
        Layer.build(LamportClock.layer.pipe(Layer.provide(Memory.layer(network, node)))).pipe(
          Effect.map(Context.get(LogicalClock))
        )
      )
      const heard = yield* Effect.forkChild(Stream.runCollect(Stream.take(second!.events, 2)), {
        startImmediately: true
      })
      expect(yield* first!.now).toEqual(at(0))
      expect(yield* first!.tick).toEqual(at(1))
      expect(yield* first!.send("P2")).toEqual(at(2))
      yield* Effect.andThen(Effect.yieldNow, Effect.yieldNow)
      expect(yield* second!.witness(at(9))).toEqual(at(10, "P2"))
      expect([...(yield* Fiber.join(heard))]).toEqual([
        { kind: "receive", at: at(3, "P2"), sent: at(2) },
        { kind: "receive", at: at(10, "P2"), sent: at(9) }
      ])
      expect(yield* second!.now).toEqual(at(10, "P2"))
    })
  )
})
