/** Any lock of this package, held against its card: in every interleaving, and in a simulated world. */
import type { Card, Protocol } from "@troupe/actor"
import { Checker, Property, System } from "@troupe/model-checker"
import { Mutex } from "@troupe/mutex"
import { Faults, Simulation } from "@troupe/simulation"
import type { Transport } from "@troupe/transport"
import { Context, Duration, Effect, Layer, Random, References } from "effect"
import { enter, type Lock, nodesOf } from "./system.ts"

export type Phase = "idle" | "waiting" | "inside"
type Phased = { readonly phase: Phase }

/** `protocol` under `options`, with its card. */
export interface Locking<State extends Phased, Options> {
  /** A protocol; which messages and timers it has is nobody's concern here. */
  readonly protocol: { readonly name: string }
  readonly options: Options
  readonly card: Card.Card<State>
  readonly layer: (options: { readonly resource: string }) => Layer.Layer<Mutex, any, Transport>
}

interface Memo {
  readonly asked: number
  readonly withdrawn: number
  readonly told: number
}

export interface Bounds {
  readonly nodes: number
  /** How often each of the askers enters. */
  readonly entries: number
  /** Default: all nodes. */
  readonly askers?: ReadonlyArray<string>
  /** How often each may withdraw a request that waits. */
  readonly withdrawals?: number
  readonly network?: System.Network
  readonly crashes?: System.Crashes
  /** What else the users tell the locks, each in that order, at any time. */
  readonly commands?: ReadonlyArray<unknown>
  /** Looks for a break of this one alone. */
  readonly only?: string
  readonly stopAtViolation?: boolean
  readonly maxDepth?: number
}

const tokensIncrease = "tokens increase"

/** The last token, whether one did not grow, and how the checker is told of both. */
const record = (hasTokens: boolean) => ({
  init: 0,
  note: (last: number, occurrence: System.Occurrence<unknown, any>): number => {
    if (occurrence._tag !== "Emitted" || !hasTokens) return last
    return occurrence.event.token > last ? occurrence.event.token : NaN
  }
})

/** Every interleaving of nodes that enter and may withdraw. Adds "tokens increase" and "deadlock freedom" to the card. */
export const exhaust = <State extends Phased, Options>(
  { card, options, protocol }: Omit<Locking<State, Options>, "layer">,
  bounds: Bounds
): Promise<Checker.Report> => {
  const nodes = nodesOf(bounds.nodes)
  const { askers = nodes, commands = [], entries, maxDepth, only, withdrawals = 0 } = bounds
  const tell = (command: unknown, memo: Memo) => ({ _tag: "Command", command, memo }) as const
  const acquire = { _tag: "Acquire" }
  const release = { _tag: "Release" }
  const system = System.make<State, any, any, any, any, Memo, number>({
    name: protocol.name,
    members: System.members(protocol as Protocol.Any, nodes, options),
    ...(bounds.network === undefined ? {} : { network: bounds.network }),
    ...(bounds.crashes === undefined ? {} : { crashes: bounds.crashes }),
    user: {
      memo: { asked: 0, withdrawn: 0, told: 0 },
      moves: ({ memo, node, state }) => [
        ...(memo.told < commands.length ? [tell(commands[memo.told], { ...memo, told: memo.told + 1 })] : []),
        ...(state.phase === "idle" && memo.asked < entries && askers.includes(node)
          ? [tell(acquire, { ...memo, asked: memo.asked + 1 })]
          : []),
        ...(state.phase === "inside" ? [tell(release, memo)] : []),
        ...(state.phase === "waiting" && memo.withdrawn < withdrawals
          ? [tell(release, { ...memo, withdrawn: memo.withdrawn + 1 })]
          : [])
      ]
    },
    record: record(only === undefined || only === tokensIncrease),
    properties: [
      ...System.guarantees(card),
      Property.always(tokensIncrease, ({ history }: System.View<State, number>) => !Number.isNaN(history)),
      Property.atTheEnd("deadlock freedom", ({ nodes }: System.View<State, number>) =>
        nodes.every(({ alive, state }) => !alive || state.phase === "idle")
      )
    ].filter(({ name }) => only === undefined || only === name)
  })
  const stopAtViolation = bounds.stopAtViolation ?? true
  return Effect.runPromise(Checker.check(system, { stopAtViolation, ...(maxDepth === undefined ? {} : { maxDepth }) }))
}

