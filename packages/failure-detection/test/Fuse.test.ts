import { describe, expect, it } from "@effect/vitest"
import { Actor, type Card } from "@troupe/actor"
import { FailureNotification, Fuse, type Reason } from "@troupe/failure-detection"
import { Faults, Simulation } from "@troupe/simulation"
import { Memory } from "@troupe/transport"
import { Context, Effect, Fiber, Layer, Stream } from "effect"
import { Hand, nodesOf, sent } from "./detectors.ts"

const { card, defaults, protocol } = Fuse

/** How long it takes at the most from a failure until each member is notified: see the doc of `Fuse`. */
const boundMillis = defaults.deadlineMillis + defaults.intervalMillis + 20

interface Heard {
  readonly node: string
  readonly group: string
  readonly reason: Reason["_tag"]
  readonly atMillis: number
}

/** A world in which each node has FUSE, `test` drives them, and what each is told is noted. */
const world = <A>(
  given: {
    readonly nodes: number
    readonly seed?: number
    readonly seconds?: number
    readonly faults?: Partial<Faults.Faults>
    readonly properties?: Simulation.Options<unknown>["properties"]
    readonly stopAtViolation?: boolean
  },
  test: (
    simulator: Simulation.Simulator,
    services: ReadonlyMap<string, FailureNotification["Service"]>
  ) => Effect.Effect<A, unknown>
) => {
  const heard: Array<Heard> = []
  const services = new Map<string, FailureNotification["Service"]>()
  let time = (): number => 0
  return Effect.map(
    Simulation.run<unknown, A>({
      ...{ seed: given.seed ?? 1, nodes: nodesOf(given.nodes), duration: `${given.seconds ?? 120} seconds` },
      faults: { ...Faults.none, ...given.faults },
      properties: given.properties ?? Simulation.fromCard(card, protocol.name),
      stopAtViolation: given.stopAtViolation ?? true,
      program: Effect.fnUntraced(function* (node: string) {
        const service = Context.get(yield* Layer.build(Fuse.layer()), FailureNotification)
        services.set(node, service)
        const note = ({ group, reason }: { readonly group: string; readonly reason: Reason }) =>
          Effect.sync(() => void heard.push({ node, group, reason: reason._tag, atMillis: time() }))
        yield* Effect.forkScoped(Stream.runForEach(service.notifications, note))
      }),
      test: (simulator) => {
        time = () => simulator.world.nowMillis
        // Until all are up.
        return Effect.andThen(
          Effect.sleep("100 millis"),
          Effect.suspend(() => test(simulator, services))
        )
      }
    }),
    (result) => ({ ...result, heard })
  )
}

/** Who was told, and after how many milliseconds the last one. */
const told = (heard: ReadonlyArray<Heard>, group: string, sinceMillis: number) => {
  const about = heard.filter((each) => each.group === group)
  return {
    nodes: about.map(({ node }) => node).toSorted(),
    lastMillis: Math.max(...about.map(({ atMillis }) => atMillis - sinceMillis))
  }
}

describe("once anybody signals, every live member is notified, exactly once (Dunagan et al. 2004, §3)", () => {
  it.live.each([2, 3, 10])("%d members, and nobody else", (size) =>
    Effect.gen(function* () {
      const { heard, value, violations } = yield* world({ nodes: 12 }, (simulator, services) =>
        Effect.gen(function* () {
          const group = yield* services.get("n1")!.create(nodesOf(size))
          yield* Effect.sleep("10 seconds")
          const at = simulator.world.nowMillis
          yield* services.get(`n${size}`)!.signal(group)
          yield* Effect.sleep("30 seconds")
          return { group, at }
        })
      )
      expect(violations).toEqual([])
      const { lastMillis, nodes } = told(heard, value!.group, value!.at)
      expect(nodes).toEqual(nodesOf(size).toSorted())
      // It needs no more than a message.
      expect(lastMillis).toBeLessThan(11)
      expect(heard.filter(({ reason }) => reason === "Signalled")).toHaveLength(1)
    })
  )
})

