/**
 * The store in a simulated world: its replicas on simulated disks, clients on every node, virtual time, and faults that the
 * seed draws. The same seed gives the same run. There are no sockets in such a world: clients talk to their node's replica.
 */
import { Cluster, Connection, type Node, type Replication } from "@troupe/kv"
import { Faults, Simulation } from "@troupe/simulation"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Transport } from "@troupe/transport"
import { Clock, Deferred, Effect, Layer, References } from "effect"
import * as Book from "./Book.ts"
import * as Clients from "./Clients.ts"
import * as Verdict from "./Verdict.ts"

export interface Options {
  readonly nodes: number
  readonly replication: Replication
  readonly quorum?: Node.QuorumOptions
  readonly seed: number
  readonly faults: keyof typeof Faults.presets
  readonly durationMillis: number
  /** On each node. */
  readonly clients: number
  readonly work: Clients.Work
}

export interface Outcome {
  readonly book: Book.Book
  readonly judged: Verdict.Judged
  readonly faults: ReadonlyArray<Faults.Event>
  /** Of the world, or of a program in it. */
  readonly failures: ReadonlyArray<string>
  readonly durationMillis: number
  readonly messages: number
}

/** How long the store may take to answer when all is over. */
const patienceMillis = 15_000

export const run = (options: Options): Effect.Effect<Outcome, Simulation.SimulationError> =>
  Effect.gen(function* () {
    const { durationMillis, quorum = {}, replication, seed, work } = options
    const ids = Cluster.namesOf(options.nodes)
    const disks = SimulatedDisk.make({ seed })
    let book = Book.make(0)
    const asks = new Map<string, Connection.Ask>()
    const lives = new Map<string, number>()
    const isOpened = Deferred.makeUnsafe<void>()
    let isOver = false
    const dial = (turn: number) =>
      Effect.suspend(() => {
        const ask = [...asks.values()][turn % Math.max(1, asks.size)]
        return ask === undefined ? Effect.fail("nobody is up") : Effect.succeed(ask)
      })

    const program = (id: string) =>
      Effect.gen(function* () {
        const life = (lives.get(id) ?? 0) + 1
        lives.set(id, life)
        const transport = Layer.succeed(Transport, yield* Transport)
        const replicated = yield* Cluster.startReplica({ id, replication, quorum }, transport, disks.layer(id))
        const connect = Connection.local(replicated)
        asks.set(id, yield* connect)
        yield* Deferred.await(isOpened)
        const clients = Array.from({ length: options.clients }, (_, index) =>
          Effect.gen(function* () {
            const ask = yield* connect
            const whileOpen: Connection.Ask = (...words) => (isOver ? Effect.never : ask(...words))
            yield* Clients.client(`${id}.${life}.${index + 1}`, whileOpen, work, book)
          })
        )
        yield* Effect.all(clients, { concurrency: "unbounded", discard: true })
      }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

    const test = () =>
      Effect.gen(function* () {
        yield* Effect.sleep("1 second")
        yield* Clients.insist(dial, (ask) => Clients.prepare(ask, work))
        book = Book.make(yield* Clock.currentTimeMillis)
        yield* Deferred.succeed(isOpened, undefined)
        yield* Effect.sleep(durationMillis)
        isOver = true
        book = Book.closed(book)
        return yield* Clients.insist(dial, (ask) => Verdict.collect(ask, work, book)).pipe(
          Effect.timeoutOrElse({ duration: patienceMillis - 1_000, orElse: () => Effect.succeed(undefined) })
        )
      })

    const result = yield* Simulation.run({
      seed,
      nodes: ids,
      faults: Faults.presets[options.faults],
      planned: durationMillis,
      duration: durationMillis + patienceMillis,
      program,
      test
    })
    return {
      book,
      judged: Verdict.judge(book, work, result.value),
      faults: result.faults,
      failures: result.violations.map(({ detail, name }) => (detail === undefined ? name : `${name}: ${detail}`)),
      durationMillis: result.durationMillis,
      messages: result.counts.delivered
    }
  })
