/** What other nodes are sent that is too large, of another kind, or of another system. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages } from "@troupe/actor"
import { Memory, Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { Context, Effect, Fiber, Layer, Schema, type Scope, Stream } from "effect"
import { Account, plain } from "./accounts.ts"
import { beside } from "./troubles.ts"

const Parcel = Messages.make("parcel", {
  Put: Messages.tell({ bytes: Schema.Uint8Array }),
  Size: Messages.ask({ bytes: Schema.Uint8Array }, { reply: Schema.Int }),
  Get: Messages.ask({ size: Schema.Int }, { reply: Schema.Uint8Array }),
  Count: Messages.ask({ count: Schema.Int }, { reply: Schema.Int }),
  Keep: Messages.tell({ account: ActorSystem.Ref(Account) }),
  Look: Messages.ask({ account: ActorSystem.Ref(Account) }, { reply: Schema.Int })
})

const parcel = Behavior.make(Parcel, {
  init: () => 0,
  on: {
    Put: (count) => count + 1,
    Size: (count, { bytes }) => ({ state: count, reply: bytes.length }),
    Get: (count, { size }) => ({ state: count, reply: new Uint8Array(size) }),
    Count: (count, { count: asked }) => ({ state: count, reply: asked === 0 ? count : 0.5 }),
    Keep: (count) => count,
    Look: (count) => ({ state: count, reply: count })
  }
})

describe("another node, over TCP", () => {
  const nodes = ["n1", "n2"] as const

  const transports = (cluster: string) =>
    Effect.gen(function* () {
      const peers = { n1: null, n2: null }
      const made = yield* Effect.forEach(nodes, (self) =>
        Tcp.make({ self, listen: "127.0.0.1:0", peers, cluster, maxFrameBytes: 4_096 })
      )
      for (const [at, node] of nodes.entries()) {
        const { address } = made[at]!
        yield* made[1 - at]!.setAddress(node, `${address.host}:${address.port}`)
      }
      return made
    })

  const systems = (cluster = "bad", name = "system") =>
    Effect.flatMap(transports(cluster), (made) =>
      Effect.forEach(made, (transport) => {
        const layer = Layer.provide(ActorSystem.remote({ name }), Layer.succeed(Transport, transport))
        return Effect.map(Layer.build(Layer.fresh(layer)), Context.get(ActorSystem.ActorSystem))
      })
    )

  /** With a neighbour at the other node, who answers as before when all is over. */
  const there = <A, E>(
    use: (
      there: ActorRef<typeof Parcel.definition>,
      here: ActorSystem.ActorSystem["Service"]
    ) => Effect.Effect<A, E, Scope.Scope>
  ) =>
    Effect.gen(function* () {
      const [one, two] = yield* systems()
      yield* two!.spawn(parcel, { name: "parcel" })
      const use2 = Effect.flatMap(one!.at(Parcel, "parcel", "n2"), (ref) => use(ref, one!))
      return yield* Effect.provideService(beside(use2), ActorSystem.ActorSystem, two!)
    }).pipe(Effect.scoped)

  const thrown = (tell: () => void): unknown => {
    try {
      tell()
    } catch (error) {
      return error
    }
    return undefined
  }

  it.live("a message that is too large: who tells, sends or asks is told so at once", () =>
    there((ref) =>
      Effect.gen(function* () {
        const bytes = new Uint8Array(5_000)
        const tooLarge = { _tag: "MessageTooLarge", what: "Put", maxBytes: 4_093 }
        expect(thrown(() => ref.tell({ _tag: "Put", bytes }))).toMatchObject(tooLarge)
        expect(yield* Effect.flip(ref.send({ _tag: "Put", bytes }))).toMatchObject(tooLarge)
        const asked = yield* Effect.flip(ref.ask({ _tag: "Size", bytes }, { timeout: Infinity }))
        expect(asked).toMatchObject({ ...tooLarge, what: "Size", actor: "n2:parcel" })
        expect(yield* ref.ask({ _tag: "Size", bytes: bytes.subarray(1_000) })).toBe(4_000)
        expect(yield* ref.ask({ _tag: "Count", count: 0 })).toBe(0)
      })
    )
  )

  it.live("an answer that is too large: who asks is told so at once", () =>
    there((ref) =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(ref.ask({ _tag: "Get", size: 5_000 }, { timeout: Infinity }))
        expect(failure).toMatchObject({ _tag: "MessageTooLarge", what: "Get", actor: "parcel" })
        expect((yield* ref.ask({ _tag: "Get", size: 4_000 })).length).toBe(4_000)
      })
    )
  )

  it.live("a message, or an answer, that is none of its schema's: the same", () =>
    there((ref) =>
      Effect.gen(function* () {
        const none = { _tag: "Size", bytes: "text" } as never
        expect(thrown(() => ref.tell(none))).toMatchObject({ _tag: "Misunderstood" })
        const asked = ref.ask(none, { timeout: Infinity }) as Effect.Effect<never, unknown>
        expect(yield* Effect.flip(asked)).toMatchObject({ _tag: "Misunderstood" })
        const answered = yield* Effect.flip(ref.ask({ _tag: "Count", count: 1 }, { timeout: Infinity }))
        expect(answered).toMatchObject({ _tag: "Misunderstood", actor: "parcel" })
      })
    )
  )

  it.live("messages of its name that have changed: the same, also where this one has not", () =>
    there((_, here) =>
      Effect.gen(function* () {
        const Newer = Messages.make("parcel", { ...Parcel.definition, Weigh: Messages.tell({ grams: Schema.Int }) })
        const newer = yield* here.at(Newer, "parcel", "n2")
        const failure = yield* Effect.flip(newer.ask({ _tag: "Count", count: 0 }, { timeout: Infinity }))
        expect(failure).toMatchObject({ _tag: "Misunderstood", actor: "parcel" })
        newer.tell({ _tag: "Weigh", grams: 5 })
        newer.tell({ _tag: "Put", bytes: new Uint8Array(1) })
        const parcel = yield* here.at(Parcel, "parcel", "n2")
        expect(yield* parcel.ask({ _tag: "Count", count: 0 })).toBe(0)
      })
    )
  )

  it.live("a node that the transport does not know cannot be reached", () =>
    there((_, here) =>
      Effect.gen(function* () {
        const nowhere = yield* here.at(Parcel, "parcel", "n9")
        const failure = yield* Effect.flip(nowhere.ask({ _tag: "Count", count: 0 }, { timeout: Infinity }))
        expect(failure).toMatchObject({ _tag: "Unreachable", node: "n9" })
      })
    )
  )

  it.live.each([
    ["another cluster", "other", "system"],
    ["a system of another name", "bad", "other"]
  ])("a reference of %s goes into no message", ([, cluster, name]) =>
    there((ref) =>
      Effect.gen(function* () {
        const [other] = yield* systems(cluster, name)
        const account = yield* other!.spawn(plain, { name: "ann" })
        const far = yield* other!.at(Account, "ann", "n2")
        for (const each of [account, far]) {
          expect(thrown(() => ref.tell({ _tag: "Keep", account: each }))).toMatchObject({ _tag: "Misunderstood" })
          const asked = yield* Effect.flip(ref.ask({ _tag: "Look", account: each }, { timeout: Infinity }))
          expect(asked.message).toContain(`is of another system ("${name}")`)
        }
      })
    )
  )
})

