/** What becomes of what goes to an actor through its earlier places when one of them is no more heard. */
import { expect, it } from "@effect/vitest"
import { ActorSystem, Migration } from "@troupe/actor"
import { Effect, Exit, Fiber, References, Tracer } from "effect"
import type { Agent } from "../../src/internal/migration/Agent.ts"
import * as Away from "../../src/internal/migration/away.ts"
import { capacity } from "../../src/internal/migration/Link.ts"
import { Resident } from "../../src/internal/migration/Resident.ts"
import type { Entry, Word } from "../../src/internal/migration/words.ts"
import { Told } from "../../src/internal/observed/Told.ts"
import type { Cell } from "../../src/internal/system/Cell.ts"
import { Question } from "../../src/internal/system/envelopes.ts"
import { Keeper, keeper, note, type Ref, world, type World } from "./support.ts"

const { fetch, move, spawn } = Migration

const options = { timeout: "2 seconds", retry: "50 millis", grace: "5 seconds" } as const

/** On n1; n3 has an address of it, since it has been there. */
const known = ({ on }: World) =>
  Effect.gen(function* () {
    const ref = yield* on("n1", spawn(keeper, { name: "ann" }))
    const there = yield* on("n3", fetch(yield* reference("n3", on), { kind: "strong" }))
    yield* on("n1", move(ref, { to: "n1", kind: "strong" }))
    yield* Effect.sleep("100 millis")
    return [ref, there] as const
  })

const reference = (node: string, on: World["on"]): Effect.Effect<Ref, unknown> =>
  on(
    node,
    Effect.flatMap(ActorSystem.ActorSystem, (system) => system.at(Keeper, "ann", "n1"))
  )

const phaseAt = (at: World, node: string): string | undefined => [...at.agent(node).residents.values()][0]?.phase._tag

it.live(
  "what went through a node that dies is not waited for, also by one that is to take the actor at that moment",
  () =>
    world(
      (at) =>
        Effect.gen(function* () {
          const { on, simulator } = at
          const [ref, there] = yield* known(at)
          yield* on("n1", move(ref, { to: "n2", kind: "strong" }))
          yield* Effect.sleep("100 millis")
          // The mark that ends the way of n3 through n2 does not get there.
          yield* simulator.cut(["n3"], ["n2"])
          yield* on("n1", move(ref, { to: "n1", kind: "strong" }))
          yield* Effect.sleep("100 millis")
          const moving = yield* Effect.forkChild(Effect.exit(on("n1", move(ref, { to: "n3", kind: "strong" }))))
          while (phaseAt(at, "n3") !== "Arriving") yield* Effect.sleep("1 millis")
          yield* Effect.sleep("100 millis")
          yield* simulator.crash("n2")
          for (const node of ["n1", "n3"]) yield* at.down(node, "n2")
          expect(Exit.isSuccess(yield* Fiber.join(moving))).toBe(true)
          note(there, "a", 1)
          expect(yield* ref.ask({ _tag: "Notes" })).toEqual(["a1"])
        }),
      { migration: options }
    ).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
)

it.live("what is for an actor at a node that is taken for dead here, and lives, waits until that is heard again", () =>
  world(
    (at) =>
      Effect.gen(function* () {
        const { on, simulator } = at
        const [ref, there] = yield* known(at)
        yield* on("n1", move(ref, { to: "n2", kind: "strong" }))
        yield* Effect.sleep("100 millis")
        const heal = [yield* simulator.cut(["n1"], ["n3"]), yield* simulator.cut(["n3"], ["n1"])]
        yield* at.down("n1", "n3")
        // n1 hears of that by n2 alone.
        yield* on("n2", move(yield* moved(at), { to: "n3", kind: "strong" }))
        note(ref, "a", 1)
        yield* Effect.sleep("100 millis")
        note(ref, "a", 2)
        expect(phaseAt(at, "n1")).toBe("Lost")
        yield* Effect.all(heal)
        yield* Effect.sleep("1 second")
        note(ref, "a", 3)
        expect(yield* ref.ask({ _tag: "Notes" })).toEqual(["a1", "a2", "a3"])
        expect(yield* there.ask({ _tag: "Sum" })).toBe(0)
      }),
    { migration: options }
  ).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
)

