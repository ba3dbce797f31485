/** Receptionists. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages, Receptionist } from "@troupe/actor"
import { Faults } from "@troupe/simulation"
import { Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Registry } from "../../src/internal/receptionist/Registry.ts"
import { mostEntries } from "../../src/internal/receptionist/talk.ts"
import { Account, plain } from "../system/accounts.ts"
import { network, paths, settled, start } from "./nodes.ts"
import { run } from "./world.ts"

const Accounts = Receptionist.key(Account)

const alone = <A, E>(
  effect: Effect.Effect<A, E, ActorSystem.ActorSystem | Receptionist.Receptionist>
): Effect.Effect<A, unknown> =>
  Effect.provide(effect, Receptionist.layer().pipe(Layer.provideMerge(ActorSystem.layer())))

const services = Effect.all([ActorSystem.ActorSystem, Receptionist.Receptionist])

describe("on one node", () => {
  it.effect("lists who is registered under a key, until it ends or is taken off; one that starts again stays", () =>
    alone(
      Effect.gen(function* () {
        const [system, receptionist] = yield* services
        const [ann, bob, eve] = yield* Effect.forEach(["ann", "bob", "eve"], (name) => system.spawn(plain, { name }))
        for (const each of [ann!, bob!, eve!, ann!]) yield* receptionist.register(Accounts, each)
        expect(yield* receptionist.find(Accounts)).toEqual([ann, bob, eve])
        yield* receptionist.deregister(Accounts, bob!)
        yield* receptionist.deregister(Accounts, bob!)
        yield* system.stop(eve!)
        ann!.tell({ _tag: "Break", why: "ill" })
        yield* settled
        expect(system.counters().restarts).toBe(1)
        expect(yield* receptionist.find(Accounts)).toEqual([ann])
      })
    )
  )

  it.effect("keys are the same if their names are, and the names of their messages", () =>
    alone(
      Effect.gen(function* () {
        const [system, receptionist] = yield* services
        const ann = yield* system.spawn(plain)
        yield* receptionist.register(Receptionist.key(Account, "rich"), ann)
        expect(yield* receptionist.find(Receptionist.key(Account, "rich"))).toEqual([ann])
        expect(yield* receptionist.find(Accounts)).toEqual([])
        const Other = Messages.make("other", { Hi: Messages.tell({}) })
        expect(yield* receptionist.find(Receptionist.key(Other, "rich"))).toEqual([])
      })
    )
  )

  it.effect("refuses who has stopped, names that are too long, and more than it may have", () =>
    alone(
      Effect.gen(function* () {
        const [system, receptionist] = yield* services
        const ann = yield* system.spawn(plain, { name: "ann" })
        const long = Receptionist.key(Account, "x".repeat(257))
        expect((yield* Effect.flip(receptionist.register(long, ann))).message).toContain("256 characters at the most")
        for (let i = 0; i < mostEntries; i++) yield* receptionist.register(Receptionist.key(Account, `${i}`), ann)
        expect((yield* Effect.flip(receptionist.register(Accounts, ann))).message).toBe(
          '"ann" cannot be registered as "account": 4096 are registered on this node, which is as many as may. Put a router in front of several'
        )
        yield* receptionist.register(Receptionist.key(Account, "0"), ann)
        yield* system.stop(ann)
        expect(yield* Effect.flip(receptionist.register(Accounts, ann))).toMatchObject({
          _tag: "RegistrationRefused",
          reason: "it has stopped"
        })
        yield* receptionist.register(Accounts, yield* system.spawn(plain))
      })
    )
  )

  it.effect("a subscription tells who is known now, then each change; who reads slowly gets the latest", () =>
    alone(
      Effect.gen(function* () {
        const [system, receptionist] = yield* services
        const listings = receptionist.subscribe(Accounts)
        const quick = yield* Effect.forkChild(Stream.runCollect(Stream.take(listings, 3)), { startImmediately: true })
        const slow = yield* Effect.forkChild(
          listings.pipe(
            Stream.tap(() => Effect.sleep("1 second")),
            Stream.take(2),
            Stream.runCollect
          ),
          { startImmediately: true }
        )
        yield* settled
        const [ann, bob] = [yield* system.spawn(plain), yield* system.spawn(plain)]
        for (const each of [ann, bob]) {
          yield* receptionist.register(Accounts, each)
          yield* settled
        }
        expect(yield* Fiber.join(quick)).toEqual([[], [ann], [ann, bob]])
        yield* TestClock.adjust("2 seconds")
        expect(yield* Fiber.join(slow)).toEqual([[], [ann, bob]])
      })
    )
  )

  it.effect("tells an actor of listings until that is ended or it does; one that had no room is told again", () =>
    alone(
      Effect.gen(function* () {
        const [system, receptionist] = yield* services
        const Reader = Messages.make("reader", { Listing: Messages.tell({}), Other: Messages.tell({}) })
        const told: Array<number> = []
        let refs: ReadonlyArray<ActorRef<typeof Account.definition>> = []
        const reader = yield* system.spawn(
          Behavior.make(Reader, {
            mailbox: { capacity: 2 },
            init: (self) => {
              receptionist.subscribeActor(Accounts, self.ref, (listing) => {
                refs = listing
                return { _tag: "Listing" }
              })
            },
            on: { Listing: () => void told.push(refs.length), Other: () => {} }
          })
        )
        yield* settled
        const [ann, bob] = [yield* system.spawn(plain), yield* system.spawn(plain)]
        yield* receptionist.register(Accounts, ann)
        yield* settled
        expect(told).toEqual([0, 1])
        for (let i = 0; i < 2; i++) reader.tell({ _tag: "Other" })
        yield* receptionist.register(Accounts, bob)
        yield* settled
        expect(told).toEqual([0, 1])
        yield* TestClock.adjust("1 second")
        yield* settled
        expect(told).toEqual([0, 1, 2])
        receptionist.unsubscribeActor(Accounts, reader)
        yield* system.stop(bob)
        receptionist.subscribeActor(Accounts, reader, () => ({ _tag: "Listing" }))
        yield* system.stop(reader)
        // Too late: it has ended.
        receptionist.subscribeActor(Accounts, reader, () => ({ _tag: "Listing" }))
        yield* system.stop(ann)
        expect(system.counters().deadLetters).toBe(1)
      })
    )
  )
})

const everywhere = ["n1", "n2", "n3"]

it("an interval that is none, and a second receptionist of one system, are refused", async () => {
  expect(() => Receptionist.layer({ interval: 0 })).toThrow("Receptionist.layer: `interval` is 0")
  const second = Effect.flip(Layer.build(Layer.fresh(Receptionist.layer())))
  expect(await Effect.runPromise(alone(Effect.scoped(second)))).toMatchObject({
    _tag: "NameTaken",
    name: "receptionist"
  })
})

describe("on several nodes", () => {
  it.effect("all list who is registered on any, until it ends; this node's first", () =>
    Effect.gen(function* () {
      const net = network(everywhere)
      const all = yield* Effect.forEach(everywhere, (node) => start(net, node))
      yield* settled
      const refs = yield* Effect.forEach(all, ({ system }) => system.spawn(plain, { name: "ann" }))
      for (const [at, { receptionist }] of all.entries()) yield* receptionist.register(Accounts, refs[at]!)
      yield* settled
      const [one, two] = all
      expect(paths(yield* two!.receptionist.find(Accounts))).toEqual(["ann", "n1:ann", "n3:ann"])
      const [here, there] = yield* one!.receptionist.find(Accounts)
      expect(here).toBe(refs[0])
      there!.tell({ _tag: "Deposit", amount: 5 })
      yield* settled
      expect(yield* refs[1]!.ask({ _tag: "Balance" })).toBe(5)
      // It is the same reference as long as it is listed.
      yield* all[2]!.system.stop(refs[2]!)
      yield* settled
      expect(yield* one!.receptionist.find(Accounts)).toEqual([here, there])
      expect(yield* Effect.flip(one!.receptionist.register(Accounts, there!))).toMatchObject({
        reason: "it is at another node. Register it there"
      })
      expect(() => one!.receptionist.subscribeActor(Accounts, there!, () => ({ _tag: "Balance" }))).toThrow(
        '"n2:ann" is at another node'
      )
    }).pipe(Effect.scoped)
  )

  it.effect("a node that comes late learns all, more than a message holds too", () =>
    Effect.gen(function* () {
      const net = network(everywhere)
      const one = yield* start(net, "n1")
      const ann = yield* one.system.spawn(plain)
      const keys = Array.from({ length: 100 }, (_, i) => Receptionist.key(Account, `key ${i}`))
      for (const key of keys) yield* one.receptionist.register(key, ann)
      const two = yield* start(net, "n2")
      yield* settled
      for (const key of keys) expect(yield* two.receptionist.find(key)).toHaveLength(1)
    }).pipe(Effect.scoped)
  )

  it.effect("a node that is down is not listed from then on; again when it answers", () =>
    Effect.gen(function* () {
      const net = network(everywhere)
      const [one, two] = yield* Effect.forEach(["n1", "n2"], (node) => start(net, node))
      yield* two!.receptionist.register(Accounts, yield* two!.system.spawn(plain, { name: "ann" }))
      yield* settled
      one!.down("n2")
      yield* settled
      expect(yield* one!.receptionist.find(Accounts)).toEqual([])
      yield* TestClock.adjust("1 second")
      yield* settled
      expect(paths(yield* one!.receptionist.find(Accounts))).toEqual(["n2:ann"])
    }).pipe(Effect.scoped)
  )

  it.effect("what ends with its node is listed no more; nor what an earlier life of it had", () =>
    Effect.gen(function* () {
      const net = network(everywhere)
      const one = yield* start(net, "n1")
      const two = yield* start(net, "n2")
      yield* two.receptionist.register(Accounts, yield* two.system.spawn(plain, { name: "ann" }))
      yield* settled
      yield* two.end
      yield* settled
      expect(yield* one.receptionist.find(Accounts)).toEqual([])
      const again = yield* start(net, "n2")
      yield* again.receptionist.register(Accounts, yield* again.system.spawn(plain, { name: "bob" }))
      yield* settled
      expect(paths(yield* one.receptionist.find(Accounts))).toEqual(["n2:bob"])
    }).pipe(Effect.scoped)
  )
})

describe("what was under way", () => {
  /** n2, as n1 hears of it; what n1 says to it. */
  const listening = () => {
    const said: Array<any> = []
    const remote = {
      node: "n1",
      nodes: ["n1", "n2"],
      refer: (_: unknown, node: string, { path }: any) => ({ path: `${node}:${path}` })
    }
    const registry = new Registry(
      1,
      remote as any,
      (_, message) => void said.push(message),
      () => {}
    )
    const compare = (life: number, version: number, heardRound: number): void =>
      registry.onCompare({
        ...{
          _tag: "Compare",
          node: "n2",
          life,
          version,
          round: 1,
          heardLife: heardRound === 0 ? 0 : 1,
          heardRound,
          asks: false
        }
      })
    const part = (life: number, version: number, path: string): void => {
      const entry = { id: 1, key: "account", messages: "account", life, serial: 1, path }
      registry.onPart({ _tag: "Part", node: "n2", life, version, part: 0, parts: 1, entries: [entry] })
    }
    /** The number of its latest question. */
    const asked = (): number => said.findLast(({ _tag }) => _tag === "Compare").round
    return { registry, said, compare, part, asked, listed: () => paths(registry.listings.of(Accounts)) }
  }

  it("of an earlier life brings nothing back", () => {
    const { asked, compare, listed, part, said } = listening()
    compare(7, 1, 0)
    part(7, 1, "old")
    compare(8, 1, 0)
    expect(listed()).toEqual(["n2:old"])
    // Only what answers a question since is known to be of a later life.
    expect(said.at(-1)).toMatchObject({ _tag: "Compare", heardLife: 8, asks: true })
    compare(8, 1, asked())
    expect(listed()).toEqual([])
    part(8, 1, "new")
    compare(7, 2, asked() - 1)
    compare(7, 2, 0)
    part(7, 2, "old")
    expect(listed()).toEqual(["n2:new"])
  })

  it("from a node that was taken for dead since does not show it again", () => {
    const { asked, compare, listed, part, registry } = listening()
    registry.compareAll(false)
    compare(7, 1, 0)
    part(7, 1, "ann")
    const before = asked()
    registry.down("n2")
    compare(7, 1, before)
    expect(listed()).toEqual([])
    compare(7, 1, asked())
    expect(listed()).toEqual(["n2:ann"])
  })

  it("and what no receptionist says harms nobody: a node that is none, more entries than may be, parts that do not fit", () => {
    const { compare, listed, registry, said } = listening()
    compare(7, 3, 0)
    const other = { node: "n9", life: 7 }
    registry.onCompare({
      ...{ _tag: "Compare", ...other, version: 1, round: 1, heardLife: 0, heardRound: 0, asks: true }
    })
    registry.onFetch({ _tag: "Fetch", node: "n9", life: 1 })
    registry.onPart({ _tag: "Part", ...other, version: 1, part: 0, parts: 1, entries: [] })
    registry.onPart({ _tag: "Part", node: "n2", life: 7, version: 3, part: 5, parts: 2, entries: [] })
    registry.onPart({ _tag: "Part", node: "n2", life: 7, version: 3, part: 0, parts: 1e9, entries: [] })
    const entry = (id: number) => ({ id, key: "account", messages: "account", life: 7, serial: id, path: `${id}` })
    registry.onPart({ _tag: "Part", node: "n2", life: 7, version: 3, part: 0, parts: 1, entries: [entry(0)] })
    for (let id = 1; id <= mostEntries + 5; id++) {
      registry.onChanged({ _tag: "Changed", node: "n2", life: 7, before: 2 + id, changes: [{ id, entry: entry(id) }] })
    }
    expect(listed()).toHaveLength(mostEntries)
    expect(said).toEqual([{ _tag: "Fetch", node: "n1", life: 7 }])
  })
})

describe.each([
  ["crash", 1, 3],
  ["partition", 1, 3],
  ["chaos", 1, 4]
] as const)("in worlds of %s", (preset, first, last) => {
  it("all list who is left, within an interval and five messages of the calm", async () => {
    for (let seed = first; seed <= last; seed++) {
      const { boundMillis, changes, violations, worstMillis } = await run(seed, Faults.presets[preset])
      expect({ seed, violations }).toEqual({ seed, violations: [] })
      expect(worstMillis).toBeLessThanOrEqual(boundMillis)
      expect(changes).toBeGreaterThan(50)
    }
  })
})
