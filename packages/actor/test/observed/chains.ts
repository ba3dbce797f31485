/**
 * Chains of questions through nodes that crash and lose messages, half of them traced: a trace is of one chain, and whole.
 *
 * A caller asks a passer at the next node, which hands the question on to a caller at the node after, or to one that answers
 * later. Callers and passers tell a clerk of it, who tells a second one at the next node. Each handler counts that it has run.
 */
import { type ActorRef, ActorSystem, Behavior, Messages, Observed, Server } from "@troupe/actor"
import { type Faults, Simulation } from "@troupe/simulation"
import { Duration, Effect, Layer, Option, Random, References, Schema, Tracer } from "effect"

export const nodes = ["n1", "n2", "n3"]
const durationMillis = 14_000
/** When the last chain begins; a question is given up after 5 seconds. */
const askedMillis = 8_000

const Step = Messages.make("step", {
  Go: Messages.ask({ chain: Schema.String, hops: Schema.Int }, { reply: Schema.Int })
})
type Stepping = ActorRef<typeof Step.definition>

const Later = Messages.make("step", {
  Go: Messages.ask({ chain: Schema.String, hops: Schema.Int }, { reply: Schema.Int }),
  Answer: Messages.tell({ chain: Schema.String })
})

const Notes = Messages.make("notes", { Take: Messages.tell({ chain: Schema.String }) })
type Notes = ActorRef<typeof Notes.definition>

type Ran = (chain: string) => void

const second = (noted: Ran) =>
  Behavior.make(Notes, {
    init: () => null,
    on: {
      Take: (state, { chain }) => {
        noted(chain)
        return state
      }
    }
  })

/** Who takes his time: what he is told meanwhile he handles in one go. */
const first = (noted: Ran, next: Notes) =>
  Behavior.effect(Notes, {
    init: () => Effect.succeed(0),
    on: {
      Take: (taken, message) =>
        Effect.gen(function* () {
          noted(message.chain)
          yield* Effect.annotateCurrentSpan("chain", message.chain)
          if (taken % 3 === 0) yield* Effect.sleep(yield* Random.nextIntBetween(0, 40))
          next.tell(message)
          return taken + 1
        })
    }
  })

/** Many questions in flight: in a ring of callers that take one at a time, each would wait for the others. */
const caller = (ran: Ran, clerk: Notes, next: Stepping) =>
  Server.make(Step, {
    dispatcher: Server.eventLoop(),
    on: {
      Go: ({ chain, hops }) =>
        Effect.gen(function* () {
          ran(chain)
          yield* Effect.annotateCurrentSpan("chain", chain)
          clerk.tell({ _tag: "Take", chain })
          if (hops === 0) return 0
          const asked = next.ask({ _tag: "Go", chain, hops: hops - 1 }, { timeout: "500 millis" })
          return 1 + (yield* Effect.orElseSucceed(asked, () => 0))
        })
    }
  })

const passer = (ran: Ran, clerk: Notes, next: Stepping, waiter: Stepping) =>
  Behavior.make(Step, {
    init: () => null,
    on: {
      Go: (state, { chain }, self) => {
        ran(chain)
        clerk.tell({ _tag: "Take", chain })
        return { state, later: self.forward(self.random() < 0.7 ? next : waiter) }
      }
    }
  })

const waiter = (ran: Ran) =>
  Behavior.make(Later, {
    init: () => new Map<string, Behavior.Answer<number, never>>(),
    on: {
      Go: (waiting, { chain }, self) => {
        ran(chain)
        const later = self.defer()
        waiting.set(chain, later)
        self.setTimer(chain, self.random() * 400, { _tag: "Answer", chain })
        return { state: waiting, later }
      },
      Answer: (waiting, { chain }) => {
        waiting.get(chain)?.reply(0)
        waiting.delete(chain)
        return waiting
      }
    }
  })

interface Made {
  readonly span: Tracer.NativeSpan
  readonly life: string
}

