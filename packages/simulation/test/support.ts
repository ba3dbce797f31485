/** What the tests of the simulator share: a trace in full, and a stream of numbered messages between nodes. */
import { type Faults, Simulation } from "@troupe/simulation"
import { Trace } from "@troupe/trace"
import { Channel, type NodeId, Transport } from "@troupe/transport"
import { Clock, Effect, Schema } from "effect"

export const three: ReadonlyArray<NodeId.NodeId> = ["n1", "n2", "n3"]

/** A run, its trace, and the whole of it as text, with what the run counted. */
export const traced = <E, A = void>(options: Simulation.Options<E, A>) =>
  Effect.gen(function* () {
    const events: Array<Trace.Event> = []
    const lines: Array<string> = []
    const result = yield* Simulation.run({
      ...options,
      trace: (event) => {
        events.push(event)
        // At once, so that a state that is changed later is found out.
        lines.push(Trace.encodeEvent(event))
      }
    })
    return { result, events, trace: [...lines, JSON.stringify(result.counts)].join("\n") }
  })

/** True time on a node whose clock neither drifts nor is off. */
export const nowMillis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

export const Numbers = Channel.make("numbers", Schema.Number)

export interface Arrival {
  readonly to: NodeId.NodeId
  readonly from: NodeId.NodeId
  readonly number: number
  readonly sentAtMillis: number
  readonly atMillis: number
}

/** `sender` sends `count` numbers to each of the others, one every `everyMillis`. Says what arrived, in that order. */
export const stream = (
  options: Partial<Simulation.Options<unknown, void>> & {
    readonly sender?: NodeId.NodeId
    readonly count?: number
    readonly everyMillis?: number
  } = {}
) => {
  const { count = 100, everyMillis = 1, sender = "n1", nodes = three, ...rest } = options
  const arrivals: Array<Arrival> = []
  const program = (self: NodeId.NodeId) =>
    Effect.gen(function* () {
      const transport = yield* Transport
      const clock = yield* Clock.Clock
      const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
      const send = yield* transport.open(Numbers, (from, number) =>
        arrivals.push({ to: self, from, number, sentAtMillis: number * everyMillis, atMillis: now() })
      )
      if (self !== sender) return
      for (let number = 0; number < count; number++) {
        for (const node of nodes) if (node !== self) send(node, number)
        yield* Effect.sleep(everyMillis)
      }
    })
  return Effect.map(
    Simulation.run<unknown, void>({ seed: 1, duration: "10 minutes", ...rest, nodes, program }),
    (result) => ({
      result,
      arrivals,
      at: (to: NodeId.NodeId): ReadonlyArray<Arrival> => arrivals.filter((arrival) => arrival.to === to),
      numbers: (to: NodeId.NodeId): ReadonlyArray<number> =>
        arrivals.filter((arrival) => arrival.to === to).map(({ number }) => number)
    })
  )
}

export const upTo = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, at) => at)

/** Every message takes this long. */
export const delayOf = (millis: number): Partial<Faults.Faults> => ({ delayMillisMin: millis, delayMillisMax: millis })
