/** Questions that were put off: who asked is told at once when the actor cannot answer any more. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, EventSourced, Messages, Supervision } from "@troupe/actor"
import { TestKit } from "@troupe/actor/testing"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Memory } from "@troupe/transport"
import { Cause, Context, Effect, Exit, Fiber, Layer, Logger, Schedule, Schema, type Scope } from "effect"
import type { Cell } from "../../src/internal/system/Cell.ts"
import { passing } from "./accounts.ts"

const M = Messages.make("m", {
  Later: Messages.ask({}, { reply: Schema.String }),
  LaterAndBreak: Messages.ask({}, { reply: Schema.String }),
  Answer: Messages.tell({}),
  Break: Messages.tell({}),
  Stop: Messages.tell({})
})
type M = typeof M.definition
type Open = ReadonlyArray<Behavior.Answer<string, never>>
type Given = Pick<Behavior.Behavior<M>, "children"> & { readonly begin?: (self: Behavior.Self<M>) => void }

const broken = (): never => {
  throw new Error("ill")
}

const on: Behavior.Handlers<M, Open> = {
  Later: (open, _, self) => {
    const later = self.defer()
    return { state: [...open, later], later }
  },
  LaterAndBreak: (_, __, self) => {
    self.defer()
    return broken()
  },
  Answer: (open) => {
    for (const { reply } of open) reply("yes")
    return []
  },
  Break: broken,
  Stop: (open, _, self) => {
    self.stop()
    return open
  }
}

const plain = ({ begin, ...given }: Given = {}): Behavior.Behavior<M> =>
  Behavior.make<M, Open>(M, {
    ...given,
    init: (self) => {
      begin?.(self)
      return []
    },
    on
  })

const effectful = ({ begin, ...given }: Given = {}): Behavior.Behavior<M> => {
  const later =
    (handle: (state: Open, message: any, self: any) => any) => (state: Open, message: unknown, self: unknown) =>
      Effect.andThen(
        Effect.yieldNow,
        Effect.sync(() => handle(state, message, self))
      )
  const handlers = Object.fromEntries(Object.entries(on).map(([tag, handle]) => [tag, later(handle)]))
  return Behavior.effect(M, {
    ...given,
    init: (self) => Effect.sync((): Open => (begin?.(self), [])),
    on: handlers as never as Record<keyof M, never>
  }) as Behavior.Behavior<M>
}

const kit = <A, E>(effect: Effect.Effect<A, E, TestKit.TestKit | ActorSystem.ActorSystem | Scope.Scope>) =>
  Effect.provide(Effect.scoped(effect), [TestKit.layer(), Logger.layer([])])

/** What comes of a question, at the moment at which something has happened. */
const asked = (ref: ActorRef<M>, happens: () => void, _tag: "Later" | "LaterAndBreak" = "Later") =>
  Effect.gen(function* () {
    const asking = yield* Effect.forkScoped(ref.ask({ _tag }, { timeout: "1 hour" }), { startImmediately: true })
    yield* TestKit.settle
    happens()
    yield* TestKit.settle
    const exit = asking.pollUnsafe()
    return exit === undefined ? "nothing" : said(exit)
  })

const said = (exit: Exit.Exit<string, unknown>): string => {
  if (Exit.isSuccess(exit)) return exit.value
  const { _tag, cause } = Cause.squash(exit.cause) as { readonly _tag: string; readonly cause?: unknown }
  return cause === undefined ? _tag : `${_tag}: ${(cause as Error).message}`
}

const deferred = (ref: ActorRef<any>) => (ref as unknown as Cell).rare?.deferred ?? []

/** The questions that it is to answer yet. */
const open = (ref: ActorRef<any>): number => deferred(ref).filter(({ isOver }) => !isOver).length

