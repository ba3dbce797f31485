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
import { Usage } from "./Problem.ts"

const { version } = createRequire(import.meta.url)("../package.json") as { readonly version: string }

/** What each command needs is read when it is asked for: the algorithms alone take half a second. */
const commands = {
  list: async () => (await import("./commands/list.ts")).list,
  run: async () => (await import("./commands/run.ts")).run,
  compare: async () => (await import("./commands/compare.ts")).compare,
  simulate: async () => (await import("./commands/simulate.ts")).simulate,
  check: async () => (await import("./commands/check.ts")).check,
  verify: async () => (await import("./commands/verify.ts")).verify,
  draw: async () => (await import("./commands/draw.ts")).draw,
  bank: async () => (await import("./bank/Command.ts")).bankCommand,
  board: async () => (await import("./board/Command.ts")).boardCommand,
  chat: async () => (await import("./chat/Command.ts")).chatCommand,
  kv: async () => (await import("./kv/Command.ts")).kvCommand,
  torture: async () => (await import("./commands/torture.ts")).torture,
  top: async () => (await import("./top/Command.ts")).topCommand
}

/** The command that is named alone, or all of them: for the help, and to tell what else could have been meant. */
const named = (args: ReadonlyArray<string>) => {
  const name = args.find((arg) => !arg.startsWith("-")) ?? ""
  const loaders = Object.hasOwn(commands, name) ? [commands[name as keyof typeof commands]] : Object.values(commands)
  return Effect.promise(() => Promise.all(loaders.map((load) => load())))
}

const troupe = (subcommands: ReadonlyArray<Awaited<ReturnType<(typeof commands)[keyof typeof commands]>>>) =>
  Command.make("troupe").pipe(
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
      { command: "troupe chat", description: "Rooms on three nodes; with --demo, one of them is killed" },
      { command: "troupe kv", description: "A replicated store for Redis clients; with --demo, one under kills" },
      {
        command: "troupe torture kv",
        description: "A store of processes under faults, judged by what its clients saw"
      },
      { command: "troupe bank", description: "Clock, election and lock at work together" },
      { command: "troupe board", description: "A bulletin board that is there on both sides of a split" },
      { command: "troupe top --demo", description: "The actors of a live system, as top shows processes" }
    ]),
    Command.withSubcommands(subcommands)
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
  Effect.flatMap(named(args), (subcommands) => Command.runWith(troupe(subcommands), { version })(args)).pipe(
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
