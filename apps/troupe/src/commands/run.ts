/** `troupe run`: an algorithm at work, on a transport of one's choice. */
import type { Trace } from "@troupe/trace"
import { Effect, FileSystem, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { spreads } from "../Demonstration.ts"
import { CannotRun, reasonOf, Usage, Violated } from "../Problem.ts"
import type { Tally } from "../Tally.ts"
import { print, screen } from "../terminal/Screen.ts"
import { names, type Run } from "../worlds/World.ts"
import {
  algorithm,
  checkWritable,
  findVariant,
  isBetween,
  json,
  maximumNodes,
  nodesOfRun,
  variant
} from "./arguments.ts"
import { asJson, asText } from "./run/Costs.ts"
import { crashAsJson, crashAsText, judge } from "./run/Crashed.ts"
import { detectionAsJson, detectionAsText } from "./run/Detected.ts"
import { lanesMax, svgOf } from "./run/Pictures.ts"
import { isRole, listens, maximumProcesses, refuse } from "./run/Refusal.ts"
import { type Report, transports, type Watched } from "./run/Report.ts"
import { spreadAsJson, spreadAsText } from "./run/Spreading.ts"
import { inLines, live, silently, titled } from "./run/Watching.ts"

const maximumEntries = 1_000_000
const maximumSeconds = 3_600

const flags = {
  algorithm,
  variant,
  nodes: nodesOfRun,
  transport: Flag.Literals("transport", transports).pipe(
    Flag.withDescription(
      `memory: all nodes in one process. tcp: each node a process, ${maximumProcesses} at the most. udp: the same, for algorithms that put up with loss. sim: virtual time. Default: memory`
    ),
    Flag.withDefault("memory")
  ),
  seed: Flag.Int("seed").pipe(
    Flag.filter(
      (seed) => Number.isSafeInteger(seed),
      () => "a whole number"
    ),
    Flag.withDescription("With sim, one seed is one run. Default: 1"),
    Flag.withDefault(1)
  ),
  entries: Flag.Int("entries").pipe(
    Flag.filter(isBetween(1, maximumEntries), () => `a number of entries from 1 to ${maximumEntries}`),
    Flag.withDescription(
      "How many times a lock is taken or a message sent, by all nodes together; an election is one. Default: 50; of gossip and replicas, 10"
    ),
    Flag.optional
  ),
  seconds: Flag.Int("seconds").pipe(
    Flag.filter(isBetween(2, maximumSeconds), () => `a number of seconds from 2 to ${maximumSeconds}`),
    Flag.withDescription("How long nodes watch each other, where the algorithm detects failures. Default: 30"),
    Flag.optional
  ),
  kill: Flag.String("kill").pipe(
    Flag.withMetavar("holder|leader|N"),
    Flag.filter(
      (text) => isRole(text) || (/^\d+$/.test(text) && isBetween(0, maximumNodes)(Number(text))),
      () => `holder, leader, or a number of nodes from 0 to ${maximumNodes}`
    ),
    Flag.withDescription(
      "holder, leader: who holds the lock or leads is killed; says what the others do, and whether the card said so. " +
        "N: so many nodes die when half of the seconds are over; says who noticed when. Default: 0"
    ),
    Flag.withDefault("0")
  ),
  detector: Flag.Boolean("detector").pipe(
    Flag.withDescription(
      "With --kill holder or leader: whether nodes have a failure detector, where the algorithm listens to one. Default: they have"
    ),
    Flag.withDefault(true)
  ),
  svg: Flag.String("svg").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription(
      `Write a picture: of a simulated run of up to ${lanesMax} nodes each message; of more, how things came to all`
    ),
    Flag.optional
  ),
  json
}

/** How many operations there are where nobody says. */
const usualEntries = ({ service }: Run["demonstration"]): number =>
  service === "gossip" || service === "replica" ? 10 : 50

