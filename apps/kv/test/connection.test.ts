/** A client of one's own: what it makes of replies, and of connections that end. */
import { Single } from "@troupe/replication"
import { Context, Effect, Layer } from "effect"
import { createServer, type AddressInfo } from "node:net"
import { describe, expect, it } from "vitest"
import * as Connection from "../src/Connection.ts"
import type * as Reply from "../src/Reply.ts"
import { ReplyReader } from "../src/resp/ReplyReader.ts"
import { Store } from "../src/Store.ts"
import { withServer } from "./harness.ts"

const text = "+OK\r\n-ERR no\r\n:-7\r\n$5\r\na\r\nbc\r\n$-1\r\n*-1\r\n*3\r\n:1\r\n*1\r\n$0\r\n\r\n+x\r\n*0\r\n"
const replies: ReadonlyArray<Reply.Reply> = [
  { _tag: "Simple", text: "OK" },
  { _tag: "Failure", text: "ERR no" },
  { _tag: "Integer", value: -7 },
  { _tag: "Bulk", bytes: "a\r\nbc" },
  { _tag: "Null" },
  { _tag: "NullArray" },
  {
    _tag: "Multiple",
    items: [
      { _tag: "Integer", value: 1 },
      { _tag: "Multiple", items: [{ _tag: "Bulk", bytes: "" }] },
      { _tag: "Simple", text: "x" }
    ]
  },
  { _tag: "Multiple", items: [] }
]

describe("replies", () => {
  it("are read however they are cut", () => {
    for (let size = 1; size <= text.length; size++) {
      const read: Array<Reply.Reply> = []
      const reader = new ReplyReader()
      for (let at = 0; at < text.length; at += size) {
        reader.push(Buffer.from(text.slice(at, at + size), "latin1"), (reply) => read.push(reply))
      }
      expect(read).toEqual(replies)
    }
  })

  it.each(["?5\r\n", ":x\r\n", "$1e3\r\n", "*2\r\n:1\r\n!\r\n"])("that are none are refused: %j", (bad) => {
    expect(() => new ReplyReader().push(Buffer.from(bad), () => {})).toThrow(/the server's reply/)
  })
})

const hangup = (ask: Effect.Effect<unknown, Connection.Hangup>) => Effect.runPromise(Effect.flip(ask))

describe("a connection", () => {
  it("says the same as a client of a replica in this process", () =>
    withServer(async ({ host, port }) => {
      const conversation = (ask: Connection.Ask) =>
        Effect.forEach(
          ["SET a 1", "WATCH a", "MULTI", "INCR a", "GET a", "EXEC", "EXEC", "GET b", "NOSUCH", "LOCK.ACQUIRE d 9"],
          (line) => ask(...line.split(" "))
        )
      const remote = await Effect.runPromise(
        Effect.scoped(Effect.flatMap(Connection.open({ host, port }), conversation))
      )
      const local = Effect.gen(function* () {
        const store = Context.get(yield* Layer.build(Single.layer(Store, { self: "n1" })), Store)
        return yield* conversation(yield* Connection.local(store))
      })
      expect(remote).toEqual(await Effect.runPromise(Effect.scoped(local)))
      expect(remote[5]).toEqual({
        _tag: "Multiple",
        items: [
          { _tag: "Integer", value: 2 },
          { _tag: "Bulk", bytes: "2" }
        ]
      })
    }))

  it("tells what may have been executed when it breaks", async () => {
    const server = createServer((socket) => socket.once("data", () => socket.destroy()))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    const address = { host: "127.0.0.1", port }
    const broken = Effect.gen(function* () {
      const ask = yield* Connection.open(address)
      return [yield* Effect.flip(ask("INCR", "a")), yield* Effect.flip(ask("INCR", "a"))].map(({ isSent }) => isSent)
    })
    expect(await Effect.runPromise(Effect.scoped(broken))).toEqual([true, false])
    await new Promise((resolve) => server.close(resolve))
    expect(await hangup(Effect.scoped(Connection.open(address)))).toMatchObject({ isSent: false })
  })
})
