/** `troupe top`: what it shows of live systems, and that it leaves the terminal as it was. */
import { EventEmitter } from "node:events"
import { createServer } from "node:http"
import { type AddressInfo, createServer as createNetServer, type Server as NetServer } from "node:net"
import { ActorSystem, Behavior, Messages, Observed, Supervision } from "@troupe/actor"
import * as Inspector from "@troupe/actor/Inspector"
import { Context, Effect, Exit, Fiber, Layer, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"
import { afterEach, describe, expect, it } from "vitest"
import { columnsOf, styleOf } from "../src/terminal/Screen.ts"
import { live } from "../src/top/Live.ts"
import { addressOf } from "../src/top/Source.ts"
import { picture, rowsOf, type Seen } from "../src/top/View.ts"
import { watch } from "../src/top/Watching.ts"
import { ended, start, troupe } from "./command.ts"

const Work = Messages.make("work", { Do: Messages.tell({}), Break: Messages.tell({}) })

const slow = Behavior.effect(Work, {
  init: () => Effect.succeed(0),
  on: { Do: () => Effect.never, Break: () => Effect.fail("broken") }
})
const quick = Behavior.make(Work, {
  init: () => 0,
  on: {
    Do: (done) => done + 1,
    Break: () => {
      throw new Error("broken")
    }
  }
})

const scopes: Array<Scope.Closeable> = []
afterEach(async () => {
  for (const scope of scopes.splice(0)) await Effect.runPromise(Scope.close(scope, Exit.void))
})

/** A system with one that is slow, and one that breaks three times. */
const system = (name: string): Promise<string> => {
  const scope = Scope.makeUnsafe()
  scopes.push(scope)
  const app = Layer.provideMerge(
    Inspector.layer({ port: 0 }),
    Layer.provide(ActorSystem.layer({ name }), Observed.layer())
  )
  const program = Effect.gen(function* () {
    const context = yield* Layer.build(Layer.provide(app, Logger.layer([])))
    const actors = Context.get(context, ActorSystem.ActorSystem)
    const one = yield* actors.spawn(slow, { name: "slow" })
    const two = yield* actors.spawn(quick, { name: "quick", supervision: Supervision.restart() })
    for (let i = 0; i < 5; i++) one.tell({ _tag: "Do" })
    for (let i = 0; i < 3; i++) two.tell({ _tag: "Break" })
    const { host, port } = Context.get(context, Inspector.Inspector)
    return `${host}:${port}`
  })
  return Effect.runPromise(Scope.provide(program, scope))
}

describe("troupe top", () => {
  it("prints one picture of several systems, who has most to do first", async () => {
    const addresses = [await system("shop"), await system("bank")]
    const [first, second] = addresses.map((address) => ["--connect", address])
    const { code, stderr, stdout } = await troupe("top", ...first!, ...second!, "--once")
    expect([code, stderr]).toEqual([0, ""])
    const lines = stdout.split("\n")
    expect(lines[0]).toMatch(/^shop · 127\.0\.0\.1:\d+ {3}up 0:00:0\d {3}2 actors {3}3 restarts$/)
    expect(lines[1]).toMatch(/^\d+ messages\/s {3}0 dead letters\/s {3}0 asks open {3}4 waiting \(longest mailbox 4\)$/)
    expect(lines[2]).toMatch(/^bank · /)
    expect(lines[5]).toMatch(/^ACTOR +MESSAGES +LIFE +▾MAILBOX +PROC\/S +PROCESSED +BUSY +RESTARTS$/)
    expect(lines.slice(6, 8).every((line) => / work +busy +4 +0 +1 +(99|1\d\d)\.\d% +0$/.test(line))).toBe(true)
    expect(lines.slice(8, 10).every((line) => / work +idle +0 +0 +3 +0\.0% +3$/.test(line))).toBe(true)
    expect(stdout).not.toContain("\u001b")
  })

  it("prints JSON, in the order that is asked for", async () => {
    const address = await system("shop")
    const { stdout } = await troupe("top", "--connect", address, "--json", "--order", "restarts", "--rows", "1")
    const { actors, systems } = JSON.parse(stdout)
    expect(systems).toMatchObject([{ address, system: "shop", alive: 2, waiting: 4, counters: { restarts: 3 } }])
    expect(actors).toMatchObject([{ path: "quick", restarts: 3, perSecond: 0, processed: 3 }])
  })

  it("has a little system to look at, in a process of its own", async () => {
    const { code, stderr, stdout } = await ended(start("top", "--demo", "--json", "--rows", "100"))
    expect([code, stderr]).toEqual([0, ""])
    const { actors, systems } = JSON.parse(stdout)
    expect(systems[0]).toMatchObject({ system: "shop", observed: true })
    expect(systems[0].rates.processed).toBeGreaterThan(0)
    expect(actors.map(({ path }: { path: string }) => path)).toContain("printer")
  })

  it("says why there is nothing to see", async () => {
    const server = createServer((_, response) => response.end("hello"))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    const cases: ReadonlyArray<readonly [ReadonlyArray<string>, number, string]> = [
      [["--connect", `127.0.0.1:${port}`, "--once"], 3, `127.0.0.1:${port} answers, and is no inspector`],
      [["--connect", "nowhere.invalid:9100", "--once"], 3, "there is no machine of that name"],
      [["--connect", "localhost", "--once"], 2, "expected an address, as in localhost:9100"],
      [["--connect", "localhost:99999", "--once"], 2, "expected an address"],
      [["--once"], 2, "Give --connect host:port, once for each node, or --demo"],
      [["--demo", "--connect", "9100", "--once"], 2, "Give --connect host:port"],
      [["--demo"], 2, "The output is no terminal. Give --once or --json"]
    ]
    try {
      for (const [args, code, said] of cases) {
        const shown = await troupe("top", ...args)
        expect(shown.stderr).toContain(said)
        expect(shown.code).toBe(code)
      }
    } finally {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
    const gone = await troupe("top", "--connect", String(port), "--once")
    expect(gone.stderr).toContain(`127.0.0.1:${port}: nobody listens there`)
    expect(gone.code).toBe(3)
  })
})

const actor = (id: number, path: string, more: Partial<Inspector.Actor> = {}): Inspector.Actor => ({
  ...{ id, parent: 0, path, messages: "work", life: "idle", mailbox: 0, capacity: 100, stashed: 0, restarts: 0 },
  ...{ processed: 0, busyMillis: 0 },
  ...more
})

const snapshot = (uptimeMillis: number, actors: ReadonlyArray<Inspector.Actor>): Inspector.Snapshot => ({
  ...{ system: "shop", node: "n1", observed: true, uptimeMillis, alive: 2, waiting: 0, longestMailbox: 0, asksOpen: 0 },
  counters: {
    ...{ spawned: 0, stopped: 0, processed: 0, failures: 0, restarts: 0, askTimeouts: 0, deadLetters: 0 },
    ...{ framesSent: 0, framesReceived: 0 }
  },
  rates: { processed: 0, deadLetters: 0 },
  deadLetters: [],
  actors
})

const seen = (now: Inspector.Snapshot | undefined, before?: Inspector.Snapshot, problem?: string): Seen => ({
  ...{ address: "localhost:9100", now, before, problem }
})

describe("the picture of top", () => {
  const screen = { width: 80, height: 12, canRedraw: true, style: styleOf(false) }

  it("tells what came since the look before, and nothing of who was not there", () => {
    const before = snapshot(1_000, [actor(1, "a", { processed: 100, busyMillis: 10 })])
    const now = snapshot(3_000, [actor(1, "a", { processed: 500, busyMillis: 510 }), actor(2, "b", { processed: 9 })])
    expect(rowsOf([seen(now, before)], "processed")).toMatchObject([
      { path: "a", at: "n1", perSecond: 200, busyPart: 0.25 },
      { path: "b", perSecond: null, busyPart: null }
    ])
  })

  it("is no wider and no higher than the screen, however long a name or however many actors", () => {
    const many = Array.from({ length: 50 }, (_, id) => actor(id, `${id}/${"long".repeat(30)}`))
    for (const width of [40, 80, 200]) {
      const lines = picture([seen(snapshot(1, many))], "mailbox", { ...screen, width })
      expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(width)
      expect(lines.length).toBeLessThanOrEqual(screen.height)
    }
  })

  it("is no wider where letters take two columns, and columns stand below each other", () => {
    const lines = picture([seen(snapshot(1, [actor(1, "用户/".repeat(9)), actor(2, "é😀")]))], "mailbox", screen)
    const [title, first, second] = lines.slice(-3)
    expect(first).toMatch(/^用户.*… work/)
    expect(second).toMatch(/^é😀 +work/)
    expect(columnsOf(first!)).toBeLessThan(screen.width)
    expect(columnsOf(first!)).toBe(columnsOf(second!))
    expect(columnsOf(title!)).toBe(columnsOf(second!))
  })

  it("leaves names room on a narrow screen", () => {
    const lines = picture([seen(snapshot(1, [actor(1, "customer-1234567")]))], "mailbox", screen)
    expect(lines.at(-1)).toMatch(/^customer-1234567 /)
    expect(lines.at(-2)).not.toContain("PROCESSED")
    const wide = picture([seen(snapshot(1, [actor(1, "a")]))], "mailbox", { ...screen, width: 120 })
    expect(wide.at(-2)).toContain("PROCESSED")
    const narrow = picture([seen(snapshot(1, [actor(1, "customer-12")]))], "mailbox", { ...screen, width: 60 })
    expect(narrow.at(-1)).toMatch(/^customer-12 +idle/)
    const unnamed = { ...snapshot(1, [actor(1, "customer-12")]), node: null }
    const several = picture([seen(unnamed), seen(unnamed)], "mailbox", screen)
    expect(several.at(-1)).toMatch(/^localhost:9100:customer-12 /)
  })

  it("shows what others have written as text, whatever that would do to a terminal", () => {
    const bad = "\u001b[2J\u009b1m\u202e\r\n\u2028"
    const system: Inspector.Snapshot = {
      ...snapshot(1, [{ ...actor(1, bad), messages: bad, life: bad }]),
      ...{ system: bad, node: bad, deadLetters: [{ actor: bad, message: bad, reason: bad, agoMillis: 0 }] }
    }
    const lines = picture([seen(system, undefined, bad)], "mailbox", { ...screen, width: 200 })
    expect(lines.join("")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}]/u)
    expect(lines.filter((line) => line.includes("·[2J·1m····"))).toHaveLength(4)
  })

  it("colours what needs a look", () => {
    const actors = [actor(1, "full", { mailbox: 80 }), actor(2, "failed", { restarts: 1 }), actor(3, "resting")]
    const lines = picture([seen(snapshot(1, actors))], "mailbox", { ...screen, style: styleOf(true) })
    expect(lines.slice(-3).map((line) => line.slice(0, 6))).toEqual(["\u001b[31mf", "\u001b[33mf", "\u001b[2mre"])
  })

  it("goes on with what was seen when a system is not heard of, and says so", () => {
    const lines = picture([seen(snapshot(1, [actor(1, "a")]), undefined, "nobody listens there")], "mailbox", screen)
    expect(lines).toContain("nobody listens there")
    expect(lines.at(-1)).toMatch(/^a +work +idle/)
    const [before, now] = [1_000, 2_000].map((at) => snapshot(at, [actor(1, "a", { processed: at, busyMillis: at })]))
    expect(rowsOf([seen(now, before)], "mailbox")).toMatchObject([{ perSecond: 1_000, busyPart: 1 }])
    expect(rowsOf([seen(now, before, "gone")], "mailbox")).toMatchObject([{ perSecond: null, busyPart: null }])
  })

  it("puts those whose rates are not known after those whose are, however much they have done in all", () => {
    const [before, now] = [1, 2].map((at) => snapshot(at * 1_000, [actor(1, "a", { processed: at, busyMillis: at })]))
    const done = snapshot(1, [actor(1, "less", { processed: 50 }), actor(2, "more", { processed: 99, busyMillis: 99 })])
    for (const order of ["processed", "busy"] as const) {
      const rows = rowsOf([seen(done, undefined, "gone"), seen(now, before)], order)
      expect(rows.map(({ path }) => path)).toEqual(["a", "more", "less"])
    }
  })
})

