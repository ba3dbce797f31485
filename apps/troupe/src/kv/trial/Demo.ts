/**
 * A demonstration in real time: clients on sockets keep a store busy while its nodes are killed and its network is cut. It
 * ends with the verdict of what they saw.
 */
import { type Cluster, Connection, Http, type Node, type Replication } from "@troupe/kv"
import { Clock, Effect, Random, References, type Scope } from "effect"
import * as Book from "./Book.ts"
import * as Clients from "./Clients.ts"
import * as Household from "./Household.ts"
import { draw, type Scene } from "./Script.ts"
import * as Verdict from "./Verdict.ts"

export interface Options {
  readonly nodes: number
  readonly replication: Replication
  readonly quorum?: Node.QuorumOptions
  readonly seed: number
  readonly durationMillis: number
  readonly clients: number
  /** Of the first node; 0: any. */
  readonly port: number
  readonly httpPort: number
  readonly work: Clients.Work
}

/** How it goes, for who draws it. */
export interface Progress {
  readonly household: Household.Household
  readonly book: Book.Book
  /** What befell the nodes so far. */
  readonly told: Array<string>
  /** By node, in a word or two. */
  readonly standing: Map<string, string>
}

export interface Outcome {
  readonly book: Book.Book
  readonly judged: Verdict.Judged
}

/** The world, up and with its accounts opened. */
export const open = (
  options: Options
): Effect.Effect<
  Progress & { readonly httpPort: number },
  Cluster.StartError | Connection.Hangup | Http.HttpFailed,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const household = yield* Household.make(options)
    const httpPort = yield* Http.serve(() => up(household), { port: options.httpPort })
    yield* Clients.insist(dial(household), (ask) => Clients.prepare(ask, options.work))
    return { household, book: Book.make(yield* Clock.currentTimeMillis), told: [], standing: new Map(), httpPort }
  }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

/** `tell` takes each event as it happens. */
export const run = (
  options: Options,
  progress: Progress,
  tell: (line: string) => Effect.Effect<void>
): Effect.Effect<Outcome, Connection.Hangup | Cluster.StartError> =>
  Effect.gen(function* () {
    const { book, household } = progress
    const clients = Array.from({ length: options.clients }, (_, index) =>
      Random.withSeed(roam(`c${index + 1}`, index, options.work, progress), `${options.seed}/${index}`)
    )
    const script = play(draw(options.seed, options.durationMillis), progress, tell)
    yield* Effect.raceFirst(
      Effect.all([script, ...clients, watch(progress)], { concurrency: "unbounded", discard: true }),
      Effect.sleep(options.durationMillis)
    )
    const remains = yield* Clients.insist(dial(household), (ask) => Verdict.collect(ask, options.work, book)).pipe(
      Effect.timeoutOrElse({ duration: "15 seconds", orElse: () => Effect.succeed(undefined) })
    )
    return { book, judged: Verdict.judge(book, options.work, remains) }
  }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

/** A client that goes to the next node when its own is gone, or cannot help. */
const roam = (
  name: string,
  first: number,
  work: Clients.Work,
  { book, household }: Progress
): Effect.Effect<never, never> => {
  const { ids } = household
  let visits = 0
  const visit = Effect.gen(function* () {
    const address = household.addresses.get(ids[(first + visits++) % ids.length]!)!
    const ask = yield* Connection.open(address)
    yield* Clients.client(`${name}.${visits}`, leaving(ask), work, book)
  })
  return Effect.forever(
    Effect.andThen(Effect.ignore(Effect.scoped(visit)), Effect.sleep(leavingMillis))
  ) as Effect.Effect<never>
}

const leavingMillis = 20

/** Who is told that a node can do nothing asks there no more. */
const leaving = (ask: Connection.Ask): Connection.Ask => {
  let isUseless = false
  return (...words) =>
    Effect.suspend(() =>
      isUseless
        ? Effect.fail(new Connection.Hangup({ isSent: false, reason: "the node cannot help" }))
        : Effect.tap(ask(...words), (reply) => Effect.sync(() => (isUseless = Clients.fateOf(reply) !== "ok")))
    )
}

/** In the order of their names. */
const up = ({ ids, nodes }: Household.Household): ReadonlyArray<Node.Node> => ids.flatMap((id) => nodes.get(id) ?? [])

/** A connection to each of the nodes that are up, in turn. */
const dial =
  (household: Household.Household) =>
  (turn: number): Effect.Effect<Connection.Ask, unknown, Scope.Scope> =>
    Effect.suspend((): Effect.Effect<Connection.Ask, unknown, Scope.Scope> => {
      const nodes = up(household)
      const node = nodes[turn % nodes.length]
      return node === undefined ? Effect.fail("nobody is up") : Connection.open(node.server)
    })

// ------------------------------------------------------------------------------------------------------- what befalls

const play = (scenes: ReadonlyArray<Scene>, progress: Progress, tell: (line: string) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    for (const scene of scenes) {
      const now = yield* Clock.currentTimeMillis
      yield* Effect.sleep(Math.max(0, progress.book.startedAt + scene.atMillis - now))
      yield* perform(scene, progress, (line) =>
        Effect.flatMap(Clock.currentTimeMillis, (at) => {
          const timed = `${((at - progress.book.startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`
          progress.told.push(timed)
          return tell(timed)
        })
      )
    }
  })

