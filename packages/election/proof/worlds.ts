/**
 * An election in a simulated world, seed by seed: its card's guarantees, and how long it takes until all agree again once
 * nothing goes wrong any more, against a bound.
 *
 * A preset of faults counts as far as the card assumes nothing against it. What is left out of it is said by its name here.
 */
import type { Card } from "@troupe/actor"
import type { Election } from "@troupe/election"
import { Faults, Simulation } from "@troupe/simulation"
import type { Transport } from "@troupe/transport"
import { Duration, Effect, Layer, References } from "effect"

/** What a bound is made of, in milliseconds. */
export interface Sizes {
  readonly nodes: number
  /** Messages take so long at the most. */
  readonly delay: number
  /** For so long they had not agreed when the last fault was over. */
  readonly disturbed: number
}

export interface Subject {
  readonly protocol: { readonly name: string }
  readonly card: Card.Card<any>
  readonly layer: () => Layer.Layer<Election, any, Transport>
  /** How long it takes after the last fault until what the card promises in the end holds, and goes on to hold. */
  readonly bound: (sizes: Sizes) => number
}

export interface World {
  /** What goes wrong, in the words of the table. */
  readonly name: string
  readonly faults: Partial<Faults.Faults>
  /** The highest node dies for good, at a moment that the seed draws, and nothing else goes wrong. */
  readonly dies?: true
  /** How much longer than its bound it may take, after that. */
  readonly extraMillis?: number
  /** Of the card's guarantees, those that it is not held to here. */
  readonly but?: ReadonlyArray<string>
  /** What the election stands on besides the transport; made anew for each seed. */
  readonly provide?: () => (election: Layer.Layer<Election, any, Transport>) => Layer.Layer<Election, any, Transport>
}

export interface Outcome {
  readonly violations: ReadonlyArray<string>
  readonly worstMillis: number
  readonly boundMillis: number
}

/** Of faults: they are over by 70 % of it. */
const plannedMillis = 30_000
const calmMillis = plannedMillis * Faults.over
/** A run ends when all have agreed for so long after the last fault: longer than it takes to miss a leader. */
const settledMillis = 6_000
/** Or when they have not, after so long: no bound is longer. */
const patienceMillis = 60_000

/** One run, of three nodes in two seeds of three, of five in the third. */
export const run = async (subject: Subject, world: World, seed: number): Promise<Outcome> => {
  const nodes = Array.from({ length: seed % 3 === 0 ? 5 : 3 }, (_, i) => `n${i + 1}`)
  const faults: Faults.Faults = { ...Faults.none, ...world.faults }
  const plan = Faults.plan({ seed, nodes, faults, durationMillis: plannedMillis })
  const death = world.dies === undefined ? [] : [5_000 + ((seed * 617) % 5_000)]
  const calm = hasFaultyMessages(faults)
    ? calmMillis
    : Math.max(0, ...death, ...plan.map((event) => event.atMillis + ("forMillis" in event ? event.forMillis : 0)))
  const seen = agreement(subject, calm)
  const layer = (world.provide?.() ?? ((election) => election))(subject.layer())
  const { durationMillis, violations } = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes,
      faults,
      scheduled: death.map((atMillis) => ({ _tag: "Crash", node: nodes.at(-1)!, atMillis, forMillis: 1e9 })),
      planned: Duration.millis(plannedMillis),
      duration: Duration.millis(calm + patienceMillis + 2 * settledMillis),
      test: ({ world }) =>
        Effect.gen(function* () {
          yield* Effect.sleep(Duration.millis(calm))
          const isSettled = () => world.nowMillis - Math.max(calm, seen.since() ?? world.nowMillis) >= settledMillis
          while (!isSettled() && world.nowMillis < calm + patienceMillis) yield* Effect.sleep("1 second")
        }),
      properties: [
        ...Simulation.fromCard(subject.card, subject.protocol.name).filter(({ name }) => !world.but?.includes(name)),
        seen.property
      ],
      program: () => Layer.build(layer).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
    })
  )
  return {
    violations: [...new Set(violations.map(({ name }) => name))],
    worstMillis: Math.max(0, (seen.since() ?? durationMillis) - calm),
    boundMillis:
      subject.bound({ nodes: nodes.length, delay: faults.delayMillisMax, disturbed: seen.disturbed() }) +
      (world.extraMillis ?? 0)
  }
}

const hasFaultyMessages = ({ duplicationProbability, lossProbability, reorderProbability }: Faults.Faults): boolean =>
  duplicationProbability + lossProbability + reorderProbability > 0

/** Since when what the card promises in the end holds, and for how long it had not when calm came. */
const agreement = ({ card, protocol }: Subject, calm: number) => {
  const promised = card.guarantees.filter(({ kind }) => kind === "eventually")
  let since: number | undefined
  let disturbedSince = 0
  let disturbed: number | undefined
  const property = Simulation.always("since when all agree is noted", (world) => {
    const now = world.nowMillis
    const nodes = world.snapshot(protocol.name)
    if (now >= calm) disturbed ??= since === undefined ? calm - disturbedSince : 0
    if (!promised.every(({ holds }) => holds(nodes))) {
      if (since !== undefined) disturbedSince = now
      since = undefined
    } else since ??= now
    return true
  })
  return { property, since: () => since, disturbed: () => disturbed ?? 0 }
}

// ------------------------------------------------------------------------------- presets, as far as a card allows them

/** What the card assumes not to happen is left out of the preset, and its name says so. */
export const within = ({ assumes: { channels, timing } }: Card.Card<any>, preset: Card.Faults): World => {
  const asked = Faults.presets[preset]
  const left: Record<string, Partial<Faults.Faults>> = {
    ...(channels.loss ? {} : { loss: { lossProbability: 0 } }),
    ...(channels.duplication ? {} : { duplicates: { duplicationProbability: 0 } }),
    ...(channels.order === "any" ? {} : { overtaking: { reorderProbability: 0 } }),
    // They would lose what is sent into them.
    ...(channels.loss ? {} : { splits: { partitionsPerMinute: 0 } }),
    ...(timing === "asynchronous" ? {} : { "standing still": { pausesPerMinute: 0 } })
  }
  const without = Object.entries(left).filter(([, rates]) =>
    Object.keys(rates).some((rate) => asked[rate as keyof Faults.Faults] > 0)
  )
  return {
    name: without.length === 0 ? preset : `${preset}, without ${without.map(([name]) => name).join(", ")}`,
    faults: without.reduce((faults, [, rates]) => ({ ...faults, ...rates }), asked)
  }
}
