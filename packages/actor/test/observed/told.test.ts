/** Spans of what is told: where a chain is traced it goes on with that, and nowhere else. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages, Server } from "@troupe/actor"
import { Effect, Fiber, Option, Schema, Stream, type Tracer } from "effect"
import { settled as turns } from "../system/accounts.ts"
import { causeOf, ends, tree, watched } from "./recorded.ts"

const Desk = Messages.make("desk", {
  Note: Messages.tell({ text: Schema.String }),
  Write: Messages.ask({ text: Schema.String }, { reply: Schema.String })
})
type Desk = typeof Desk.definition
type Desks = ActorRef<Desk>

const note = (text = "") => ({ _tag: "Note", text }) as const
const write = (text = "") => ({ _tag: "Write", text }) as const

/** Until what was told has been told on. */
const settled = Effect.repeat(turns, { times: 5 })

/** Keeps what it is told. */
const keeper = (kept: Array<string> = [], mailbox: Behavior.Mailbox<Desk> = {}) =>
  Behavior.make(Desk, {
    mailbox,
    init: () => kept,
    on: {
      Note: (state, { text }) => {
        if (text === "torn") throw new Error("torn")
        state.push(text)
        return state
      },
      Write: (state, { text }) => ({ state, reply: text })
    }
  })

/** Tells others what it is told and asked: plainly, in an Effect, and before there is one. */
const clerks = {
  "a plain handler": (to: Desks) =>
    Behavior.make(Desk, {
      init: () => null,
      on: {
        Note: (state, message) => {
          to.tell(message)
          return state
        },
        Write: (state, { text }) => {
          to.tell(note(text))
          return { state, reply: text }
        }
      }
    }),
  "an Effect": (to: Desks) =>
    Behavior.effect(Desk, {
      init: () => Effect.succeed(null),
      on: {
        Note: (state, message) => Effect.as(Effect.andThen(Effect.yieldNow, Effect.orDie(to.send(message))), state),
        Write: (state, { text }) =>
          Effect.andThen(Effect.yieldNow, () => {
            to.tell(note(text))
            return Effect.succeed({ state, reply: text })
          })
      }
    }),
  "a handler that returns an Effect": (to: Desks) =>
    Behavior.effect(Desk, {
      init: () => Effect.succeed(null),
      on: {
        Note: (state, message) => {
          to.tell(message)
          return Effect.succeed(state)
        },
        Write: (state, { text }) => {
          to.tell(note(text))
          return Effect.as(Effect.yieldNow, { state, reply: text })
        }
      }
    })
}

/** Asks another one when it is told something. */
const asker = (of: Desks) =>
  Behavior.effect(Desk, {
    init: () => Effect.succeed(null),
    on: {
      Note: (state, { text }) => Effect.as(Effect.orDie(of.ask(write(text))), state),
      Write: (state, { text }) => Effect.succeed({ state, reply: text })
    }
  })

const wayTo = (span: Tracer.AnySpan): string => {
  if (span._tag === "ExternalSpan") return ""
  const own = String(span.attributes.get("actor") ?? span.name)
  return Option.isSome(span.parent) ? `${wayTo(span.parent.value)} > ${own}` : own
}

const traced = <A, E>(program: (spans: Array<Tracer.NativeSpan>) => Effect.Effect<A, E, ActorSystem.ActorSystem>) =>
  watched({ sample: 1 }, program)

