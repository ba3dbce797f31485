/** `troupe torture`: real processes, real faults, and whether what clients saw can be. */
import { replications } from "@troupe/kv"
import { Clock, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { execFileSync } from "node:child_process"
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { CannotRun, Usage, Violated } from "../Problem.ts"
import { bar, count, cut, print, type Screen, screen, whileDrawing } from "../terminal/Screen.ts"
import { type Kind, kinds } from "../torture/Plan.ts"
import { htmlOf } from "../torture/Report.ts"
import { asJson, linesOf, verdictOf } from "../torture/Summary.ts"
import * as Torture from "../torture/Torture.ts"
import { isBetween, json } from "./arguments.ts"

const optional = {
  minutes: Flag.Finite("minutes").pipe(
    Flag.filter(isBetween(0.05, 24 * 60), () => "a number of minutes from 0.05 to 1440"),
    Flag.withDescription("How long faults go on. Default: 3"),
    Flag.optional
  ),
  seconds: Flag.Finite("seconds").pipe(
    Flag.filter(isBetween(3, 86_400), () => "a number of seconds from 3 to 86400"),
    Flag.withDescription("The same in seconds"),
    Flag.optional
  ),
  kills: Flag.Int("kills").pipe(
    Flag.filter(isBetween(1, 10_000), () => "a number from 1 to 10000"),
    Flag.withMetavar("N"),
    Flag.withDescription("Instead: kill the primary so many times, and tell how long until the next write"),
    Flag.optional
  ),
  faults: Flag.String("faults").pipe(
    Flag.withMetavar("KINDS"),
    Flag.withDescription(`Which faults, with commas in between: ${kinds.join(", ")}; or none. Default: all`),
    Flag.optional
  ),
  seed: Flag.Int("seed").pipe(
    Flag.filter(isBetween(0, 2 ** 31 - 1), () => "a seed from 0 to 2147483647"),
    Flag.withDescription("What faults and clients are drawn from. Default: a new one, which is told"),
    Flag.optional
  ),
  out: Flag.String("out").pipe(
    Flag.withMetavar("DIR"),
    Flag.withDescription("For report, histories, logs of the nodes and their data. Default: a new temporary directory"),
    Flag.optional
  )
}

const flags = {
  replication: Flag.Literals("replication", replications).pipe(
    Flag.withDescription("How the nodes keep their copies alike"),
    Flag.withDefault("passive")
  ),
  nodes: Flag.Int("nodes").pipe(
    Flag.filter(isBetween(3, 9), () => "a number of nodes from 3 to 9"),
    Flag.withDescription("How many processes. Default: 5"),
    Flag.withDefault(5)
  ),
  clients: Flag.Int("clients").pipe(
    Flag.filter(isBetween(1, 64), () => "a number of clients from 1 to 64"),
    Flag.withDescription("How many clients. Default: 8"),
    Flag.withDefault(8)
  ),
  rate: Flag.Int("rate").pipe(
    Flag.filter(isBetween(1, 5_000), () => "a number of calls from 1 to 5000"),
    Flag.withDescription("Calls a second of all clients: more find more, and take longer to judge. Default: 300"),
    Flag.withDefault(300)
  ),
  budget: Flag.Finite("budget").pipe(
    Flag.filter(isBetween(1, 86_400), () => "a number of seconds from 1 to 86400"),
    Flag.withDescription("Seconds for the judgement, after which a key is undecided, which is no pass. Default: 120"),
    Flag.withDefault(120)
  ),
  verbose: Flag.Boolean("verbose").pipe(
    Flag.withDescription("Say on the error output which fault there is now"),
    Flag.withDefault(false)
  ),
  json,
  ...optional
}

type Given = { readonly [Name in keyof typeof optional]: Command.Command.Config.Infer<typeof optional>[Name] }

const lengthOf = ({ kills, minutes, seconds }: Given): Effect.Effect<Torture.Options["length"], Usage> => {
  const named = [kills, minutes, seconds].filter(Option.isSome).length
  if (named > 1) return Effect.fail(new Usage({ reason: "Give one of --minutes, --seconds and --kills." }))
  if (Option.isSome(kills)) return Effect.succeed({ _tag: "Kills", count: kills.value })
  const given = Option.orElse(seconds, () => Option.map(minutes, (value) => value * 60))
  return Effect.succeed({ _tag: "Time", millis: Option.getOrElse(given, () => 180) * 1_000 })
}

/** Whether a process can be denied room from outside. */
const canFill = (): boolean => {
  try {
    execFileSync("prlimit", ["--version"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}

const faultsOf = ({ faults, kills }: Given): Effect.Effect<ReadonlyArray<Kind>, Usage> =>
  Effect.suspend(() => {
    if (Option.isNone(faults)) return Effect.succeed(kinds.filter((kind) => kind !== "disk" || canFill()))
    if (Option.isSome(kills)) return Effect.fail(new Usage({ reason: "--kills is without other --faults." }))
    if (faults.value === "none") return Effect.succeed([])
    const words = faults.value.split(",").map((word) => word.trim())
    const other = words.find((word) => !kinds.includes(word as Kind))
    if (other !== undefined) {
      const reason = `--faults has "${other}". There are ${kinds.join(", ")}; or none.`
      return Effect.fail(new Usage({ reason }))
    }
    if (words.includes("disk") && !canFill()) {
      const reason = "A full disk is made with prlimit of Linux, which is not here. Leave disk out of --faults."
      return Effect.fail(new Usage({ reason }))
    }
    return Effect.succeed(words as ReadonlyArray<Kind>)
  })

const directoryOf = ({ out }: Given): Effect.Effect<string, Usage> =>
  Effect.try({
    try: () => {
      if (Option.isNone(out)) return mkdtempSync(join(tmpdir(), "troupe-torture-"))
      mkdirSync(out.value, { recursive: true })
      return resolve(out.value)
    },
    catch: (error) => new Usage({ reason: `--out: ${(error as Error).message}.` })
  }).pipe(
    Effect.filterOrFail(
      (directory) => !existsSync(join(directory, "data")),
      (directory) => new Usage({ reason: `${directory} has the data of another run. Give --out another directory.` })
    )
  )

const phases: Readonly<Record<Torture.Progress["phase"], string>> = {
  starting: "the nodes start",
  "under faults": "",
  healing: "all is healed, and the nodes come back",
  reading: "all keys are read at every node",
  judging: "what the clients saw is judged",
  done: ""
}

const drawn = ({ calls, faults, part, phase }: Torture.Progress, { width }: Screen): ReadonlyArray<string> => {
  const what = faults.map((fault) => fault.what).join("; ")
  const told = phases[phase] === "" ? what : phases[phase]
  return [
    cut(`  ${bar(part, Math.min(30, width - 40))}  ${count(calls, "call")}`, width - 1),
    cut(`  ${told}`, width - 1)
  ]
}

const kv = Command.make(
  "kv",
  flags,
  Effect.fnUntraced(function* (given) {
    const length = yield* lengthOf(given)
    const faults = yield* faultsOf(given)
    const directory = yield* directoryOf(given)
    const seed = Option.getOrElse(given.seed, () => undefined) ?? (yield* Clock.currentTimeMillis) % 1_000_000
    const { budget, clients, nodes, rate, replication } = given
    const options = {
      ...{ replication, nodes, clients, seed, rate, faults, length, directory },
      budgetMillis: budget * 1_000
    }
    const terminal = yield* screen
    const session = new Torture.Session(options)
    const tell = (text: string): void => {
      const line = `${(session.recorder.elapsedMillis / 1_000).toFixed(1)} s  ${text}`
      appendFileSync(join(directory, "faults.log"), `${line}\n`)
      if (given.verbose) console.error(line)
    }
    const finish = (outcome: Torture.Outcome): Effect.Effect<void> => {
      const object = asJson(outcome)
      writeFileSync(join(directory, "report.html"), htmlOf(outcome))
      writeFileSync(join(directory, "report.json"), `${JSON.stringify(object, undefined, 2)}\n`)
      return print(given.json ? [JSON.stringify(object)] : linesOf(outcome, terminal.style))
    }
    const running = Effect.andThen(
      Torture.endure(session, tell),
      Effect.suspend(() => Torture.conclude(session))
    )
    const isDrawn = process.stderr.isTTY && !given.verbose
    const outcome = yield* (
      isDrawn
        ? whileDrawing(running, process.stderr, () => drawn(session.progress, terminal), { erase: true })
        : running
    ).pipe(Effect.onInterrupt(() => Effect.flatMap(Torture.conclude(session, true), finish)))
    yield* finish(outcome)
    const verdict = verdictOf(outcome)
    if (verdict === "violated") return yield* new Violated()
    if (verdict === "unknown") return yield* new CannotRun({ reason: "" })
  })
).pipe(
  Command.withDescription(
    "Runs a store of processes on disk, lets clients work on it while nodes are killed and stopped, links cut and delayed, " +
      "clocks moved and disks filled, and judges what the clients saw. Exits with 0 when all is well; with 1 when it is " +
      "not linearizable, an acknowledged write is lost or a node does not serve again; with 3 when that could not be " +
      "decided. Ctrl-C ends it, and reports of what there was"
  ),
  Command.withShortDescription("The store for Redis clients"),
  Command.withExamples([
    { command: "troupe torture kv --minutes 3", description: "Five processes under all faults" },
    {
      command: "troupe torture kv --replication naive --seconds 20",
      description: "What it finds in a store without order"
    },
    {
      command: "troupe torture kv --faults kill,partition --seed 7 --verbose",
      description: "Only these, drawn from a seed"
    },
    { command: "troupe torture kv --kills 50", description: "How long until a store without its primary writes again" }
  ])
)

export const torture = Command.make("torture").pipe(
  Command.withDescription("Real processes under real faults, and whether what their clients saw can be"),
  Command.withSubcommands([kv])
)
