import { Protocol } from "@troupe/actor"
import { BoundedCounter, GCounter, OrSet, PrunedDifferently, Replicated, ReplicaReused } from "@troupe/gossip"
import { Faults, Simulation } from "@troupe/simulation"
import { Memory } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { hearing, nodesOf, type Preset, simulate } from "../proof/replicas.ts"
import { kinds } from "./crdtHistories.ts"

const { card, defaults, protocol } = Replicated
const names = OrSet.crdt(Schema.String)
type State = Replicated.State<OrSet.OrSet<string>>

// ---------------------------------------------------------------------------------------------------------- single rules

const ask = { _tag: "Ask", life: 0, after: -1, upTo: 0, missing: 0 }

/** A replica by name, in a life by number, taken through inputs one by one. */
const replica = (id: string, given: Partial<Replicated.Options> = {}, life = 1) => {
  const self = Protocol.self(id, ["n1", "n2", "n3"], { ...defaults, replica: id, ...given })
  let state = protocol.init(self)
  const step = (input: Protocol.Input<any, Replicated.Command<OrSet.OrSet<string>>, "round">) => {
    const next = Protocol.step(protocol, self, state, input, { random: () => life / 2 ** 48 })
    state = next.state
    return next.actions.filter(({ _tag }) => _tag !== "SetTimer")
  }
  step({ _tag: "Start" })
  return {
    state: (): State => state,
    add: (...elements: ReadonlyArray<string>) =>
      elements.map((element) =>
        step({ _tag: "Command", command: { _tag: "Update", mutate: (set, name) => OrSet.add(set, name, element) } })
      ),
    prune: (...departed: ReadonlyArray<string>) => step({ _tag: "Command", command: { _tag: "Prune", departed } }),
    round: () => step({ _tag: "Timeout", timer: "round" }),
    hear: (from: string, message: unknown) => step({ _tag: "Message", from, message }),
    has: (element: string) => OrSet.has(state.value, element)
  }
}
type Node = ReturnType<typeof replica>

const sends = (actions: ReturnType<Node["round"]>): ReadonlyArray<any> =>
  actions.flatMap((action) => (action._tag === "Send" ? [action.message] : []))
const failures = (actions: ReturnType<Node["round"]>): ReadonlyArray<unknown> =>
  actions.flatMap((action) => (action._tag === "Emit" && action.event._tag === "Refused" ? [action.event.failure] : []))
/** What `from` sends to `to` arrives, and the answers, and so on. */
const talk = (from: Node, to: Node, fromName: string, toName: string, messages: ReadonlyArray<any>): void => {
  for (const message of messages) talk(to, from, toName, fromName, sends(to.hear(fromName, message)))
}
/** Two that have heard all of each other. */
const met = (first = replica("n1"), second = replica("n2")) => {
  talk(first, second, "n1", "n2", [ask])
  talk(second, first, "n2", "n1", [ask])
  return { first, second }
}
const deltaTo = (node: Node, peer: string) => {
  const all = node.round()
  return all.flatMap((action) =>
    action._tag === "Send" && action.to === peer && action.message._tag === "Delta" ? [action.message] : []
  )
}
/** In the rounds of these, n1 and n2 are the only ones that lack something. */
const pair = (given: Partial<Replicated.Options> = {}) => {
  const { first, second } = met(replica("n1", given), replica("n2", given))
  for (const [node, name] of [
    [first, "n1"],
    [second, "n2"]
  ] as const) {
    talk(replica("n3"), node, "n3", name, [ask])
    talk(node, replica("n3"), name, "n3", [])
    node.hear("n3", { ...emptyDelta("n3"), life: 9 })
    node.hear("n3", { _tag: "Ack", life: 1, after: 0, upTo: 0, part: -1 })
  }
  return { first, second }
}
const emptyDelta = (name: string) => ({
  ...{ _tag: "Delta", replica: name, life: 1, restored: 0, after: -1, upTo: 0, part: 0, parts: 1 },
  delta: names.empty
})

