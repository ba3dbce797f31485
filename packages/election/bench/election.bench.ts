/**
 * An election by the bully algorithm in simulation, all nodes starting together: its messages, its virtual time, and how
 * many messages a second of wall time that makes, beside the same pure machine in a bare loop.
 *
 *     node --conditions=@troupe/source packages/election/bench/election.bench.ts [--json] [--rounds 7]
 */
import { Protocol } from "@troupe/actor"
import { Bully } from "@troupe/election"
import { Simulation } from "@troupe/simulation"
import { Effect, Layer } from "effect"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "7" } }
}).values
const rounds = Number(given)

const { card, protocol } = Bully

interface Election {
  readonly messages: number
  readonly virtualMillis: number
}

/** Until everybody follows the highest. */
const simulate = (nodes: ReadonlyArray<string>): Effect.Effect<Election, unknown> => {
  const agreed = card.guarantees.find(({ name }) => name === "the highest leads")!.holds
  return Effect.map(
    Simulation.run({
      seed: 1,
      nodes,
      program: () => Layer.build(Bully.layer()),
      test: ({ world }) =>
        Effect.gen(function* () {
          while (!agreed(world.snapshot(protocol.name))) yield* Effect.sleep("10 millis")
        })
    }),
    ({ counts, durationMillis }) => ({ messages: counts.sent, virtualMillis: durationMillis })
  )
}

/** Every message is a call; when none is left, timers run out in the order of setting. */
const floor = (nodes: ReadonlyArray<string>): Election => {
  const selves = nodes.map((node) => Protocol.self(node, nodes, Bully.defaults))
  const states = selves.map((self) => protocol.init(self))
  const rank = new Map(nodes.map((node, at) => [node, at]))
  const queue: Array<{ readonly to: number; readonly from: string; readonly message: Bully.Message }> = []
  const claims = new Set<number>()
  const acts = selves.map((self, at) => ({
    self,
    send: (to: string, message: Bully.Message) => void queue.push({ to: rank.get(to)!, from: self.id, message }),
    sendAll: (peers: ReadonlyArray<string>, message: Bully.Message) => {
      for (const peer of peers) acts[at]!.send(peer, message)
    },
    setTimer: (timer: string) => void (timer === "claim" && claims.add(at)),
    clearTimer: (timer: string) => void (timer === "claim" && claims.delete(at)),
    emit: () => {},
    now: () => 0,
    monotonic: () => 0,
    random: () => 0
  }))
  let handled = 0
  const deliver = () => {
    for (; handled < queue.length; handled++) {
      const { from, message, to } = queue[handled]!
      states[to] = protocol.onMessage(states[to]!, from, message, acts[to]!)
    }
  }
  for (const at of nodes.keys()) states[at] = protocol.onStart!(states[at]!, acts[at]!)
  deliver()
  for (const at of claims) states[at] = protocol.onTimeout!(states[at]!, "claim", acts[at]!)
  deliver()
  return { messages: handled, virtualMillis: 0 }
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const digits = (value: number): number => Number(value.toPrecision(3))

const measure = Effect.fnUntraced(function* (size: number) {
  const nodes = Array.from({ length: size }, (_, i) => `n${i + 1}`)
  const rates = { simulation: [] as Array<number>, floor: [] as Array<number> }
  let election: Election = { messages: 0, virtualMillis: 0 }
  const timed = Effect.fnUntraced(function* (run: Effect.Effect<Election, unknown>) {
    globalThis.gc?.()
    const start = performance.now()
    const result = yield* run
    return { result, rate: (result.messages / (performance.now() - start)) * 1000 }
  })
  // The first round warms up.
  for (let round = -1; round < rounds; round++) {
    const simulated = yield* timed(simulate(nodes))
    const bare = yield* timed(Effect.sync(() => floor(nodes)))
    election = simulated.result
    if (round < 0) continue
    rates.simulation.push(simulated.rate)
    rates.floor.push(bare.rate)
  }
  return {
    messages: election.messages,
    "of them heartbeats": election.messages - card.cost.worst.of(size),
    "virtual ms": digits(election.virtualMillis),
    "thousand messages/s": digits(median(rates.simulation) / 1000),
    "floor, thousand messages/s": digits(median(rates.floor) / 1000)
  }
})

const report = {
  benchmark: "bully, all nodes start together, in simulation",
  unit: "medians",
  rounds,
  "7 nodes": await Effect.runPromise(measure(7)),
  "101 nodes": await Effect.runPromise(measure(101))
}
console.log(json ? JSON.stringify(report) : report)
