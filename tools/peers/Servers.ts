/** Servers of etcd and Redis in a temporary directory, on free ports, which end with the script. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
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
    ...(lacks("go", "version") || buildError() !== undefined ? ["golang-go golang-etcd-server-dev"] : [])
  ]
}

const directory = mkdtempSync(join(tmpdir(), "locks-"))
const processes: Array<ChildProcess> = []

/** A Go program of Debian's packages, without the module proxy. */
export const goClient = join(directory, "etcd-lock")

const buildError = (): string | undefined => {
  const { status, stderr } = spawnSync("go", ["build", "-o", goClient, "."], {
    cwd: join(import.meta.dirname, "etcd"),
    env: { ...process.env, GO111MODULE: "off", GOPATH: "/usr/share/gocode", GOFLAGS: "" },
    encoding: "utf8"
  })
  return status === 0 ? undefined : stderr
}

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

/** Ends what this has started. */
export const stop = async (): Promise<void> => {
  const ended = processes.map((child) => (child.exitCode === null ? once(child, "exit") : undefined))
  for (const child of processes) child.kill("SIGKILL")
  await Promise.all(ended)
  rmSync(directory, { recursive: true, force: true })
}
