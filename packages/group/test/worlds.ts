/**
 * Any multicast of this package at work: in simulated worlds under faults, and over real sockets.
 *
 * Some members send on two topics, all record what is delivered, and the predicates of `Delivery` say whether the layer's
 * guarantees held. A payload that is not as it was sent, a program that fails, and what is logged as an error break it too.
 */
import type { Card } from "@troupe/actor"
import { Delivery } from "@troupe/consistency"
import { Multicast } from "@troupe/group"
import { Faults, Simulation } from "@troupe/simulation"
import { Channel, Memory, Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import * as Udp from "@troupe/transport/Udp"
import { Context, Duration, Effect, Layer, Random, References, Schema, type Scope } from "effect"

/** A layer that is held to what it guarantees. */
export interface Subject {
  readonly name: string
  readonly guarantees: ReadonlyArray<Multicast.Guarantee>
  /** Built anew by each node, at each start. */
  readonly layer: (node: string) => Layer.Layer<Multicast.Multicast<any>, any, Transport>
  /** Whose card is checked where a `Shape` asks for it. */
  readonly protocol?: { readonly name: string; readonly card?: Card.Card<any> }
  /** Whether its views are part of the record: they are told by a `Membership`, and the layer is built with it. */
  readonly hasViews?: boolean
}

/**
 * - `none`, `crash`, `lossy`, `partition`, `chaos`: those of the simulator; who crashes comes back, without its memory.
 * - `half-way`: one of the senders crashes for good, and what it was sending reaches some and not others.
 * - `doubled`: messages are doubled, and overtake each other.
 */
export type World = keyof typeof Faults.presets | "half-way" | "doubled"

export interface Shape {
  readonly nodes?: number
  readonly senders?: number
  /** Of each sender. */
  readonly messages?: number
  /** The longest pause between two messages of a sender. */
  readonly pauseMillis?: number
  readonly durationMillis?: number
  readonly faults?: Partial<Faults.Faults>
  readonly delays?: (from: string, to: string) => Simulation.LinkDelay
  readonly yieldProbability?: number
  /** Whether the guarantees of the card are checked on the states of the protocol, too. Default: false. */
  readonly card?: boolean
}

export interface Outcome {
  readonly seed: number
  readonly verdict: Delivery.Verdict
  readonly trace: Delivery.Trace
  /** What else went wrong: a payload, a program. */
  readonly wrong: ReadonlyArray<string>
  readonly sent: number
  /** The longest from when a message was asked for to its last delivery, in virtual time. */
  readonly worstMillis: number
}

// ---------------------------------------------------------------------------------------------------------- the program

const Letters = Channel.make("letters", Schema.Struct({ id: Schema.String, text: Schema.String }))
const Numbers = Channel.make("numbers/π", Schema.Struct({ id: Schema.String, all: Schema.Array(Schema.Int) }))

const textOf = (id: string): string => `${id} `.repeat(1 + (id.length % 7))
const numbersOf = (id: string): ReadonlyArray<number> => Array.from(id, (character) => character.charCodeAt(0))

class Record {
  readonly recorder: Delivery.Recorder
  readonly wrong: Array<string> = []
  worstMillis = 0
  private readonly asked = new Map<string, number>()
  private readonly starts = new Map<string, number>()

  constructor(nodes: ReadonlyArray<string>) {
    this.recorder = new Delivery.Recorder(nodes)
  }

  /** The life that begins. */
  begin(node: string): number {
    const life = (this.starts.get(node) ?? 0) + 1
    this.starts.set(node, life)
    if (life > 1 && this.recorder.trace.get(node)!.at(-1)?._tag !== "Crash") this.recorder.crashed(node)
    return life
  }

  sends(node: string, id: string): void {
    this.recorder.sent(node, id)
    this.asked.set(id, performance.now())
  }

  delivered<M extends { readonly id: string }>(node: string, delivery: Multicast.Delivery<M>, isIntact: boolean): void {
    const { from, message, view } = delivery
    if (!isIntact) this.wrong.push(`${node} is delivered ${JSON.stringify(message)}`)
    this.recorder.delivered(node, message.id, { from, view })
    this.worstMillis = Math.max(this.worstMillis, performance.now() - this.asked.get(message.id)!)
  }
}

const take = (record: Record, node: string, service: Multicast.Service, hasViews: boolean) =>
  Effect.gen(function* () {
    if (hasViews) {
      let told = -1
      const note = (view: { readonly number: number; readonly members: ReadonlyArray<string> }): void => {
        if (view.number > told) record.recorder.viewed(node, view)
        told = Math.max(told, view.number)
      }
      yield* service.onView(note)
      yield* Effect.forkScoped(Effect.map(service.view, note))
    }
    const letters = yield* service.open(Letters, (delivery) =>
      record.delivered(node, delivery, delivery.message.text === textOf(delivery.message.id))
    )
    const numbers = yield* service.open(Numbers, (delivery) =>
      record.delivered(node, delivery, `${delivery.message.all}` === `${numbersOf(delivery.message.id)}`)
    )
    return { letters, numbers }
  })

type Topics = Effect.Success<ReturnType<typeof take>>

const sendOne = ({ letters, numbers }: Topics, id: string, at: number): Effect.Effect<void, Multicast.SendFailed> => {
  const letter = { id, text: textOf(id) }
  const number = { id, all: numbersOf(id) }
  if (at % 3 === 0) return letters.send(letter)
  if (at % 3 === 1) return numbers.send(number)
  return letters.trySend(letter) ? Effect.void : letters.send(letter)
}

const member = (
  record: Record,
  { hasViews = false, layer }: Subject,
  node: string,
  { messages = 6, pauseMillis = 40 }: Shape,
  isSender: boolean
): Effect.Effect<void, unknown, Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const life = record.begin(node)
    const context = yield* Layer.build(layer(node))
    const topics = yield* take(record, node, Context.get(context, Multicast.key<Multicast.Guarantee>()), hasViews)
    if (!isSender) return
    for (let i = 1; i <= messages; i++) {
      yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, pauseMillis)))
      const id = `${node}${life > 1 ? `-${life}` : ""}.${i}`
      record.sends(node, id)
      yield* Effect.catch(sendOne(topics, id, i), () => Effect.sync(() => record.recorder.retract(node, id)))
    }
  }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