/** A terminal that takes keys, and what it was given. */
const terminalOf = (columns: number, rows: number) => {
  const written: Array<string> = []
  const modes: Array<boolean> = []
  const stdin = Object.assign(new EventEmitter(), {
    isTTY: true,
    setRawMode: (mode: boolean) => void modes.push(mode),
    ...{ resume: () => {}, pause: () => {} }
  })
  const stdout = Object.assign(new EventEmitter(), {
    ...{ columns, rows },
    write: (text: string) => void written.push(text)
  })
  /** The lines of the last picture. */
  const shown = (): ReadonlyArray<string> =>
    (written.at(-1) ?? "").replace("\u001b[H", "").replace("\u001b[J", "").replaceAll("\u001b[K", "").split("\r\n")
  return { stdin: stdin as never, stdout: stdout as never, keys: stdin, size: stdout, written, modes, shown }
}

/** Somebody who lets others in, and says nothing. */
const hanging = Effect.acquireRelease(
  Effect.callback<NetServer>((resume) => {
    const server = createNetServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => void server.close())
)

/** Other than by clocks. */
const until = (is: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() =>
    is()
      ? Effect.void
      : Effect.andThen(
          Effect.promise(() => new Promise(setImmediate)),
          until(is)
        )
  )

describe("the terminal of top", () => {
  it("shows systems while another one takes its connection, and never answers", async () => {
    const well = await system("shop")
    const program = Effect.gen(function* () {
      const { port } = (yield* hanging).address() as AddressInfo
      const terminal = terminalOf(100, 12)
      const addresses = yield* Effect.forEach([well, `127.0.0.1:${port}`], addressOf)
      const watching = yield* Effect.forkScoped(watch(addresses, "mailbox", 1_000, terminal))
      yield* until(() => terminal.written.length > 1)
      expect(terminal.shown()[0]).toMatch(/^shop · .* 3 restarts$/)
      expect(terminal.shown()[2]).toBe(`127.0.0.1:${port} has not answered yet.`)
      const before = terminal.written.length
      for (let second = 1; second <= 2; second++) {
        yield* TestClock.adjust(1_000)
        yield* until(() => terminal.written.length >= before + second)
      }
      yield* TestClock.adjust(1_000)
      yield* until(() => terminal.shown().some((line) => line.includes("within 3 seconds")))
      expect(terminal.shown()[0]).toMatch(/^shop · /)
      expect(terminal.shown()[2]).toBe(`127.0.0.1:${port}: it has not answered within 3 seconds.`)
      terminal.keys.emit("data", Buffer.from("q"))
      yield* Fiber.join(watching)
    })
    await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(TestClock.layer())))
  })

  it("is filled anew when its size changes", async () => {
    const well = await system("shop")
    const program = Effect.gen(function* () {
      const terminal = terminalOf(120, 20)
      const addresses = [yield* addressOf(well)]
      yield* Effect.forkScoped(watch(addresses, "mailbox", 1_000, terminal))
      yield* until(() => terminal.written.length > 1)
      expect(terminal.shown().join("\n")).toContain("PROCESSED")
      for (const [columns, rows] of [
        [80, 10],
        [30, 5],
        [1, 1],
        [200, 50]
      ] as const) {
        Object.assign(terminal.size, { columns, rows })
        terminal.size.emit("resize")
        expect(Math.max(...terminal.shown().map(columnsOf))).toBeLessThanOrEqual(columns)
        expect(terminal.shown().length).toBeLessThanOrEqual(rows)
      }
      expect(terminal.shown().join("\n")).toContain("PROCESSED")
    })
    await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(TestClock.layer())))
  })

  it("gets back what it was: its screen, its cursor, and keys that are lines", async () => {
    const { keys: input, modes, size: output, stdin, stdout, written } = terminalOf(80, 24)
    const keys: Array<string> = []
    let resized = 0
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const onKey = (key: string): void => void keys.push(key)
          const terminal = yield* live(stdin, stdout, onKey, () => void resized++)
          input.emit("data", Buffer.from("pq"))
          output.emit("resize")
          terminal.draw(["one", "two"])
        })
      )
    )
    expect([keys, resized, modes]).toEqual([["p", "q"], 1, [true, false]])
    expect(written).toEqual([
      "\u001b[?1049h\u001b[?25l",
      "\u001b[Hone\u001b[K\r\ntwo\u001b[K\u001b[J",
      "\u001b[?25h\u001b[?1049l"
    ])
    expect([input.listenerCount("data"), output.listenerCount("resize")]).toEqual([0, 0])
  })
})
