/**
 * A clock that says how sure it is: `now` is an interval, and the true time is in it.
 *
 * What a `TimeSource` learned of the true time, with its bound, is carried on by the monotonic clock; the interval grows
 * with the age of that, as fast as clocks may drift, and a new estimate narrows it. So two events on two nodes whose
 * intervals do not overlap are in order, and a node that waits until its interval has passed a timestamp for sure
 * (`commitWait`) knows that any later event anywhere gets a later one: Spanner's way to external consistency.
 *
 * Before the first estimate nothing is known, and each operation fails with `NotSynchronised`: an interval without end
 * would let `commitWait` wait for good.
 *
 * Source: J. Corbett et al., "Spanner: Google's Globally-Distributed Database", OSDI 2012, section 3 (TrueTime).
 *
 * @example
 * import { IntervalClock } from "@troupe/clocks"
 *
 * const estimate = { monotonicMillis: 0, timeMillis: 1_000, errorMillis: 3 }
 * const { earliest, latest } = IntervalClock.at(estimate, 10_000, 200)
 * // 3 ms, and 2 ms of drift in 10 seconds.
 * console.log(Math.round(earliest), Math.round(latest)) // 10995 11005
 */
import { Clock, Context, Duration, Effect, Layer, Option, Schema, Stream } from "effect"
import { Ppm } from "./internal/physical/discipline.ts"
import { aged, resolutionMillis } from "./internal/physical/estimates.ts"
import { InvalidClockOptions } from "./NodeClock.ts"
import { type Estimate, TimeSource } from "./TimeSource.ts"

/** From `earliest` to `latest`, in milliseconds since 1970. A type of its own: only `make` and this schema make one. */
export const Interval = Schema.Struct({ earliest: Schema.Finite, latest: Schema.Finite }).pipe(
  Schema.check(
    Schema.makeFilter(({ earliest, latest }: { readonly earliest: number; readonly latest: number }) =>
      earliest <= latest ? undefined : `earliest, ${earliest}, is after latest, ${latest}`
    )
  ),
  Schema.brand("@troupe/clocks/Interval")
)
export type Interval = typeof Interval.Type

/** These do not bound an interval. */
export class InvalidInterval extends Schema.TaggedError<InvalidInterval>()("InvalidInterval", {
  earliest: Schema.Number,
  latest: Schema.Number
}) {
  override get message(): string {
    return `From ${this.earliest} to ${this.latest} is no interval of time: both are finite, and the earliest is not after the latest`
  }
}

/** No server of time has answered this node yet. */
export class NotSynchronised extends Schema.TaggedError<NotSynchronised>()("NotSynchronised", {
  node: Schema.String
}) {
  override get message(): string {
    return `Node "${this.node}" does not know the time yet: no server has answered. Try again, or wait for the changes of its TimeSource.`
  }
}

/** Throws `InvalidInterval`. */
export const make = (earliest: number, latest: number): Interval => {
  if (!(earliest <= latest && Number.isFinite(earliest) && Number.isFinite(latest))) {
    throw new InvalidInterval({ earliest, latest })
  }
  return { earliest, latest } as Interval
}

/** What an estimate says when the monotonic clock reads `monotonicMillis`, which is no earlier than it was made. */
export const at = (estimate: Estimate, monotonicMillis: number, driftPpmMax: number): Interval => {
  const { errorMillis, timeMillis } = aged(estimate, monotonicMillis, driftPpmMax)
  return make(timeMillis - errorMillis - resolutionMillis, timeMillis + errorMillis + resolutionMillis)
}

/**
 * What two estimates say together, both as of when the later one was made: what both hold possible. Where that is
 * nothing, one of them is wrong, and the later counts.
 */
export const narrowed = (earlier: Estimate, later: Estimate, driftPpmMax: number): Estimate => {
  const before = aged(earlier, later.monotonicMillis, driftPpmMax)
  const lowest = Math.max(before.timeMillis - before.errorMillis, later.timeMillis - later.errorMillis)
  const highest = Math.min(before.timeMillis + before.errorMillis, later.timeMillis + later.errorMillis)
  if (lowest > highest) return later
  const { monotonicMillis } = later
  return {
    monotonicMillis,
    timeMillis: (lowest + highest) / 2,
    errorMillis: (highest - lowest) / 2 + resolutionMillis
  }
}

/** Whether the true time is past `millis` for sure. */
export const isAfter = (now: Interval, millis: number): boolean => now.earliest > millis

/** Whether the true time has not reached `millis` for sure. */
export const isBefore = (now: Interval, millis: number): boolean => now.latest < millis

export class IntervalClock extends Context.Service<
  IntervalClock,
  {
    /** The true time is in it. */
    readonly now: Effect.Effect<Interval, NotSynchronised>
    /** Whether `millis` is past for sure. */
    readonly after: (millis: number) => Effect.Effect<boolean, NotSynchronised>
    /** Whether `millis` is still to come for sure. */
    readonly before: (millis: number) => Effect.Effect<boolean, NotSynchronised>
    /** Waits, by the monotonic clock, until `latest` of the interval is past for sure: about twice the error. */
    readonly commitWait: (interval: Interval) => Effect.Effect<void, NotSynchronised>
  }
>()("@troupe/clocks/IntervalClock") {}

/** An `IntervalClock` of what the `TimeSource` learns. Fails with `InvalidClockOptions`. */
export const layer = (
  options: {
    /** The most that this node's monotonic clock is fast or slow. Default: 200. */
    readonly driftPpmMax?: number
  } = {}
): Layer.Layer<IntervalClock, InvalidClockOptions, TimeSource> =>
  Layer.effect(
    IntervalClock,
    Effect.gen(function* () {
      const driftPpmMax = yield* Schema.decodeUnknownEffect(Ppm)(options.driftPpmMax ?? 200).pipe(
        Effect.mapError(({ message }) => new InvalidClockOptions({ reason: `driftPpmMax: ${message}` }))
      )
      const source = yield* TimeSource
      const clock = yield* Clock.Clock
      let known: Estimate | undefined
      yield* Effect.forkScoped(
        Stream.runForEach(source.changes, (estimate) =>
          Effect.sync(() => {
            known = known === undefined ? estimate : narrowed(known, estimate, driftPpmMax)
          })
        )
      )
      const read = (estimate: Estimate): Interval =>
        at(estimate, Number(clock.monotonicTimeNanosUnsafe()) / 1e6, driftPpmMax)
      const unknown = new NotSynchronised({ node: source.self })
      const now = Effect.suspend(() =>
        known === undefined
          ? Effect.flatMap(source.latest, (latest) =>
              Effect.mapError(Effect.fromOption(Option.map(latest, read)), () => unknown)
            )
          : Effect.succeed(read(known))
      )
      const passed = (millis: number): Effect.Effect<void, NotSynchronised> =>
        Effect.flatMap(now, ({ earliest }) =>
          earliest > millis
            ? Effect.void
            : // The earliest time goes slower than the clock, by its drift: what is left then is waited for again.
              Effect.andThen(
                clock.sleep(Duration.millis(Math.max(millis - earliest, resolutionMillis))),
                Effect.suspend(() => passed(millis))
              )
        )
      return {
        now,
        after: (millis) => Effect.map(now, (interval) => isAfter(interval, millis)),
        before: (millis) => Effect.map(now, (interval) => isBefore(interval, millis)),
        commitWait: ({ latest }) => passed(latest)
      }
    })
  )
