/** Actors that nodes have of each other, over memory and TCP. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages, Supervision } from "@troupe/actor"
import { Channel, Codec, Memory, Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { Context, Effect, Fiber, Layer, Queue, Schema, type Scope, Stream } from "effect"
import { inspect } from "node:util"
import { frames } from "../../src/internal/system/frames.ts"
import { packets } from "../../src/internal/system/packets.ts"
import { Account, Overdrawn, plain } from "./accounts.ts"

type Accounts = ActorRef<typeof Account.definition>

const nodes = ["n1", "n2"] as const

type System = ActorSystem.ActorSystem["Service"]

const onMemory = (
  options: ActorSystem.RemoteOptions = {}
): Effect.Effect<ReadonlyArray<System>, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const network = Memory.network({ nodes })
    return yield* Effect.forEach(nodes, (node) => {
      const layer = Layer.provide(ActorSystem.remote(options), Memory.layer(network, node))
      return Effect.map(Layer.build(Layer.fresh(layer)), Context.get(ActorSystem.ActorSystem))
    })
  })

const tcpTransports = Effect.gen(function* () {
  const peers = { n1: null, n2: null }
  const made = yield* Effect.forEach(nodes, (self) =>
    Tcp.make({ self, listen: "127.0.0.1:0", peers, cluster: "actors" })
  )
  for (const [at, node] of nodes.entries()) {
    const { address } = made[at]!
    yield* made[1 - at]!.setAddress(node, `${address.host}:${address.port}`)
  }
  return made
})

const systemOn = (transport: Transport["Service"]) => {
  const layer = Layer.provide(ActorSystem.remote(), Layer.succeed(Transport, transport))
  return Effect.map(Layer.build(Layer.fresh(layer)), Context.get(ActorSystem.ActorSystem))
}

const onTcp: Effect.Effect<ReadonlyArray<System>, unknown, Scope.Scope> = Effect.flatMap(tcpTransports, (made) =>
  Effect.forEach(made, systemOn)
)

/** Tells others of an account, and what became of it. */
const Registry = Messages.make("registry", {
  Where: Messages.ask({ name: Schema.String }, { reply: ActorSystem.Ref(Account) }),
  Keep: Messages.tell({ account: ActorSystem.Ref(Account) }),
  Kept: Messages.ask({}, { reply: Schema.Array(ActorSystem.Ref(Account)) }),
  Watch: Messages.tell({ account: ActorSystem.Ref(Account) }),
  Unwatch: Messages.tell({ account: ActorSystem.Ref(Account) }),
  Ended: Messages.tell({ why: Schema.String }),
  Ends: Messages.ask({}, { reply: Schema.Array(Schema.String) })
})

interface Known {
  readonly kept: ReadonlyArray<Accounts>
  readonly ends: ReadonlyArray<string>
}

const registry = Behavior.make(Registry, {
  init: (): Known => ({ kept: [], ends: [] }),
  on: {
    Where: (known, { name }, self) => ({
      state: known,
      reply: self.spawn(plain, { name, supervision: Supervision.stop })
    }),
    Keep: (known, { account }) => ({ ...known, kept: [...known.kept, account] }),
    Kept: (known) => ({ state: known, reply: known.kept }),
    Watch: (known, { account }, self) => {
      self.watch(account, (reason) => ({ _tag: "Ended", why: reason._tag }))
      return known
    },
    Unwatch: (known, { account }, self) => {
      self.unwatch(account)
      return known
    },
    Ended: (known, { why }) => ({ ...known, ends: [...known.ends, why] }),
    Ends: (known) => ({ state: known, reply: known.ends })
  }
})

type Player = {
  readonly Pass: Messages.Tell<{ readonly back: ActorSystem.Ref<Player> }>
  readonly Passed: Messages.Ask<{}, number, never>
}

/** Speaks of its own kind. */
const Player: Messages.Messages<Player> = Messages.make("player", {
  Pass: Messages.tell({ back: ActorSystem.Ref(() => Player) }),
  Passed: Messages.ask({}, { reply: Schema.Int })
})

const player = Behavior.make(Player, {
  init: () => 0,
  on: {
    Pass: (passed, { back }, { ref }) => {
      if (passed < 3) back.tell({ _tag: "Pass", back: ref })
      return passed + 1
    },
    Passed: (passed) => ({ state: passed, reply: passed })
  }
})