// ---------------------------------------------------------------------------------------------------- simulated worlds

const nodesOf = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `n${i + 1}`)

/** Lets a sender crash while what it sends reaches some of the others only. */
const halfWay = (record: Record, nodes: ReadonlyArray<string>, senders: number) => (simulator: Simulation.Simulator) =>
  Effect.gen(function* () {
    const victim = nodes[yield* Random.nextIntBetween(0, senders - 1)]!
    const others = nodes.filter((node) => node !== victim)
    const first = yield* Random.nextIntBetween(0, others.length - 1)
    const count = yield* Random.nextIntBetween(1, others.length)
    const cutOff = Array.from({ length: count }, (_, i) => others[(first + i) % others.length]!)
    yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 150)))
    const heal = yield* simulator.cut([victim], cutOff)
    yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(5, 60)))
    yield* simulator.crash(victim)
    record.recorder.crashed(victim)
    yield* heal
    yield* Effect.sleep("50 seconds")
  })

const faultsOf = (world: World): Partial<Faults.Faults> =>
  world === "half-way"
    ? {}
    : world === "doubled"
      ? { duplicationProbability: 0.2, reorderProbability: 0.3 }
      : Faults.presets[world]

const actorOf = ({ protocol }: Subject): string => `${protocol!.name}/default`

/** One run of one seed. */
export const simulate = async (subject: Subject, world: World, seed: number, shape: Shape = {}): Promise<Outcome> => {
  const { durationMillis = world === "none" ? 30_000 : 20_000, senders = 2 } = shape
  const nodes = nodesOf(shape.nodes ?? 4)
  const record = new Record(nodes)
  const result = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes,
      duration: Duration.millis(durationMillis),
      faults: { ...faultsOf(world), ...shape.faults },
      program: (node) => member(record, subject, node, shape, nodes.indexOf(node) < senders),
      ...(shape.card === true && { properties: Simulation.fromCard(subject.protocol!.card!, actorOf(subject)) }),
      ...(shape.delays !== undefined && { delays: shape.delays }),
      ...(shape.yieldProbability !== undefined && { yieldProbability: shape.yieldProbability }),
      ...(world === "half-way" && { test: halfWay(record, nodes, senders) })
    })
  )
  const wrong = result.violations.map(({ detail, name }) => `${name}: ${detail}`)
  const { trace } = record.recorder
  return {
    seed,
    verdict: Delivery.check(subject.guarantees, trace),
    trace,
    wrong: [...record.wrong, ...wrong],
    sent: result.counts.sent,
    worstMillis: record.worstMillis
  }
}

