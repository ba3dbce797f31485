/** What becomes of an actor that fails, of its family, and of those that watch it. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages, Supervision } from "@troupe/actor"
import { Effect, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { logged } from "../support.ts"
import { behaviors, deadLetters, plain, settled, within } from "./accounts.ts"
import { bad } from "./troubles.ts"

const balance = (account: ActorRef<(typeof plain)["messages"]["definition"]>) =>
  Effect.orElseSucceed(account.ask({ _tag: "Balance" }), () => "stopped" as const)

it.effect("the log says at what an actor has failed, also where that was to be answered later", () => {
  const lines: Array<string> = []
  return within(
    Effect.gen(function* () {
      const ref = yield* ActorSystem.spawn(bad())
      expect(yield* ref.ask({ _tag: "Twice" })).toBe(1)
      expect(lines[0]).toContain('"$1" failed at Twice (')
    })
  ).pipe(Effect.provide(logged(lines)))
})

describe.each(Object.entries(behaviors))("an actor with %s handlers that fails", (_, behavior) => {
  const rows: ReadonlyArray<readonly [string, Supervision.Supervision | undefined, number | "stopped"]> = [
    ["by default: starts again, with the next message", undefined, 5],
    ["restart: starts from its first state, and goes on with what waits for it", Supervision.restart(), 5],
    ["restart, state kept: goes on with what it knew", Supervision.restart({ state: "kept" }), 105],
    ["resume: goes on with the state from before", Supervision.resume, 105],
    ["stop: is no more", Supervision.stop, "stopped"],
    ["escalate, without a parent: is no more", Supervision.escalate, "stopped"],
    [
      "decide: by the cause",
      Supervision.decide((cause) => (`${cause}`.includes("benign") ? Supervision.resume : Supervision.stop)),
      105
    ]
  ]
  it.effect.each(rows)("%s", ([, supervision, left]) =>
    within(
      Effect.gen(function* () {
        const account = yield* ActorSystem.spawn(behavior, supervision === undefined ? {} : { supervision })
        account.tell({ _tag: "Deposit", amount: 100 })
        account.tell({ _tag: "Break", why: "benign" })
        account.tell({ _tag: "Deposit", amount: 5 })
        yield* settled
        expect(yield* balance(account)).toBe(left)
      })
    )
  )

  it.effect("stops when it has failed more often than it may, and may again after a while; its log says so", () => {
    const lines: Array<string> = []
    return within(
      Effect.gen(function* () {
        const supervision = Supervision.restart({ limit: 2, within: "10 seconds" })
        const account = yield* ActorSystem.spawn(behavior, { supervision })
        const breaks = Effect.andThen(
          Effect.sync(() => account.tell({ _tag: "Break", why: "again" })),
          settled
        )
        yield* breaks
        yield* breaks
        yield* TestClock.adjust("11 seconds")
        yield* breaks
        yield* breaks
        expect(yield* balance(account)).toBe(0)
        expect(lines.join()).not.toContain("it stops")
        yield* breaks
        expect(yield* balance(account)).toBe("stopped")
        expect(lines.at(-1)).toBe('"$1" has failed too often to start again: it stops')
      })
    ).pipe(Effect.provide(logged(lines)))
  })

  it.effect("waits as its back-off says, then takes what has come meanwhile; when that ends it stops", () => {
    const lines: Array<string> = []
    return within(
      Effect.gen(function* () {
        const backoff = Schedule.upTo(Schedule.exponential("1 second"), { times: 2 })
        const account = yield* ActorSystem.spawn(behavior, { supervision: Supervision.restart({ backoff }) })
        const answered = Effect.gen(function* () {
          const counters = (yield* ActorSystem.ActorSystem).counters()
          yield* settled
          return (yield* ActorSystem.ActorSystem).counters().processed > counters.processed
        })
        account.tell({ _tag: "Break", why: "first" })
        yield* settled
        account.tell({ _tag: "Deposit", amount: 5 })
        yield* TestClock.adjust("999 millis")
        expect(yield* answered).toBe(false)
        yield* TestClock.adjust("1 millis")
        expect(yield* balance(account)).toBe(5)
        account.tell({ _tag: "Break", why: "second" })
        yield* settled
        yield* TestClock.adjust("1999 millis")
        account.tell({ _tag: "Deposit", amount: 1 })
        expect(yield* answered).toBe(false)
        yield* TestClock.adjust("1 millis")
        expect(yield* balance(account)).toBe(1)
        account.tell({ _tag: "Break", why: "third" })
        yield* settled
        expect(yield* balance(account)).toBe("stopped")
        expect(lines.at(-1)).toBe('"$1" has failed too often to start again: it stops')
      })
    ).pipe(Effect.provide(logged(lines)))
  })
})

// ------------------------------------------------------------------------------------------------------------ families

const Parent = Messages.make("parent", {
  Spawn: Messages.ask({ name: Schema.String }, { reply: Schema.Any }),
  Starts: Messages.ask({}, { reply: Schema.Int }),
  Ended: Messages.tell({ who: Schema.String, why: Schema.String }),
  Heard: Messages.ask({}, { reply: Schema.Array(Schema.String) }),
  Watch: Messages.tell({ ref: Schema.Any }),
  Unwatch: Messages.tell({ ref: Schema.Any }),
  Link: Messages.tell({ ref: Schema.Any }),
  StopChild: Messages.tell({ ref: Schema.Any })
})

const parentOf = (children: "one-for-one" | "all-for-one", supervision: Supervision.Supervision) => {
  let starts = 0
  return Behavior.make(Parent, {
    children,
    init: (): ReadonlyArray<string> => {
      starts++
      return []
    },
    on: {
      Spawn: (heard, { name }, self) => ({ state: heard, reply: self.spawn(plain, { name, supervision }) }),
      Starts: (heard) => ({ state: heard, reply: starts }),
      Ended: (heard, { who, why }) => [...heard, `${who}: ${why}`],
      Heard: (heard) => ({ state: heard, reply: heard }),
      Watch: (heard, { ref }, self) => {
        self.watch(ref, (reason) => ({ _tag: "Ended", who: ref.path, why: reason._tag }))
        return heard
      },
      Unwatch: (heard, { ref }, self) => {
        self.unwatch(ref)
        return heard
      },
      Link: (heard, { ref }, self) => {
        self.link(ref)
        return heard
      },
      StopChild: (heard, { ref }, self) => {
        self.stop(ref)
        return heard
      }
    }
  })
}

const family = (children: "one-for-one" | "all-for-one", supervision: Supervision.Supervision) =>
  Effect.gen(function* () {
    const parent = yield* ActorSystem.spawn(parentOf(children, supervision), { name: "parent" })
    const ann: ActorRef<(typeof plain)["messages"]["definition"]> = yield* parent.ask({ _tag: "Spawn", name: "ann" })
    const bob: typeof ann = yield* parent.ask({ _tag: "Spawn", name: "bob" })
    for (const each of [ann, bob]) each.tell({ _tag: "Deposit", amount: 9 })
    return { parent, ann, bob }
  })

describe("a child that fails", () => {
  const rows = [
    ["one-for-one, restart: it alone", "one-for-one", Supervision.restart(), [0, 9]],
    ["all-for-one, restart: its siblings too", "all-for-one", Supervision.restart(), [0, 0]],
    ["all-for-one, stop: its siblings too", "all-for-one", Supervision.stop, ["stopped", "stopped"]],
    ["all-for-one, resume: nobody", "all-for-one", Supervision.resume, [9, 9]]
  ] as const
  it.effect.each(rows)("%s", ([, children, supervision, left]) =>
    within(
      Effect.gen(function* () {
        const { ann, bob } = yield* family(children, supervision)
        yield* settled
        ann.tell({ _tag: "Break", why: "ill" })
        yield* settled
        expect([yield* balance(ann), yield* balance(bob)]).toEqual(left)
      })
    )
  )

  it.effect("escalate: its parent fails, and starts again without its children", () =>
    within(
      Effect.gen(function* () {
        const { ann, bob, parent } = yield* family("one-for-one", Supervision.escalate)
        ann.tell({ _tag: "Break", why: "ill" })
        yield* settled
        expect([yield* balance(ann), yield* balance(bob)]).toEqual(["stopped", "stopped"])
        expect(yield* parent.ask({ _tag: "Starts" })).toBe(2)
        // Their names are free again.
        expect((yield* parent.ask({ _tag: "Spawn", name: "ann" })).path).toBe("parent/ann")
      })
    )
  )

  it.effect("is stopped by its parent alone", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const { ann, bob, parent } = yield* family("one-for-one", Supervision.stop)
        parent.tell({ _tag: "StopChild", ref: ann })
        yield* settled
        expect([yield* balance(ann), yield* balance(bob)]).toEqual(["stopped", 9])
        const stranger = yield* ActorSystem.spawn(plain)
        parent.tell({ _tag: "StopChild", ref: stranger })
        yield* settled
        expect(yield* balance(stranger)).toBe(0)
        expect(system.counters().failures).toBe(1)
      })
    )
  )
})

describe("who watches an actor", () => {
  it.effect("is told once that it is no more, and why; at once, if it was no more already", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const { ann, bob, parent } = yield* family("one-for-one", Supervision.stop)
        const watcher = yield* ActorSystem.spawn(parentOf("one-for-one", Supervision.stop))
        for (const ref of [ann, bob]) watcher.tell({ _tag: "Watch", ref })
        watcher.tell({ _tag: "Watch", ref: ann })
        yield* settled
        ann.tell({ _tag: "Break", why: "ill" })
        yield* settled
        yield* system.stop(parent)
        yield* settled
        expect(yield* watcher.ask({ _tag: "Heard" })).toEqual(["parent/ann: Failed", "parent/bob: Stopped"])
        watcher.tell({ _tag: "Watch", ref: bob })
        yield* settled
        expect((yield* watcher.ask({ _tag: "Heard" })).slice(2)).toEqual(["parent/bob: Stopped"])
      })
    )
  )

  it.effect("is told nothing of one that starts again, or that it does not watch any more", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const watcher = yield* ActorSystem.spawn(parentOf("one-for-one", Supervision.stop))
        const account = yield* ActorSystem.spawn(plain)
        watcher.tell({ _tag: "Watch", ref: account })
        yield* settled
        account.tell({ _tag: "Break", why: "ill" })
        yield* settled
        expect(yield* watcher.ask({ _tag: "Heard" })).toEqual([])
        watcher.tell({ _tag: "Unwatch", ref: account })
        yield* settled
        yield* system.stop(account)
        expect(yield* watcher.ask({ _tag: "Heard" })).toEqual([])
      })
    )
  )
})

describe("who is linked to an actor", () => {
  it.effect("fails for good with it; an end that is no failure is none of its", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const linked = yield* ActorSystem.spawn(parentOf("one-for-one", Supervision.stop))
        const [calm, ill] = [
          yield* ActorSystem.spawn(plain),
          yield* ActorSystem.spawn(plain, { supervision: Supervision.stop })
        ]
        for (const ref of [calm, ill]) linked.tell({ _tag: "Link", ref })
        yield* settled
        yield* system.stop(calm)
        expect(yield* linked.ask({ _tag: "Heard" })).toEqual([])
        ill.tell({ _tag: "Break", why: "ill" })
        yield* settled
        expect(yield* Effect.flip(linked.ask({ _tag: "Heard" }))).toMatchObject({ _tag: "ActorStopped" })
        expect(yield* deadLetters).toBe(0)
      })
    )
  )
})

describe("an actor that cannot start", () => {
  it.effect("stops when it has tried as often as it may; its neighbours go on", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const M = Messages.make("m", { Hello: Messages.ask({}, { reply: Schema.String }) })
        const on = { Hello: (state: string) => ({ state, reply: state }) }
        const never = Behavior.make(M, {
          init: (): string => {
            throw new Error("no seed")
          },
          on
        })
        const neighbour = yield* ActorSystem.spawn(plain)
        const ref = yield* ActorSystem.spawn(never, { supervision: Supervision.restart({ limit: 3 }) })
        yield* settled
        expect(yield* Effect.flip(ref.ask({ _tag: "Hello" }))).toMatchObject({ _tag: "ActorStopped" })
        expect(system.counters()).toMatchObject({ failures: 4, restarts: 3 })
        expect(yield* balance(neighbour)).toBe(0)
      })
    )
  )

  it.effect("closes its scope when it starts again and when it ends", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const events: Array<string> = []
        const M = Messages.make("m", { Break: Messages.tell({}) })
        const scoped = Behavior.effect(M, {
          init: () =>
            Effect.acquireRelease(
              Effect.sync(() => events.push("open")),
              () => Effect.sync(() => events.push("closed"))
            ),
          on: { Break: () => Effect.die(new Error("ill")) }
        })
        const ref = yield* ActorSystem.spawn(scoped)
        ref.tell({ _tag: "Break" })
        yield* settled
        expect(events).toEqual(["open", "closed", "open"])
        yield* system.stop(ref)
        expect(events).toEqual(["open", "closed", "open", "closed"])
      })
    )
  )
})
