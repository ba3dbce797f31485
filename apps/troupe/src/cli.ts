/**
 * The `troupe` command.
 *
 * Exit codes: 0, all is well; 1, a property is violated; 2, the command was asked for what cannot be; 3, a run could not
 * come to its end.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, Logger } from "effect"
import { CliConfig, type CliError, CliOutput, Command, GlobalFlag } from "effect/cli"
import { createRequire } from "node:module"
import { bankCommand } from "./bank/Command.ts"
import { boardCommand } from "./board/Command.ts"
import { check } from "./commands/check.ts"
import { compare } from "./commands/compare.ts"
import { draw } from "./commands/draw.ts"
import { list } from "./commands/list.ts"
import { run } from "./commands/run.ts"
import { simulate } from "./commands/simulate.ts"
import { verify } from "./commands/verify.ts"
import { kvCommand } from "./kv/Command.ts"
import { Usage } from "./Problem.ts"

const { version } = createRequire(import.meta.url)("../package.json") as { readonly version: string }

const troupe = Command.make("troupe").pipe(
  Command.withDescription(
    "Distributed algorithms: listed, run on three transports, simulated under faults, and checked; histories, verified and drawn."
  ),
  Command.withExamples([
    { command: "troupe list", description: "What there is" },
    { command: "troupe run mutex/ricart-agrawala", description: "Watch five nodes share a lock" },
    { command: "troupe run election/bully --nodes 7 --transport tcp", description: "Seven processes elect a leader" },
    {
      command: "troupe simulate election/bully --seeds 1..500 --faults partition",
      description: "Look for what breaks it"
    },
    { command: "troupe check mutex/ricart-agrawala", description: "Every interleaving of a small system" },
    { command: "troupe verify history.edn", description: "Is what clients saw linearizable?" },
    { command: "troupe draw history.edn --svg history.svg", description: "A picture of it" },
    { command: "troupe bank", description: "Clock, election and lock at work together" },
    { command: "troupe board", description: "A bulletin board that is there on both sides of a split" }
  ]),
  Command.withSubcommands([list, run, compare, simulate, check, verify, draw, bankCommand, boardCommand, kvCommand])
)

/** What was typed wrongly is said in one line; the help is there for who asks. */
const presenter: CliOutput.Presenter = {
  present: (event) => {
    if (event._tag !== "InvalidInvocation") return CliOutput.defaultPresenter.present(event)
    return complain(`${event.errors.map(oneLine).join("; ")} See \`${event.commandPath.join(" ")} --help\`.`)
  }
}

const oneLine = (error: CliError.NonShowHelpErrors): string => {
  const text =
    error._tag === "InvalidValue"
      ? `${error.kind === "flag" ? "--" : ""}${error.option} ${valueOf(error)}: expected ${expected(error.expected)}`
      : error.message.replace(/\s*\n\s*Did you mean this\?\s*/, ". Did you mean ").replace(/\s*\n\s*/g, " or ")
  return /[.?]$/.test(text) ? text : `${text}${text.includes("Did you mean") ? "?" : "."}`
}

/** "2 occurrences" is what a flag that was given twice has for a value. */
const valueOf = ({ value }: CliError.InvalidValue): string =>
  value === "" ? "without a value" : value.replace(/^(\d+) occurrences$/, "given $1 times")

const expected = (text: string): string =>
  /^(Expected:? )?(an )?integer$|finite number/.test(text)
    ? "a whole number"
    : text
        .replace("at most 1 value", "it once")
        .replace(/^Expected:? /, "")
        .replaceAll('" | "', '", "')

const complain = (text: string): Effect.Effect<void> => Console.error(`troupe: ${text}`)

/** Runs the command with these arguments. What it fails with has been said, and carries the exit code. */
export const cli = (args: ReadonlyArray<string>) =>
  Command.runWith(troupe, { version })(args).pipe(
    Effect.catchTag("ShowHelp", (error) =>
      error.errors.length === 0 ? Effect.void : Effect.fail(new Usage({ reason: "" }))
    ),
    Effect.tapError((error) => ("message" in error && error.message !== "" ? complain(error.message) : Effect.void)),
    Effect.provideService(CliOutput.Presenter, presenter),
    Effect.provideService(CliConfig.CliConfig, {
      builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions]
    }),
    // What goes to stdout is the result, for people and for machines.
    Effect.provideService(Logger.LogToStderr, true),
    Effect.provide(NodeServices.layer)
  )
