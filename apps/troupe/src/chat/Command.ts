/** `troupe chat`: rooms on several nodes, for people with `nc` or a browser. */
import { type Config, Door } from "@troupe/chat"
import { Console, Effect, Option, type Scope } from "effect"
import { Command, Flag } from "effect/cli"
import { mkdtempSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isBetween } from "../commands/arguments.ts"
import { cannotRun, firstGiven, ifGiven, keepUp, limit } from "../commands/serving.ts"
import { CannotRun, Usage, Violated } from "../Problem.ts"
import { bar, count, screen, whileDrawing } from "../terminal/Screen.ts"
import { freePorts } from "../torture/Processes.ts"
import * as Demo from "./Demo.ts"
import { node } from "./node.ts"
import * as Processes from "./Processes.ts"

const ids = ["n1", "n2", "n3"]

type PortOf = (index: number) => number

/** Three nodes, of which the first has these ports, and the others the following ones. */
const configOf = (
  directory: string,
  peers: ReadonlyArray<number>,
  { http, port, top }: Record<"port", PortOf> & Partial<Record<"http" | "top", PortOf>>,
  more: Pick<Config.Config, "everyMillis" | "deadlineMillis" | "limits"> = {}
): Config.Config => ({
  chat: "troupe",
  nodes: ids.map((id, index) => ({
    id,
    peer: `127.0.0.1:${peers[index]}`,
    port: port(index),
    ...(http === undefined ? {} : { http: http(index) }),
    ...(top === undefined ? {} : { top: top(index) }),
    data: join(directory, id)
  })),
  ...more
})

/** Removed when the scope ends. */
const temporary: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "troupe-chat-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

// ------------------------------------------------------------------------------------------------------------- the chat

/** Until somebody can be let in, or its process has ended. */
const awaitOpen = (node: Processes.Process): Effect.Effect<void, CannotRun> =>
  Effect.gen(function* () {
    while (!(yield* isOpen(node.own.port))) {
      if (node.lastWords !== undefined) return yield* new CannotRun({ reason: node.lastWords })
      yield* Effect.sleep("50 millis")
    }
  })

const isOpen = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.once("error", () => resume(Effect.succeed(false)))
  })

interface Served {
  readonly data: Option.Option<string>
  readonly port: Option.Option<number>
  readonly http: Option.Option<number>
  readonly top: Option.Option<number>
  readonly maxUnnamed: Option.Option<number>
  readonly nameMillis: Option.Option<number>
  readonly maxLine: Option.Option<number>
  readonly maxOutputBytes: Option.Option<number>
}

const [defaultPort, defaultHttp] = [7001, 8001]

const serve = (given: Served) =>
  keepUp(
    Effect.gen(function* () {
      const directory = Option.isSome(given.data) ? given.data.value : yield* temporary
      const peers = yield* Effect.promise(() => freePorts(ids.length))
      const ports = {
        port: (index: number) => Option.getOrElse(given.port, () => defaultPort) + index,
        http: (index: number) => Option.getOrElse(given.http, () => defaultHttp) + index,
        ...Option.match(given.top, {
          onNone: () => ({}),
          onSome: (first) => ({ top: (index: number) => first + index })
        })
      }
      const config = configOf(directory, peers, ports, {
        limits: {
          ...ifGiven(given.maxUnnamed, "maxUnnamed"),
          ...ifGiven(given.nameMillis, "nameMillis"),
          ...ifGiven(given.maxLine, "maxLine"),
          ...ifGiven(given.maxOutputBytes, "maxOutputBytes")
        }
      })
      for (const port of config.nodes.flatMap(({ http, port, top }) => [
        port,
        http!,
        ...(top === undefined ? [] : [top])
      ])) {
        if (yield* isOpen(port)) {
          return yield* new CannotRun({ reason: `port ${port} is in use. Choose others: --port, --http, --top.` })
        }
      }
      const nodes = yield* Processes.start(config, directory)
      yield* Effect.forEach(nodes, awaitOpen)
      const { bold, dim } = (yield* screen).style
      const lines = [
        "",
        bold("A chat on three nodes, a process each."),
        "",
        ...nodes.map(
          ({ own, pid }) => `  ${own.id}   nc localhost ${own.port}   http://127.0.0.1:${own.http}/   process ${pid}`
        ),
        "",
        `  ${dim("try")}  your name, /join garden, and anything; /help tells the rest`,
        `       kill -9 ${nodes.at(-1)!.pid}, and /who on another node`,
        `       npx troupe chat node --id ${ids.at(-1)} --config ${join(directory, "chat.json")}`,
        ...(Option.isNone(given.top)
          ? []
          : [`       npx troupe top ${nodes.map(({ own }) => `--connect ${own.top}`).join(" ")}`]),
        "",
        dim("Ctrl-C ends it.")
      ]
      yield* Console.log(lines.join("\n"))
    })
  )

// ------------------------------------------------------------------------------------------------------------- on trial

const timing = { everyMillis: 200, deadlineMillis: 1_000 }

/** By how much processes that share a machine with others may be late. */
const lateMillis = 800

