/** What an actor's end, or its new start, is for those who asked it, for its family and for those linked to it. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages, Supervision } from "@troupe/actor"
import { TestKit } from "@troupe/actor/testing"
import { Cause, Effect, Exit, Logger, Schedule, Schema, type Scope } from "effect"

const M = Messages.make("m", {
  Break: Messages.tell({}),
  Stop: Messages.tell({}),
  Slow: Messages.ask({}, { reply: Schema.String }),
  Starts: Messages.ask({}, { reply: Schema.Int })
})
type M = typeof M.definition
type Begin = (self: Behavior.Self<M>) => void

/** It counts its starts, and may take a second to answer. */
const slow = (begin: Begin = () => {}, given: Pick<Behavior.Behavior<M>, "children"> = {}) => {
  let starts = 0
  return Behavior.effect(M, {
    ...given,
    init: (self) =>
      Effect.sync(() => {
        starts++
        begin(self)
      }),
    on: {
      Break: () => Effect.die(new Error("ill")),
      Stop: (_, __, self) => Effect.sync(() => self.stop()),
      Slow: (state) => Effect.as(Effect.sleep("1 second"), { state, reply: "done" }),
      Starts: (state) => Effect.sync(() => ({ state, reply: starts }))
    }
  })
}

const kit = <A, E>(effect: Effect.Effect<A, E, TestKit.TestKit | ActorSystem.ActorSystem | Scope.Scope>) =>
  Effect.provide(Effect.scoped(effect), [TestKit.layer(), Logger.layer([])])

/** What comes of a question within two seconds. */
const asked = (ref: ActorRef<M>, amid: () => void) =>
  Effect.gen(function* () {
    const asking = yield* Effect.forkScoped(ref.ask({ _tag: "Slow" }, { timeout: "1 hour" }), {
      startImmediately: true
    })
    yield* TestKit.settle
    amid()
    yield* TestKit.settle
    const atOnce = asking.pollUnsafe()
    yield* TestKit.adjust("1 second")
    const exit = atOnce ?? asking.pollUnsafe()
    if (exit === undefined) return "nothing"
    const said = Exit.isSuccess(exit) ? exit.value : (Cause.squash(exit.cause) as { readonly _tag: string })._tag
    return atOnce === undefined ? `${said} later` : said
  })

const parentOf = (children: ReadonlyArray<readonly [Behavior.Behavior<M>, Supervision.Supervision]>) => {
  const refs: Array<ActorRef<M>> = []
  const begin: Begin = (self) => {
    refs.splice(0)
    for (const [behavior, supervision] of children) refs.push(self.spawn(behavior, { supervision }))
  }
  return [begin, refs] as const
}

describe("who asked an actor that is cut short is told at once", () => {
  it.effect("when it is stopped", () =>
    kit(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ref = yield* ActorSystem.spawn(slow())
        expect(yield* asked(ref, () => Effect.runFork(system.stop(ref)))).toBe("ActorStopped")
      })
    )
  )

  it.effect.each([
    [Supervision.restart(), "HandlerFailed"],
    [Supervision.stop, "ActorStopped"],
    [Supervision.resume, "done later"],
    [Supervision.restart({ state: "kept" }), "done later"]
  ] as const)("when a child escalates, and it is to %j: %s", ([supervision, said]) =>
    kit(
      Effect.gen(function* () {
        const [begin, children] = parentOf([[slow(), Supervision.escalate]])
        const ref = yield* ActorSystem.spawn(slow(begin), { supervision })
        expect(yield* asked(ref, () => children[0]!.tell({ _tag: "Break" }))).toBe(said)
      })
    )
  )

  it.effect.each([
    [Supervision.restart(), "HandlerFailed"],
    [Supervision.stop, "ActorStopped"],
    [Supervision.restart({ state: "kept" }), "done later"]
  ] as const)("when it shares its sibling's fate, which is to %j: %s", ([supervision, said]) =>
    kit(
      Effect.gen(function* () {
        const [begin, children] = parentOf([
          [slow(), supervision],
          [slow(), Supervision.stop]
        ])
        yield* ActorSystem.spawn(slow(begin, { children: "all-for-one" }))
        expect(yield* asked(children[1]!, () => children[0]!.tell({ _tag: "Break" }))).toBe(said)
      })
    )
  )

  it.effect("when it falls with another one", () =>
    kit(
      Effect.gen(function* () {
        const other = yield* ActorSystem.spawn(slow(), { supervision: Supervision.stop })
        const ref = yield* ActorSystem.spawn(slow((self) => self.link(other)))
        expect(yield* asked(ref, () => other.tell({ _tag: "Break" }))).toBe("ActorStopped")
      })
    )
  )
})