/** What is broken, and whether all was seen. */
export const broken = ({ complete, properties }: Checker.Report) => ({
  complete,
  broken: properties.filter(({ verdict }) => verdict !== "holds").map(({ name }) => name)
})

export const nothing = { complete: true, broken: [] }

// --------------------------------------------------------------------------------------------------- simulated worlds

const guaranteesOf = ({ card, protocol }: Locking<any, any>, only?: string) =>
  Simulation.fromCard(card, `${protocol.name}/orders`).filter(({ name }) => only === undefined || only === name)

/** A node with the lock. That it waits for long is not logged. */
const program =
  ({ layer }: Locking<any, any>, use: (mutex: Lock, node: string) => Effect.Effect<void>) =>
  (node: string) =>
    Effect.flatMap(Layer.build(layer({ resource: "orders" })), (context) =>
      use(Context.get(context, Mutex), node)
    ).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

/** Enters a few times, for a time drawn anew, and gives up waiting now and then. */
const impatient = (mutex: Lock): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let i = 0; i < 6; i++) {
      const patience = yield* Random.nextIntBetween(1, 300)
      const stay = Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 30)))
      yield* mutex.tryLock(Duration.millis(patience), () => stay)
      yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 30)))
    }
  })

/** Gives up after a while: else all starve before anything else goes wrong. */
const patient =
  (millis: number) =>
  (mutex: Lock): Effect.Effect<void> =>
    Effect.forEach(nodesOf(20), () => mutex.tryLock("5 seconds", () => Effect.sleep(Duration.millis(millis))), {
      discard: true
    })

export interface Search {
  readonly nodes: number
  readonly seeds: number
  readonly faults?: Card.Faults
  readonly change?: Partial<Faults.Faults>
  /** Default: enters a few times, and gives up waiting now and then. */
  readonly use?: (mutex: Lock, node: string) => Effect.Effect<void>
  readonly only?: string
}

/** Many seeds against the card's guarantees. */
export const search = (locking: Locking<any, any>, { change, faults = "none", nodes, only, seeds, use }: Search) =>
  Effect.runPromise(
    Simulation.search({
      seeds: { first: 1, last: seeds },
      nodes: nodesOf(nodes),
      program: program(locking, use ?? impatient),
      faults: { ...Faults.presets[faults], ...change },
      properties: guaranteesOf(locking, only),
      yieldProbability: 0.05
    })
  )

/** What a weakness of the card breaks in some of the seeds. */
export const reproduce = async (
  locking: Locking<any, any>,
  { breaks, faults }: Card.Weakness,
  {
    nodes = 5,
    seeds = 60,
    stayMillis
  }: { readonly nodes?: number; readonly seeds?: number; readonly stayMillis?: number } = {}
): Promise<ReadonlyArray<string>> => {
  const use =
    breaks === "no starvation"
      ? (mutex: Lock) => enter(mutex, 20, 30)
      : stayMillis === undefined
        ? impatient
        : patient(stayMillis)
  const { failures } = await search(locking, {
    nodes,
    seeds,
    faults,
    use,
    ...(breaks === undefined ? {} : { only: breaks })
  })
  return [...new Set(failures.flatMap(({ violations }) => violations.map(({ name }) => name)))]
}

/** Messages of a run in which each of the nodes does that, and nothing fails. */
export const messages = async (
  locking: Locking<any, any>,
  nodes: number,
  use: (mutex: Lock, node: string) => Effect.Effect<void>,
  seed = nodes
): Promise<number> => {
  const { counts, violations } = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes: nodesOf(nodes),
      program: program(locking, use),
      properties: guaranteesOf(locking).filter(({ name }) => name !== "a node enters"),
      duration: "1 hour"
    })
  )
  if (violations.length > 0) throw new Error(violations.map(({ name }) => name).join(", "))
  return counts.sent
}

/** The nodes enter one after the other, far apart: nobody else asks meanwhile. */
export const inTurns =
  (nodes: number, rounds = 1) =>
  (mutex: Lock, node: string): Effect.Effect<void> =>
    Effect.gen(function* () {
      const rank = nodesOf(nodes).indexOf(node)
      for (let round = 0; round < rounds; round++) {
        yield* Effect.sleep(Duration.seconds(round === 0 ? rank + 1 : nodes))
        yield* mutex.withLock(() => Effect.void)
      }
    })

/** All ask again and again, without pause. */
export const atOnce =
  (times: number) =>
  (mutex: Lock): Effect.Effect<void> =>
    enter(mutex, times, 1)