/** Until it is so; each look is a message there and back. */
const until = <A, E>(look: Effect.Effect<A, E>, isSo: (found: A) => boolean): Effect.Effect<A, E> =>
  Effect.flatMap(look, (found) =>
    isSo(found)
      ? Effect.succeed(found)
      : Effect.andThen(
          Effect.yieldNow,
          Effect.suspend(() => until(look, isSo))
        )
  )

describe.each([
  ["memory", onMemory()],
  ["TCP", onTcp]
] as const)("over %s", (_, systems) => {
  it.live("a reference by path is told and asked as one that is here", () =>
    Effect.gen(function* () {
      const [one, two] = yield* systems
      yield* two!.spawn(plain, { name: "ann" })
      const ann = yield* one!.at(Account, "ann", "n2")
      for (let i = 1; i <= 100; i++) ann.tell({ _tag: "Deposit", amount: i })
      expect(yield* ann.ask({ _tag: "Balance" })).toBe(5_050)
      expect(yield* ann.ask({ _tag: "Withdraw", amount: 50 })).toBe(5_000)
      expect(yield* Effect.flip(ann.ask({ _tag: "Withdraw", amount: 6_000 }))).toEqual(new Overdrawn({ short: 1_000 }))
      expect(ann.path).toBe("n2:ann")
      expect(inspect(ann)).toBe("ActorRef(n2:ann)")
    }).pipe(Effect.scoped)
  )

  it.live("says what went wrong over there", () =>
    Effect.gen(function* () {
      const [one, two] = yield* systems
      const ann = yield* two!.spawn(plain, { name: "ann" })
      const there = yield* one!.at(Account, "ann", "n2")
      expect(yield* Effect.flip(there.ask({ _tag: "BreakAt", why: "no paper" }))).toMatchObject({
        _tag: "HandlerFailed",
        question: "BreakAt"
      })
      const nobody = yield* one!.at(Account, "bob", "n2")
      expect(yield* Effect.flip(nobody.ask({ _tag: "Balance" }))).toMatchObject({
        _tag: "ActorStopped",
        actor: "n2:bob"
      })
      const other = yield* one!.at(Registry, "ann", "n2")
      const wrong = yield* Effect.flip(other.ask({ _tag: "Ends" }))
      expect(wrong).toMatchObject({ _tag: "Misunderstood" })
      expect(wrong.message).toContain('it is asked as "registry", and is "account"')
      nobody.tell({ _tag: "Deposit", amount: 1 })
      other.tell({ _tag: "Ended", why: "x" })
      yield* until(
        Effect.sync(() => two!.counters().deadLetters),
        (count) => count >= 2
      )
      yield* two!.stop(ann)
      expect(yield* Effect.flip(there.ask({ _tag: "Balance" }))).toMatchObject({ _tag: "ActorStopped" })
    }).pipe(Effect.scoped)
  )

  it.live("a reference that is sent along is the same actor, at whichever node, in this life of it", () =>
    Effect.gen(function* () {
      const [one, two] = yield* systems
      const here = yield* one!.spawn(registry, { name: "registry" })
      yield* two!.spawn(registry, { name: "registry" })
      const there = yield* one!.at(Registry, "registry", "n2")
      const ann = yield* there.ask({ _tag: "Where", name: "ann" })
      ann.tell({ _tag: "Deposit", amount: 7 })
      expect(yield* ann.ask({ _tag: "Balance" })).toBe(7)
      // There and back again, it is the actor itself.
      const mine = yield* one!.spawn(plain)
      there.tell({ _tag: "Keep", account: mine })
      there.tell({ _tag: "Keep", account: ann })
      const [back, annAgain] = yield* there.ask({ _tag: "Kept" })
      expect(back).toBe(mine)
      expect(yield* annAgain!.ask({ _tag: "Balance" })).toBe(7)
      // Spawned anew under its name, it is another one.
      ann.tell({ _tag: "Break", why: "ill" })
      yield* until(Effect.exit(ann.ask({ _tag: "Balance" })), (exit) => exit._tag === "Failure")
      const next = yield* there.ask({ _tag: "Where", name: "ann" })
      expect(yield* next.ask({ _tag: "Balance" })).toBe(0)
      const stopped = yield* Effect.flip(ann.ask({ _tag: "Balance" }))
      expect(stopped).toMatchObject({ _tag: "ActorStopped", actor: "n2:registry/ann" })
      expect(yield* here.ask({ _tag: "Ends" })).toEqual([])
    }).pipe(Effect.scoped)
  )

  it.live("messages that speak of their own kind are sent as others are", () =>
    Effect.gen(function* () {
      const [one, two] = yield* systems
      yield* two!.spawn(player, { name: "bob" })
      const ann = yield* one!.spawn(player)
      ann.tell({ _tag: "Pass", back: yield* one!.at(Player, "bob", "n2") })
      expect(yield* until(ann.ask({ _tag: "Passed" }), (passed) => passed === 4)).toBe(4)
    }).pipe(Effect.scoped)
  )

  it.live("who watches is told of an end over there, and why; not if it watches no more", () =>
    Effect.gen(function* () {
      const [one, two] = yield* systems
      const watcher = yield* one!.spawn(registry)
      yield* two!.spawn(registry, { name: "registry" })
      const there = yield* one!.at(Registry, "registry", "n2")
      const [ann, bob, eve] = [
        yield* there.ask({ _tag: "Where", name: "ann" }),
        yield* there.ask({ _tag: "Where", name: "bob" }),
        yield* there.ask({ _tag: "Where", name: "eve" })
      ]
      for (const account of [ann, bob, eve]) watcher.tell({ _tag: "Watch", account })
      watcher.tell({ _tag: "Unwatch", account: eve })
      yield* bob.ask({ _tag: "Balance" })
      for (const account of [eve, ann]) account.tell({ _tag: "Break", why: "ill" })
      const ends = watcher.ask({ _tag: "Ends" })
      yield* until(ends, ({ length }) => length === 1)
      yield* two!.stop(yield* two!.at(Registry, "registry"))
      expect(yield* until(ends, ({ length }) => length === 2)).toEqual(["Failed", "Stopped"])
      watcher.tell({ _tag: "Watch", account: ann })
      expect(yield* until(ends, ({ length }) => length === 3)).toEqual(["Failed", "Stopped", "Failed"])
    }).pipe(Effect.scoped)
  )
})

