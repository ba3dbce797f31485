/**
 * Runs whole applications, several nodes in one process, on virtual time, under faults, from one seed.
 *
 * The nodes run the code that they run in production: Effect programs over `Transport`, `Clock`, `Random`. Those three
 * and the scheduler are simulated, nothing else changes. One seed is one run: the same seed gives the same trace, byte
 * by byte, on any machine. A seed whose run breaks a property is shrunk to the fewest faults and the shortest time that
 * still break it.
 *
 * @example
 * import { Simulation } from "@troupe/simulation"
 * import { Mutex, RicartAgrawala } from "@troupe/mutex"
 * import { Effect, Layer } from "effect"
 *
 * let inside = 0
 * const program = Effect.gen(function*() {
 *   const mutex = yield* Mutex
 *   yield* mutex.withLock(() =>
 *     Effect.sync(() => inside++).pipe(Effect.andThen(Effect.sleep("1 second")), Effect.ensuring(Effect.sync(() => inside--)))
 *   )
 * })
 * const lock = RicartAgrawala.layer({ resource: "orders" })
 *
 * const result = await Effect.runPromise(Simulation.run({
 *   seed: 42,
 *   nodes: ["n1", "n2", "n3"],
 *   // The layer is built into the node's scope, so that the node goes on to answer when its program is done.
 *   program: () => Effect.flatMap(Layer.build(lock), (context) => Effect.provide(program, context)),
 *   properties: [Simulation.always("one at a time", () => inside <= 1)]
 * }))
 * console.log(result.violations) // []
 */
import type { Trace } from "@troupe/trace"
import { type NodeId, NodeId as NodeIds, type Transport } from "@troupe/transport"
import { Cause, Duration, Effect, Exit, Option, Schema, type Scope } from "effect"
import * as Faults from "./Faults.ts"
import * as ForeignTracker from "./internal/Foreign.ts"
import { type Carried, type Counts, type LinkDelay, type LinkDelays, World } from "./internal/World.ts"
import type * as Property from "./Property.ts"

export type { Carried, LinkDelay } from "./internal/World.ts"
export { always, eventually, fromCard, sometimes } from "./Property.ts"

export interface Options<E, A = void> {
  /** A whole number. */
  readonly seed: number
  readonly nodes: ReadonlyArray<NodeId.NodeId>
  /**
   * What a node runs, from its start and again from each restart. At the end of the run it is interrupted and its scope
   * closed, and time stands still for its finalizers. A crash runs none of them.
   */
  readonly program: (node: NodeId.NodeId) => Effect.Effect<unknown, E, Transport | Scope.Scope>
  /** Drives the run: faults at chosen moments, looks at the world, ends the run by ending. */
  readonly test?: (simulator: Simulator) => Effect.Effect<A, unknown>
  /** Default: `Faults.none`. */
  readonly faults?: Partial<Faults.Faults>
  /**
   * How long messages from one node to another take, where that differs from the delays of `faults`: uniform between the
   * two. Asked once for each link before the run, of 1,000 nodes at the most.
   */
  readonly delays?: (from: NodeId.NodeId, to: NodeId.NodeId) => LinkDelay | undefined
  /** Faults at times of one's own, besides those that the seed draws. */
  readonly scheduled?: ReadonlyArray<DistributiveOmit<Faults.Event, "index">>
  /** Of the events that the seed draws, only those with these indexes. For the replay of a shrunk run. */
  readonly keep?: ReadonlyArray<number>
  /** Virtual time after which the run ends; it ends earlier when nothing is left to happen. Default: 1 minute. */
  readonly duration?: Duration.Input
  /** The length that the plan of faults is drawn for. Default: `duration`. */
  readonly planned?: Duration.Input
  readonly properties?: ReadonlyArray<Property.Property>
  /**
   * How likely a fiber lets another go first at each of its operations; finds races that no fault is needed for.
   * Default: 0.01.
   */
  readonly yieldProbability?: number
  /** How many messages wait for a channel that its node has not opened; one more is dropped. Default: 4,096. */
  readonly holdMessages?: number
  /** Ends the run at the first broken `always`. Default: true. */
  readonly stopAtViolation?: boolean
  /**
   * Takes each message in place of the simulated network, and says when it arrives, how often, and whether it does. What a
   * cut or a split loses does not come to it; delays and faults of messages are not in force.
   */
  readonly carry?: (message: Carried) => void
  /** Takes each event of the trace as it happens. Without it none is made. */
  readonly trace?: (event: Trace.Event) => void
}

