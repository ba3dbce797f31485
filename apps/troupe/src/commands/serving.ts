/** What commands that run servers share: flags of a node and of bounds, and how they run until they are told to stop. */
import { Effect, Logger, Option, References } from "effect"
import { Flag } from "effect/cli"
import { CannotRun, Usage } from "../Problem.ts"
import { isBetween } from "./arguments.ts"

/** Which node a process is, and the file that tells of all. */
export const oneOf = (what: string) => ({
  id: Flag.String("id").pipe(Flag.withDescription("Which of the nodes this process is")),
  config: Flag.String("config").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription(`The ${what}, as JSON; every process reads the same`)
  )
})

/** A bound of a server's: in units of so much. */
export const limit = (
  name: string,
  { otherwise, range: [least, most], unit = 1 }: Bound,
  what: string
): Flag.Flag<Option.Option<number>> => {
  const [from, to] = [Math.ceil(least / unit), Math.floor(most / unit)]
  return Flag.Int(name).pipe(
    Flag.filter(isBetween(from, to), () => `a whole number from ${from} to ${to}`),
    Flag.withDescription(`${what}. Default: ${otherwise / unit}`),
    Flag.map((value) => value * unit),
    Flag.optional
  )
}

interface Bound {
  readonly range: readonly [number, number]
  readonly otherwise: number
  readonly unit?: number
}

/** As the option of an object that has it only where it is given. */
export const ifGiven = <A>(given: Option.Option<A>, name: string): Readonly<Record<string, A>> =>
  Option.match(given, { onNone: () => ({}), onSome: (value) => ({ [name]: value }) })

/** Of flags by their names, the first that is given. */
export const firstGiven = (
  flags: ReadonlyArray<readonly [name: string, given: Option.Option<unknown>]>
): string | undefined => flags.find(([, given]) => Option.isSome(given))?.[0]

export const usage = ({ message }: { readonly message: string }) => new Usage({ reason: message })

export const cannotRun = ({ message }: { readonly message: string }) => new CannotRun({ reason: message })

/** For programs a line of JSON each, on the error output; people are spared what is as it should be. */
const logs = process.stderr.isTTY ? [Logger.consolePretty()] : [Logger.consoleJson]
const level = process.stderr.isTTY ? "Warn" : "Info"

/** A process that another one has started is told to stop when that one ends, in whatever way, or has by now. */
const notAlone = Effect.sync(() => {
  const stop = (): boolean => process.kill(process.pid, "SIGTERM")
  if (process.connected) process.once("disconnect", stop)
  else if (process.connected === false) stop()
})

/** Runs until it is told to stop; then what was read is answered, and what must last is on disk. That is its end: no failure. */
export const keepUp = <A, E extends { readonly message: string }, R>(start: Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.mapError(start, cannotRun).pipe(Effect.andThen(notAlone), Effect.andThen(Effect.never))).pipe(
    Effect.onInterrupt(() => Effect.sync(() => void (process.exitCode = 0))),
    Effect.provide(Logger.layer(logs)),
    Effect.provideService(References.MinimumLogLevel, level)
  )