describe("siblings who share a fate", () => {
  const starts = (ref: ActorRef<M>) => Effect.orElseSucceed(ref.ask({ _tag: "Starts" }), () => "stopped" as const)

  it.effect.each([
    ["too often", Supervision.restart({ limit: 2 }), 0],
    [
      "longer than the back-off",
      Supervision.restart({ backoff: Schedule.upTo(Schedule.spaced(100), { times: 2 }) }),
      100
    ]
  ] as const)("stop together when one has failed %s, however old they are", ([, supervision, millis]) =>
    kit(
      Effect.gen(function* () {
        const [begin, children] = parentOf([
          [slow(), supervision],
          [slow(), Supervision.stop]
        ])
        yield* ActorSystem.spawn(slow(begin, { children: "all-for-one" }))
        for (const left of [2, 3, "stopped"]) {
          children[0]!.tell({ _tag: "Break" })
          yield* TestKit.adjust(millis)
          yield* TestKit.settle
          expect([yield* starts(children[0]!), yield* starts(children[1]!)]).toEqual([left, left])
        }
      })
    )
  )

  it.effect("wait equally long before they start again, and stop with one that escalates", () =>
    kit(
      Effect.gen(function* () {
        const supervision = Supervision.restart({ backoff: Schedule.exponential("1 second") })
        const [begin, children] = parentOf([
          [slow(), supervision],
          [slow(), supervision],
          [slow(), Supervision.escalate]
        ])
        yield* ActorSystem.spawn(slow(begin, { children: "all-for-one" }), { supervision: Supervision.resume })
        const all = Effect.suspend(() =>
          Effect.forEach(children, (each) =>
            Effect.orElseSucceed(each.ask({ _tag: "Starts" }, { timeout: 0 }), () => 0)
          )
        )
        children[0]!.tell({ _tag: "Break" })
        yield* TestKit.adjust("1 second")
        children[0]!.tell({ _tag: "Break" })
        yield* TestKit.adjust("2 seconds")
        // It fails for the first time.
        children[1]!.tell({ _tag: "Break" })
        yield* TestKit.settle
        yield* TestKit.adjust("999 millis")
        expect(yield* all).toEqual([0, 0, 0])
        yield* TestKit.adjust("1 millis")
        expect(yield* all).toEqual([4, 4, 4])
        children[2]!.tell({ _tag: "Break" })
        yield* TestKit.settle
        expect(yield* all).toEqual([0, 0, 0])
      })
    )
  )
})

it.effect("an actor without a state keeps what it has, too", () =>
  kit(
    Effect.gen(function* () {
      const [begin, children] = parentOf([[slow(), Supervision.stop]])
      const ref = yield* ActorSystem.spawn(slow(begin), { supervision: Supervision.restart({ state: "kept" }) })
      const [child] = children
      ref.tell({ _tag: "Break" })
      yield* TestKit.settle
      expect(yield* ref.ask({ _tag: "Starts" })).toBe(1)
      expect(yield* child!.ask({ _tag: "Starts" })).toBe(1)
    })
  )
)

