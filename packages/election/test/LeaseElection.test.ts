import { Election, InvalidOptions, LeaseElection } from "@troupe/election"
import { Checker, System } from "@troupe/model-checker"
import { type LeaseLayer, MemoryRegister } from "@troupe/register"
import { Faults, Simulation } from "@troupe/simulation"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, References } from "effect"
import { sizes } from "./elections.ts"

const { card, protocol } = LeaseElection
const guarantees = Simulation.fromCard(card, protocol.name)
const nodesOf = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `n${i + 1}`)

interface World {
  readonly nodes: number
  readonly settings?: LeaseLayer.Settings
  /** Where the register does not go down with a node. */
  readonly shared?: MemoryRegister.MemoryRegister
  /** The register is where no leader is. */
  readonly hostStandsAside?: boolean
}

/** The election of a node. What it cannot ask the register is not logged. */
const elected = ({ settings, shared }: World, use: (election: Election["Service"]) => Effect.Effect<unknown>) => {
  const election = LeaseElection.layer(settings)
  const layer = shared === undefined ? election : Layer.provide(election, MemoryRegister.layer(shared))
  return Effect.flatMap(Layer.build(layer as typeof election), (context) => use(Context.get(context, Election))).pipe(
    Effect.provideService(References.MinimumLogLevel, "None")
  )
}

/** Of each seed, what is broken. A register that is shared is a new one for each. */
const search = (
  world: World,
  faults: Partial<Faults.Faults>,
  seeds: number,
  properties: ReadonlyArray<(typeof guarantees)[number]> = guarantees
) =>
  Effect.map(
    Effect.forEach(
      Array.from({ length: seeds }, (_, i) => i + 1),
      (seed) => {
        const given = world.shared === undefined ? world : { ...world, shared: MemoryRegister.make() }
        return Simulation.run({
          seed,
          nodes: nodesOf(world.nodes),
          faults: { ...Faults.none, ...faults },
          properties,
          program: () =>
            elected(given, ({ resign, self }) =>
              given.hostStandsAside === true && self === "n1" ? resign : Effect.void
            )
        })
      }
    ),
    (all) => all.flatMap(({ seed, violations }) => violations.map(({ name }) => ({ seed, name })))
  )

const shared = MemoryRegister.make()
const drifting = { ...Faults.partition, clockDriftPpmMax: 200_000 }

describe("inside its assumptions every guarantee of the card holds (Gray & Cheriton 1989)", () => {
  const sound = (world: World, faults: Partial<Faults.Faults>, seeds = 40) =>
    Effect.map(search(world, faults, seeds), (broken) => expect(broken).toEqual([]))
  for (const faults of card.assumes.tolerates) {
    it.live.each([1, 2, 5])(`faults ${faults}, a node serves the register, %d nodes`, (nodes) =>
      sound({ nodes }, Faults.presets[faults])
    )
  }
  it.live("crashes, where the register survives them", () => sound({ nodes: 5, shared }, Faults.crash))
  it.live("chaos but for nodes that stand still, where the register survives it", () =>
    sound({ nodes: 5, shared }, { ...Faults.chaos, pausesPerMinute: 0 })
  )
  it.live("clocks that are off by a fifth, where that is the bound", () =>
    sound({ nodes: 5, settings: { driftBound: 0.2 }, hostStandsAside: true }, drifting)
  )
})

describe("each weakness of the card is reproduced", () => {
  const worlds: Readonly<Record<string, readonly [World, Partial<Faults.Faults>]>> = {
    "the register's host forgets": [{ nodes: 5 }, Faults.crash],
    "a clock that is off by more than the bound": [
      { nodes: 5, settings: { stop: 0 }, hostStandsAside: true },
      drifting
    ],
    "a leader that stands still": [
      { nodes: 5, shared },
      { ...Faults.chaos, pauseMillisMax: 15_000 }
    ]
  }
  it.live.each(card.weaknesses)("$name", ({ breaks, name }) =>
    Effect.gen(function* () {
      const [world, faults] = worlds[name]!
      const broken = yield* search(
        world,
        faults,
        60,
        guarantees.filter((each) => each.name === breaks)
      )
      expect(broken.length).toBeGreaterThan(0)
    })
  )

  it.live("but for a register that forgets, no two lead in one epoch even then", () =>
    Effect.gen(function* () {
      const only = guarantees.filter(({ name }) => name === "one leader an epoch")
      for (const name of Object.keys(worlds).slice(1)) {
        const [world, faults] = worlds[name]!
        expect(yield* search(world, faults, 30, only)).toEqual([])
      }
    })
  )
})

