/**
 * Troupe's locks beside etcd's (three members and one, through its Go client) and Redlock (five Redis, npm's redlock, a
 * retry every 5 ms), in turns on this machine: entries a second by one caller and by eight, and how long these wait.
 *
 * Ours are five processes with two, two, two, one and one callers, as in `packages/mutex/bench/tcp.bench.ts`, and those
 * alone that others outlive. Redlock's callers are five processes alike; etcd's are eight connections of one process.
 *
 * Needs Debian's etcd-server, redis-server, golang-go and golang-etcd-server-dev. Stops what it started, nothing else.
 *
 *     node tools/peers/locks.ts [--json] [--rounds 5] [--millis 2000]
 */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { parseArgs, promisify } from "node:util"
import { parseReport } from "../src/bench.ts"
import { root } from "../src/Workspace.ts"
import * as Servers from "./Servers.ts"

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    millis: { type: "string", default: "2000" }
  }
})
const [rounds, millis] = [Number(values.rounds), Number(values.millis)]
const ours = ["token-ring", "suzuki-kasami", "lamport-queue", "agrawal-el-abbadi"]
const callers = [2, 2, 2, 1, 1]

interface Figures {
  /** Entries a second by one caller. */
  readonly alone: number
  /** Entries a second by eight. */
  readonly contended: number
  /** Of those eight, in milliseconds. */
  readonly wait: number
  /** How many times the median wait the 99th of a hundred is. */
  readonly unfairness: number
}

const quantile = (values: ReadonlyArray<number>, q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))]!
const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)

const output = async (program: string, args: ReadonlyArray<string>): Promise<string> =>
  (await promisify(execFile)(program, args, { cwd: root, maxBuffer: 2 ** 28, timeout: 120_000 })).stdout

const figuresOf = (alone: number, waits: ReadonlyArray<number>): Figures => {
  const wait = median(waits)
  return { alone, contended: (waits.length / millis) * 1000, wait, unfairness: quantile(waits, 0.99) / wait }
}

// --------------------------------------------------------------------------------------------------------- contenders

const troupe = async (): Promise<Readonly<Record<string, Figures>>> => {
  const bench = join("packages", "mutex", "bench", "tcp.bench.ts")
  const args = ["--conditions=@troupe/source", bench, "--json", "--rounds", "3", "--millis", `${millis}`]
  const report: any = parseReport(
    await output(process.execPath, [...args, ...ours.flatMap((lock) => ["--lock", lock])])
  )
  return Object.fromEntries(
    Object.entries<any>(report.locks).map(([name, lock]) => [
      name,
      {
        alone: 1e6 / lock["alone, µs"],
        contended: lock["contended, entries/s"],
        wait: lock["median wait, ms"],
        unfairness: lock["p99 to median"]
      }
    ])
  )
}

const etcd = async (endpoints: ReadonlyArray<string>): Promise<Figures> => {
  const enter = async (callers: number): Promise<ReadonlyArray<number>> => {
    const text = await output(Servers.goClient, [endpoints.join(","), `${callers}`, `${millis}`])
    return (JSON.parse(text) as { readonly waits: ReadonlyArray<ReadonlyArray<number>> }).waits.flat()
  }
  return figuresOf(((await enter(1)).length / millis) * 1000, await enter(8))
}

const redlock = async (ports: ReadonlyArray<number>): Promise<Figures> => {
  const enter = async (callers: ReadonlyArray<number>): Promise<ReadonlyArray<number>> => {
    // All have started by then.
    const start = Date.now() + 3000
    const outputs = await Promise.all(
      callers.map((count) =>
        output(process.execPath, [
          join("tools", "peers", "redlockCallers.ts"),
          ports.join(","),
          `${count}`,
          `${start}`,
          `${start + millis}`
        ])
      )
    )
    return outputs.flatMap((text) => (JSON.parse(text) as ReadonlyArray<ReadonlyArray<number>>).flat())
  }
  return figuresOf(((await enter([1])).length / millis) * 1000, await enter(callers))
}

// --------------------------------------------------------------------------------------------------------------- main

const compare = async (): Promise<Readonly<Record<string, Figures>>> => {
  const [three, one, ports] = [await Servers.etcd(3), await Servers.etcd(1), await Servers.redis(5)]
  const all: Record<string, Array<Figures>> = {}
  for (let round = 0; round < rounds; round++) {
    const found = {
      ...(await troupe()),
      "etcd, three members": await etcd(three),
      "etcd, one member": await etcd(one),
      redlock: await redlock(ports)
    }
    for (const [name, figures] of Object.entries(found)) (all[name] ??= []).push(figures)
  }
  const medianOf = (figures: ReadonlyArray<Figures>, key: keyof Figures): number =>
    Number(median(figures.map((each) => each[key])).toPrecision(3))
  return Object.fromEntries(
    Object.entries(all).map(([name, figures]) => [
      name,
      {
        alone: medianOf(figures, "alone"),
        contended: medianOf(figures, "contended"),
        wait: medianOf(figures, "wait"),
        unfairness: medianOf(figures, "unfairness")
      }
    ])
  )
}

const main = async (): Promise<number> => {
  const missing = Servers.missing()
  if (missing.length > 0) {
    console.error(`This compares with etcd and Redis, which are not here: apt-get install ${missing.join(" ")}`)
    return 2
  }
  const figures = await compare()
  if (values.json) {
    console.log(JSON.stringify({ unit: "entries/s, ms", rounds, contenders: figures }))
    return 0
  }
  console.table(
    Object.fromEntries(
      Object.entries(figures).map(([name, { alone, contended, unfairness, wait }]) => [
        name,
        {
          "alone, entries/s": alone,
          "eight callers, entries/s": contended,
          "median wait, ms": wait,
          "p99 to median": unfairness
        }
      ])
    )
  )
  return 0
}

try {
  process.exitCode = await main()
} finally {
  await Servers.stop()
}
