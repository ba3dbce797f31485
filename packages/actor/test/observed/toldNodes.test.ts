/** Spans of what is told to actors of other nodes. */
import { describe, expect, it } from "@effect/vitest"
import {
  type ActorRef,
  ActorSystem,
  Behavior,
  Migration,
  Observed,
  Receptionist,
  Reliable,
  Router,
  Topic
} from "@troupe/actor"
import { Codec, Memory } from "@troupe/transport"
import { Context, Effect, Fiber, Layer, Random, Schema, type Scope, type Tracer } from "effect"
import { frames, type Frame } from "../../src/internal/system/frames.ts"
import type { Remote } from "../../src/internal/system/Remote.ts"
import { RemoteRef } from "../../src/internal/system/RemoteRef.ts"
import { settled } from "../finding/nodes.ts"
import { asker, clerks, Desk, type Desks, keeper, note, wayTo, write } from "./clerks.ts"
import { ends, recorder, tree } from "./recorded.ts"

const moving = Migration.movable("keeper", { behavior: keeper(), state: Schema.mutable(Schema.Array(Schema.String)) })

type Node = Context.Context<ActorSystem.ActorSystem | Receptionist.Receptionist | Migration.Migration>

const nodeOf = (network: Memory.Network, node: string, options: Observed.Options | null = { sample: 1 }) => {
  const observed = options === null ? Layer.empty : Observed.layer(options)
  const system = Layer.provide(ActorSystem.remote(), Layer.merge(Memory.layer(network, node), observed))
  return Layer.build(
    Layer.fresh(Layer.provideMerge(Layer.merge(Receptionist.layer(), Migration.layer([moving])), system))
  )
}

/** Two nodes, and the spans of both. */
const two = <A, E>(
  program: (n1: Node, n2: Node, spans: Array<Tracer.NativeSpan>) => Effect.Effect<A, E, Scope.Scope>,
  there: Observed.Options | null = { sample: 1 }
) =>
  Effect.gen(function* () {
    const { spans, tracer } = recorder()
    const network = Memory.network({ nodes: ["n1", "n2"] })
    const nodes = Effect.all([nodeOf(network, "n1"), nodeOf(network, "n2", there)])
    return yield* Effect.withTracer(
      Effect.flatMap(nodes, ([n1, n2]) => program(n1, n2, spans)),
      tracer
    )
  }).pipe(Effect.scoped, Random.withSeed("nodes"))

const systemOf = (node: Node) => Context.get(node, ActorSystem.ActorSystem)

const at = (node: Node, name: string, other: string): Effect.Effect<Desks> =>
  Effect.orDie(systemOf(node).at(Desk, name, other))

it.effect("what a receptionist says as its node begins and ends is in no trace", () =>
  Effect.gen(function* () {
    const { spans, tracer } = recorder()
    const network = Memory.network({ nodes: ["n1", "n2"] })
    const life = Effect.gen(function* () {
      const n1 = yield* nodeOf(network, "n1")
      const ann = yield* systemOf(n1).spawn(keeper(), { name: "ann" })
      yield* Context.get(n1, Receptionist.Receptionist).register(Receptionist.key(Desk), ann)
      yield* settled
    })
    yield* Effect.gen(function* () {
      yield* nodeOf(network, "n2")
      yield* Effect.withSpan(Effect.scoped(life), "life")
      yield* settled
    }).pipe(Effect.withTracer(tracer))
    expect(tree(spans)).toEqual(["internal life at -"])
  }).pipe(Effect.scoped, Random.withSeed("nodes"))
)