const living = (life: string, index: number, ran: Ran, noted: Ran, isOver: () => boolean) =>
  Effect.gen(function* () {
    const next = nodes[(index + 1) % nodes.length]!
    const at = (name: string) => Effect.orDie(system.at(Step, name, next))
    const system = yield* ActorSystem.ActorSystem
    const late = yield* system.spawn(waiter(ran), { name: "waiter" })
    yield* system.spawn(second(noted), { name: "second" })
    const clerk = yield* system.spawn(first(noted, yield* Effect.orDie(system.at(Notes, "second", next))))
    // It understands what the others are asked, and more.
    const waiting = late as unknown as Stepping
    // The caller at the next node is there by the time that it is asked, or the question is lost.
    yield* system.spawn(passer(ran, clerk, yield* at("caller"), waiting), { name: "passer" })
    const own = yield* system.spawn(caller(ran, clerk, yield* at("passer")), { name: "caller" })
    for (let count = 1; !isOver(); count++) {
      yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(20, 200)))
      const question = { _tag: "Go", chain: `${life}/${count}`, hops: yield* Random.nextIntBetween(0, 4) } as const
      yield* Effect.forkChild(Effect.exit(own.ask(question, { timeout: "1 second" })))
    }
    return yield* Effect.never
  })

export const run = async (seed: number, faults: Partial<Faults.Faults>) => {
  const made: Array<Made> = []
  const runs = new Map<string, number>()
  const notes = new Map<string, number>()
  const lives = new Map<string, number>()
  let nowMillis = 0
  const { violations } = await Effect.runPromise(
    Simulation.run({
      ...{ seed, nodes, faults, planned: "6 seconds", duration: Duration.millis(durationMillis) },
      properties: [{ name: "time", kind: "always", holds: (seen) => (nowMillis = seen.nowMillis) >= 0 }],
      program: (node) =>
        Effect.gen(function* () {
          lives.set(node, (lives.get(node) ?? 0) + 1)
          const life = `${node}/${lives.get(node)}`
          const tracer = Tracer.make({
            span: (options) => {
              const span = new Tracer.NativeSpan(options)
              if (options.sampled) made.push({ span, life })
              return span
            }
          })
          const counting = (counts: Map<string, number>) => (chain: string) =>
            void counts.set(chain, (counts.get(chain) ?? 0) + 1)
          const observed = Layer.merge(Observed.layer({ sample: 0.5 }), Layer.succeed(Tracer.Tracer, tracer))
          const system = Layer.provideMerge(ActorSystem.remote(), observed)
          const program = living(
            life,
            nodes.indexOf(node),
            counting(runs),
            counting(notes),
            () => nowMillis > askedMillis
          )
          yield* Effect.provide(program, Layer.fresh(system))
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
    })
  )
  const wrong = judge(made, runs, notes, (life) => life.endsWith(`/${lives.get(life.split("/")[0]!)}`))
  const traces = new Set(made.map(({ span }) => span.traceId)).size
  return { violations: [...violations.map(({ name }) => name), ...wrong], traces, chains: runs.size }
}

const judge = (
  made: ReadonlyArray<Made>,
  runs: ReadonlyMap<string, number>,
  notes: ReadonlyMap<string, number>,
  isLast: (life: string) => boolean
): ReadonlySet<string> => {
  const wrong = new Set<string>()
  const known = new Map(made.map(({ span }) => [span.spanId, span]))
  for (const { life, span } of made) {
    const above = Option.getOrUndefined(span.parent)
    if (above !== undefined && known.get(above.spanId)?.traceId !== span.traceId)
      wrong.add("a span has a strange parent")
    if (isLast(life) && span.status._tag === "Started") wrong.add(`a ${span.kind} span has no end`)
  }
  for (const [, trace] of Map.groupBy(made, ({ span }) => span.traceId)) {
    const chains = new Set(trace.flatMap(({ span }) => span.attributes.get("chain") ?? []))
    if (chains.size > 1) wrong.add("a trace is of several chains")
    const handled = trace.filter(({ span }) => span.kind === "server").length
    const [chain] = chains
    const ran = runs.get(String(chain)) ?? 0
    if (handled !== ran) wrong.add(`${String(chain)}: ${ran} handlers have run, and ${handled} are traced`)
    const told = trace.filter(({ span }) => span.kind === "consumer").length
    const noted = notes.get(String(chain)) ?? 0
    if (told !== noted) wrong.add(`${String(chain)}: ${noted} notes were taken, and ${told} are traced`)
  }
  return wrong
}
