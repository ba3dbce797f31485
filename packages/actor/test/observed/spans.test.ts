/** Spans of questions: who stands below whom, over actors and nodes. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages, Observed, Server } from "@troupe/actor"
import { Codec, Memory } from "@troupe/transport"
import { Context, Effect, Fiber, Layer, Random, Schema } from "effect"
import { TestClock } from "effect/testing"
import { frames, type Frame } from "../../src/internal/system/frames.ts"
import { settled } from "../system/accounts.ts"
import { causeOf, ends, recorder, tree, watched } from "./recorded.ts"

const Shop = Messages.make("shop", {
  Buy: Messages.ask({ pieces: Schema.Int }, { reply: Schema.Int, failure: Schema.String }),
  Open: Messages.tell({})
})
type Shopping = ActorRef<typeof Shop.definition>

/** Sells at once, or refuses, or fails. */
const seller = Behavior.make(Shop, {
  init: () => null,
  on: {
    Buy: (state, { pieces }) => {
      if (pieces < 0) throw new Error("less than nothing")
      return pieces === 0 ? { state, failure: "nothing" } : { state, reply: pieces }
    },
    Open: (state) => state
  }
})

/** Asks another one. */
const agent = (of: Shopping) =>
  Behavior.effect(Shop, {
    init: () => Effect.succeed(null),
    on: {
      Buy: (state, message) =>
        Effect.map(of.ask(message).pipe(Effect.orDie), (reply) => ({ state, reply })).pipe(Effect.withSpan("pay")),
      Open: () => Effect.as(Effect.orDie(of.ask({ _tag: "Buy", pieces: 1 })), null)
    }
  })

/** Hands on. */
const counter = (...to: ReadonlyArray<Shopping>) =>
  Behavior.make(Shop, {
    init: () => null,
    on: { Buy: (state, _, self) => ({ state, later: self.forward(...to) }), Open: (state) => state }
  })

/** Answers when it is told that it has opened. */
const waiter = (how: "defers" | "stashes") =>
  Behavior.make(Shop, {
    init: (): { readonly isOpen: boolean; readonly answer?: Behavior.Answer<number, string> } => ({ isOpen: false }),
    on: {
      Buy: (state, { pieces }, self) => {
        if (state.isOpen) return { state, reply: pieces }
        if (how === "stashes") return { state, later: self.stash() }
        const answer = self.defer()
        return { state: { ...state, answer }, later: answer }
      },
      Open: (state, _, self) => {
        state.answer?.reply(1)
        self.unstash()
        return { isOpen: true }
      }
    }
  })

const buy = { _tag: "Buy", pieces: 1 } as const

