/** What the server says, byte for byte: each line that is sent, and what comes back. */
import { describe, expect, it } from "vitest"
import { command, talk, withServer } from "./harness.ts"
import { keyByKey } from "./quorumStandIn.ts"

/** `SET a 1` and what it is answered with; ↵ is the end of a line. */
type Exchange = readonly [sent: string | ReadonlyArray<string>, answered: string]

const transcripts: Readonly<Record<string, ReadonlyArray<Exchange>>> = {
  "sets and gets": [
    ["PING", "+PONG↵"],
    ["ping hi", "$2↵hi↵"],
    ["ECHO hello", "$5↵hello↵"],
    ["SELECT 0", "+OK↵"],
    ["SELECT 1", "-ERR DB index is out of range↵"],
    ["GET a", "$-1↵"],
    ["SET a 1", "+OK↵"],
    ["GET a", "$1↵1↵"],
    [["SET", "b\r\n", "\u0000\u00ff\r\n"], "+OK↵"],
    [["GET", "b\r\n"], "$4↵\u0000\u00ff↵↵"],
    ["SETNX a 2", ":0↵"],
    ["SETNX c 2", ":1↵"],
    ["MSET x 1 y 2", "+OK↵"],
    ["MSET x 1 y", "-ERR wrong number of arguments for 'mset' command↵"],
    ["MGET x nosuch y", "*3↵$1↵1↵$-1↵$1↵2↵"],
    ["STRLEN nosuch", ":0↵"],
    ["APPEND x 23", ":3↵"],
    ["STRLEN x", ":3↵"],
    ["TYPE x", "+string↵"],
    ["TYPE nosuch", "+none↵"],
    ["EXISTS x x nosuch", ":2↵"],
    ["DEL x x nosuch", ":1↵"],
    ["DBSIZE", ":4↵"],
    ["FLUSHDB", "+OK↵"],
    ["DBSIZE", ":0↵"]
  ],
  "sets under conditions": [
    ["SET a 1 XX", "$-1↵"],
    ["SET a 1 NX", "+OK↵"],
    ["SET a 2 NX", "$-1↵"],
    ["SET a 2 XX GET", "$1↵1↵"],
    ["SET a 3 NX GET", "$1↵2↵"],
    ["SET a 3 NX XX", "-ERR syntax error↵"],
    ["SET a 3 EX", "-ERR syntax error↵"],
    ["SET a 3 EX 10 PX 10", "-ERR syntax error↵"],
    ["SET a 3 EX 0", "-ERR invalid expire time in 'set' command↵"],
    ["SET a 3 EX ten", "-ERR value is not an integer or out of range↵"],
    ["SET a 3 EX 100", "+OK↵"],
    ["TTL a", ":100↵"],
    ["SET a 4 KEEPTTL", "+OK↵"],
    ["TTL a", ":100↵"],
    ["PERSIST a", ":1↵"],
    ["PERSIST a", ":0↵"],
    ["TTL a", ":-1↵"],
    ["SET a 5 PXAT 1", "+OK↵"],
    ["GET a", "$-1↵"],
    ["TTL a", ":-2↵"]
  ],
  "counts in 64 bits": [
    ["INCR n", ":1↵"],
    ["INCRBY n 9007199254740991", ":9007199254740992↵"],
    ["DECR n", ":9007199254740991↵"],
    ["SET n 9223372036854775806", "+OK↵"],
    ["INCR n", ":9223372036854775807↵"],
    ["INCR n", "-ERR increment or decrement would overflow↵"],
    ["DECRBY n -1", "-ERR increment or decrement would overflow↵"],
    ["DECRBY n -9223372036854775808", "-ERR decrement would overflow↵"],
    ["SET n 01", "+OK↵"],
    ["INCR n", "-ERR value is not an integer or out of range↵"],
    ["INCRBY m ten", "-ERR value is not an integer or out of range↵"]
  ],
  "lets keys expire": [
    ["EXPIRE a 10", ":0↵"],
    ["SET a 1", "+OK↵"],
    ["EXPIRE a 10 XX", ":0↵"],
    ["EXPIRE a 10 NX", ":1↵"],
    ["PEXPIRE a 5000 GT", ":0↵"],
    ["EXPIRE a 20 GT", ":1↵"],
    ["EXPIRE a 20 NX GT", "-ERR NX and XX, GT or LT options at the same time are not compatible↵"],
    ["EXPIRE a 20 SOON", "-ERR Unsupported option SOON↵"],
    ["INCR a", ":2↵"],
    ["TTL a", ":20↵"],
    ["EXPIRE a -1", ":1↵"],
    ["EXISTS a", ":0↵"]
  ],
  "answers what it doesn't know as Redis does": [
    ["NOSUCH a b", "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' ↵"],
    ["GET", "-ERR wrong number of arguments for 'get' command↵"],
    ["GET a b", "-ERR wrong number of arguments for 'get' command↵"],
    ["HELLO 4", "-NOPROTO unsupported protocol version↵"],
    [
      "AUTH x",
      "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?↵"
    ],
    ["CLIENT NOSUCH", "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.↵"],
    ["SCAN x", "-ERR invalid cursor↵"]
  ],
  "runs transactions": [
    ["EXEC", "-ERR EXEC without MULTI↵"],
    ["DISCARD", "-ERR DISCARD without MULTI↵"],
    ["MULTI", "+OK↵"],
    ["MULTI", "-ERR MULTI calls can not be nested↵"],
    ["WATCH a", "-ERR WATCH inside MULTI is not allowed↵"],
    ["SET a 1", "+QUEUED↵"],
    ["PING", "+QUEUED↵"],
    ["INCR a", "+QUEUED↵"],
    ["EXEC", "*3↵+OK↵+PONG↵:2↵"],
    ["MULTI", "+OK↵"],
    ["SET a 9", "+QUEUED↵"],
    ["NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: ↵"],
    ["EXEC", "-EXECABORT Transaction discarded because of previous errors.↵"],
    ["GET a", "$1↵2↵"],
    ["MULTI", "+OK↵"],
    ["SET a 9", "+QUEUED↵"],
    ["DISCARD", "+OK↵"],
    ["GET a", "$1↵2↵"],
    ["WATCH a", "+OK↵"],
    ["SET a 3", "+OK↵"],
    ["MULTI", "+OK↵"],
    ["SET a 4", "+QUEUED↵"],
    ["EXEC", "*-1↵"],
    ["WATCH a", "+OK↵"],
    ["SET a 5", "+OK↵"],
    ["UNWATCH", "+OK↵"],
    ["MULTI", "+OK↵"],
    ["EXEC", "*0↵"]
  ],
  "gives locks with growing tokens": [
    ["LOCK.ACQUIRE door 60000", ":1↵"],
    ["LOCK.ACQUIRE door 60000", "$-1↵"],
    ["LOCK.ACQUIRE door 60000 1", "$-1↵"],
    ["LOCK.RELEASE door 7", ":0↵"],
    ["FLUSHDB", "+OK↵"],
    ["LOCK.RELEASE door 1", ":1↵"],
    ["LOCK.ACQUIRE door 60000", ":2↵"],
    ["LOCK.ACQUIRE gate 0", "-ERR invalid expire time in 'lock.acquire' command↵"]
  ],
  "speaks the newer protocol": [
    [
      "HELLO 3 SETNAME me",
      "%7↵$6↵server↵$5↵redis↵$7↵version↵$5↵7.0.0↵$5↵proto↵:3↵$2↵id↵:1↵$4↵mode↵$10↵standalone↵$4↵role↵$6↵master↵$7↵modules↵*0↵"
    ],
    ["CLIENT GETNAME", "$2↵me↵"],
    ["GET nosuch", "_↵"],
    ["CONFIG GET save", "%1↵$4↵save↵$0↵↵"],
    ["WAIT 0 0", ":0↵"]
  ]
}

