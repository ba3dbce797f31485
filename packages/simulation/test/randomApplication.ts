/**
 * Little Effect applications drawn from a seed: what each node does, and with which of Effect's features. Run by itself,
 * it prints the traces of the seeds that it is given.
 */
import { Actor, type Protocol } from "@troupe/actor"
import { Faults } from "@troupe/simulation"
import { Channel, Transport } from "@troupe/transport"
import {
  Cause,
  Clock,
  Context,
  Cron,
  DateTime,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberSet,
  Latch,
  Layer,
  Logger,
  Metric,
  PubSub,
  Queue,
  Random,
  Ref,
  Schedule,
  Schema,
  Semaphore,
  Stream,
  SubscriptionRef
} from "effect"
import { traced } from "./support.ts"

type Say = (what: unknown) => Effect.Effect<void>

/** What a node may do. Each takes some virtual time and says what it saw. */
const features: Record<string, (say: Say) => Effect.Effect<void, never, never>> = {
  fibers: (say) =>
    Effect.gen(function* () {
      const fibers = yield* Effect.forEach([1, 2, 3], (n) =>
        Effect.forkChild(Effect.andThen(Effect.sleep(n % 2), say(`fiber ${n}`)))
      )
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fibers[1]!)
      yield* Fiber.awaitAll(fibers)
    }),
  "unordered work": (say) =>
    Effect.forEach([1, 2, 3, 4, 5], (n) => Effect.andThen(pause, say(n)), { concurrency: 3, discard: true }),
  queue: (say) =>
    Effect.gen(function* () {
      const queue = yield* Queue.bounded<number>(2)
      const taker = yield* Effect.forkChild(Effect.forEach([1, 2, 3, 4], () => Effect.flatMap(Queue.take(queue), say)))
      yield* Effect.forEach([1, 2, 3, 4], (n) => Queue.offer(queue, n))
      yield* Fiber.join(taker)
    }),
  pubsub: (say) =>
    Effect.scoped(
      Effect.gen(function* () {
        const hub = yield* PubSub.unbounded<number>()
        for (const name of ["a", "b"]) {
          const subscription = yield* PubSub.subscribe(hub)
          yield* Effect.forkScoped(
            Effect.forever(Effect.flatMap(PubSub.take(subscription), (n) => say(`${name} ${n}`)))
          )
        }
        yield* Effect.forEach([1, 2, 3], (n) => Effect.andThen(PubSub.publish(hub, n), pause))
      })
    ),
  semaphore: (say) =>
    Effect.gen(function* () {
      const semaphore = yield* Semaphore.make(2)
      yield* Effect.forEach([1, 2, 3, 4], (n) => semaphore.withPermits(1)(Effect.andThen(pause, say(n))), {
        concurrency: 4,
        discard: true
      })
    }),
  timeout: (say) =>
    Effect.gen(function* () {
      yield* say(Exit.isSuccess(yield* Effect.exit(Effect.timeout(pause, 3))))
      yield* say(yield* Effect.timeoutOption(Effect.as(pause, 1), 5))
    }),
  race: (say) => Effect.flatMap(Effect.race(Effect.as(pause, "left"), Effect.as(pause, "right")), say),
  stream: (say) =>
    Stream.range(1, 6).pipe(
      Stream.mapEffect((n) => Effect.as(pause, n), { concurrency: 2, unordered: true }),
      Stream.merge(Stream.make(7, 8)),
      Stream.groupedWithin(2, 3),
      Stream.runForEach((all) => say([...all]))
    ),
  schedule: (say) =>
    Effect.repeat(
      Effect.flatMap(Clock.currentTimeMillis, say),
      Schedule.upTo(Schedule.jittered(Schedule.spaced(4)), { times: 3 })
    ),
  retry: (say) =>
    Effect.gen(function* () {
      const tries = yield* Ref.make(0)
      const attempt = Effect.gen(function* () {
        yield* say(`try ${yield* Ref.updateAndGet(tries, (n) => n + 1)}`)
        if ((yield* Random.next) < 0.7) return yield* Effect.fail("again")
      })
      yield* Effect.ignore(Effect.retry(attempt, Schedule.upTo(Schedule.exponential(2), { times: 5 })))
    }),
  cron: (say) =>
    Effect.gen(function* () {
      const every = Cron.parseUnsafe("* * * * * *")
      yield* Effect.repeat(Effect.flatMap(DateTime.now, say), Schedule.upTo(Schedule.cron(every), { times: 2 }))
    }).pipe(Effect.orDie),
  random: (say) =>
    Effect.gen(function* () {
      yield* say(yield* Random.next)
      yield* say(yield* Random.nextIntBetween(1, 1000))
      yield* say(yield* Random.shuffle([1, 2, 3, 4, 5]))
      yield* say(yield* Random.nextBoolean)
    }),
  "time of day": (say) =>
    Effect.gen(function* () {
      yield* say(DateTime.formatIso(yield* DateTime.now))
      yield* say(yield* Clock.currentTimeNanos)
      const [spent] = yield* Effect.timed(pause)
      yield* say(spent)
    }),
  deferred: (say) =>
    Effect.gen(function* () {
      const deferred = yield* Deferred.make<number>()
      yield* Effect.forkChild(Effect.andThen(pause, Deferred.succeed(deferred, 1)))
      yield* Effect.all(
        [1, 2].map((n) => Effect.flatMap(Deferred.await(deferred), (got) => say([n, got]))),
        {
          concurrency: 2
        }
      )
    }),
  latch: (say) =>
    Effect.gen(function* () {
      const latch = yield* Latch.make()
      const waiting = yield* Effect.forkChild(latch.whenOpen(say("open")))
      yield* Effect.andThen(pause, latch.open)
      yield* Fiber.join(waiting)
    }),
  layers: (say) =>
    Effect.gen(function* () {
      class Slow extends Context.Service<Slow, { readonly at: number }>()("Slow") {}
      class Other extends Context.Service<Other, { readonly at: number }>()("Other") {}
      const make = Effect.andThen(
        pause,
        Effect.map(Clock.currentTimeMillis, (at) => ({ at }))
      )
      const layer = Layer.merge(Layer.effect(Slow, make), Layer.effect(Other, make))
      yield* Effect.scoped(
        Effect.flatMap(Layer.build(layer), (built) => say([Context.get(built, Slow).at, Context.get(built, Other).at]))
      )
    }),
  logs: (say) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ date, message }) => lines.push(`${date.toISOString()} ${String(message)}`))
      yield* Effect.log("hello").pipe(Effect.withLogSpan("span"), Effect.provide(Logger.layer([logger])))
      yield* say(lines)
    }),
  spans: (say) =>
    Effect.gen(function* () {
      const span = yield* Effect.currentSpan
      yield* pause
      yield* say([span.traceId, span.spanId, span.status.startTime])
    }).pipe(Effect.withSpan("work"), Effect.orDie),
  metrics: (say) =>
    Effect.gen(function* () {
      const timer = Metric.timer(`random-application`)
      const [spent] = yield* Effect.timed(pause)
      yield* Metric.update(timer, spent)
      yield* say(spent)
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())),
  "a set of fibers": (say) =>
    Effect.scoped(
      Effect.gen(function* () {
        const set = yield* FiberSet.make<void>()
        for (const n of [1, 2, 3]) yield* FiberSet.run(set, Effect.andThen(pause, say(n)))
        yield* FiberSet.awaitEmpty(set)
      })
    ),
  "a subscribable value": (say) =>
    Effect.gen(function* () {
      const value = yield* SubscriptionRef.make(0)
      const reader = yield* Effect.forkChild(Stream.runForEach(Stream.take(SubscriptionRef.changes(value), 3), say))
      yield* pause
      yield* Effect.forEach([1, 2, 3, 4], (n) => Effect.andThen(SubscriptionRef.set(value, n), pause))
      yield* Fiber.interrupt(reader)
    }),
  failures: (say) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        Effect.all([Effect.andThen(pause, Effect.fail("left")), Effect.andThen(pause, Effect.die("right"))], {
          concurrency: 2
        })
      )
      yield* say(Exit.isFailure(exit) ? Cause.squash(exit.cause) : "")
    }),
  "an abort signal": (say) =>
    Effect.callback<void>((resume, signal) => {
      signal.addEventListener("abort", () => {})
      resume(Effect.void)
    }).pipe(Effect.andThen(say("called back")))
}

