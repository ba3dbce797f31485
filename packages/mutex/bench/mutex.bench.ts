/**
 * Ricart–Agrawala among five nodes that all ask without pause: messages a second through the driver and the memory
 * transport, beside the same pure machine in a bare loop; and entries a second by `withLock`.
 *
 *     node --conditions=@troupe/source packages/mutex/bench/mutex.bench.ts [--json] [--rounds 7]
 */
import { Actor, Protocol } from "@troupe/actor"
import { Mutex, RicartAgrawala } from "@troupe/mutex"
import { Memory, Transport } from "@troupe/transport"
import { Context, Effect, Layer } from "effect"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "7" } }
}).values
const rounds = Number(given)

const nodes = ["n1", "n2", "n3", "n4", "n5"]
const { protocol } = RicartAgrawala
const acquire = { _tag: "Acquire" } as const
const release = { _tag: "Release" } as const
const entries = 100_000
const lockEntries = 10_000

/** The nodes with nothing between them: a queue of messages, and a call for each. Returns how many there were. */
const floor = (): number => {
  const selves = nodes.map((node) => Protocol.self(node, nodes, undefined))
  const states = selves.map((self) => protocol.init(self))
  const rank = new Map(nodes.map((node, at) => [node, at]))
  const to: Array<number> = []
  const from: Array<string> = []
  const messages: Array<RicartAgrawala.Message> = []
  let entered = 0
  let inside = -1
  const acts = selves.map((self, at) => ({
    self,
    send: (peer: string, message: RicartAgrawala.Message) => {
      to.push(rank.get(peer)!)
      from.push(self.id)
      messages.push(message)
    },
    sendAll: (peers: ReadonlyArray<string>, message: RicartAgrawala.Message) => {
      for (let i = 0; i < peers.length; i++) acts[at]!.send(peers[i]!, message)
    },
    setTimer: () => {},
    clearTimer: () => {},
    emit: () => {
      inside = at
    },
    now: () => 0,
    monotonic: () => 0,
    random: () => 0
  }))
  for (const at of nodes.keys()) states[at] = protocol.onCommand(states[at]!, acquire, acts[at]!)
  let sent = 0
  for (let i = 0; i < to.length; i++) {
    const at = to[i]!
    states[at] = protocol.onMessage(states[at]!, from[i]!, messages[i]!, acts[at]!)
    if (inside >= 0) {
      const holder = inside
      inside = -1
      states[holder] = protocol.onCommand(states[holder]!, release, acts[holder]!)
      if (++entered <= entries - nodes.length)
        states[holder] = protocol.onCommand(states[holder]!, acquire, acts[holder]!)
    }
    if (i === 8191) {
      sent += i + 1
      to.splice(0, i + 1)
      from.splice(0, i + 1)
      messages.splice(0, i + 1)
      i = -1
    }
  }
  return sent + to.length
}

const spawnAll = Effect.gen(function* () {
  const network = Memory.network({ nodes })
  return yield* Effect.forEach(nodes, (node) =>
    Effect.flatMap(Memory.connect(network, node), (transport) =>
      Effect.provideService(Actor.spawn(protocol), Transport, transport)
    )
  )
})

type Actors = Effect.Success<typeof spawnAll>

/** Returns how many messages there were. */
const driver = (actors: Actors): Effect.Effect<number> =>
  Effect.callback<number>((resume) => {
    const sent = () => actors.reduce((sum, { counters }) => sum + counters.sent, 0)
    const before = sent()
    let entered = 0
    const stops = actors.map((actor) =>
      actor.subscribe(() => {
        actor.tell(release)
        if (++entered <= entries - nodes.length) actor.tell(acquire)
        else if (entered === entries) {
          for (const stop of stops) stop()
          resume(Effect.sync(() => sent() - before))
        }
      })
    )
    for (const actor of actors) actor.tell(acquire)
  })

const locks = Effect.gen(function* () {
  const network = Memory.network({ nodes })
  return yield* Effect.forEach(nodes, (node) =>
    Effect.map(
      Layer.build(RicartAgrawala.layer({ resource: "bench" }).pipe(Layer.provide(Memory.layer(network, node)))),
      Context.get(Mutex)
    )
  )
})

const withLock = (all: Effect.Success<typeof locks>): Effect.Effect<number> =>
  Effect.forEach(
    all,
    (mutex) =>
      Effect.forEach(Array(lockEntries / nodes.length).fill(0), () => mutex.withLock(() => Effect.void), {
        discard: true
      }),
    { concurrency: "unbounded", discard: true }
  ).pipe(Effect.as(lockEntries))

const perSecond = (run: Effect.Effect<number>): Effect.Effect<number> =>
  Effect.gen(function* () {
    globalThis.gc?.()
    const start = performance.now()
    const count = yield* run
    return (count / (performance.now() - start)) * 1000
  })

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const digits = (value: number): number => Number(value.toPrecision(3))

const program = Effect.gen(function* () {
  const actors = yield* spawnAll
  const mutexes = yield* locks
  const contenders = { driver: driver(actors), floor: Effect.sync(floor), withLock: withLock(mutexes) }
  const figures: Record<keyof typeof contenders, Array<number>> = { driver: [], floor: [], withLock: [] }
  // The first round warms up.
  for (let round = -1; round < rounds; round++) {
    for (const name of ["driver", "floor", "withLock"] as const) {
      const figure = yield* perSecond(contenders[name])
      if (round >= 0) figures[name].push(figure)
    }
  }
  const { driver: driven, floor: bare, withLock: locked } = figures
  return {
    benchmark: "Ricart–Agrawala, five nodes, one process, memory transport",
    unit: "medians",
    rounds,
    "million messages/s": {
      driver: digits(median(driven) / 1e6),
      floor: digits(median(bare) / 1e6),
      ratio: digits(median(driven.map((value, round) => value / bare[round]!))),
      goal: 5
    },
    "withLock entries/s": digits(median(locked))
  }
})

const report = await Effect.runPromise(Effect.scoped(program))
console.log(json ? JSON.stringify(report) : report)