describe("what is told in a chain that is traced", () => {
  it.effect.each(Object.keys(clerks) as Array<keyof typeof clerks>)("by %s is a consumer span below its span", (how) =>
    traced((spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(keeper(), { name: "ann" })
        const bob = yield* ActorSystem.spawn(clerks[how](ann), { name: "bob" })
        const cleo = yield* ActorSystem.spawn(clerks[how](bob), { name: "cleo" })
        yield* cleo.ask(write())
        yield* settled
        expect(tree(spans)).toEqual([
          "client desk Write at cleo",
          "0 > server desk Write at cleo",
          "1 > consumer desk Note at bob",
          "2 > consumer desk Note at ann"
        ])
        expect(new Set(ends(spans))).toEqual(new Set(["Success"]))
      })
    )
  )

  it.effect("in a fiber with a span stands below that, and what its handler asks below it", () =>
    traced((spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(keeper(), { name: "ann" })
        const bob = yield* ActorSystem.spawn(asker(ann), { name: "bob" })
        yield* Effect.withSpan(
          Effect.sync(() => bob.tell(note())),
          "writing"
        )
        yield* settled
        expect(tree(spans)).toEqual([
          "internal writing at -",
          "0 > consumer desk Note at bob",
          "1 > client desk Write at ann",
          "2 > server desk Write at ann"
        ])
      })
    )
  )

  it.effect.each(["a plain handler", "an Effect"] as const)("one after the other stands each in its own: %s", (how) =>
    traced((spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(keeper(), { name: "ann" })
        const bob = yield* ActorSystem.spawn(clerks[how](ann), { name: "bob" })
        const told = (text: string) => Effect.sync(() => bob.tell(note(text)))
        yield* Effect.withSpan(told("1"), "first")
        yield* told("2")
        yield* Effect.withSpan(told("3"), "third")
        yield* Effect.withSpan(told("4"), "fourth", { sampled: false })
        yield* settled
        const writing = ["first", "third", "fourth"]
        const handling = ["first", "third"].flatMap((name) => [`${name} > bob`, `${name} > bob > ann`])
        expect(spans.map(wayTo).toSorted()).toEqual([...writing, ...handling].toSorted())
      })
    )
  )

  it.effect("goes on with who hands it on, and with who puts it aside", () =>
    traced((spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(keeper(), { name: "ann" })
        const bob = yield* ActorSystem.spawn(
          Behavior.make(Desk, {
            init: () => false,
            on: {
              Note: (isOpen, _, self) => {
                if (isOpen) self.forward(ann)
                else self.stash()
                return isOpen
              },
              Write: (_, { text }, self) => {
                self.unstash()
                return { state: true, reply: text }
              }
            }
          }),
          { name: "bob" }
        )
        yield* Effect.withSpan(
          Effect.sync(() => bob.tell(note())),
          "writing"
        )
        yield* settled
        yield* bob.ask(write())
        yield* settled
        expect(tree(spans)).toEqual([
          "internal writing at -",
          "0 > consumer desk Note at bob",
          ...["client desk Write at bob", "2 > server desk Write at bob"],
          "0 > consumer desk Note at bob",
          "4 > consumer desk Note at ann"
        ])
      })
    )
  )

  it.effect("to a server is under way until that is done with it", () =>
    traced((spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(keeper(), { name: "ann" })
        let open = (): void => {}
        const on: Server.Handlers<Desk> = {
          Note: () =>
            Effect.map(
              Effect.callback<void>((resume) => void (open = () => resume(Effect.void))),
              () => ann.tell(note())
            ),
          Write: ({ text }) => Effect.succeed(text)
        }
        const bob = yield* ActorSystem.spawn(Server.make(Desk, { on, dispatcher: Server.eventLoop() }), { name: "bob" })
        yield* Effect.withSpan(bob.send(note()), "writing")
        yield* settled
        expect(ends(spans)).toEqual(["Success", "open"])
        open()
        yield* settled
        expect(tree(spans).slice(1)).toEqual(["0 > consumer desk Note at bob", "1 > consumer desk Note at ann"])
        expect(ends(spans)).toEqual(Array(3).fill("Success"))
      })
    )
  )

  it.effect("has a handler that fails: so does its span", () =>
    traced((spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(keeper())
        yield* Effect.withSpan(ann.send(note("torn")), "writing")
        yield* settled
        expect(spans.slice(1).map(causeOf)).toEqual(["Error: torn"])
      })
    )
  )

  it.effect("is the message itself to mailboxes that rank, to dead letters and to who it is handed on to", () =>
    traced(() =>
      Effect.gen(function* () {
        const kept: Array<string> = []
        const mailbox: Behavior.Mailbox<Desk> = {
          capacity: 3,
          onFull: "drop-oldest",
          priority: ({ text }) => Number(text)
        }
        const ann = yield* ActorSystem.spawn(keeper(kept, mailbox), { name: "ann" })
        const system = yield* ActorSystem.ActorSystem
        const letters: Array<unknown> = []
        yield* Effect.forkChild(
          Stream.runForEach(system.deadLetters, ({ message }) => Effect.sync(() => letters.push(message)))
        )
        yield* settled
        const told = Effect.sync(() => {
          for (const text of ["3", "1", "4", "2"]) ann.tell(note(text))
        })
        yield* Effect.withSpan(told, "writing")
        yield* settled
        yield* system.stop(ann)
        yield* Effect.withSpan(
          Effect.sync(() => ann.tell(note("late"))),
          "writing"
        )
        yield* settled
        expect(kept).toEqual(["1", "2", "4"])
        expect(letters).toEqual([note("3"), note("late")])
      })
    )
  )

  it.effect("again and again, by who tells himself, is traced for 255 times, and not for ever", () =>
    traced((spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(
          Behavior.make(Desk, {
            init: () => 0,
            on: {
              Note: (count, message, self) => {
                if (count < 1_000) self.ref.tell(message)
                return count + 1
              },
              Write: (count) => ({ state: count, reply: String(count) })
            }
          })
        )
        yield* Effect.withSpan(ann.send(note()), "writing")
        yield* settled
        expect(yield* ann.ask(write())).toBe("1001")
        expect(spans.filter(({ kind }) => kind === "consumer")).toHaveLength(255)
      })
    )
  )
})

