/** `troupe top`: live systems of actors, as `top` shows processes. */
import * as Inspector from "@troupe/actor/Inspector"
import { Console, Effect, Latch, type Scope } from "effect"
import { Command, Flag } from "effect/cli"
import { isBetween, json } from "../commands/arguments.ts"
import { CannotRun, Usage } from "../Problem.ts"
import { print, screen } from "../terminal/Screen.ts"
import { demo } from "./demo.ts"
import { live } from "./Live.ts"
import { type Address, addressOf, look, textOf } from "./Source.ts"
import { picture, rowsOf, type Seen } from "./View.ts"

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
    if (isLive) return yield* watch(addresses, given.order, given.every * 1_000)
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

const nothing = (address: Address): Seen => ({
  address: textOf(address),
  ...{ now: undefined, before: undefined, problem: undefined }
})

const another = (address: Address, last: Seen, order: Inspector.Order, limit: number): Effect.Effect<Seen> =>
  Effect.match(look(address, order, limit), {
    onSuccess: (now): Seen => ({ ...last, now, before: last.now, problem: undefined }),
    onFailure: ({ reason }): Seen => ({ ...last, problem: reason })
  })

/** Another look at each of them. */
const again = (
  addresses: ReadonlyArray<Address>,
  all: ReadonlyArray<Seen>,
  order: Inspector.Order,
  limit: number
): Effect.Effect<ReadonlyArray<Seen>> =>
  Effect.forEach(addresses, (address, index) => another(address, all[index]!, order, limit), {
    concurrency: "unbounded"
  })

/** A first look, which fails where nobody is seen. */
const first = (
  addresses: ReadonlyArray<Address>,
  order: Inspector.Order,
  limit: number
): Effect.Effect<ReadonlyArray<Seen>, CannotRun> =>
  Effect.flatMap(again(addresses, addresses.map(nothing), order, limit), (all) =>
    all.some(({ now }) => now !== undefined)
      ? Effect.succeed(all)
      : new CannotRun({ reason: all.map(({ problem }) => problem).join(" ") })
  )

/** What happened between two looks is what one picture can tell. */
const twice = (addresses: ReadonlyArray<Address>, order: Inspector.Order, everyMillis: number) =>
  Effect.gen(function* () {
    const all = yield* first(addresses, order, 1_000)
    yield* Effect.sleep(everyMillis)
    return yield* again(addresses, all, order, 1_000)
  })

const summary = ({ address, now, problem }: Seen) => {
  if (now === undefined) return { address, problem }
  const { actors: _, ...system } = now
  return { address, ...system, ...(problem === undefined ? {} : { problem }) }
}

const keys: Readonly<Record<string, Inspector.Order>> = { m: "mailbox", p: "processed", r: "restarts", b: "busy" }
const help = "sort by: m mailbox   p processed/s   b busy   r restarts        q quits"

const watch = (
  addresses: ReadonlyArray<Address>,
  given: Inspector.Order,
  everyMillis: number
): Effect.Effect<void, CannotRun, Scope.Scope> =>
  Effect.gen(function* () {
    let order = given
    let all = yield* first(addresses, order, 1_000)
    const quit = Latch.makeUnsafe(false)
    const { style } = yield* screen
    const draw = (): void => {
      const { columns: width = 100, rows: height = 24 } = process.stdout
      const lines = picture(all, order, { width, height: height - 2, canRedraw: true, style })
      terminal.draw([...lines.slice(0, height - 2), "", style.dim(help.slice(0, width - 1))])
    }
    const typed = (key: string): void => {
      if (key === "q" || key === "\u0003") quit.openUnsafe()
      if (keys[key] === undefined) return
      order = keys[key]
      draw()
    }
    const terminal = yield* live(process.stdin, process.stdout, typed, () => draw())
    draw()
    // One that hangs keeps nobody from being looked at.
    const looking = (address: Address, index: number) =>
      Effect.gen(function* () {
        yield* Effect.sleep(everyMillis)
        const seen = yield* another(address, all[index]!, order, 1_000)
        all = all.with(index, seen)
        draw()
      })
    const watching = Effect.forEach(addresses, (address, index) => Effect.forever(looking(address, index)), {
      concurrency: "unbounded"
    })
    yield* Effect.raceFirst(quit.await, watching)
  })