it.effect(
  "onStop is given the last state, also of one that was to start again; of one that never began, it is not called",
  () =>
    kit(
      Effect.gen(function* () {
        const given: Array<unknown> = []
        const behavior = (init: () => number) =>
          Behavior.make(Messages.make("n", { Break: Messages.tell({}) }), {
            init,
            on: {
              Break: () => {
                throw new Error("ill")
              }
            },
            onStop: (state) => void given.push(state)
          })
        const never = behavior(() => {
          throw new Error("no seed")
        })
        yield* ActorSystem.spawn(never, { supervision: Supervision.stop })
        const patient = { supervision: Supervision.restart({ backoff: Schedule.recurs(0) }) }
        const ref = yield* ActorSystem.spawn(
          behavior(() => 7),
          patient
        )
        ref.tell({ _tag: "Break" })
        const ill = yield* ActorSystem.spawn(
          behavior(() => 8),
          { supervision: Supervision.stop }
        )
        ill.tell({ _tag: "Break" })
        yield* TestKit.settle
        expect(given).toEqual([7, 8])
      })
    )
)

it.effect.each([1, 3])("of a handler that is cut short nothing stays, also where %i messages wait", (messages) =>
  kit(
    Effect.gen(function* () {
      const given: Array<number> = []
      const unable = Behavior.make(Messages.make("n", {}), {
        init: () => {
          throw new Error("no seed")
        },
        on: {}
      })
      const Parent = Messages.make("parent", { Spawn: Messages.tell({}) })
      const parent = Behavior.effect(Parent, {
        init: () => Effect.succeed(7),
        on: {
          Spawn: (state, _, self) =>
            Effect.sync(() => {
              self.spawn(unable, { supervision: Supervision.escalate })
              return state + 1
            })
        },
        onStop: (state) => void given.push(state)
      })
      const ref = yield* ActorSystem.spawn(parent, { supervision: Supervision.stop })
      for (let i = 0; i < messages; i++) ref.tell({ _tag: "Spawn" })
      yield* TestKit.settle
      expect(given).toEqual([7])
    })
  )
)

describe("a family deeper than the stack", () => {
  const depth = 2_500
  const length = 1_500

  it.effect("ends, children before their parents; and each is told of its child before its own end", () =>
    kit(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ended: Array<number> = []
        let count = 0
        const member = (): Behavior.Behavior<M> => {
          const level = count++
          return { ...slow(grow), onStop: () => void ended.push(level) }
        }
        const grown: Array<() => void> = []
        const grow: Begin = (self) => void grown.push(() => self.spawn(member()))
        const ref = yield* ActorSystem.spawn(member(), { name: "root" })
        while (count < depth) grown.pop()!()
        expect(system.counters().spawned).toBe(depth)
        yield* system.stop(ref)
        expect(ended).toEqual(Array.from({ length: depth }, (_, i) => depth - 1 - i))
        expect(yield* Effect.exit(ActorSystem.spawn(slow(), { name: "root" }))).toMatchObject({ _tag: "Success" })
      })
    )
  )

  it.effect("falls together where all are linked in a row", () =>
    kit(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const first = yield* ActorSystem.spawn(slow(), { supervision: Supervision.stop })
        let last = first
        for (let i = 1; i < length; i++) {
          const before = last
          last = yield* ActorSystem.spawn(slow((self) => self.link(before)))
        }
        first.tell({ _tag: "Break" })
        yield* TestKit.settle
        expect(system.counters().stopped).toBe(length)
      })
    )
  )
})

it.effect("who watches a family hears of children before their parents", () =>
  kit(
    Effect.gen(function* () {
      const system = yield* ActorSystem.ActorSystem
      const [begin, children] = parentOf([[slow(), Supervision.stop]])
      const parent = yield* ActorSystem.spawn(slow(begin))
      const told: Array<string> = []
      const Heard = Messages.make("heard", { Heard: Messages.tell({ who: Schema.String }) })
      yield* ActorSystem.spawn(
        Behavior.make(Heard, {
          init: (self) => {
            for (const ref of [parent, children[0]!]) self.watch(ref, () => ({ _tag: "Heard", who: ref.path }))
          },
          on: { Heard: (_, { who }) => void told.push(who) }
        })
      )
      const paths = [children[0]!.path, parent.path]
      yield* system.stop(parent)
      yield* TestKit.settle
      expect(told).toEqual(paths)
    })
  )
)
