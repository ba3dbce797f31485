/**
 * A server in a world of chance: clients ask what is answered, refused, fails, hangs, or ends the thread that does it, and
 * lose patience now and then. Each question has the end that it may have, and in the end the server is as good as new.
 */
import { type ActorRef, ActorSystem, Server, Supervision } from "@troupe/actor"
import { Simulation } from "@troupe/simulation"
import { Cause, Effect, Exit, Fiber, Option, Random, References } from "effect"
import { Worker } from "effect/workers"
import { type Do, handlers, Log, platform, Thread, Work } from "./threads.ts"

export type Dispatcher = "single-threaded" | "event loop" | "multi-threaded"

const handlerMillis = 100

const ends = ["reply", "reply", "reply", "fail", "die", "hang", "deaf", "kill"] as const

/** What a question may end with; any may lose the thread that starts for it. */
const allowed: Readonly<Record<Do["end"], ReadonlyArray<string>>> = {
  reply: ["ThreadDied"],
  fail: ["Refused", "ThreadDied"],
  die: ["on purpose", "ThreadDied"],
  hang: ["HandlerTimeout", "ThreadDied"],
  deaf: ["HandlerTimeout", "ThreadDied"],
  kill: ["on purpose", "ThreadDied"]
}

interface Failure {
  readonly _tag: string
  readonly cause?: { readonly _tag?: string; readonly message?: string }
}

export interface Outcome {
  readonly violations: ReadonlyArray<string>
  /** From when all is answered until the server is as good as new. */
  readonly worstMillis: number
  readonly boundMillis: number
  readonly answered: number
}

/** A thread that hangs with what nobody waits for, another one that dies as it starts, a few times over. */
const boundMillis = 1_000

export const run = async (seed: number, kind: Dispatcher): Promise<Outcome> => {
  const log = new Log()
  const atOnce = kind === "single-threaded" ? 1 : 1 + (seed % 4)
  let answered = 0
  let worstMillis = 0

  const behavior =
    kind === "multi-threaded"
      ? Server.make(Work, {
          dispatcher: Server.multiThreaded({ threads: atOnce, spawn: () => new Thread(log), deaths: 1_000_000 }),
          handlerTimeout: handlerMillis
        })
      : Server.make(Work, {
          on: handlers(log),
          dispatcher: Server.eventLoop({ inFlight: atOnce }),
          handlerTimeout: handlerMillis
        })

  const check = (id: number, end: Do["end"], exit: Exit.Exit<number, unknown>): void => {
    answered++
    if (Exit.isSuccess(exit)) {
      if (exit.value !== id || end !== "reply") log.broken.add(`${id}, to ${end}, is answered by ${exit.value}`)
      return
    }
    const failure = Option.getOrUndefined(Cause.findErrorOption(exit.cause)) as Failure | undefined
    if (failure === undefined || failure._tag === "AskTimeout") return
    const { cause } = failure
    const why = failure._tag === "HandlerFailed" ? (cause?._tag ?? cause?.message ?? "nothing") : failure._tag
    const isPossible = kind === "multi-threaded" || why !== "ThreadDied"
    if (!isPossible || !allowed[end].includes(why)) log.broken.add(`${id}, to ${end}, ended with ${why}`)
  }

  const client = (ref: ActorRef<typeof Work.definition>, number: number) =>
    Effect.gen(function* () {
      for (let i = 0; i < 12; i++) {
        const id = number * 1_000 + i
        const end = ends[yield* Random.nextIntBetween(0, ends.length - 1)]!
        const millis = yield* Random.nextIntBetween(0, 30)
        const timeout = yield* Random.nextIntBetween(1, 600)
        const asking = yield* Effect.forkChild(Effect.exit(ref.ask({ _tag: "Do", id, millis, end }, { timeout })), {
          startImmediately: true
        })
        if ((yield* Random.nextIntBetween(1, 6)) === 1) {
          yield* Effect.sleep(yield* Random.nextIntBetween(0, 50))
          yield* Fiber.interrupt(asking)
        } else check(id, end, yield* Fiber.join(asking))
        yield* Effect.sleep(yield* Random.nextIntBetween(0, 10))
      }
    })

  const look = (least: number): void => {
    if (kind === "multi-threaded") {
      if (log.alive > atOnce || log.alive < least) log.broken.add(`${log.alive} threads live, of ${atOnce}`)
    } else if (log.mostRunning > atOnce) log.broken.add(`${log.mostRunning} are under way at a time, of ${atOnce}`)
  }

  const program = Effect.gen(function* () {
    const system = yield* ActorSystem.ActorSystem
    const supervision = seed % 2 === 0 ? Supervision.resume : Supervision.restart({ limit: 1_000_000 })
    const ref = yield* ActorSystem.spawn(behavior, { supervision }).pipe(
      Effect.provideService(Worker.WorkerPlatform, platform)
    )
    const clients = Effect.all(
      Array.from({ length: 6 }, (_, number) => client(ref, number + 1)),
      { concurrency: "unbounded" }
    )
    const looking = yield* Effect.forkChild(
      Effect.forever(
        Effect.andThen(
          Effect.sync(() => look(0)),
          Effect.sleep(3)
        )
      )
    )
    yield* clients
    yield* Fiber.interrupt(looking)
    // As many as may be at once, until they are: what hangs and nobody waits for is ended first.
    for (let i = 0, done = 0; done < atOnce; i += atOnce) {
      if (worstMillis > boundMillis) {
        log.broken.add("in the end, it is not as good as new")
        break
      }
      const again = Array.from({ length: atOnce }, (_, at) =>
        ref.ask({ _tag: "Do", id: 100_000 + i + at, millis: 5, end: "reply" }, { timeout: 50 })
      )
      const exits = yield* Effect.forEach(again, Effect.exit, { concurrency: "unbounded" })
      done = exits.filter(Exit.isSuccess).length
      if (done < atOnce) worstMillis += 50
    }
    look(atOnce)
    // What is under way is waited for, or ends at once.
    const last = yield* Effect.forkChild(
      Effect.exit(ref.ask({ _tag: "Do", id: 999_999, millis: 20, end: "reply" }, { timeout: Infinity })),
      { startImmediately: true }
    )
    const drain = seed % 3 === 0
    yield* system.stop(ref, { drain })
    const exit = yield* Fiber.join(last)
    const tag = Exit.isSuccess(exit) ? "reply" : (Cause.squash(exit.cause) as { readonly _tag: string })._tag
    const expected = drain ? ["reply", "HandlerFailed"] : ["ActorStopped"]
    if (!expected.includes(tag)) log.broken.add(`stopped${drain ? ", drained" : ""}, it answered with ${tag}`)
    if (log.alive > 0) log.broken.add(`${log.alive} threads are left behind`)
    if (kind !== "multi-threaded" && log.running > 0) log.broken.add(`${log.running} are under way after its end`)
  })

  const result = await Effect.runPromise(
    Simulation.run({
      ...{ seed, nodes: ["n1"], duration: "5 minutes" },
      program: () => Effect.never,
      test: () =>
        program.pipe(
          Effect.provide(ActorSystem.layer()),
          Effect.scoped,
          Effect.provideService(References.MinimumLogLevel, "None")
        )
    })
  )
  for (const { detail, name } of result.violations) log.broken.add(`${name} ${detail ?? ""}`)
  if (result.ended !== "test") log.broken.add(`it ended by ${result.ended}`)
  return { violations: [...log.broken], worstMillis, boundMillis, answered }
}
