/** The service `Membership`, over each of its layers: in virtual time, and over sockets. */
import { Membership as Views, type Protocol } from "@troupe/actor"
import { Bully } from "@troupe/election"
import { Heartbeat, Swim } from "@troupe/failure-detection"
import {
  CoordinatedMembership,
  Membership,
  StaticMembership,
  ViewSynchrony,
  WeakMembership,
  Multicast
} from "@troupe/group"
import { Faults, Simulation } from "@troupe/simulation"
import { Channel, Memory, Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { Context, Duration, Effect, Exit, Layer, References, Schema, type Scope, Stream } from "effect"
import { describe, expect, it } from "vitest"

type AnyLayer = Layer.Layer<Membership.Membership, any, Transport>
type Service = Membership.Membership["Service"]

const detector = { interval: "200 millis", deadline: "800 millis" } as const

const coordinated = (options: Parameters<typeof CoordinatedMembership.layer>[0] = {}): AnyLayer =>
  CoordinatedMembership.layer(options).pipe(Layer.provide(Bully.layer()), Layer.provide(Heartbeat.layer(detector)))

const weak = (): AnyLayer =>
  WeakMembership.layer().pipe(Layer.provide(Swim.layer({ probeInterval: "200 millis", probeTimeout: "100 millis" })))

/** What each node does, given the service; a failed assertion fails the run. */
const world = (
  layer: AnyLayer,
  programs: Readonly<Record<string, (service: Service) => Effect.Effect<unknown, unknown, Transport | Scope.Scope>>>,
  options: Partial<Simulation.Options<unknown>> = {}
) =>
  Effect.runPromise(
    Simulation.run({
      seed: 1,
      nodes: Object.keys(programs),
      duration: "60 seconds",
      ...options,
      program: (node) =>
        Effect.gen(function* () {
          const context = yield* Layer.build(layer)
          yield* programs[node]!(Context.get(context, Membership.Membership))
          yield* Effect.never
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
    })
  ).then(({ violations }) => expect(violations).toEqual([]))

/** Fails as it should. */
const refused = <E extends { readonly _tag: string }>(effect: Effect.Effect<unknown, E, any>, tag: E["_tag"]) =>
  Effect.map(Effect.flip(effect), (error) => expect(error._tag).toBe(tag))

/** Writes down all that a member is told of. */
const note = (into: Array<string>, { views }: Membership.Group) =>
  Effect.forkScoped(
    Stream.runForEach(views, ({ members, number, primary }) =>
      Effect.sync(() => into.push(`${primary ? number : "partial"}: ${members.join(" ")}`))
    )
  )

const idle = () => Effect.void

describe.each([
  ["coordinated", coordinated],
  ["weak", weak]
] as const)("%s", (name, layer) => {
  it("groups are created, joined, left and destroyed by name; what cannot be is said in a type", async () => {
    let done = 0
    await world(layer(), {
      n1: (service) =>
        Effect.gen(function* () {
          yield* refused(service.join("orders"), "UnknownGroup")
          yield* refused(service.destroy("orders"), "UnknownGroup")
          yield* refused(service.members("orders"), "UnknownGroup")
          yield* refused(service.create("two words"), "InvalidGroupName")
          yield* refused(service.join(""), "InvalidGroupName")
          const orders = yield* service.create("orders")
          yield* refused(service.create("orders"), "AlreadyMember")
          yield* refused(service.join("orders"), "AlreadyMember")
          const stock = yield* service.join("stock", { create: true })
          expect((yield* orders.view).members).toEqual(["n1"])
          yield* stock.leave
          yield* refused(stock.leave, "NotAMember")
          yield* Effect.sleep("10 seconds")
          expect((yield* orders.view).members).toEqual(["n1", "n2"])
          done++
        }),
      n2: (service) =>
        Effect.gen(function* () {
          yield* Effect.sleep("6 seconds")
          yield* refused(service.create("orders"), "GroupExists")
          yield* refused(service.join("stock"), "UnknownGroup")
          expect((yield* service.members("orders")).members).toEqual(["n1"])
          const orders = yield* service.join("orders")
          expect((yield* orders.view).members).toEqual(["n1", "n2"])
          yield* Effect.sleep("10 seconds")
          yield* service.destroy("orders")
          // Its members' streams end, and the name is free.
          yield* Stream.runDrain(orders.views)
          yield* refused(orders.leave, "NotAMember")
          yield* service.create("orders")
          done++
        })
    })
    expect(done).toBe(2)
  })

  it("a scope that closes leaves, and what is sent to a group goes to who is in it", async () => {
    const Hello = Channel.make("hello", Schema.String)
    const heard: Array<string> = []
    const counts: Array<number> = []
    const member = (node: string, stays: number) => (service: Service) =>
      Effect.gen(function* () {
        const transport = yield* Transport
        yield* transport.open(Hello, (from, text) => heard.push(`${node} from ${from}: ${text}`))
        yield* Effect.scoped(Effect.andThen(service.join("g", { create: true }), Effect.sleep(Duration.seconds(stays))))
      })
    await world(layer(), {
      n1: member("n1", 30),
      n2: member("n2", 10),
      n3: (service) =>
        Effect.gen(function* () {
          yield* Effect.sleep("8 seconds")
          const say = yield* Membership.toGroup("g", Hello).pipe(Effect.provideService(Membership.Membership, service))
          counts.push(yield* say("both"))
          yield* Effect.sleep("8 seconds")
          counts.push(yield* say("one"))
        })
    })
    expect(counts).toEqual([2, 1])
    expect(heard.sort()).toEqual(["n1 from n3: both", "n1 from n3: one", "n2 from n3: both"])
  })

  it("who crashes is evicted, and comes back as one that has joined", async () => {
    const views: Array<string> = []
    const stay = (service: Service) => service.join("g", { create: true })
    await world(
      layer(),
      { n1: (service) => Effect.flatMap(stay(service), (group) => note(views, group)), n2: stay, n3: stay },
      { scheduled: [{ _tag: "Crash", node: "n2", atMillis: 15_000, forMillis: 15_000 }] }
    )
    expect(views.slice(-3).map((view) => view.replace(/^\w+/, "k"))).toEqual(["k: n1 n2 n3", "k: n1 n3", "k: n1 n2 n3"])
  })

  it("who gives up waiting is out, and may ask again", () =>
    world(layer(), {
      n1: (service) =>
        Effect.gen(function* () {
          const asked = yield* Effect.timeoutOption(service.create("g"), "1 milli")
          expect(asked._tag).toBe("None")
          yield* Effect.sleep("3 seconds")
          yield* refused(service.members("g"), "UnknownGroup")
          yield* service.create("g")
        }),
      n2: idle
    }))

  it("options out of range are refused", async () => {
    const wrong =
      name === "weak"
        ? WeakMembership.layer({ refreshEvery: 0 }).pipe(Layer.provide(Heartbeat.layer(detector)))
        : coordinated({ partialAfter: 0 })
    const network = Memory.network({ nodes: ["n1"] })
    const exit = await Effect.runPromiseExit(
      Effect.scoped(Layer.build(wrong.pipe(Layer.provide(Memory.layer(network, "n1")))))
    )
    expect(Exit.isFailure(exit) && String(exit.cause)).toMatch("InvalidOptions")
  })
})

describe("coordinated", () => {
  const split = (minority: CoordinatedMembership.Minority) => {
    const views: Record<string, Array<string>> = { n1: [], n2: [], n3: [] }
    const stay = (node: string) => (service: Service) =>
      Effect.flatMap(service.join("g", { create: true }), (group) => note(views[node]!, group))
    const lost = {
      _tag: "Partition",
      side: ["n1"],
      direction: "both",
      atMillis: 15_000,
      forMillis: 20_000
    } as const satisfies Omit<Extract<Faults.Event, { readonly _tag: "Partition" }>, "index">
    return world(
      coordinated({ minority }),
      { n1: stay("n1"), n2: stay("n2"), n3: stay("n3") },
      { scheduled: [lost] }
    ).then(() => views)
  }
  const after = (views: ReadonlyArray<string>): ReadonlyArray<string> =>
    views.slice(views.findIndex((view) => view.endsWith("n1 n2 n3")) + 1)

  it("a minority waits, and is let in again when the split heals", async () => {
    const views = await split("block")
    expect(after(views["n1"]!).map((view) => view.slice(3))).toEqual(["n1 n2 n3"])
    expect(after(views["n2"]!).map((view) => view.slice(3))).toEqual(["n2 n3", "n1 n2 n3"])
    expect(after(views["n3"]!)).toEqual(after(views["n2"]!))
  })

  it("or goes on with a partial view, which says so, and is merged when the split heals", async () => {
    const views = await split("partial")
    expect(after(views["n1"]!).map((view) => view.replace(/^\d/, "k"))).toEqual(["partial: n1", "k: n1 n2 n3"])
    expect(after(views["n2"]!).map((view) => view.replace(/^\d/, "k"))).toEqual(["k: n2 n3", "k: n1 n2 n3"])
  })

  it("so many groups there may be, and not one more; names of groups that are gone can be used again", () =>
    world(coordinated({ maxGroups: 2 }), {
      n1: (service) =>
        Effect.gen(function* () {
          yield* service.create("a")
          yield* service.create("b")
          yield* refused(service.create("c"), "TooManyGroups")
          yield* refused(service.join("c", { create: true }), "TooManyGroups")
          yield* service.destroy("b")
          yield* service.create("b")
        }),
      n2: idle
    }))

  it("any protocol lives in a group: its views are those of the group", async () => {
    const Posts = Channel.make("posts", Schema.String)
    const heard: Record<string, Array<string>> = { n1: [], n2: [], n3: [] }
    const member = (node: string, at: number) => (service: Service) =>
      Effect.gen(function* () {
        yield* Effect.sleep(Duration.seconds(at))
        const inGroup = Membership.ofGroup("g").pipe(Layer.provide(Layer.succeed(Membership.Membership, service)))
        const context = yield* Layer.build(ViewSynchrony.layer().pipe(Layer.provide(inGroup)))
        const multicast = Context.get(context, Multicast.key<ViewSynchrony.Guarantees>())
        const posts = yield* multicast.open(Posts, ({ message }) => heard[node]!.push(message))
        for (let i = 0; i < 20; i++) {
          yield* posts.send(`${node}.${i}`)
          yield* Effect.sleep("500 millis")
        }
      })
    await world(coordinated(), { n1: member("n1", 1), n2: member("n2", 2), n3: member("n3", 8) })
    // Who joins later is delivered all from its view on, and the same as the others.
    const joinedBefore = (node: string, other: string): boolean => {
      const all = heard[node]!
      const later = heard[other]!
      return (
        all
          .slice(all.length - later.length)
          .toSorted()
          .join() === later.toSorted().join()
      )
    }
    expect(new Set(heard["n1"]).size).toBe(60)
    expect(joinedBefore("n1", "n2")).toBe(true)
    expect(joinedBefore("n2", "n3")).toBe(true)
    expect(heard["n3"]!.length).toBeGreaterThan(20)
    expect(heard["n3"]!.length).toBeLessThan(60)
  })

  it("a protocol of a group with partial or local views is told of numbers that rise", async () => {
    const told: Array<Protocol.View> = []
    await world(weak(), {
      n1: (service) =>
        Effect.gen(function* () {
          const inGroup = Membership.ofGroup("g", { local: true }).pipe(
            Layer.provide(Layer.succeed(Membership.Membership, service))
          )
          const context = yield* Layer.build(inGroup)
          yield* Effect.forkScoped(
            Stream.runForEach(Context.get(context, Views).views, (view) => Effect.sync(() => told.push(view)))
          )
        }),
      n2: (service) => service.join("g", { create: true })
    })
    expect(told.map(({ number }) => number)).toEqual(told.map(({ number }) => number).toSorted((a, b) => a - b))
    expect(told.at(-1)!.members).toEqual(["n1", "n2"])
  })

  it("over TCP, three nodes are in one view", async () => {
    const addresses = new Map<string, string>()
    const nodes = ["n1", "n2", "n3"]
    const seen: Array<string> = []
    const node = (self: string) =>
      Effect.gen(function* () {
        const peers = Object.fromEntries(
          nodes.filter((other) => other !== self).map((other) => [other, addresses.get(other) ?? null])
        )
        const transport = yield* Tcp.make({ self, listen: "127.0.0.1:0", peers, backoffMin: 5, backoffMax: 50 })
        addresses.set(self, `127.0.0.1:${transport.address.port}`)
        const quick = CoordinatedMembership.layer({ reportEvery: 20, retryEvery: 20 }).pipe(
          Layer.provide(Bully.layer({ heartbeatEvery: 20, roundTrip: 60 })),
          Layer.provide(Heartbeat.layer({ interval: 20, deadline: 2_000 })),
          Layer.provide(Layer.succeed(Transport, transport))
        )
        const service = Context.get(yield* Layer.build(quick), Membership.Membership)
        return Effect.gen(function* () {
          const { views } = yield* service.join("g", { create: true })
          yield* Stream.runForEach(
            Stream.takeUntil(views, ({ members }) => members.length === 3),
            (view) => Effect.sync(() => seen.push(`${view.number}: ${view.members.join(" ")}`))
          )
        })
      })
    const program = Effect.gen(function* () {
      const joins = yield* Effect.forEach(nodes, node)
      yield* Effect.forEach(joins, (join) => join, { concurrency: "unbounded" })
    })
    await Effect.runPromise(
      Effect.scoped(program).pipe(
        Effect.timeout("20 seconds"),
        Effect.provideService(References.MinimumLogLevel, "None")
      )
    )
    const last = seen.filter((view) => view.endsWith("n1 n2 n3"))
    expect(last.length).toBe(3)
    expect(new Set(last).size).toBe(1)
  }, 25_000)
})

describe("static", () => {
  const groups = { orders: ["n1", "n2"], stock: ["n2"] }

  it("groups are as the list has them", () =>
    world(StaticMembership.layer({ groups }), {
      n1: (service) =>
        Effect.gen(function* () {
          const orders = yield* service.join("orders")
          expect(yield* orders.view).toEqual({ number: 1, members: ["n1", "n2"], joined: ["n1", "n2"], primary: true })
          yield* refused(service.join("orders"), "AlreadyMember")
          yield* refused(service.join("stock"), "FixedGroups")
          yield* refused(service.join("none"), "UnknownGroup")
          yield* refused(service.join("none", { create: true }), "FixedGroups")
          yield* refused(service.create("orders"), "GroupExists")
          yield* refused(service.create("none"), "FixedGroups")
          yield* refused(service.destroy("none"), "UnknownGroup")
          yield* refused(service.destroy("orders"), "FixedGroups")
          yield* refused(service.members("a b"), "InvalidGroupName")
          expect((yield* service.members("stock")).members).toEqual(["n2"])
          yield* orders.leave
          yield* refused(orders.leave, "NotAMember")
          expect(Array.from(yield* Stream.runCollect(orders.views)).length).toBe(1)
          yield* service.join("orders")
        }),
      n2: idle
    }))

  it.each([
    ["a name that names nothing", { "a b": ["n1"] }],
    ["no members", { g: [] }],
    ["a member twice", { g: ["n1", "n2", "n1"] }],
    ["a member that is no node", { g: ["n 1"] }]
  ])("%s is refused", async (_, groups) => {
    const network = Memory.network({ nodes: ["n1"] })
    const layer = StaticMembership.layer({ groups }).pipe(Layer.provide(Memory.layer(network, "n1")))
    const exit = await Effect.runPromiseExit(Effect.scoped(Layer.build(layer)))
    expect(Exit.isFailure(exit) && String(exit.cause)).toMatch("InvalidOptions")
  })
})

describe("weak", () => {
  it.each(["none", "lossy", "crash", "partition", "chaos"] as const)(
    "in the end all see the same members: %s",
    async (preset) => {
      for (let seed = 1; seed <= 6; seed++) {
        const nodes = ["n1", "n2", "n3", "n4"]
        const { violations } = await Effect.runPromise(
          Simulation.run({
            seed,
            nodes,
            faults: Faults.presets[preset],
            duration: "120 seconds",
            planned: "40 seconds",
            properties: Simulation.fromCard(WeakMembership.card, WeakMembership.protocol.name),
            program: () =>
              Effect.gen(function* () {
                const service = Context.get(
                  yield* Layer.build(
                    WeakMembership.layer().pipe(Layer.provide(Swim.layer({ syncInterval: "5 seconds" })))
                  ),
                  Membership.Membership
                )
                yield* service.join("g", { create: true })
                yield* Effect.never
              }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
          })
        )
        expect(violations, `seed ${seed}`).toEqual([])
      }
    }
  )

  it("weakness: each side of a split goes on alone, and a name may be taken twice", async () => {
    const views: Record<string, Array<string>> = { n1: [], n2: [] }
    const create = (node: string) => (service: Service) =>
      Effect.flatMap(service.create("g"), (group) => note(views[node]!, group))
    await world(
      weak(),
      { n1: create("n1"), n2: create("n2") },
      { scheduled: [{ _tag: "Partition", side: ["n1"], direction: "both", atMillis: 0, forMillis: 10_000 }] }
    )
    for (const node of ["n1", "n2"]) {
      expect(views[node]![0]).toBe(`partial: ${node}`)
      expect(views[node]!.at(-1)).toBe("partial: n1 n2")
    }
  })
})
