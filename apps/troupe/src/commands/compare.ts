/** `troupe compare`: all algorithms of a package on the same seeds, in the simulator: one table, and one picture. */
import { Effect, FileSystem, Option, References } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { algorithms } from "../algorithms.ts"
import type { Demonstration } from "../Demonstration.ts"
import { CannotRun, reasonOf, Usage } from "../Problem.ts"
import { bar, count, cut, number, print, type Screen, screen, whileDrawing } from "../terminal/Screen.ts"
import { checkWritable, isBetween, json, maximumNodes } from "./arguments.ts"
import { broadcasting, points } from "./compare/Broadcasting.ts"
import { chart, type Row } from "./compare/Chart.ts"
import { gossiping, kinds } from "./compare/Gossiping.ts"
import { multicasting, multicasts } from "./compare/Multicasting.ts"
import { type Asked, type Flag as FlagName, type Measures, measures } from "./compare/Measures.ts"

const maximumSeeds = 10_000

const flags = {
  package: Argument.String("package").pipe(
    Argument.withDescription(
      'Whose algorithms are compared, as in "failure-detection"; or "broadcast", a well-known exercise'
    )
  ),
  nodes: Flag.String("nodes").pipe(
    Flag.withMetavar("N,M"),
    Flag.withDescription(
      `How many nodes there are, 2 to ${maximumNodes}; several sizes with commas. Default: 10; of broadcast, 25`
    ),
    Flag.optional
  ),
  seeds: Flag.Int("seeds").pipe(
    Flag.filter(isBetween(1, maximumSeeds), () => `a number of seeds from 1 to ${maximumSeeds}`),
    Flag.withDescription("How many seeds each algorithm runs on, from 1 on. Default: 5"),
    Flag.withDefault(5)
  ),
  loss: Flag.Int("loss").pipe(
    Flag.filter(isBetween(0, 90), () => "a percentage from 0 to 90"),
    Flag.withDescription("Of failure detectors: how many of a hundred messages are lost. Default: 5"),
    Flag.optional
  ),
  contention: Flag.Literals("contention", ["low", "high"]).pipe(
    Flag.withDescription("Of locks: whether nodes seldom want to enter, or always. Default: high"),
    Flag.optional
  ),
  crash: Flag.Literals("crash", ["leader", "none"]).pipe(
    Flag.withDescription("Of elections: who crashes once there is a leader. Default: leader"),
    Flag.optional
  ),
  svg: Flag.String("svg").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Write the comparison as a picture"),
    Flag.optional
  ),
  json
}

export const compare = Command.make(
  "compare",
  flags,
  Effect.fnUntraced(function* (given) {
    const { compared, measured } = yield* findAll(given.package)
    const sizes = yield* parseSizes(Option.getOrElse(given.nodes, () => measured.usualNodes ?? "10"))
    const svg = Option.getOrUndefined(given.svg)
    if (svg !== undefined) yield* checkWritable(svg, "--svg")
    const terminal = yield* screen
    yield* refuseFlags(given, measured, given.package)
    const asked = sizes.map((nodes) => ({
      nodes,
      seeds: given.seeds,
      lossProbability: Option.getOrElse(given.loss, () => 5) / 100,
      contention: Option.getOrElse(given.contention, () => "high" as const),
      crash: Option.getOrElse(given.crash, () => "leader" as const)
    }))
    const rows: Array<Row> = []
    const tell = Effect.suspend(() =>
      print(
        given.json
          ? [JSON.stringify(asJson(given.package, measured, asked, rows))]
          : asText(given.package, measured, asked, rows, terminal)
      )
    )
    const work = measureAll(compared, measured, asked, rows, terminal, process.stderr.isTTY && !given.json)
    // Who interrupts it gets what there is.
    yield* Effect.onInterrupt(work, () => (rows.length === 0 ? Effect.void : tell))
    if (svg !== undefined) yield* writeChart(svg, given.package, measured, asked, rows)
    yield* tell
    if (svg !== undefined && !given.json) yield* print(["", `picture in ${svg}`])
  })
).pipe(
  Command.withDescription(
    "Runs all algorithms of a package on the same seeds, in the simulator, and prints a table of what each is worth and " +
      "costs. What takes too long at a size is left out, and says so; an interrupt prints what there is so far"
  ),
  Command.withShortDescription("Measures all algorithms of a package side by side"),
  Command.withExamples([
    { command: "troupe compare failure-detection --nodes 50", description: "All failure detectors, a node of 50 dies" },
    {
      command: "troupe compare failure-detection --nodes 10,100,1000 --seeds 3 --svg detectors.svg",
      description: "Three sizes, and a picture"
    },
    { command: "troupe compare failure-detection --loss 20 --json", description: "With a fifth of the messages lost" },
    {
      command: "troupe compare mutex --nodes 25 --contention low",
      description: "All locks, seldom wanted by two at once"
    },
    {
      command: "troupe compare election --nodes 25 --crash leader",
      description: "All elections, when the leader crashes"
    },
    { command: "troupe compare group --nodes 9 --svg group.svg", description: "All multicasts, on the same traffic" },
    { command: "troupe compare gossip --nodes 10,100,1000", description: "How fast news spreads, and what it takes" },
    { command: "troupe compare broadcast", description: "25 nodes, links of 100 ms: few messages, or low latency" }
  ])
)

