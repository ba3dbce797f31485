import { Observer } from "@troupe/actor"
import { StampedTransport } from "@troupe/clocks"
import { Bully } from "@troupe/election"
import { Mutex, RicartAgrawala } from "@troupe/mutex"
import { Faults, Simulation } from "@troupe/simulation"
import { Recorder, Trace } from "@troupe/trace"
import { Channel, Transport } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, type Scope, Schema } from "effect"

const nodes = ["n1", "n2", "n3", "n4"]
const unordered = { ...Faults.lossy, lossProbability: 0.1, duplicationProbability: 0.2, reorderProbability: 0.3 }

type Program = (node: string) => Effect.Effect<unknown, unknown, Transport | Scope.Scope>

/** Each node takes the lock three times. */
const mutex: Program = () =>
  Effect.gen(function* () {
    const lock = Context.get(yield* Layer.build(RicartAgrawala.layer({ resource: "orders" })), Mutex)
    for (let i = 0; i < 3; i++) yield* lock.withLock(() => Effect.sleep("20 millis"))
  })

const election: Program = () => Layer.build(Bully.layer())

/** No actor: messages that a program sends by itself, all alike. */
const gossip: Program = (node) =>
  Effect.gen(function* () {
    const transport = yield* Transport
    const send = yield* transport.open(Channel.make("gossip", Schema.String), () => {})
    for (let i = 0; i < 20; i++) {
      for (const other of nodes) if (other !== node) send(other, "hello")
      yield* Effect.sleep("30 millis")
    }
  })

const run = (seed: number, program: Program, trace?: (event: Trace.Event) => void) =>
  Simulation.run({
    seed,
    nodes,
    program,
    faults: unordered,
    duration: "4 seconds",
    // The layer that stamps is no reason for fibers to take turns in another order.
    yieldProbability: 0,
    ...(trace === undefined ? {} : { trace })
  })

/** What the simulator knows happened, and what a recorder in the nodes tells of the same run. */
const both = (seed: number, program: Program, stamps: boolean) =>
  Effect.gen(function* () {
    const truth: Array<Trace.Event> = []
    yield* run(seed, program, (event) => truth.push(event))
    const recorder = yield* Recorder.make({ title: "stamped", nodes })
    const stamping = stamps ? StampedTransport.traced(recorder.stamps) : Layer.empty
    const { violations } = yield* run(seed, (node) =>
      Effect.flatMap(Layer.build(stamping), (context) =>
        program(node).pipe(Effect.provideContext(context), Effect.provideService(Observer, recorder.observer))
      )
    )
    expect(violations).toEqual([])
    return { truth: told(truth), recorded: told(recorder.trace().events) }
  })

/** Of each event of a node: its clock, and whose message it took. Ids are numbers of sends, whichever they are. */
const told = (events: ReadonlyArray<Trace.Event>) => {
  const sends = new Map<number, string>()
  for (const event of events) {
    for (const [at, { id }] of Trace.sends(event).entries()) {
      const { clock, node } = event as Trace.NodeEvent
      sends.set(id, `${at} of ${node} at ${clock[node]}`)
    }
  }
  return events.flatMap((event) => {
    if (event._tag !== "Step" && event._tag !== "Sent" && event._tag !== "Received") return []
    const receipt = Trace.receipt(event)
    const took = receipt === undefined ? undefined : (sends.get(receipt.id ?? -1) ?? "unknown")
    return [{ what: event._tag, node: event.node, clock: event.clock, took }]
  })
}

describe("a trace of stamped messages", () => {
  it.live.each([
    ["Ricart–Agrawala", mutex],
    ["the bully", election],
    ["messages of a program", gossip]
  ] as const)("of %s is the truth, where messages are lost, doubled and overtake", ([, program]) =>
    Effect.gen(function* () {
      let taken = 0
      for (let seed = 1; seed <= 30; seed++) {
        const { recorded, truth } = yield* both(seed, program, true)
        // When the run is over, the simulator looks no more, and locks are given back.
        expect(recorded.slice(0, truth.length)).toEqual(truth)
        expect(recorded.slice(truth.length).every(({ took }) => took === undefined)).toBe(true)
        expect(recorded.filter(({ took }) => took === "unknown")).toEqual([])
        taken += recorded.filter(({ took }) => took !== undefined).length
      }
      expect(taken).toBeGreaterThan(500)
    })
  )

  it.live("of messages that are not stamped is not: the test can fail", () =>
    Effect.gen(function* () {
      const { recorded, truth } = yield* both(1, election, false)
      expect(recorded).not.toEqual(truth)
    })
  )
})
