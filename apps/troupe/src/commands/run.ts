/** `troupe run`: an algorithm at work, on a transport of one's choice. */
import type { Card } from "@troupe/actor"
import type { Trace } from "@troupe/trace"
import { Effect, FileSystem, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { spreads } from "../Demonstration.ts"
import { CannotRun, reasonOf, Usage, Violated } from "../Problem.ts"
import type { Sighting } from "../Sighting.ts"
import { type Outcome, Tally } from "../Tally.ts"
import { picture, summary } from "../terminal/Picture.ts"
import { count, cut, number, print, type Screen, screen, whileDrawing } from "../terminal/Screen.ts"
import { inMemory } from "../worlds/memory.ts"
import { processes } from "../worlds/processes.ts"
import { simulated } from "../worlds/simulated.ts"
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
import { crashAsJson, crashAsText, judge } from "./run/Crashed.ts"
import { detectionAsJson, detectionAsText } from "./run/Detected.ts"
import { lanesMax, svgOf } from "./run/Pictures.ts"
import { isRole, listens, maximumProcesses, refuse } from "./run/Refusal.ts"
import { type Report, type Transport, transports, verdicts, type Watched } from "./run/Report.ts"
import { spreadAsJson, spreadAsText } from "./run/Spreading.ts"

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

// ---------------------------------------------------------------------------------------------------- ways to watch

/** Is handed the tally of a run that begins. */
type Begin = (tally: Tally) => void

const perform = (plan: Run, transport: Transport, tally: Tally, begin: Begin): Effect.Effect<Watched, CannotRun> =>
  Effect.gen(function* () {
    begin(tally)
    const start = performance.now()
    const outcome: Outcome & { readonly virtualMillis?: number } = yield* {
      memory: inMemory,
      tcp: processes("tcp"),
      udp: processes("udp"),
      sim: simulated
    }[transport](plan, tally)
    const { virtualMillis } = outcome
    const elapsedMillis = Math.round(performance.now() - start)
    return { outcome, tally, elapsedMillis, ...(virtualMillis === undefined ? {} : { virtualMillis }) }
  }).pipe(Effect.mapError((error) => new CannotRun({ reason: error.message })))

const tallyOf = (
  { demonstration, nodes }: Run,
  transport: Transport,
  onSighting?: (tally: Tally, sighting: Sighting) => void
) =>
  new Tally(demonstration, nodes, {
    checks: transport !== "sim",
    ...(onSighting === undefined ? {} : { onSighting })
  })

const titled = (plan: Run, transport: Transport, _screen: Screen, begin: Begin) =>
  Effect.andThen(print([title(plan, transport)]), perform(plan, transport, tallyOf(plan, transport), begin))

const silently = (plan: Run, transport: Transport, _screen: Screen, begin: Begin) =>
  perform(plan, transport, tallyOf(plan, transport), begin)

/** A line for each tenth of the run. */
const inLines = (plan: Run, transport: Transport, _screen: Screen, begin: Begin) => {
  const { demonstration, entries, nodes } = plan
  const total = demonstration.operations(entries)
  let next = Math.min(total, Math.ceil(total / 10))
  const tally = tallyOf(plan, transport, (tally, { _tag }) => {
    if ((_tag !== "Finished" && _tag !== "Got") || tally.operations < next) return
    next += Math.ceil(total / 10)
    const { operation } = demonstration
    const done = `${number(tally.operations)} of ${count(total, operation)}`
    process.stdout.write(`  ${done}${andMessages(operation, tally)}: ${summary(nodes, tally)}\n`)
  })
  return Effect.andThen(print([title(plan, transport), ""]), perform(plan, transport, tally, begin))
}

const live = (plan: Run, transport: Transport, screen: Screen, begin: Begin) => {
  if (transport === "sim") return film(plan, screen, begin)
  const tally = tallyOf(plan, transport)
  const heading = title(plan, transport, screen)
  const starting =
    transport === "tcp" || transport === "udp"
      ? `  starting ${count(plan.nodes.length, "process").replace("ss", "sse")}`
      : ""
  return whileDrawing(perform(plan, transport, tally, begin), process.stdout, () =>
    tally.steps === 0 ? [heading, "", starting] : picture(plan, tally, heading, screen)
  )
}

/** How much of a run is kept to be shown. */
const filmSightings = 200_000

/** A simulated run is over at once, so what was seen is shown afterwards, at a speed that can be followed. */
const film = (plan: Run, screen: Screen, begin: Begin) =>
  Effect.gen(function* () {
    const seen: Array<Sighting> = []
    const watched = yield* perform(
      plan,
      "sim",
      tallyOf(plan, "sim", (_, sighting) => {
        if (seen.length < filmSightings) seen.push(sighting)
      }),
      begin
    )
    const endNanos = seen.at(-1)?.atNanos ?? 0
    const lastsMillis = Math.min(10_000, Math.max(4_000, endNanos / 1e6))
    const shown = tallyOf(plan, "sim")
    const start = performance.now()
    let next = 0
    const frame = (): ReadonlyArray<string> => {
      const nowNanos = Math.min(1, (performance.now() - start) / lastsMillis) * endNanos
      while (next < seen.length && seen[next]!.atNanos <= nowNanos) shown.see(seen[next++]!)
      const heading = title(plan, "sim", screen, `, ${(nowNanos / 1e9).toFixed(1)} s of virtual time`)
      return picture(plan, shown, heading, screen)
    }
    yield* whileDrawing(Effect.sleep(lastsMillis), process.stdout, frame)
    return watched
  })

// ------------------------------------------------------------------------------------------------------- the report

/** The name of the algorithm, and what it runs on; where there is a screen, in a line of it. */
const title = ({ demonstration, nodes, seed }: Run, transport: Transport, screen?: Screen, more = ""): string => {
  const world = {
    memory: "in memory",
    tcp: "over TCP, each a process",
    udp: "over UDP, each a process",
    sim: `simulated, seed ${seed}`
  }[transport]
  const name = demonstration.card.title
  const rest = `  ${count(nodes.length, "node")} ${world}${more}`
  return screen === undefined ? name + rest : screen.style.bold(name) + cut(rest, screen.width - 1 - name.length)
}

/** Where the operation is a message, they are counted already. */
const andMessages = (operation: string, { messages }: Tally): string =>
  operation === "message" ? "" : `, ${count(messages, "message")}`

const value = ({ of, text }: Card.Formula, nodes: number): string =>
  text === String(of(nodes)) ? text : `${text} = ${number(of(nodes))}`

/** What may be behind a violation, when it is not the algorithm. */
const hintFor = ({ outcome, plan, transport }: Report): string | undefined =>
  outcome.violations.length > 0 && transport !== "sim" && plan.demonstration.card.assumes.timing === "synchronous"
    ? "The card assumes synchronous timing: this machine may have been slower than the timeouts allow. " +
      "Try fewer nodes, or --transport sim."
    : undefined

/** Messages that were sent only because several wanted the same at once; none where the card does not set them apart. */
const ofContention = ({ plan, tally }: Report): number | undefined =>
  plan.demonstration.card.cost.contention?.reduce((sum, tag) => sum + (tally.byTag.get(tag) ?? 0), 0)

/** `quorumSizes` of `{ 8: 49 }`: "quorum sizes  8 (49 nodes)". */
const factLines = ({ plan: { demonstration, nodes } }: Report): ReadonlyArray<string> =>
  Object.entries(demonstration.facts?.(nodes) ?? {}).map(([name, fact]) => {
    const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    const each = ([value, nodes]: readonly [string, number]): string => `${value} (${count(nodes, "node")})`
    return `${words}  ${typeof fact === "number" ? number(fact) : Object.entries(fact).map(each).join(", ")}`
  })

const perOperation = ({ messages, operations }: Pick<Tally, "messages" | "operations">): number | null =>
  operations === 0 ? null : messages / operations

const asJson = (report: Report) => {
  const { elapsedMillis, outcome, plan, tally, transport, virtualMillis } = report
  const hint = hintFor(report)
  const { card, facts } = plan.demonstration
  const { cost } = card
  const contention = ofContention(report)
  const formula = (of: typeof cost.best) => ({ text: of.text, messages: of.of(plan.nodes.length) })
  return {
    algorithm: plan.demonstration.name,
    transport,
    nodes: plan.nodes.length,
    seed: plan.seed,
    operation: cost.operation,
    operations: tally.operations,
    messages: tally.messages,
    messagesPerOperation: perOperation(tally),
    formula: { best: formula(cost.best), worst: formula(cost.worst) },
    ...(contention === undefined
      ? {}
      : {
          uncontendedMessagesPerOperation: perOperation({
            operations: tally.operations,
            messages: tally.messages - contention
          }),
          contentionMessages: contention
        }),
    ...(facts === undefined ? {} : { facts: facts(plan.nodes) }),
    messagesByTag: Object.fromEntries(tally.byTag),
    backgroundMessages: tally.background,
    ...(transport === "udp" ? { lostMessages: tally.missing } : {}),
    leader: tally.leader ?? null,
    properties: outcome.properties,
    violations: outcome.violations,
    elapsedMillis,
    ...(virtualMillis === undefined ? {} : { virtualMillis }),
    ...(hint === undefined ? {} : { hint })
  }
}

const asText = (report: Report, terminal: Screen): ReadonlyArray<string> => {
  const { elapsedMillis, plan, tally, transport, virtualMillis } = report
  const hint = hintFor(report)
  const { card } = plan.demonstration
  const { style } = terminal
  const { background, best, operation, worst } = card.cost
  const size = plan.nodes.length
  const formula = best.text === worst.text ? value(best, size) : `${value(best, size)} to ${value(worst, size)}`
  const measured = perOperation(tally)
  const contention = ofContention(report)
  const seconds = (millis: number): string => `${(millis / 1000).toFixed(2)} s`
  const time =
    virtualMillis === undefined
      ? seconds(elapsedMillis)
      : `${seconds(virtualMillis)} of virtual time, simulated in ${seconds(elapsedMillis)}`
  return [
    "",
    `${count(tally.operations, operation)}${andMessages(operation, tally)}, ${time}`,
    ...(background === undefined
      ? []
      : [style.dim(`besides, in the background: ${number(tally.background)} of ${background.join(", ")}`)]),
    ...(transport === "udp" ? [style.dim(`lost on the way: ${count(tally.missing, "message")}`)] : []),
    "",
    `messages per ${operation}  ${style.bold(measured === null ? "–" : number(measured))}   card: ${formula}`,
    ...(contention === undefined || tally.operations === 0
      ? []
      : [
          style.dim(
            `of these, for contention: ${number(contention / tally.operations)} of ${card.cost.contention!.join(", ")}`
          )
        ]),
    ...factLines(report),
    ...(tally.leader === undefined ? [] : [`leader  ${style.bold(tally.leader)}`]),
    "",
    ...verdicts(report, terminal),
    ...(hint === undefined ? [] : [hint])
  ]
}
