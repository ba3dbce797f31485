/**
 * What a key of 16 bytes and its value of 100 take of a node's heap: three processes over TCP, each on a disk of its own, with
 * `--keys` keys set through all three in turn, `--times` times each.
 *
 *     node --expose-gc --conditions=@troupe/source apps/kv/bench/memory.bench.ts [--json] [--keys 100000] [--times 1]
 */
import { fork, type ChildProcess } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { command } from "../test/harness.ts"

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    keys: { type: "string", default: "100000" },
    times: { type: "string", default: "1" },
    rounds: { type: "string" }
  }
})
const [keys, times] = [Number(values.keys), Number(values.times)]
const depth = 256

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number }
      server.close(() => resolve(port))
    })
  })

const answer = <A>(child: ChildProcess): Promise<A> =>
  new Promise((resolve) => child.once("message", (message) => resolve(message as A)))

const heapOf = (child: ChildProcess): Promise<number> => {
  const heap = answer<number>(child)
  child.send("heap")
  return heap
}

/** Sets keys on one connection, so many commands under way. */
const load = (port: number, commands: ReadonlyArray<string>): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true })
    let [sent, answered] = [0, 0]
    const send = (): void => {
      const batch = commands.slice(sent, Math.min(commands.length, answered + depth))
      sent += batch.length
      if (batch.length > 0) socket.write(batch.join(""), "latin1")
    }
    socket.once("connect", send)
    socket.once("error", reject)
    socket.on("data", (chunk) => {
      if (chunk.includes("-")) return reject(new Error(chunk.toString()))
      for (const byte of chunk) if (byte === 0x2b) answered++
      if (answered < commands.length) return send()
      socket.destroy()
      resolve()
    })
  })

const measure = async (replication: "passive" | "quorum"): Promise<number> => {
  const directory = mkdtempSync(join(tmpdir(), "troupe-memory-"))
  const ids = ["n1", "n2", "n3"]
  const nodes = []
  for (const id of ids) {
    nodes.push({ id, peer: `127.0.0.1:${await freePort()}`, port: await freePort(), data: join(directory, id) })
  }
  const file = join(directory, "cluster.json")
  writeFileSync(file, JSON.stringify({ cluster: "memory", replication, nodes }))
  const children = ids.map((id) =>
    fork(fileURLToPath(new URL("node.ts", import.meta.url)), [file, id], {
      execArgv: ["--expose-gc", "--conditions=@troupe/source"]
    })
  )
  try {
    await Promise.all(children.map(answer))
    await load(nodes[0]!.port, [command("SET", "first", "1")])
    const before = await Promise.all(children.map(heapOf))
    for (let time = 0; time < times; time++) {
      const set = (i: number): string => command("SET", `${i}`.padStart(16, "0"), `${time}-${i}`.padEnd(100, "v"))
      const mine = nodes.map(({ port }, at) =>
        load(
          port,
          Array.from({ length: Math.floor((keys - at + 2) / 3) }, (_, i) => set(3 * i + at))
        )
      )
      await Promise.all(mine)
    }
    // What is on its way is there, or given up, by then.
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    const after = await Promise.all(children.map(heapOf))
    return Math.round(Math.max(...after.map((heap, at) => heap - before[at]!)) / keys)
  } finally {
    for (const child of children) child.kill("SIGKILL")
    rmSync(directory, { recursive: true, force: true })
  }
}

const report = {
  "passive, bytes a key": await measure("passive"),
  "quorum, bytes a key": await measure("quorum")
}
console.log(values.json ? JSON.stringify(report) : report)
