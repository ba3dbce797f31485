/** `troupe kv`: processes that keep what they acknowledged, and say what is wrong with what they are given. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { type AddressInfo, connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"

const troupe = fileURLToPath(new URL("../bin/troupe.js", import.meta.url))
const directory = mkdtempSync(join(tmpdir(), "troupe-kv-"))
afterAll(() => rmSync(directory, { recursive: true }))

interface Process {
  readonly child: ChildProcess
  /** What it has said, as soon as it has said this. */
  readonly says: (text: string) => Promise<string>
  readonly exit: Promise<number | null>
}

const start = (...args: ReadonlyArray<string>): Process => {
  const child = spawn(process.execPath, [troupe, "kv", ...args])
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
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(lines.map((line) => `${line}\r\n`).join("")))
    let heard = ""
    socket.once("error", reject)
    socket.on("data", (chunk) => {
      heard += String(chunk)
      const answers = heard.split("\r\n").slice(0, -1)
      if (answers.length < lines.length) return
      socket.destroy()
      resolve(answers)
    })
  })

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

describe("troupe kv node", () => {
  it("has after kill -9 what it acknowledged, and ends well when it is told to", async () => {
    const [peer, port] = [await freePort(), await freePort()]
    const config = join(directory, "cluster.json")
    const nodes = [{ id: "n1", peer: `127.0.0.1:${peer}`, port, data: join(directory, "n1") }]
    writeFileSync(config, JSON.stringify({ cluster: "shop", replication: "passive", nodes }))
    const first = start("node", "--id", "n1", "--config", config)
    await first.says("redis-cli -h")
    expect(await ask(port, "SET a 1", "INCR a", "LOCK.ACQUIRE door 60000")).toEqual(["+OK", ":2", ":1"])
    first.child.kill("SIGKILL")
    await first.exit
    const second = start("node", "--id", "n1", "--config", config)
    await second.says("redis-cli -h")
    expect(await ask(port, "INCR a", "LOCK.ACQUIRE gate 60000")).toEqual([":3", ":2"])
    const third = start("node", "--id", "n1", "--config", config)
    expect(await third.says("has it open")).toContain("has it open")
    expect(await third.exit).toBe(3)
    second.child.kill("SIGTERM")
    expect([0, 130]).toContain(await second.exit)
  })

  it("says which node the configuration lacks", async () => {
    const { exit, says } = start("node", "--id", "n9", "--config", join(directory, "cluster.json"))
    expect(await says("there is no node")).toContain('there is no node "n9" in it: it has n1')
    expect(await exit).toBe(2)
  })
})
