/** `troupe board`: a replicated service that is there on both sides of a split. */
import { Console, Effect, FileSystem, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { isBetween } from "../commands/arguments.ts"
import { CannotRun, Violated } from "../Problem.ts"
import * as Board from "./Board.ts"

const flags = {
  partition: Flag.Int("partition").pipe(
    Flag.withDescription("For how many seconds one of the five is cut off"),
    // Long enough that everybody posts meanwhile.
    Flag.filter(isBetween(10, 300), () => "a number of seconds from 10 to 300"),
    Flag.withDefault(20)
  ),
  svg: Flag.String("svg").pipe(Flag.withDescription("Write a picture of the run, an SVG, to this file"), Flag.optional),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print one JSON object at the end, and nothing else"),
    Flag.withDefault(false)
  )
}

export const boardCommand = Command.make(
  "board",
  flags,
  Effect.fnUntraced(function* ({ json, partition, svg }) {
    const outcome = yield* Board.run({
      partitionMillis: partition * 1_000,
      beforeMillis: 5_000,
      afterMillis: 5_000,
      paceMillis: 4_000,
      say: (line) => (json ? Effect.void : Console.log(line))
    }).pipe(Effect.mapError(({ message }) => new CannotRun({ reason: message })))
    if (Option.isSome(svg)) {
      const files = yield* FileSystem.FileSystem
      yield* files
        .writeFileString(svg.value, outcome.svg)
        .pipe(Effect.mapError(({ message }) => new CannotRun({ reason: `${svg.value}: ${message}` })))
    }
    const checks = checksOf(outcome)
    const { svg: _, ...figures } = outcome
    yield* json
      ? Console.log(JSON.stringify({ ...figures, checks }))
      : Effect.forEach(checks, ({ holds, name }) => Console.log(`${holds ? "✓" : "✗"} ${name}`))
    if (checks.some(({ holds }) => !holds)) yield* new Violated()
  })
).pipe(
  Command.withDescription(
    "A bulletin board by the gossip architecture: five processes over TCP, one of which is cut off for a while. Both " +
      "sides go on, the boards converge, and no replica ever shows a reply before its post"
  ),
  Command.withShortDescription("Runs a bulletin board of five processes, one of them cut off"),
  Command.withExamples([
    { command: "troupe board", description: "Cut off for 20 seconds" },
    { command: "troupe board --partition 10 --svg board.svg", description: "For ten, and drawn" }
  ])
)

const checksOf = (outcome: Board.Outcome) => [
  {
    name: `both sides went on: ${outcome.alonePosted} posts at ${outcome.alone}, ${outcome.othersPosted} at the others`,
    holds: outcome.alonePosted > 0 && outcome.othersPosted > 0
  },
  { name: "nothing passed between them", holds: outcome.crossed === 0 },
  { name: `all five boards have the same ${outcome.posts} posts`, holds: outcome.converged && outcome.lost === 0 },
  { name: "each reply stands after its post, at every replica, at every time", holds: outcome.strays === 0 }
]