it.live("a node that is down: who asks there, or watches, is told so", () =>
  Effect.gen(function* () {
    const down = yield* Queue.unbounded<string>()
    const [one, two] = yield* onMemory({ down: Stream.fromQueue(down) })
    const Silent = Messages.make("silent", { Ask: Messages.ask({}, { reply: Schema.Int }) })
    const silent = Behavior.make(Silent, {
      init: () => 0,
      on: { Ask: (state, _, self) => ({ state, later: self.defer() }) }
    })
    yield* two!.spawn(silent, { name: "silent" })
    yield* two!.spawn(plain, { name: "ann" })
    const watcher = yield* one!.spawn(registry)
    const ann = yield* one!.at(Account, "ann", "n2")
    watcher.tell({ _tag: "Watch", account: ann })
    const there = yield* one!.at(Silent, "silent", "n2")
    const asking = yield* Effect.forkChild(Effect.flip(there.ask({ _tag: "Ask" })))
    yield* ann.ask({ _tag: "Balance" })
    yield* Queue.offer(down, "n2")
    expect(yield* Fiber.join(asking)).toMatchObject({ _tag: "Unreachable", node: "n2" })
    expect(yield* until(watcher.ask({ _tag: "Ends" }), ({ length }) => length > 0)).toEqual(["Unreachable"])
  }).pipe(Effect.scoped)
)

it.live("what is none of the frames that systems exchange harms nobody", () =>
  Effect.gen(function* () {
    const [first, second] = yield* tcpTransports
    const two = yield* systemOn(second!)
    const ann = yield* two.spawn(plain, { name: "ann" })
    const raw = Channel.fromCodec<Uint8Array>("actors/system", { ...Codec.bytes, name: "actors" })
    const send = yield* first!.open(raw, () => {})
    let seed = 1
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below
    for (let i = 0; i < 2_000; i++) {
      const bytes = Uint8Array.from({ length: random(24) }, (_, at) => (at === 0 ? random(9) : random(256)))
      send("n2", bytes)
    }
    const body = { codec: Codec.binary(Account.schema), message: { _tag: "Deposit", amount: 3 } }
    const target = { life: 0, serial: 0, path: "ann" }
    const frame = { kind: "Tell", target, name: "account", body } as const
    send("n2", Codec.encode(packets(frames()), { number: 1, life: 1_000_000, frame }))
    expect(yield* until(ann.ask({ _tag: "Balance" }), (balance) => balance > 0)).toBe(3)
  }).pipe(Effect.scoped)
)
