/** Protocols as actors of a system. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Hosted, Messages, type Protocol, Supervision } from "@troupe/actor"
import { MemoryStorage } from "@troupe/storage"
import { Memory } from "@troupe/transport"
import { Context, Effect, Layer, Schema } from "effect"
import { settled } from "../finding/nodes.ts"

type Command = "break" | "tell all to break" | number

/** Adds up what all nodes are told; numbers each of its starts. */
const starts: Array<string> = []
const adding: Protocol.Protocol<number, number, Command, number> = {
  name: "test/adding",
  message: Schema.Int,
  init: () => 0,
  onStart: (sum, act) => {
    starts.push(act.self.id)
    act.emit(-1)
    return sum
  },
  onCommand: (sum, command, act) => {
    if (command === "break") throw new Error("it broke")
    act.sendAll(act.self.peers, command === "tell all to break" ? 0 : command)
    act.emit(sum)
    return command === "tell all to break" ? sum : sum + command
  },
  onMessage: (sum, _from, amount) => {
    if (amount === 0) throw new Error("it broke")
    return sum + amount
  }
}

const lasting: Protocol.Protocol<number, never, Command, never, never, { readonly from: number }, number> = {
  name: "test/lasting",
  message: Schema.Never,
  durable: { record: Schema.Int, restore: (sum, amount) => sum + amount },
  init: (self) => self.options.from,
  onCommand: (sum, command, act) => {
    if (typeof command === "string") throw new Error("it broke")
    act.persist(command)
    return sum + command
  },
  onMessage: (sum) => sum
}

const Counter = Messages.make("counter", {
  Add: Messages.tell({ amount: Schema.Int }),
  Sum: Messages.ask({}, { reply: Schema.Int }),
  Break: Messages.tell({}),
  BreakAt: Messages.ask({}, { reply: Schema.Int }),
  BreakOthers: Messages.tell({})
})
type Counting = ActorRef<typeof Counter.definition>

const command = (message: Messages.Of<typeof Counter>): Command | undefined => {
  switch (message._tag) {
    case "Add":
      return message.amount
    case "Sum":
      return undefined
    case "BreakOthers":
      return "tell all to break"
    default:
      return "break"
  }
}

const reply = { Sum: (sum: number) => sum, BreakAt: (sum: number) => sum }

const counter = (event: (event: number) => void = () => {}) =>
  Hosted.make(Counter, { protocol: adding, command, reply, event })

const nodes = Effect.gen(function* () {
  const network = Memory.network({ nodes: ["n1", "n2"] })
  starts.length = 0
  return yield* Effect.forEach(network.nodes, (node) => {
    const layer = ActorSystem.remote().pipe(
      Layer.provideMerge(Memory.layer(network, node)),
      Layer.provideMerge(MemoryStorage.layer())
    )
    return Layer.build(Layer.fresh(layer))
  })
})

const sum = (ref: Counting) => ref.ask({ _tag: "Sum" })

/** What its supervisor is told of its end. */
const Ends = Messages.make("ends", { Watch: Messages.tell({}), Ended: Messages.tell({ reason: Schema.String }) })
const watching = (ref: Counting, ends: Array<string>) =>
  Behavior.make(Ends, {
    init: (self) => self.watch(ref, ({ _tag }) => ({ _tag: "Ended", reason: _tag })),
    on: { Watch: () => {}, Ended: (_, { reason }) => void ends.push(reason) }
  })