describe("delta-intervals (Almeida et al. 2018, algorithm 2)", () => {
  it("a peer is sent what it has not acknowledged, as one delta, until it has", () => {
    const { first, second } = pair()
    first.add("a", "b")
    const [delta] = deltaTo(first, "n2")
    expect(delta).toMatchObject({ after: 0, upTo: 2, parts: 1 })
    expect([...OrSet.values(delta!.delta)].sort()).toEqual(["a", "b"])
    // It is lost, and more comes to it.
    first.add("c")
    const [again] = deltaTo(first, "n2")
    expect(again).toMatchObject({ after: 0, upTo: 3 })
    const answers = sends(second.hear("n1", again))
    expect(answers).toEqual([{ _tag: "Ack", life: 1, after: 0, upTo: 3, part: -1 }])
    first.hear("n2", answers[0])
    first.hear("n3", { _tag: "Ack", life: 1, after: 0, upTo: 3, part: -1 })
    expect(first.round()).toEqual([])
    expect(["a", "b", "c"].every(second.has)).toBe(true)
  })

  it("a delta that stands on what was not heard is not merged: the whole state is asked for", () => {
    const { first, second } = pair()
    first.add("a")
    const forgetful = replica("n2", {}, 2)
    const [delta] = deltaTo(first, "n2")
    expect(sends(forgetful.hear("n1", delta))).toEqual([{ ...ask, life: 1 }])
    expect(forgetful.has("a")).toBe(false)
    talk(forgetful, first, "n2", "n1", [ask])
    expect(forgetful.has("a")).toBe(true)
    expect(second.has("a")).toBe(false)
  })

  it("what a peer sent is not sent back to it, and is passed on to others", () => {
    const { first, second } = pair()
    first.add("a")
    second.hear("n1", deltaTo(first, "n2")[0])
    expect(second.state().sent.get("n1")).toMatchObject({ covered: 1 })
    expect(deltaTo(second, "n3")).toMatchObject([{ after: 0, upTo: 1 }])
  })

  it("who lacks more than the log has kept is sent the whole state", () => {
    const { first, second } = pair({ bufferedDeltas: 2 })
    first.add("a", "b", "c", "d")
    expect(first.state().log).toHaveLength(2)
    const [delta] = deltaTo(first, "n2")
    expect(delta).toMatchObject({ after: -1, upTo: 4 })
    second.hear("n1", delta)
    expect(["a", "b", "c", "d"].every(second.has)).toBe(true)
  })

  it("what does not fit goes in parts, so many in a round, those again that were not acknowledged", () => {
    const { first, second } = pair({ packetBytes: 256, messagesPerRound: 3 })
    first.add(...Array.from({ length: 60 }, (_, i) => `element number ${i}`))
    let rounds = 0
    const missing = new Set<number>()
    for (; second.state().value.context.replicas.get("n1")?.[1] !== 60 && rounds < 60; rounds++) {
      const parts = deltaTo(first, "n2")
      expect(parts.length).toBeLessThanOrEqual(3)
      // The first of each round is lost for a while.
      for (const part of parts.slice(rounds < 5 ? 1 : 0)) {
        missing.add(part.part)
        expect(second.state().heard.get("n1")?.upTo).toBe(0)
        for (const answer of sends(second.hear("n1", part))) first.hear("n2", answer)
      }
    }
    expect(rounds).toBeGreaterThan(5)
    expect(OrSet.size(second.state().value)).toBe(60)
    expect(second.state().heard.get("n1")).toMatchObject({ upTo: 60, arriving: undefined })
    expect(first.state().transfers.has("n2")).toBe(false)
  })

  it("who asks again while parts are arriving is sent the rest, and not all from the start", () => {
    const { first } = pair({ packetBytes: 256, messagesPerRound: 3 })
    first.add(...Array.from({ length: 60 }, (_, i) => `element number ${i}`))
    const back = replica("n2", { messagesPerRound: 3 }, 2)
    first.hear("n2", ask)
    let rounds = 0
    for (; OrSet.size(back.state().value) < 60 && rounds < 40; rounds++) {
      talk(first, back, "n1", "n2", deltaTo(first, "n2"))
      for (const again of sends(back.round())) if (again._tag === "Ask") first.hear("n2", again)
    }
    expect(rounds).toBeLessThan(40)
  })

  it("a change that fits no message and cannot be divided is told of", () => {
    const { first } = pair({ packetBytes: 256 })
    first.add("x".repeat(300))
    expect(failures(first.round())).toMatchObject([{ _tag: "TooLarge", packetBytes: 256 }])
  })

  it("an acknowledgement of another life, or of more than there is, counts for nothing", () => {
    const { first } = pair()
    first.add("a")
    const before = first.state()
    first.hear("n2", { _tag: "Ack", life: 7, after: 0, upTo: 1, part: -1 })
    first.hear("n2", { _tag: "Ack", life: 1, after: 0, upTo: 2, part: -1 })
    expect(first.state()).toBe(before)
  })
})

