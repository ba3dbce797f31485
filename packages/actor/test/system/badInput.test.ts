/** What goes wrong, what one is told, and that nobody else is the worse for it. */
import { describe, expect, it } from "@effect/vitest"
import {
  type ActorRef,
  ActorSystem,
  Behavior,
  EventSourced,
  Messages,
  type Reason,
  Router,
  Server,
  Supervision
} from "@troupe/actor"
import type { Storage } from "@troupe/storage"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Memory, Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { Cause, Context, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Account, deadLetters, plain, settled } from "./accounts.ts"

/** With a neighbour, who answers as before when all is over. */
const beside = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const system = yield* ActorSystem.ActorSystem
    const neighbour = yield* system.spawn(plain, { name: "neighbour", supervision: Supervision.stop })
    neighbour.tell({ _tag: "Deposit", amount: 7 })
    const found = yield* effect
    expect(yield* neighbour.ask({ _tag: "Withdraw", amount: 0 })).toBe(7)
    return found
  })

const harmless = <A, E>(effect: Effect.Effect<A, E, ActorSystem.ActorSystem>) =>
  Effect.provide(beside(effect), ActorSystem.layer({ name: "test" }))

const Bad = Messages.make("bad", {
  Throw: Messages.ask({}, { reply: Schema.Int }),
  Twice: Messages.ask({}, { reply: Schema.Int }),
  Loop: Messages.tell({}),
  Hang: Messages.ask({}, { reply: Schema.Int }),
  Do: Messages.tell({ what: Schema.Any }),
  Hello: Messages.ask({}, { reply: Schema.String })
})
type Bad = typeof Bad.definition

const bad = (given: { readonly mailbox?: Behavior.Mailbox<Bad> } = {}): Behavior.Behavior<Bad> =>
  Behavior.make(Bad, {
    ...given,
    init: () => 0,
    on: {
      Throw: () => {
        throw new Error("no paper")
      },
      Twice: (state, _, self) => {
        const answer = self.defer()
        for (const reply of [1, 2]) answer.reply(reply)
        return { state, later: answer }
      },
      Loop: (state, _, self) => {
        self.ref.tell({ _tag: "Loop" })
        return state + 1
      },
      Hang: (state, _, self) => ({ state, later: self.defer() }),
      Do: (state, { what }: { readonly what: any }, self) => {
        what(self)
        return state
      },
      Hello: (state) => ({ state, reply: "hello" })
    }
  })

/** Handlers that are none of their types. */
const giving = (result: unknown) =>
  Object.fromEntries(Object.keys(Account.definition).map((tag) => [tag, () => result])) as never

const effectful = (result: unknown) =>
  Behavior.effect(Account, { init: () => Effect.succeed(0), on: giving(result) as Record<string, never> as never })

const hello = (ref: ActorRef<Bad>) => ref.ask({ _tag: "Hello" })

/** Why it has ended. */
const endOf = (ref: ActorRef<any>) =>
  Effect.gen(function* () {
    const watcher = yield* ActorSystem.spawn(bad())
    const reason = yield* Effect.callback<Reason>((resume) => {
      const told = (found: Reason) => {
        resume(Effect.succeed(found))
        return { _tag: "Hang" } as const
      }
      watcher.tell({ _tag: "Do", what: (self: Behavior.Self<Bad>) => self.watch(ref, told) })
    })
    return reason._tag === "Failed" ? Cause.squash(reason.cause) : reason
  })

/** Why an actor fails that does this in a handler. */
const failingAt = (ref: ActorRef<Bad>, what: (self: Behavior.Self<Bad>) => void) =>
  Effect.andThen(
    Effect.sync(() => ref.tell({ _tag: "Do", what })),
    endOf(ref)
  )

describe("names and paths", () => {
  it.effect("a name that a sibling has is taken; one that is none is refused where it is given", () =>
    harmless(
      Effect.gen(function* () {
        expect(yield* Effect.flip(ActorSystem.spawn(plain, { name: "neighbour" }))).toMatchObject({ _tag: "NameTaken" })
        for (const name of ["", "a/b", "x".repeat(256)]) {
          const exit = yield* Effect.exit(ActorSystem.spawn(plain, { name }))
          expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({
            _tag: "InvalidOption",
            option: "name"
          })
        }
        const parent = yield* ActorSystem.spawn(bad(), { supervision: Supervision.stop })
        const failure = yield* failingAt(parent, (self) => {
          for (const name of ["ann", "ann"]) self.spawn(plain, { name })
        })
        expect(failure).toMatchObject({ _tag: "NameTaken", name: "ann" })
      })
    )
  )

  it.effect("where nobody is, or somebody else, there is no such actor", () =>
    harmless(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        for (const path of ["nobody", "neighbour/child", "", "a//b"]) {
          expect(yield* Effect.flip(system.at(Account, path))).toMatchObject({ _tag: "NoSuchActor", path })
        }
        expect(yield* Effect.flip(system.at(Bad, "neighbour"))).toMatchObject({ _tag: "NoSuchActor", messages: "bad" })
      })
    )
  )
})