describe("once a member or a way fails, every live member is notified, exactly once, within the bound", () => {
  type Do = (simulator: Simulation.Simulator) => Effect.Effect<unknown>
  const failures: ReadonlyArray<readonly [string, Do, ReadonlyArray<string>]> = [
    ["a member crashes", (simulator) => simulator.crash("n3"), ["n1", "n2", "n4", "n5"]],
    ["its creator crashes", (simulator) => simulator.crash("n1"), ["n2", "n3", "n4", "n5"]],
    ["all but one crash", (simulator) => Effect.forEach(["n1", "n2", "n3", "n4"], simulator.crash), ["n5"]],
    ["a member is cut off", (simulator) => simulator.split([["n2"], ["n1", "n3", "n4", "n5"]]), nodesOf(5)],
    ["the network falls apart", (simulator) => simulator.split(nodesOf(5).map((node) => [node])), nodesOf(5)],
    ["one way between two breaks", (simulator) => simulator.cut(["n2"], ["n3"]), nodesOf(5)],
    [
      "a member crashes and is back at once, having forgotten the group",
      (simulator) => Effect.andThen(simulator.crash("n3"), simulator.restart("n3")),
      ["n1", "n2", "n4", "n5"]
    ]
  ]
  it.live.each(failures)("%s", ([, fail, members]) =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 10; seed++) {
        const { heard, value } = yield* world({ nodes: 5, seed, stopAtViolation: false }, (simulator, services) =>
          Effect.gen(function* () {
            const group = yield* services.get("n1")!.create(nodesOf(5))
            yield* Effect.sleep(5_000 + 97 * seed)
            const at = simulator.world.nowMillis
            yield* fail(simulator)
            yield* Effect.sleep("30 seconds")
            return { group, at }
          })
        )
        const { lastMillis, nodes } = told(heard, value!.group, value!.at)
        expect(nodes).toEqual(members)
        expect(lastMillis).toBeLessThanOrEqual(boundMillis)
      }
    })
  )
})

describe("inside its assumptions every guarantee of the card holds", () => {
  /** Each node makes groups with some others, again and again. */
  const program = (node: string) =>
    Effect.gen(function* () {
      const service = Context.get(yield* Layer.build(Fuse.layer()), FailureNotification)
      for (let size = 1; ; size = 1 + (size % 4)) {
        yield* Effect.sleep("4 seconds")
        const at = Number(node.slice(1))
        const others = nodesOf(5).filter((_, other) => (at + other) % 5 < size)
        yield* Effect.ignore(service.create(others))
      }
    })

  it.live.each(card.assumes.tolerates)("faults %s, 5 nodes, seeds 1..15", (faults) =>
    Effect.gen(function* () {
      const { broken } = yield* Simulation.search({
        ...{ seeds: { first: 1, last: 15 }, nodes: nodesOf(5), faults: Faults.presets[faults], duration: "1 minute" },
        properties: [...Simulation.fromCard(card, protocol.name), groupsAreMade],
        program: (node) => Effect.raceFirst(program(node), Effect.andThen(Effect.sleep("45 seconds"), Effect.never))
      })
      expect(broken).toEqual([])
    })
  )

  const groupsAreMade = Simulation.sometimes("a group is made", (world) =>
    world.snapshot(protocol.name).some(({ state }) => Object.values((state as Fuse.State).groups).some(isLive))
  )
  const isLive = ({ members, phase }: Fuse.Group): boolean => phase === "live" && members.length > 1

  it.live("and one that never takes silence for failure breaks it", () =>
    Effect.gen(function* () {
      const { broken } = yield* Simulation.search({
        ...{ seeds: { first: 1, last: 3 }, nodes: nodesOf(3), duration: "1 minute" },
        properties: Simulation.fromCard(card, protocol.name),
        program: (node) =>
          Effect.map(Actor.spawn(protocol, { options: { ...defaults, deadlineMillis: 1e9 } }), (actor) => {
            if (node === "n1") actor.tell({ _tag: "Create", group: "g", members: nodesOf(3) })
          }),
        scheduled: [{ _tag: "Crash", node: "n2", atMillis: 5_000, forMillis: 1e9 }]
      })
      expect(broken.map(({ name }) => name)).toEqual(["all or none"])
    })
  )
})

