/** The service `Multicast`, over protocols that are simple enough to see through. */
import { Membership, type Protocol } from "@troupe/actor"
import { BestEffort, Flooding, Multicast, Uniform } from "@troupe/group"
import { Channel, Codec, Memory, Transport } from "@troupe/transport"
import { Context, Effect, Exit, Fiber, Layer, Queue, References, Schema, Scope, Stream } from "effect"
import { describe, expect, it } from "vitest"
import * as Envelope from "../src/internal/envelope.ts"
import { layer as multicasting } from "../src/internal/multicasting.ts"

const Posts = Channel.make("posts", Schema.Struct({ text: Schema.String }))
const Likes = Channel.make("likes", Schema.Int)

type AnyLayer = Layer.Layer<Multicast.Multicast<any>, any, Transport>

/** A member of the network, in the scope. */
const join = (network: Memory.Network, node: string, layer: AnyLayer = BestEffort.layer()) =>
  Effect.map(Layer.build(Layer.provide(layer, Memory.layer(network, node))), (context) =>
    Context.get(context, Multicast.key<Multicast.Guarantee>())
  )

const run = <A, E>(program: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(program).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

/** Until all that is under way in the process has arrived. */
const settled = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

const networks = [
  ["by reference", { nodes: ["n1", "n2"] }],
  ["through codecs", { nodes: ["n1", "n2"], encode: "always" }]
] as const

describe.each(networks)("topics, %s", (_, options) => {
  it("each has its messages, its own among them, with sender, number and view", () =>
    run(
      Effect.gen(function* () {
        const network = Memory.network(options)
        const [n1, n2] = [yield* join(network, "n1"), yield* join(network, "n2")]
        const heard: Array<unknown> = []
        const posts = yield* n1.open(Posts, (delivery) => heard.push(["n1 posts", delivery]))
        yield* n2.open(Posts, (delivery) => heard.push(["n2 posts", delivery]))
        const likes = yield* n2.open(Likes, (delivery) => heard.push(["n2 likes", delivery]))
        yield* n1.open(Likes, (delivery) => heard.push(["n1 likes", delivery]))
        yield* posts.send({ text: "hello" })
        expect(likes.trySend(3)).toBe(true)
        yield* settled
        const post = { from: "n1", sequence: 1, view: 0, message: { text: "hello" } }
        const like = { from: "n2", sequence: 1, view: 0, message: 3 }
        expect(heard).toHaveLength(4)
        for (const node of ["n1", "n2"]) {
          expect(heard).toContainEqual([`${node} posts`, post])
          expect(heard).toContainEqual([`${node} likes`, like])
        }
        expect(n1.self).toBe("n1")
        expect(n1.guarantees).toEqual(["best-effort"])
        expect(n1.counters).toEqual({ sent: 1, delivered: 2, undecodable: 0, unopened: 0 })
        expect(yield* n1.view).toEqual({ number: 0, members: ["n1", "n2"] })
      })
    ))

  it("messages wait for a topic that is not open, within a bound, and what comes meanwhile waits behind them", () =>
    run(
      Effect.gen(function* () {
        const network = Memory.network(options)
        const n1 = yield* join(network, "n1")
        const n2 = yield* join(network, "n2", BestEffort.layer({ maxHeld: 3 }))
        const likes = yield* n1.open(Likes, () => {})
        for (let i = 1; i <= 5; i++) likes.trySend(i)
        yield* settled
        expect(n2.counters).toMatchObject({ delivered: 0, unopened: 2 })
        const heard: Array<number> = []
        const own = yield* n2.open(Likes, ({ message }) => {
          heard.push(message)
          // Sends while what waited is given to it.
          if (message === 1) own.trySend(100)
        })
        yield* settled
        likes.trySend(6)
        yield* settled
        expect(heard).toEqual([1, 2, 3, 100, 6])
      })
    ))

  it("a topic is open once at a time", () =>
    run(
      Effect.gen(function* () {
        const n1 = yield* join(Memory.network(options), "n1")
        yield* Effect.scoped(n1.open(Likes, () => {}))
        yield* n1.open(Likes, () => {})
        expect(yield* Effect.flip(n1.open(Likes, () => {}))).toMatchObject({ _tag: "ChannelInUse", channel: "likes" })
      })
    ))
})

describe("what can't be read or sent harms nothing else", () => {
  it("a message that the topic's codec here refuses is counted and logged", () =>
    run(
      Effect.gen(function* () {
        const network = Memory.network({ nodes: ["n1", "n2"], encode: "always" })
        const [n1, n2] = [yield* join(network, "n1"), yield* join(network, "n2")]
        const other = yield* n1.open(Channel.make("posts", Schema.Int), () => {})
        const likes = yield* n1.open(Likes, () => {})
        const heard: Array<unknown> = []
        yield* n2.open(Posts, ({ message }) => heard.push(message))
        yield* n2.open(Likes, ({ message }) => heard.push(message))
        yield* other.send(1)
        yield* likes.send(2)
        yield* settled
        expect(heard).toEqual([2])
        expect(n2.counters).toMatchObject({ delivered: 1, undecodable: 1 })
        const error = new Multicast.Undecodable({ node: "n2", from: "n1", topic: "posts", reason: "so" })
        expect(error.message).toContain('n2 cannot read a message of n1 on topic "posts": so.')
      })
    ))

  it("bytes that are no envelope are refused where they would be delivered", () => {
    expect(() => Envelope.topicOf({ bytes: new Uint8Array([]) })).toThrow("name of a topic")
    expect(() => Envelope.topicOf({ bytes: new Uint8Array([200, 1, 65]) })).toThrow("name of a topic")
    expect(() => Envelope.topicOf({ bytes: new Uint8Array([1, 9, 65, 65]) })).toThrow("name of a topic")
    for (const name of ["a", "numbers/π", "é".repeat(255)]) {
      const sent = new Envelope.Envelope(Channel.make(name, Schema.String), "text")
      const bytes = Codec.encode(Envelope.codec, sent)
      const read = Codec.decode(Envelope.codec, bytes)
      expect(Envelope.topicOf(read)).toBe(name)
      expect(Envelope.messageOf(read, Codec.binary(Schema.String))).toBe("text")
      // Sent on as it came.
      expect(Codec.encode(Envelope.codec, read)).toEqual(bytes)
    }
  })

  it("a handler that throws is called again for the next", () =>
    run(
      Effect.gen(function* () {
        const n1 = yield* join(Memory.network({ nodes: ["n1"] }), "n1")
        const heard: Array<number> = []
        const likes = yield* n1.open(Likes, ({ message }) => {
          heard.push(message)
          if (message === 1) throw new Error("no")
        })
        likes.trySend(1)
        likes.trySend(2)
        expect(heard).toEqual([1, 2])
      })
    ))

  it("a message that its codec refuses, or that is too large, is not sent, and said so", () =>
    run(
      Effect.gen(function* () {
        const network = Memory.network({ nodes: ["n1", "n2"], encode: "always" })
        const n1 = yield* join(network, "n1", Flooding.layer({ maxMessageBytes: 100 }))
        const posts = yield* n1.open(Posts, () => {})
        yield* posts.send({ text: "short" })
        expect(yield* Effect.flip(posts.send({ text: "x".repeat(100) }))).toMatchObject({
          _tag: "SendFailed",
          node: "n1",
          reason: expect.stringContaining("more than maxMessageBytes (100)")
        })
        const wrong = posts.send({ text: 3 } as never)
        expect((yield* Effect.flip(wrong)).message).toContain('the codec of topic "posts" refuses the message')
        expect(posts.trySend({ text: "x".repeat(100) })).toBe(false)
        expect(n1.counters.sent).toBe(1)
      })
    ))

  it("an option that makes no sense is an error of the layer", () =>
    run(
      Effect.gen(function* () {
        const network = Memory.network({ nodes: ["n1"] })
        const error = yield* Effect.flip(join(network, "n1", Uniform.layer({ window: 0 })))
        expect(error).toMatchObject({ _tag: "InvalidOptions" })
        expect((error as Multicast.InvalidOptions).message).toBe(
          "The multicast cannot start: window is 0, and has to be a whole number from 1"
        )
        expect(yield* Effect.flip(join(network, "n1", BestEffort.layer({ maxHeld: 1.5 })))).toMatchObject({
          reason: "maxHeld is 1.5, and has to be a whole number from 1"
        })
      })
    ))
})

describe("flow control", () => {
  it("a send waits for room, in the order of asking, and can be given up", () =>
    run(
      Effect.gen(function* () {
        const network = Memory.network({ nodes: ["n1", "n2", "n3"] })
        const layer = Uniform.layer({ window: 2 })
        const n1 = yield* join(network, "n1", layer)
        const heard: Array<number> = []
        const likes = yield* n1.open(Likes, ({ message }) => heard.push(message))
        // Nobody else is there yet: no majority.
        expect([likes.trySend(1), likes.trySend(2), likes.trySend(3)]).toEqual([true, true, false])
        const third = yield* Effect.forkChild(likes.send(3))
        const fourth = yield* Effect.forkChild(likes.send(4))
        const fifth = yield* Effect.forkChild(likes.send(5))
        yield* settled
        yield* Fiber.interrupt(fourth)
        expect(heard).toEqual([])
        yield* join(network, "n2", layer)
        yield* Fiber.join(third)
        yield* Fiber.join(fifth)
        yield* settled
        expect(heard).toEqual([1, 2, 3, 5])
        expect(n1.counters.sent).toBe(4)
      })
    ))

  it("handlers that send are held to the room, too", () =>
    run(
      Effect.gen(function* () {
        const n1 = yield* join(Memory.network({ nodes: ["n1"] }), "n1")
        const taken: Array<boolean> = []
        const likes = yield* n1.open(Likes, ({ message }) => {
          if (message === 0) for (let i = 1; i <= 1100; i++) taken.push(likes.trySend(i))
        })
        likes.trySend(0)
        expect(taken.filter((each) => each)).toHaveLength(1024)
        expect(n1.counters.delivered).toBe(1025)
        // Sends that wait for that go on.
        const waits = yield* n1.open(Posts, ({ message }) => taken.push(message.text === "late"))
        yield* waits.send({ text: "late" })
        expect(taken.at(-1)).toBe(true)
      })
    ))

  it("a reader takes what was delivered, in order", () =>
    run(
      Effect.gen(function* () {
        const n1 = yield* join(Memory.network({ nodes: ["n1"] }), "n1")
        const likes = yield* n1.open(Likes)
        const read = yield* Effect.forkChild(Stream.runCollect(Stream.take(likes.deliveries, 200)))
        for (let i = 1; i <= 200; i++) {
          yield* likes.send(i)
          if (i % 50 === 0) yield* settled
        }
        expect((yield* Fiber.join(read)).map(({ message }) => message)).toEqual(
          Array.from({ length: 200 }, (_, i) => i + 1)
        )
      })
    ))

  it("a protocol with flow control is told how far its reader lags, now and then, and when it has caught up", () =>
    run(
      Effect.gen(function* () {
        const told: Array<number> = []
        const protocol: Protocol.Protocol<
          number,
          number,
          Multicast.Command<unknown> | Multicast.Lag,
          Multicast.Event<unknown>
        > = {
          name: "test/lagging",
          message: Schema.Int,
          init: () => 0,
          onCommand: (state, command, act) => {
            if (command._tag === "Lag") told.push(command.count)
            else act.emit({ _tag: "Delivered", from: "n1", sequence: 1, view: 0, payload: command.payload })
            return state
          },
          onMessage: (state) => state
        }
        const reading = { room: () => 10, view: () => undefined }
        const guarantees = ["best-effort"] as const
        const layer = multicasting({ protocol, options: undefined, guarantees, reading, hasFlowControl: true })
        const n1 = yield* join(Memory.network({ nodes: ["n1"] }), "n1", layer)
        const likes = yield* n1.open(Likes)
        for (let i = 0; i < 100; i++) yield* likes.send(i)
        expect(told).toEqual([32, 64, 96])
        yield* Stream.runDrain(Stream.take(likes.deliveries, 100))
        expect(told).toEqual([32, 64, 96, 36, 0])
      })
    ))

  it("one that is more than maxBacklog behind ends the part of its node, as a crash would", () =>
    run(
      Effect.gen(function* () {
        const network = Memory.network({ nodes: ["n1", "n2"] })
        const [n1, n2] = [yield* join(network, "n1"), yield* join(network, "n2", BestEffort.layer({ maxBacklog: 10 }))]
        const likes = yield* n1.open(Likes, () => {})
        const slow = yield* n2.open(Likes)
        for (let i = 1; i <= 12; i++) likes.trySend(i)
        yield* settled
        const failed = yield* Effect.flip(slow.send(1))
        expect(failed.message).toContain(
          "n2 could not send to the group: a reader of its deliveries is 11 messages behind"
        )
        expect(slow.trySend(1)).toBe(false)
      })
    ))
})

describe("the end", () => {
  it("sends that wait fail when the layer's scope is closed", () =>
    run(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const network = Memory.network({ nodes: ["n1", "n2", "n3"] })
        const n1 = yield* Scope.provide(join(network, "n1", Uniform.layer({ window: 1 })), scope)
        const likes = yield* n1.open(Likes, () => {})
        yield* likes.send(1)
        const waits = yield* Effect.forkChild(Effect.flip(likes.send(2)))
        yield* settled
        yield* Scope.close(scope, Exit.void)
        expect(yield* Fiber.join(waits)).toMatchObject({ _tag: "SendFailed", reason: "its scope is closed" })
        expect(yield* Effect.flip(likes.send(3))).toMatchObject({ _tag: "SendFailed" })
      })
    ))

  const failing = (wrong: "throws" | "Failed"): AnyLayer => {
    const protocol: Protocol.Protocol<number, number, Multicast.Command<unknown>, Multicast.Event<unknown>> = {
      name: "test/failing",
      message: Schema.Int,
      init: () => 0,
      onCommand: (state, _, act) => {
        if (wrong === "throws") throw new Error("broken")
        act.emit({ _tag: "Failed", reason: "evicted" })
        return state
      },
      onMessage: (state) => state
    }
    const reading = { room: () => 1, view: () => undefined }
    return multicasting({ protocol, options: undefined, guarantees: ["best-effort"], reading })
  }

  it("a protocol that fails for good, or says that its part is over, fails sends from then on", () =>
    run(
      Effect.gen(function* () {
        const evicted = yield* join(Memory.network({ nodes: ["n1"] }), "n1", failing("Failed"))
        const likes = yield* evicted.open(Likes, () => {})
        yield* likes.send(1)
        expect((yield* Effect.flip(likes.send(2))).reason).toBe("evicted")
        const broken = yield* join(Memory.network({ nodes: ["n1"] }), "n1", failing("throws"))
        const others = yield* broken.open(Likes, () => {})
        for (let i = 0; i < 11; i++) yield* others.send(i)
        yield* settled
        expect((yield* Effect.flip(others.send(12))).reason).toContain("stopped for good after 10 restarts")
      })
    ))
})

