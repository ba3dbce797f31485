/** What users are told of a disk that is full or fails, and how the chat goes on when it is well again. On virtual time. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem } from "@troupe/actor"
import { TestKit } from "@troupe/actor/testing"
import { Chat } from "@troupe/chat"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Memory } from "@troupe/transport"
import { Effect, Layer, Logger, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { visit } from "./world.ts"

type Needs = Chat.Chat | TestKit.TestKit | Scope.Scope

const on = <A, E>(body: (disk: SimulatedDisk.SimulatedDisk) => Effect.Effect<A, E, Needs>) => {
  const disks = SimulatedDisk.make({ seed: 1 })
  const chat = Chat.layer().pipe(
    Layer.provide(ActorSystem.remote({ name: "chat" })),
    Layer.provide([disks.layer("n1"), Memory.layer(Memory.network({ nodes: ["n1"] }), "n1"), Logger.layer([])])
  )
  return Effect.scoped(body(disks.disk("n1"))).pipe(Effect.provide(Layer.provideMerge(chat, TestKit.time())))
}

/** What is under way comes about in between. */
const passes = (millis: number) =>
  Effect.repeat(Effect.andThen(TestKit.settle, TestClock.adjust(stepMillis)), { times: millis / stepMillis - 1 })

const stepMillis = 50

/** Somebody in the garden, who types. */
const comes = (name: string) =>
  Effect.gen(function* () {
    const { lines, type } = yield* visit(yield* Chat.Chat, name)
    let from = 0
    return {
      type,
      /** What they are shown that they have not looked at, when so much time has passed. */
      sees: (millis: number) =>
        Effect.map(passes(millis), () => {
          const seen = lines.slice(from)
          from = lines.length
          return seen
        })
    }
  })

const full = "the disk of this node is full (ENOSPC: no space left on device). Make room on it"
const unkept = (why: string) => `! What was said in garden could not be kept here: ${why}. It goes on when that is done`
const again = "* What is said in garden is kept again"

describe("when the disk of a node", () => {
  it.effect("is full, all in a room are told so, and who writes; with room again it goes on, and nothing is lost", () =>
    on((disk) =>
      Effect.gen(function* () {
        const [ann, bob] = [yield* comes("ann"), yield* comes("bob")]
        ann.type("one")
        yield* ann.sees(100)
        expect((yield* bob.sees(50)).slice(-1)).toEqual(["[1 n1] ann: one"])
        disk.capacityBytes = 0
        ann.type("two")
        expect(yield* ann.sees(100)).toEqual([`! That may be lost: ${full}`, unkept(full)])
        ann.type("three")
        ann.type("/history")
        // Its log cannot even be opened.
        expect(yield* ann.sees(11_000)).toEqual([`! That may be lost: ${full}`, `! That cannot be read: ${full}`])
        expect(yield* bob.sees(50)).toEqual([unkept(full)])
        const cem = yield* comes("cem")
        expect((yield* cem.sees(100)).slice(-1)).toEqual([unkept(full)])
        disk.capacityBytes = Infinity
        yield* passes(2_000)
        cem.type("four")
        expect(yield* cem.sees(100)).toEqual([again, "[2 n1] cem: four"])
        cem.type("/history")
        expect(yield* cem.sees(100)).toEqual(["[1 n1] ann: one", "[2 n1] cem: four", "* 2 posts of garden"])
        expect(yield* ann.sees(50)).toEqual(["* cem@n1 is here", again, "[2 n1] cem: four"])
      })
    )
  )

  it.effect("fails, what came to it after all is shown when it is well again", () =>
    on((disk) =>
      Effect.gen(function* () {
        const ann = yield* comes("ann")
        yield* ann.sees(100)
        disk.failing = "syncs"
        ann.type("one")
        const fails = "the disk of this node fails (EIO: the sync failed). Mend it"
        expect(yield* ann.sees(100)).toEqual([`! That may be lost: ${fails}`, unkept(fails)])
        disk.failing = "nothing"
        expect(yield* ann.sees(2_000)).toEqual([again, "[1 n1] ann: one"])
      })
    )
  )
})