describe("bad input", () => {
  it("a replica's name that is used again without its changes is refused, and told so", () => {
    const { first, second } = pair()
    first.add("a", "b")
    second.hear("n1", deltaTo(first, "n2")[0])
    const reborn = replica("n1", {}, 2)
    reborn.add("c")
    const whole = sends(reborn.hear("n2", ask))[0]
    const actions = second.hear("n1", whole)
    expect(failures(actions)).toEqual([
      new ReplicaReused({
        replica: "n1",
        reason: "it started anew without 2 of its own changes, which others know"
      })
    ])
    expect(second.has("c")).toBe(false)
    expect(failures(reborn.hear("n2", sends(actions)[0]))).toMatchObject([{ _tag: "ReplicaReused" }])
    expect(reborn.state().reused).toBe(true)
    // From then on it changes nothing.
    reborn.add("d")
    expect(reborn.has("d")).toBe(false)
  })

  it("a name that two nodes use at once is refused", () => {
    const { second } = pair()
    const twin = replica("n2", {}, 5)
    expect(failures(second.hear("n3", sends(twin.hear("n2", ask))[0]))).toMatchObject([
      { _tag: "ReplicaReused", reason: '"n2" and "n3" both use the name' }
    ])
  })

  it("a late message of an earlier life does no harm", () => {
    const { first, second } = pair()
    first.add("a")
    const late = deltaTo(first, "n2")[0]!
    // The replica comes back with what it had kept.
    second.hear("n1", { ...late, life: 2, restored: 1, after: -1 })
    expect(second.has("a")).toBe(true)
    const actions = second.hear("n1", late)
    expect(failures(actions)).toEqual([])
    expect(second.state().heard.get("n1")).toMatchObject({ life: 2 })
  })

  it("states that were pruned differently are refused until both have pruned", () => {
    const { first, second } = pair()
    first.add("a")
    second.hear("n1", deltaTo(first, "n2")[0])
    second.prune("n1")
    first.add("b")
    expect(failures(second.hear("n1", deltaTo(first, "n2")[0]))).toEqual([new PrunedDifferently({ mine: 1, other: 0 })])
    expect(second.has("b")).toBe(false)
  })

  it("whatever cannot be merged leaves the state as it is", () => {
    const { first } = pair()
    const before = first.state().value
    const broken = { ...emptyDelta("n2"), upTo: 5, delta: { store: {}, context: { replicas: [1] } } }
    expect(failures(first.hear("n2", broken))).toMatchObject([{ _tag: "Unmergeable" }])
    expect(first.state().value).toBe(before)
  })

  it.live.each([
    [{ interval: 0 }, "greater than 0"],
    [{ bufferedDeltas: 0 }, "between 1 and 65536"],
    [{ messagesPerRound: 0.5 }, "integer"],
    [{ packetBytes: 10 }, "between 256"],
    [{ replica: "x".repeat(256) }, "255"]
  ] as const)("%j is refused", ([given, reason]) =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes: ["n1"] })
      const failure = yield* Replicated.make(GCounter.crdt, { name: "it", ...given }).pipe(
        Effect.scoped,
        Effect.provide(Memory.layer(network, "n1")),
        Effect.flip
      )
      expect(failure).toMatchObject({ _tag: "InvalidOptions", reason: expect.stringContaining(reason) })
    })
  )
})

// ----------------------------------------------------------------------------------------------------------- the service

const Stock = Replicated.key<BoundedCounter.BoundedCounter, number>("stock")

