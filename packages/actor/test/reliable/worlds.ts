/** Senders and a receiver in simulated worlds, and what must be true of what came. */
import { ActorSystem, Behavior, Messages, Reliable, Supervision } from "@troupe/actor"
import { Faults, Simulation } from "@troupe/simulation"
import { MemoryStorage, type Storage } from "@troupe/storage"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Clock, Effect, Layer, Logger, Schedule, Schema, type Scope } from "effect"

export const Numbers = Messages.make("numbers", {
  Put: Messages.tell({ from: Schema.String, number: Schema.Int }),
  Held: Messages.ask({}, { reply: Schema.Array(Schema.String) })
})

export type Subject = "once" | "least" | "durable"

const { lossy, partition } = Faults

/** More of everything than in the presets, for short worlds. */
export const faults = {
  lossy: { ...lossy, lossProbability: 0.1, duplicationProbability: 0.1 },
  partition: { ...partition, partitionsPerMinute: 40, partitionMillisMax: 1500 },
  crash: { ...lossy, crashesPerMinute: 90, downMillisMin: 10, downMillisMax: 1000, partitionsPerMinute: 10 }
}

export interface World {
  readonly subject: Subject
  readonly seed: number
  readonly faults: Partial<Faults.Faults>
  readonly seconds?: number
  readonly window?: number
  /** Of each write, and of each sync, that it fails. */
  readonly diskFailures?: number
}

/** What a producer sent in one of its lives, or in all of them where it is durable. */
interface Produced {
  readonly from: string
  attempted: number
  /** Those whose `send` has ended. */
  readonly accepted: Array<number>
  /** Its node has crashed. */
  isOver: boolean
}

interface Put {
  readonly from: string
  readonly number: number
  readonly life: number
}

interface Seen {
  readonly produced: Map<string, Produced>
  /** In the order of handling; of a durable consumer, what its last life knew. */
  handled: Array<Put>
  consumerLife: number
  /** When the last producer heard of its last message. */
  settledMillis: number
}

const listening = (seen: Seen) => {
  const life = seen.consumerLife
  return Behavior.make(Numbers, {
    init: () => undefined,
    on: {
      Put: (_, { from, number }) => void seen.handled.push({ from, number, life }),
      Held: (state) => ({ state, reply: [] })
    }
  })
}

const remembering = Reliable.eventSourced(Numbers, {
  log: "numbers",
  event: Schema.String,
  init: (): ReadonlyArray<string> => [],
  apply: (held, put) => [...held, put],
  on: { Put: (_, { from, number }) => ({ events: [`${from} ${number}`] }), Held: (held) => ({ reply: held }) }
})

type Env = ActorSystem.ActorSystem | Storage

const consume = (subject: Subject, seen: Seen): Effect.Effect<void, unknown, Env | Scope.Scope> =>
  Effect.gen(function* () {
    seen.consumerLife++
    const supervision = Supervision.restart({ limit: 1_000, backoff: Schedule.spaced("50 millis") })
    const behavior = subject === "durable" ? remembering : listening(seen)
    const numbers = yield* ActorSystem.spawn(behavior, { name: "numbers", supervision })
    yield* ActorSystem.spawn(Reliable.receiver(Numbers, numbers, { window: 16 }), { name: "inbox" })
    if (subject !== "durable") return
    for (;;) {
      yield* Effect.sleep("500 millis")
      const held = yield* Effect.orElseSucceed(numbers.ask({ _tag: "Held" }), () => undefined)
      if (held === undefined) continue
      seen.handled = held.map((put) => {
        const [from = "", number] = put.split(" ")
        return { from, number: Number(number), life: 1 }
      })
    }
  })

