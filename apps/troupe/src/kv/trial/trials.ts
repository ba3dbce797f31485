/** Puts a store on trial, in real time or in a simulated world, and tells how it went. */
import type { Node, Replication } from "@troupe/kv"
import { History } from "@troupe/consistency"
import { Faults } from "@troupe/simulation"
import { Console, Effect, type FileSystem } from "effect"
import { write } from "../../Histories.ts"
import { type Usage, Violated } from "../../Problem.ts"
import { bar, count, number, type Screen, screen, whileDrawing } from "../../terminal/Screen.ts"
import { cannotRun } from "../../commands/serving.ts"
import type { Book } from "./Book.ts"
import * as Clients from "./Clients.ts"
import * as Demo from "./Demo.ts"
import * as Report from "./Report.ts"
import * as Simulated from "./Simulated.ts"
import type { Judged } from "./Verdict.ts"

export interface Trial {
  readonly replication: Replication
  readonly quorum: Node.QuorumOptions
  readonly nodes: number
  readonly seed: number
  readonly seconds: number
  readonly history: string | undefined
}

const workOf = ({ replication }: Trial): Clients.Work =>
  // Keys that are replicated one by one have no transactions of several.
  replication === "quorum" ? { ...Clients.usual, accounts: 0 } : Clients.usual

type Ends = Effect.Effect<void, Violated | Usage, FileSystem.FileSystem>

const end = (trial: Trial, judged: Judged, book: Book, terminal: Screen): Ends =>
  Effect.gen(function* () {
    yield* Console.log(Report.lines(judged, book, terminal).join("\n"))
    if (trial.history !== undefined) {
      yield* write(trial.history, History.toNdjson(judged.history))
      yield* Console.log(`  The history of the registers is in ${trial.history}: troupe verify ${trial.history}`)
    }
    if (!Report.holds(judged)) yield* new Violated()
  })

// ------------------------------------------------------------------------------------------------------ in real time

const clients = 8

export const demonstrate = (trial: Trial & { readonly port: number; readonly http: number }) =>
  Effect.scoped(
    Effect.gen(function* () {
      const terminal = yield* screen
      const { nodes, quorum, replication, seconds, seed } = trial
      const options: Demo.Options = {
        nodes,
        replication,
        quorum,
        seed,
        durationMillis: seconds * 1000,
        clients,
        port: trial.port,
        httpPort: trial.http,
        work: workOf(trial)
      }
      const { bold, dim } = terminal.style
      const progress = yield* Effect.mapError(Demo.open(options), cannotRun)
      const [first, last] = [nodes, 1].map((at) => progress.household.addresses.get(`n${at}`)!.port).toSorted()
      yield* Console.log(
        [
          "",
          bold(
            `A store of ${count(nodes, "node")}, ${replication} replication; ${clients} clients, ${seconds} seconds.`
          ),
          dim(`  redis-cli -p ${first} to ${last}, status page http://127.0.0.1:${progress.httpPort}/, seed ${seed}`),
          ""
        ].join("\n")
      )
      const run = Demo.run(options, progress, (line) => (terminal.canRedraw ? Effect.void : Console.log(line)))
      const drawn = terminal.canRedraw
        ? whileDrawing(run, process.stdout, () => picture(progress, options, terminal))
        : run
      const { book, judged } = yield* Effect.mapError(drawn, cannotRun)
      yield* Console.log("")
      yield* end(trial, judged, book, terminal)
    })
  )

const picture = (
  { book, standing, told }: Demo.Progress,
  { durationMillis }: Demo.Options,
  { height, style: { dim, green, red, yellow }, width }: Screen
): ReadonlyArray<string> => {
  const gone = Math.min(durationMillis, Date.now() - book.startedAt)
  const paint = (state: string) => {
    if (state.startsWith("down")) return red(state)
    return state.includes("cut off") || !/^(primary|backup|replica)/.test(state)
      ? yellow(state)
      : state.startsWith("primary")
        ? green(state)
        : state
  }
  const rows = [...standing].map(([id, state]) => `  ${id.padEnd(4)} ${paint(state)}`)
  const done =
    `${number(book.answered)} commands answered, ${number(book.unanswered)} refused or in doubt, ` +
    count(book.applied.length, "transfer")
  return [
    ...told.slice(-Math.max(1, height - rows.length - 6)).map((line) => `  ${line}`),
    "",
    ...rows,
    "",
    `  ${bar(gone / durationMillis, Math.min(40, width - 30))} ${(gone / 1000).toFixed(0)} of ${durationMillis / 1000} s`,
    `  ${dim(done)}`
  ]
}

// ------------------------------------------------------------------------------------------------ in a simulated world

/** Of clients that answer to virtual time. */
const simulatedPauseMillis = 300

export const simulate = (trial: Trial & { readonly faults: keyof typeof Faults.presets }) =>
  Effect.gen(function* () {
    const terminal = yield* screen
    const { faults, nodes, quorum, replication, seconds, seed } = trial
    const outcome = yield* Effect.mapError(
      Simulated.run({
        nodes,
        replication,
        quorum,
        seed,
        faults,
        durationMillis: seconds * 1000,
        clients: 2,
        work: { ...workOf(trial), pauseMillis: simulatedPauseMillis }
      }),
      cannotRun
    )
    const { book, failures, judged } = outcome
    const failed = failures.map((detail) => ({ name: "the world goes on", holds: false, detail }))
    yield* Console.log(
      [
        "",
        terminal.style.bold(
          `A store of ${count(nodes, "node")} in a simulated world: ${replication} replication, faults ${faults}, ` +
            `${seconds} seconds, seed ${seed}.`
        ),
        "",
        ...outcome.faults.map((event) => `  ${Faults.describe(event)}`),
        ...(outcome.faults.length === 0 ? [] : [""]),
        `  ${number(outcome.messages)} messages arrived.`,
        ""
      ].join("\n")
    )
    const again =
      `  The same again: troupe kv --transport sim --replication ${replication} --nodes ${nodes} --faults ${faults} ` +
      `--seconds ${seconds} --seed ${seed}`
    yield* end(trial, { ...judged, checks: [...failed, ...judged.checks] }, book, terminal).pipe(
      Effect.ensuring(Console.log(again))
    )
  })