type DistributiveOmit<A, Key extends PropertyKey> = A extends unknown ? Omit<A, Key> : never

/** What a test holds in its hands. */
export interface Simulator {
  readonly world: Property.World
  /** The node loses all that it knew, and hears nothing, until `restart`. */
  readonly crash: (node: NodeId.NodeId) => Effect.Effect<void>
  readonly restart: (node: NodeId.NodeId) => Effect.Effect<void>
  /** The node stands still until `unpause`, and then goes on with what it missed. */
  readonly pause: (node: NodeId.NodeId) => Effect.Effect<void>
  readonly unpause: (node: NodeId.NodeId) => Effect.Effect<void>
  /** Loses what nodes of `from` send to nodes of `to`, from now until the returned effect is run. */
  readonly cut: (
    from: ReadonlyArray<NodeId.NodeId>,
    to: ReadonlyArray<NodeId.NodeId>
  ) => Effect.Effect<Effect.Effect<void>>
  /** Loses what is sent between nodes of different parts, from now on until the next split: one part of all heals it. */
  readonly split: (parts: ReadonlyArray<ReadonlyArray<NodeId.NodeId>>) => Effect.Effect<void>
  /** Moves the time of day of a node; timers don't follow. */
  readonly jump: (node: NodeId.NodeId, by: Duration.Input) => Effect.Effect<void>
}

export interface Result<A = void> {
  readonly seed: number
  /** What the test returned. */
  readonly value: A | undefined
  readonly verdicts: ReadonlyArray<Property.Verdict>
  /** The properties that do not hold, and `a program failed` with why, when one did. */
  readonly violations: ReadonlyArray<{ readonly name: string; readonly atMillis: number; readonly detail?: string }>
  /** The events of the plan, without those that `keep` left out. */
  readonly faults: ReadonlyArray<Faults.Event>
  /** `steps` counts tasks of fibers and events of the world. */
  readonly counts: Readonly<Counts>
  readonly durationMillis: number
  /** Why it ended: nothing was left to happen, time was up, the test ended, or a property broke. */
  readonly ended: "quiet" | "time" | "test" | "violation"
}

/** An option is wrong. */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", {
  reason: Schema.String
}) {
  override get message(): string {
    return `The simulation cannot run: ${this.reason}`
  }
}

/** The run waits for something, and nothing is left that could happen. */
export class Deadlock extends Schema.TaggedError<Deadlock>()("Deadlock", {
  seed: Schema.Number,
  atMillis: Schema.Number
}) {
  override get message(): string {
    return `Seed ${this.seed}: at ${this.atMillis} ms the test waits, and no task, timer or message is left that could wake it.`
  }
}

/** The run touched the real world, so that it cannot be repeated. */
export class ForeignAsync extends Schema.TaggedError<ForeignAsync>()("ForeignAsync", {
  seed: Schema.Number,
  kind: Schema.String,
  madeAt: Schema.String
}) {
  override get message(): string {
    return (
      `Seed ${this.seed}: the run depends on a ${this.kind} of the real world, made at ${this.madeAt}. ` +
      `Put it behind a service, and provide one that answers by Clock, Random or Transport.`
    )
  }
}

export type SimulationError = InvalidOptions | Deadlock | ForeignAsync

/** How many tasks and events run before the real scheduler gets its turn. */
const stepsPerTurn = 20_000