const produce = (
  { subject, window = 8 }: World,
  node: string,
  seen: Seen,
  untilMillis: number
): Effect.Effect<void, unknown, Env | Scope.Scope> =>
  Effect.gen(function* () {
    const system = yield* ActorSystem.ActorSystem
    const lives = [...seen.produced.values()].filter(({ from }) => from.startsWith(node))
    for (const life of lives) life.isOver = subject !== "durable"
    const from = subject === "durable" ? node : `${node}/${lives.length + 1}`
    const produced = seen.produced.get(from) ?? { from, attempted: 0, accepted: [], isOver: false }
    seen.produced.set(from, produced)
    const to = yield* system.at(Reliable.inbox(Numbers), "inbox", "c")
    const options: Reliable.SenderOptions = {
      to,
      window,
      resend: { after: 100, atMost: 400 },
      ...(subject === "least" ? { delivery: "at-least-once" as const } : {})
    }
    const sender = yield* subject === "durable"
      ? Reliable.durableSender(Numbers, { ...options, log: "outbox", compactAbove: 2_000 })
      : Reliable.sender(Numbers, options)
    while ((yield* Clock.currentTimeMillis) - epoch < untilMillis) {
      const number = ++produced.attempted
      yield* sender.send({ _tag: "Put", from, number })
      produced.accepted.push(number)
      yield* Effect.sleep("10 millis")
    }
    yield* sender.acknowledged
    seen.settledMillis = Math.max(seen.settledMillis, (yield* Clock.currentTimeMillis) - epoch)
  })

/** When simulated worlds begin. */
const epoch = 1_577_836_800_000

/** The rules that it broke. */
const broken = (subject: Subject, { handled, produced }: Seen): ReadonlyArray<string> => {
  const broken = new Set<string>()
  for (const { accepted, from, isOver } of produced.values()) {
    const puts = handled.filter((put) => put.from === from)
    const numbers = new Set(puts.map(({ number }) => number))
    if (!isOver && accepted.some((number) => !numbers.has(number))) broken.add("lost")
    if (subject === "once") for (const rule of brokenOnce(puts)) broken.add(rule)
    if (subject === "durable") {
      puts.forEach(({ number }, at) => at > 0 && number <= puts[at - 1]!.number && broken.add("twice or out of order"))
    }
  }
  return [...broken]
}

/** In one life of the consumer each message is the next one; a later life has none that was left out. */
const brokenOnce = (puts: ReadonlyArray<Put>): ReadonlyArray<string> => {
  const broken: Array<string> = []
  let highest = 0
  puts.forEach(({ life, number }, at) => {
    const before = puts[at - 1]
    if (before?.life === life && number !== before.number + 1) broken.push("twice, or out of order")
    if (number > highest + 1) broken.push("left out")
    highest = Math.max(highest, number)
  })
  return broken
}

/** How many of those that were handled had been handled before. */
export const doublesOf = ({ handled }: Seen): number =>
  handled.length - new Set(handled.map(({ from, number }) => `${from} ${number}`)).size

export const run = async (world: World) => {
  const { seconds = 12, seed, subject } = world
  const { diskFailures: failureProbability = 0 } = world
  const disks = SimulatedDisk.make({ seed, syncMillisMax: 15, segmentBytes: 8192, failureProbability })
  const seen: Seen = { produced: new Map(), handled: [], consumerLife: 0, settledMillis: 0 }
  const result = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes: ["c", "p1", "p2"],
      faults: { ...world.faults, clockSkewMillisMax: 0, clockDriftPpmMax: 0, clockJumpsPerMinute: 0 },
      duration: `${seconds} seconds`,
      program: (node) =>
        Effect.gen(function* () {
          const storage = subject === "durable" ? disks.layer(node) : MemoryStorage.layer()
          const context = yield* Layer.build(Layer.fresh(Layer.merge(ActorSystem.remote(), storage)))
          const producing = Effect.scoped(produce(world, node, seen, seconds * 600))
          // A sender whose disk failed is followed by another one with its log.
          const program = node === "c" ? consume(subject, seen) : Effect.retry(producing, Schedule.spaced("50 millis"))
          yield* Effect.provideContext(program, context)
        })
    }).pipe(Effect.provide(Logger.layer([])))
  )
  return {
    violations: [...result.violations.map(({ name, detail }) => `${name} ${detail ?? ""}`), ...broken(subject, seen)],
    worstMillis: Math.max(0, seen.settledMillis - seconds * 1000 * Faults.over),
    seen
  }
}
