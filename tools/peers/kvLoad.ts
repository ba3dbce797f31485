/**
 * Asks a server that speaks Redis' protocol, over so many connections with one request open each, for a time. Prints for how
 * long, and the milliseconds that each request took, as JSON. `SET+WAIT` waits for one replica after each SET.
 *
 *     node tools/peers/kvLoad.ts PORT SET|SET+WAIT|GET CONNECTIONS MILLIS
 */
import { connect } from "node:net"

const [port, kind, connections, millis] = process.argv.slice(2)
const count = Number(connections)

const command = (...words: ReadonlyArray<string>): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`

const keyOf = (n: number): string => `key:${String(n % 100_000).padStart(12, "0")}`
const value = "v".repeat(100)
const wait = command("WAIT", "1", "1000")

/** What is sent for a request, and how many bytes its answer has. */
const requestOf = (n: number): string =>
  kind === "GET" ? command("GET", keyOf(n)) : command("SET", keyOf(n), value) + (kind === "SET+WAIT" ? wait : "")
const answer = kind === "GET" ? `$100\r\n${value}\r\n` : kind === "SET+WAIT" ? "+OK\r\n:1\r\n" : "+OK\r\n"

const times: Array<number> = []

/** One connection, whose first request is not counted. */
const drive = (
  index: number,
  started: Promise<number>
): { readonly ready: Promise<void>; readonly done: Promise<void> } => {
  const socket = connect({ port: Number(port), host: "127.0.0.1", noDelay: true })
  const ready = Promise.withResolvers<void>()
  const done = Promise.withResolvers<void>()
  let n = index
  let asked = 0
  let end = 0
  let received = ""
  const ask = (): void => {
    asked = performance.now()
    socket.write(requestOf(n), "latin1")
    if (kind !== "GET") n += count
  }
  socket.once("connect", () => socket.write(command("SET", keyOf(index), value), "latin1"))
  socket.on("error", done.reject)
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1")
    if (asked === 0) {
      if (received !== "+OK\r\n") return done.reject(new Error(received))
      received = ""
      ready.resolve()
      return void started.then((until) => {
        end = until
        ask()
      })
    }
    if (received.length < answer.length && answer.startsWith(received)) return
    if (received !== answer) return done.reject(new Error(`"${received}" is not what is asked for`))
    received = ""
    const now = performance.now()
    times.push(now - asked)
    if (now < end) return ask()
    socket.destroy()
    done.resolve()
  })
  return { ready: ready.promise, done: done.promise }
}

const started = Promise.withResolvers<number>()
const all = Array.from({ length: count }, (_, index) => drive(index, started.promise))
await Promise.race([Promise.all(all.map(({ ready }) => ready)), Promise.all(all.map(({ done }) => done))])
const start = performance.now()
started.resolve(start + Number(millis))
await Promise.all(all.map(({ done }) => done))
console.log(JSON.stringify({ seconds: (performance.now() - start) / 1000, times }))
