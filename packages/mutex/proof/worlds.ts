/**
 * A lock in a simulated world, seed by seed: its card's guarantees, one body at a time, growing tokens, and how long a
 * request waits, against a bound.
 *
 * A preset of faults counts as far as the card assumes nothing against it. What is left of it is said by its name here.
 */
import { type Card, Membership, type Protocol } from "@troupe/actor"
import { FailureDetector, Heartbeat } from "@troupe/failure-detection"
import { Mutex } from "@troupe/mutex"
import { Faults, Simulation } from "@troupe/simulation"
import { Transport } from "@troupe/transport"
import { Context, Duration, Effect, Fiber, Layer, Option, Random, References, Stream } from "effect"

/** What a bound is made of, in milliseconds: N nodes, messages that take D at the most, stays of S at the most. */
export interface Sizes {
  readonly nodes: number
  readonly delay: number
  readonly stay: number
}

export interface Subject {
  readonly protocol: { readonly name: string }
  readonly card: Card.Card<any>
  readonly layer: (options: { readonly resource: string }) => Layer.Layer<Mutex, any, Transport>
  /** How long a request waits at the most, where nothing goes wrong, or not any more. */
  readonly bound: (sizes: Sizes) => number
}

export interface World {
  /** What goes wrong, in the words of the table. */
  readonly name: string
  readonly faults: Partial<Faults.Faults>
  /** A node that dies for good, at a moment that the seed draws; the others are told of it. */
  readonly death?: "detected" | "left out of the view"
  /** How much longer than its bound a request may wait, after that. */
  readonly extraMillis?: number
  /** What the lock stands on besides the transport. */
  readonly provide?: (lock: Layer.Layer<Mutex, any, Transport>) => Layer.Layer<Mutex, any, Transport>
}

export interface Outcome {
  readonly violations: ReadonlyArray<string>
  readonly worstMillis: number
  readonly boundMillis: number
  readonly entries: number
}

const stayMillis = 30
/** Of requests and of faults: the latter are over by 70 % of it. */
const plannedMillis = 10_000
/** Between two requests, at the most. */
const pauseMillis = 400
const calmMillis = plannedMillis * Faults.over

const nodesOf = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `n${i + 1}`)

/** By the node's own clock, whose rate is off by 200 ppm at the most. */
const now = Effect.clockWith((clock) => Effect.map(clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6))

/** One run, of three nodes in two seeds of three, of five in the third. */
export const run = async (subject: Subject, world: World, seed: number): Promise<Outcome> => {
  const nodes = nodesOf(seed % 3 === 0 ? 5 : 3)
  const faults: Faults.Faults = { ...Faults.none, ...world.faults }
  const diesAtMillis = world.death === undefined ? undefined : 500 + ((seed * 617) % 5_000)
  const victim = nodes[seed % nodes.length]!
  const calm = diesAtMillis ?? (isStormy(faults) ? calmMillis : 0)
  const seen = watch(calm, diesAtMillis === undefined && calm > 0)
  const lock = subject.layer({ resource: "orders" })
  const told = world.provide === undefined ? lock : world.provide(lock)
  const layer =
    world.death === undefined
      ? told
      : world.death === "detected"
        ? Layer.provide(told, detector)
        : Layer.provide(told, viewsWithout(nodes, victim, diesAtMillis! + detectedMillis / 2))
  const boundMillis =
    subject.bound({ nodes: nodes.length, delay: faults.delayMillisMax, stay: stayMillis }) + (world.extraMillis ?? 0)
  const { violations } = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes,
      faults,
      ...(diesAtMillis === undefined
        ? {}
        : { scheduled: [{ _tag: "Crash", node: victim, atMillis: diesAtMillis, forMillis: 1e9 } as const] }),
      planned: Duration.millis(plannedMillis),
      // Who asks last may wait for longer than the bound allows.
      duration: Duration.millis(plannedMillis + pauseMillis + 2 * boundMillis),
      properties: [
        ...Simulation.fromCard(subject.card, `${subject.protocol.name}/orders`),
        Simulation.always("one body at a time", seen.isAlone),
        Simulation.always("tokens increase", seen.isIncreasing)
      ],
      yieldProbability: 0.05,
      program: (node) =>
        Effect.flatMap(Layer.build(layer), (context) => visits(Context.get(context, Mutex), node, seen)).pipe(
          Effect.provideService(References.MinimumLogLevel, "None")
        )
    })
  )
  return {
    violations: [...new Set(violations.map(({ name }) => name))],
    worstMillis: seen.worst(),
    boundMillis,
    entries: seen.entries()
  }
}

/** Whether waiting has no bound while it lasts. */
const isStormy = ({
  crashesPerMinute,
  lossProbability,
  partitionsPerMinute,
  pausesPerMinute
}: Faults.Faults): boolean => crashesPerMinute + lossProbability + partitionsPerMinute + pausesPerMinute > 0