describe("asking", () => {
  it.effect("one that has stopped, or that has no handler for it", () =>
    harmless(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ref = yield* ActorSystem.spawn(bad())
        const nonsense = ref.ask({ _tag: "Nonsense" } as never) as Effect.Effect<never, unknown>
        expect(yield* Effect.flip(nonsense)).toMatchObject({ _tag: "Misunderstood" })
        expect(yield* hello(ref)).toBe("hello")
        yield* system.stop(ref)
        expect(yield* Effect.flip(hello(ref))).toMatchObject({ _tag: "ActorStopped" })
      })
    )
  )

  it.effect("a second answer is a failure of who gives it, and the first one counts", () =>
    harmless(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(bad())
        expect(yield* ref.ask({ _tag: "Twice" })).toBe(1)
        expect((yield* ActorSystem.ActorSystem).counters()).toMatchObject({ failures: 1, restarts: 1 })
      })
    )
  )

  it.effect("a handler that throws", () =>
    harmless(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(bad())
        const failed = yield* Effect.flip(ref.ask({ _tag: "Throw" }))
        expect(failed).toMatchObject({ _tag: "HandlerFailed", question: "Throw", cause: { message: "no paper" } })
        expect(yield* hello(ref)).toBe("hello")
      })
    )
  )

  it.effect.each([
    ["plain", Behavior.make(Account, { init: () => 0, on: giving(undefined) })],
    ["Effect", effectful(undefined)],
    ["Effect, done at once,", effectful(Effect.void)],
    ["Effect, done later,", effectful(Effect.yieldNow)]
  ] as const)("a %s handler that gives back nothing has failed", ([, behavior]) =>
    harmless(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(behavior)
        expect(yield* Effect.flip(ref.ask({ _tag: "Balance" }))).toMatchObject({ _tag: "HandlerFailed" })
        yield* settled
        expect((yield* ActorSystem.ActorSystem).counters()).toMatchObject({ failures: 1, restarts: 1 })
      })
    )
  )

  it.effect("one that tells itself without end: others have their turns", () =>
    harmless(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ref = yield* ActorSystem.spawn(bad())
        ref.tell({ _tag: "Loop" })
        expect(yield* hello(ref)).toBe("hello")
        const neighbour = yield* system.at(Account, "neighbour")
        expect(yield* neighbour.ask({ _tag: "Balance" })).toBe(7)
        yield* settled
        expect(system.counters().processed).toBeGreaterThan(64)
        yield* system.stop(ref)
      })
    )
  )

  it.effect("a question that is never answered ends when its time has come", () =>
    harmless(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(bad())
        const asking = yield* Effect.forkChild(Effect.flip(ref.ask({ _tag: "Hang" })), { startImmediately: true })
        yield* settled
        yield* TestClock.adjust("5 seconds")
        expect(yield* Fiber.join(asking)).toMatchObject({ _tag: "AskTimeout", millis: 5_000 })
        for (const timeout of [0, -5, Number.NaN]) {
          const now = yield* Effect.forkChild(Effect.flip(ref.ask({ _tag: "Hang" }, { timeout })), {
            startImmediately: true
          })
          yield* settled
          yield* TestClock.adjust(0)
          expect(yield* Fiber.join(now)).toMatchObject({ _tag: "AskTimeout" })
        }
      })
    )
  )
})

