/** One node as its users meet it: lines over TCP, in its process. */
import type * as Inspector from "@troupe/actor/Inspector"
import { type Config, Node } from "@troupe/chat"
import { Effect, Layer, References } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { type AddressInfo, connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "troupe-chat-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true }))
)

/** A node, and its ports for users. */
const nodeWith = Effect.fnUntraced(
  function* (limits: Config.Config["limits"] & {}) {
    const [peer, port, http, top] = [yield* freePort, yield* freePort, yield* freePort, yield* freePort]
    const own: Config.Node = { id: "n1", peer: `127.0.0.1:${peer}`, port, http, top, data: yield* directory }
    yield* Layer.build(Node.layer({ chat: "test", nodes: [own], limits }, own))
    return { port, http, own }
  },
  Effect.provideService(References.MinimumLogLevel, "None")
)

/** Characters that a user remembers. */
const heardMax = 100_000

/** Types lines, and waits for one that ends so. */
const user = (port: number) =>
  Effect.gen(function* () {
    let heard = ""
    let isOver = false
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => connect(port, "127.0.0.1")),
      (opened) => Effect.sync(() => opened.destroy())
    )
    socket.on("data", (chunk) => void (heard = `${heard}${chunk}`.slice(-heardMax)))
    socket.on("error", () => {})
    socket.on("close", () => void (isOver = true))
    const until = (is: () => boolean): Effect.Effect<void> =>
      Effect.suspend(() => (is() ? Effect.void : Effect.andThen(Effect.sleep("2 millis"), until(is))))
    return {
      type: (...lines: ReadonlyArray<string>) => void socket.write(lines.map((line) => `${line}\n`).join("")),
      hears: (end: string) => until(() => heard.includes(`${end}\n`)),
      reads: (does: boolean) => void (does ? socket.resume() : socket.pause()),
      isHungUpOn: until(() => isOver)
    }
  })

interface Ports {
  readonly port: number
  readonly http: number
  readonly own: Config.Node
}

const test = (
  name: string,
  body: (ports: Ports) => Effect.Effect<void, never, any>,
  limits: Config.Config["limits"] & {} = { maxOutputBytes: 100_000 }
) =>
  it(name, () =>
    Effect.runPromise(Effect.scoped(Effect.flatMap(nodeWith(limits), body)) as Effect.Effect<void, unknown>)
  )

describe("a node", () => {
  test("says which port it cannot have, and which disk", ({ own }) =>
    Effect.gen(function* () {
      const { top, ...rest } = own
      const refused = (changed: Partial<Config.Node>) => {
        const node = { ...rest, ...changed }
        const layer = Layer.fresh(Node.layer({ chat: "test", nodes: [node] }, node))
        return Effect.orDie(Effect.flip(Layer.build(layer)))
      }
      const { data, peer } = own
      const [free, disk] = [`127.0.0.1:${yield* freePort}`, yield* directory]
      expect((yield* refused({ data: disk })).message).toContain("n1 cannot start: ")
      expect((yield* refused({ data: disk })).message).toContain(peer)
      expect((yield* refused({ peer: free })).message).toContain(data)
      expect((yield* refused({ peer: free, data: disk })).message).toMatch(/EADDRINUSE: .* 127\.0\.0\.1:\d+$/)
      expect((yield* refused({ peer: free, data: disk, top: top! })).message).toContain(`127.0.0.1:${top}`)
    }))

  test("shows its actors to `troupe top`", ({ own, port }) =>
    Effect.gen(function* () {
      const ann = yield* user(port)
      ann.type("ann", "/join garden", "hello")
      yield* ann.hears("[1 n1] ann: hello")
      const { actors, observed } = yield* Effect.promise(async () => {
        const answer = await fetch(`http://127.0.0.1:${own.top}/system`)
        return (await answer.json()) as Inspector.Snapshot
      })
      expect(observed).toBe(true)
      expect(actors.map(({ path }) => path)).toEqual(expect.arrayContaining(["rooms/garden/history", "users/ann"]))
    }))
})

