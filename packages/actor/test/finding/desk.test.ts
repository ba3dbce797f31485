/** What a node without a receptionist notes of actors that have come to it. */
import { expect, it } from "@effect/vitest"
import { ActorSystem } from "@troupe/actor"
import { Effect } from "effect"
import { Desk } from "../../src/internal/receptionist/Desk.ts"
import { mostEntries } from "../../src/internal/receptionist/talk.ts"
import type { Cell } from "../../src/internal/system/Cell.ts"
import { plain } from "../system/accounts.ts"

it.effect("under as many keys as a receptionist registers at the most is an actor noted, and under no more", () =>
  Effect.gen(function* () {
    const cell = (yield* ActorSystem.spawn(plain)) as unknown as Cell
    const desk = new Desk()
    const keys = Array.from({ length: mostEntries }, (_, at) => ({ name: `${at}`, messages: "account" }))
    desk.arrive(cell, { actor: "n1/1/1", epoch: 1 }, keys)
    desk.enlist(cell, { name: "more", messages: "account" }, true)
    expect(desk.keysOf(cell)).toHaveLength(mostEntries)
    desk.enlist(cell, { name: "0", messages: "account" }, false)
    desk.enlist(cell, { name: "last", messages: "account" }, true)
    expect(desk.keysOf(cell).at(-1)?.name).toBe("last")
  }).pipe(Effect.provide(ActorSystem.layer()))
)