/** One run. Fails only when it could not be run; broken properties are in the result. */
export const run = Effect.fnUntraced(function* <E, A = void>(
  options: Options<E, A>
): Effect.fn.Return<Result<A>, SimulationError> {
  const setup = yield* prepare(options)
  const { durationMillis, faults, nodes, plan } = setup
  const watch = new Watch(options.properties ?? [], options.stopAtViolation ?? true)
  const world = new World({
    seed: options.seed,
    nodes,
    faults,
    yieldProbability: options.yieldProbability ?? 0.01,
    holdMessages: options.holdMessages ?? 4096,
    calmNanos: setup.plannedMillis * Faults.over * 1e6,
    trace: options.trace,
    carry: options.carry,
    delays: setup.delays,
    program: options.program,
    context: yield* Effect.context<never>()
  })
  world.onStep = (changed) => watch.look(world, changed ? watch.afterSteps : watch.afterAll)
  world.onChange = () => watch.look(world, watch.afterAll)
  for (const event of [...plan, ...setup.scheduled]) world.schedule(event)

  let testExit: Exit.Exit<A, unknown> | undefined
  const isOver = (): boolean => testExit !== undefined || watch.stopped || world.failures.length > 0
  const tracker = ForeignTracker.track(() => world.running)
  return yield* Effect.gen(function* () {
    world.start()
    if (options.test !== undefined) {
      world.fork(options.test(simulator(world)), (exit) => {
        testExit = exit
      })
    }
    let stopped: "quiet" | "time" | "budget" | "over" = "budget"
    while (stopped === "budget" && !world.disturbed) {
      stopped = world.advance(stepsPerTurn, Math.round(durationMillis * 1e6), isOver)
      if (stopped === "budget") yield* Effect.yieldNow
    }
    const ended =
      stopped === "over" ? (testExit === undefined ? "violation" : "test") : stopped === "quiet" ? "quiet" : "time"
    watch.finish(world, ended !== "violation")
    const failed = world.failures.map(({ cause, node }) => ({
      name: "a program failed",
      atMillis: world.nowMillis,
      detail: `${node}: ${describe(cause)}`
    }))
    if (testExit !== undefined && Exit.isFailure(testExit)) {
      failed.push({ name: "the test failed", atMillis: world.nowMillis, detail: describe(testExit.cause) })
    }
    for (const { name } of failed) world.broken(name)
    const result: Result<A> = {
      seed: options.seed,
      value: testExit !== undefined && Exit.isSuccess(testExit) ? testExit.value : undefined,
      verdicts: watch.verdicts(),
      violations: [...watch.violations(), ...failed],
      faults: plan,
      counts: { ...world.counts },
      durationMillis: world.nowMillis,
      ended
    }
    const foreign = tracker.found[0]
    if (world.disturbed || foreign !== undefined) {
      const { kind = "task", madeAt = "a place unknown" } = foreign ?? {}
      return yield* new ForeignAsync({ seed: options.seed, kind, madeAt })
    }
    if (ended === "quiet" && options.test !== undefined) {
      return yield* new Deadlock({ seed: options.seed, atMillis: world.nowMillis })
    }
    return result
  }).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        tracker.stop()
        world.close()
      })
    )
  )
})

