/** Links with actors of other nodes, and what a node may ask of another one at the most. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages, Server, Supervision } from "@troupe/actor"
import { Faults } from "@troupe/simulation"
import { Channel, Codec, Memory } from "@troupe/transport"
import { Context, Effect, Layer, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { network, type Node, settled, start } from "../finding/nodes.ts"
import { run } from "../simulated/links.ts"
import { known } from "../../src/internal/system/System.ts"
import { frames } from "../../src/internal/system/frames.ts"
import { type Packet, packets } from "../../src/internal/system/packets.ts"

const Linked = Messages.make("linked", {
  Link: Messages.tell({ ref: Schema.Any }),
  Unlink: Messages.tell({ ref: Schema.Any }),
  Watch: Messages.tell({ ref: Schema.Any }),
  Fail: Messages.tell({}),
  Stop: Messages.tell({}),
  Ended: Messages.tell({ why: Schema.String }),
  Never: Messages.ask({}, { reply: Schema.Int })
})
type Linkable = ActorRef<typeof Linked.definition>

/** Notes how it ended, and what it was told. */
const linked = (name: string, noted: Array<string>) =>
  Behavior.make(Linked, {
    init: (): void => {},
    on: {
      Link: (_, { ref }, self) => self.link(ref as Linkable),
      Unlink: (_, { ref }, self) => self.unlink(ref as Linkable),
      Watch: (_, { ref }, self) =>
        self.watch(ref as Linkable, (reason) => ({
          _tag: "Ended",
          why: reason._tag === "Failed" ? `Failed: ${String((reason.cause.reasons[0] as any).error)}` : reason._tag
        })),
      Fail: () => {
        throw new Error("it is ill")
      },
      Stop: (_, _message, self) => self.stop(),
      Ended: (_, { why }) => void noted.push(why),
      Never: (state, _, self) => ({ state, later: self.defer() })
    },
    onStop: () => void noted.push(`${name} ended`)
  })

/** Ann on n1, who is linked to Bob on n2, by her doing. */
const pair = Effect.gen(function* () {
  const net = network(["n1", "n2"])
  const [one, two] = yield* Effect.forEach(net.nodes, (node) => start(net, node))
  const noted: Array<string> = []
  const supervision = Supervision.stop
  const spawn = ({ system }: Node, name: string) => system.spawn(linked(name, noted), { name, supervision })
  const [ann, bob] = [yield* spawn(one!, "ann"), yield* spawn(two!, "bob")]
  const bobThere = yield* one!.system.at(Linked, "bob", "n2")
  const annThere = yield* two!.system.at(Linked, "ann", "n1")
  ann.tell({ _tag: "Link", ref: bobThere })
  yield* settled
  return { net, one: one!, two: two!, ann, bob, annThere, bobThere, noted, spawn }
})

describe("a link with an actor of another node", () => {
  it.effect.each(["ann", "bob"] as const)("each of the two fails for good when the other one does: %s", (who) =>
    Effect.gen(function* () {
      const { noted, ...actors } = yield* pair
      actors[who].tell({ _tag: "Fail" })
      yield* settled
      expect(noted).toEqual(who === "ann" ? ["ann ended", "bob ended"] : ["bob ended", "ann ended"])
    }).pipe(Effect.scoped)
  )

  it.effect("nothing becomes of one when the other stops", () =>
    Effect.gen(function* () {
      const { bob, noted } = yield* pair
      bob.tell({ _tag: "Stop" })
      yield* settled
      expect(noted).toEqual(["bob ended"])
    }).pipe(Effect.scoped)
  )

  it.effect.each(["ann", "bob"] as const)("either of them ends it for both: %s", (who) =>
    Effect.gen(function* () {
      const { ann, annThere, bob, bobThere, noted } = yield* pair
      if (who === "ann") ann.tell({ _tag: "Unlink", ref: bobThere })
      else {
        // Bob knows it as that actor in this life; by a path it is somebody else, as far as links go.
        bob.tell({ _tag: "Link", ref: annThere })
        yield* settled
        ann.tell({ _tag: "Unlink", ref: bobThere })
        bob.tell({ _tag: "Unlink", ref: annThere })
      }
      yield* settled
      ann.tell({ _tag: "Fail" })
      yield* settled
      expect(noted).toEqual(["ann ended"])
    }).pipe(Effect.scoped)
  )

  it.effect("when the other's node is down, it has failed", () =>
    Effect.gen(function* () {
      const { noted, one } = yield* pair
      one.down("n2")
      yield* settled
      // Bob lives, and hears of it.
      expect(noted).toEqual(["ann ended", "bob ended"])
    }).pipe(Effect.scoped)
  )
})

