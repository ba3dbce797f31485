/**
 * A clock whose time of day somebody else moves, for tests: by as many milliseconds as a file says, at the next look.
 *
 * Elapsed time is not moved: that is what steps of a real machine's clock are like.
 */
import { Clock, Effect, type Scope } from "effect"
import { readFileSync } from "node:fs"

/** The variable that names the file, for a node of `troupe kv`. */
export const variable = "TROUPE_KV_CLOCK_FILE"

/** How often the file is looked at. */
const lookEveryMillis = 50

/** Milliseconds by which the file shifts the clock; 0 where it is not there, or says no whole number. */
export const offsetIn = (file: string): number => {
  try {
    const offset = Number(readFileSync(file, "utf8"))
    return Number.isSafeInteger(offset) ? offset : 0
  } catch {
    return 0
  }
}

/** Follows the file for as long as the scope lives. */
export const following = (file: string): Effect.Effect<Clock.Clock, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    let offset = offsetIn(file)
    const look = Effect.sync(() => {
      offset = offsetIn(file)
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(lookEveryMillis), look)))
    return shifted(clock, () => offset)
  })

export const shifted = (clock: Clock.Clock, offsetMillis: () => number): Clock.Clock => {
  const millis = (): number => clock.currentTimeMillisUnsafe() + offsetMillis()
  const nanos = (): bigint => clock.currentTimeNanosUnsafe() + BigInt(offsetMillis()) * 1_000_000n
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(duration)
  }
}
