/** `troupe top`: live systems of actors, as `top` shows processes. */
import * as Inspector from "@troupe/actor/Inspector"
import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { isBetween, json } from "../commands/arguments.ts"
import { Usage } from "../Problem.ts"
import { print, screen } from "../terminal/Screen.ts"
import { demo } from "./demo.ts"
import { twice } from "./Looks.ts"
import { addressOf } from "./Source.ts"
import { picture, rowsOf, type Seen } from "./View.ts"
import { watch } from "./Watching.ts"

const flags = {
  connect: Flag.String("connect").pipe(
    Flag.withDescription(
      "Where the inspector of a system listens, as in localhost:9100. Several times for several nodes"
    ),
    Flag.atLeast(0)
  ),
  demo: Flag.Boolean("demo").pipe(
    Flag.withDescription("Look at a busy little system that is started for it"),
    Flag.withDefault(false)
  ),
  order: Flag.Literals("order", Inspector.orders).pipe(
    Flag.withDescription("Which actors come first. Default: mailbox"),
    Flag.withDefault("mailbox" as const)
  ),
  every: Flag.Int("every").pipe(
    Flag.filter(isBetween(1, 3_600), () => "a number of seconds from 1 to 3600"),
    Flag.withDescription("Seconds from look to look: 1 to 3600. Default: 1"),
    Flag.withDefault(1)
  ),
  rows: Flag.Int("rows").pipe(
    Flag.filter(isBetween(1, 1_000), () => "a number of actors from 1 to 1000"),
    Flag.withDescription("With --once or --json: how many actors are shown, 1 to 1000. Default: 20"),
    Flag.withDefault(20)
  ),
  once: Flag.Boolean("once").pipe(Flag.withDescription("Print one picture, and end"), Flag.withDefault(false)),
  json
}

export const topCommand = Command.make(
  "top",
  flags,
  Effect.fnUntraced(function* (given) {
    if (given.demo === given.connect.length > 0) {
      return yield* new Usage({ reason: "Give --connect host:port, once for each node, or --demo." })
    }
    const isLive = !given.once && !given.json
    if (isLive && !process.stdout.isTTY) {
      return yield* new Usage({ reason: "The output is no terminal. Give --once or --json." })
    }
    const addresses = given.demo ? [yield* demo] : yield* Effect.forEach(given.connect, addressOf)
    if (isLive) return yield* watch(addresses, given.order, given.every * 1_000, process)
    const all = yield* twice(addresses, given.order, given.every * 1_000)
    const rows = rowsOf(all, given.order).slice(0, given.rows)
    yield* given.json
      ? Console.log(JSON.stringify({ systems: all.map(summary), actors: rows }))
      : print(picture(all, given.order, yield* screen, given.rows))
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Shows the actors of live systems: how many messages wait for each, how many it handles, how busy it is and how " +
      "often it failed. A system is seen through the layer of `@troupe/actor/Inspector`"
  ),
  Command.withShortDescription("Shows the actors of live systems, as top shows processes"),
  Command.withExamples([
    { command: "troupe top --demo", description: "A busy little system, to see what there is to see" },
    { command: "troupe top --connect localhost:9100", description: "The system whose inspector listens there" },
    {
      command: "troupe top --connect n1:9100 --connect n2:9100 --once",
      description: "Two nodes, in one picture that is printed"
    }
  ])
)

const summary = ({ address, now, problem }: Seen) => {
  if (now === undefined) return { address, problem }
  const { actors: _, ...system } = now
  return { address, ...system, ...(problem === undefined ? {} : { problem }) }
}
