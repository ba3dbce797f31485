/** Who comes to a node, and does not say who they are, types too much or reads too little. On virtual time, over no network. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem } from "@troupe/actor"
import { TestKit } from "@troupe/actor/testing"
import { Chat, Door } from "@troupe/chat"
import { MemoryStorage } from "@troupe/storage"
import { Memory } from "@troupe/transport"
import { Deferred, Effect, Layer, Queue, type Scope } from "effect"
import { Socket } from "effect/socket"
import { talk } from "../src/Talk.ts"

const transport = Layer.suspend(() => Memory.layer(Memory.network({ nodes: ["n1"] }), "n1"))

const chat = Chat.layer().pipe(
  Layer.provide(ActorSystem.remote({ name: "chat" })),
  Layer.provide([MemoryStorage.layer(), transport])
)

type Needs = Chat.Chat | Door.Door | TestKit.TestKit | Scope.Scope

const at = <A, E>(limits: typeof Door.Limits.Type, effect: Effect.Effect<A, E, Needs>) =>
  Effect.scoped(effect).pipe(Effect.provide(Layer.provideMerge(Layer.merge(chat, Door.layer(limits)), TestKit.time())))

/** Somebody who types, and reads all, or nothing. */
const comes = Effect.fnUntraced(function* (reads: boolean) {
  const typed = yield* Queue.unbounded<string>()
  const gone = yield* Deferred.make<void>()
  const taken: Array<string> = []
  const state = { reads, isOver: false, isCut: false }
  const write = (text: unknown) =>
    Effect.suspend(() => {
      taken.push(String(text))
      return state.reads ? Effect.void : Effect.never
    })
  const unsupported = Effect.die("unsupported")
  const socket = Socket.make({
    reader: Effect.acquireRelease(
      Effect.succeed({ pull: Effect.map(Queue.take(typed), (text) => [text] as const), upgrade: () => unsupported }),
      // Nothing is left to send.
      () => Effect.sync(() => state.reads && Deferred.doneUnsafe(gone, Effect.void))
    ) as never,
    writer: Effect.succeed({
      write,
      writeAll: (texts: ReadonlyArray<unknown>) => Effect.forEach(texts, write)
    }) as never
  })
  const cut = (): void => {
    state.isCut = true
    Deferred.doneUnsafe(gone, Effect.void)
  }
  const wire = { unsent: () => 0, cut, closed: Deferred.await(gone) }
  yield* Effect.forkScoped(
    Effect.andThen(
      talk(socket, wire),
      Effect.sync(() => (state.isOver = true))
    )
  )
  yield* TestKit.settle
  return {
    state,
    type: (text: string) => Effect.andThen(Queue.offer(typed, text), TestKit.settle),
    lines: () => taken.join("").trimEnd().split("\n")
  }
})

const come = comes(true)

const welcome = "* Welcome. /join a room"

describe("the door of a node", () => {
  it.effect("holds so many without a name, and tells one more; whoever says theirs makes room", () =>
    at(
      { maxUnnamed: 2 },
      Effect.gen(function* () {
        const [ann, bob] = [yield* come, yield* come]
        const third = yield* come
        expect(third.lines()).toEqual(["! 2 others have not said who they are, which is as many as may. Try later"])
        expect(third.state.isOver).toBe(true)
        // They don't even read that.
        const [fourth, fifth] = [yield* comes(false), yield* comes(false)]
        expect([fourth, fifth].map(({ state }) => state.isOver)).toEqual([false, false])
        const sixth = yield* come
        expect(sixth.lines()).toEqual([""])
        expect(sixth.state).toMatchObject({ isOver: true, isCut: true })
        yield* TestKit.adjust("1 second")
        expect([fourth, fifth].map(({ state }) => state.isOver)).toEqual([true, true])
        yield* TestKit.adjust("5 seconds")
        expect([fourth, fifth].map(({ state }) => state.isCut)).toEqual([true, true])
        yield* ann.type("ann\n")
        expect(ann.lines().at(-1)).toBe(welcome)
        expect((yield* come).lines()).toEqual(bob.lines())
      })
    )
  )

  it.effect("waits so long for a name: one that is refused is none", () =>
    at(
      { nameMillis: 5_000 },
      Effect.gen(function* () {
        const [silent, wrong, named] = [yield* come, yield* come, yield* come]
        yield* named.type("ann\n")
        yield* TestKit.adjust("4900 millis")
        yield* wrong.type("two words\n")
        yield* TestKit.adjust("100 millis")
        const refusal = "! You have not said who you are within 5 seconds. Come again"
        expect(silent.lines()).toEqual(["* This is n1. Who are you?", refusal])
        expect(wrong.lines().at(-1)).toBe(refusal)
        yield* TestKit.adjust("1 second")
        expect([silent, wrong, named].map(({ state }) => state.isOver)).toEqual([true, true, false])
      })
    )
  )
})