describe("spans", () => {
  it.effect("a question is a client span, and its handler a server span below it, both with actor and name", () =>
    watched({ sample: 1 }, (spans) =>
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(seller, { name: "ann" })
        yield* ref.ask(buy)
        expect(tree(spans)).toEqual(["client shop Buy at ann", "0 > server shop Buy at ann"])
        expect(ends(spans)).toEqual(["Success", "Success"])
      })
    )
  )

  it.effect("what a handler that is an Effect asks goes on from its span, and from its own spans within", () =>
    watched({ sample: 1 }, (spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(seller, { name: "ann" })
        const bob = yield* ActorSystem.spawn(agent(ann), { name: "bob" })
        yield* bob.ask(buy)
        expect(tree(spans)).toEqual([
          "client shop Buy at bob",
          "0 > server shop Buy at bob",
          "1 > internal pay at -",
          "2 > client shop Buy at ann",
          "3 > server shop Buy at ann"
        ])
        expect(ends(spans)).toEqual(Array(5).fill("Success"))
      })
    )
  )

  it.effect("who takes a question that was handed on stands below who handed it on, which ends with the answer", () =>
    watched({ sample: 1 }, (spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(seller, { name: "ann" })
        const cleo = yield* ActorSystem.spawn(counter(ann), { name: "cleo" })
        yield* cleo.ask(buy)
        expect(tree(spans)).toEqual([
          "client shop Buy at cleo",
          "0 > server shop Buy at cleo",
          "1 > server shop Buy at ann"
        ])
        expect(ends(spans)).toEqual(Array(3).fill("Success"))
      })
    )
  )

  it.effect("several who are handed one question stand beside each other", () =>
    watched({ sample: 1 }, (spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(seller, { name: "ann" })
        const eve = yield* ActorSystem.spawn(waiter("defers"), { name: "eve" })
        const cleo = yield* ActorSystem.spawn(counter(eve, ann), { name: "cleo" })
        yield* cleo.ask(buy)
        yield* settled
        expect(tree(spans).slice(2)).toEqual(["1 > server shop Buy at eve", "1 > server shop Buy at ann"])
      })
    )
  )

  it.effect.each(["defers", "stashes"] as const)("the span of one who %s a question lasts until the answer", (how) =>
    watched({ sample: 1 }, (spans) =>
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(waiter(how), { name: "dan" })
        const asking = yield* Effect.forkChild(ref.ask(buy))
        yield* settled
        expect(ends(spans)).toEqual(["open", "open"])
        ref.tell({ _tag: "Open" })
        yield* Fiber.join(asking)
        expect(new Set(ends(spans))).toEqual(new Set(["Success"]))
        // What was put aside is handled a second time.
        const again = how === "stashes" ? ["0 > server shop Buy at dan"] : []
        expect(tree(spans)).toEqual(["client shop Buy at dan", "0 > server shop Buy at dan", ...again])
      })
    )
  )

  it.effect("many in flight of one server stand each below its own question", () =>
    watched({ sample: 1 }, (spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(seller, { name: "ann" })
        const on: Server.Handlers<typeof Shop.definition> = {
          Buy: (message) => Effect.andThen(Effect.yieldNow, Effect.orDie(ann.ask(message))),
          Open: () => Effect.void
        }
        const bob = yield* ActorSystem.spawn(Server.make(Shop, { on, dispatcher: Server.eventLoop() }), { name: "bob" })
        yield* Effect.all([bob.ask(buy), bob.ask(buy)], { concurrency: 2 })
        expect(tree(spans).toSorted()).toEqual(
          [
            ...["client shop Buy at bob", "client shop Buy at bob"],
            ...["0 > server shop Buy at bob", "1 > client shop Buy at ann"],
            ...["2 > server shop Buy at bob", "3 > client shop Buy at ann"],
            ...["4 > server shop Buy at ann", "6 > server shop Buy at ann"]
          ].toSorted()
        )
        expect(new Set(ends(spans))).toEqual(new Set(["Success"]))
      })
    )
  )

  it.effect("a refusal and a failure are those of both spans", () =>
    watched({ sample: 1 }, (spans) =>
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(seller)
        yield* Effect.exit(ref.ask({ _tag: "Buy", pieces: 0 }))
        yield* Effect.exit(ref.ask({ _tag: "Buy", pieces: -1 }))
        expect(spans.map(causeOf)).toEqual([
          "nothing",
          "nothing",
          expect.stringContaining("HandlerFailed"),
          "Error: less than nothing"
        ])
      })
    )
  )

  it.effect("a question that is not answered in time ends the spans that wait for it", () =>
    watched({ sample: 1 }, (spans) =>
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(waiter("defers"))
        const asking = yield* Effect.forkChild(Effect.exit(ref.ask(buy, { timeout: "1 second" })))
        yield* settled
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(asking)
        expect(spans.map(causeOf)).toEqual(Array(2).fill(expect.stringContaining("AskTimeout")))
      })
    )
  )

  it.effect("a question asked within a span is traced if that is", () =>
    watched({ sample: 0.5 }, (spans) =>
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(seller)
        for (const sampled of [true, false]) {
          spans.length = 0
          for (let i = 0; i < 20; i++) yield* Effect.withSpan(ref.ask(buy), "shopping", { sampled })
          expect(spans.length).toBe(sampled ? 60 : 20)
        }
      })
    )
  )

  it.effect("a share of the chains is traced, each whole or not at all", () =>
    watched({ sample: 0.25 }, (spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(seller)
        const bob = yield* ActorSystem.spawn(agent(ann))
        for (let i = 0; i < 400; i++) yield* bob.ask(buy)
        const sampled = spans.filter((span) => span.sampled)
        const traces = Map.groupBy(sampled, ({ traceId }) => traceId)
        expect([...traces.values()].every(({ length }) => length === 5)).toBe(true)
        expect(traces.size).toBeGreaterThan(60)
        expect(traces.size).toBeLessThan(140)
      })
    )
  )

  it.effect("an actor's questions are no part of the span in which it was spawned", () =>
    watched({ sample: 1 }, (spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(seller, { name: "ann" })
        const bob = yield* Effect.withSpan(ActorSystem.spawn(agent(ann)), "starting")
        bob.tell({ _tag: "Open" })
        yield* settled
        expect(tree(spans)).toEqual(["internal starting at -", "client shop Buy at ann", "1 > server shop Buy at ann"])
      })
    )
  )

  it.effect.each([undefined, {}, { times: true }])("there are none where none were asked for: %o", (options) =>
    watched(options, (spans) =>
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(seller)
        const bob = yield* ActorSystem.spawn(counter(ann))
        yield* bob.ask(buy)
        expect(spans).toEqual([])
      })
    )
  )

  it("a share that is none is refused", () => {
    expect(() => Observed.layer({ sample: 1.5 })).toThrow("a share from 0 to 1")
  })
})