describe("the service", () => {
  const alone = <A, E>(use: (stock: Context.Service.Shape<typeof Stock>) => Effect.Effect<A, E>) =>
    Effect.flatMap(Effect.service(Stock), use).pipe(
      Effect.provide(Replicated.layer(Stock, BoundedCounter.crdt({ minimum: 10 }), { name: "stock" })),
      Effect.provide(Memory.layer(Memory.network({ nodes: ["n1"] }), "n1"))
    )

  it.live("changes, refuses what the type refuses, and tells the value", () =>
    alone((stock) =>
      Effect.gen(function* () {
        yield* stock.update((state, replica) => BoundedCounter.increment(state, replica, 3))
        yield* stock.tryUpdate((state, replica) => BoundedCounter.decrement(state, replica, 1))
        expect(yield* stock.value).toBe(12)
        const refused = yield* Effect.flip(
          stock.tryUpdate((state, replica) => BoundedCounter.decrement(state, replica, 3))
        )
        expect(refused).toMatchObject({ _tag: "InsufficientRights", rights: 2 })
        expect(yield* stock.value).toBe(12)
      })
    )
  )

  it.live("what a mutator throws is the caller's, and the replica keeps its state", () =>
    alone((stock) =>
      Effect.gen(function* () {
        yield* stock.update((state, replica) => BoundedCounter.increment(state, replica, 3))
        const exit = yield* Effect.exit(
          stock.update(() => {
            throw new Error("no")
          })
        )
        expect(exit._tag).toBe("Failure")
        expect(yield* stock.value).toBe(13)
      })
    )
  )

  it.live("tells the value now, and each later one to who keeps up", () =>
    alone((stock) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(Stream.runCollect(Stream.take(stock.changes, 3)))
        for (let i = 0; i < 2; i++) {
          yield* Effect.sleep("5 millis")
          yield* stock.update((state, replica) => BoundedCounter.increment(state, replica))
        }
        expect(yield* Fiber.join(fiber)).toEqual([10, 11, 12])
      })
    )
  )
})

// ----------------------------------------------------------------------------------------------------------------- worlds

const tight = { interval: "100 millis", bufferedDeltas: 3, packetBytes: 256, messagesPerRound: 4 }

describe("inside its assumptions every guarantee holds, and nothing is lost of whoever stays up", () => {
  it.live.each(
    card.assumes.tolerates.flatMap((preset) => [
      [preset, "as it is", {}, 12],
      [preset, "in small packets, with a short log", tight, 12]
    ]) as ReadonlyArray<readonly [Preset, string, object, number]>
  )("faults %s, %s: %#", ([preset, _how, replicated, seeds]) =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= seeds; seed++) {
        const { violations } = yield* simulate({ seed, preset, replicated })
        expect({ seed, violations }).toEqual({ seed, violations: [] })
      }
    })
  )

  it.live("a run repeats, message by message", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* simulate({ seed: 7, preset: "chaos" }), yield* simulate({ seed: 7, preset: "chaos" })]
      expect(one.counts).toEqual(two.counts)
    })
  )
})

describe("planted faults are found", () => {
  const broken = Effect.fnUntraced(function* (tamper: (message: any) => unknown, preset: Preset) {
    const found = new Set<string>()
    for (let seed = 1; seed <= 10; seed++) {
      const { violations } = yield* simulate({ seed, preset, tamper, kind: kinds[7]! })
      for (const { name } of violations) found.add(name)
    }
    return [...found]
  })

  it.live("merges a delta without what it stands on", () =>
    Effect.map(
      broken((message) => (message._tag === "Delta" ? { ...message, after: -1 } : message), "crash"),
      (found) => expect(found).toContain("convergence")
    )
  )

  it.live("acknowledges what it has not merged", () =>
    Effect.map(
      broken((message) => (message._tag === "Delta" ? { ...message, delta: names.empty } : message), "none"),
      (found) => expect(found).toContain("causal delivery")
    )
  )

  it.live("does not send the state when it is asked for", () =>
    Effect.map(
      broken((message) => (message._tag === "Ask" ? undefined : message), "crash"),
      (found) => expect(found).toContain("convergence")
    )
  )
})

// ------------------------------------------------------------------------------------------------------- cost, weaknesses

