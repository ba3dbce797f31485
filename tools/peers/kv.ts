/**
 * Troupe's store beside etcd's (three members, through its Go client) and Redis (`appendfsync always`, a replica, and `WAIT 1`
 * after each SET), in turns on this machine: what each has on how many disks before it answers, and how fast.
 *
 * Ours are three processes, replicated by a primary and by quorums, each on a disk of its own: a majority has a SET on disk
 * before the answer, as with etcd. Redis waits for its own disk and for one replica, which may lose it. All are asked by one
 * process with a connection for each that asks: Redis' protocol by one in Node, etcd by one in Go, which takes less of the
 * processors that all share.
 *
 * Needs Debian's etcd-server, redis-server, redis-tools, golang-go and golang-etcd-server-dev. Stops what it started.
 *
 *     node tools/peers/kv.ts [--json] [--rounds 5] [--millis 3000]
 */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { parseArgs, promisify } from "node:util"
import { root } from "../src/Workspace.ts"
import * as Servers from "./Servers.ts"

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    millis: { type: "string", default: "3000" }
  }
})
const [rounds, millis] = [Number(values.rounds), Number(values.millis)]

interface Figures {
  readonly perSecond: number
  /** In milliseconds. */
  readonly median: number
  readonly p99: number
}

type Ask = (kind: "SET" | "GET", callers: number) => Promise<Figures>

const quantile = (values: ReadonlyArray<number>, q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))]!

const output = async (program: string, args: ReadonlyArray<string>): Promise<Figures> => {
  const { stdout } = await promisify(execFile)(program, args, { cwd: root, maxBuffer: 2 ** 28, timeout: 120_000 })
  const { seconds, times } = JSON.parse(stdout) as { readonly seconds: number; readonly times: ReadonlyArray<number> }
  return { perSecond: times.length / seconds, median: quantile(times, 0.5), p99: quantile(times, 0.99) }
}

const redisProtocol =
  (port: number, set: "SET" | "SET+WAIT"): Ask =>
  (kind, callers) => {
    const args = [`${port}`, kind === "SET" ? set : kind, `${callers}`, `${millis}`]
    return output(process.execPath, [join("tools", "peers", "kvLoad.ts"), ...args])
  }

const etcd =
  (endpoints: ReadonlyArray<string>): Ask =>
  (kind, callers) =>
    output(Servers.goKvClient, [endpoints.join(","), kind === "SET" ? "put" : "get", `${callers}`, `${millis}`])

const cases = [
  ["SET", 64],
  ["SET", 1],
  ["GET", 64]
] as const

const compare = async (): Promise<Readonly<Record<string, Readonly<Record<string, Figures>>>>> => {
  const contenders: Readonly<Record<string, Ask>> = {
    "Troupe, passive": redisProtocol(await Servers.store("passive"), "SET"),
    "Troupe, quorum": redisProtocol(await Servers.store("quorum"), "SET"),
    "etcd, Go client": etcd(await Servers.etcd(3)),
    "Redis, WAIT 1": redisProtocol(await Servers.durableRedis(), "SET+WAIT")
  }
  const all: Record<string, Record<string, Array<Figures>>> = {}
  // The first round is for warming up.
  for (let round = 0; round <= rounds; round++) {
    for (const [kind, callers] of cases) {
      for (const [name, ask] of Object.entries(contenders)) {
        const figures = await ask(kind, callers)
        const of = (all[`${kind}, ${callers} open`] ??= {})
        if (round > 0) (of[name] ??= []).push(figures)
      }
    }
  }
  const medianOf = (figures: ReadonlyArray<Figures>, key: keyof Figures): number =>
    Number(
      quantile(
        figures.map((each) => each[key]),
        0.5
      ).toPrecision(3)
    )
  return Object.fromEntries(
    Object.entries(all).map(([what, names]) => [
      what,
      Object.fromEntries(
        Object.entries(names).map(([name, figures]) => [
          name,
          {
            perSecond: medianOf(figures, "perSecond"),
            median: medianOf(figures, "median"),
            p99: medianOf(figures, "p99")
          }
        ])
      )
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
  if (values.json) console.log(JSON.stringify({ unit: "1/s, ms", rounds, figures }))
  else {
    for (const [what, names] of Object.entries(figures)) {
      console.log(what)
      console.table(names)
    }
  }
  return 0
}

try {
  process.exitCode = await main()
} finally {
  await Servers.stop()
}