// -------------------------------------------------------------------------------------------------------- the service

/** Since the start. */
const now = Effect.clockWith((clock) => Effect.map(clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6))

const run = (
  world: World,
  use: (election: Election["Service"]) => Effect.Effect<unknown>,
  test: (simulator: Simulation.Simulator) => Effect.Effect<unknown, unknown>
) =>
  Effect.map(
    Simulation.run({
      seed: 7,
      nodes: nodesOf(world.nodes),
      duration: "1 hour",
      properties: guarantees,
      program: () => elected(world, use),
      test
    }),
    ({ counts, violations }) => {
      expect(violations.filter(({ name }) => name !== "all follow one leader")).toEqual([])
      return counts
    }
  )

describe("a leader that is cut off", () => {
  it.live("stops before another leads, which takes the lease, a look, and the messages", () =>
    Effect.gen(function* () {
      const told: Array<readonly [what: string, millis: number]> = []
      const note = (what: string) => Effect.flatMap(now, (millis) => Effect.sync(() => told.push([what, millis])))
      yield* run(
        { nodes: 3 },
        (election) =>
          Effect.gen(function* () {
            // n1 has the register, and does not stand.
            if (election.self === "n1") return yield* election.resign
            yield* election.whileLeader(() =>
              Effect.onInterrupt(Effect.andThen(note(`${election.self} leads`), Effect.never), () =>
                note(`${election.self} stops`)
              )
            )
          }),
        (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep("10 seconds")
            const leader = told.at(-1)![0].slice(0, 2)
            yield* note("the network splits")
            yield* simulator.split([[leader], nodesOf(3).filter((node) => node !== leader)])
            yield* Effect.sleep("7 seconds")
          })
      )
      const [[leads], [, split], [stops, stoppedMillis], [other, otherMillis]] = told as [
        (typeof told)[0],
        (typeof told)[0],
        (typeof told)[0],
        (typeof told)[0]
      ]
      expect(stops).toBe(leads.replace("leads", "stops"))
      expect(other).toMatch(/leads$/)
      expect(other).not.toBe(leads)
      expect(stoppedMillis).toBeLessThan(otherMillis)
      expect(otherMillis - split).toBeLessThan(5_000 + 938 + 30)
    })
  )
})

describe("a leader that resigns", () => {
  it.live("is followed at once, stands aside, and stands again when it campaigns", () =>
    Effect.gen(function* () {
      const elections = new Map<string, Election["Service"]>()
      yield* run(
        { nodes: 3 },
        (election) => Effect.sync(() => elections.set(election.self, election)),
        () =>
          Effect.gen(function* () {
            const all = () => Effect.suspend(() => Effect.forEach([...elections.values()], (each) => each.leader))
            const led = function* () {
              const seen = (yield* all()).map((leader) => Option.getOrUndefined(leader))
              expect(new Set(seen.map((leader) => leader?.id)).size).toBe(1)
              return seen[0]!
            }
            yield* Effect.sleep("1 second")
            const first = yield* led()
            yield* elections.get(first.id)!.resign
            // Told, taken, announced: 4 messages of 10 ms at the most.
            yield* Effect.sleep("41 millis")
            const second = yield* led()
            expect(second.id).not.toBe(first.id)
            expect(second.epoch).toBeGreaterThan(first.epoch)
            yield* elections.get(second.id)!.resign
            yield* Effect.sleep("61 millis")
            const third = yield* led()
            yield* elections.get(third.id)!.resign
            yield* Effect.sleep("1 minute")
            expect((yield* all()).map(Option.isNone)).toEqual([true, true, true])
            yield* elections.get(first.id)!.campaign
            yield* Effect.sleep("41 millis")
            expect((yield* led()).id).toBe(first.id)
          })
      )
    })
  )
})

describe("its cost in messages, where one node serves the register", () => {
  // Nobody looks, or shows a sign, while it is counted.
  const settings = { lease: "1 hour", stop: 0 } as const
  it.live.each([1, ...sizes])("4(N−1), when all start at once: N = %d", (nodes) =>
    Effect.gen(function* () {
      const counts = yield* run(
        { nodes, settings },
        () => Effect.void,
        () => Effect.sleep("1 second")
      )
      expect(counts.sent).toBe(card.cost.worst.of(nodes))
      expect(card.cost.worst.of(nodes)).toBe(4 * (nodes - 1))
    })
  )

  it.live.each(sizes)("2N, when the register's host resigns: N = %d", (nodes) =>
    Effect.gen(function* () {
      const counts = yield* run(
        { nodes, settings },
        (election) =>
          election.self === "n1" ? Effect.andThen(Effect.sleep("1 second"), election.resign) : Effect.void,
        () => Effect.sleep("2 seconds")
      )
      expect(counts.sent - card.cost.worst.of(nodes)).toBe(card.cost.best.of(nodes))
      expect(card.cost.best.of(nodes)).toBe(2 * nodes)
    })
  )
})