const say = (sent: Exchange[0]): string => (typeof sent === "string" ? command(...sent.split(" ")) : command(...sent))
const expected = (answered: string): string => answered.replaceAll("↵", "\r\n")

describe.each([
  ["over one copy of all keys", undefined],
  ["over keys that are replicated apart", keyByKey]
])("a client with a raw socket, %s,", (_, store) => {
  for (const [name, exchanges] of Object.entries(transcripts)) {
    it(name, () =>
      withServer(
        async ({ port }) => {
          const { read, send, socket } = await talk(port)
          for (const [sent, answered] of exchanges) {
            send(say(sent))
            expect([sent, await read(expected(answered).length)]).toEqual([sent, expected(answered)])
          }
          socket.destroy()
        },
        {},
        store
      )
    )
  }

  it("gets the replies of a pipeline in its order, whoever answers them", () =>
    withServer(
      async ({ port }) => {
        const all = Object.values(transcripts).find((_, index) => index === 5)!
        const { read, send, socket } = await talk(port)
        send(all.map(([sent]) => say(sent)).join(""))
        const answers = expected(all.map(([, answered]) => answered).join(""))
        expect(await read(answers.length)).toBe(answers)
        socket.destroy()
      },
      {},
      store
    ))

  it("sees each key that is there throughout a scan, whatever else comes and goes", () =>
    withServer(
      async ({ port }) => {
        const { read, send, socket } = await talk(port)
        const count = 500
        send(Array.from({ length: count }, (_, i) => command("SET", `key:${i}`, "v")).join(""))
        await read(5 * count)
        const seen = new Set<string>()
        let cursor = "0"
        let turn = 0
        do {
          send(command("SCAN", cursor, "COUNT", "20", "MATCH", "key:*") + command("SET", `other:${turn++}`, "v"))
          send(command("DEL", `other:${turn - 3}`) + command("ECHO", "done"))
          let text = ""
          while (!text.endsWith("$4\r\ndone\r\n")) text += await read(1)
          cursor = text.split("\r\n")[2]!
          for (const [key] of text.matchAll(/key:\d+/g)) seen.add(key)
        } while (cursor !== "0")
        expect(seen.size).toBe(count)
        expect(turn).toBeGreaterThan(20)
        socket.destroy()
      },
      {},
      store
    ))
})
