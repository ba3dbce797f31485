import { describe, expect, it } from "@effect/vitest"
import type { Card } from "@troupe/actor"
import { FailureDetector, Swim } from "@troupe/failure-detection"
import { Faults, Simulation } from "@troupe/simulation"
import { among } from "@troupe/transport"
import { Context, Effect, Layer, Stream } from "effect"
import { nodesOf, protocol, simulate, stateOf, until, views } from "./swimSupport.ts"
import { falsePositives, measure } from "./swimWorlds.ts"

const { card } = Swim

type Snapshot = Card.Snapshot<Swim.State>

/** Faults are over after 70 % of two minutes; then this one crashes for good. */
const crashed = { _tag: "Crash", node: "n2", atMillis: 85_000, forMillis: 1e9 } as const

const search = (
  faults: Card.Faults,
  nodes: number,
  seeds: number,
  properties: Simulation.Options<unknown>["properties"] = Simulation.fromCard(card, protocol.name)
) =>
  Simulation.search({
    ...{ seeds: { first: 1, last: seeds }, nodes: nodesOf(nodes), faults: Faults.presets[faults], properties },
    ...{ duration: "2 minutes", scheduled: [crashed], stopAtViolation: false },
    program: () => Layer.build(Swim.layer({ syncInterval: "3 seconds" }))
  })

describe("inside its assumptions every guarantee of the card holds (SWIM §3–4; Lifeguard §IV)", () => {
  for (const faults of card.assumes.tolerates) {
    it.live.each([
      [2, 10],
      [5, 30],
      [16, 8]
    ] as const)(`faults ${faults}, and a crash for good: %d nodes, seeds 1..%d`, ([nodes, seeds]) =>
      Effect.map(search(faults, nodes, seeds), ({ broken }) => expect(broken).toEqual([]))
    )
  }
})

describe("each weakness of the card is reproduced", () => {
  const snapshot = (world: { readonly snapshot: (actor: string) => Card.Snapshot<any> }): Snapshot =>
    world.snapshot(protocol.name)
  const up = (nodes: Snapshot) => nodes.filter(({ alive }) => alive)

  const nobodySlandered = Simulation.always("nobody who is up is taken for dead", (world) => {
    const nodes = up(snapshot(world))
    return nodes.every(({ node }) => nodes.every(({ state }) => Swim.statusOf(state, node) !== "down"))
  })

  const shows: Record<string, Effect.Effect<void, unknown>> = {
    "slow is taken for dead": Effect.map(
      simulate({
        nodes: 5,
        seconds: 120,
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep("5 seconds")
            yield* simulator.pause("n3")
            yield* until(100, () => views(simulator, "n3").includes("down"))
            yield* simulator.unpause("n3")
            // It hears of its death, refutes it, and lives on.
            return yield* until(100, () => views(simulator, "n3").every((status) => status === "up"))
          })
      }),
      ({ value }) => expect(value).toBeLessThan(3_000)
    ),
    "each side of a split takes the other for dead": Effect.map(
      search("partition", 5, 10, [nobodySlandered]),
      ({ failed, shrunk }) => {
        expect(failed).toBeGreaterThan(0)
        expect(shrunk!.result.faults.map(({ _tag }) => _tag)).toContain("Partition")
      }
    ),
    "views differ for a while": Effect.map(
      search("crash", 5, 5, [
        Simulation.always("all hold the same of each", (world) => {
          const nodes = up(snapshot(world))
          return snapshot(world).every(
            ({ node }) =>
              new Set(nodes.filter((other) => other.node !== node).map(({ state }) => Swim.statusOf(state, node)))
                .size <= 1
          )
        })
      ]),
      ({ failed }) => expect(failed).toBeGreaterThan(0)
    )
  }

  it.live.each(card.weaknesses.map(({ name }) => name))("%s", (name) => shows[name]!)
})