describe.each(["crash", "partition", "chaos"] as const)("links in worlds of %s", (preset) => {
  it("nobody fails but by itself or with another, and nobody outlives one that failed", async () => {
    for (let seed = 1; seed <= 4; seed++) {
      const { broken, violations } = await run({ seed, faults: Faults.presets[preset] })
      expect({ seed, violations }).toEqual({ seed, violations: [] })
      expect(broken).toBeGreaterThan(0)
    }
  })
})

/** Speaks for n1 as it likes, also where n2 takes it for dead; what n2 says to that. */
const rawly = (down: Stream.Stream<string>) =>
  Effect.gen(function* () {
    const net = Memory.network({ nodes: ["n1", "n2"] })
    const transport = yield* Memory.connect(net, "n1")
    const codec = packets(frames())
    const said: Array<Packet["frame"]> = []
    let heard = 0
    const send = yield* transport.open(Channel.fromCodec("actors/system", codec), (_, { frame, life }) => {
      said.push(frame)
      heard = life
    })
    const layer = ActorSystem.remote({ limit, down }).pipe(Layer.provide(Memory.layer(net, "n2")))
    const system = Context.get(yield* Layer.build(layer), ActorSystem.ActorSystem)
    let number = 0
    const say = (frame: Packet["frame"], life = 1): void => send("n2", { number: ++number, life, frame })
    /** To what was said last. */
    const answer = (frame: Packet["frame"]): void => send("n2", { number: 0, life: heard, frame })
    return { said, say, answer, system }
  })
const raw = rawly(Stream.empty)

const limit = 1_200

it("a limit that is none is refused", () => {
  expect(() => ActorSystem.remote({ limit: 0 })).toThrow("ActorSystem.remote: `limit` is 0")
})

const target = { life: 0, serial: 0, path: "bob" }

describe("who is not answered by another node", () => {
  it.effect("takes back a watch that it gives up: the node may have heard of it, and live", () =>
    Effect.gen(function* () {
      const { said, system } = yield* rawly(Stream.make("n1"))
      const noted: Array<string> = []
      const ann = yield* system.spawn(linked("ann", noted))
      ann.tell({ _tag: "Watch", ref: yield* system.at(Linked, "bob", "n1") })
      yield* Effect.andThen(settled, TestClock.adjust("20 seconds"))
      yield* settled
      expect(noted).toEqual(["Unreachable"])
      expect(said.map(({ kind }) => kind)).toEqual(["Watch", "Watch", "Unwatch"])
    }).pipe(Effect.scoped)
  )

  it.effect.each([
    { kind: "Found", id: 1, target: { life: 7, serial: 7, path: "" } },
    { kind: "Ended", id: 1, failure: "" }
  ] as const)("is answered for another watch: the node is back, and silence is none of its death; by $kind", (word) =>
    Effect.gen(function* () {
      const { answer, system } = yield* rawly(Stream.make("n1"))
      const noted: Array<string> = []
      const ann = yield* system.spawn(linked("ann", noted))
      for (const path of ["bob", "cleo"]) ann.tell({ _tag: "Watch", ref: yield* system.at(Linked, path, "n1") })
      yield* settled
      answer(word)
      for (let step = 0; step < 6; step++) yield* Effect.andThen(TestClock.adjust("10 seconds"), settled)
      expect(noted).toEqual(word.kind === "Found" ? [] : ["Stopped"])
    }).pipe(Effect.scoped)
  )

  it.effect("has asked for as long as it waits, however short that is, and not for ever", () =>
    Effect.gen(function* () {
      const { said, system } = yield* raw
      const bob = yield* system.at(Linked, "bob", "n1")
      for (const timeout of [0, 0.5, 2.5, Infinity]) {
        yield* Effect.forkScoped(Effect.exit(bob.ask({ _tag: "Never" }, { timeout })), { startImmediately: true })
      }
      yield* settled
      expect(said.map((frame) => frame.kind === "Ask" && frame.millis)).toEqual([1, 1, 3, 0])
    }).pipe(Effect.scoped)
  )
})