describe("a user", () => {
  test("has a name that nobody else of the node has, and frees it by going", ({ port }) =>
    Effect.gen(function* () {
      const [ann, bob] = [yield* user(port), yield* user(port)]
      ann.type("ann")
      yield* ann.hears("* Welcome. /join a room")
      bob.type("ann", "two words", "bob")
      yield* bob.hears("! ann is here already. Take another name")
      yield* bob.hears('! "two words" is no name of a user: up to 32 letters, digits, - and _')
      yield* bob.hears("* Welcome. /join a room")
      ann.type("/quit")
      yield* ann.isHungUpOn
      const again = yield* user(port)
      again.type("ann")
      yield* again.hears("* Welcome. /join a room")
    }))

  test("is shown who comes, what is said, and who goes, in the room that it is in", ({ port }) =>
    Effect.gen(function* () {
      const [ann, bob] = [yield* user(port), yield* user(port)]
      ann.type("ann", "hello?", "/join garden")
      yield* ann.hears("! You are in no room. /join one")
      yield* ann.hears("* In garden: ann@n1")
      bob.type("bob", "/join garden")
      yield* ann.hears("* bob@n1 is here")
      bob.type("good\u001b[2J morning")
      yield* ann.hears("[1 n1] bob: good[2J morning")
      bob.type("/leave", "/leave")
      yield* bob.hears("* You have left garden")
      yield* bob.hears("! You are in no room. /join one")
      bob.type("/join cellar", "anybody?")
      yield* ann.hears("* bob@n1 is gone")
      yield* bob.hears("[1 n1] bob: anybody?")
      ann.type("/history")
      yield* ann.hears("* 1 posts of garden")
    }))

  test(
    "that says nothing is hung up on, at either door",
    ({ http, port }) =>
      Effect.gen(function* () {
        const [nc, browser] = [yield* user(port), yield* user(http)]
        yield* nc.hears("! You have not said who you are within 0.05 seconds. Come again")
        yield* nc.isHungUpOn
        yield* browser.hears("HTTP/1.1 408 Request Timeout\r")
        yield* browser.isHungUpOn
      }),
    { nameMillis: 50 }
  )

  test("is told what it cannot have", ({ port }) =>
    Effect.gen(function* () {
      const ann = yield* user(port)
      ann.type("ann", "/join the cellar", "/join garden", "/dance", "/history many", "x".repeat(2_050))
      yield* ann.hears('! "the cellar" is no name of a room: up to 32 letters, digits, - and _')
      yield* ann.hears("! There is no /dance. /help tells what there is")
      yield* ann.hears('! /history takes a number, not "many"')
      yield* ann.hears("! A post has up to 2000 characters")
    }))

  test("that sends a line that is too long is told so, and hung up on", ({ port }) =>
    Effect.gen(function* () {
      const ann = yield* user(port)
      ann.type("ann", "x".repeat(100_000))
      yield* ann.hears("! A line has up to 2100 characters")
      yield* ann.isHungUpOn
    }))

  test("that does not read what it asks for is told so, and hung up on", ({ port }) =>
    Effect.gen(function* () {
      const [ann, bob] = [yield* user(port), yield* user(port)]
      bob.type("bob", "/join garden")
      ann.type("ann", "/join garden", ...Array.from({ length: 20 }, () => "x".repeat(2_000)))
      yield* ann.hears(`[20 n1] ann: ${"x".repeat(2_000)}`)
      ann.reads(false)
      ann.type(...Array.from({ length: 500 }, () => "/history 20"))
      yield* bob.hears("* ann@n1 is gone")
      ann.reads(true)
      yield* ann.hears("! More than 100000 bytes wait for you: you read too slowly. Come again")
      yield* ann.isHungUpOn
    }))

  test("may have a browser: a page, and the same lines over a WebSocket", ({ http }) =>
    Effect.gen(function* () {
      const page = yield* Effect.promise(async () => (await fetch(`http://127.0.0.1:${http}/`)).text())
      expect(page).toContain("<title>Troupe chat</title>")
      const heard = yield* Effect.callback<string>((resume) => {
        const socket = new WebSocket(`ws://127.0.0.1:${http}/lines`)
        socket.binaryType = "arraybuffer"
        let all = ""
        socket.addEventListener("open", () => socket.send("ann\n/join garden\nhello\n"))
        socket.addEventListener("message", ({ data }) => {
          all += typeof data === "string" ? data : new TextDecoder().decode(data)
          if (all.includes("hello")) socket.close()
        })
        socket.addEventListener("close", () => resume(Effect.succeed(all)))
      })
      expect(heard.split("\n")).toContain("[1 n1] ann: hello")
    }))
})
