/** The kernel under the order of sending, in a group that never changes. */
import { Actor, Protocol } from "@troupe/actor"
import { Simulation } from "@troupe/simulation"
import { Effect, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { fifo } from "../src/internal/fifo.ts"
import { kernel } from "../src/internal/kernel.ts"
import * as Log from "../src/internal/log.ts"
import { defaults } from "../src/internal/options.ts"
import type { Asks, Order } from "../src/internal/order.ts"
import { received } from "../src/internal/state.ts"

const protocol = kernel({ name: "test/kernel", order: fifo, payload: Schema.Number })

const nodes = ["n1", "n2", "n3"]

describe("nothing is lost for good", () => {
  it.each([1, 2, 3, 4, 5])("seed %i: every member delivers all of each in the order of sending", async (seed) => {
    const heard = new Map(nodes.map((node) => [node, [] as Array<string>]))
    const actors = new Map<string, Actor.Actor<any, any, any>>()
    const result = await Effect.runPromise(
      Simulation.run({
        seed,
        nodes,
        duration: "30 seconds",
        faults: {
          lossProbability: 0.2,
          duplicationProbability: 0.1,
          reorderProbability: 0.2,
          delayMillisMin: 1,
          delayMillisMax: 50
        },
        program: (node) =>
          Effect.gen(function* () {
            const actor = yield* Actor.spawn(protocol, { options: defaults })
            actors.set(node, actor)
            actor.subscribe((event) => {
              if (event._tag === "Delivered") heard.get(node)!.push(`${event.from}:${event.payload}`)
            })
            for (let i = 0; i < 20; i++) {
              actor.tell({ _tag: "Multicast", payload: i })
              yield* Effect.sleep("7 millis")
            }
          })
      })
    )
    expect(result.violations).toEqual([])
    for (const node of nodes) {
      for (const from of nodes) {
        expect(heard.get(node)!.filter((each) => each.startsWith(from))).toEqual(
          Array.from({ length: 20 }, (_, i) => `${from}:${i}`)
        )
      }
      const state = actors.get(node)!.state()
      expect(state.streams.map((s: any) => [received(s), s.stable, s.delivered, s.log.chunks.length])).toEqual(
        nodes.map(() => [20, 20, 20, 0])
      )
      expect(state.ticking).toBe(false)
    }
    expect(result.ended).toBe("quiet")
  })
})

describe("orders", () => {
  /** Delivers in pairs, the later of a sender first; what has no pair comes at the end of the view. */
  const pairs: Order<null, null> = {
    ...fifo,
    receive: (_state, rank, { sequence }, _isControl, ask) => {
      if (sequence % 2 === 0) [sequence, sequence - 1].forEach((each) => ask.deliver(rank, each))
      return null
    }
  }
  const inPairs = kernel({ name: "test/pairs", order: pairs, payload: Schema.Number })
  const data = (sequence: number) =>
    ({
      _tag: "Message",
      from: "n2",
      message: { _tag: "Data", view: 0, life: 1, sequence, stamp: null, payload: sequence }
    }) as const

  it("may deliver the messages of a sender in any order, and what is delivered and stable is forgotten all the same", () => {
    const self = Protocol.self("n1", ["n1", "n2"], defaults)
    let state = Protocol.step(inPairs, self, inPairs.init(self), { _tag: "Start" }).state
    const delivered: Array<number> = []
    for (let sequence = 1; sequence <= 5; sequence++) {
      const step = Protocol.step(inPairs, self, state, data(sequence))
      state = step.state
      for (const each of step.actions) {
        if (each._tag === "Emit" && each.event._tag === "Delivered") delivered.push(each.event.payload)
      }
    }
    expect(delivered).toEqual([2, 1, 4, 3])
    // Of two members, what one has received of the other is with both.
    expect(state.streams.map(({ delivered, log, stable }) => [delivered, stable, log.first, log.next])).toEqual([
      [0, 0, 1, 1],
      [4, 5, 5, 6]
    ])
    expect(state.settled).toEqual([])
  })

  it("must not deliver what there is not", () => {
    const wrong = kernel({
      name: "test/wrong",
      payload: Schema.Number,
      order: {
        ...fifo,
        receive: (_state: null, rank: number, _message: unknown, _control: boolean, ask: Asks<null, null>) => {
          ask.deliver(rank, 7)
          return null
        }
      }
    })
    const self = Protocol.self("n1", ["n1", "n2"], defaults)
    const { state } = Protocol.step(wrong, self, wrong.init(self), { _tag: "Start" })
    expect(() => Protocol.step(wrong, self, state, data(1))).toThrow(
      "the order delivers message 7 of rank 1, which is none"
    )
  })
})

describe("a log", () => {
  it("is a queue with numbers, whatever is appended and dropped", () => {
    let random = 1
    const draw = (below: number): number => (random = (random * 48_271) % 2_147_483_647) % below
    for (let run = 0; run < 50; run++) {
      let log: Log.Log<number> = Log.empty(1)
      let first = 1
      let next = 1
      for (let i = 0; i < 300; i++) {
        if (draw(3) > 0) log = Log.append(log, next++)
        else log = Log.dropBefore(log, (first = Math.min(next, first + draw(40))))
        expect([log.first, log.next, Log.size(log)]).toEqual([first, next, next - first])
        expect(Log.items(log)).toEqual(Array.from({ length: next - first }, (_, at) => first + at))
        for (const at of [first - 1, first, (first + next) >> 1, next - 1, next]) {
          expect(Log.get(log, at)).toBe(at >= first && at < next ? at : undefined)
        }
      }
    }
  })
})