describe("views", () => {
  it("come as a stream with the current one first, and to listeners", () =>
    run(
      Effect.gen(function* () {
        const views = yield* Queue.unbounded<Protocol.View>()
        const membership = Layer.succeed(Membership, { views: Stream.fromQueue(views) })
        const network = Memory.network({ nodes: ["n1", "n2", "n3"] })
        const n1 = yield* join(network, "n1", Layer.provide(Flooding.layer(), membership))
        const heard: Array<number> = []
        yield* n1.onView(({ number }) => heard.push(number))
        const seen = yield* Effect.forkChild(Stream.runCollect(Stream.take(n1.views, 3)))
        yield* settled
        yield* Queue.offer(views, { number: 1, members: ["n1", "n2"] })
        yield* Queue.offer(views, { number: 2, members: ["n1"] })
        expect((yield* Fiber.join(seen)).map(({ number }) => number)).toEqual([0, 1, 2])
        expect(heard).toEqual([1, 2])
        expect(yield* n1.view).toEqual({ number: 2, members: ["n1"] })
      })
    ))

  it.each([
    ["best-effort", BestEffort.protocol, "strangers"],
    ["flooding", Flooding.protocol, "strangers"]
  ] as const)("%s refuses a node that is no member any more, and takes one that it doesn't know yet", (_, any, key) => {
    const protocol = any as unknown as Protocol.Any
    const step = (state: unknown, input: Protocol.Input): { readonly state: any; readonly events: number } => {
      const self = { id: "n1", nodes: ["n1", "n2"], peers: ["n2"], options: undefined }
      let events = 0
      const act = { self, send: () => {}, emit: () => void events++, random: () => 0 }
      const next =
        input._tag === "View"
          ? protocol.onView!(state, input.view, act as never)
          : input._tag === "Message"
            ? protocol.onMessage(state, input.from, input.message, act as never)
            : state
      return { state: next, events }
    }
    const data = (view: number) => ({ _tag: "Data", origin: "n2", life: 1, sequence: view + 1, view, payload: "x" })
    const first = protocol.init({ id: "n1", nodes: ["n1", "n2"], peers: ["n2"], options: undefined })
    const alone = step(first, { _tag: "View", view: { number: 1, members: ["n1"] } }).state
    const past = step(alone, { _tag: "Message", from: "n2", message: data(0) })
    expect([past.events, past.state[key]]).toEqual([0, 1])
    const ahead = step(past.state, { _tag: "Message", from: "n2", message: data(2) })
    expect([ahead.events, ahead.state[key]]).toEqual([1, 1])
    expect(step(alone, { _tag: "View", view: { number: 1, members: ["n1", "n2"] } }).state).toBe(alone)
  })
})