it.live("a reference of another system is none over memory either, where messages are not encoded", () =>
  Effect.gen(function* () {
    const systems = yield* Effect.forEach(["system", "other"], (name) =>
      Effect.gen(function* () {
        const network = Memory.network({ nodes: ["n1", "n2"] })
        return yield* Effect.forEach(network.nodes, (node) => {
          const layer = Layer.provide(ActorSystem.remote({ name }), Memory.layer(network, node))
          return Effect.map(Layer.build(Layer.fresh(layer)), Context.get(ActorSystem.ActorSystem))
        })
      })
    )
    const [[one, two], [other]] = systems as [(typeof systems)[0], (typeof systems)[0]]
    yield* two!.spawn(parcel, { name: "parcel" })
    const account = yield* other!.spawn(plain)
    const ref = yield* one!.at(Parcel, "parcel", "n2")
    const failure = yield* Effect.flip(ref.ask({ _tag: "Look", account }, { timeout: Infinity }))
    expect(failure).toMatchObject({ _tag: "Misunderstood" })
  }).pipe(Effect.scoped)
)

it.live(
  "what an actor of another node has no room for is a dead letter there; so are bytes that it does not understand",
  () =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes: ["n1", "n2"] })
      const [one, two] = yield* Effect.forEach(network.nodes, (node) => {
        const layer = Layer.provide(ActorSystem.remote(), Memory.layer(network, node))
        return Effect.map(Layer.build(Layer.fresh(layer)), Context.get(ActorSystem.ActorSystem))
      })
      const busy = Behavior.effect(Account, {
        mailbox: { capacity: 1 },
        init: () => Effect.never,
        on: {} as never
      })
      yield* two!.spawn(busy, { name: "ann" })
      const letters = yield* Effect.forkChild(Stream.runCollect(Stream.take(two!.deadLetters, 3)), {
        startImmediately: true
      })
      const [ann, other] = [yield* one!.at(Account, "ann", "n2"), yield* one!.at(Parcel, "ann", "n2")]
      const deposit = (amount: number) => ({ _tag: "Deposit", amount }) as const
      for (const amount of [1, 2]) ann.tell(deposit(amount))
      other.tell({ _tag: "Put", bytes: new Uint8Array(1) })
      ;(yield* one!.at(Account, "bob", "n2")).tell(deposit(3))
      expect(yield* Fiber.join(letters)).toEqual([
        { actor: "ann", message: deposit(2), reason: "mailbox full" },
        { actor: "ann", message: undefined, reason: "not understood" },
        { actor: "bob", message: undefined, reason: "stopped" }
      ])
    }).pipe(Effect.scoped)
)