const pause = Effect.flatMap(Random.nextIntBetween(0, 8), (millis) => Effect.sleep(millis))

const Talk = Channel.make("talk", Schema.String)

/** Says what it is told to all, and again later. */
const gossip: Protocol.Protocol<number, string, string, string, "again"> = {
  name: "test/gossip",
  message: Schema.String,
  init: () => 0,
  onCommand: (count, text, act) => {
    act.sendAll(act.self.peers, text)
    if (act.random() < 0.3) act.setTimer("again", act.random() * 50)
    return count + 1
  },
  onMessage: (count, _from, text, act) => {
    act.emit(text)
    return count + 1
  },
  onTimeout: (count, _again, act) => {
    act.sendAll(act.self.peers, `again ${act.now()}`)
    return count
  }
}

const program = (seed: number) => () =>
  Effect.gen(function* () {
    const transport = yield* Transport
    const actor = yield* Actor.spawn(gossip)
    const send = yield* transport.open(Talk, () => {})
    const say: Say = (what) =>
      Effect.sync(() => {
        const text = JSON.stringify(what, (_key, value) => (typeof value === "bigint" ? `${value}n` : value))
        actor.tell(text)
        for (const node of transport.nodes) send(node, text)
      })
    // The same few features on all nodes of a seed, in an order of each node's own.
    const names = Object.keys(features)
    const chosen = Array.from({ length: 4 }, (_, at) => names[(seed * 7 + at * at * 5 + at) % names.length]!)
    for (const name of yield* Random.shuffle(chosen)) {
      yield* say(name)
      yield* Effect.forkScoped(features[name]!(say))
      yield* pause
    }
  })

const presets = Object.values(Faults.presets)

export const trace = (seed: number) =>
  Effect.map(
    traced({
      seed,
      nodes: ["n1", "n2", "n3"],
      faults: presets[seed % presets.length]!,
      duration: "5 seconds",
      yieldProbability: [0, 0.01, 0.3][seed % 3]!,
      program: program(seed)
    }),
    ({ result, trace }) => `${trace}\n${JSON.stringify(result)}`
  )

if (import.meta.main) {
  const [first, last] = process.argv.slice(2).map(Number)
  for (let seed = first!; seed <= last!; seed++) {
    process.stdout.write(`${await Effect.runPromise(trace(seed))}\n`)
  }
}
