/** Watching actors of nodes that were taken for dead before, or that nobody knows. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, Behavior, Messages, Receptionist } from "@troupe/actor"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { network, settled, start } from "../finding/nodes.ts"

const Word = Messages.make("word", {
  Watch: Messages.tell({ ref: Schema.Any }),
  Told: Messages.tell({ why: Schema.String })
})

const watcher = (told: Array<string>) =>
  Behavior.make(Word, {
    init: (): void => {},
    on: {
      Watch: (_, { ref }, self) => self.watch(ref as ActorRef<any>, ({ _tag }) => ({ _tag: "Told", why: _tag })),
      Told: (_, { why }) => void told.push(why)
    }
  })

/** A watcher on n1, to which n2 is dead. */
const cutOff = Effect.gen(function* () {
  const net = network(["n1", "n2"])
  const [one, two] = yield* Effect.forEach(net.nodes, (node) => start(net, node))
  const told: Array<string> = []
  yield* two!.system.spawn(watcher([]), { name: "bob" })
  const ann = yield* one!.system.spawn(watcher(told))
  const bob = yield* one!.system.at(Word, "bob", "n2")
  yield* settled
  one!.down("n2")
  yield* settled
  const pass = (seconds: number) => Effect.andThen(TestClock.adjust(seconds * 1_000), settled)
  return { one: one!, two: two!, ann, bob, told, pass }
})

describe("who watches an actor of a node that was named by `down` before", () => {
  it.effect("is told that it is unreachable, when nothing is heard within 20 seconds", () =>
    Effect.gen(function* () {
      const { ann, bob, pass, told, two } = yield* cutOff
      yield* two.end
      yield* settled
      ann.tell({ _tag: "Watch", ref: bob })
      yield* pass(10)
      expect(told).toEqual([])
      yield* pass(10)
      expect(told).toEqual(["Unreachable"])
    }).pipe(Effect.scoped)
  )

  it.effect(
    "is told so of the 4,096 that were named last; at one before these it waits until that is named again",
    () =>
      Effect.gen(function* () {
        const { ann, bob, one, pass, told, two } = yield* cutOff
        yield* two.end
        yield* settled
        const others = Array.from({ length: 4_095 }, (_, i) => `other-${i}`)
        for (const other of others) one.down(other)
        yield* settled
        ann.tell({ _tag: "Watch", ref: bob })
        yield* pass(20)
        expect(told).toEqual(["Unreachable"])
        one.down("another")
        yield* settled
        ann.tell({ _tag: "Watch", ref: bob })
        yield* pass(60)
        expect(told).toEqual(["Unreachable"])
        one.down("n2")
        yield* settled
        expect(told).toEqual(["Unreachable", "Unreachable"])
      }).pipe(Effect.scoped)
  )

  it.effect.each(["path", "reference"])("watches on, where the node answers: by a %s", (by) =>
    Effect.gen(function* () {
      const { ann, bob, one, pass, told, two } = yield* cutOff
      const words = Receptionist.key(Word)
      yield* two.receptionist.register(words, yield* two.system.spawn(watcher([])))
      yield* pass(2)
      ann.tell({ _tag: "Watch", ref: by === "path" ? bob : one.receptionist.listing(words)[0]! })
      yield* pass(60)
      expect(told).toEqual([])
    }).pipe(Effect.scoped)
  )
})

it.effect("who watches an actor of a node that the transport does not know is told that it is unreachable", () =>
  Effect.gen(function* () {
    const { ann, one, told } = yield* cutOff
    ann.tell({ _tag: "Watch", ref: yield* one.system.at(Word, "bob", "n3") })
    yield* settled
    expect(told).toEqual(["Unreachable"])
  }).pipe(Effect.scoped)
)