export const run = Command.make(
  "run",
  flags,
  Effect.fnUntraced(function* (given) {
    const demonstration = yield* findVariant(given.algorithm, given.variant)
    const refusal = refuse(demonstration, given)
    if (refusal !== undefined) return yield* new Usage({ reason: refusal })
    const svg = Option.getOrUndefined(given.svg)
    if (svg !== undefined) yield* checkWritable(svg, "--svg")
    const terminal = yield* screen
    const entries = Option.getOrElse(given.entries, () => usualEntries(demonstration))
    const events: Array<Trace.Event> = []
    const isLive = terminal.canRedraw && !given.json
    const seconds = Option.getOrElse(given.seconds, () => 30)
    const dying = isRole(given.kill) ? 0 : Number(given.kill)
    const plan: Run = {
      demonstration,
      nodes: names(given.nodes),
      entries: demonstration.isOngoing ? seconds : entries,
      seed: given.seed,
      workMillis: isLive && !isRole(given.kill) ? watchable(entries, demonstration.inTurns ? 1 : given.nodes) : 0,
      ...(dying > 0 ? { kill: { nodes: victims(given.nodes, dying), afterMillis: 500 * seconds } } : {}),
      ...(svg === undefined || given.nodes > lanesMax ? {} : { trace: (event) => events.push(event) }),
      ...(isRole(given.kill) ? { crash: { detector: given.detector && listens(demonstration) } } : {})
    }
    const show = given.json ? silently : isLive ? live : isRole(given.kill) ? titled : inLines
    const [toJson, toText] = isRole(given.kill)
      ? [crashAsJson, crashAsText]
      : demonstration.isOngoing
        ? [detectionAsJson, detectionAsText]
        : spreads(demonstration)
          ? [spreadAsJson, spreadAsText]
          : [asJson, asText]
    const tell = (watched: Watched) => {
      const report = { plan, transport: given.transport, ...watched }
      return print(given.json ? [JSON.stringify(toJson(report))] : toText(report, terminal))
    }
    const start = performance.now()
    let begun: Tally | undefined
    // Of what goes on until it is stopped, an interrupt leaves something to tell.
    const tellBegun = Effect.suspend(() => {
      if (begun === undefined || begun.steps === 0 || !demonstration.isOngoing) return Effect.void
      const elapsedMillis = Math.round(performance.now() - start)
      return tell({ outcome: { properties: [], violations: begun.failures }, tally: begun, elapsedMillis })
    })
    const showing = show(plan, given.transport, terminal, (tally) => (begun = tally))
    const watched = yield* Effect.onInterrupt(showing, () => tellBegun)
    if (svg !== undefined) yield* writePicture(svg, { plan, transport: given.transport, ...watched }, events)
    yield* tell(watched)
    if (svg !== undefined && !given.json) yield* print(["", `picture in ${svg}`])
    const { violations } =
      plan.crash === undefined ? watched.outcome : judge({ plan, transport: given.transport, ...watched })
    if (violations.length > 0) return yield* new Violated()
  })
).pipe(
  Command.withDescription(
    "Runs an algorithm, shows it at work, and says what it cost and whether its guarantees held. " +
      "Exits with 1 when one did not, 2 when it was asked for what cannot be, 3 when a run could not end"
  ),
  Command.withShortDescription("Runs an algorithm, and shows what it does and costs"),
  Command.withExamples([
    { command: "troupe run mutex/ricart-agrawala", description: "Watch five nodes take turns" },
    { command: "troupe run mutex/ricart-agrawala --transport tcp", description: "The same, each node a process" },
    { command: "troupe run clocks/lamport --transport udp", description: "Over datagrams, where the card allows it" },
    { command: "troupe run election/bully --nodes 7 --transport sim --seed 3", description: "On virtual time" },
    { command: "troupe run mutex/ricart-agrawala --nodes 5 --entries 200 --json", description: "Just the figures" },
    {
      command: "troupe run group/causal --entries 8 --transport sim --svg causal.svg",
      description: "A multicast, message by message"
    },
    {
      command: "troupe run gossip/push-pull --nodes 10000 --transport sim",
      description: "News among ten thousand"
    },
    {
      command: "troupe run failure-detection/phi-accrual --nodes 50 --transport sim --kill 3",
      description: "Three nodes die: who notices when"
    },
    {
      command: "troupe run mutex/suzuki-kasami --transport tcp --kill holder",
      description: "kill -9 of who holds the lock: what the others do, and what the card said"
    }
  ])
)

const writePicture = (file: string, report: Report, events: ReadonlyArray<Trace.Event>) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    yield* files.writeFileString(file, svgOf(report, events))
  }).pipe(Effect.mapError((error) => new CannotRun({ reason: `The picture could not be written: ${reasonOf(error)}` })))

/** As far apart as they can be. The first node is not among them: it counts the seconds. */
const victims = (nodes: number, kill: number): ReadonlyArray<string> =>
  Array.from({ length: kill }, (_, at) => names(nodes)[1 + Math.floor(((at + 0.5) * (nodes - 1)) / kill)]!)

/** How long an operation takes, so that a run takes about eight seconds and each is seen. */
const watchable = (entries: number, atOnce: number): number => Math.min(800, (8_000 * atOnce) / entries)
