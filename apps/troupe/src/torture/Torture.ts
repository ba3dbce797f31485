/** A run: a cluster of processes, clients that use it, faults that befall it, and what that comes to. */
import type { Replication } from "@troupe/kv"
import { Effect } from "effect"
import { CannotRun } from "../Problem.ts"
import { seeded } from "../Seeded.ts"
import { Connection } from "./Connection.ts"
import { type Figures, figuresOf } from "./Figures.ts"
import { judge, type Judgement } from "./Judge.ts"
import { type Inflicted, Nemesis } from "./Nemesis.ts"
import { draw, type Kind } from "./Plan.ts"
import { awaitAll, type Cluster, type Process, start } from "./Processes.ts"
import { Recorder, type Sample, serviceOf } from "./Recorder.ts"
import * as Workload from "./Workload.ts"

export interface Options {
  readonly replication: Replication
  readonly nodes: number
  readonly clients: number
  readonly seed: number
  readonly rate: number
  readonly faults: ReadonlyArray<Kind>
  /** How long faults and load go on; or how often the primary is killed, and nothing else. */
  readonly length:
    | { readonly _tag: "Time"; readonly millis: number }
    | { readonly _tag: "Kills"; readonly count: number }
  readonly budgetMillis: number
  readonly directory: string
}

export interface Outcome {
  readonly options: Options
  /** How long the clients went on. */
  readonly millis: number
  readonly figures: Figures
  readonly inflicted: ReadonlyArray<Inflicted>
  readonly samples: ReadonlyArray<Sample>
  readonly judgement: Judgement
  /** What is wrong besides: nodes that did not come back, or ended by themselves. */
  readonly problems: ReadonlyArray<string>
  readonly reasons: ReadonlyMap<string, number>
  readonly isInterrupted: boolean
}

export const hasPrimary = ({ replication }: Pick<Options, "replication">): boolean => replication !== "quorum"

/** What a run is doing: for whoever shows it. */
export interface Progress {
  phase: "starting" | "under faults" | "healing" | "reading" | "judging" | "done"
  /** 0 to 1, of the phase. */
  part: number
  calls: number
  faults: ReadonlyArray<Inflicted>
}

/** How long the cluster may take to come up, and to come back after the last fault. */
const startMillis = 60_000
const recoveryMillis = 60_000
/** What may be decided after an interruption. */
const interruptedBudgetMillis = 3_000

/** What a run has come to so far. */
export class Session {
  readonly options: Options
  readonly recorder: Recorder
  readonly progress: Progress = { phase: "starting", part: 0, calls: 0, faults: [] }
  readonly problems: Array<string> = []
  inflicted: ReadonlyArray<Inflicted> = []
  /** When the clients ended, in milliseconds since they began. */
  loadTo: number | undefined

  constructor(options: Options) {
    this.options = options
    this.recorder = new Recorder(options.directory)
  }
}

/** Clients and faults, and at the end a cluster that is healed and read; `tell` hears of each fault. */
export const endure = (session: Session, tell: (text: string) => void): Effect.Effect<void, CannotRun> =>
  Effect.scoped(
    Effect.gen(function* () {
      const cluster = yield* start(session.options)
      tell(`${session.options.nodes} nodes start, seed ${session.options.seed}`)
      const nemesis = new Nemesis(cluster, session.recorder, tell)
      session.inflicted = nemesis.inflicted
      yield* underFaults(session, cluster, nemesis)
      yield* recover(session, cluster)
      session.problems.push(...cluster.nodes.flatMap(({ deaths }) => deaths))
    })
  )

/** What is to be said of it. After an interruption, in a moment. */
export const conclude = (session: Session, isInterrupted = false): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const { inflicted, options, problems, progress, recorder } = session
    progress.phase = "judging"
    const millis = session.loadTo ?? recorder.elapsedMillis
    const samples = recorder.samples.filter(({ fromMillis }) => fromMillis <= millis)
    const budgetMillis = isInterrupted ? Math.min(interruptedBudgetMillis, options.budgetMillis) : options.budgetMillis
    yield* Effect.promise(recorder.close)
    const judgement = yield* judge(recorder.events, budgetMillis, (done, all) => (progress.part = done / all))
    return {
      ...{ options, millis, inflicted, judgement, problems, isInterrupted },
      figures: figuresOf(samples, inflicted, { nodes: options.nodes, hasPrimary: hasPrimary(options) }, millis),
      samples,
      reasons: recorder.reasons
    }
  })

