/** Servers of etcd and Redis in a temporary directory, on free ports, which end with the script. */
import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { once } from "node:events"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

/** What is not installed, of programs and Go's sources. */
export const missing = (): ReadonlyArray<string> => {
  const lacks = (program: string, argument: string): boolean => spawnSync(program, [argument]).error !== undefined
  return [
    ...(lacks("etcd", "--version") ? ["etcd-server"] : []),
    ...(lacks("redis-server", "--version") ? ["redis-server"] : []),
    ...(lacks("go", "version") || buildErrors().length > 0 ? ["golang-go golang-etcd-server-dev"] : [])
  ]
}

const directory = mkdtempSync(join(tmpdir(), "peers-"))
const processes: Array<ChildProcess> = []

/** Go programs of Debian's packages, without the module proxy: for locks, and for keys. */
export const goClient = join(directory, "etcd-lock")
export const goKvClient = join(directory, "etcd-kv-client")

const buildErrors = (): ReadonlyArray<string> =>
  Object.entries({ etcd: goClient, "etcd-kv": goKvClient }).flatMap(([source, program]) => {
    const { status, stderr } = spawnSync("go", ["build", "-o", program, "."], {
      cwd: join(import.meta.dirname, source),
      env: { ...process.env, GO111MODULE: "off", GOPATH: "/usr/share/gocode", GOFLAGS: "" },
      encoding: "utf8"
    })
    return status === 0 ? [] : [stderr]
  })

const freePorts = async (count: number): Promise<ReadonlyArray<number>> => {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"))
  await Promise.all(servers.map((server) => once(server, "listening")))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  for (const server of servers) server.close()
  return ports
}

const run = (program: string, args: ReadonlyArray<string>): void => {
  processes.push(spawn(program, args, { stdio: "ignore" }))
}

/** Tries until it is so, for 20 seconds. */
const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
  for (let tries = 0; !(await holds()); tries++) {
    if (tries === 200) throw new Error(`${what} has not started within 20 seconds`)
    await sleep(100)
  }
}

/** The clients' addresses of a new cluster. */
export const etcd = async (members: number): Promise<ReadonlyArray<string>> => {
  const ports = await freePorts(2 * members)
  const urls = ports.map((port) => `http://127.0.0.1:${port}`)
  const names = Array.from({ length: members }, (_, i) => `m${i}`)
  const initial = names.map((name, i) => `${name}=${urls[members + i]}`).join(",")
  for (const [i, name] of names.entries()) {
    const [client, peer] = [urls[i]!, urls[members + i]!]
    const listen = [`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`]
    const peers = [
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=${initial}`
    ]
    run("etcd", [`--name=${name}`, `--data-dir=${join(directory, `etcd-${members}-${name}`)}`, ...listen, ...peers])
  }
  await until("etcd", async () => {
    const healthy = await Promise.allSettled(urls.slice(0, members).map((url) => fetch(`${url}/health`)))
    return healthy.every((each) => each.status === "fulfilled" && each.value.ok)
  })
  return urls.slice(0, members)
}

/** The ports of new servers, which keep nothing on disk. */
export const redis = async (servers: number): Promise<ReadonlyArray<number>> => {
  const ports = await freePorts(servers)
  for (const port of ports) {
    const dir = join(directory, `redis-${port}`)
    mkdirSync(dir)
    run("redis-server", [`--port`, `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir])
  }
  return ports
}

/** The port of a new primary that has every write on disk before it answers, and one replica that does the same. */
export const durableRedis = async (): Promise<number> => {
  const ports = await freePorts(2)
  for (const [i, port] of ports.entries()) {
    const dir = join(directory, `redis-${port}`)
    mkdirSync(dir)
    const durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir", dir]
    const follows = i === 0 ? [] : ["--replicaof", `127.0.0.1 ${ports[0]}`]
    run("redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", ...durable, ...follows])
  }
  await until("Redis", () => ask(ports[0]!, "replication").includes("state=online"))
  return ports[0]!
}

/** The port of the first primary of a new store of three processes, each on a disk of its own. */
export const store = async (replication: string): Promise<number> => {
  const ports = await freePorts(6)
  const file = join(directory, `${replication}.json`)
  const nodes = ["n1", "n2", "n3"].map((id, i) => ({
    ...{ id, peer: `127.0.0.1:${ports[3 + i]}`, port: ports[i]! },
    data: join(directory, replication, id)
  }))
  writeFileSync(file, JSON.stringify({ cluster: "peers", replication, nodes }))
  const program = join(import.meta.dirname, "..", "..", "apps", "kv", "bench", "node.ts")
  const execArgv = ["--conditions=@troupe/source"]
  for (const { id } of nodes) processes.push(fork(program, [file, id], { execArgv, stdio: "ignore" }))
  let primary: number | undefined
  await until("the store", () => {
    primary = ports.slice(0, 3).find((port) => /node_role:(primary|replica)/.test(ask(port, "replication")))
    return primary !== undefined
  })
  return primary!
}

const ask = (port: number, section: string): string =>
  spawnSync("redis-cli", ["-p", `${port}`, "INFO", section], { encoding: "utf8" }).stdout

/** Ends what this has started. */
export const stop = async (): Promise<void> => {
  const ended = processes.map((child) => (child.exitCode === null ? once(child, "exit") : undefined))
  for (const child of processes) child.kill("SIGKILL")
  await Promise.all(ended)
  rmSync(directory, { recursive: true, force: true })
}
