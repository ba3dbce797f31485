/** `troupe draw`: pictures of a run. */
import { SpaceTime, Trace } from "@troupe/trace"
import { Effect, FileSystem, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { textOf } from "../Histories.ts"
import { reasonOf, Usage } from "../Problem.ts"
import { print, screen } from "../terminal/Screen.ts"
import { isBetween } from "./arguments.ts"

const minimumWidth = 40
const maximumWidth = 1000

const file = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar("FILE"), Flag.withDescription(description), Flag.optional)

const flags = {
  file: Argument.String("file").pipe(Argument.withDescription("A trace, as `troupe simulate --trace` writes it")),
  svg: file("svg", "Write an SVG, in light and dark. -: to the standard output"),
  mermaid: file("mermaid", "Write a sequence diagram for Markdown. -: to the standard output"),
  shiviz: file("shiviz", "Write a log for ShiViz. -: to the standard output"),
  width: Flag.Int("width").pipe(
    Flag.filter(
      isBetween(minimumWidth, maximumWidth),
      () => `a number of characters from ${minimumWidth} to ${maximumWidth}`
    ),
    Flag.withDescription("Of the picture in the terminal, in characters. Default: the terminal's"),
    Flag.optional
  )
}

export const draw = Command.make(
  "draw",
  flags,
  Effect.fnUntraced(function* (given) {
    const text = yield* textOf(given.file).pipe(Effect.mapError(({ reason }) => new Usage({ reason })))
    const trace = yield* read(text, given.file)
    const targets = [
      { file: given.svg, content: () => SpaceTime.svg(trace) },
      { file: given.mermaid, content: () => SpaceTime.mermaid(trace) },
      { file: given.shiviz, content: () => SpaceTime.shiviz(trace) }
    ].flatMap(({ content, file }) => (Option.isSome(file) ? [{ file: file.value, content: content() }] : []))
    yield* Effect.forEach(targets, write, { discard: true })
    if (targets.length > 0) return
    const terminal = yield* screen
    const width = Option.getOrElse(given.width, () => terminal.width)
    yield* show(SpaceTime.terminal(trace, { width, color: terminal.style.red("") !== "" }))
  })
).pipe(
  Command.withDescription(
    "Draws a run: a lane for each node, an arrow for each message, and where a property broke. Without a flag, in the " +
      "terminal. A file that is written takes the place of one of its name"
  ),
  Command.withShortDescription("Draws a run, in the terminal or as a file"),
  Command.withExamples([
    { command: "troupe draw run.trace", description: "A run, in the terminal" },
    { command: "troupe draw run.trace --svg run.svg", description: "For documents and reports" },
    { command: "troupe draw run.trace --mermaid -", description: "For Markdown, on the standard output" }
  ])
)

const read = (text: string, file: string): Effect.Effect<Trace.Trace, Usage> =>
  Trace.decode(text).pipe(
    Effect.mapError(({ line, reason }) => new Usage({ reason: `${file}:${line}: it is no trace: ${oneLine(reason)}.` }))
  )

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, " ").replace(/\.$/, "")

const show = (content: string): Effect.Effect<void> => print([content.replace(/\n$/, "")])

const write = ({ content, file }: { readonly file: string; readonly content: string }) =>
  file === "-"
    ? show(content)
    : Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        yield* files.writeFileString(file, content)
      }).pipe(Effect.mapError((error) => new Usage({ reason: `${file}: it cannot be written, ${reasonOf(error)}.` })))
