/**
 * What recording costs: five nodes of a ring pass a token on over the memory transport, without a recorder, with one that
 * keeps the latest 100,000 events, and in a simulated world without and with a trace.
 *
 *     node --conditions=@troupe/source packages/simulation/bench/recorder.bench.ts [--json] [--rounds 7]
 */
import { Actor, Observer, type Protocol } from "@troupe/actor"
import { Simulation } from "@troupe/simulation"
import { Recorder } from "@troupe/trace"
import { Memory, Transport } from "@troupe/transport"
import { Effect, Schema } from "effect"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "7" } }
}).values
const rounds = Number(given)

const nodes = ["n1", "n2", "n3", "n4", "n5"]
const passes = 200_000

const ring: Protocol.Protocol<number, number, number, "done"> = {
  name: "bench/ring",
  message: Schema.Number,
  init: () => 0,
  onCommand: (_left, left, act) => {
    act.send(next(act.self), left)
    return left
  },
  onMessage: (_left, _from, left, act) => {
    if (left > 1) act.send(next(act.self), left - 1)
    else act.emit("done")
    return left
  }
}

const next = ({ id, nodes }: Protocol.Self): string => nodes[(nodes.indexOf(id) + 1) % nodes.length]!

const driven = (recorder: Recorder.Recorder | undefined) =>
  Effect.gen(function* () {
    const network = Memory.network({ nodes })
    const actors = yield* Effect.forEach(nodes, (node) =>
      Effect.flatMap(Memory.connect(network, node), (transport) =>
        Actor.spawn(ring).pipe(
          Effect.provideService(Transport, transport),
          Effect.provideService(Observer, recorder?.observer)
        )
      )
    )
    const pass = Effect.callback<void>((resume) => {
      for (const actor of actors) actor.subscribe(() => resume(Effect.void))
      actors[0]!.tell(passes)
    })
    globalThis.gc?.()
    const start = performance.now()
    yield* pass
    return (passes / (performance.now() - start)) * 1000
  }).pipe(Effect.scoped)

const simulated = (trace: boolean) =>
  Effect.gen(function* () {
    let events = 0
    globalThis.gc?.()
    const start = performance.now()
    yield* Simulation.run({
      seed: 1,
      nodes,
      duration: "1 day",
      program: (node) => Effect.map(Actor.spawn(ring), (actor) => node === "n1" && actor.tell(passes)),
      ...(trace ? { trace: () => events++ } : {})
    })
    return (passes / (performance.now() - start)) * 1000
  })

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const thousands = (values: ReadonlyArray<number>): number => Math.round(median(values) / 1000)

const figures = { driver: [], recorded: [], simulated: [], traced: [] } as Record<string, Array<number>>
const program = Effect.gen(function* () {
  for (let round = -1; round < rounds; round++) {
    const recorder = yield* Recorder.make({ title: "bench", nodes })
    const measured = {
      driver: yield* driven(undefined),
      recorded: yield* driven(recorder),
      simulated: yield* simulated(false),
      traced: yield* simulated(true)
    }
    if (round >= 0) for (const [name, value] of Object.entries(measured)) figures[name]!.push(value)
  }
})

await Effect.runPromise(program)
const report = {
  benchmark: "a token round a ring of five, one message a step",
  unit: "thousand steps/s, medians",
  rounds,
  ...Object.fromEntries(Object.entries(figures).map(([name, values]) => [name, thousands(values)]))
}
console.log(json ? JSON.stringify(report) : report)