// ------------------------------------------------------------------------------------------------------- the flags

const parseSizes = (text: string): Effect.Effect<ReadonlyArray<number>, Usage> => {
  const sizes = text.split(",").map(Number)
  return /^\d+(,\d+)*$/.test(text) && sizes.every(isBetween(2, maximumNodes))
    ? Effect.succeed([...new Set(sizes)])
    : Effect.fail(
        new Usage({ reason: `--nodes ${text}: give numbers of nodes from 2 to ${maximumNodes}, as in --nodes 10,100.` })
      )
}

/** What is compared in forms, or settings, of its own. */
const settings: Readonly<
  Record<string, { readonly compared: ReadonlyArray<Demonstration>; readonly measured: Measures }>
> = {
  group: { compared: multicasts(algorithms), measured: multicasting },
  gossip: { compared: kinds, measured: gossiping },
  broadcast: { compared: points, measured: broadcasting }
}

const findAll = (name: string) => {
  const packageOf = (demonstration: Demonstration): string => demonstration.name.split("/")[0]!
  const ofItsOwn = Object.hasOwn(settings, name) ? settings[name] : undefined
  if (ofItsOwn !== undefined) return Effect.succeed(ofItsOwn)
  const all = [
    ...new Set([
      ...algorithms.filter(({ service }) => measures[service] !== undefined).map(packageOf),
      ...Object.keys(settings)
    ])
  ].join(", ")
  const inPackage = algorithms
    .filter((demonstration) => packageOf(demonstration) === name)
    .flatMap((demonstration) => Object.values(demonstration.variants ?? { default: demonstration }))
  const measured = inPackage[0] && measures[inPackage[0].service]
  if (measured !== undefined) return Effect.succeed({ compared: inPackage, measured })
  const what = inPackage.length === 0 ? `There is no package "${name}"` : `What to measure of ${name} is not known yet`
  return Effect.fail(new Usage({ reason: `${what}. It can be: ${all}.` }))
}

const refuseFlags = (
  given: Readonly<Record<FlagName, Option.Option<unknown>>>,
  { flags }: Measures,
  name: string
): Effect.Effect<void, Usage> => {
  const idle = (["loss", "contention", "crash"] as const).find(
    (flag) => Option.isSome(given[flag]) && !flags.includes(flag)
  )
  return idle === undefined
    ? Effect.void
    : Effect.fail(
        new Usage({
          reason: `--${idle} has no meaning for ${name}, which takes ${flags.length === 0 ? "none such" : `--${flags.join(" and --")}`}.`
        })
      )
}

// ----------------------------------------------------------------------------------------------------- measuring