describe("what is told in a chain that is traced, to another node,", () => {
  it.effect.each(Object.keys(clerks) as Array<keyof typeof clerks>)("by %s is a consumer span below its span", (how) =>
    two((n1, n2, spans) =>
      Effect.gen(function* () {
        yield* systemOf(n1).spawn(keeper(), { name: "ann" })
        yield* systemOf(n2).spawn(clerks[how](yield* at(n2, "ann", "n1")), { name: "bob" })
        const cleo = yield* systemOf(n1).spawn(clerks[how](yield* at(n1, "bob", "n2")), { name: "cleo" })
        yield* cleo.ask(write())
        yield* settled
        expect(tree(spans)).toEqual([
          "client desk Write at cleo",
          "0 > server desk Write at cleo",
          "1 > consumer desk Note at bob",
          "2 > consumer desk Note at ann"
        ])
        expect(spans.map(({ attributes }) => attributes.get("node"))).toEqual(["n1", "n1", "n2", "n1"])
        expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1)
        expect(new Set(ends(spans))).toEqual(new Set(["Success"]))
      })
    )
  )

  it.effect("by a fiber stands below its span, and what its handler asks below it", () =>
    two((n1, n2, spans) =>
      Effect.gen(function* () {
        yield* systemOf(n1).spawn(keeper(), { name: "ann" })
        yield* systemOf(n2).spawn(asker(yield* at(n2, "ann", "n1")), { name: "bob" })
        const bob = yield* at(n1, "bob", "n2")
        yield* Effect.withSpan(bob.send(note()), "writing")
        yield* settled
        expect(tree(spans)).toEqual([
          "internal writing at -",
          "0 > consumer desk Note at bob",
          "1 > client desk Write at n1:ann",
          "2 > server desk Write at ann"
        ])
      })
    )
  )

  it.effect("by a router in front of all, and to a topic, is one below the span of each that hands it on", () =>
    two((n1, n2, spans) =>
      Effect.gen(function* () {
        const ann = yield* systemOf(n2).spawn(keeper(), { name: "ann" })
        yield* systemOf(n2).spawn(keeper(), { name: "bob" })
        const both = [yield* at(n1, "ann", "n2"), yield* at(n1, "bob", "n2")]
        const router = yield* systemOf(n1).spawn(Router.make(Desk, both, Router.all), { name: "router" })
        yield* Effect.withSpan(router.send(note()), "routing")
        const [here, there] = [yield* Effect.provide(Topic.make(Desk), n1), yield* Effect.provide(Topic.make(Desk), n2)]
        there.subscribe(ann)
        yield* settled
        const { register } = Context.get(n2, Receptionist.Receptionist)
        yield* Effect.withSpan(register(Receptionist.key(Desk), ann), "registering")
        yield* settled
        yield* Effect.withSpan(
          Effect.sync(() => here.publish(note())),
          "publishing"
        )
        yield* settled
        const ways = spans.map((span) => wayTo(span, spans).replace(/\$\w+/, "relay"))
        expect(ways.toSorted()).toEqual([
          ...["publishing", "publishing > relay", "publishing > relay > ann"],
          // What receptionists say of it is none of it.
          "registering",
          ...["routing", "routing > router", "routing > router > ann", "routing > router > bob"]
        ])
      })
    )
  )

  it.effect("by a reliable sender stands below the span in which it was sent, whenever it goes out", () =>
    two((n1, n2, spans) =>
      Effect.gen(function* () {
        const ann = yield* systemOf(n2).spawn(keeper(), { name: "ann" })
        // The second is sent when the first is acknowledged.
        yield* systemOf(n2).spawn(Reliable.receiver(Desk, ann, { window: 1 }), { name: "inbox" })
        const to = yield* systemOf(n1).at(Reliable.inbox(Desk), "inbox", "n2")
        const sender = yield* Effect.provide(Reliable.sender(Desk, { to }), n1)
        yield* settled
        yield* Effect.withSpan(sender.send(note("1")), "first")
        yield* sender.send(note("2"))
        yield* Effect.withSpan(sender.send(note("3")), "third")
        for (let i = 0; i < 3; i++) yield* settled
        expect(sender.unacknowledged()).toBe(0)
        const ways = ["first", "third"].flatMap((name) => [name, `${name} > inbox`, `${name} > inbox > ann`])
        const told = spans.map((span) => wayTo(span, spans)).filter((way) => !way.startsWith("n2:inbox"))
        expect(told.toSorted()).toEqual(ways)
      })
    )
  )

  it.effect(
    "goes on with an actor that moves: what waits for it, and what comes through where it was; and so do questions",
    () =>
      two((n1, n2, spans) =>
        Effect.gen(function* () {
          const ann = yield* Effect.provide(Migration.spawn(moving), n1)
          const moved = yield* Effect.forkChild(Effect.provide(Migration.move(ann, { to: "n2", kind: "strong" }), n1), {
            startImmediately: true
          })
          const asked = yield* Effect.forkChild(Effect.withSpan(ann.ask(write("w")), "asking first"), {
            startImmediately: true
          })
          yield* Effect.withSpan(ann.send(note("1")), "before")
          yield* Fiber.join(moved)
          yield* Fiber.join(asked)
          const begun = spans.length
          yield* Effect.withSpan(ann.send(note("2")), "after")
          yield* Effect.withSpan(ann.ask(write("w")), "asking")
          yield* Effect.withSpan(ann.ask(write("w")), "untraced", { sampled: false })
          yield* settled
          const ways = spans.map((span) => wayTo(span, spans).replaceAll(/\$\w+/g, "ann"))
          expect(ways.slice(0, begun).toSorted()).toEqual([
            ...["asking first", "asking first > ann", "asking first > ann > ann"],
            ...["before", "before > ann"]
          ])
          expect(ways.slice(begun).toSorted()).toEqual([
            ...["after", "after > ann", "asking", "asking > ann", "asking > ann > ann", "untraced"]
          ])
          const handled = spans.filter(({ kind }) => kind === "server" || kind === "consumer")
          expect(handled.map(({ attributes }) => attributes.get("node"))).toEqual(Array(4).fill("n2"))
          expect(new Set(ends(spans))).toEqual(new Set(["Success"]))
          const kept = yield* Effect.provide(Migration.fetch(ann, { kind: "strong" }), n1)
          expect(systemOf(n2).counters().deadLetters).toBe(0)
          expect(yield* kept.ask(write("w"))).toBe("w")
        })
      )
  )

  it.effect("again and again, to and fro, is traced for 255 times, and not for ever", () =>
    two((n1, n2, spans) =>
      Effect.gen(function* () {
        let told = 0
        const player = (other: ActorRef<typeof Desk.definition>) =>
          Behavior.make(Desk, {
            init: () => null,
            on: {
              Note: (state, message) => {
                if (++told < 400) other.tell(message)
                return state
              },
              Write: (state, { text }) => ({ state, reply: text })
            }
          })
        yield* systemOf(n1).spawn(player(yield* at(n1, "bob", "n2")), { name: "ann" })
        yield* systemOf(n2).spawn(player(yield* at(n2, "ann", "n1")), { name: "bob" })
        yield* Effect.withSpan((yield* at(n1, "bob", "n2")).send(note()), "writing")
        while (told < 400) yield* settled
        expect(spans.filter(({ kind }) => kind === "consumer")).toHaveLength(255)
      })
    )
  )

  it.effect("is a message as any to a node that is not watched", () =>
    two(
      (n1, n2, spans) =>
        Effect.gen(function* () {
          const kept: Array<string> = []
          yield* systemOf(n2).spawn(keeper(kept), { name: "ann" })
          yield* Effect.withSpan((yield* at(n1, "ann", "n2")).send(note("x")), "writing")
          yield* settled
          expect(kept).toEqual(["x"])
          expect(spans.map(({ name }) => name)).toEqual(["writing"])
        }),
      null
    )
  )
})