describe("spans over nodes", () => {
  const nodes = ["n1", "n2"] as const

  const onNodes = (options: Observed.Options) =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes })
      return yield* Effect.forEach(nodes, (node) => {
        const below = Layer.merge(Memory.layer(network, node), Observed.layer(options))
        return Effect.map(
          Layer.build(Layer.fresh(Layer.provide(ActorSystem.remote(), below))),
          Context.get(ActorSystem.ActorSystem)
        )
      })
    })

  const chain = (sample: number) =>
    Effect.gen(function* () {
      const { spans, tracer } = recorder()
      const program = Effect.gen(function* () {
        const [n1, n2] = yield* onNodes({ sample })
        yield* n1!.spawn(seller, { name: "ann" })
        yield* n2!.spawn(agent(yield* n2!.at(Shop, "ann", "n1")), { name: "bob" })
        const cleo = yield* n1!.spawn(counter(yield* n1!.at(Shop, "bob", "n2")), { name: "cleo" })
        return yield* cleo.ask(buy)
      })
      expect(yield* Effect.scoped(Effect.withTracer(program, tracer))).toBe(1)
      return spans
    })

  it.live("a chain goes on at other nodes: asked, handed on and back", () =>
    Effect.gen(function* () {
      const spans = yield* chain(1)
      expect(tree(spans)).toEqual([
        "client shop Buy at cleo",
        "0 > server shop Buy at cleo",
        "1 > client shop Buy at n2:bob",
        "2 > server shop Buy at bob",
        "3 > internal pay at -",
        "4 > client shop Buy at n1:ann",
        "5 > server shop Buy at ann"
      ])
      expect(spans.map(({ attributes }) => attributes.get("node"))).toEqual([
        ...["n1", "n1", "n1", "n2", undefined, "n2", "n1"]
      ])
      expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1)
      expect(new Set(ends(spans))).toEqual(new Set(["Success"]))
    })
  )

  it.live("where a chain is not traced, other nodes draw no lots again", () =>
    Effect.gen(function* () {
      let traced = 0
      for (let i = 0; i < 40; i++) {
        const spans = (yield* chain(0.5)).filter(({ sampled }) => sampled)
        expect([0, 7]).toContain(spans.length)
        if (spans.length > 0) traced++
      }
      expect(traced).toBeGreaterThan(5)
      expect(traced).toBeLessThan(35)
    }).pipe(Random.withSeed("nodes"))
  )

  it("a frame carries its trace, and is as it was where it has none", () => {
    const target = { life: 0, serial: 0, path: "ann" }
    const body = { bytes: new Uint8Array([1, 2, 3]) }
    const ask: Frame = { kind: "Ask", id: 3, millis: 5, target, name: "shop", body }
    for (const frame of [
      ask,
      { ...ask, trace: { traceId: "a1", spanId: "b2", depth: 3 } },
      { ...ask, trace: { traceId: "", spanId: "", depth: 0 } }
    ]) {
      const bytes = Codec.encode(frames(), frame)
      expect(Codec.decode(frames(), bytes)).toEqual(frame)
    }
  })
})
