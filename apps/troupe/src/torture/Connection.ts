/** A client's connection to a node, in RESP2. */
import { Effect, Schema } from "effect"
import { connect, type Socket } from "node:net"

/** What a node answers; what begins with `-`, as such. */
export type Reply = string | number | null | Refusal | ReadonlyArray<Reply>

export class Refusal {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** Its first word tells the kind. */
  get kind(): string {
    return this.text.split(" ", 1)[0]!
  }
}

/** The connection ended, or there was none. */
export class Lost extends Schema.TaggedError<Lost>()("Lost", {}) {}

interface Waiting {
  readonly count: number
  readonly resume: (replies: Effect.Effect<ReadonlyArray<Reply>, Lost>) => void
}

export class Connection {
  private readonly socket: Socket
  private heard = ""
  private readonly replies: Array<Reply> = []
  private waiting: Waiting | undefined
  isOver = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding("latin1").setNoDelay(true)
    socket
      .on("data", (chunk) => this.hear(String(chunk)))
      .on("error", () => this.close())
      .once("close", () => this.close())
  }

  static open(port: number): Effect.Effect<Connection, Lost> {
    return Effect.callback((resume) => {
      const socket = connect({ port, host: "127.0.0.1" })
      const fail = (): void => resume(Effect.fail(new Lost()))
      socket.once("error", fail).once("connect", () => {
        socket.off("error", fail)
        resume(Effect.succeed(new Connection(socket)))
      })
      return Effect.sync(() => void socket.destroy())
    })
  }

  /** Sends commands at once, and waits for the replies to all. One at a time asks. */
  ask(...commands: ReadonlyArray<ReadonlyArray<string>>): Effect.Effect<ReadonlyArray<Reply>, Lost> {
    return Effect.callback((resume) => {
      if (this.isOver) return resume(Effect.fail(new Lost()))
      this.waiting = { count: commands.length, resume }
      this.socket.write(commands.map(encode).join(""), "latin1")
    })
  }

  close(): void {
    if (this.isOver) return
    this.isOver = true
    this.socket.destroy()
    this.waiting?.resume(Effect.fail(new Lost()))
    this.waiting = undefined
  }

  private hear(text: string): void {
    this.heard += text
    let at = 0
    for (;;) {
      const parsed = parse(this.heard, at)
      if (parsed === undefined) break
      this.replies.push(parsed.reply)
      at = parsed.end
    }
    this.heard = this.heard.slice(at)
    const { waiting } = this
    if (waiting === undefined || this.replies.length < waiting.count) return
    this.waiting = undefined
    waiting.resume(Effect.succeed(this.replies.splice(0)))
  }
}

const encode = (words: ReadonlyArray<string>): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`

interface Parsed {
  readonly reply: Reply
  readonly end: number
}

/** The reply that begins at `at`, where all of it is there. */
export const parse = (text: string, at: number): Parsed | undefined => {
  const lineEnd = text.indexOf("\r\n", at)
  if (lineEnd < 0) return undefined
  const line = text.slice(at + 1, lineEnd)
  const end = lineEnd + 2
  switch (text[at]) {
    case "+":
      return { reply: line, end }
    case "-":
      return { reply: new Refusal(line), end }
    case ":":
      return { reply: Number(line), end }
    case "$": {
      const length = Number(line)
      if (length < 0) return { reply: null, end }
      if (text.length < end + length + 2) return undefined
      return { reply: text.slice(end, end + length), end: end + length + 2 }
    }
    case "*":
      return parseItems(text, end, Number(line))
    default:
      return { reply: new Refusal(`ERR a reply that begins with "${text.slice(at, at + 8)}"`), end }
  }
}

const parseItems = (text: string, at: number, count: number): Parsed | undefined => {
  if (count < 0) return { reply: null, end: at }
  const items: Array<Reply> = []
  let end = at
  while (items.length < count) {
    const item = parse(text, end)
    if (item === undefined) return undefined
    items.push(item.reply)
    end = item.end
  }
  return { reply: items, end }
}