describe("options that are none are refused where they are given", () => {
  const capacity = (value: number) => () => bad({ mailbox: { capacity: value } })
  const handlerTimeout = (value: number) => () =>
    Behavior.effect(Account, { handlerTimeout: value, init: () => Effect.succeed(0), on: {} as never })
  const rows: ReadonlyArray<readonly [string, () => unknown]> = [
    ...[0, -1, 1.5, Number.NaN, 2 ** 25].map((value) => ["mailbox.capacity", capacity(value)] as const),
    ...[0, -1, Number.NaN].map((value) => ["handlerTimeout", handlerTimeout(value)] as const),
    ...[-1, 0.5, Number.NaN].map((limit) => ["limit", () => Supervision.restart({ limit })] as const),
    ["within", () => Supervision.restart({ within: 0 })],
    ["inFlight", () => Server.eventLoop({ inFlight: 0 })],
    ["threads", () => Server.multiThreaded({ threads: 0, spawn: () => ({ terminate: () => {} }) })],
    ["version", () => events({ version: 0 })],
    ["snapshot.above", () => events({ snapshot: { state: Schema.Int, above: -1 } })]
  ]
  it.each(rows)("%s", (option, give) => {
    expect(give).toThrow(expect.objectContaining({ _tag: "InvalidOption", option }))
  })

  it("and a message says which, of what, and what it may be", () => {
    expect(capacity(0)).toThrow("bad: `mailbox.capacity` is 0. Give it a whole number from 1 to 16,777,216")
  })

  const inHandlers: ReadonlyArray<readonly [string, (self: Behavior.Self<Bad>) => void]> = [
    ["the delay of a timer", (self) => self.setTimer("t", Number.NaN, { _tag: "Loop" })],
    ["a delay below none", (self) => self.setTimer("t", -1, { _tag: "Loop" })],
    ["an interval of none", (self) => self.setInterval("t", 0, { _tag: "Loop" })],
    ["a receive timeout of none", (self) => self.setReceiveTimeout(0, { _tag: "Loop" })]
  ]
  it.effect.each(inHandlers)("in a handler, which fails: %s", ([, what]) =>
    harmless(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(bad(), { supervision: Supervision.stop })
        expect(yield* failingAt(ref, what)).toMatchObject({ _tag: "InvalidOption" })
      })
    )
  )

  it.effect("a timer may be as far off as one likes", () =>
    harmless(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(bad(), { supervision: Supervision.stop })
        const far = (self: Behavior.Self<Bad>) => {
          for (const [i, delay] of [Infinity, 1e15, 2 ** 31].entries()) self.setTimer(`${i}`, delay, { _tag: "Loop" })
        }
        ref.tell({ _tag: "Do", what: far })
        yield* settled
        yield* TestClock.adjust("1 day")
        expect(yield* hello(ref)).toBe("hello")
        expect((yield* ActorSystem.ActorSystem).counters().failures).toBe(0)
      })
    )
  )
})

describe("a function of the actor's that throws", () => {
  it.effect("priority: it is the actor that fails, not who tells it something", () =>
    harmless(
      Effect.gen(function* () {
        const priority = (message: { readonly _tag: string }): number => {
          if (message._tag === "Do") throw new Error("no rank")
          return message._tag === "Hello" ? Number.NaN : 0
        }
        const ref = yield* ActorSystem.spawn(bad({ mailbox: { priority } }))
        ref.tell({ _tag: "Do", what: () => {} })
        expect(yield* hello(ref)).toBe("hello")
        expect((yield* ActorSystem.ActorSystem).counters()).toMatchObject({ failures: 1, restarts: 1 })
      })
    )
  )

  it.effect("decide: the actor stops", () =>
    harmless(
      Effect.gen(function* () {
        const supervision = Supervision.decide(() => {
          throw new Error("undecided")
        })
        const ref = yield* ActorSystem.spawn(bad(), { supervision })
        expect(yield* Effect.flip(ref.ask({ _tag: "Throw" }))).toMatchObject({ _tag: "HandlerFailed" })
        yield* settled
        expect(yield* Effect.flip(hello(ref))).toMatchObject({ _tag: "ActorStopped" })
      })
    )
  )

  it.effect("onStop: it has stopped", () =>
    harmless(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const onStop = () => {
          throw new Error("no farewell")
        }
        const behavior: Behavior.Behavior<Bad> = { ...bad(), onStop }
        const ref = yield* ActorSystem.spawn(behavior)
        yield* system.stop(ref)
        expect(yield* Effect.flip(hello(ref))).toMatchObject({ _tag: "ActorStopped" })
      })
    )
  )
})

it.effect("what a router cannot pass on is a dead letter, and the router goes on", () =>
  harmless(
    Effect.gen(function* () {
      const system = yield* ActorSystem.ActorSystem
      const ref = yield* ActorSystem.spawn(bad({ mailbox: { capacity: 1 } }))
      const router = yield* ActorSystem.spawn(Router.make(Bad, [ref], Router.roundRobin))
      for (let i = 0; i < 4; i++) router.tell({ _tag: "Do", what: () => {} })
      yield* settled
      expect(yield* deadLetters).toBe(3)
      expect(system.counters().failures).toBe(0)
      expect(yield* hello(router)).toBe("hello")
    })
  )
)