describe("its cost", () => {
  it.live.each([1, 2, 5, 20])("is 2N messages a period while nothing fails: N = %d", (nodes) =>
    Effect.gen(function* () {
      const periods = 40
      const { sent } = yield* measure({ nodes, seconds: 5 + periods, countFromMillis: 5_000 })
      const background = new Set(card.cost.background)
      const counted = Object.entries(sent.tags).filter(([tag]) => !background.has(tag))
      const inPlaceOfPings = sent.tags["Sync"] ?? 0
      const messages = counted.reduce((sum, [, count]) => sum + count, 0) + inPlaceOfPings
      expect(Math.abs(messages / periods - card.cost.best.of(nodes))).toBeLessThanOrEqual(0.05 * nodes)
    })
  )
})

describe("joining, leaving, coming back", () => {
  it.live("newcomers that nobody was told of join by one seed, and all know each other", () =>
    Effect.gen(function* () {
      const { value } = yield* simulate({
        nodes: nodesOf(12),
        seconds: 60,
        // Each knows itself alone, and the first.
        program: (node) => Layer.build(Layer.provide(Swim.layer({ seeds: ["n1"] }), alone(node))),
        test: (simulator) =>
          until(100, () => nodesOf(12).every((node) => views(simulator, node).every((status) => status === "up")))
      })
      // Those who come together may miss each other's rumours; they are compared in this time.
      expect(value).toBeLessThan(30_000)
    })
  )

  it.live("joins over a network that loses half of all messages", () =>
    Effect.gen(function* () {
      const { value } = yield* simulate({
        nodes: nodesOf(5),
        seconds: 200,
        change: { lossProbability: 0.5 },
        program: (node) =>
          Layer.build(Layer.provide(Swim.layer({ seeds: ["n1"], syncInterval: "3 seconds" }), alone(node))),
        test: (simulator) =>
          until(100, () => nodesOf(5).every((node) => views(simulator, node).every((status) => status !== undefined)))
      })
      expect(value).toBeLessThan(60_000)
    })
  )

  it.live("who leaves is known to have left, never suspected; who comes back is up, in a new incarnation", () =>
    Effect.gen(function* () {
      const changes: Array<string> = []
      let member: Swim.SwimMember["Service"] | undefined
      const { value } = yield* simulate({
        nodes: 6,
        seconds: 120,
        program: (node) =>
          Effect.gen(function* () {
            const context = yield* Layer.build(Swim.layer())
            if (node === "n4") member = Context.get(context, Swim.SwimMember)
            else {
              const { changes: stream } = Context.get(context, FailureDetector)
              yield* Effect.forkScoped(
                Stream.runForEach(stream, ({ node: about, status }) =>
                  Effect.sync(() => void changes.push(`${about} ${status}`))
                )
              )
            }
          }),
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep("5 seconds")
            yield* member!.leave
            yield* Effect.sleep("30 seconds")
            const left = [...views(simulator, "n4")]
            yield* member!.join(["n1"])
            yield* Effect.sleep("10 seconds")
            return { left, back: views(simulator, "n4"), incarnation: stateOf(simulator, "n4").incarnation }
          })
      })
      expect(value).toEqual({ left: Array(5).fill("left"), back: Array(5).fill("up"), incarnation: 1 })
      expect(changes.toSorted()).toEqual([...Array(5).fill("n4 left"), ...Array(5).fill("n4 up")])
    })
  )

  it.live("closing the layer is leaving", () =>
    Effect.gen(function* () {
      const { value } = yield* simulate({
        nodes: 4,
        seconds: 60,
        program: (node) =>
          node === "n2"
            ? Effect.scoped(Effect.andThen(Layer.build(Swim.layer()), Effect.sleep("5 seconds")))
            : Layer.build(Swim.layer()),
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep("7 seconds")
            return simulator.world
              .snapshot(protocol.name)
              .filter(({ alive }) => alive)
              .map(({ state }) => Swim.statusOf(state, "n2"))
          })
      })
      expect(value).toEqual(["left", "left", "left"])
    })
  )

  it.live.each([
    ["before anybody noticed", 1_000],
    ["while it is suspected", 3_500],
    ["when it is dead to all", 40_000]
  ] as const)(
    "a node that restarts %s, and has forgotten its incarnation, refutes itself back to life",
    ([_when, downMillis]) =>
      Effect.gen(function* () {
        const { value } = yield* simulate({
          nodes: 6,
          seconds: 200,
          test: (simulator) =>
            Effect.gen(function* () {
              // A false accusation first, so that there is an incarnation to forget.
              yield* Effect.sleep("5 seconds")
              yield* simulator.pause("n3")
              yield* until(100, () => views(simulator, "n3").includes("suspected"))
              yield* simulator.unpause("n3")
              yield* Effect.sleep("10 seconds")
              const before = stateOf(simulator, "n3").incarnation
              yield* simulator.crash("n3")
              yield* Effect.sleep(downMillis)
              yield* simulator.restart("n3")
              yield* Effect.sleep("20 seconds")
              return { before, views: views(simulator, "n3"), after: stateOf(simulator, "n3").incarnation }
            })
        })
        expect(value!.before).toBeGreaterThan(0)
        expect(value!.views).toEqual(Array(5).fill("up"))
        expect(value!.after).toBeGreaterThanOrEqual(value!.before)
      })
  )
})