/** What of these seeds is broken first; nothing: undefined. */
export const search = async (
  subject: Subject,
  world: World,
  seeds: number,
  shape: Shape = {},
  first = 1
): Promise<Outcome | undefined> => {
  for (let seed = first; seed < first + seeds; seed++) {
    const outcome = await simulate(subject, world, seed, shape)
    if (outcome.verdict._tag === "Violated" || outcome.wrong.length > 0) return outcome
  }
  return undefined
}

/** For people: what broke, and the seed to repeat it. */
export const explain = (outcome: Outcome | undefined): string => {
  if (outcome === undefined) return "nothing"
  const { seed, verdict, wrong } = outcome
  const reason = verdict._tag === "Violated" ? `${verdict.rule}: ${verdict.reason}` : "delivered as guaranteed"
  return [`seed ${seed}`, reason, ...wrong].join("; ")
}

// ----------------------------------------------------------------------------------------------------------- real ones

type Join = (node: string) => Effect.Effect<Transport["Service"], unknown, Scope.Scope>

/** All members in this process, each over its own transport, until everybody has everything or time is up. */
const real = async (subject: Subject, shape: Shape, join: Join): Promise<Outcome | undefined> => {
  const { messages = 6, senders = 2 } = shape
  const nodes = nodesOf(shape.nodes ?? 4)
  const record = new Record(nodes)
  const count = (): number =>
    nodes.reduce(
      (sum, node) => sum + record.recorder.trace.get(node)!.filter(({ _tag }) => _tag === "Deliver").length,
      0
    )
  const program = Effect.gen(function* () {
    const transports = yield* Effect.forEach(nodes, join)
    yield* Effect.forEach(
      nodes,
      (node, i) => Effect.provideService(member(record, subject, node, shape, i < senders), Transport, transports[i]!),
      { concurrency: "unbounded" }
    )
    for (let i = 0; i < 500 && count() < senders * messages * nodes.length; i++) yield* Effect.sleep(10)
    // Whether more comes than was sent.
    yield* Effect.sleep(20)
  })
  await Effect.runPromise(Effect.scoped(program))
  const { trace } = record.recorder
  const verdict = Delivery.check(subject.guarantees, trace)
  const outcome = { seed: 0, verdict, trace, wrong: record.wrong, sent: 0, worstMillis: record.worstMillis }
  return outcome.verdict._tag === "Violated" || outcome.wrong.length > 0 ? outcome : undefined
}

export const overMemory = (subject: Subject, shape: Shape): Promise<Outcome | undefined> => {
  const network = Memory.network({ nodes: nodesOf(shape.nodes ?? 4), encode: "always" })
  return real(subject, shape, (node) => Memory.connect(network, node))
}

export const overSockets = (subject: Subject, kind: "tcp" | "udp", shape: Shape): Promise<Outcome | undefined> => {
  const nodes = nodesOf(shape.nodes ?? 4)
  const addresses = new Map<string, string>()
  const peersOf = (self: string) =>
    Object.fromEntries(nodes.filter((node) => node !== self).map((node) => [node, addresses.get(node) ?? null]))
  const joined: Array<Udp.UdpTransport> = []
  return real(subject, shape, (self) =>
    Effect.gen(function* () {
      const listen = "127.0.0.1:0"
      if (kind === "tcp") {
        const made = yield* Tcp.make({ self, listen, peers: peersOf(self), backoffMin: 5, backoffMax: 50 })
        addresses.set(self, `127.0.0.1:${made.address.port}`)
        return made
      }
      const made = yield* Udp.make({ self, listen, peers: peersOf(self) })
      addresses.set(self, `127.0.0.1:${made.address.port}`)
      for (const other of joined) yield* other.introduce(self, addresses.get(self)!)
      joined.push(made)
      return made
    })
  )
}
