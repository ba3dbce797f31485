import { describe, expect, it } from "@effect/vitest"
import { Actor, type Protocol } from "@troupe/actor"
import { Faults } from "@troupe/simulation"
import { Trace } from "@troupe/trace"
import { Transport } from "@troupe/transport"
import { Effect, Schema } from "effect"
import { Numbers, three, traced } from "./support.ts"

/** Passes a number on until it is 0. */
const relay: Protocol.Protocol<number, number, number> = {
  name: "test/relay",
  message: Schema.Number,
  init: () => 0,
  onCommand: (sum, number, act) => {
    act.sendAll(act.self.nodes, number)
    return sum
  },
  onMessage: (sum, _from, number, act) => {
    if (number > 0) act.send(act.self.peers[Math.floor(act.random() * act.self.peers.length)]!, number - 1)
    return sum + 1
  }
}

const chaos = (seed: number) =>
  traced({
    seed,
    nodes: three,
    faults: { ...Faults.chaos, crashesPerMinute: 30, partitionsPerMinute: 30, oneWayProbability: 0.5 },
    duration: "10 seconds",
    program: () =>
      Effect.gen(function* () {
        const actor = yield* Actor.spawn(relay)
        for (;;) {
          actor.tell(5)
          yield* Effect.sleep(500)
        }
      })
  })

const seeds = [1, 2, 3, 4, 5]

describe("the trace of a simulated run", () => {
  it.effect.each(seeds)("names what each step received by the id of its send: seed %d", (seed) =>
    Effect.gen(function* () {
      const { events, result } = yield* chaos(seed)
      const sent = new Map<
        number,
        { readonly event: Trace.NodeEvent; readonly to: string; readonly message: unknown }
      >()
      const copies = new Map<number, number>()
      for (const event of events) {
        const receipt = Trace.receipt(event)
        if (receipt !== undefined && "node" in event) {
          const send = sent.get(receipt.id!)!
          expect(send).toMatchObject({ to: event.node, message: receipt.message, event: { node: receipt.from } })
          expect(Trace.happenedBefore(send.event, event)).toBe(true)
        }
        const id = receipt?.id ?? (event._tag === "Lost" ? event.id : undefined)
        if (id !== undefined) copies.set(id, (copies.get(id) ?? 0) + 1)
        for (const { id, message, to } of Trace.sends(event)) {
          expect(sent.has(id)).toBe(false)
          sent.set(id, { event: event as Trace.NodeEvent, to, message })
        }
      }
      expect(sent.size).toBe(result.counts.sent)
      expect([...copies.values()].filter((count) => count > 2)).toEqual([])
      // Doubled messages come twice, but for copies that were under way at the end or when their receiver crashed.
      const doubled = [...copies.values()].filter((count) => count === 2).length
      expect(doubled).toBeLessThanOrEqual(result.counts.duplicated)
      expect(events.filter(({ _tag }) => _tag === "Lost").length).toBeGreaterThan(0)
    })
  )

  it.effect.each(seeds)("has clocks that grow by one from event to event of a node: seed %d", (seed) =>
    Effect.gen(function* () {
      const counts = new Map<string, number>()
      for (const event of (yield* chaos(seed)).events) {
        if (!("node" in event)) continue
        counts.set(event.node, (counts.get(event.node) ?? 0) + 1)
        expect(event.clock[event.node]).toBe(counts.get(event.node))
      }
    })
  )

  it.effect("is read as it was written", () =>
    Effect.gen(function* () {
      const { events } = yield* chaos(1)
      const trace = { header: Trace.header({ title: "chaos", source: "simulation", nodes: three }), events }
      const { events: read } = yield* Trace.decode(Trace.encode(trace))
      expect(read.map(Trace.encodeEvent)).toEqual(events.map(Trace.encodeEvent))
    })
  )

  it.effect("tells of a split and of what heals it, and says of one direction which", () =>
    Effect.gen(function* () {
      const partition = { _tag: "Partition", side: ["n1"], atMillis: 10, forMillis: 10 } as const
      const { events } = yield* traced({
        seed: 1,
        nodes: three,
        scheduled: [
          { ...partition, direction: "both" },
          { ...partition, atMillis: 40, direction: "from" }
        ],
        program: () => Effect.void
      })
      expect(events).toEqual([
        { _tag: "Split", parts: [["n1"], ["n2", "n3"]], atMillis: 10 },
        { _tag: "Split", parts: [["n1", "n2", "n3"]], atMillis: 20 },
        {
          _tag: "Note",
          text: "what n1 sends to n2 n3 is lost from now on",
          broken: false,
          nodes: ["n1"],
          atMillis: 40
        },
        { _tag: "Note", text: "what n1 sends to n2 n3 arrives again", broken: false, nodes: ["n1"], atMillis: 50 }
      ])
    })
  )

  it.effect("tells what programs send and receive without an actor", () =>
    Effect.gen(function* () {
      const { events } = yield* traced({
        seed: 1,
        nodes: ["n1", "n2"],
        faults: { delayMillisMin: 5, delayMillisMax: 5 },
        program: (node) =>
          Effect.gen(function* () {
            const transport = yield* Transport
            const send = yield* transport.open(Numbers, (from, number) => number > 1 && send(from, number - 1))
            if (node === "n1") send("n2", 2)
          })
      })
      const channel = "numbers"
      expect(events).toEqual([
        { _tag: "Sent", node: "n1", clock: { n1: 1 }, atMillis: 0, channel, id: 1, to: "n2", message: 2 },
        { _tag: "Received", node: "n2", clock: { n1: 1, n2: 1 }, atMillis: 5, channel, from: "n1", message: 2, id: 1 },
        { _tag: "Sent", node: "n2", clock: { n1: 1, n2: 2 }, atMillis: 5, channel, id: 2, to: "n1", message: 1 },
        { _tag: "Received", node: "n1", clock: { n1: 2, n2: 2 }, atMillis: 10, channel, from: "n2", message: 1, id: 2 }
      ])
    })
  )
})