/** As n2 refers to it, where it is. */
const moved = ({ agent }: World) => Effect.sync(() => [...agent("n2").residents.values()][0]!.cell as unknown as Ref)

it.live("where as much waits as may, who asks is told so, and the way is still ended when a shorter one is known", () =>
  world(
    (at) =>
      Effect.gen(function* () {
        const { on, simulator } = at
        const [ref] = yield* known(at)
        yield* on("n1", move(ref, { to: "n2", kind: "strong" }))
        yield* Effect.sleep("100 millis")
        const heal = yield* simulator.cut(["n1"], ["n2"])
        for (let i = 0; i < capacity; i++) ref.tell({ _tag: "Add", amount: 1 })
        expect(yield* Effect.flip(ref.ask({ _tag: "Sum" }))).toMatchObject({ _tag: "MailboxFull", capacity })
        yield* on("n2", move(yield* moved(at), { to: "n3", kind: "strong" }))
        yield* Effect.sleep("1 second")
        yield* heal
        yield* Effect.sleep("5 seconds")
        expect(yield* ref.ask({ _tag: "Sum" })).toBe(capacity)
      }),
    { migration: options }
  ).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
)

it("what is said to be lost is said again when the connection breaks that this went by", () => {
  const said: Array<string> = []
  const agent = {
    node: "n2",
    say: (to: string, word: Word) => {
      if (word._tag === "Forward") said.push(`${word.parcel.entry._tag} to ${to}`)
      return new Set()
    }
  } as unknown as Agent
  const resident = new Resident("n1/1/1", keeper as never, undefined, { _tag: "Away" }, 1, "n3")
  Away.relay(agent, resident, { origin: "n1", way: 2, hops: 0, entry: { _tag: "Skip" } })
  expect(said).toEqual(["Relayed to n3"])
  Away.skip(agent, resident, "n4")
  expect(said).toEqual(["Relayed to n3", "Relayed to n3"])
  expect([...resident.passed]).toEqual([["n1", 2]])
})

it("where as much waits as may, what others send through here is refused as well; what ends their ways is not", () => {
  const said: Array<string> = []
  const letters: Array<string> = []
  const agent = {
    node: "n2",
    say: (to: string) => said.push(to),
    trySay: () => undefined,
    system: { deadLetters: { add: (_: unknown, __: unknown, reason: string) => letters.push(reason) } }
  } as unknown as Agent
  const resident = new Resident("n1/1/1", keeper as never, undefined, { _tag: "Away" }, 1, "n3")
  const relay = (entry: Entry): void => Away.relay(agent, resident, { origin: "n1", way: 0, hops: 0, entry })
  relay({ _tag: "Mark" })
  expect([said, letters]).toEqual([["n3"], []])
  relay({ _tag: "Message", bytes: new Uint8Array(1) })
  expect([said, letters]).toEqual([["n3"], ["mailbox full"]])
})

it("what an actor elsewhere would not understand is a dead letter here as it was told", () => {
  const letters: Array<unknown> = []
  const agent = {
    system: { deadLetters: { add: (_: unknown, message: unknown) => letters.push(message) } }
  } as unknown as Agent
  const cell = { path: "keeper" } as Cell
  const resident = new Resident("n1/1/1", keeper as never, cell, { _tag: "Away" }, 1, "n3")
  const [told, asked] = [{ _tag: "Add", amount: "one" }, { _tag: "Sums" }]
  const span = Tracer.externalSpan({ traceId: "1", spanId: "1" })
  expect(Away.entry(agent, resident, new Told(told, span))).toEqual([])
  expect(Away.entry(agent, resident, new Question(asked, cell))).toEqual([])
  expect(letters).toEqual([told, asked])
})
