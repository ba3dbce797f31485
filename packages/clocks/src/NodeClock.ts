/**
 * The clock of a node: a time of day that algorithms can adjust, and that never steps backward.
 *
 * It reads the host's time of day once, when it starts; from then on it goes with the monotonic clock, so that jumps of
 * the host's time of day do not reach it. `adjust` does not set it: it runs a little faster or slower until the difference
 * is gone, 500 parts per million by default, which makes up half a millisecond a second. A clock that is behind may be
 * let jump forward instead, above a threshold; one that is ahead is never set back.
 *
 * `layer` also provides Effect's `Clock`: whatever is run with it reads this time of day, and measures and sleeps by the
 * host's monotonic clock as before.
 *
 * Source of slewing: R. Gusella, S. Zatti, "The Accuracy of the Clock Synchronization Achieved by TEMPO in Berkeley UNIX
 * 4.3BSD", IEEE Transactions on Software Engineering 15(7), 1989.
 *
 * @example
 * import { NodeClock } from "@troupe/clocks"
 *
 * const started = NodeClock.start(1_000, 0)
 * // 10 ms ahead: it goes slower by 500 ppm, for 20 seconds.
 * const slewing = NodeClock.adjusted(NodeClock.defaults, started, -10, 0)
 * console.log(NodeClock.reading(NodeClock.defaults, slewing, 10_000)) // 10995
 * console.log(NodeClock.reading(NodeClock.defaults, slewing, 30_000)) // 30990
 */
import { Clock, Context, Duration, Effect, Layer, Option, Schema } from "effect"
import { farthestMillis } from "./internal/physical/estimates.ts"

// ------------------------------------------------------------------------------------------------------------- the core

/** Plain data. Times are milliseconds with fractions: monotonic ones since a moment of the past, others since 1970. */
export interface State {
  /** When it was adjusted last. */
  readonly monotonicMillis: number
  /** What it read then. */
  readonly timeMillis: number
  /** By how much it was to change from then on. */
  readonly correctionMillis: number
}

export interface Settings {
  /** How much faster or slower it goes while a difference is made up: above 0, and 500,000 at the most. */
  readonly slewPpmMax: number
  /** A clock that is behind by more than this jumps forward. */
  readonly stepForwardAboveMillis: number
}

/** 500 parts per million, and no steps: half a millisecond is made up in a second, half a second in 17 minutes. */
export const defaults: Settings = { slewPpmMax: 500, stepForwardAboveMillis: Infinity }

/** A clock that reads `timeMillis` now. */
export const start = (timeMillis: number, monotonicMillis: number): State => ({
  monotonicMillis,
  timeMillis,
  correctionMillis: 0
})

/** What it reads: its base, and what elapsed since by the monotonic clock × (1 + slew). */
export const reading = (settings: Settings, state: State, monotonicMillis: number): number => {
  const elapsed = monotonicMillis - state.monotonicMillis
  return state.timeMillis + (elapsed + slewed(settings, state, elapsed))
}

/** How much of its correction is still to be made up. */
export const remaining = (settings: Settings, state: State, monotonicMillis: number): number =>
  state.correctionMillis - slewed(settings, state, monotonicMillis - state.monotonicMillis)

const slewed = ({ slewPpmMax }: Settings, { correctionMillis }: State, elapsed: number): number => {
  const most = (elapsed * slewPpmMax) / 1e6
  return correctionMillis >= 0 ? Math.min(correctionMillis, most) : Math.max(correctionMillis, -most)
}

/**
 * The clock that is to change by `deltaMillis` from what it reads now. What was left of an earlier correction is dropped:
 * whoever measured the difference has measured that too.
 */
export const adjusted = (settings: Settings, state: State, deltaMillis: number, monotonicMillis: number): State => {
  const timeMillis = reading(settings, state, monotonicMillis)
  return deltaMillis > settings.stepForwardAboveMillis
    ? { monotonicMillis, timeMillis: timeMillis + deltaMillis, correctionMillis: 0 }
    : { monotonicMillis, timeMillis, correctionMillis: deltaMillis }
}

// ---------------------------------------------------------------------------------------------------------- the service

/** What a clock shows of itself. */
export interface Display {
  readonly timeMillis: number
  readonly monotonicMillis: number
  /** What is still to be made up; below 0 while it is ahead and goes slower. */
  readonly remainingMillis: number
  /** How often it was adjusted, and by how much in all. */
  readonly adjustments: number
  readonly adjustedMillis: number
}

export class NodeClock extends Context.Service<
  NodeClock,
  {
    /** The time of day, in milliseconds since 1970 with fractions. Never falls. */
    readonly now: Effect.Effect<number>
    readonly nowUnsafe: () => number
    /** Milliseconds, with fractions, since a moment of the past. What elapsed is measured by it alone. */
    readonly monotonic: Effect.Effect<number>
    /** Lets the clock gain `deltaMillis`, or lose it. Replaces what is left of an earlier adjustment. */
    readonly adjust: (deltaMillis: number) => Effect.Effect<void, InvalidAdjustment>
    /** As `adjust`; throws `InvalidAdjustment`. */
    readonly adjustUnsafe: (deltaMillis: number) => void
    readonly state: Effect.Effect<Display>
    /** Effect's clock with this time of day. */
    readonly clock: Clock.Clock
  }
>()("@troupe/clocks/NodeClock") {}

