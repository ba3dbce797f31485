/** `troupe draw`: pictures of runs and of histories. */
import type { Reader, Verdict } from "@troupe/consistency"
import { SpaceTime, Trace } from "@troupe/trace"
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import {
  flags as ofHistories,
  judge,
  model,
  question,
  readingsOf,
  show,
  svgOf,
  terminalOf,
  textOf,
  write
} from "../Histories.ts"
import { Usage } from "../Problem.ts"
import { type Screen, screen } from "../terminal/Screen.ts"
import { isBetween } from "./arguments.ts"

const minimumWidth = 40
const maximumWidth = 1000

const target = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar("FILE"), Flag.withDescription(description), Flag.optional)

const flags = {
  file: Argument.String("file").pipe(
    Argument.withDescription(
      "A trace, as `troupe simulate --trace` writes it, or a history, as `troupe verify` takes it"
    )
  ),
  svg: target("svg", "Write an SVG, in light and dark. -: to the standard output"),
  mermaid: target("mermaid", "Write a trace as a sequence diagram for Markdown. -: to the standard output"),
  shiviz: target("shiviz", "Write a trace as a log for ShiViz. -: to the standard output"),
  width: Flag.Int("width").pipe(
    Flag.filter(
      isBetween(minimumWidth, maximumWidth),
      () => `a number of characters from ${minimumWidth} to ${maximumWidth}`
    ),
    Flag.withDescription("Of the picture in the terminal, in characters. Default: the terminal's"),
    Flag.optional
  ),
  hide: Flag.String("hide").pipe(
    Flag.withMetavar("A,B"),
    Flag.withDescription("Of a trace, leave out messages with these tags, such as Heartbeat"),
    Flag.optional
  ),
  history: Flag.String("history").pipe(
    Flag.withMetavar("ID"),
    Flag.withDescription("Which one, of a file that holds several histories"),
    Flag.optional
  ),
  model,
  ...ofHistories
}

/** What can be drawn of a file. */
interface Drawable {
  readonly svg: () => string
  readonly terminal: (options: { readonly width: number; readonly color: boolean }) => string
  /** Of a trace alone. */
  readonly mermaid?: () => string
  readonly shiviz?: () => string
}

export const draw = Command.make(
  "draw",
  flags,
  Effect.fnUntraced(function* (given) {
    const text = yield* asUsage(textOf(given.file))
    const hide = Option.match(given.hide, { onNone: () => [], onSome: (tags) => tags.split(",") })
    const drawable = isTrace(text)
      ? ofTrace(yield* readTrace(text, given.file), hide)
      : yield* Effect.flatMap(question(given), (asked) =>
          asUsage(
            Effect.gen(function* () {
              const readings = yield* Effect.fromResult(readingsOf(text, given.file, asked))
              const reading = yield* choose(readings, given.file, Option.getOrUndefined(given.history))
              const verdict =
                asked.model === undefined ? undefined : yield* Effect.fromResult(judge(reading, given.file, asked))
              return ofHistory(reading, verdict)
            })
          )
        )
    const targets = yield* Effect.forEach(["svg", "mermaid", "shiviz"] as const, (name) => {
      const file = Option.getOrUndefined(given[name])
      const content = drawable[name]
      if (file === undefined) return Effect.succeed([])
      return content === undefined
        ? Effect.fail(
            new Usage({ reason: `--${name}: ${given.file} is a history; --svg draws it, --${name} only traces.` })
          )
        : Effect.succeed([{ file, content: content() }])
    })
    yield* Effect.forEach(targets.flat(), ({ content, file }) => write(file, content), { discard: true })
    if (targets.flat().length > 0) return
    const terminal = yield* screen
    const width = Option.getOrElse(given.width, () => terminal.width)
    yield* show(drawable.terminal({ width, color: hasColor(terminal) }))
  })
).pipe(
  Command.withDescription(
    "Draws a trace: a lane for each node, an arrow for each message, and where a property broke. Draws a history: a " +
      "lane for each process, a bar for each operation; with --model, what is at fault. Without a file to write, in the " +
      "terminal. A file that is written takes the place of one of its name"
  ),
  Command.withShortDescription("Draws a trace or a history, in the terminal or as a file"),
  Command.withExamples([
    { command: "troupe draw run.trace --hide Heartbeat", description: "A run, in the terminal" },
    { command: "troupe draw run.trace --svg run.svg", description: "For documents and reports" },
    { command: "troupe draw run.trace --mermaid -", description: "For Markdown, on the standard output" },
    {
      command: "troupe draw history.edn --model linearizable --svg history.svg",
      description: "A history, and what is at fault in it"
    }
  ])
)

export const hasColor = ({ style }: Screen): boolean => style.red("") !== ""

const isTrace = (text: string): boolean => /^\s*\{\s*"_tag"\s*:\s*"Trace"/.test(text)

const readTrace = (text: string, file: string): Effect.Effect<Trace.Trace, Usage> =>
  Trace.decode(text).pipe(
    Effect.mapError(({ line, reason }) => new Usage({ reason: `${file}:${line}: it is no trace: ${oneLine(reason)}.` }))
  )

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, " ").replace(/\.$/, "")

const ofTrace = (trace: Trace.Trace, hide: ReadonlyArray<string>): Drawable => ({
  svg: () => SpaceTime.svg(trace, { hide }),
  terminal: (options) => SpaceTime.terminal(trace, { hide, ...options }),
  mermaid: () => SpaceTime.mermaid(trace, { hide }),
  shiviz: () => SpaceTime.shiviz(trace)
})

const ofHistory = (reading: Reader.Reading, verdict: Verdict | undefined): Drawable => ({
  svg: () => svgOf(reading, { verdict }),
  terminal: (options) => terminalOf(reading, { verdict, ...options })
})

/** The history of this id, or the only one. */
const choose = (
  readings: ReadonlyArray<Reader.Reading>,
  file: string,
  id: string | undefined
): Effect.Effect<Reader.Reading, Usage> => {
  const found = readings.length === 1 && id === undefined ? readings[0] : readings.find((reading) => reading.id === id)
  if (found !== undefined) return Effect.succeed(found)
  const ids = readings.flatMap((reading) => reading.id ?? [])
  const some = ids.length === 0 ? "" : ` There are ${ids.slice(0, 5).join(", ")}${ids.length > 5 ? ", …" : ""}.`
  const what =
    id === undefined
      ? `${readings.length} histories are in it: say which with --history ID.`
      : `no history "${id}" is in it.`
  return Effect.fail(new Usage({ reason: `${file}: ${what}${some}` }))
}

const asUsage = <A, E extends { readonly reason: string }, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, Usage, R> => Effect.mapError(effect, ({ reason }) => new Usage({ reason }))
