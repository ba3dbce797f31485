/** Worlds in which clients of the gossip architecture update and read while nodes and links fail; what must hold then. */
import { Delivery } from "@troupe/consistency"
import { GossipArchitecture } from "@troupe/gossip"
import { Faults, Simulation } from "@troupe/simulation"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import type { Transport } from "@troupe/transport"
import { Clock, Effect, Layer, Random, Schema } from "effect"
import { hearing, type Preset } from "./replicas.ts"

/** All updates, in the order in which a replica executed them. */
type Executed = ReadonlyArray<string>

export const history: GossipArchitecture.Application<Executed, string, void, Executed> = {
  name: "history",
  empty: [],
  values: Schema.Array(Schema.String),
  updates: Schema.String,
  queries: Schema.Void,
  answers: Schema.Array(Schema.String),
  apply: (executed, update) => [...executed, update],
  query: (executed) => executed,
  equals: (a, b) => a.toSorted().join() === b.toSorted().join()
}

export const replicas = ["r1", "r2", "r3"]
const reader = "v1"
export const clients = ["c1", "c2", "c3"]
const nodes = [...replicas, reader, ...clients]

export interface Given {
  readonly seed: number
  readonly preset: Preset
  readonly updates?: number
  readonly architecture?: GossipArchitecture.LayerOptions
  /** What a node hears in place of a message; `undefined`: nothing. For planted faults. */
  readonly tamper?: (message: any) => unknown
  /** In place of the protocol, a wrong one. */
  readonly mutant?: Simulation.Options<never>["program"]
  readonly trace?: Simulation.Options<never>["trace"]
}

const settings: GossipArchitecture.LayerOptions = {
  replicas,
  readers: [reader],
  interval: "150 millis",
  updatesPerGossip: 3,
  recordsPerMessage: 8,
  retry: "400 millis",
  patience: "5 seconds",
  delay: "12 seconds"
}

const actor = `${GossipArchitecture.protocol.name}/${history.name}`
const Key = GossipArchitecture.key(history)

/** What clients did and saw, as a check wants it. */
class Witness {
  private readonly events = new Map<string, Array<Delivery.Event>>()
  /** What each client has seen, of others and of its own. */
  private readonly seen = new Map<string, Set<string>>()
  private readonly wrong: Array<string> = []
  /** Updates of order forced or immediate. */
  private readonly ordered = new Map<string, GossipArchitecture.Order>()
  /** What was said to be in a log. */
  readonly acknowledged = new Set<string>()

  begin(client: string): void {
    this.events.set(client, [])
    this.seen.set(client, new Set())
  }

  seenBy(client: string): ReadonlySet<string> {
    return this.seen.get(client)!
  }

  /** The client makes an update: from now on it may be anywhere. */
  makes(client: string, update: string, order: GossipArchitecture.Order): void {
    if (order !== "causal") this.ordered.set(update, order)
    this.events.get(client)!.push({ _tag: "Send", id: update })
  }

  /** From now on all that the client does comes after it. */
  acknowledges(client: string, update: string): void {
    this.acknowledged.add(update)
    this.hears(client, [update])
  }

  /** The client does not know of it, nor does what it does later come after it: somebody else might have made it. */
  givesUp(client: string, update: string): void {
    const events = this.events.get(client)!
    const isIt = (event: Delivery.Event): boolean => event._tag === "Send" && event.id === update
    const before = events.slice(0, events.findIndex(isIt)).filter(({ _tag }) => _tag === "Deliver")
    this.events.set(`${client}, of ${update}`, [...before, { _tag: "Send", id: update }])
    this.events.set(
      client,
      events.filter((event) => !isIt(event))
    )
  }

  hears(client: string, updates: Iterable<string>): void {
    const seen = this.seen.get(client)!
    for (const update of updates) {
      if (seen.has(update)) continue
      seen.add(update)
      this.events.get(client)!.push({ _tag: "Deliver", id: update })
    }
  }

  reads(client: string, answer: Executed): void {
    const has = new Set(answer)
    const missing = [...this.seenBy(client)].filter((update) => !has.has(update))
    if (missing.length > 0) this.wrong.push(`${client} knew ${missing.join()} and was answered ${answer.join()}`)
    this.hears(client, answer)
  }

  /** What the replicas' values break. */
  judge(values: ReadonlyMap<string, Executed>): ReadonlyArray<string> {
    const wrong = [...this.wrong]
    for (const [node, executed] of values) {
      const twice = executed.filter((update, i) => executed.indexOf(update) < i)
      if (twice.length > 0) wrong.push(`${node} executed ${twice.join()} twice`)
      const missing = [...this.acknowledged].filter((update) => !executed.includes(update))
      if (missing.length > 0) wrong.push(`${node} lacks ${missing.join()}`)
    }
    const agreed = (executed: Executed): string => executed.filter((update) => this.ordered.has(update)).join()
    if (new Set([...values.values()].map(agreed)).size > 1) wrong.push("forced updates are in two orders")
    for (const [update, order] of this.ordered) {
      if (order !== "immediate") continue
      const before = [...values.values()].flatMap((executed) =>
        executed.includes(update) ? [executed.slice(0, executed.indexOf(update)).toSorted().join()] : []
      )
      if (new Set(before).size > 1) wrong.push(`immediate ${update} is in two places`)
    }
    return wrong
  }

