/** A clock whose time of day a test moves. */
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, it } from "vitest"
import * as ShiftedClock from "../src/torture/ShiftedClock.ts"

const directory = mkdtempSync(join(tmpdir(), "torture-clock-"))
afterAll(() => rmSync(directory, { recursive: true }))
const file = join(directory, "clock")

it("jumps by what its file says at the next look, and elapsed time does not", async () => {
  const program = Effect.gen(function* () {
    const clock = yield* ShiftedClock.following(file)
    const reading = () => [clock.currentTimeMillisUnsafe(), Number(clock.monotonicTimeNanosUnsafe()) / 1e6]
    const first = reading()
    writeFileSync(file, "-3600000")
    yield* TestClock.adjust(100)
    const second = reading()
    rmSync(file)
    yield* TestClock.adjust(100)
    return [second, reading()].map((each) => each.map((value, index) => value - first[index]!))
  })
  const readings = await Effect.runPromise(Effect.provide(Effect.scoped(program), TestClock.layer()))
  expect(readings).toEqual([
    [100 - 3_600_000, 100],
    [200, 200]
  ])
})

it("tells one time in all its forms", async () => {
  const clock = ShiftedClock.shifted(Effect.runSync(Clock.Clock), () => 86_400_000)
  const millis = await Effect.runPromise(clock.currentTimeMillis)
  const nanos = await Effect.runPromise(clock.currentTimeNanos)
  expect(Math.abs(Number(nanos / 1_000_000n) - millis)).toBeLessThan(1_000)
})

it.each(["", "soon", "1.5", "1e400"])("is not moved by a file that says %j", (text) => {
  writeFileSync(file, text)
  expect(ShiftedClock.offsetIn(file)).toBe(0)
})