describe("a protocol as an actor", () => {
  it.effect("takes messages as commands, speaks to its peers, and answers from its state", () =>
    Effect.gen(function* () {
      const contexts = yield* nodes
      const events: Array<number> = []
      const [one, two] = yield* Effect.forEach(contexts, (context) =>
        Effect.provide(ActorSystem.spawn(counter((event) => events.push(event))), context)
      )
      for (let amount = 1; amount <= 3; amount++) one!.tell({ _tag: "Add", amount })
      expect(yield* sum(one!)).toBe(6)
      yield* settled
      expect(yield* sum(two!)).toBe(6)
      // From its start on, in the order of emitting.
      expect(events).toEqual([-1, -1, 0, 1, 3])
    }).pipe(Effect.scoped)
  )

  it.effect("stops as any other, and is told of as any other; its channel is free then", () =>
    Effect.gen(function* () {
      const [context] = yield* nodes
      const system = Context.get(context!, ActorSystem.ActorSystem)
      const one = yield* Effect.provide(ActorSystem.spawn(counter()), context!)
      const ends: Array<string> = []
      yield* system.spawn(watching(one, ends))
      yield* settled
      yield* system.stop(one)
      yield* settled
      expect(ends).toEqual(["Stopped"])
      const again = yield* Effect.provide(ActorSystem.spawn(counter()), context!)
      expect(yield* sum(again)).toBe(0)
      // A second one does not start.
      const second = yield* Effect.provide(ActorSystem.spawn(counter(), { supervision: Supervision.stop }), context!)
      expect(yield* Effect.flip(sum(second))).toMatchObject({ _tag: "ActorStopped" })
    }).pipe(Effect.scoped)
  )

  it.effect.each([
    ["restart", Supervision.restart()],
    ["restart, kept", Supervision.restart({ state: "kept" })],
    ["resume", Supervision.resume]
  ] as const)(
    "that fails has failed as an actor: %s starts it again, and it goes on with its mailbox",
    ([, supervision]) =>
      Effect.gen(function* () {
        const contexts = yield* nodes
        const [one, two] = yield* Effect.forEach(contexts, (context) =>
          Effect.provide(ActorSystem.spawn(counter(), { supervision }), context)
        )
        const system = Context.get(contexts[0]!, ActorSystem.ActorSystem)
        one!.tell({ _tag: "Add", amount: 5 })
        one!.tell({ _tag: "Break" })
        one!.tell({ _tag: "Add", amount: 2 })
        expect(yield* sum(one!)).toBe(2)
        expect(starts).toEqual(["n1", "n2", "n1"])
        expect(yield* Effect.flip(one!.ask({ _tag: "BreakAt" }))).toMatchObject({
          _tag: "HandlerFailed",
          cause: { _tag: "ActorFailed" }
        })
        expect(yield* sum(one!)).toBe(0)
        // By a message of a peer.
        one!.tell({ _tag: "Add", amount: 1 })
        yield* sum(one!)
        yield* settled
        two!.tell({ _tag: "BreakOthers" })
        yield* sum(two!)
        yield* settled
        expect(yield* sum(one!)).toBe(0)
        one!.tell({ _tag: "Add", amount: 4 })
        expect(yield* sum(one!)).toBe(4)
        expect(starts).toEqual(["n1", "n2", "n1", "n1", "n1"])
        expect(system.counters().failures).toBe(3)
      }).pipe(Effect.scoped)
  )

  it.effect("that fails before it has handled what waits leaves that to its next life", () =>
    Effect.gen(function* () {
      const contexts = yield* nodes
      const [one, two] = yield* Effect.forEach(contexts, (context) =>
        Effect.provide(ActorSystem.spawn(counter()), context)
      )
      yield* settled
      two!.tell({ _tag: "BreakOthers" })
      yield* sum(two!)
      for (let i = 0; i < 3; i++) yield* Effect.promise(() => new Promise((resume) => setImmediate(resume)))
      one!.tell({ _tag: "Add", amount: 4 })
      yield* settled
      expect(yield* sum(one!)).toBe(4)
      expect(starts).toEqual(["n1", "n2", "n1"])
    }).pipe(Effect.scoped)
  )

  it.effect("stop: it is no more, and who watches is told that it failed", () =>
    Effect.gen(function* () {
      const [context] = yield* nodes
      const system = Context.get(context!, ActorSystem.ActorSystem)
      const one = yield* Effect.provide(ActorSystem.spawn(counter(), { supervision: Supervision.stop }), context!)
      const ends: Array<string> = []
      yield* system.spawn(watching(one, ends))
      yield* settled
      one.tell({ _tag: "Break" })
      yield* settled
      expect(ends).toEqual(["Failed"])
      expect(yield* Effect.flip(sum(one))).toMatchObject({ _tag: "ActorStopped" })
    }).pipe(Effect.scoped)
  )

  it.effect("that persists has what it persisted when it starts again, or is spawned again", () =>
    Effect.gen(function* () {
      const [context] = yield* nodes
      const system = Context.get(context!, ActorSystem.ActorSystem)
      const behavior = Hosted.make(Counter, { protocol: lasting, options: { from: 100 }, command, reply, name: "sums" })
      const spawn = Effect.provide(ActorSystem.spawn(behavior), context!)
      const one = yield* spawn
      one.tell({ _tag: "Add", amount: 5 })
      yield* settled
      one.tell({ _tag: "Break" })
      yield* settled
      expect(yield* sum(one)).toBe(105)
      one.tell({ _tag: "Add", amount: 1 })
      yield* settled
      yield* system.stop(one)
      expect(yield* sum(yield* spawn)).toBe(106)
    }).pipe(Effect.scoped)
  )
})