describe.each([
  ["plain", plain],
  ["Effect", effectful]
] as const)("a question that an actor with %s handlers has put off", (_, behavior) => {
  const ill = "HandlerFailed: ill"

  it.effect.each([false, true])("ends with the actor when it is stopped; drained: %s", (drain) =>
    kit(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ref = yield* ActorSystem.spawn(behavior())
        expect(yield* asked(ref, () => Effect.runFork(system.stop(ref, { drain })))).toBe("ActorStopped")
      })
    )
  )

  it.effect.each([
    ["stops itself", "Stop", Supervision.restart(), "ActorStopped"],
    ["fails, and stops", "Break", Supervision.stop, "ActorStopped"],
    ["starts from its first state", "Break", Supervision.restart(), ill],
    ["waits before it starts again", "Break", Supervision.restart({ backoff: Schedule.spaced("1 hour") }), ill],
    ["goes on with its state, kept", "Break", Supervision.restart({ state: "kept" }), "nothing"],
    ["goes on with its state, resumed", "Break", Supervision.resume, "nothing"]
  ] as const)("when it %s", ([, _tag, supervision, told]) =>
    kit(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(behavior(), { supervision })
        expect(yield* asked(ref, () => ref.tell({ _tag }))).toBe(told)
        expect(open(ref)).toBe(told === "nothing" ? 1 : 0)
        if (told !== "nothing") return
        expect(yield* asked(ref, () => ref.tell({ _tag: "Answer" }))).toBe("yes")
        expect(open(ref)).toBe(0)
      })
    )
  )

  it.effect("when its parent ends, or its sibling takes it along", () =>
    kit(
      Effect.gen(function* () {
        const children: Array<ActorRef<M>> = []
        const begin: Given["begin"] = (self) => {
          for (let i = 0; i < 2; i++) children[i] = self.spawn(behavior())
        }
        const parent = yield* ActorSystem.spawn(plain({ begin, children: "all-for-one" }))
        yield* TestKit.settle
        expect(yield* asked(children[0]!, () => children[1]!.tell({ _tag: "Break" }))).toBe(ill)
        expect(yield* asked(children[0]!, () => parent.tell({ _tag: "Stop" }))).toBe("ActorStopped")
      })
    )
  )

  it.effect("and failed at after that: whatever becomes of the actor", () =>
    kit(
      Effect.gen(function* () {
        for (const supervision of [Supervision.resume, Supervision.restart({ state: "kept" })]) {
          const ref = yield* ActorSystem.spawn(behavior(), { supervision })
          expect(yield* asked(ref, () => {}, "LaterAndBreak")).toBe(ill)
          expect(open(ref)).toBe(0)
        }
      })
    )
  )

  it.effect("is forgotten when it is answered, or nobody waits for it", () =>
    kit(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(behavior())
        for (let i = 0; i < 100; i++) {
          expect(yield* asked(ref, () => ref.tell({ _tag: "Answer" }))).toBe("yes")
          yield* Effect.ignore(Effect.timeout(ref.ask({ _tag: "Later" }), "1 second")).pipe(TestKit.elapse)
          yield* Effect.ignore(ref.ask({ _tag: "Later" }, { timeout: "1 second" })).pipe(TestKit.elapse)
          expect(deferred(ref).length).toBeLessThan(10)
        }
        expect(open(ref)).toBe(0)
      })
    )
  )
})

it.effect("an answer that comes when the actor has started again is too late, and no failure", () =>
  kit(
    Effect.gen(function* () {
      const system = yield* ActorSystem.ActorSystem
      let kept: Open = []
      const keeping = Behavior.make(M, {
        init: (): Open => [],
        on: { ...on, Later: (_, __, self) => ((kept = [self.defer()]), { state: kept, later: kept[0]! }) }
      })
      const ref = yield* ActorSystem.spawn(keeping)
      expect(yield* asked(ref, () => ref.tell({ _tag: "Break" }))).toBe("HandlerFailed: ill")
      kept[0]!.reply("late")
      expect(system.counters()).toMatchObject({ failures: 1, restarts: 1 })
    })
  )
)

