/**
 * `troupe bank`: the main job, on a transport of one's choice.
 */
import type * as Tcp from "@troupe/transport/Tcp"
import { Console, Effect, Option, Random } from "effect"
import { Command, Flag } from "effect/cli"
import { isBetween } from "../commands/arguments.ts"
import { CannotRun, Usage, Violated } from "../Problem.ts"
import * as Bank from "./Bank.ts"
import * as Crew from "./Crew.ts"
import * as Ledger from "./Ledger.ts"
import { audit, type Check, costs } from "./Report.ts"
import * as InMemory from "./staff/memory.ts"
import * as Processes from "./staff/processes.ts"
import * as Simulated from "./staff/simulated.ts"
import * as Transfer from "./Transfer.ts"

const maximumOpening = 1_000_000_000_000

const tellers = ["n1", "n2", "n3", "n4", "n5"]

const flags = {
  input: Flag.String("input").pipe(
    Flag.withDescription('A file of transfers, one JSON object a line: {"from":"alice","to":"bob","amount":250}'),
    Flag.optional
  ),
  transport: Flag.Literals("transport", ["memory", "tcp", "sim"]).pipe(
    Flag.withDescription("memory: one process. tcp: each teller a process. sim: virtual time, done at once"),
    Flag.withDefault("memory")
  ),
  transfers: Flag.Int("transfers").pipe(
    Flag.withDescription("How many transfers to generate when there is no input"),
    Flag.filter(
      isBetween(1, Transfer.maximumTransfers),
      () => `a number of transfers from 1 to ${Transfer.maximumTransfers}`
    ),
    Flag.withDefault(500)
  ),
  opening: Flag.Int("opening").pipe(
    Flag.withDescription("What each account holds at first, in cents"),
    Flag.filter(isBetween(0, maximumOpening), () => `an amount in cents from 0 to ${maximumOpening}`),
    Flag.withDefault(100_000)
  ),
  seed: Flag.Int("seed").pipe(
    Flag.withDescription("Draws the generated transfers and, with --transport sim, the whole run"),
    Flag.withDefault(1)
  ),
  mutex: Flag.String("mutex").pipe(
    Flag.withDescription("The lock that the ledger is written under, as token-ring"),
    Flag.withDefault("ricart-agrawala")
  ),
  election: Flag.String("election").pipe(
    Flag.withDescription("How the tellers elect their leader, as ring"),
    Flag.withDefault("bully")
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print one JSON object at the end, and nothing else"),
    Flag.withDefault(false)
  )
}

export const bankCommand = Command.make(
  "bank",
  flags,
  Effect.fnUntraced(function* (given) {
    const transfers = yield* Option.match(given.input, {
      onNone: () => Random.withSeed(Transfer.generate(given.transfers), given.seed),
      onSome: (file) => Effect.mapError(Transfer.read(file), ({ message }) => new Usage({ reason: message }))
    })
    const crew = yield* Crew.chosen(given)
    const options: Bank.Options = {
      transfers,
      openingCents: given.opening,
      paceMillis: 7_000,
      accidentAtMillis: 3_000,
      returnAtMillis: 6_000,
      crew,
      say: (line) => (given.json ? Effect.void : Console.log(line))
    }
    const notice = Crew.noticeOf(crew)
    if (notice !== undefined && !given.json) yield* Effect.forEach(fold(notice, 110), (line) => Console.log(line))
    const run = yield* start(given.transport, given.seed, options).pipe(
      Effect.mapError(({ message }) => new CannotRun({ reason: message }))
    )
    const checks = audit(run, transfers.length)
    yield* given.json
      ? Console.log(JSON.stringify(summary(given.transport, run, checks, crew)))
      : Effect.forEach(report(given.transport, run, checks, crew), (line) => Console.log(line))
    if (checks.some(({ holds }) => !holds)) yield* new Violated()
  })
).pipe(
  Command.withDescription(
    "Runs the bank: five tellers with a clock, an election and a lock apply transfers to a ledger while their leader is " +
      "killed, or resigns where the lock gets over no death"
  ),
  Command.withShortDescription("Runs the main job: a bank whose leader is killed"),
  Command.withExamples([
    { command: "troupe bank", description: "Ten seconds in one process" },
    { command: "troupe bank --transport tcp", description: "Five processes, and a real kill -9" },
    { command: "troupe bank --transport sim --seed 7", description: "The same on virtual time" },
    {
      command: "troupe bank --mutex token-ring --election ring",
      description: "With another lock, and another election"
    },
    { command: "troupe bank --input transfers.ndjson", description: "Transfers of your own" }
  ])
)

const start = (
  transport: "memory" | "tcp" | "sim",
  seed: number,
  options: Bank.Options
): Effect.Effect<Bank.Run, Bank.BankError | Tcp.TcpError> => {
  switch (transport) {
    case "memory":
      return Effect.scoped(Effect.provide(Bank.run(options), InMemory.layer(tellers, options.crew)))
    case "tcp":
      return Effect.scoped(Effect.provide(Bank.run(options), Processes.layer(tellers, options.crew)))
    case "sim":
      return Simulated.run(tellers, seed, options)
  }
}

const report = (
  transport: string,
  run: Bank.Run,
  checks: ReadonlyArray<Check>,
  crew: Crew.Crew
): ReadonlyArray<string> => [
  "",
  `The bank on ${transport}, ${Crew.cardOf(crew.mutex).title} and ${Crew.cardOf(crew.election).title}, ${(run.durationMillis / 1000).toFixed(1)} s: ` +
    `${run.ledger.entries.length} entries (${perTeller(run)}), ${run.balances} balance lines, ${run.resubmitted} transfers submitted again`,
  "",
  ...checks.map(({ detail, holds, name }) => `  ${holds ? "✓" : "✗"} ${name}: ${detail}`),
  "",
  ...fold(costs(run, crew), 110)
]

const perTeller = ({ ledger, tellers }: Bank.Run): string =>
  tellers.map((teller) => `${teller} ${ledger.entries.filter(({ node }) => node === teller).length}`).join(", ")

const fold = (text: string, width: number): ReadonlyArray<string> => {
  const lines = [""]
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!
    if (line.length + word.length >= width) lines.push(word)
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`
  }
  return lines
}

const accidentAsJson = ({ accident: { atMillis, returnedAtMillis, teller } }: Bank.Run) => ({
  teller,
  atMillis,
  returnedAtMillis: returnedAtMillis ?? null
})

const summary = (transport: string, run: Bank.Run, checks: ReadonlyArray<Check>, crew: Crew.Crew) => ({
  transport,
  ...crew,
  transfers: run.ledger.outcomes.size,
  entries: run.ledger.entries.length,
  leaders: run.leaders,
  views: run.views,
  [run.accident.kind === "resignation" ? "resigned" : "killed"]: accidentAsJson(run),
  refused: run.ledger.refused,
  resubmitted: run.resubmitted,
  balanceLines: run.balances,
  openingTotal: run.openingTotal,
  closingTotal: Ledger.total(run.ledger),
  durationMillis: Math.round(run.durationMillis),
  checks,
  violations: checks.filter(({ holds }) => !holds).map(({ name }) => name)
})