/** A clock cannot be adjusted by this. */
export class InvalidAdjustment extends Schema.TaggedError<InvalidAdjustment>()("InvalidAdjustment", {
  deltaMillis: Schema.Number
}) {
  override get message(): string {
    return `A clock cannot be adjusted by ${this.deltaMillis} ms: give a number of at most ${farthestMillis}`
  }
}

/** An option of a clock, or of what sets it, is wrong. */
export class InvalidClockOptions extends Schema.TaggedError<InvalidClockOptions>()("InvalidClockOptions", {
  reason: Schema.String
}) {
  override get message(): string {
    return `The clock cannot start: ${this.reason}`
  }
}

const Checked = Schema.Struct({
  slewPpmMax: Schema.Number.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(500_000)),
  stepForwardAboveMillis: Schema.Number.check(Schema.isGreaterThanOrEqualTo(0))
})

/**
 * A `NodeClock` that goes with the monotonic clock from the host's time of day at its start, and Effect's `Clock` that
 * reads it. Fails with `InvalidClockOptions`.
 */
export const layer = (
  options: {
    /** Above 0, and 500,000 at the most. Default: 500. */
    readonly slewPpmMax?: number
    /** A clock that is behind by more than this jumps forward. Default: it never does. */
    readonly stepForwardAbove?: Duration.Input
  } = {}
): Layer.Layer<NodeClock, InvalidClockOptions> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const settings = yield* Schema.decodeUnknownEffect(Checked)({
        slewPpmMax: options.slewPpmMax ?? defaults.slewPpmMax,
        stepForwardAboveMillis:
          options.stepForwardAbove === undefined
            ? defaults.stepForwardAboveMillis
            : Option.match(Duration.fromInput(options.stepForwardAbove), {
                onNone: () => options.stepForwardAbove,
                onSome: Duration.toMillis
              })
      }).pipe(Effect.mapError(({ message }) => new InvalidClockOptions({ reason: message })))
      return provide(adjustable(yield* Clock.Clock, settings))
    })
  )

/**
 * The host's own time of day, for a node whose host is kept right by other means, such as a receiver of satellites: a
 * server of time. It is read to a millisecond. It is not adjusted: what it is told is counted, and changes nothing. While
 * the host's time of day is set back, it stands still.
 */
export const host: Layer.Layer<NodeClock> = Layer.effectContext(
  Effect.map(Clock.Clock, (clock) => provide(following(clock)))
)

const provide = (clock: NodeClock["Service"]): Context.Context<NodeClock> =>
  Context.make(NodeClock, clock).pipe(Context.add(Clock.Clock, clock.clock))

const millis = (nanos: bigint): number => Number(nanos) / 1e6

/**
 * The host's time of day. Effect reads it in nanoseconds as of when it first did, so that these may be off by a second; its
 * milliseconds are the host's, and so those decide.
 */
const timeOfDay = (host: Clock.Clock): number => {
  const whole = host.currentTimeMillisUnsafe()
  return Math.min(Math.max(whole, millis(host.currentTimeNanosUnsafe())), whole + 1)
}

const adjustable = (host: Clock.Clock, settings: Settings): NodeClock["Service"] => {
  const monotonic = (): number => millis(host.monotonicTimeNanosUnsafe())
  let state = start(timeOfDay(host), monotonic())
  return service(
    host,
    () => reading(settings, state, monotonic()),
    () => remaining(settings, state, monotonic()),
    (deltaMillis) => {
      state = adjusted(settings, state, deltaMillis, monotonic())
    }
  )
}

const following = (host: Clock.Clock): NodeClock["Service"] => {
  let latest = -Infinity
  return service(
    host,
    () => (latest = Math.max(latest, timeOfDay(host))),
    () => 0,
    () => {}
  )
}

const service = (
  host: Clock.Clock,
  now: () => number,
  left: () => number,
  adjust: (deltaMillis: number) => void
): NodeClock["Service"] => {
  let adjustments = 0
  let adjustedMillis = 0
  const monotonic = (): number => millis(host.monotonicTimeNanosUnsafe())
  const adjustUnsafe = (deltaMillis: number): void => {
    if (!(Math.abs(deltaMillis) <= farthestMillis)) throw new InvalidAdjustment({ deltaMillis })
    adjustments++
    adjustedMillis += deltaMillis
    adjust(deltaMillis)
  }
  return {
    now: Effect.sync(now),
    nowUnsafe: now,
    monotonic: Effect.sync(monotonic),
    adjust: (deltaMillis) =>
      Effect.try({ try: () => adjustUnsafe(deltaMillis), catch: (error) => error as InvalidAdjustment }),
    adjustUnsafe,
    state: Effect.sync(() => ({
      timeMillis: now(),
      monotonicMillis: monotonic(),
      remainingMillis: left(),
      adjustments,
      adjustedMillis
    })),
    clock: disciplined(host, now)
  }
}

/** Effect's clock with another time of day: elapsed time and sleep stay the host's. */
const disciplined = (host: Clock.Clock, now: () => number): Clock.Clock => {
  const wholeMillis = (): number => Math.floor(now())
  // A double holds a time of day in milliseconds to a quarter of a microsecond.
  const nanos = (): bigint => BigInt(Math.floor(now() * 1e3)) * 1_000n
  return {
    currentTimeMillisUnsafe: wholeMillis,
    currentTimeMillis: Effect.sync(wholeMillis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: () => host.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: host.monotonicTimeNanos,
    sleep: (duration) => host.sleep(duration)
  }
}