const perform = (
  { act, lot }: Scene,
  { household }: Progress,
  say: (line: string) => Effect.Effect<void>
): Effect.Effect<void, Cluster.StartError> =>
  Effect.gen(function* () {
    const { ids, nodes } = household
    const primary = yield* primaryOf(household)
    const others = ids.filter((id) => id !== primary && nodes.has(id))
    if (act._tag === "Kill") {
      const another = others[Math.floor(lot * others.length)]
      const victim = (act.who === "primary" ? (primary ?? another) : (another ?? primary)) ?? ids[0]!
      yield* household.kill(victim)
      yield* say(`${victim} is killed${victim === primary ? ", the primary" : ""}`)
      yield* Effect.sleep(act.forMillis)
      yield* household.start(victim)
      return yield* say(`${victim} is back`)
    }
    const size = Math.ceil(ids.length / 2) - 1
    if (size === 0) return
    const from = Math.floor(lot * others.length)
    const turned = [...others.slice(from), ...others.slice(0, from)]
    const side = (primary === undefined ? turned : [primary, ...turned]).slice(0, size).toSorted()
    household.cutOff(side)
    const which = primary === undefined ? "" : ", the primary with them"
    yield* say(`the network is cut: ${side.join(" and ")} on one side${which}`)
    yield* Effect.sleep(act.forMillis)
    household.heal()
    yield* say("the network is whole again")
  })

/** The newest that a node knows of, where there is one. */
const primaryOf = ({ nodes }: Household.Household): Effect.Effect<string | undefined> =>
  Effect.gen(function* () {
    let primary: string | undefined
    let view = -1
    for (const { replicated } of nodes.values()) {
      const status = yield* replicated.status
      if (status.role === "replica" || status.primary === undefined || status.view <= view) continue
      primary = status.primary
      view = status.view
    }
    return primary
  })

const watch = ({ household, standing }: Progress) =>
  Effect.forever(
    Effect.gen(function* () {
      for (const id of household.ids) {
        const node = household.nodes.get(id)
        if (node === undefined) standing.set(id, "down")
        else {
          const { role, applied, view } = yield* node.replicated.status
          const cut = household.isCutOff(id) ? ", cut off" : ""
          const inView = role === "replica" ? "" : `view ${view}, `
          standing.set(id, `${role}${cut}`.padEnd(18) + `${inView}${applied} updates`)
        }
      }
      yield* Effect.sleep("100 millis")
    })
  )
