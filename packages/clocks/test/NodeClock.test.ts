import { NodeClock } from "@troupe/clocks"
import { Simulation } from "@troupe/simulation"
import { describe, expect, it } from "@effect/vitest"
import { Clock, Context, Effect, Layer } from "effect"

const { adjusted, defaults, reading, remaining, start } = NodeClock
const noon = Date.UTC(2020, 0, 1, 12)

describe("an adjustable clock", () => {
  it("goes with the monotonic clock until it is adjusted", () => {
    const state = start(noon, 5_000)
    expect([5_000, 5_001.5, 65_000].map((at) => reading(defaults, state, at) - noon)).toEqual([0, 1.5, 60_000])
  })

  it("makes up a difference at 500 parts per million, and then goes as before", () => {
    const ahead = adjusted(defaults, start(noon, 0), -10, 0)
    expect([0, 1_000, 20_000, 30_000].map((at) => reading(defaults, ahead, at) - noon)).toEqual([
      0, 999.5, 19_990, 29_990
    ])
    const behind = adjusted(defaults, start(noon, 0), 10, 0)
    expect([1_000, 20_000, 30_000].map((at) => reading(defaults, behind, at) - noon)).toEqual([1_000.5, 20_010, 30_010])
    expect([0, 1_000, 20_000, 30_000].map((at) => remaining(defaults, behind, at))).toEqual([10, 9.5, 0, 0])
  })

  it("a later adjustment replaces what is left of an earlier one", () => {
    const first = adjusted(defaults, start(noon, 0), 10, 0)
    const second = adjusted(defaults, first, -1, 10_000)
    expect(reading(defaults, second, 10_000) - noon).toBe(10_005)
    expect(reading(defaults, second, 20_000) - noon).toBe(20_004)
  })

  it("jumps forward above the threshold, never back", () => {
    const settings = { ...defaults, stepForwardAboveMillis: 100 }
    expect(reading(settings, adjusted(settings, start(noon, 0), 101, 0), 0) - noon).toBe(101)
    expect(reading(settings, adjusted(settings, start(noon, 0), 100, 0), 0) - noon).toBe(0)
    expect(reading(settings, adjusted(settings, start(noon, 0), -5_000, 0), 0) - noon).toBe(0)
  })

  it("never steps backward, whatever it is told", () => {
    let seed = 1
    const random = (): number => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32
    const settings = { slewPpmMax: 500_000, stepForwardAboveMillis: 400 }
    let state = start(noon, 0)
    let monotonic = 0
    let latest = noon
    for (let i = 0; i < 100_000; i++) {
      monotonic += random() < 0.5 ? random() / 1_000 : random() * 1_000
      if (random() < 0.2) state = adjusted(settings, state, (random() - 0.5) * 1_000, monotonic)
      const now = reading(settings, state, monotonic)
      if (now < latest) expect.fail(`at ${monotonic} it reads ${now} after ${latest}`)
      latest = now
    }
  })
})

const built = (options?: Parameters<typeof NodeClock.layer>[0]) => Layer.build(NodeClock.layer(options))