describe("bad input", () => {
  it.live.each([{ lease: "2 hours" }, { lease: -1 }, { driftBound: 2 }, { stop: "1 hour" }, { host: "n9" }] as const)(
    "is refused: %o",
    (settings) =>
      Effect.gen(function* () {
        let error: unknown
        yield* Simulation.run({
          seed: 1,
          nodes: nodesOf(2),
          program: () =>
            Effect.map(Effect.flip(Layer.build(LeaseElection.layer(settings))), (failure) => (error = failure))
        })
        expect(error).toBeInstanceOf(InvalidOptions)
      })
  )
})

// ------------------------------------------------------------------------------------------------- every interleaving

interface Exhausted {
  readonly nodes: number
  /** How many questions a node asks of the register before it is left alone: signs of a leader have no end. */
  readonly calls: number
  readonly network?: System.Network
  readonly crashes?: System.Crashes
  readonly timeouts?: "any" | "synchronous"
  readonly options?: Partial<LeaseElection.Options>
  /** Who may resign once, at any time, and then stand again. */
  readonly resign?: ReadonlyArray<string>
  readonly only?: string
}

/** A leader's term is 90 ms, and it shows a sign every 30 ms. */
const times: LeaseElection.Options = {
  leaseMillis: 100,
  driftBound: 0,
  stopMillis: 10,
  pollMillis: 100,
  register: { retryMillis: 5, giveUpAfter: 4 }
}

const exhaust = async ({ calls, nodes, only, resign = [], ...given }: Exhausted) => {
  const system = System.make({
    name: "lease election",
    members: System.members(protocol, nodesOf(nodes), { ...times, ...given.options }),
    timeouts: given.timeouts ?? "synchronous",
    ...(given.network === undefined ? {} : { network: given.network }),
    ...(given.crashes === undefined ? {} : { crashes: given.crashes }),
    user: {
      memo: 0,
      moves: ({ memo, node }): ReadonlyArray<System.Move<LeaseElection.Command, number>> =>
        resign.includes(node) && memo < 2
          ? [{ _tag: "Command", command: { _tag: memo === 0 ? "Resign" : "Campaign" }, memo: memo + 1 }]
          : []
    },
    within: ({ nodes: all }: System.View<LeaseElection.State>) => all.every(({ state }) => state.lease.calls <= calls),
    properties: System.guarantees(card).filter(
      ({ kind, name }) => kind !== "infinitely often" && (only === undefined || only === name)
    )
  })
  const { complete, properties, uniqueStates } = await Effect.runPromise(Checker.check(system))
  return {
    complete,
    uniqueStates,
    broken: properties.filter(({ verdict }) => verdict === "violated").map(({ name }) => name)
  }
}

describe("every interleaving", () => {
  const split = { splits: [[["n2"], ["n1"]]] }

  it.each([
    { nodes: 2, calls: 5 },
    { nodes: 2, calls: 4, resign: ["n1", "n2"] },
    { nodes: 2, calls: 5, crashes: { max: 1, nodes: ["n2"] } },
    { nodes: 2, calls: 8, network: split },
    { nodes: 2, calls: 6, network: { loss: 3 } },
    { nodes: 3, calls: 4 },
    { nodes: 3, calls: 4, crashes: { max: 1, nodes: ["n2"] } }
  ] as ReadonlyArray<Exhausted>)(
    "at most one leads, one an epoch, where clocks keep to the bound: %o",
    async (given) => {
      const { broken, complete, uniqueStates } = await exhaust(given)
      expect({ broken, complete }).toEqual({ broken: [], complete: true })
      expect(uniqueStates).toBeGreaterThan(50)
    }
  )

  it("two lead where clocks do as they please, in two epochs", async () => {
    const two = await exhaust({ nodes: 2, calls: 4, timeouts: "any", only: "at most one leader" })
    expect(two.broken).toEqual(["at most one leader"])
    const epochs = await exhaust({ nodes: 2, calls: 2, timeouts: "any", only: "one leader an epoch" })
    expect(epochs).toMatchObject({ complete: true, broken: [] })
  })

  it("two lead where a leader's term is longer than the lease", async () => {
    const { broken } = await exhaust({ nodes: 2, calls: 6, network: split, options: { stopMillis: -20 } })
    expect(broken).toEqual(["at most one leader"])
  })
})