type Watch = ReturnType<typeof watch>

/** Bodies, tokens and waits. A wait counts from the time of calm on; `afterwards`, only where it ends later. */
const watch = (calm: number, afterwards: boolean) => {
  const inside = new Set<string>()
  let worst = 0
  let token = 0
  let isIncreasing = true
  let entries = 0
  const body = (node: string, asked: number, stay: number) => (granted: number) =>
    Effect.acquireUseRelease(
      Effect.map(now, (millis) => {
        inside.add(node)
        entries++
        isIncreasing &&= granted > token
        token = granted
        if (!afterwards || millis >= calm)
          worst = Math.max(worst, millis - (asked < calm && millis >= calm ? calm : asked))
      }),
      () => Effect.sleep(Duration.millis(stay)),
      () => Effect.sync(() => inside.delete(node))
    )
  /** A crash ends a body, and runs no finalizers. */
  const isAlone = ({ isAlive }: Simulation.Simulator["world"]): boolean => {
    for (const node of inside) if (!isAlive(node)) inside.delete(node)
    return inside.size <= 1
  }
  return { body, isAlone, isIncreasing: () => isIncreasing, worst: () => worst, entries: () => entries }
}

/** Asks again and again until the time is over, with pauses; gives up waiting at times. A body whose lease is lost is interrupted. */
const visits = (mutex: Mutex["Service"], node: string, seen: Watch): Effect.Effect<void> =>
  Effect.gen(function* () {
    while ((yield* now) < plannedMillis) {
      yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, pauseMillis)))
      const body = seen.body(node, yield* now, yield* Random.nextIntBetween(0, stayMillis + 1))
      const patience = yield* Random.nextIntBetween(1, 200)
      const entering =
        (yield* Random.nextIntBetween(0, 4)) === 0
          ? mutex.tryLock(Duration.millis(patience), body)
          : mutex.withLock(body)
      yield* Fiber.await(yield* Effect.forkChild(entering))
    }
  })

// ------------------------------------------------------------------------------- presets, as far as a card allows them

/** What the card assumes not to happen is left out of the preset, and its name says so. */
export const within = ({ assumes: { channels, failures } }: Card.Card<any>, preset: Card.Faults): World => {
  const asked = Faults.presets[preset]
  const left: Record<string, Partial<Faults.Faults>> = {
    ...(channels.loss ? {} : { loss: { lossProbability: 0 } }),
    ...(channels.duplication ? {} : { duplicates: { duplicationProbability: 0 } }),
    ...(channels.order === "any" ? {} : { overtaking: { reorderProbability: 0 } }),
    ...(failures === "crash-recovery" ? {} : { crashes: { crashesPerMinute: 0 } }),
    // It would lose what is sent into it.
    ...(channels.loss ? {} : { splits: { partitionsPerMinute: 0 } })
  }
  const without = Object.entries(left).filter(([, rates]) =>
    Object.keys(rates).some((rate) => asked[rate as keyof Faults.Faults] > 0)
  )
  return {
    name: without.length === 0 ? preset : `${preset}, without ${without.map(([name]) => name).join(", ")}`,
    faults: without.reduce((faults, [, rates]) => ({ ...faults, ...rates }), asked)
  }
}

/** What a split does where nothing is lost: messages come late, by up to a second. */
export const heldUp: World = {
  name: "partition, as delays of up to 1 s",
  faults: { delayMillisMax: 1_000, reorderProbability: 0.1 }
}

// ------------------------------------------------------------------------------------------------- who tells of a death

/** After so long everybody that is up has been told of a death. */
export const detectedMillis = 1_000

const detector = Heartbeat.layer({ interval: "200 millis", deadline: "600 millis" })

/** A view of all, and at that time one without the dead. */
const viewsWithout = (nodes: ReadonlyArray<string>, dead: string, atMillis: number): Layer.Layer<Membership> => {
  const first: Protocol.View = { number: 1, members: nodes }
  const second: Protocol.View = { number: 2, members: nodes.filter((node) => node !== dead) }
  const wait = Effect.flatMap(now, (millis) => Effect.sleep(Duration.millis(Math.max(0, atMillis - millis))))
  const views = Stream.concat(Stream.make(first), Stream.fromEffect(Effect.as(wait, second)))
  return Layer.succeed(Membership, { views })
}

/** As an election would say: of those that are up, the lowest leads. */
export const lowestUp = Effect.gen(function* () {
  const { changes, opinions } = yield* FailureDetector
  const { nodes } = yield* Transport
  const leader = Effect.map(opinions, (all) => {
    const rank = nodes.findIndex((node) => (all.get(node)?.status ?? "up") === "up")
    return Option.some({ id: nodes[rank]!, epoch: rank + 1 })
  })
  return Stream.concat(
    Stream.fromEffect(leader),
    Stream.mapEffect(changes, () => leader)
  )
})