/** Nodes that have met make one change; the messages of it, by tag. */
const oneChange = (nodes: number, seed: number) =>
  Effect.gen(function* () {
    const sent: Record<string, number> = {}
    let counts = false
    const Key = Replicated.key<GCounter.GCounter, number>("it")
    const { violations } = yield* Simulation.run({
      seed,
      nodes: nodesOf(nodes),
      duration: "2 minutes",
      program: (node) =>
        Effect.gen(function* () {
          const layer = Replicated.layer(Key, GCounter.crdt, { name: "it" }).pipe(
            Layer.provide(
              hearing((message) => {
                if (counts) sent[message._tag] = (sent[message._tag] ?? 0) + 1
                return message
              })
            )
          )
          const counter = Context.get(yield* Layer.build(layer), Key)
          yield* Effect.sleep("1 minute")
          if (node !== "n1") return
          counts = true
          yield* counter.update((state, replica) => GCounter.increment(state, replica))
        }),
      properties: Simulation.fromCard(Replicated.cardOf(GCounter.crdt), `${protocol.name}/it`)
    })
    expect(violations).toEqual([])
    return sent
  })

describe("cost", () => {
  it.live.each([2, 3, 5, 9])("a change costs 2(N−1) to 2(N−1)² messages, half of them answers: N = %d", (nodes) =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 5; seed++) {
        const { Ack = 0, Delta = 0, ...others } = yield* oneChange(nodes, seed)
        expect(others).toEqual({})
        expect(Ack).toBe(Delta)
        expect(Ack + Delta).toBeGreaterThanOrEqual(card.cost.best.of(nodes))
        expect(Ack + Delta).toBeLessThanOrEqual(card.cost.worst.of(nodes))
      }
    })
  )
})

describe("each weakness of the card is reproduced", () => {
  const Key = Replicated.key<OrSet.OrSet<string>, ReadonlySet<string>>("it")
  const replicas = new Map<string, Context.Service.Shape<typeof Key>>()
  const program = (node: string) =>
    Effect.gen(function* () {
      replicas.set(node, Context.get(yield* Layer.build(Replicated.layer(Key, names, { name: "it" })), Key))
    })
  const shows: Record<string, Effect.Effect<void, unknown>> = {
    "a crash loses what nobody has heard": Effect.gen(function* () {
      const { value } = yield* Simulation.run({
        seed: 1,
        nodes: nodesOf(2),
        faults: Faults.none,
        program,
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep("5 seconds")
            yield* replicas.get("n1")!.update((set, name) => OrSet.add(set, name, "x"))
            yield* simulator.crash("n1")
            yield* simulator.restart("n1")
            yield* Effect.sleep("10 seconds")
            return [yield* replicas.get("n1")!.value, yield* replicas.get("n2")!.value]
          })
      })
      expect(value).toEqual([new Set(), new Set()])
    }),
    "whoever comes back is sent everything": Effect.gen(function* () {
      const { value } = yield* Simulation.run({
        seed: 1,
        nodes: nodesOf(3),
        faults: Faults.none,
        program,
        test: (simulator) =>
          Effect.gen(function* () {
            const states = () =>
              simulator.world.snapshot(`${protocol.name}/it`) as ReadonlyArray<{ node: string; state: State }>
            yield* Effect.sleep("5 seconds")
            yield* replicas.get("n1")!.update((set, name) => OrSet.addAll(set, name, ["a", "b", "c"]))
            yield* Effect.sleep("5 seconds")
            yield* simulator.crash("n3")
            yield* simulator.restart("n3")
            yield* Effect.sleep("10 seconds")
            const back = states().find(({ node }) => node === "n3")!.state
            return {
              size: OrSet.size(back.value),
              from: [...back.heard.keys()].sort(),
              to: [...back.sent.keys()].sort()
            }
          })
      })
      expect(value).toEqual({ size: 3, from: ["n1", "n2"], to: ["n1", "n2"] })
    })
  }

  it("all of them are", () => expect(Object.keys(shows)).toEqual(card.weaknesses.map(({ name }) => name)))
  it.live.each(Object.entries(shows))("%s", ([, show]) => show)
})
