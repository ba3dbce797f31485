import { LogicalClock, StampedTransport } from "@troupe/clocks"
import { Simulation } from "@troupe/simulation"
import { Channel, Codec, Memory, Transport, Writer } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Random, Schema, Stream } from "effect"

const Text = Channel.make("text", Schema.String)

const { layer } = StampedTransport

describe("a transport with Lamport's timestamps", () => {
  it.live("the receiver's clock is past the time of each message, on whatever channel (Lamport 1978, IR2)", () =>
    Effect.gen(function* () {
      let messages = 0
      for (let seed = 1; seed <= 50; seed++) {
        const { violations } = yield* Simulation.run({
          seed,
          nodes: ["n1", "n2", "n3"],
          faults: { lossProbability: 0.1, duplicationProbability: 0.2, reorderProbability: 0.3 },
          duration: "3 seconds",
          program: (node) =>
            Effect.gen(function* () {
              const context = yield* Layer.build(layer)
              const clock = Context.get(context, LogicalClock)
              const { nodes, open } = Context.get(context, Transport)
              const now = (): number => Effect.runSync(clock.now).time
              const Sent = (name: string) => Channel.make(name, Schema.Struct({ at: Schema.Int }))
              const received = (_: string, { at }: { readonly at: number }): void => {
                messages++
                if (now() <= at) throw new Error(`received at ${now()} what was sent at ${at}`)
              }
              const sends = yield* Effect.forEach(["a", "b"], (name) => open(Sent(name), received))
              for (let i = 0; i < 20; i++) {
                const to = nodes[yield* Random.nextIntBetween(0, nodes.length)]!
                // The send is the next event of this node.
                const at = now() + 1
                sends[i % 2]!(to, { at })
                expect(now()).toBe(at)
                yield* Effect.sleep("50 millis")
              }
              expect(node).toBe(yield* Effect.map(clock.now, (stamp) => stamp.node))
            })
        })
        expect(violations).toEqual([])
      }
      expect(messages).toBeGreaterThan(2_000)
    })
  )

  /** Two nodes of a network that carries bytes. */
  const two = Effect.gen(function* () {
    const network = Memory.network({ nodes: ["n1", "n2"], encode: "always" })
    const [first, second] = yield* Effect.forEach(network.nodes, (node) =>
      Layer.build(layer.pipe(Layer.provide(Memory.layer(network, node))))
    )
    return { first: first!, second: second!, network }
  })
  const settle = Effect.andThen(Effect.yieldNow, Effect.yieldNow)

  it.effect("ticks, witnesses, sends stamps of its own, and tells of each event", () =>
    Effect.gen(function* () {
      const { first, second } = yield* two
      const clock = Context.get(second, LogicalClock)
      const heard = yield* Effect.forkChild(Stream.runCollect(Stream.take(clock.events, 4)), { startImmediately: true })
      yield* Context.get(first, LogicalClock).tick
      expect(yield* Context.get(first, LogicalClock).send("n2")).toEqual({ time: 2, node: "n1" })
      yield* settle
      expect(yield* clock.now).toEqual({ time: 3, node: "n2" })
      yield* clock.tick
      yield* clock.witness({ time: 9, node: "n1" })
      yield* clock.send("n1")
      expect([...(yield* Fiber.join(heard))]).toEqual([
        { kind: "receive", at: { time: 3, node: "n2" }, sent: { time: 2, node: "n1" } },
        { kind: "local", at: { time: 4, node: "n2" } },
        { kind: "receive", at: { time: 10, node: "n2" }, sent: { time: 9, node: "n1" } },
        { kind: "send", at: { time: 11, node: "n2" }, to: "n1" }
      ])
    })
  )

  it.effect("hands over what was sent, as it was", () =>
    Effect.gen(function* () {
      const { first, second } = yield* two
      const arrived: Array<string> = []
      yield* Context.get(second, Transport).open(Text, (from, text) => arrived.push(`${from}: ${text}`))
      const send = yield* Context.get(first, Transport).open(Text, () => {})
      for (const text of ["", "hello", "…".repeat(10_000)]) send("n2", text)
      yield* settle
      expect(arrived).toEqual(["n1: ", "n1: hello", `n1: ${"…".repeat(10_000)}`])
    })
  )

  it.live("a message of a node that does not stamp is a defect, and nothing of it arrives", () =>
    Effect.gen(function* () {
      const arrived: Array<string> = []
      const { violations } = yield* Simulation.run({
        seed: 1,
        nodes: ["n1", "n2"],
        program: (node) =>
          Effect.gen(function* () {
            const plain = yield* Transport
            const { open } = node === "n1" ? Context.get(yield* Layer.build(layer), Transport) : plain
            const send = yield* open(Text, (_, text) => arrived.push(text))
            if (node === "n2") send("n1", "hello")
          })
      })
      expect(arrived).toEqual([])
      expect(violations[0]!.detail).toContain(`A message of "n2" on channel "text" has no stamp`)
    })
  )
})

describe("the codec of stamped messages", () => {
  it.effect("leaves nothing behind when a message is not of its schema", () =>
    Effect.gen(function* () {
      // A transport that has nothing but its codec.
      const channels: Array<Channel.Channel<any>> = []
      const bare: Transport["Service"] = {
        self: "n1",
        nodes: ["n1"],
        links: Stream.never,
        open: (channel) => Effect.sync(() => (channels.push(channel), () => {}))
      }
      const stamped = StampedTransport.traced({
        open: () => ({ send: () => ({ id: 1, clock: {} }), receive: () => {} })
      }).pipe(Layer.provide(Layer.succeed(Transport, bare)))
      yield* Context.get(yield* Layer.build(stamped), Transport).open(Text, () => {})
      const { codec } = channels[0]!
      const stamp = { id: 7, clock: { n1: 3, n2: 1 } }
      const bytes = Codec.encode(codec, { stamp, message: "hello" })
      expect(Codec.decode(codec, bytes)).toMatchObject({ stamp, message: "hello" })
      const into = new Writer(16)
      expect(() => codec.write({ stamp, message: 7 }, into)).toThrow("string")
      expect(into.length).toBe(0)
      const whole = Effect.forEach(bytes.keys(), (end) =>
        Effect.exit(Effect.try(() => Codec.decode(codec, bytes.slice(0, end))))
      )
      expect((yield* whole).filter(({ _tag }) => _tag === "Success")).toEqual([])
      expect(() => Codec.decode(codec, Uint8Array.of(0, 200, 1))).toThrow(StampedTransport.MalformedStamp)
      const clock = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`node-${at}`, 1]))
      expect(() => Codec.encode(codec, { stamp: { id: 1, clock }, message: "" })).toThrow(StampedTransport.StampTooLong)
    })
  )
})