  /** Whether the values, and what clients knew when they made an update, are in causal order. */
  causal(values: ReadonlyMap<string, Executed>): string | undefined {
    const trace = new Map<string, ReadonlyArray<Delivery.Event>>(this.events)
    for (const [node, executed] of values)
      trace.set(
        node,
        executed.map((id) => ({ _tag: "Deliver", id }))
      )
    const verdict = Delivery.causal(trace)
    return verdict._tag === "Violated" ? verdict.reason : undefined
  }
}

/** Runs a minute: faults until 42 seconds of it, updates until 40. */
export const simulate = ({ preset, seed, updates = 10, ...given }: Given) => {
  // Which lose in a crash what was not synced.
  const disks = SimulatedDisk.make({ seed })
  const witness = new Witness()
  const lives = new Map<string, number>()
  /** What clients tell each other, other than by the service. */
  const letters: Array<{ readonly timestamp: GossipArchitecture.Timestamp; readonly knows: ReadonlyArray<string> }> = []

  const client = (node: string) =>
    Effect.gen(function* () {
      const life = (lives.get(node) ?? 0) + 1
      lives.set(node, life)
      const board = yield* Key
      const clock = yield* Clock.Clock
      // Whoever has crashed knows nothing of before, and is another client.
      const name = life === 1 ? node : `${node}.${life}`
      witness.begin(name)
      for (let i = 0; i < updates; i++) {
        yield* Effect.sleep(yield* Random.nextIntBetween(0, 6_000))
        if (Number(clock.monotonicTimeNanosUnsafe()) / 1e6 > 40_000) return
        const letter = letters[yield* Random.nextIntBetween(0, letters.length * 2)]
        if (letter !== undefined) {
          yield* board.learn(letter.timestamp)
          witness.hears(name, letter.knows)
        }
        const chance = yield* Random.next
        if (chance < 0.4) {
          const answer = yield* Effect.option(board.query())
          if (answer._tag === "Some") witness.reads(name, answer.value)
        } else {
          const order = chance < 0.8 ? "causal" : chance < 0.95 ? "forced" : "immediate"
          const update = `${name}-${i}`
          witness.makes(name, update, order)
          const done = yield* Effect.option(board.update(update, order))
          if (done._tag === "Some") witness.acknowledges(name, update)
          else witness.givesUp(name, update)
        }
        letters.push({ timestamp: yield* board.timestamp, knows: [...witness.seenBy(name)] })
      }
    })

  const program = (node: string): Effect.Effect<unknown, unknown, Transport | any> =>
    Effect.gen(function* () {
      const layer = GossipArchitecture.layer(Key, history, { ...settings, ...given.architecture }).pipe(
        Layer.provide(disks.layer(node)),
        Layer.provide(hearing(given.tamper ?? ((message) => message)))
      )
      const built = yield* Layer.build(layer)
      if (node.startsWith("c")) yield* Effect.provide(client(node), built)
    })

  const states = (world: { readonly snapshot: (actor: string) => any }): ReadonlyArray<GossipArchitecture.Replica> =>
    world
      .snapshot(actor)
      .flatMap(({ alive, state }: any) => (alive && state.replica !== undefined ? [state.replica] : []))
  const valuesOf = (world: { readonly snapshot: (actor: string) => any }): ReadonlyMap<string, Executed> =>
    new Map(
      world
        .snapshot(actor)
        .flatMap(({ alive, node, state }: any) =>
          alive && state.replica !== undefined ? [[node, state.replica.value as Executed]] : []
        )
    )

  const found: Array<string> = []
  return Effect.map(
    Simulation.run({
      seed,
      nodes,
      faults: Faults.presets[preset],
      duration: "60 seconds",
      stopAtViolation: false,
      program: program as any,
      ...(given.trace === undefined ? {} : { trace: given.trace }),
      properties: [
        ...Simulation.fromCard(GossipArchitecture.cardOf(history), actor),
        Simulation.eventually("clients' view, once only, one order", (world) => {
          found.push(...witness.judge(valuesOf(world)))
          return found.length === 0
        }),
        Simulation.eventually("causal order of deliveries", (world) => {
          const reason = witness.causal(valuesOf(world))
          if (reason !== undefined) found.push(reason)
          return reason === undefined
        }),
        Simulation.eventually("the table of executed operations is emptied", (world) =>
          states(world).every((replica) => replica.clients.size === 0)
        )
      ]
    }),
    (result) => ({ ...result, found, executed: witness.acknowledged.size })
  )
}