// ------------------------------------------------------------------------------------------------------------- journals

const Note = Schema.Struct({ amount: Schema.Int })

const events = (given: Partial<EventSourced.Given<typeof Account.definition, number, typeof Note.Type>>) =>
  EventSourced.make(Account, {
    log: "bad",
    event: Note,
    init: () => 0,
    apply: (sum, { amount }) => sum + amount,
    on: {
      Deposit: (_, { amount }) => ({ events: [{ amount }] }),
      Balance: (sum) => ({ reply: sum }),
      Withdraw: (sum, { amount }) => ({ events: [{ amount: -amount }], reply: sum - amount }),
      Break: () => ({}),
      BreakAt: (sum) => ({ reply: sum })
    },
    ...given
  })

describe("a journal", () => {
  const disk = () => SimulatedDisk.make({ seed: 1, syncMillisMin: 0, syncMillisMax: 0 })

  /** In a life of the process. */
  const life = <A, E>(layer: Layer.Layer<Storage>, effect: Effect.Effect<A, E, ActorSystem.ActorSystem | Storage>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const context = yield* Layer.build(Layer.fresh(Layer.merge(ActorSystem.layer(), layer)))
        return yield* Effect.provide(beside(Effect.provide(effect, context)), context)
      })
    )

  const deposited = (behavior: ReturnType<typeof events>, ...amounts: ReadonlyArray<number>) =>
    Effect.gen(function* () {
      const ref = yield* ActorSystem.spawn(behavior, { name: "ann" })
      for (const amount of amounts) yield* ref.ask({ _tag: "Withdraw", amount: -amount })
      return yield* ref.ask({ _tag: "Balance" })
    })

  /** Why it does not start. */
  const refused = (behavior: ReturnType<typeof events>) =>
    Effect.gen(function* () {
      const ann = yield* ActorSystem.spawn(behavior, { name: "ann", supervision: Supervision.stop })
      const reason = yield* endOf(ann)
      expect(yield* Effect.flip(ann.ask({ _tag: "Balance" }))).toMatchObject({ _tag: "ActorStopped" })
      return reason
    })

  it.live("with a snapshot of another version: it does not start, and says why", () =>
    Effect.gen(function* () {
      const layer = disk().layer("n1")
      const snapshot = { state: Schema.Int, above: 0 }
      expect(
        yield* life(
          layer,
          Effect.tap(deposited(events({ version: 2, snapshot }), 5, 6, 7), () => settled)
        )
      ).toBe(18)
      for (const version of [1, 3]) {
        const failure = yield* life(layer, refused(events({ version, snapshot, upcast: (event) => event })))
        expect(failure).toMatchObject({ _tag: "UnknownVersion", found: 2, known: version })
      }
      expect(yield* life(layer, deposited(events({ version: 2, snapshot })))).toBe(18)
    })
  )

  it.live("with a torn end: all that was acknowledged is there, and it goes on", () =>
    Effect.gen(function* () {
      for (let after = 1; after <= 4; after++) {
        const disks = disk()
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(Layer.merge(ActorSystem.layer(), disks.layer("n1")), scope)
        yield* Effect.provide(
          Effect.gen(function* () {
            expect(yield* deposited(events({}), 5, 6)).toBe(11)
            const ann = yield* (yield* ActorSystem.ActorSystem).at(Account, "ann")
            disks.disk("n1").crashAt = disks.disk("n1").operations + after
            ann.tell({ _tag: "Deposit", amount: 100 })
            yield* settled
          }),
          context
        )
        const found = yield* life(disks.layer("n1"), deposited(events({}), 1))
        expect([12, 112]).toContain(found)
      }
    })
  )

  it.live("that is damaged before its end: it does not start, says where, and changes nothing", () =>
    Effect.gen(function* () {
      const disks = disk()
      const layer = disks.layer("n1")
      yield* life(layer, deposited(events({}), 5, 6, 7))
      const platter = disks.disk("n1")
      const path = platter.paths.find((each) => platter.sizeOf(each) > 200)!
      // In the first of its records.
      const bit = 8 * (32 + 24) + 1
      platter.flipBit(path, bit)
      expect(yield* life(layer, refused(events({})))).toMatchObject({ _tag: "Corrupt", name: "bad" })
      platter.flipBit(path, bit)
      expect(yield* life(layer, deposited(events({})))).toBe(18)
    })
  )
})

// ---------------------------------------------------------------------------------------------------------- other nodes

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
