/** A node keeps what is said on the others, though none of its own users is in the room. */
import { Simulation } from "@troupe/simulation"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Effect, References, Scope } from "effect"
import { describe, expect, it } from "vitest"
import { type Service, start, visit } from "./world.ts"

const posts = 450

/** Ann talks on n1, which dies then, for good; what somebody who enters on n2 finds. */
const found = async (n2: (simulator: Simulation.Simulator, when: "before" | "after") => Effect.Effect<void>) => {
  const disks = SimulatedDisk.make({ seed: 1 })
  const chats = new Map<string, Service>()
  const program = (node: string) =>
    Effect.gen(function* () {
      chats.set(node, yield* start(node, disks))
      yield* Effect.never
    }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))
  const test = (simulator: Simulation.Simulator) =>
    Effect.gen(function* () {
      yield* Effect.sleep("1 second")
      yield* n2(simulator, "before")
      const ann = yield* visit(chats.get("n1")!, "ann")
      for (let count = 1; count <= posts; count++) ann.type(`number ${count}`)
      yield* ann.until((line) => line.endsWith(`ann: number ${posts}`))
      yield* n2(simulator, "after")
      yield* Effect.sleep("2 seconds")
      yield* simulator.crash("n1")
      const bob = yield* visit(chats.get("n2")!, "bob")
      bob.type("/history 1000")
      return yield* bob.until((line) => line.endsWith(" posts of garden"))
      // Never closed: sessions of a dead node end no more.
    }).pipe((test) => Effect.flatMap(Scope.make(), (scope) => Scope.provide(test, scope)))
  const { value, violations } = await Effect.runPromise(
    Simulation.run({ seed: 1, nodes: ["n1", "n2"], program, test, duration: "20 seconds" })
  )
  expect(violations).toEqual([])
  return value
}

describe("when the only node whose users were in a room is dead, another one has what was said", () => {
  it("as it was said", async () => {
    expect(await found(() => Effect.void)).toBe(`* ${posts} posts of garden`)
  })

  it("if it was down meanwhile, and came back before that one died", async () => {
    const away = ({ crash, restart }: Simulation.Simulator, when: "before" | "after") =>
      when === "before" ? crash("n2") : restart("n2")
    expect(await found(away)).toBe(`* ${posts} posts of garden`)
  })
})
