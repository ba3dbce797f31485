/** Somebody at a terminal: a connection to a node of the chat, and the lines that it has shown. */
import { Effect, type Scope } from "effect"
import { connect as dial } from "node:net"

export interface Client {
  readonly lines: ReadonlyArray<string>
  readonly type: (line: string) => void
  /** The first line of that kind from an index on. Fails when the connection ends. */
  readonly until: (is: (line: string) => boolean, from?: number) => Effect.Effect<string, Hangup>
}

export interface Hangup {
  readonly _tag: "Hangup"
}

const hangup: Hangup = { _tag: "Hangup" }

/** In a room, under a name. */
export const connect = (port: number, name: string, room: string): Effect.Effect<Client, Hangup, Scope.Scope> =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    let rest = ""
    let isOver = false
    let waiting: Array<() => void> = []
    const wake = (): void => {
      const all = waiting
      waiting = []
      for (const resume of all) resume()
    }
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => dial(port, "127.0.0.1")),
      (opened) => Effect.sync(() => opened.destroy())
    )
    socket.setEncoding("utf8")
    socket.on("data", (chunk) => {
      const parts = `${rest}${chunk}`.split("\n")
      rest = parts.pop()!
      lines.push(...parts)
      wake()
    })
    socket.on("error", () => {})
    socket.on("close", () => {
      isOver = true
      wake()
    })
    const until: Client["until"] = (is, from = 0) =>
      Effect.suspend(() => {
        const found = lines.slice(from).find(is)
        if (found !== undefined) return Effect.succeed(found)
        return isOver ? Effect.fail(hangup) : Effect.andThen(more, until(is, from))
      })
    const more = Effect.callback<void>((resume) => void waiting.push(() => resume(Effect.void)))
    const type = (line: string): void => void socket.write(`${line}\n`)
    type(name)
    type(`/join ${room}`)
    yield* until((line) => line.startsWith(`* In ${room}:`))
    return { lines, type, until }
  })

/** Who is in its room, as its node sees it. */
export const who = (client: Client): Effect.Effect<ReadonlyArray<string>, Hangup> =>
  Effect.suspend(() => {
    const from = client.lines.length
    client.type("/who")
    return Effect.map(
      client.until((line) => line.startsWith("* In "), from),
      (line) => line.slice(line.indexOf(": ") + 2).split(", ")
    )
  })

/** What was said in its room, as its node has it. */
export const history = (client: Client): Effect.Effect<ReadonlyArray<string>, Hangup> =>
  Effect.gen(function* () {
    const from = client.lines.length
    client.type("/history 10000")
    const end = yield* client.until((line) => / posts of \S+$/.test(line), from)
    const count = Number(/\d+/.exec(end)![0])
    const to = client.lines.indexOf(end, from)
    return client.lines.slice(to - count, to)
  })
