/**
 * SETs a second at 50 connections, each 16 commands deep: five replicas and one on the memory transport, beside a server
 * that answers and does nothing. Each is a process, and so is the load; the rounds go by turns.
 */
import { fork } from "node:child_process"
import { connect } from "node:net"
import { fileURLToPath } from "node:url"
import { command } from "../test/harness.ts"

const rounds = Number(process.argv[process.argv.indexOf("--rounds") + 1] || 0) || 5
const connections = 50
const depth = 16
const perConnection = 2_000

const program = async (file: string, ...args: ReadonlyArray<string>) => {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args, { execArgv: process.execArgv })
  const port = await new Promise<number>((resolve) => child.once("message", (port) => resolve(port as number)))
  return { port, stop: () => child.kill() }
}

/** One connection's share: keeps `depth` commands under way; gives when it is done. */
const drive = (port: number, index: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true })
    const value = "v".repeat(100)
    let sent = 0
    let awaited = 0
    const send = (): void => {
      let batch = ""
      for (let i = 0; i < depth; i++) batch += command("SET", `key:${index}:${sent++ % 1000}`.padEnd(16, "0"), value)
      awaited = 5 * depth
      socket.write(batch, "latin1")
    }
    socket.once("connect", send)
    socket.once("error", reject)
    socket.on("data", (chunk) => {
      if (chunk[0] === 0x2d) reject(new Error(chunk.toString()))
      awaited -= chunk.length
      if (awaited > 0) return
      if (sent < perConnection) return send()
      socket.destroy()
      resolve()
    })
  })

const perSecond = async (port: number): Promise<number> => {
  const start = performance.now()
  await Promise.all(Array.from({ length: connections }, (_, index) => drive(port, index)))
  return (connections * perConnection * 1000) / (performance.now() - start)
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const programs = {
  echo: await program("echo.ts"),
  five: await program("store.ts", "5"),
  one: await program("store.ts", "1")
}
const results = { echo: [] as Array<number>, five: [] as Array<number>, one: [] as Array<number> }
const names = ["echo", "five", "one"] as const
for (const name of names) await perSecond(programs[name].port)
for (let round = 0; round < rounds; round++) {
  for (const name of names) results[name].push(await perSecond(programs[name].port))
}
for (const name of names) programs[name].stop()

const report = {
  "echo server, SET/s": Math.round(median(results.echo)),
  "five replicas, SET/s": Math.round(median(results.five)),
  "one replica, SET/s": Math.round(median(results.one)),
  "five replicas / echo": Number((median(results.five) / median(results.echo)).toFixed(3))
}
console.log(process.argv.includes("--json") ? JSON.stringify(report) : report)
