/** How actors begin and end when several things befall them at once: found by the random families of `simulated/trees.ts`. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, Messages, Supervision } from "@troupe/actor"
import { TestKit } from "@troupe/actor/testing"
import { Context, Effect, Exit, Layer, Schedule, Scope } from "effect"

const M = Messages.make("m", { Do: Messages.tell({}), Break: Messages.tell({}) })

type Self = Behavior.Self<typeof M.definition>

const on = {
  Do: (state: number) => state,
  Break: (): number => {
    throw new Error("ill")
  }
}

const calm = Behavior.make(M, { init: () => 0, on })

/** One that cannot start. */
const stillborn = Behavior.make(M, {
  init: (): number => {
    throw new Error("stillborn")
  },
  on
})

const kit = <A, E>(effect: Effect.Effect<A, E, TestKit.TestKit | ActorSystem.ActorSystem | Scope.Scope>) =>
  Effect.provide(Effect.scoped(effect), TestKit.layer())

const counters = Effect.map(ActorSystem.ActorSystem, (system) => system.counters())

describe("an actor that", () => {
  it.effect.each(["kept", "reset"] as const)(
    "waits before it starts again ends at once when it is stopped: %s",
    (state) =>
      kit(
        Effect.gen(function* () {
          const system = yield* ActorSystem.ActorSystem
          const backoff = Schedule.spaced("1 hour")
          const ref = yield* ActorSystem.spawn(calm, { supervision: Supervision.restart({ backoff, state }) })
          ref.tell({ _tag: "Break" })
          yield* TestKit.settle
          const stopping = yield* Effect.forkChild(system.stop(ref), { startImmediately: true })
          yield* TestKit.settle
          expect(stopping.pollUnsafe()).toEqual(Exit.void)
        })
      )
  )

  it.effect("cannot start, and is to go on all the same, ends: it has no state to go on with", () =>
    kit(
      Effect.gen(function* () {
        const { expectTerminated } = yield* TestKit.probe(M)
        const ref = yield* ActorSystem.spawn(stillborn, { supervision: Supervision.resume })
        expect(yield* expectTerminated(ref)).toMatchObject({ _tag: "Failed" })
      })
    )
  )

  it.effect("stops itself while it cannot start ends", () =>
    kit(
      Effect.gen(function* () {
        const { expectTerminated } = yield* TestKit.probe(M)
        const hasty = Behavior.make(M, {
          init: (self: Self): number => {
            self.stop()
            throw new Error("ill")
          },
          on
        })
        const ref = yield* ActorSystem.spawn(hasty)
        yield* expectTerminated(ref)
      })
    )
  )

  it.effect("has a child that fails in its handler fails after that, and starts from its first state", () =>
    kit(
      Effect.gen(function* () {
        const states: Array<number> = []
        const parent = Behavior.make(M, {
          init: () => 0,
          on: {
            Do: (state, _, self) => {
              states.push(state)
              if (state === 0) self.spawn(stillborn, { supervision: Supervision.escalate })
              return state + 1
            },
            Break: (state) => state
          }
        })
        const ref = yield* ActorSystem.spawn(parent)
        ref.tell({ _tag: "Do" })
        ref.tell({ _tag: "Do" })
        yield* TestKit.settle
        expect(states).toEqual([0, 0])
        expect((yield* counters).restarts).toBe(2)
      })
    )
  )

  it.effect("is cut short amid an Effect leaves no child, timer or scope of it", () =>
    kit(
      Effect.gen(function* () {
        const events: Array<string> = []
        const child = Behavior.make(M, { init: () => 0, on, onStop: () => events.push("child") })
        const parent = Behavior.effect(M, {
          init: () =>
            Effect.acquireRelease(Effect.succeed(0), () =>
              Effect.andThen(
                Effect.sleep("1 second"),
                Effect.sync(() => events.push("closed"))
              )
            ),
          on: {
            Do: (state, _, self: Self) =>
              Effect.sync(() => {
                // It fails at once with this one, and has asked for the others all the same.
                self.spawn(stillborn, { supervision: Supervision.escalate })
                self.spawn(child)
                self.setInterval("often", "1 second", { _tag: "Do" })
                return state
              }),
            Break: (state) => Effect.succeed(state)
          },
          onStop: () => events.push("parent")
        })
        const { expectTerminated } = yield* TestKit.probe(M)
        const ref = yield* ActorSystem.spawn(parent, { supervision: Supervision.stop })
        ref.tell({ _tag: "Do" })
        yield* expectTerminated(ref, { within: "2 seconds" })
        expect(events).toEqual(["child", "closed", "parent"])
        expect(yield* Effect.flip(TestKit.elapse(Effect.never))).toMatchObject({ _tag: "Stuck" })
      })
    )
  )

  it.effect("shares its siblings' fate while it starts starts once more, and once only", () =>
    kit(
      Effect.gen(function* () {
        let starts = 0
        const slow = Behavior.effect(M, {
          init: () => Effect.sync(() => void starts++).pipe(Effect.andThen(Effect.sleep("1 second")), Effect.as(0)),
          on: { Do: (state) => Effect.succeed(state), Break: (state) => Effect.succeed(state) }
        })
        const parent = Behavior.make(M, {
          children: "all-for-one",
          init: (self: Self): number => {
            self.spawn(slow)
            self.spawn(calm, { name: "calm" })
            return 0
          },
          on: { Do: (state) => state, Break: (state) => state }
        })
        yield* ActorSystem.spawn(parent, { name: "parent" })
        const child = yield* (yield* ActorSystem.ActorSystem).at(M, "parent/calm")
        child.tell({ _tag: "Break" })
        yield* TestKit.adjust("10 seconds")
        expect(starts).toBe(2)
        expect(yield* counters).toMatchObject({ failures: 1, restarts: 2 })
      })
    )
  )
})

it.effect("a name that is taken is none that was spawned, and a system that has ended has stopped all that were", () =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(ActorSystem.layer(), scope)
    const system = Context.get(context, ActorSystem.ActorSystem)
    for (const name of ["ann", "bob"]) yield* system.spawn(calm, { name })
    yield* Effect.flip(system.spawn(calm, { name: "ann" }))
    yield* Scope.close(scope, Exit.void)
    expect(system.counters()).toMatchObject({ spawned: 2, stopped: 2 })
  })
)