const measureAll = (
  compared: ReadonlyArray<Demonstration>,
  measured: Measures,
  sizes: ReadonlyArray<Asked>,
  rows: Array<Row>,
  terminal: Screen,
  showProgress: boolean
): Effect.Effect<void, CannotRun> => {
  const isRun = (demonstration: Demonstration, { nodes }: Asked): boolean =>
    measured.refuse(demonstration, nodes) === undefined
  let total = 0
  for (const asked of sizes) {
    total += compared.filter((demonstration) => isRun(demonstration, asked)).length * measured.runsOf(asked)
  }
  let runs = 0
  let at = ""
  const onRun = Effect.suspend(() => {
    runs++
    return Effect.yieldNow
  })
  const work = Effect.gen(function* () {
    for (const asked of sizes) {
      for (const demonstration of compared) {
        const { card, name } = demonstration
        at = `${card.title}, ${number(asked.nodes)} nodes`
        const row = { algorithm: name, title: card.title, nodes: asked.nodes }
        const leftOut = measured.refuse(demonstration, asked.nodes)
        if (leftOut !== undefined) rows.push({ ...row, values: {}, leftOut })
        else rows.push({ ...row, ...(yield* measured.measure(demonstration, asked, onRun)) })
      }
    }
  }).pipe(
    Effect.mapError((error) => new CannotRun({ reason: error.message })),
    // Who waits in vain is told of in the table.
    Effect.provideService(References.MinimumLogLevel, "None")
  )
  if (!showProgress) return work
  const progress = (): ReadonlyArray<string> => [
    cut(
      `  ${bar(runs / total, Math.min(40, terminal.width - 50))}  ${number(runs)} of ${count(total, "run")}  ${at}`,
      terminal.width - 1
    )
  ]
  return whileDrawing(work, process.stderr, progress, { erase: true })
}

// ------------------------------------------------------------------------------------------------------- the report

const asJson = (name: string, { conditions }: Measures, asked: ReadonlyArray<Asked>, rows: ReadonlyArray<Row>) => ({
  package: name,
  seeds: asked[0]!.seeds,
  ...conditions(asked[0]!),
  rows: rows.map(({ algorithm, leftOut, nodes, values }) => ({
    algorithm,
    nodes,
    ...(leftOut === undefined
      ? Object.fromEntries(
          Object.entries(values).map(([key, value]) => [key, value === undefined ? null : Number(value.toPrecision(4))])
        )
      : { leftOut })
  }))
})

const asText = (
  name: string,
  measured: Measures,
  asked: ReadonlyArray<Asked>,
  rows: ReadonlyArray<Row>,
  { style }: Screen
): ReadonlyArray<string> => {
  const { columns } = measured
  const first = Math.max(...rows.flatMap(({ nodes, title }) => [title.length, `${number(nodes)} nodes`.length]))
  const cell = ({ digits, key }: Measures["columns"][number], { values }: Row): string => {
    const value = values[key]
    return value === undefined
      ? "–"
      : value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
  }
  const widths = columns.map((column) =>
    Math.max(...column.title.map(({ length }) => length), ...rows.map((row) => cell(column, row).length))
  )
  const join = (head: string, cells: ReadonlyArray<string>): string =>
    `${head.padEnd(first)}  ${cells.map((text, at) => text.padStart(widths[at]!)).join("  ")}`.trimEnd()
  const table = asked
    .map(({ nodes }) => rows.filter((row) => row.nodes === nodes))
    .filter((block) => block.length > 0)
    .flatMap((block) => [
      "",
      join(
        `${number(block[0]!.nodes)} nodes`,
        columns.map(({ title }) => title[0])
      ),
      join(
        "",
        columns.map(({ title }) => title[1])
      ),
      ...block.map((row) =>
        row.leftOut === undefined
          ? join(
              row.title,
              columns.map((column) => cell(column, row))
            )
          : `${row.title.padEnd(first)}  ${style.dim(row.leftOut)}`
      )
    ])
  return [
    `${style.bold(name)}  ${simulated(measured, asked[0]!)}`,
    ...table,
    "",
    ...measured.legend(asked[0]!).map(style.dim)
  ]
}

const simulated = ({ headline }: Measures, asked: Asked): string =>
  ["simulated", headline(asked), count(asked.seeds, "seed")].filter((part) => part !== "").join(", ")

const writeChart = (
  file: string,
  name: string,
  measured: Measures,
  asked: ReadonlyArray<Asked>,
  rows: ReadonlyArray<Row>
) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const title = `${name}, ${simulated(measured, asked[0]!)}`
    const picture = chart({ title, notes: measured.legend(asked[0]!), panels: measured.panels }, rows)
    yield* files.writeFileString(file, picture)
  }).pipe(Effect.mapError((error) => new CannotRun({ reason: `The picture could not be written: ${reasonOf(error)}` })))
