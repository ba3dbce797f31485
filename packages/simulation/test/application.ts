/**
 * An application with a bit of everything: two algorithms, fibers that race, queues, sleeps and random numbers. Run by
 * itself, it prints the trace of the seed that it is given.
 */
import { Bully } from "@troupe/election"
import { Mutex, RicartAgrawala } from "@troupe/mutex"
import { Faults, Simulation } from "@troupe/simulation"
import { Effect, Layer, Queue, Random } from "effect"
import { traced } from "./support.ts"

const work = Effect.gen(function* () {
  const mutex = yield* Mutex
  const jobs = yield* Queue.unbounded<number>()
  const worker = Effect.forever(
    Effect.gen(function* () {
      const job = yield* Queue.take(jobs)
      yield* mutex.withLock(() => Effect.sleep(job)).pipe(Effect.timeout("2 seconds"), Effect.ignore)
    })
  )
  yield* Effect.all([worker, worker], { concurrency: 2 }).pipe(Effect.forkScoped)
  for (let i = 0; i < 20; i++) {
    yield* Queue.offer(jobs, yield* Random.nextIntBetween(1, 50))
    yield* Effect.sleep(yield* Random.nextIntBetween(1, 1000))
  }
})

const services = Layer.merge(RicartAgrawala.layer({ resource: "orders" }), Bully.layer())

export const options = (seed: number): Simulation.Options<unknown> => ({
  seed,
  nodes: ["n1", "n2", "n3", "n4", "n5"],
  faults: Faults.chaos,
  duration: "30 seconds",
  stopAtViolation: false,
  properties: Simulation.fromCard(Bully.card, "election/bully"),
  program: () => Effect.flatMap(Layer.build(services), (context) => Effect.provide(work, context))
})

export const trace = (seed: number) => Effect.map(traced(options(seed)), (run) => run.trace)

if (import.meta.main) process.stdout.write(await Effect.runPromise(trace(Number(process.argv[2]))))
