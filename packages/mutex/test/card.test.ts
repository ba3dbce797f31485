import type { Card } from "@troupe/actor"
import { RicartAgrawala } from "@troupe/mutex"
import { Faults, Simulation } from "@troupe/simulation"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Random } from "effect"
import { enter, guarantee, guarantees, type Lock, nodesOf, using } from "./system.ts"

const { card } = RicartAgrawala

/** Enters ten times, for a time drawn anew, and gives up waiting now and then. */
const impatient = (mutex: Lock): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let i = 0; i < 10; i++) {
      const patience = yield* Random.nextIntBetween(1, 300)
      const stay = Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 30)))
      yield* Effect.timeoutOption(
        mutex.withLock(() => stay),
        Duration.millis(patience)
      )
      yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 30)))
    }
  })

const search = (options: {
  readonly nodes: number
  readonly faults: Card.Faults
  readonly seeds: number
  readonly use: (mutex: Lock) => Effect.Effect<void>
  readonly properties?: typeof guarantees
  readonly change?: Partial<Faults.Faults>
}) =>
  Simulation.search({
    seeds: { first: 1, last: options.seeds },
    nodes: nodesOf(options.nodes),
    program: using(options.use),
    faults: { ...Faults.presets[options.faults], ...options.change },
    properties: options.properties ?? guarantees,
    yieldProbability: 0.05
  })

describe("inside its assumptions every guarantee of the card holds (Ricart & Agrawala 1981)", () => {
  for (const faults of card.assumes.tolerates) {
    it.live.each([
      [1, 30],
      [2, 100],
      [3, 400],
      [5, 200]
    ] as const)(`faults ${faults}, %o (nodes, seeds)`, ([nodes, seeds]) =>
      Effect.gen(function* () {
        expect((yield* search({ nodes, faults, seeds, use: impatient })).failures).toEqual([])
      })
    )
  }

  it.live("and where messages are doubled and overtake, which it assumes nothing about", () =>
    Effect.gen(function* () {
      const change = { duplicationProbability: 0.2, reorderProbability: 0.5, delayMillisMax: 100 }
      expect((yield* search({ nodes: 3, faults: "none", seeds: 200, use: impatient, change })).failures).toEqual([])
    })
  )
})

describe("each weakness of the card is reproduced", () => {
  const stays: Readonly<Record<string, number>> = { "a node that forgets": 500 }
  it.live.each(card.weaknesses)("$name", (weakness) =>
    Effect.gen(function* () {
      const stay = stays[weakness.name] ?? 30
      // Gives up after a while: else all starve before anything else goes wrong.
      const stubborn = (mutex: Lock) => enter(mutex, 20, stay)
      const patient = (mutex: Lock) =>
        Effect.forEach(nodesOf(10), () => Effect.timeoutOption(enter(mutex, 1, stay), "5 seconds"), { discard: true })
      const properties = guarantee(weakness.breaks!)
      expect(properties).toHaveLength(1)
      const use = weakness.breaks === "no starvation" ? stubborn : patient
      const found = yield* search({ nodes: 5, faults: weakness.faults, seeds: 60, use, properties })
      expect(found.failed).toBeGreaterThan(0)
      expect(found.shrunk!.result.violations[0]!.name).toBe(weakness.breaks)
    })
  )

  it.live("one crash is enough: everybody who asks from then on waits", () =>
    Effect.gen(function* () {
      const result = yield* Simulation.run({
        seed: 1,
        nodes: nodesOf(3),
        program: using((mutex, node) =>
          node === "n3" ? Effect.void : Effect.andThen(Effect.sleep("1 second"), enter(mutex, 1, 10))
        ),
        test: (simulator) => Effect.andThen(simulator.crash("n3"), Effect.sleep("1 hour")),
        duration: "2 hours",
        properties: guarantees
      })
      expect(result.violations.map(({ name }) => name)).toEqual(["no starvation", "a node enters"])
    })
  )
})

describe("it costs 2(N−1) messages an entry (Ricart & Agrawala 1981)", () => {
  it.live.each([...Array.from({ length: 24 }, (_, i) => i + 2), 49])("N = %i", (nodes) =>
    Effect.gen(function* () {
      const messages = 2 * (nodes - 1)
      expect([card.cost.best.of(nodes), card.cost.worst.of(nodes)]).toEqual([messages, messages])
      const entries = 2
      const { counts, violations } = yield* Simulation.run({
        seed: nodes,
        nodes: nodesOf(nodes),
        program: using((mutex) => enter(mutex, entries, 1)),
        properties: guarantees
      })
      expect(violations).toEqual([])
      expect(counts.sent / (entries * nodes)).toBe(messages)
    })
  )
})