const underFaults = (session: Session, cluster: Cluster, nemesis: Nemesis): Effect.Effect<void, CannotRun> =>
  Effect.gen(function* () {
    const { options, progress, recorder } = session
    const missing = yield* awaitAll(cluster, startMillis)
    if (missing.length > 0) {
      const reason = `${missing.join(", ")} did not start within ${startMillis / 1_000} s. See the logs in ${options.directory}.`
      return yield* new CannotRun({ reason })
    }
    progress.phase = "under faults"
    recorder.begin()
    const { length, seed } = options
    let goesOn = true
    const ports = cluster.nodes.map(({ port }) => port)
    const load = Workload.run({ ...options, ports }, recorder, () => goesOn)
    const faults =
      length._tag === "Kills"
        ? kills(length.count, seed, cluster, nemesis, (part) => (progress.part = part))
        : Effect.andThen(
            nemesis.run(
              draw({ kinds: options.faults, nodes: cluster.nodes.map(({ id }) => id), seed, forMillis: length.millis })
            ),
            Effect.suspend(() => Effect.sleep(Math.max(0, length.millis - recorder.elapsedMillis)))
          )
    const watch = Effect.forever(
      Effect.andThen(
        Effect.sync(() => {
          progress.calls = recorder.samples.length
          progress.faults = nemesis.current
          if (length._tag === "Time") progress.part = recorder.elapsedMillis / length.millis
        }),
        Effect.sleep(100)
      )
    )
    const driven = Effect.andThen(
      faults,
      Effect.sync(() => {
        goesOn = false
        session.loadTo = recorder.elapsedMillis
      })
    )
    yield* Effect.raceFirst(Effect.all([load, driven], { concurrency: "unbounded", discard: true }), watch)
  })

/** Those that are down. */
const startAll = ({ nodes }: Cluster): Effect.Effect<void> =>
  Effect.forEach(nodes, (node) => node.start, { discard: true })

/** The primary is killed, and started anew, again and again. */
const kills = (
  count: number,
  seed: number,
  cluster: Cluster,
  nemesis: Nemesis,
  tell: (part: number) => void
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const random = seeded(seed)
    for (let done = 0; done < count; done++) {
      yield* startAll(cluster)
      yield* awaitAll(cluster, recoveryMillis)
      // At any time between two heartbeats.
      yield* Effect.sleep(500 + random() * 500)
      const { nodes } = cluster
      const node = yield* nemesis.killPrimary(nodes[Math.floor(random() * nodes.length)]!.id)
      yield* Effect.sleep(1_500)
      yield* nemesis.restart(node)
      tell((done + 1) / count)
    }
  })

/** Everything is healed: all nodes must serve again, and are asked for all keys. */
const recover = ({ problems, progress, recorder }: Session, cluster: Cluster): Effect.Effect<void> =>
  Effect.gen(function* () {
    progress.phase = "healing"
    progress.faults = []
    yield* startAll(cluster)
    const missing = yield* awaitAll(cluster, recoveryMillis)
    if (missing.length > 0)
      problems.push(`${missing.join(", ")} did not serve again within ${recoveryMillis / 1_000} s`)
    progress.phase = "reading"
    const keys = [...recorder.events.keys()].filter((key) => serviceOf(key) !== "locks")
    let read = 0
    yield* Effect.forEach(
      cluster.nodes,
      (node, index) =>
        Effect.catch(
          readAll(node, finalReader + index, keys, recorder, () => {
            progress.part = ++read / (keys.length * cluster.nodes.length)
          }),
          (problem) => Effect.sync(() => problems.push(problem))
        ),
      { concurrency: "unbounded", discard: true }
    )
  })

/** At a node; fails with what is wrong with it. */
const readAll = (
  { id, port }: Process,
  reader: number,
  keys: ReadonlyArray<string>,
  recorder: Recorder,
  tell: () => void
): Effect.Effect<void, string> =>
  Effect.acquireUseRelease(
    Connection.open(port),
    (connection) =>
      Effect.forEach(
        keys,
        (key) =>
          Effect.flatMap(Workload.readOnce(connection, reader, key, recorder), ({ type }) =>
            type === "ok"
              ? Effect.sync(tell)
              : Effect.fail(`${id} did not answer a read of ${key} after all was healed`)
          ),
        { discard: true }
      ),
    (connection) => Effect.sync(() => connection.close())
  ).pipe(Effect.catchTag("Lost", () => Effect.fail(`${id} took no client after all was healed`)))

/** The numbers of the clients that read at the end, far from the others'. */
const finalReader = 1_000_000