describe("weaknesses and cost", () => {
  it.live("a broken way ends a group, though each of its members is up", () =>
    Effect.gen(function* () {
      const { heard } = yield* world({ nodes: 3, stopAtViolation: false }, (simulator, services) =>
        Effect.gen(function* () {
          yield* services.get("n1")!.create(nodesOf(3))
          yield* simulator.cut(["n2"], ["n3"])
          yield* Effect.sleep("10 seconds")
        })
      )
      expect(heard.map(({ node }) => node).toSorted()).toEqual(nodesOf(3))
    })
  )

  it.live("load grows with the square of the members, and not with the number of groups", () =>
    Effect.gen(function* () {
      const sentBy = (nodes: number, groups: number) =>
        Effect.map(
          world({ nodes, seconds: 60 }, (_, services) =>
            Effect.gen(function* () {
              for (let made = 0; made < groups; made++) yield* services.get("n1")!.create(nodesOf(nodes))
              yield* Effect.sleep("50 seconds")
            })
          ),
          ({ counts }) => counts.sent / 50
        )
      for (const nodes of [2, 5, 10]) {
        expect(Math.abs((yield* sentBy(nodes, 1)) / card.cost.worst.of(nodes) - 1)).toBeLessThan(0.15)
      }
      expect((yield* sentBy(5, 10)) / (yield* sentBy(5, 1))).toBeLessThan(1.6)
      expect(yield* sentBy(5, 0)).toBe(card.cost.best.of(5))
    })
  )

  it("each has its test here", () => {
    expect(card.weaknesses.map(({ name }: Card.Weakness) => name)).toEqual([
      "a broken way ends a group",
      "load grows with the square of the members"
    ])
  })
})

describe("groups that cannot be, and edges", () => {
  const alone = (
    ask: (service: FailureNotification["Service"], simulator: Simulation.Simulator) => Effect.Effect<unknown, unknown>
  ) =>
    Effect.map(
      world({ nodes: 3, stopAtViolation: false }, (simulator, services) => ask(services.get("n1")!, simulator)),
      ({ heard, value }) => ({ heard, value })
    )

  it.live("a stranger is refused by name", () =>
    Effect.gen(function* () {
      const { value } = yield* alone((service) => Effect.flip(service.create(["n2", "n9"])))
      expect(String(value)).toContain('n1 cannot make the group: "n9" is none of its nodes')
    })
  )

  it.live("with a member that is dead it can't be made, and fails at those who had heard of it", () =>
    Effect.gen(function* () {
      const { heard, value } = yield* alone((service, simulator) =>
        Effect.gen(function* () {
          yield* simulator.crash("n3")
          const error = yield* Effect.flip(service.create(["n2", "n3"]))
          yield* Effect.sleep("10 seconds")
          return error.message
        })
      )
      expect(value).toBe('n1 cannot make the group: "n3" did not answer in time')
      expect(heard.map(({ node }) => node).toSorted()).toEqual(["n1", "n2"])
    })
  )

  it.live("of itself alone it is made at once, and ended by its own signal", () =>
    Effect.gen(function* () {
      const { heard, value } = yield* alone((service) =>
        Effect.gen(function* () {
          const group = yield* service.create([])
          const members = (yield* service.groups).get(group)
          yield* service.signal(group)
          yield* service.signal(group)
          return members
        })
      )
      expect(value).toEqual(["n1"])
      expect(heard).toHaveLength(1)
    })
  )

  it.live("`failed` waits, and comes at once for a group that failed, or never was", () =>
    Effect.gen(function* () {
      const { value } = yield* alone((service) =>
        Effect.gen(function* () {
          const group = yield* service.create(["n2"])
          const waiting = yield* Effect.forkChild(service.failed(group))
          yield* Effect.sleep("1 second")
          yield* service.signal(group)
          return [yield* Fiber.join(waiting), yield* service.failed(group), yield* service.failed("never")]
        })
      )
      expect(value).toEqual([{ _tag: "Signalled" }, { _tag: "Unknown" }, { _tag: "Unknown" }])
    })
  )

  it.live("two groups of the same members fail apart", () =>
    Effect.gen(function* () {
      const { heard, value } = yield* alone((service) =>
        Effect.gen(function* () {
          const [first, second] = [yield* service.create(["n2"]), yield* service.create(["n2"])]
          yield* service.signal(first)
          yield* Effect.sleep("20 seconds")
          return { first, still: [...(yield* service.groups).keys()], second }
        })
      )
      const { first, second, still } = value as { first: string; second: string; still: ReadonlyArray<string> }
      expect(still).toEqual([second])
      expect(new Set(heard.map(({ group }) => group))).toEqual(new Set([first]))
    })
  )
})