describe("a line", () => {
  it.effect.each(["", "ann\n"])(
    "has so many characters, also in pieces: who types more is told so (%j before it)",
    (before) =>
      at(
        { maxLine: 100 },
        Effect.gen(function* () {
          const ann = yield* come
          yield* ann.type(before)
          for (let i = 0; i < 4; i++) yield* ann.type("x".repeat(25))
          expect(ann.state.isOver).toBe(false)
          yield* ann.type("x")
          expect(ann.lines().at(-1)).toBe("! A line has up to 100 characters")
          yield* TestKit.adjust("1 second")
          expect(ann.state.isOver).toBe(true)
        })
      )
  )
})

describe("who does not read", () => {
  const entered = (name: string) =>
    Effect.gen(function* () {
      const user = yield* come
      yield* user.type(`${name}\n/join garden\n`)
      return user
    })

  it.effect("is told so when too much waits, and cut off when they do not read that either; others go on", () =>
    at(
      { maxOutputBytes: 2_000 },
      Effect.gen(function* () {
        const [ann, bob] = [yield* entered("ann"), yield* entered("bob")]
        ann.state.reads = false
        for (let i = 0; i < 20; i++) yield* bob.type(`${"x".repeat(90)}\n`)
        expect(ann.state.isOver).toBe(false)
        for (let i = 0; i < 10; i++) yield* bob.type(`${"x".repeat(90)}\n`)
        expect(ann.lines().at(-1)).toBe("! More than 2000 bytes wait for you: you read too slowly. Come again")
        // What was on its way to them, and that.
        expect(ann.lines().filter((line) => line.endsWith("x")).length).toBeLessThan(3)
        yield* TestKit.adjust("1 second")
        expect(ann.state).toMatchObject({ isOver: true, isCut: false })
        yield* TestKit.adjust("5 seconds")
        expect(ann.state.isCut).toBe(true)
        expect(bob.lines()).toContain("* ann@n1 is gone")
      })
    )
  )

  it.effect("is no one who asks for more than that at once: they are told, and go on", () =>
    at(
      { maxOutputBytes: 2_000 },
      Effect.gen(function* () {
        const ann = yield* entered("ann")
        for (let i = 0; i < 30; i++) yield* ann.type(`${"x".repeat(90)}\n`)
        yield* ann.type("/history 30\n")
        expect(ann.lines().at(-1)).toBe("! That is more than 2000 bytes. Ask for less")
        yield* ann.type("/history 2\n")
        expect(ann.lines().at(-1)).toBe("* 2 posts of garden")
      })
    )
  )
})

describe("what is typed", () => {
  it.effect("is many lines at once, if it is to be, and each is text on one line", () =>
    at(
      {},
      Effect.gen(function* () {
        const ann = yield* come
        yield* ann.type("ann\n/join देवी\n")
        yield* ann.type(`${"\n".repeat(150_000)}a\tb\u2028c \u001b[2J\u009b1m\u202ed e\u0301\n`)
        expect(ann.lines().slice(-2)).toEqual(["* In देवी: ann@n1", "[1 n1] ann: a b c [2J1md \u00e9"])
        const twin = yield* come
        yield* twin.type("zoe\u0308\n")
        const other = yield* come
        yield* other.type("zo\u00eb\n")
        expect(other.lines().at(-1)).toBe("! zo\u00eb is here already. Take another name")
      })
    )
  )
})