/** Without the ids of fibers, which go on counting from run to run. */
const describe = (cause: Cause.Cause<unknown>): string => Cause.pretty(cause).replace(/\(#\d+\)/g, "(fiber)")

interface Setup {
  readonly nodes: ReadonlyArray<NodeId.NodeId>
  readonly faults: Faults.Faults
  readonly delays: LinkDelays | undefined
  readonly durationMillis: number
  readonly plannedMillis: number
  readonly plan: ReadonlyArray<Faults.Event>
  readonly scheduled: ReadonlyArray<Faults.Event>
}

/** Of a plan: it is made before the run. */
const eventsMax = 100_000

const prepare = Effect.fnUntraced(function* <E, A>(options: Options<E, A>): Effect.fn.Return<Setup, InvalidOptions> {
  const refuse = (reason: string) => new InvalidOptions({ reason })
  const { keep, scheduled = [], seed, yieldProbability = 0 } = options
  if (!Number.isSafeInteger(seed)) return yield* refuse(`the seed ${seed} is not a whole number`)
  if (!(yieldProbability >= 0 && yieldProbability <= 1)) return yield* refuse("yieldProbability is not between 0 and 1")
  if (options.nodes.length === 0) return yield* refuse("there are no nodes")
  const nodes = [...options.nodes].sort(NodeIds.Order)
  for (const [index, node] of nodes.entries()) {
    if (!Schema.is(NodeIds.NodeId)(node)) return yield* refuse(`"${node}" cannot name a node`)
    if (node === nodes[index + 1]) return yield* refuse(`two nodes are named "${node}"`)
  }
  const faults = yield* Schema.decodeUnknownEffect(Faults.Faults)({ ...Faults.none, ...options.faults }).pipe(
    Effect.mapError((error) => refuse(`faults: ${error.message}`))
  )
  for (const range of ["delayMillis", "downMillis", "pauseMillis", "partitionMillis"] as const) {
    if (faults[`${range}Max`] < faults[`${range}Min`]) return yield* refuse(`${range}Max is below ${range}Min`)
  }
  const durationMillis = yield* lengthOf("duration", options.duration ?? "1 minute")
  const plannedMillis = yield* lengthOf("planned", options.planned ?? durationMillis)
  const { clockJumpsPerMinute, crashesPerMinute, partitionsPerMinute, pausesPerMinute } = faults
  const events =
    ((clockJumpsPerMinute + crashesPerMinute + partitionsPerMinute + pausesPerMinute) * plannedMillis) / 60_000
  if (events > eventsMax) return yield* refuse(`a plan of ${Math.round(events)} faults is above ${eventsMax}`)
  const drawn = Faults.plan({ seed, nodes, faults, durationMillis: plannedMillis })
  const missing = keep?.find((index) => drawn[index] === undefined)
  if (missing !== undefined) return yield* refuse(`the plan has ${drawn.length} faults, and none of index ${missing}`)
  const plan = keep === undefined ? drawn : drawn.filter(({ index }) => keep.includes(index))
  for (const event of scheduled) {
    const unknown = ("side" in event ? event.side : [event.node]).find((node) => !nodes.includes(node))
    if (unknown !== undefined) return yield* refuse(`a scheduled ${event._tag} names "${unknown}", which is no node`)
    const times = [event.atMillis, "forMillis" in event ? event.forMillis : 0]
    if (
      !times.every((time) => time >= 0 && Number.isFinite(time)) ||
      ("byMillis" in event && !Number.isFinite(event.byMillis))
    ) {
      return yield* refuse(`a scheduled ${event._tag} has a time that is not a number of milliseconds from 0`)
    }
  }
  return {
    nodes,
    faults,
    delays: options.delays === undefined ? undefined : yield* delaysOf(nodes, options.delays),
    durationMillis,
    plannedMillis,
    plan,
    scheduled: scheduled.map((event, index) => ({ ...event, index: -1 - index }) as Faults.Event)
  }
})

/** A table of all links holds two numbers for each. */
const linkedMax = 1_000

const delaysOf = Effect.fnUntraced(function* (
  nodes: ReadonlyArray<NodeId.NodeId>,
  delays: NonNullable<Options<never>["delays"]>
): Effect.fn.Return<LinkDelays, InvalidOptions> {
  const refuse = (reason: string) => new InvalidOptions({ reason })
  if (nodes.length > linkedMax) return yield* refuse(`delays are for ${linkedMax} nodes at the most`)
  const links = nodes.length ** 2
  const table = { minNanos: new Float64Array(links).fill(NaN), spanNanos: new Float64Array(links) }
  for (const [at, from] of nodes.entries()) {
    for (const [column, to] of nodes.entries()) {
      const delay = delays(from, to)
      if (delay === undefined) continue
      const { maxMillis, minMillis } = delay
      if (!(minMillis >= 0 && maxMillis >= minMillis && maxMillis <= 1e12)) {
        return yield* refuse(
          `the delay from ${from} to ${to}, ${minMillis} to ${maxMillis} ms, is not between 0 and 1e12, the lesser first`
        )
      }
      table.minNanos[at * nodes.length + column] = Math.round(minMillis * 1e6)
      table.spanNanos[at * nodes.length + column] = Math.round((maxMillis - minMillis) * 1e6)
    }
  }
  return table
})

const lengthOf = (name: string, given: Duration.Input): Effect.Effect<number, InvalidOptions> => {
  const length = Duration.fromInput(given)
  const millis = Option.isSome(length) ? Duration.toMillis(length.value) : NaN
  return millis >= 0 && millis <= 2 ** 53 / 1e6
    ? Effect.succeed(millis)
    : Effect.fail(new InvalidOptions({ reason: `${name} is not a duration between 0 and 104 days` }))
}

const simulator = (world: World): Simulator => ({
  world,
  crash: (node) => Effect.sync(() => world.crash(node)),
  restart: (node) => Effect.sync(() => world.restart(node)),
  pause: (node) => Effect.sync(() => world.pause(node)),
  unpause: (node) => Effect.sync(() => world.unpause(node)),
  cut: (from, to) =>
    Effect.sync(() => {
      const mend = world.cut(from, to)
      return Effect.sync(mend)
    }),
  split: (parts) => Effect.sync(() => world.split(parts)),
  jump: (node, by) => Effect.sync(() => world.jump(node, Duration.toMillis(by)))
})

/** Holds properties against a world as it changes. */
class Watch {
  private readonly properties: ReadonlyArray<Property.Property>
  private readonly stopAtViolation: boolean
  private readonly broken = new Map<Property.Property, { readonly atMillis: number; readonly detail?: string }>()
  private readonly seen = new Set<Property.Property>()
  /** What is open of those that are looked at after each step of an actor, and also after each task and event. */
  afterSteps: ReadonlyArray<Property.Property>
  afterAll: ReadonlyArray<Property.Property>
  stopped = false

  constructor(properties: ReadonlyArray<Property.Property>, stopAtViolation: boolean) {
    this.properties = properties
    this.stopAtViolation = stopAtViolation
    this.afterSteps = properties.filter(({ kind }) => kind !== "eventually")
    this.afterAll = this.afterSteps.filter(({ ofSnapshots }) => ofSnapshots !== true)
  }

  look(world: World, open: ReadonlyArray<Property.Property>): void {
    for (let i = 0; i < open.length; i++) {
      const property = open[i]!
      const holds = this.holds(property, world)
      if (holds === (property.kind === "always") && !this.broken.has(property)) continue
      this.afterSteps = this.afterSteps.filter((other) => other !== property)
      this.afterAll = this.afterAll.filter((other) => other !== property)
      if (holds) this.seen.add(property)
      else {
        this.break(property, world)
        if (this.stopAtViolation) this.stopped = true
      }
    }
  }

  /** `whole`: the run came to its end, so that what should have come by then is due. */
  finish(world: World, whole: boolean): void {
    if (!whole) return
    for (const property of this.properties) {
      if (
        property.kind === "eventually"
          ? !this.holds(property, world)
          : property.kind === "sometimes" && !this.seen.has(property)
      ) {
        this.break(property, world)
      }
    }
  }

  private holds(property: Property.Property, world: World): boolean {
    try {
      return property.holds(world)
    } catch (error) {
      this.break(property, world, `it threw ${String(error)}`)
      return false
    }
  }

  private break(property: Property.Property, world: World, detail?: string): void {
    if (this.broken.has(property)) return
    this.broken.set(property, { atMillis: world.nowMillis, ...(detail === undefined ? {} : { detail }) })
    world.broken(property.name)
  }

  verdicts(): ReadonlyArray<Property.Verdict> {
    return this.properties.map((property) => {
      const broken = this.broken.get(property)
      const verdict = { name: property.name, kind: property.kind, holds: broken === undefined }
      return broken === undefined ? verdict : { ...verdict, brokenAtMillis: broken.atMillis }
    })
  }

  violations(): Result["violations"] {
    return this.properties.flatMap((property) => {
      const broken = this.broken.get(property)
      return broken === undefined ? [] : [{ name: property.name, ...broken }]
    })
  }
}

// ------------------------------------------------------------------------------------------------------- many seeds

export interface Search<A> {
  /** How many seeds were run. */
  readonly runs: number
  readonly delivered: number
  /** The runs that broke a property, in the order of their seeds, 100 at the most. */
  readonly failures: ReadonlyArray<Result<A>>
  /** How many there were in all. */
  readonly failed: number
  /** Each property that was broken: in how many runs, and in which seed first. */
  readonly broken: ReadonlyArray<{ readonly name: string; readonly runs: number; readonly firstSeed: number }>
  /** The first of them, shrunk. */
  readonly shrunk: Shrunk<A> | undefined
}

/** The smallest run found that breaks the same property. */
export interface Shrunk<A> {
  readonly result: Result<A>
  /** What to run it with again. */
  readonly replay: {
    readonly seed: number
    readonly keep: ReadonlyArray<number>
    readonly durationMillis: number
    readonly plannedMillis: number
    readonly faults: Partial<Faults.Faults>
  }
  /** How many runs it took. */
  readonly runs: number
}

const failuresKept = 100

/** Runs every seed from `first` to `last`, and shrinks the first that fails. */
export const search = <E, A = void>(
  options: Omit<Options<E, A>, "seed" | "trace"> & {
    readonly seeds: { readonly first: number; readonly last: number }
    /** Called after each seed. */
    readonly onProgress?: (progress: { readonly runs: number; readonly failed: number }) => Effect.Effect<void>
  }
): Effect.Effect<Search<A>, SimulationError> =>
  Effect.gen(function* () {
    const { onProgress, seeds, ...rest } = options
    if (!(seeds.first <= seeds.last)) {
      return yield* Effect.fail(new InvalidOptions({ reason: `no seed is between ${seeds.first} and ${seeds.last}` }))
    }
    const failures: Array<Result<A>> = []
    const broken = new Map<string, { readonly name: string; runs: number; readonly firstSeed: number }>()
    let failed = 0
    let delivered = 0
    for (let seed = seeds.first; seed <= seeds.last; seed++) {
      const result = yield* run({ ...rest, seed })
      delivered += result.counts.delivered
      if (result.violations.length > 0) {
        failed++
        for (const name of new Set(result.violations.map(({ name }) => name))) {
          const entry = broken.get(name)
          if (entry === undefined) broken.set(name, { name, runs: 1, firstSeed: seed })
          else entry.runs++
        }
        if (failures.length < failuresKept) failures.push(result)
      }
      if (onProgress !== undefined) yield* onProgress({ runs: seed - seeds.first + 1, failed })
    }
    const first = failures[0]
    return {
      runs: seeds.last - seeds.first + 1,
      delivered,
      failures,
      failed,
      broken: [...broken.values()],
      shrunk: first === undefined ? undefined : yield* shrink({ ...rest, seed: first.seed }, first)
    }
  })

/** Faults that are no events of the plan. */
const dispensable = [
  "lossProbability",
  "duplicationProbability",
  "reorderProbability",
  "clockSkewMillisMax",
  "clockDriftPpmMax"
] as const

/**
 * Looks for a smaller run that breaks the same property: fewer events of the plan, no lost or doubled messages where
 * they are not needed, and no longer than needed. Takes at most 200 runs.
 */
export const shrink = <E, A>(options: Options<E, A>, failing: Result<A>): Effect.Effect<Shrunk<A>, SimulationError> =>
  Effect.gen(function* () {
    const broken = failing.violations[0]?.name
    if (broken === undefined) return yield* new InvalidOptions({ reason: `seed ${failing.seed} broke no property` })
    const plannedMillis = Duration.toMillis(options.planned ?? options.duration ?? "1 minute")
    let best = failing
    let keep = failing.faults.map(({ index }) => index)
    let durationMillis = Duration.toMillis(options.duration ?? "1 minute")
    let faults: Partial<Faults.Faults> = options.faults ?? {}
    let runs = 0
    const { trace: _, ...quiet } = options
    const tryRun = Effect.fnUntraced(function* (change: {
      readonly keep?: Array<number>
      readonly durationMillis?: number
      readonly faults?: Partial<Faults.Faults>
    }) {
      if (runs >= 200) return false
      runs++
      const result = yield* run({
        ...quiet,
        keep: change.keep ?? keep,
        duration: Duration.millis(change.durationMillis ?? durationMillis),
        planned: Duration.millis(plannedMillis),
        faults: change.faults ?? faults
      }).pipe(Effect.catchTag("Deadlock", () => Effect.undefined))
      // A test that waits for what is left out shows another failure.
      if (result === undefined || !result.violations.some(({ name }) => name === broken)) return false
      best = result
      keep = change.keep ?? keep
      durationMillis = change.durationMillis ?? durationMillis
      faults = change.faults ?? faults
      return true
    })

    const leaveOutRates = Effect.fnUntraced(function* () {
      for (const rate of dispensable) {
        if ((faults[rate] ?? 0) > 0) yield* tryRun({ faults: { ...faults, [rate]: 0 } })
      }
    })
    yield* leaveOutRates()
    // Fewer events: halves, then quarters, down to single ones for as long as one can go.
    for (let size = Math.ceil(keep.length / 2); size >= 1;) {
      const before = keep.length
      for (let from = 0; from < keep.length;) {
        const without = [...keep.slice(0, from), ...keep.slice(from + size)]
        if (!(yield* tryRun({ keep: without }))) from += size
      }
      if (size === 1 && keep.length === before) break
      size = Math.ceil(size / 2)
    }
    // A rate may have been needed for an event that is gone.
    yield* leaveOutRates()
    // A broken `always` needs no time after it. For what comes too late, time is part of the failure.
    const brokenAt = best.violations.find(({ name }) => name === broken)!.atMillis
    if (brokenAt < durationMillis) yield* tryRun({ durationMillis: Math.ceil(brokenAt) })
    return { result: best, replay: { seed: options.seed, keep, durationMillis, plannedMillis, faults }, runs }
  })