describe("state for those who join", () => {
  /** Hands the first member's state to the second, as a view-synchronous protocol would. */
  const handing = (): AnyLayer => {
    type Message = { readonly state: Uint8Array }
    const protocol: Protocol.Protocol<
      number,
      Message,
      Multicast.Command<unknown> | Multicast.Snapshot,
      Multicast.Event<unknown> | Multicast.TransferEvent
    > = {
      name: "test/handing",
      message: Schema.Struct({ state: Schema.Uint8Array }),
      init: () => 0,
      onCommand: (state, command, act) => {
        if (command._tag === "Snapshot") act.send("n2", { state: command.state })
        else act.emit({ _tag: "Snapshot", view: 1 })
        return state
      },
      onMessage: (state, _, { state: bytes }, act) => {
        act.emit({ _tag: "Install", state: bytes })
        return state
      }
    }
    const reading = { room: () => 10, view: () => undefined }
    return multicasting({ protocol, options: undefined, guarantees: ["view-synchronous"], reading })
  }

  it("is taken of each topic that has one, and installed where the topic is open, or once it is", () =>
    run(
      Effect.gen(function* () {
        const network = Memory.network({ nodes: ["n1", "n2"] })
        const [n1, n2] = [yield* join(network, "n1", handing()), yield* join(network, "n2", handing())]
        const state = (installed: Array<unknown>, own: ReadonlyArray<string>) => ({
          schema: Schema.Array(Schema.String),
          snapshot: () => own,
          install: (state: ReadonlyArray<string>) => void installed.push(state)
        })
        const installed: Array<unknown> = []
        const posts = yield* n1.open(Posts, () => {}, state([], ["hello"]))
        yield* n1.open(Likes, () => {}, state([], ["3"]))
        yield* n2.open(Posts, () => {}, state(installed, []))
        yield* settled
        yield* posts.send({ text: "go" })
        yield* settled
        expect(installed).toEqual([["hello"]])
        yield* n2.open(Likes, () => {}, state(installed, []))
        yield* settled
        expect(installed).toEqual([["hello"], ["3"]])
      })
    ))
})

it("what arrives while a member is only just being made is not lost", () =>
  run(
    Effect.gen(function* () {
      // A transport that has a message for it by the time that its channel is open.
      const early = new Envelope.Envelope(Likes, 7)
      const transport: Transport["Service"] = {
        self: "n1",
        nodes: ["n1", "n2"],
        links: Stream.empty,
        open: (_, receive) =>
          Effect.sync(() => {
            receive("n2", { _tag: "Data", life: 1, sequence: 1, view: 0, payload: early } as never)
            return () => {}
          })
      }
      const layer = Layer.provide(BestEffort.layer(), Layer.succeed(Transport, transport))
      const context = yield* Layer.build(layer)
      const heard: Array<number> = []
      yield* Context.get(context, Multicast.key<"best-effort">()).open(Likes, ({ message }) => heard.push(message))
      yield* settled
      expect(heard).toEqual([7])
    })
  ))