describe("of what another node may have here", () => {
  it.effect("its limit of watches: one more is told so, and one in place of another is not", () =>
    Effect.gen(function* () {
      const { said, say, system } = yield* raw
      const bob = yield* system.spawn(linked("bob", []), { name: "bob" })
      const ended = () => said.filter(({ kind }) => kind === "Ended")
      for (let id = 1; id <= limit; id++) {
        say({ kind: "Watch", id, target })
      }
      yield* settled
      expect(ended()).toEqual([])
      say({ kind: "Watch", id: limit + 1, target })
      yield* settled
      const failure = "1200 of n2 are watched there, which is as many as may be"
      expect(ended()).toEqual([{ kind: "Ended", id: limit + 1, failure }])
      say({ kind: "Unwatch", id: 1 })
      say({ kind: "Watch", id: limit + 2, target })
      yield* settled
      expect(ended()).toHaveLength(1)
      yield* system.stop(bob)
      yield* settled
      expect(ended()).toHaveLength(1 + limit)
    }).pipe(Effect.scoped)
  )

  it.effect("what it was linked to in an earlier life has failed; what it watched, stopped", () =>
    Effect.gen(function* () {
      const { said, say } = yield* raw
      const gone = { life: 7, serial: 7, path: "" }
      say({ kind: "Link", id: 1, target: gone, by: { life: 7, serial: 8, path: "" } })
      say({ kind: "Watch", id: 2, target: gone })
      yield* settled
      expect(said).toEqual([
        { kind: "Ended", id: 1, failure: "its node has started again" },
        { kind: "Ended", id: 2, failure: "" }
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("its limit of links, however it ends the watches of them", () =>
    Effect.gen(function* () {
      const { said, say, system } = yield* raw
      yield* system.spawn(linked("bob", []), { name: "bob" })
      for (let id = 1; id <= limit + 1; id++) {
        say({ kind: "Link", id, target, by: { life: 7, serial: id, path: "" } })
        say({ kind: "Unwatch", id })
      }
      yield* settled
      expect(said.filter(({ kind }) => kind === "Link")).toHaveLength(limit)
      expect(said.filter(({ kind }) => kind === "Ended")).toHaveLength(1)
    }).pipe(Effect.scoped)
  )

  it.effect("its limit of open questions, for which it may take its time: one more is refused", () =>
    Effect.gen(function* () {
      const { said, say, system } = yield* raw
      const bob = yield* system.spawn(linked("bob", []), { name: "bob" })
      const body = { bytes: Codec.encode(Codec.binary(Linked.schema), { _tag: "Never" }) }
      for (let id = 1; id <= limit + 1; id++) {
        // Each has another patience.
        say({ kind: "Ask", id, millis: id % 3 === 0 ? 0 : 10_000_000 + id, target, name: "linked", body })
      }
      yield* settled
      expect(said).toHaveLength(1)
      expect(said[0]).toMatchObject({ kind: "Refusal", id: limit + 1 })
      expect((said[0] as any).body.message).toMatchObject({ _tag: "MailboxFull", actor: "bob", capacity: limit })
      yield* system.stop(bob)
    }).pipe(Effect.scoped)
  )

  it.effect("no question that is answered, though it would wait for that as long as it takes", () =>
    Effect.gen(function* () {
      const { said, say, system } = yield* raw
      const bob = yield* system.spawn(linked("bob", []), { name: "bob" })
      const body = { bytes: Codec.encode(Codec.binary(Linked.schema), { _tag: "Never" }) }
      for (let id = 1; id <= 10; id++) say({ kind: "Ask", id, millis: 0, target, name: "linked", body })
      yield* settled
      yield* system.stop(bob)
      yield* settled
      expect(said).toHaveLength(10)
      const { remote } = known.get(system)!
      const { open } = remote as unknown as { readonly open: Map<string, { readonly endless: Set<unknown> }> }
      expect(open.get("n1")!.endless.size).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.effect("its questions, until it starts again: nobody waits for what it asked in its earlier life", () =>
    Effect.gen(function* () {
      const { said, say, system } = yield* raw
      const Bell = Messages.make("bell", { Ring: Messages.ask({}, { reply: Schema.Int }) })
      let interrupted = 0
      const silent = Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      const dispatcher = Server.eventLoop({ inFlight: limit })
      yield* system.spawn(Server.make(Bell, { on: { Ring: () => silent }, dispatcher }), { name: "bob" })
      const body = { bytes: Codec.encode(Codec.binary(Bell.schema), { _tag: "Ring" } as const) }
      for (let id = 1; id <= limit; id++) say({ kind: "Ask", id, millis: 0, target, name: "bell", body })
      yield* settled
      expect(interrupted).toBe(0)
      say({ kind: "Ask", id: 1, millis: 0, target, name: "bell", body }, 2)
      yield* settled
      expect(said).toEqual([])
      expect(interrupted).toBe(limit)
    }).pipe(Effect.scoped)
  )

  it.effect("and its limit of questions that wait for others: who asks one more is told at once", () =>
    Effect.gen(function* () {
      const net = network(["n1", "n2"])
      const layer = ActorSystem.remote({ limit }).pipe(Layer.provide(Memory.layer(net, "n1")))
      const system = Context.get(yield* Layer.build(layer), ActorSystem.ActorSystem)
      const nobody = yield* system.at(Linked, "nobody", "n2")
      const ask = Effect.forkChild(Effect.exit(nobody.ask({ _tag: "Never" })), { startImmediately: true })
      for (let i = 0; i < limit; i++) yield* ask
      expect(yield* Effect.flip(nobody.ask({ _tag: "Never" }))).toMatchObject({
        _tag: "MailboxFull",
        capacity: limit
      })
    }).pipe(Effect.scoped)
  )
})
