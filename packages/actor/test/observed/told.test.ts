/** Spans of what is told: where a chain is traced it goes on with that, and nowhere else. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, Reliable, Server } from "@troupe/actor"
import { MemoryStorage } from "@troupe/storage"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Acks } from "../../src/internal/reliable/wire.ts"
import { asker, clerks, Desk, keeper, note, settled, traced, wayTo, write } from "./clerks.ts"
import { causeOf, ends, tree, watched } from "./recorded.ts"

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
        expect(spans.map((span) => wayTo(span)).toSorted()).toEqual([...writing, ...handling].toSorted())
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

  it.effect("by a reliable sender, out of order, is taken in the span of each; what is said of that is in none", () =>
    traced((spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(keeper(), { name: "ann" })
        const inbox = yield* ActorSystem.spawn(Reliable.receiver(Desk, ann), { name: "inbox" })
        const told: Array<number> = []
        const sender = yield* ActorSystem.spawn(
          Behavior.make(Acks, {
            init: () => null,
            on: {
              Done: (state, { done }) => (told.push(done), state),
              Took: (state) => state,
              Refused: (state) => state
            }
          })
        )
        yield* inbox.ask({ _tag: "Open", session: 1, life: 0, first: 1, sender })
        spans.length = 0
        for (const number of [2, 1]) {
          const deliver = { _tag: "Deliver", session: 1, first: 1, number, body: note(String(number)) } as const
          yield* Effect.withSpan(inbox.send(deliver), String(number))
        }
        yield* settled
        expect(told).toEqual([1, 3])
        const ways = ["1", "2"].flatMap((name) => [name, `${name} > inbox`, `${name} > inbox > ann`])
        expect(spans.map((span) => wayTo(span)).toSorted()).toEqual(ways)
      })
    )
  )

  it.effect("by a reliable sender, is taken below its span by one that remembers what it took", () =>
    traced((spans) =>
      Effect.gen(function* () {
        const behavior = Reliable.eventSourced(Desk, {
          ...{ log: "ann", event: Schema.String, init: () => 0, apply: (count: number) => count + 1 },
          on: { Note: (_, { text }) => ({ events: [text] }), Write: (count) => ({ reply: String(count) }) }
        })
        const ann = yield* ActorSystem.spawn(behavior, { name: "ann" })
        const to = yield* ActorSystem.spawn(Reliable.receiver(Desk, ann), { name: "inbox" })
        const sender = yield* Reliable.sender(Desk, { to })
        yield* settled
        expect(tree(spans).slice(2)).toEqual(["client desk enter at ann", "2 > server desk enter at ann"])
        yield* Effect.withSpan(sender.send(note()), "sending")
        yield* Effect.repeat(settled, { until: () => sender.unacknowledged() === 0 })
        expect(tree(spans).slice(4)).toEqual([
          "internal sending at -",
          "4 > consumer reliable/desk Deliver at inbox",
          "5 > consumer desk delivery at ann"
        ])
      }).pipe(Effect.scoped, Effect.provide(MemoryStorage.layer(MemoryStorage.make())))
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

  it.effect("by a timer", () =>
    traced((spans) =>
      Effect.gen(function* () {
        const kept: Array<string> = []
        const ann = yield* ActorSystem.spawn(
          Behavior.make(Desk, {
            init: () => null,
            on: {
              Note: (state, { text }) => {
                kept.push(text)
                return state
              },
              Write: (state, { text }, self) => {
                self.setTimer("later", "1 second", note(text))
                return { state, reply: text }
              }
            }
          })
        )
        yield* ann.ask(write("later"))
        yield* TestClock.adjust("1 second")
        yield* settled
        expect(kept).toEqual(["later"])
        expect(spans.map(({ kind }) => kind)).toEqual(["client", "server"])
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