describe("a network that was split", () => {
  it.live("two halves of 30 that took each other for dead find together within seconds of the repair", () =>
    Effect.gen(function* () {
      const nodes = nodesOf(30)
      const halves = [nodes.slice(0, 15), nodes.slice(15)] as const
      const holding = (simulator: Simulation.Simulator, status: string) =>
        nodes.reduce((sum, node) => sum + views(simulator, node).filter((each) => each === status).length, 0)
      const { value } = yield* simulate({
        nodes: 30,
        seconds: 200,
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep("5 seconds")
            const mends = [yield* simulator.cut(halves[0], halves[1]), yield* simulator.cut(halves[1], halves[0])]
            yield* until(500, () => holding(simulator, "down") === 2 * 15 * 15)
            for (const mend of mends) yield* mend
            return yield* until(500, () => holding(simulator, "up") === 30 * 29)
          })
      })
      expect(value).toBeLessThan(15_000)
    })
  )
})

/** A transport that tells of no other node. */
const alone = (node: string) => among([node])

describe("false positives", () => {
  it.live.each([0.01, 0.05])("there are none in five minutes of 30 nodes that lose %d of their messages", (loss) =>
    Effect.gen(function* () {
      const { said } = yield* measure({ nodes: 30, seconds: 300, faults: { lossProbability: loss } })
      expect(falsePositives(said, [])).toEqual({ all: 0, atHealthy: 0 })
    })
  )

  it.live("a fifth of all messages lost: fewer than one an hour and node", () =>
    Effect.gen(function* () {
      const { said } = yield* measure({ nodes: 30, seconds: 300, faults: { lossProbability: 0.2 } })
      const members = new Set(
        said
          .filter(({ status }) => status === "down")
          .map(({ atMillis, node }) => `${node} ${Math.floor(atMillis / 10_000)}`)
      )
      expect(members.size / 30 / (300 / 3_600)).toBeLessThan(1)
    })
  )

  it.live("pauses of 30 seconds kill nobody but the paused, who are back soon after", () =>
    Effect.gen(function* () {
      const scheduled = [10, 40, 70].map((second, at) => ({
        ...{ _tag: "Pause" as const, node: `n${7 * at + 1}`, atMillis: second * 1_000, forMillis: 30_000 }
      }))
      const { said } = yield* measure({ nodes: 30, seconds: 140, scheduled })
      const paused = scheduled.map(({ node }) => node)
      expect(falsePositives(said, paused).all).toBe(0)
      for (const { atMillis, forMillis, node } of scheduled) {
        const last = said.filter((each) => each.node === node && !paused.includes(each.by))
        const ends = new Map(last.map(({ by, status }) => [by, status]))
        expect([...ends.values()]).toEqual(Array(27).fill("up"))
        const back = last.filter(({ status }) => status === "up").map((each) => each.atMillis)
        expect(Math.max(...back)).toBeLessThan(atMillis + forMillis + 5_000)
      }
    })
  )
})