const demonstrate = (phaseMillis: number) =>
  Effect.gen(function* () {
    const terminal = yield* screen
    const directory = yield* temporary
    const free = yield* Effect.promise(() => freePorts(2 * ids.length))
    const config = configOf(directory, free, { port: (index) => free[ids.length + index]! }, timing)
    const nodes = yield* Processes.start(config, directory)
    const book = Demo.emptyBook()
    const told: Array<string> = []
    const startedAt = performance.now()
    const passed = (): number => (performance.now() - startedAt) / 1000
    const tell = (line: string) =>
      Effect.suspend(() => {
        const timed = `${passed().toFixed(1).padStart(6)} s  ${line}`
        told.push(timed)
        return terminal.canRedraw ? Effect.void : Console.log(timed)
      })
    const boundMillis = timing.deadlineMillis + timing.everyMillis + lateMillis
    const expected = (3 * phaseMillis + 4_000) / 1000
    const work = Effect.mapError(Demo.run({ nodes, boundMillis, phaseMillis, tell }, book), () =>
      cannotRun({ message: "a node that should be up hung up" })
    )
    const draw = (): ReadonlyArray<string> => [
      ...told.map((line) => `  ${line}`),
      `  ${bar(passed() / expected, 30)} ${passed().toFixed(0)} s, ${book.phase}, ${count(book.kept.size, "post")}`
    ]
    const checks = yield* terminal.canRedraw
      ? Effect.ensuring(
          whileDrawing(work, process.stdout, draw, { erase: true }),
          Effect.suspend(() => Console.log(told.map((line) => `  ${line}`).join("\n")))
        )
      : work
    for (const each of nodes) each.drop()
    const { bold, green, red } = terminal.style
    const holds = checks.every((check) => check.holds)
    yield* Console.log(
      [
        "",
        ...checks.map(({ detail, holds, name }) => `  ${holds ? green("✓") : red("✗")} ${name}: ${detail}`),
        "",
        holds ? bold(green("  It holds.")) : bold(red("  It does not hold."))
      ].join("\n")
    )
    if (!holds) return yield* new Violated()
  }).pipe(Effect.scoped)

// --------------------------------------------------------------------------------------------------------- the command

/** What only one of the forms of the command takes, and where it does. */
const misplaced = (given: Served & { readonly demo: boolean; readonly millis: Option.Option<number> }) => {
  if (!given.demo) return Option.isSome(given.millis) ? "--millis: it is for a trial. Add --demo." : undefined
  const name = firstGiven([
    ["data", given.data],
    ["port", given.port],
    ["http", given.http],
    ["top", given.top],
    ["max-unnamed", given.maxUnnamed],
    ["name-seconds", given.nameMillis],
    ["max-line", given.maxLine],
    ["max-output", given.maxOutputBytes]
  ])
  return name === undefined ? undefined : `--${name}: a trial has disks, ports and users of its own. Leave it out.`
}

const firstPort = (name: string, port: number | undefined, what: string) =>
  Flag.Int(name).pipe(
    Flag.filter(isBetween(1, 65_535 - ids.length), () => `a port from 1 to ${65_535 - ids.length}`),
    Flag.withDescription(`${what}; the others have the following ones. Default: ${port ?? "none"}`),
    Flag.optional
  )

const bound = (name: string, of: keyof Door.Limits, what: string, unit = 1) =>
  limit(name, { range: Door.ranges[of], otherwise: Door.defaults[of], unit }, what)

const limits = {
  maxUnnamed: bound(
    "max-unnamed",
    "maxUnnamed",
    "Connections of a node that have not said a name; one more is told so"
  ),
  nameMillis: bound("name-seconds", "nameMillis", "How long they may take for that", 1000),
  maxLine: bound("max-line", "maxLine", "Characters of a line; who types a longer one is told so, and hung up on"),
  maxOutputBytes: bound("max-output", "maxOutputBytes", "Bytes that wait for who does not read; beyond it the same")
}

export const chatCommand = Command.make(
  "chat",
  {
    data: Flag.String("data").pipe(
      Flag.withMetavar("DIR"),
      Flag.withDescription("Where the nodes keep what was said. Without it, it is gone with the chat"),
      Flag.optional
    ),
    port: firstPort("port", defaultPort, "Of the first node, for nc"),
    http: firstPort("http", defaultHttp, "Of the first node, for browsers"),
    top: firstPort("top", undefined, "Of the first node, for troupe top"),
    ...limits,
    demo: Flag.Boolean("demo").pipe(
      Flag.withDescription(
        "Let users talk on three nodes, kill one of these and start it again, and end with the verdict: exits with 0 when " +
          "presence was right and the history is whole, and with 1 when not"
      ),
      Flag.withDefault(false)
    ),
    millis: Flag.Int("millis").pipe(
      Flag.filter(isBetween(1, 600_000), () => "a number of milliseconds from 1 to 600000"),
      Flag.withDescription("With --demo: how long users talk before the kill, after it, and in the end. Default: 3000"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* (given) {
    const wrong = misplaced(given)
    if (wrong !== undefined) return yield* new Usage({ reason: wrong })
    yield* given.demo ? demonstrate(Option.getOrElse(given.millis, () => 3_000)) : serve(given)
  })
).pipe(
  Command.withDescription(
    "Runs a chat of actors on three nodes, each a process of its own with a disk: rooms, who is in them, and a history that " +
      "is whole after a crash. `nc localhost 7001` is a client, and so is a browser"
  ),
  Command.withShortDescription("Runs a chat of actors on three nodes"),
  Command.withExamples([
    { command: "troupe chat", description: "Three processes, then: nc localhost 7001" },
    { command: "troupe chat --demo", description: "Users at work while a node is killed and comes back" },
    { command: "troupe chat node --id n1 --config chat.json", description: "One node of several machines" }
  ]),
  Command.withSubcommands([node])
)
