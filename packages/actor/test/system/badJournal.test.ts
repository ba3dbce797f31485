/** Journals that are damaged, or that another version wrote. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Supervision } from "@troupe/actor"
import type { Storage } from "@troupe/storage"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Effect, Layer, Schema, Scope } from "effect"
import { Account, settled } from "./accounts.ts"
import { beside, endOf, events } from "./troubles.ts"

describe("a journal", () => {
  const disk = () => SimulatedDisk.make({ seed: 1, syncMillisMin: 0, syncMillisMax: 0 })

  /** In a life of the process. */
  const life = <A, E>(layer: Layer.Layer<Storage>, effect: Effect.Effect<A, E, ActorSystem.ActorSystem | Storage>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const context = yield* Layer.build(Layer.fresh(Layer.merge(ActorSystem.layer(), layer)))
        return yield* Effect.provide(beside(Effect.provide(effect, context)), context)
      })
    )

  const deposited = (behavior: ReturnType<typeof events>, ...amounts: ReadonlyArray<number>) =>
    Effect.gen(function* () {
      const ref = yield* ActorSystem.spawn(behavior, { name: "ann" })
      for (const amount of amounts) yield* ref.ask({ _tag: "Withdraw", amount: -amount })
      return yield* ref.ask({ _tag: "Balance" })
    })

  /** Why it does not start. */
  const refused = (behavior: ReturnType<typeof events>) =>
    Effect.gen(function* () {
      const ann = yield* ActorSystem.spawn(behavior, { name: "ann", supervision: Supervision.stop })
      const reason = yield* endOf(ann)
      expect(yield* Effect.flip(ann.ask({ _tag: "Balance" }))).toMatchObject({ _tag: "ActorStopped" })
      return reason
    })

  it.live("with a snapshot of another version: it does not start, and says why", () =>
    Effect.gen(function* () {
      const layer = disk().layer("n1")
      const snapshot = { state: Schema.Int, above: 0 }
      expect(
        yield* life(
          layer,
          Effect.tap(deposited(events({ version: 2, snapshot }), 5, 6, 7), () => settled)
        )
      ).toBe(18)
      for (const version of [1, 3]) {
        const failure = yield* life(layer, refused(events({ version, snapshot, upcast: (event) => event })))
        expect(failure).toMatchObject({ _tag: "UnknownVersion", found: 2, known: version })
      }
      expect(yield* life(layer, deposited(events({ version: 2, snapshot })))).toBe(18)
    })
  )

  it.live("with a torn end: all that was acknowledged is there, and it goes on", () =>
    Effect.gen(function* () {
      for (let after = 1; after <= 4; after++) {
        const disks = disk()
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(Layer.merge(ActorSystem.layer(), disks.layer("n1")), scope)
        yield* Effect.provide(
          Effect.gen(function* () {
            expect(yield* deposited(events({}), 5, 6)).toBe(11)
            const ann = yield* (yield* ActorSystem.ActorSystem).at(Account, "ann")
            disks.disk("n1").crashAt = disks.disk("n1").operations + after
            ann.tell({ _tag: "Deposit", amount: 100 })
            yield* settled
          }),
          context
        )
        const found = yield* life(disks.layer("n1"), deposited(events({}), 1))
        expect([12, 112]).toContain(found)
      }
    })
  )

  it.live("that is damaged before its end: it does not start, says where, and changes nothing", () =>
    Effect.gen(function* () {
      const disks = disk()
      const layer = disks.layer("n1")
      yield* life(layer, deposited(events({}), 5, 6, 7))
      const platter = disks.disk("n1")
      const path = platter.paths.find((each) => platter.sizeOf(each) > 200)!
      // In the first of its records.
      const bit = 8 * (32 + 24) + 1
      platter.flipBit(path, bit)
      expect(yield* life(layer, refused(events({})))).toMatchObject({ _tag: "Corrupt", name: "bad" })
      platter.flipBit(path, bit)
      expect(yield* life(layer, deposited(events({})))).toBe(18)
    })
  )
})