describe("a frame of what is told", () => {
  const target = { life: 0, serial: 0, path: "ann" }
  const tell: Frame = { kind: "Tell", target, name: "desk", body: { bytes: new Uint8Array([1, 2, 3]) } }
  const trace = { traceId: "a1", spanId: "b2", depth: 300 }
  const text = (text: string) => [text.length, 0, 0, 0, ...Buffer.from(text)]
  const untracedBytes = [0, 0, ...text("ann"), ...text("desk"), 1, 2, 3]

  /** What goes out for a message that is told in this span. */
  const sent = (observation: unknown, sampled: boolean | undefined): Effect.Effect<ReadonlyArray<Frame>> =>
    Effect.suspend(() => {
      const sent: Array<Frame> = []
      const remote = { system: { observation }, send: (_: string, frame: Frame) => void sent.push(frame) }
      const ref = new RemoteRef(remote as unknown as Remote, Desk, "n2", target)
      const told = Effect.sync(() => ref.tell(note()))
      return Effect.as(sampled === undefined ? told : Effect.withSpan(told, "writing", { sampled }), sent)
    })

  it("is read as it was written; without a trace it has no byte of one", () => {
    expect([...Codec.encode(frames(), tell)]).toEqual(untracedBytes)
    for (const frame of [tell, { ...tell, trace }]) {
      expect(Codec.decode(frames(), Codec.encode(frames(), frame))).toEqual(frame)
    }
  })

  it.effect(
    "has a trace where it is told within a span that is sampled, of a system that traces, and nowhere else",
    () =>
      Effect.gen(function* () {
        const tracing = { spans: {} }
        const [traced] = yield* sent(tracing, true)
        expect(traced).toMatchObject({ kind: "Tell", trace: { depth: 1 } })
        for (const how of [sent(tracing, false), sent(tracing, undefined), sent({}, true), sent(undefined, true)]) {
          const [frame] = yield* how
          expect(Object.keys(frame!)).toEqual(["kind", "target", "name", "body"])
        }
      })
  )

  it.each([
    ["no name of its span", { ...trace, spanId: "" }, "a trace has two names, or none"],
    ["no name of its trace", { ...trace, traceId: "" }, "a trace has two names, or none"],
    ["no names at all", { traceId: "", spanId: "", depth: 0 }, "has its names"]
  ])("with %s is refused", (_, malformed, reason) => {
    const bytes = Codec.encode(frames(), { ...tell, trace: malformed })
    expect(() => Codec.decode(frames(), bytes)).toThrow(reason)
  })

  it("that ends in its trace is refused, wherever that is", () => {
    const whole = Codec.encode(frames(), { ...tell, trace })
    for (let end = 1; end < whole.length - 3; end++) {
      expect(() => Codec.decode(frames(), whole.subarray(0, end))).toThrow("end too early")
    }
  })
})