describe("rules of the protocol", () => {
  const node = (id = "n1") => {
    const hand = new Hand(protocol, defaults, 3, id)
    hand.start()
    return hand
  }
  const members = nodesOf(3)

  it("a group is live when all members have answered, and is confirmed to those who know of it", () => {
    const hand = node()
    expect(sent(hand.tell({ _tag: "Create", group: "g", members }))).toEqual(["n2 Create", "n3 Create"])
    hand.hear("n2", { _tag: "Joined", group: "g" })
    // Who has not answered is asked again; it would not know what a ping is about.
    expect(sent(hand.timeout("tick"))).toEqual(["n3 Create", "n2 Ping"])
    expect(sent(hand.hear("n3", { _tag: "Joined", group: "g" }))).toEqual(["n2 Ping", "n3 Ping"])
    expect(hand.state.groups["g"]!.phase).toBe("live")
  })

  it("a late Create does not bring back a group that has failed", () => {
    const hand = node("n2")
    hand.hear("n1", { _tag: "Create", group: "g", members })
    hand.tell({ _tag: "Signal", group: "g" })
    expect(sent(hand.hear("n1", { _tag: "Create", group: "g", members }))).toEqual(["n1 Failed"])
    expect(hand.state.groups).toEqual({})
  })

  it("who confirms a group that a node doesn't know of is told that it has failed", () => {
    expect(sent(node().hear("n2", { _tag: "Ping", live: ["g"], forming: [] }))).toEqual(["n2 Failed"])
  })

  it("takes no word of one who is no member", () => {
    const hand = node()
    hand.tell({ _tag: "Create", group: "g", members: ["n1", "n2"] })
    hand.hear("n3", { _tag: "Failed", group: "g" })
    hand.hear("n3", { _tag: "Create", group: "h", members: ["n1", "n2"] })
    expect(Object.keys(hand.state.groups)).toEqual(["g"])
  })

  it("names that every object answers to are names like others", () => {
    const hand = node()
    for (const group of ["constructor", "__proto__"]) {
      expect(sent(hand.hear("n2", { _tag: "Ping", live: [group], forming: [] }))).toEqual(["n2 Failed"])
      expect(hand.tell({ _tag: "Signal", group })).toEqual([])
    }
  })

  it("remembers no more than 1,024 groups that have failed", () => {
    const hand = node()
    for (let made = 0; made < 2_000; made++) {
      hand.tell({ _tag: "Create", group: `g${made}`, members: ["n1"] })
      hand.tell({ _tag: "Signal", group: `g${made}` })
    }
    expect(hand.state.failed).toHaveLength(1_024)
    expect(hand.state.failed.at(-1)).toBe("g1999")
  })

  it.effect("a deadline that is over before the next ping is refused", () =>
    Effect.gen(function* () {
      const layer = Layer.provide(
        Fuse.layer({ deadline: "1 second" }),
        Memory.layer(Memory.network({ nodes: ["n1"] }), "n1")
      )
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      expect(error.message).toContain("a deadline of 1000 ms is over before the next ping, after 1000 ms")
    })
  )
})
