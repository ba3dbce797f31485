import { Election, InvalidOptions, type Leader } from "@troupe/election"
import { Memory } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import { ringElections } from "./rings.ts"
import { run, search, states, type World } from "./ringWorlds.ts"

/** Until a crash is suspected by all with the detector's defaults, and the election that follows is over. */
const noticed = "4 seconds"

/** Crashes that the failure detector notices: a node stays down until all that are up have suspected it. */
const noticedCrashes = { crashesPerMinute: 6, downMillisMin: 5_000, downMillisMax: 9_000 }

describe.each(ringElections)("$name", (election) => {
  const sound = (given: World & { readonly seeds: number }) =>
    Effect.map(search(election, given), ({ failures }) =>
      expect(failures.map(({ seed, violations }) => ({ seed, violations }))).toEqual([])
    )

  describe("inside its assumptions every guarantee of the card holds", () => {
    for (const faults of election.card.assumes.tolerates) {
      it.live(`faults ${faults}, 5 nodes, seeds 1..100`, () => sound({ nodes: 5, faults, seeds: 100 }))
      it.live.each([1, 2, 3, 4, 7])(`faults ${faults}, %d nodes`, (nodes) => sound({ nodes, faults, seeds: 20 }))
    }
    it.live("delays from 0 to 2 s", () =>
      sound({ nodes: 5, seeds: 20, change: { delayMillisMin: 0, delayMillisMax: 2_000 } })
    )
  })

  describe("with a failure detector", () => {
    it.live("one node crashes, and all notice: one leader an epoch, and in the end the highest leads", () =>
      sound({
        nodes: 5,
        faults: "crash",
        change: { ...noticedCrashes, crashesPerMinute: 1 },
        detector: true,
        only: ["one leader an epoch", "the highest leads", "a leader is elected"],
        seeds: 40
      })
    )

    it.live.each(["crash", "partition", "chaos"] as const)("faults %s: one leader an epoch", (faults) =>
      sound({ nodes: 5, faults, detector: true, only: ["one leader an epoch"], seeds: 20 })
    )

    it.live("the leader crashes: the next highest leads, in a later epoch; it comes back, and leads again", () =>
      Effect.map(
        run(election, {
          nodes: 4,
          detector: true,
          test: (simulator) =>
            Effect.gen(function* () {
              const leaders: Array<Leader | undefined> = []
              const note = () => leaders.push(states(election, simulator)["P1"]!.leader)
              yield* Effect.sleep(noticed)
              note()
              yield* simulator.crash("P4")
              yield* Effect.sleep(noticed)
              note()
              yield* simulator.restart("P4")
              yield* Effect.sleep(noticed)
              note()
              return leaders.map((leader) => leader!)
            })
        }),
        ({ value, violations }) => {
          expect(violations).toEqual([])
          expect(value!.map(({ id }) => id)).toEqual(["P4", "P3", "P4"])
          const [first, second, third] = value!.map(({ epoch }) => epoch)
          expect(first! < second! && second! < third!).toBe(true)
        }
      )
    )

    it.live("a bystander crashes: the leader leads on, in its epoch", () =>
      Effect.map(
        run(election, {
          nodes: 4,
          detector: true,
          test: (simulator) =>
            Effect.gen(function* () {
              yield* Effect.sleep(noticed)
              const before = states(election, simulator)["P1"]!.leader
              yield* simulator.crash("P2")
              yield* Effect.sleep(noticed)
              return [before, states(election, simulator)["P1"]!.leader] as const
            })
        }),
        ({ value }) => {
          expect(value![0]).toMatchObject({ id: "P4" })
          expect(value![1]).toEqual(value![0])
        }
      )
    )
  })

  it.live("the leader resigns: the next highest leads; it stands again, and leads again", () => {
    const services: Record<string, Election["Service"]> = {}
    return Effect.map(
      run(election, {
        nodes: 4,
        services,
        test: () =>
          Effect.gen(function* () {
            const leader = () => Effect.map(services["P1"]!.leader, (it) => Option.getOrThrow(it).id)
            yield* Effect.sleep("1 second")
            yield* services["P4"]!.resign
            yield* Effect.sleep("1 second")
            const deputy = yield* leader()
            yield* services["P4"]!.campaign
            yield* Effect.sleep("1 second")
            return [deputy, yield* leader()]
          })
      }),
      ({ value, violations }) => {
        expect(violations).toEqual([])
        expect(value).toEqual(["P3", "P4"])
      }
    )
  })

  it.live.each([
    ["P4", 11],
    ["P2", 7]
  ] as const)(
    "%s comes back when the election is over, unnoticed, and leads in a later epoch, or follows",
    ([node, epoch]) =>
      Effect.map(
        run(election, {
          nodes: 4,
          test: (simulator) =>
            Effect.gen(function* () {
              yield* Effect.sleep("1 second")
              yield* simulator.crash(node)
              yield* simulator.restart(node)
              yield* Effect.sleep("1 second")
              return Object.values(states(election, simulator)).map(({ leader }) => leader)
            })
        }),
        ({ value }) => expect(value!.map((leader) => leader?.epoch)).toEqual([epoch, epoch, epoch, epoch])
      )
  )

  describe("each weakness of the card is reproduced", () => {
    const breaking = election.card.weaknesses.filter(({ breaks }) => breaks !== undefined)
    it.live.each(breaking.map((weakness) => [weakness.name, weakness] as const))("%s", ([, { breaks, faults }]) =>
      Effect.map(
        search(election, { nodes: 5, faults, seeds: faults === "crash" ? 20 : 310, only: [breaks!] }),
        ({ failed }) => expect(failed).toBeGreaterThan(0)
      )
    )

    it.live("forgotten epochs: P1 alone comes back, and counts from the beginning", () =>
      Effect.map(
        run(election, {
          nodes: 2,
          detector: true,
          test: (simulator) =>
            Effect.gen(function* () {
              const epoch = () => states(election, simulator)["P1"]!.leader!.epoch
              yield* Effect.sleep(noticed)
              yield* simulator.crash("P2")
              yield* Effect.sleep(noticed)
              yield* simulator.restart("P2")
              yield* Effect.sleep(noticed)
              const before = epoch()
              yield* simulator.crash("P1")
              yield* simulator.crash("P2")
              yield* simulator.restart("P1")
              yield* Effect.sleep(noticed)
              return [before, epoch()] as const
            })
        }),
        ({ value }) => expect(value![1]).toBeLessThan(value![0])
      )
    )

    it("each has its test here", () => {
      const silent = election.card.weaknesses.filter(({ breaks }) => breaks === undefined)
      expect(silent.map(({ name }) => name)).toEqual(["forgotten epochs"])
    })
  })

  it.effect.each([
    [["P1", "P2", "P2"], "P2 stands on the ring twice"],
    [["P1", "P2"], "P3 is not on the ring"],
    [["P1", "P2", "P3", "P4"], "P4 is on the ring, and not in the group"]
  ] as const)("refuses a ring that is none: %o", ([ring, reason]) =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes: ["P1", "P2", "P3"] })
      const built = Layer.build(election.layer({ ring }).pipe(Layer.provide(Memory.layer(network, "P1"))))
      const failure = yield* Effect.flip(Effect.scoped(built))
      expect(failure).toBeInstanceOf(InvalidOptions)
      expect(failure.message).toContain(reason)
    })
  )

  it.live("takes the order of the ring from its option", () =>
    Effect.gen(function* () {
      const nodes = ["P1", "P2", "P3"]
      const network = Memory.network({ nodes })
      const elections = yield* Effect.forEach(nodes, (node) =>
        Layer.build(election.layer({ ring: ["P2", "P1", "P3"] }).pipe(Layer.provide(Memory.layer(network, node))))
      )
      yield* Effect.yieldNow
      const leaders = yield* Effect.forEach(elections, (context) => Context.get(context, Election).leader)
      expect(leaders.map(Option.map(({ id }) => id))).toEqual(nodes.map(() => Option.some("P3")))
    }).pipe(Effect.scoped)
  )
})

describe.each(ringElections)("$name, where a crash is not noticed by all", (election) => {
  const noticed = { faults: "crash", change: noticedCrashes } as const
  // Seeds in which one of these elections stood still for ever, before an election that does was begun anew.
  it.live.each([
    ...[69, 87, 147, 198, 223, 227, 234, 394].map((seed) => [seed, "crashes that overlap", noticed] as const),
    ...[2, 4, 10, 14, 16, 36, 44, 45, 46, 48, 59].map((seed) => [seed, "short ones", { faults: "crash" }] as const)
  ])("seed %i, %s: the highest leads in the end", ([seed, , faults]) =>
    Effect.map(
      search(election, { ...faults, nodes: 5, detector: true, only: ["the highest leads"], first: seed, seeds: seed }),
      ({ failed }) => expect(failed).toBe(0)
    )
  )
})
