/** What a client may not do, and what the server does about it. */
import { describe, expect, it } from "vitest"
import { Effect } from "effect"
import { defaults, maxCommandBytes } from "../src/server/Settings.ts"
import { command, serve, talk, withServer } from "./harness.ts"

/** What is said, and all that is answered until the server ends the connection. */
const malformed: Readonly<Record<string, readonly [string, string]>> = {
  "a count that is none": ["*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
  "a count that is too large": ["*1048577\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
  "a word that is no bulk string": ["*1\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"],
  "a length that is none": ["*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
  "a value of 512 MB": ["*3\r\n$3\r\nSET\r\n$1\r\na\r\n$536870912\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
  "a word that is longer than it says": [
    "*1\r\n$2\r\nPING\r\n",
    "-ERR Protocol error: expected the end of a line after a bulk string\r\n"
  ],
  "a line without an end": ["a".repeat(70_000), "-ERR Protocol error: too big inline request\r\n"],
  "quotes that do not close": ['SET a "b\r\n', "-ERR Protocol error: unbalanced quotes in request\r\n"],
  "a command too large as a whole": [
    `*3\r\n${`$${4_000_000}\r\n${"x".repeat(4_000_000)}\r\n`.repeat(2)}`,
    "-ERR Protocol error: too big command\r\n"
  ]
}

describe("malformed input is answered with an error, and the end of the connection", () => {
  for (const [name, [sent, answered]] of Object.entries(malformed)) {
    it(name, () =>
      withServer(async ({ counters, port }) => {
        const { rest, send } = await talk(port)
        send(command("PING") + sent)
        expect(await rest()).toBe(`+PONG\r\n${answered}`)
        expect(counters.protocolErrors).toBe(1)
        const other = await talk(port)
        other.send("PING\r\n")
        expect(await other.read(7)).toBe("+PONG\r\n")
        other.socket.destroy()
      })
    )
  }
})

describe("a server with a password", () => {
  const password = "open sesame"

  it("does nothing for who has not said it", () =>
    withServer(
      async ({ port }) => {
        const { read, send, socket } = await talk(port)
        const ask = async (words: ReadonlyArray<string>, answer: string): Promise<void> => {
          send(command(...words))
          expect(await read(answer.length + 2)).toBe(`${answer}\r\n`)
        }
        await ask(["GET", "a"], "-NOAUTH Authentication required.")
        await ask(["NOSUCH"], "-NOAUTH Authentication required.")
        await ask(["AUTH", "wrong"], "-WRONGPASS invalid username-password pair or user is disabled.")
        await ask(["AUTH", "root", password], "-WRONGPASS invalid username-password pair or user is disabled.")
        await ask(["AUTH", "default", password], "+OK")
        await ask(["GET", "a"], "$-1")
        await ask(["RESET"], "+RESET")
        await ask(["GET", "a"], "-NOAUTH Authentication required.")
        socket.destroy()
      },
      { password }
    ))

  it("takes little from who has not said it", () =>
    withServer(
      async ({ port }) => {
        const ends = async (said: string, answer: string): Promise<void> => {
          const { rest, send } = await talk(port)
          send(said)
          expect(await rest()).toBe(`-ERR Protocol error: ${answer}\r\n`)
        }
        await ends("*11\r\n", "invalid multibulk length")
        await ends("a ".repeat(11) + "\r\n", "too big inline request")
        await ends("a".repeat(16_385) + "\r\n", "too big inline request")
      },
      { password }
    ))
})

describe("bounds", () => {
  it("turns away one client too many", () =>
    withServer(
      async ({ port }) => {
        const first = await talk(port)
        first.send("PING\r\n")
        await first.read(7)
        expect(await (await talk(port)).rest()).toBe("-ERR max number of clients reached\r\n")
        first.socket.destroy()
      },
      { maxClients: 1 }
    ))

  it("lets who waits for a lock in as soon as it is free, and nobody before", () =>
    withServer(async ({ port }) => {
      const [holder, waiter] = [await talk(port), await talk(port)]
      holder.send(command("LOCK.ACQUIRE", "door", "60000"))
      await holder.read(4)
      waiter.send(command("LOCK.ACQUIRE", "door", "60000", "50000") + command("PING"))
      holder.send(command("LOCK.RELEASE", "door", "1"))
      expect(await holder.read(4)).toBe(":1\r\n")
      expect(await waiter.read(11)).toBe(":2\r\n+PONG\r\n")
      holder.socket.destroy()
      waiter.socket.destroy()
    }))

  it("answers a pipeline deeper than its bound, bit by bit", () =>
    withServer(
      async ({ port }) => {
        const { read, send, socket } = await talk(port)
        send(command("INCR", "n").repeat(5_000))
        const answers = Array.from({ length: 5_000 }, (_, i) => `:${i + 1}\r\n`).join("")
        expect(await read(answers.length)).toBe(answers)
        socket.destroy()
      },
      { maxPipeline: 16 }
    ))

  it("closes a client that takes none of its replies, and serves the others", () =>
    withServer(
      async ({ counters, port }) => {
        const slow = await talk(port)
        slow.socket.pause()
        slow.send(command("SET", "big", "x".repeat(1_000_000)))
        for (let i = 0; i < 40; i++) slow.send(command("GET", "big"))
        const other = await talk(port)
        while (counters.slowReaders === 0) {
          other.send("PING\r\n")
          expect(await other.read(7)).toBe("+PONG\r\n")
        }
        other.socket.destroy()
        slow.socket.destroy()
      },
      { maxOutputBytes: 2_000_000 }
    ))

  it("splits answers that are too much for one message, and refuses one that is alone", () =>
    withServer(async ({ port }) => {
      const { read, send, socket } = await talk(port)
      const value = "x".repeat(3_000_000)
      send(command("SET", "a", value) + command("SET", "b", value) + command("SET", "c", value))
      await read(15)
      send(command("GET", "a") + command("GET", "b") + command("GET", "c"))
      const answer = `$3000000\r\n${value}\r\n`
      expect((await read(3 * answer.length)) === answer.repeat(3)).toBe(true)
      send(command("MGET", "a", "b", "c") + command("PING"))
      const refusal = "-ERR the answer would be larger than 6291456 bytes. Ask for less at a time.\r\n+PONG\r\n"
      expect(await read(refusal.length)).toBe(refusal)
      send(command("MULTI") + command("SET", "d", "1") + command("MGET", "a", "b", "c") + command("EXEC"))
      send(command("GET", "d"))
      const end = `${refusal.slice(0, -7)}$-1\r\n`
      expect((await read("+OK\r\n+QUEUED\r\n+QUEUED\r\n".length + end.length)).endsWith(end)).toBe(true)
      socket.destroy()
    }))

  it("keeps a value within its length, however it grows", () =>
    withServer(async ({ port }) => {
      const { read, send, socket } = await talk(port)
      send(command("SET", "a", "x".repeat(defaults.maxValueBytes)) + command("APPEND", "a", "y"))
      const refusal = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"
      expect(await read(5 + refusal.length)).toBe(`+OK\r\n${refusal}`)
      expect(defaults.maxValueBytes).toBeLessThan(maxCommandBytes)
      socket.destroy()
    }))

  it("answers what it has read when it stops, and then ends", async () => {
    const { rest, send } = await withServer(async ({ port }) => {
      const client = await talk(port)
      client.send(command("INCR", "n"))
      await client.read(4)
      client.send(command("INCR", "n").repeat(100) + "PI")
      while (client.socket.bytesWritten < 100) await new Promise((resolve) => setImmediate(resolve))
      return client
    })
    const answers = await rest()
    expect(answers === "" || answers.endsWith("\r\n")).toBe(true)
    send("PING\r\n")
  })

  it("does not listen to other machines without a password", async () => {
    const failed = await Effect.runPromise(Effect.scoped(Effect.flip(serve({ host: "0.0.0.0" }))))
    expect(failed.message).toContain("set a password, or listen on 127.0.0.1")
  })

  it("says that its port is in use", () =>
    withServer(async ({ port }) => {
      const failed = await Effect.runPromise(Effect.scoped(Effect.flip(serve({ port }))))
      expect(failed.message).toContain("is in use. Choose another port")
    }))
})