describe("the layer", () => {
  it.live("jumps of the host's time of day do not reach it, nor the Clock that comes with it", () =>
    Effect.gen(function* () {
      const readings: Array<{ host: number; node: number; effect: number }> = []
      const { violations } = yield* Simulation.run({
        seed: 1,
        nodes: ["n1"],
        scheduled: [
          { _tag: "ClockJump", node: "n1", atMillis: 1_500, byMillis: -60_000 },
          { _tag: "ClockJump", node: "n1", atMillis: 3_500, byMillis: 90_000 }
        ],
        duration: "10 seconds",
        program: () =>
          Effect.gen(function* () {
            const context = yield* built()
            const host = yield* Clock.Clock
            const begin = host.currentTimeMillisUnsafe()
            yield* Effect.provideContext(
              Effect.forEach([1, 2, 3, 4], () =>
                Effect.gen(function* () {
                  yield* Effect.sleep("1 second")
                  readings.push({
                    host: host.currentTimeMillisUnsafe() - begin,
                    node: (yield* Context.get(context, NodeClock.NodeClock).now) - begin,
                    effect: (yield* Clock.currentTimeMillis) - begin
                  })
                })
              ),
              context
            )
          })
      })
      expect(violations).toEqual([])
      expect(readings).toEqual([
        { host: 1_000, node: 1_000, effect: 1_000 },
        { host: -58_000, node: 2_000, effect: 2_000 },
        { host: -57_000, node: 3_000, effect: 3_000 },
        { host: 34_000, node: 4_000, effect: 4_000 }
      ])
    })
  )

  it.live("the disciplined time of day slews; elapsed time and sleep do not", () =>
    Effect.gen(function* () {
      const { value, violations } = yield* Simulation.run({
        seed: 1,
        nodes: ["n1"],
        program: () => Effect.void,
        test: Effect.fnUntraced(function* () {
          const context = yield* built({ slewPpmMax: 100_000 })
          const clock = Context.get(context, NodeClock.NodeClock)
          return yield* Effect.provideContext(
            Effect.gen(function* () {
              const before = { day: yield* Clock.currentTimeMillis, elapsed: yield* Clock.monotonicTimeNanos }
              yield* clock.adjust(-3_000)
              yield* Effect.sleep("10 seconds")
              const after = { day: yield* Clock.currentTimeMillis, elapsed: yield* Clock.monotonicTimeNanos }
              const { adjustedMillis, adjustments, remainingMillis } = yield* clock.state
              return [
                after.day - before.day,
                after.elapsed - before.elapsed,
                adjustments,
                adjustedMillis,
                remainingMillis
              ]
            }),
            context
          )
        }, Effect.scoped)
      })
      expect(violations).toEqual([])
      expect(value).toEqual([9_000, 10_000_000_000n, 1, -3_000, -2_000])
    })
  )

  it.live("a host that is followed is read as it is, but stands still while it is set back", () =>
    Effect.gen(function* () {
      const readings: Array<number> = []
      yield* Simulation.run({
        seed: 1,
        nodes: ["n1"],
        scheduled: [{ _tag: "ClockJump", node: "n1", atMillis: 1_500, byMillis: -1_500 }],
        duration: "10 seconds",
        program: () =>
          Effect.gen(function* () {
            const clock = Context.get(yield* Layer.build(NodeClock.host), NodeClock.NodeClock)
            const begin = clock.nowUnsafe()
            yield* clock.adjust(1_000)
            for (let i = 0; i < 4; i++) {
              yield* Effect.sleep("1 second")
              readings.push(clock.nowUnsafe() - begin)
            }
          })
      })
      expect(readings).toEqual([1_000, 1_000, 1_500, 2_500])
    })
  )

  it.effect("the milliseconds of a host decide, of which Effect's nanoseconds may be a second off", () =>
    Effect.gen(function* () {
      const host = yield* Clock.Clock
      const readings = [0, 0.25, 300, -300].map((ahead) => {
        const nanos = (): bigint => BigInt(5_000_000 + ahead * 1e6)
        const odd = Object.assign(Object.create(host), {
          currentTimeMillisUnsafe: () => 5,
          currentTimeNanosUnsafe: nanos
        })
        return Effect.map(Layer.build(NodeClock.host.pipe(Layer.provide(Layer.succeed(Clock.Clock, odd)))), (context) =>
          Context.get(context, NodeClock.NodeClock).nowUnsafe()
        )
      })
      expect(yield* Effect.all(readings)).toEqual([5, 5.25, 6, 5])
    })
  )

  it.effect("refuses options and adjustments that are none", () =>
    Effect.gen(function* () {
      for (const options of [
        { slewPpmMax: 0 },
        { slewPpmMax: -1 },
        { slewPpmMax: 500_001 },
        { slewPpmMax: NaN },
        { stepForwardAbove: "soon" as "1 second" }
      ]) {
        const error = yield* Effect.flip(built(options))
        expect(error._tag).toBe("InvalidClockOptions")
        expect(error.message).toContain("The clock cannot start: ")
      }
      const clock = Context.get(yield* built(), NodeClock.NodeClock)
      for (const delta of [NaN, Infinity, -8.65e15]) {
        expect(yield* Effect.flip(clock.adjust(delta))).toMatchObject({ _tag: "InvalidAdjustment" })
        expect(() => clock.adjustUnsafe(delta)).toThrow("give a number of at most 8640000000000000")
      }
    })
  )
})
