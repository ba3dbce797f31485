/** Common set-up of the tests of physical clocks: a simulated world in which some nodes know the true time. */
import { IntervalClock, NodeClock, type TimeSource } from "@troupe/clocks"
import { type Faults, Simulation } from "@troupe/simulation"
import type { ChannelInUse, Transport } from "@troupe/transport"
import { Clock, Context, type Duration, Effect, Layer } from "effect"

/** The true time: in a simulated world `performance.now` reads virtual time, which no node's clock is a part of. */
export const trueMillis = (): number => Date.UTC(2020, 0, 1) + performance.now()

/** A clock that is right, or off by `errorMillis`, for nodes that have a receiver of satellites. */
const receiver = (host: Clock.Clock, errorMillis: number): Clock.Clock => {
  const nanos = (): bigint => BigInt(Math.round((trueMillis() + errorMillis) * 1e3)) * 1_000n
  return {
    currentTimeMillisUnsafe: () => Math.floor(trueMillis() + errorMillis),
    currentTimeMillis: Effect.sync(() => Math.floor(trueMillis() + errorMillis)),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: () => host.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: host.monotonicTimeNanos,
    sleep: (duration) => host.sleep(duration)
  }
}

/** A clock on a host whose time of day is right but for `errorMillis`. */
export const onHost = <A, E>(errorMillis: number, clock: Layer.Layer<A, E>): Layer.Layer<A, E> =>
  Layer.unwrap(
    Effect.map(Clock.Clock, (host) => Layer.provide(clock, Layer.succeed(Clock.Clock, receiver(host, errorMillis))))
  )

/** The `NodeClock` of a server, whose host is right but for `errorMillis`. */
export const serverClock = (errorMillis = 0): Layer.Layer<NodeClock.NodeClock> => onHost(errorMillis, NodeClock.host)

/** What a node saw of its own clocks, and the true time then. */
export interface Sight {
  readonly node: string
  readonly atMillis: number
  /** How far its `NodeClock` is ahead of the true time. */
  readonly offsetMillis: number
  /** Of an interval clock that knows the time. */
  readonly interval: { readonly earliest: number; readonly latest: number; readonly trueMillis: number } | undefined
}

export interface Setup {
  readonly seed: number
  readonly servers: ReadonlyArray<string>
  readonly clients: ReadonlyArray<string>
  /** By how much a server's clock is off. */
  readonly lies?: Readonly<Record<string, number>>
  readonly source: Layer.Layer<
    TimeSource,
    ChannelInUse | NodeClock.InvalidClockOptions,
    Transport | NodeClock.NodeClock
  >
  readonly clock?: Parameters<typeof NodeClock.layer>[0]
  readonly driftPpmMax?: number
  readonly faults?: Partial<Faults.Faults>
  readonly delays?: NonNullable<Simulation.Options<unknown>["delays"]>
  readonly duration?: Duration.Input
  readonly everyMillis?: number
  readonly scheduled?: NonNullable<Simulation.Options<unknown>["scheduled"]>
}

/** Skewed clocks that drift by up to 200 parts per million, and jump. */
export const skewed: Partial<Faults.Faults> = {
  clockSkewMillisMax: 500,
  clockDriftPpmMax: 200,
  clockJumpsPerMinute: 30,
  clockJumpMillisMax: 5_000
}

/** Runs servers that are right and clients that ask them, and returns what the nodes saw. */
export const watch = (setup: Setup) =>
  Effect.gen(function* () {
    const { everyMillis = 250, lies = {}, servers } = setup
    const sights: Array<Sight> = []
    const program = (node: string) =>
      Effect.gen(function* () {
        const clock = servers.includes(node) ? serverClock(lies[node]) : NodeClock.layer(setup.clock)
        const drift = setup.driftPpmMax === undefined ? {} : { driftPpmMax: setup.driftPpmMax }
        const context = yield* Layer.build(
          IntervalClock.layer(drift).pipe(Layer.provideMerge(setup.source), Layer.provideMerge(clock))
        )
        const nodeClock = Context.get(context, NodeClock.NodeClock)
        const interval = Context.get(context, IntervalClock.IntervalClock)
        for (;;) {
          yield* Effect.sleep(everyMillis)
          const now = trueMillis()
          const known = yield* Effect.result(interval.now)
          sights.push({
            node,
            atMillis: performance.now(),
            offsetMillis: nodeClock.nowUnsafe() - now,
            interval: known._tag === "Success" ? { ...known.success, trueMillis: now } : undefined
          })
        }
      })
    const result = yield* Simulation.run({
      seed: setup.seed,
      nodes: [...servers, ...setup.clients],
      program,
      duration: setup.duration ?? "5 seconds",
      faults: setup.faults ?? skewed,
      ...(setup.delays === undefined ? {} : { delays: setup.delays }),
      ...(setup.scheduled === undefined ? {} : { scheduled: setup.scheduled })
    })
    return { result, sights, of: (node: string) => sights.filter((sight) => sight.node === node) }
  })

/** Those whose interval does not hold the true time. */
export const excluding = (sights: ReadonlyArray<Sight>): ReadonlyArray<Sight> =>
  sights.filter(
    ({ interval }) =>
      interval !== undefined && (interval.earliest > interval.trueMillis || interval.latest < interval.trueMillis)
  )

/** The same delay on every link, but for the way from the servers. */
export const ways = (servers: ReadonlyArray<string>, thereMillis: number, backMillis: number) => (from: string) => {
  const millis = servers.includes(from) ? backMillis : thereMillis
  return { minMillis: millis, maxMillis: millis }
}