describe("what is told elsewhere begins no chain, and goes on with none", () => {
  it.effect("outside of any span, and where a chain is not traced", () =>
    watched({ sample: 0.5 }, (spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(keeper())
        ann.tell(note())
        yield* ann.send(note())
        yield* Effect.withSpan(ann.send(note()), "writing", { sampled: false })
        yield* settled
        expect(spans.map(({ name }) => name)).toEqual(["writing"])
      })
    )
  )

  it.effect("by who is answered in a turn of another one: it is that fiber that tells", () =>
    traced((spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(keeper(), { name: "ann" })
        const dan = yield* ActorSystem.spawn(
          Behavior.make(Desk, {
            init: (): Behavior.Answer<string, never> | undefined => undefined,
            on: {
              Note: (answer) => {
                answer?.reply("at last")
                return undefined
              },
              Write: (_, __, self) => {
                const answer = self.defer()
                return { state: answer, later: answer }
              }
            }
          }),
          { name: "dan" }
        )
        const asking = yield* Effect.forkChild(Effect.map(dan.ask(write()), () => ann.tell(note())))
        yield* settled
        yield* Effect.withSpan(dan.send(note()), "writing")
        yield* Fiber.join(asking)
        yield* settled
        expect(tree(spans)).toEqual([
          ...["client desk Write at dan", "0 > server desk Write at dan"],
          ...["internal writing at -", "2 > consumer desk Note at dan"]
        ])
      })
    )
  )

  it.effect("by an actor whose turn comes while another's fiber asks", () =>
    traced((spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(keeper(), { name: "ann" })
        const bob = yield* ActorSystem.spawn(clerks["a plain handler"](ann), { name: "bob" })
        bob.tell(note())
        yield* Effect.withSpan(ann.ask(write()), "asking")
        yield* settled
        expect(tree(spans).filter((span) => span.includes("consumer"))).toEqual([])
      })
    )
  )

  it.effect("by an actor that begins in a handler", () =>
    traced((spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(keeper(), { name: "ann" })
        const child = Behavior.make(Desk, {
          init: () => ann.tell(note()),
          on: { Note: (state) => state, Write: (state, { text }) => ({ state, reply: text }) }
        })
        const bob = yield* ActorSystem.spawn(
          Behavior.make(Desk, {
            init: () => null,
            on: {
              Note: (state) => state,
              Write: (state, { text }, self) => {
                self.spawn(child)
                return { state, reply: text }
              }
            }
          })
        )
        yield* bob.ask(write())
        yield* settled
        expect(spans.map(({ kind }) => kind)).toEqual(["client", "server"])
      })
    )
  )
})
