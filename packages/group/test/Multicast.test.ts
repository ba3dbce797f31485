import { Multicast } from "@troupe/group"
import { Effect, Layer } from "effect"
import { expect, expectTypeOf, it } from "vitest"

const causal: Layer.Layer<Multicast.Multicast<"reliable" | "fifo" | "causal">> = Layer.empty as never

it("is satisfied by a layer that guarantees more", () => {
  const program = Multicast.of("fifo", "reliable").pipe(Effect.provide(causal))
  expectTypeOf<Effect.Services<typeof program>>().toEqualTypeOf<never>()
  expect(program).toBeDefined()
})

it("is an error of types with one that guarantees less", () => {
  const program = Multicast.of("causal", "total").pipe(Effect.provide(causal))
  expectTypeOf<Effect.Services<typeof program>>().toEqualTypeOf<Multicast.Multicast<"causal" | "total">>()
  expect(program).toBeDefined()
})
