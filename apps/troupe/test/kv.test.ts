/** `troupe kv`: processes that keep what they acknowledged, and say what is wrong with what they are given. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect as connectTls } from "node:tls"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"

const troupe = fileURLToPath(new URL("../bin/troupe.js", import.meta.url))
const directory = mkdtempSync(join(tmpdir(), "troupe-kv-"))
const children: Array<ChildProcess> = []
afterAll(() => {
  for (const child of children) child.kill("SIGKILL")
  rmSync(directory, { recursive: true })
})

interface Process {
  readonly child: ChildProcess
  /** What it has said, as soon as it has said this. */
  readonly says: (text: string) => Promise<string>
  readonly exit: Promise<number | null>
}

const start = (...args: ReadonlyArray<string>): Process => {
  const child = spawn(process.execPath, [troupe, "kv", ...args])
  children.push(child)
  let said = ""
  let wake = (): void => {}
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      said += String(chunk)
      wake()
    })
  }
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve))
  let isOver = false
  void exit.then(() => {
    isOver = true
    wake()
  })
  const says = async (text: string): Promise<string> => {
    while (!said.includes(text) && !isOver) await new Promise<void>((resolve) => (wake = resolve))
    return said
  }
  return { child, says, exit }
}

/** Sends lines, and gives as many lines of answers. */
const ask = (port: number, ...lines: ReadonlyArray<string>): Promise<ReadonlyArray<string>> =>
  talk(() => connect(port, "127.0.0.1"), lines)

const talk = (dial: () => Socket, lines: ReadonlyArray<string>): Promise<ReadonlyArray<string>> =>
  new Promise((resolve, reject) => {
    const socket = dial()
    socket.write(lines.map((line) => `${line}\r\n`).join(""))
    let heard = ""
    socket.once("error", reject)
    socket.on("data", (chunk) => {
      heard += String(chunk)
      const answers = heard.split("\r\n").slice(0, -1)
      if (answers.length < lines.length) return
      socket.destroy()
      resolve(answers.slice(0, lines.length))
    })
  })

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

const pem = (name: string): string =>
  fileURLToPath(new URL(`../../../packages/transport/test/fixtures/${name}.pem`, import.meta.url))

const isReady = "Ctrl-C ends it"

describe("troupe kv node", () => {
  it(
    "has after kill -9 of all nodes what was acknowledged, over TLS to clients and peers",
    { timeout: 60_000 },
    async () => {
      const ids = ["n1", "n2"]
      const ports = await Promise.all([...ids, ...ids].map(freePort))
      const config = join(directory, "cluster.json")
      const nodes = ids.map((id, index) => ({
        id,
        peer: `127.0.0.1:${ports[index]}`,
        port: ports[index + 2],
        data: join(directory, id),
        peerTls: { cert: pem(`${id}.cert`), key: pem(`${id}.key`), ca: pem("ca") }
      }))
      const tls = { cert: pem("n1.cert"), key: pem("n1.key") }
      writeFileSync(
        config,
        JSON.stringify({ cluster: "shop", replication: "passive", nodes, tls, limits: { maxClients: 7 } })
      )
      const startAll = async (): Promise<ReadonlyArray<Process>> => {
        const all = ids.map((id) => start("node", "--id", id, "--config", config))
        await Promise.all(all.map(({ says }) => says(isReady)))
        return all
      }
      const ask = (port: number, ...lines: ReadonlyArray<string>) =>
        talk(() => connectTls({ port, ca: readFileSync(pem("ca")), checkServerIdentity: () => undefined }), lines)
      const keys = Array.from({ length: 50 }, (_, i) => i)
      const before = await startAll()
      const written = await Promise.all([
        ask(ports[2]!, ...keys.map((i) => `SET first${i} ${i}`)),
        ask(ports[3]!, ...keys.map((i) => `SET second${i} ${i}`))
      ])
      expect(new Set(written.flat())).toEqual(new Set(["+OK"]))
      expect(await ask(ports[2]!, "LOCK.ACQUIRE door 60000")).toEqual([":1"])
      for (const { child } of before) child.kill("SIGKILL")
      await Promise.all(before.map(({ exit }) => exit))

      const after = await startAll()
      const names = keys.flatMap((i) => [`first${i}`, `second${i}`]).join(" ")
      const found = await ask(ports[3]!, `EXISTS ${names}`, "LOCK.ACQUIRE gate 60000", "CONFIG GET maxclients")
      expect(found).toEqual([":100", ":2", "*2"])
      const twin = start("node", "--id", "n1", "--config", config)
      expect(await twin.says("has it open")).toContain(`process ${after[0]!.child.pid} has it open`)
      expect(await twin.exit).toBe(3)
      expect(await ask(ports[2]!, "INCR first1")).toEqual([":2"])
      for (const { child } of after) child.kill("SIGTERM")
      expect(await Promise.all(after.map(({ exit }) => exit))).toEqual([0, 0])
    }
  )
})

describe("troupe kv", () => {
  it("serves from the start that it tells of, takes its bounds from options, and ends with 0", async () => {
    const { child, exit, says } = start(
      "--port",
      "0",
      "--http",
      "0",
      "--nodes",
      "3",
      "--max-value",
      "100",
      "--max-clients",
      "7"
    )
    const said = await says(isReady)
    expect(said).toContain("A replicated store: 3 nodes in this process, passive replication, in memory.")
    const ports = Array.from(said.matchAll(/^ {2}n\d +redis-cli -p (\d+)$/gm), ([, port]) => Number(port))
    expect(ports.length).toBe(3)
    const status = await fetch(`${/http:\S+/.exec(said)![0]}ready`)
    expect(await status.json()).toEqual({ ready: true, waiting: [] })
    expect(await ask(ports[0]!, "SET greeting hello")).toEqual(["+OK"])
    expect(await ask(ports[2]!, "GET greeting", "CONFIG GET maxclients")).toEqual(["$5", "hello"])
    expect(await ask(ports[1]!, `SET a ${"x".repeat(101)}`)).toEqual(["-ERR Protocol error: too big inline request"])
    child.kill("SIGINT")
    expect(await exit).toBe(0)
  })
})
