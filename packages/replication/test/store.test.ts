/** The store over several ways of replicating; thousands of worlds by `npm run proof -- replication`. */
import { KeyValue, LocalWrite, Naive, Passive, Quorum, Single, Store } from "@troupe/replication"
import { Faults } from "@troupe/simulation"
import { Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { run } from "../proof/storeWorlds.ts"

const one = Store.layer.pipe(Layer.provide(Single.layer(KeyValue.KeyValue, { self: "n1" })))

const on = <A, E>(program: (store: typeof Store.Store.Service) => Effect.Effect<A, E>) =>
  Effect.runPromise(Effect.provide(Effect.flatMap(Store.Store, program), one))

const tagOf = (error: { readonly _tag: string }): string => error._tag

describe("a store", () => {
  it("gets, puts, deletes, and sets what has not been written since", async () => {
    const seen = await on((store) =>
      Effect.gen(function* () {
        const first = yield* store.put("k", Store.bytes("one"))
        const second = yield* store.compareAndSet("k", first, Store.bytes("two"))
        const conflict = yield* Effect.flip(store.compareAndSet("k", first, Store.bytes("three")))
        const entry = yield* store.get("k")
        const deleted = [yield* store.delete("k"), yield* store.delete("k")]
        const created = yield* store.compareAndSet("k", 0, Store.bytes("four"))
        return [first, second, conflict.message, Store.text(entry!.value), deleted, created, yield* store.get("j")]
      })
    )
    const conflict = '"k" was not set: it has version 2, and 1 was expected. Get it, decide anew, and try again.'
    expect(seen).toEqual([1, 2, conflict, "two", [true, false], 4, undefined])
  })

  it("keeps what was put, whatever becomes of the arrays", async () => {
    const seen = await on((store) =>
      Effect.gen(function* () {
        const value = Store.bytes("kept")
        yield* store.put("k", value)
        value.fill(0)
        const { value: got } = (yield* store.get("k"))!
        got.fill(0)
        return Store.text((yield* store.get("k"))!.value)
      })
    )
    expect(seen).toBe("kept")
  })

  it("refuses an empty key, a long one, a large value and what is no version, before it asks", async () => {
    const tags = await on((store) =>
      Effect.gen(function* () {
        const none = new Uint8Array(0)
        return [
          tagOf(yield* Effect.flip(store.get(""))),
          tagOf(yield* Effect.flip(store.delete("k".repeat(KeyValue.longestKey + 1)))),
          tagOf(yield* Effect.flip(store.put("k", new Uint8Array(KeyValue.largestValue + 1)))),
          tagOf(yield* Effect.flip(store.compareAndSet("k", -1, none)))
        ]
      })
    )
    expect(new Set(tags)).toEqual(new Set(["InvalidRequest"]))
  })

  it.each([
    ["passive", Passive.layer(KeyValue.KeyValue)],
    ["local-write", LocalWrite.layer(KeyValue.KeyValue, { migrateAfter: 4 })],
    ["quorum", Quorum.layer(KeyValue.KeyValue)]
  ])("over %s replication is linearizable under chaos, and versions grow", async (_, layer) => {
    for (let seed = 1; seed <= 2; seed++) {
      const { answered, conflicts, violations } = await run(layer, { seed, faults: Faults.chaos })
      expect(violations).toEqual([])
      expect(answered).toBeGreaterThan(200)
      expect(conflicts).toBeGreaterThan(0)
    }
  })

  it("over naive replication is not", async () => {
    const { violations } = await run(Naive.layer(KeyValue.KeyValue), { seed: 1, faults: Faults.none })
    expect(violations.join()).toContain("linearizable")
  })
})