it.live("a question of another node that was put off ends with the actor, and when it starts again", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const network = Memory.network({ nodes: ["n1", "n2"] })
      const [here, there] = yield* Effect.forEach(["n1", "n2"], (node) => {
        const layer = Layer.mergeAll(Layer.provide(ActorSystem.remote(), Memory.layer(network, node)), Logger.layer([]))
        return Effect.map(Layer.build(Layer.fresh(layer)), Context.get(ActorSystem.ActorSystem))
      })
      const local = yield* there!.spawn(plain(), { name: "actor" })
      const far = yield* here!.at(M, "actor", "n2")
      const told: Array<string> = []
      for (const _tag of ["Break", "Stop"] as const) {
        const asking = yield* Effect.forkScoped(Effect.exit(far.ask({ _tag: "Later" }, { timeout: "1 hour" })), {
          startImmediately: true
        })
        while (open(local) === 0) yield* Effect.yieldNow
        far.tell({ _tag })
        told.push(said(yield* Fiber.join(asking)))
      }
      expect(told).toEqual(["HandlerFailed: ill", "ActorStopped"])
    })
  )
)

describe("a question that an event-sourced actor answers by `after`", () => {
  const answering = EventSourced.make(M, {
    log: "answering",
    event: Schema.String,
    init: () => 0,
    apply: (count) => count + 1,
    on: {
      Later: (_, __, self) => {
        const later = self.defer()
        return { events: ["asked"], after: () => later.reply("written"), later }
      },
      LaterAndBreak: (_, __, self) => ({ events: [], later: self.defer() }),
      Answer: () => ({}),
      Break: broken,
      Stop: (_, __, self) => {
        self.stop()
        return {}
      }
    }
  })

  /** One on a slow disk, and how that comes to fail. */
  const onDisk = <A, E>(use: (ref: ActorRef<M>, fail: () => void) => Effect.Effect<A, E, Scope.Scope>) =>
    Effect.gen(function* () {
      const disks = SimulatedDisk.make({ seed: 1, syncMillisMin: 20, syncMillisMax: 20 })
      const layer = Layer.mergeAll(ActorSystem.layer(), disks.layer("n1"), Logger.layer([]))
      const ref = yield* Effect.provide(ActorSystem.spawn(answering), yield* Layer.build(layer))
      return yield* use(ref, () => void (disks.disk("n1").failing = "syncs"))
    }).pipe(Effect.scoped, passing)

  it.effect("is told, if nothing of it waits for the disk, when that fails at something else", () =>
    onDisk((ref, fail) =>
      Effect.gen(function* () {
        const asking = yield* Effect.forkScoped(Effect.exit(ref.ask({ _tag: "LaterAndBreak" })), {
          startImmediately: true
        })
        while (open(ref) === 0) yield* Effect.yieldNow
        fail()
        yield* Effect.exit(ref.ask({ _tag: "Later" }))
        expect(said(yield* Fiber.join(asking)).split(":")[0]).toBe("HandlerFailed")
      })
    )
  )

  it.effect.each([
    ["stopped, when it is written", "Stop", false, "written"],
    ["started again, when it is written", "Break", false, "written"],
    ["stopped, when its disk fails", "Stop", true, "ActorStopped"],
    ["started again, when its disk fails", "Break", true, "HandlerFailed"]
  ] as const)("is told if the actor is %s", ([, _tag, fails, told]) =>
    onDisk((ref, fail) =>
      Effect.gen(function* () {
        ref.tell({ _tag: "Answer" })
        const asking = yield* Effect.forkScoped(Effect.exit(ref.ask({ _tag: "Later" })), { startImmediately: true })
        while (open(ref) === 0) yield* Effect.yieldNow
        if (fails) fail()
        ref.tell({ _tag })
        const found = said(yield* Fiber.join(asking))
        expect(found.split(":")[0]).toBe(told)
      })
    )
  )
})
