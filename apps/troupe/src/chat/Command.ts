/** `troupe chat`: rooms on several nodes, for people with `nc` or a browser. */
import { Config, Node } from "@troupe/chat"
import { Console, Effect, Layer, Option, type Scope } from "effect"
import { Command, Flag } from "effect/cli"
import { mkdtempSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isBetween } from "../commands/arguments.ts"
import { cannotRun, keepUp } from "../kv/serving.ts"
import { CannotRun, Usage, Violated } from "../Problem.ts"
import { bar, count, screen, whileDrawing } from "../terminal/Screen.ts"
import { freePorts } from "../torture/Processes.ts"
import * as Demo from "./Demo.ts"
import * as Processes from "./Processes.ts"

const usage = ({ message }: { readonly message: string }) => new Usage({ reason: message })

const ids = ["n1", "n2", "n3"]

/** Three nodes, of which the first has these ports, and the others the following ones. */
const configOf = (
  directory: string,
  peers: ReadonlyArray<number>,
  { http, port }: { readonly port: (index: number) => number; readonly http?: (index: number) => number },
  timing: Pick<Config.Config, "everyMillis" | "deadlineMillis"> = {}
): Config.Config => ({
  chat: "troupe",
  nodes: ids.map((id, index) => ({
    id,
    peer: `127.0.0.1:${peers[index]}`,
    port: port(index),
    ...(http === undefined ? {} : { http: http(index) }),
    data: join(directory, id)
  })),
  ...timing
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
}

const [defaultPort, defaultHttp] = [7001, 8001]

const serve = (given: Served) =>
  keepUp(
    Effect.gen(function* () {
      const directory = Option.isSome(given.data) ? given.data.value : yield* temporary
      const peers = yield* Effect.promise(() => freePorts(ids.length))
      const config = configOf(directory, peers, {
        port: (index) => Option.getOrElse(given.port, () => defaultPort) + index,
        http: (index) => Option.getOrElse(given.http, () => defaultHttp) + index
      })
      for (const port of config.nodes.flatMap((own) => [own.port, own.http!])) {
        if (yield* isOpen(port)) {
          return yield* new CannotRun({ reason: `port ${port} is in use. Choose others: --port, --http.` })
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
    const checks = yield* terminal.canRedraw ? whileDrawing(work, process.stdout, draw) : work
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

// --------------------------------------------------------------------------------------------------- one node a process

const node = Command.make(
  "node",
  {
    id: Flag.String("id").pipe(Flag.withDescription("Which of the nodes this process is")),
    config: Flag.String("config").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("The chat, as JSON; every process reads the same")
    )
  },
  Effect.fnUntraced(function* (given) {
    const config = yield* Effect.mapError(Config.read(given.config), usage)
    const own = yield* Effect.mapError(Config.find(given.config, config, given.id), usage)
    yield* keepUp(
      Effect.andThen(
        Layer.build(Node.layer(config, own)),
        Console.log(`${own.id} of ${config.chat}: nc ${own.host ?? "localhost"} ${own.port}. Ctrl-C ends it.`)
      )
    )
  })
).pipe(
  Command.withDescription(
    "Runs one node of a chat, on one machine or several. The file says which nodes there are:\n\n" +
      '{ "chat": "village", "nodes": [\n' +
      '  { "id": "n1", "peer": "10.0.0.1:7101", "port": 7001, "http": 8001, "host": "0.0.0.0", "data": "./data" },\n' +
      '  { "id": "n2", "peer": "10.0.0.2:7101", "port": 7001, "http": 8001, "host": "0.0.0.0", "data": "./data" } ] }\n\n' +
      "peer: where the others reach it. port, http, host: for users, with nc and with a browser. Besides, for all: everyMillis, how " +
      "often nodes say that they are up, and deadlineMillis, how long one may be silent before its users are taken for gone"
  ),
  Command.withShortDescription("Runs one node of a chat"),
  Command.withExamples([
    { command: "troupe chat node --id n1 --config chat.json", description: "On the first machine; n2 on the other" }
  ])
)

/** What only one of the forms of the command takes, and where it does. */
const misplaced = (given: Served & { readonly demo: boolean; readonly millis: Option.Option<number> }) => {
  if (!given.demo) return Option.isSome(given.millis) ? "--millis: it is for a trial. Add --demo." : undefined
  const name = (["data", "port", "http"] as const).find((each) => given[each]._tag === "Some")
  return name === undefined ? undefined : `--${name}: a trial has disks and ports of its own. Leave it out.`
}

const firstPort = (name: string, port: number, what: string) =>
  Flag.Int(name).pipe(
    Flag.filter(isBetween(1, 65_535 - ids.length), () => `a port from 1 to ${65_535 - ids.length}`),
    Flag.withDescription(`${what}; the others have the following ones. Default: ${port}`),
    Flag.optional
  )

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
