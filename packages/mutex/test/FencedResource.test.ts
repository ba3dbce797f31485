import { FencedResource } from "@troupe/mutex"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"

const guarded = (latest?: number) => {
  const written: Array<number> = []
  const fenced = FencedResource.make({ name: "stock", resource: written, ...(latest === undefined ? {} : { latest }) })
  const write = (token: number) => fenced.use(token, (all) => Effect.sync(() => all.push(token)))
  return { fenced, write, written }
}

describe("what a lock guards", () => {
  it.effect("takes tokens that do not fall, the same one again too", () =>
    Effect.gen(function* () {
      const { fenced, write, written } = guarded()
      expect(yield* fenced.latest).toBe(-1)
      for (const token of [0, 3, 3, 7]) yield* write(token)
      expect(written).toEqual([0, 3, 3, 7])
      expect(yield* fenced.latest).toBe(7)
    })
  )

  it.effect("refuses a token lower than one it has seen, and runs nothing", () =>
    Effect.gen(function* () {
      const { write, written } = guarded(34)
      expect(yield* Effect.flip(write(33))).toEqual(
        new FencedResource.StaleToken({ resource: "stock", token: 33, latest: 34 })
      )
      yield* write(34)
      expect(written).toEqual([34])
    })
  )

  it.effect("cannot tell a token of another lock but by its size: a higher one shuts the right lock out", () =>
    Effect.gen(function* () {
      const { write, written } = guarded()
      const [ours, lowerOfAnother, higherOfAnother] = [100, 7, 2 ** 40]
      yield* write(ours)
      expect((yield* Effect.flip(write(lowerOfAnother)))._tag).toBe("StaleToken")
      yield* write(higherOfAnother)
      expect((yield* Effect.flip(write(ours + 1)))._tag).toBe("StaleToken")
      expect(written).toEqual([ours, higherOfAnother])
    })
  )

  it.effect.each([-1, 1.5, NaN, 2 ** 53])("refuses %d, which is no token", (token) =>
    Effect.gen(function* () {
      const { fenced, write, written } = guarded()
      expect(yield* Effect.flip(write(token))).toBeInstanceOf(FencedResource.NotAToken)
      expect(written).toEqual([])
      expect(yield* fenced.latest).toBe(-1)
    })
  )
})
