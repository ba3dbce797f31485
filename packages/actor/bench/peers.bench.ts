/**
 * Actors here beside those of others: nact, XState and comedy, and Erlang/OTP where `escript` is found. Each has a process of
 * its own, so that none is slowed down by what another one taught the compiler.
 *
 *     node --expose-gc --conditions=@troupe/source packages/actor/bench/peers.bench.ts [--json] [--rounds 5] [--only TEXT]
 *
 * Rates are of work that was done: where it is not what was intended, there is none. All take turns; medians of the rounds.
 * What is cheaper in a peer because it does less is said beside its figures.
 */
import { fork, spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { comedy } from "./peers/comedy.ts"
import { nact } from "./peers/nact.ts"
import type { Peer, Work } from "./peers/Peer.ts"
import { troupe } from "./peers/troupe.ts"
import { xstate } from "./peers/xstate.ts"

const {
  json,
  only,
  peer: own,
  ...given
} = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    only: { type: "string", default: "" },
    /** Of a process: its peer. */
    peer: { type: "string" }
  }
}).values
const rounds = Number(given.rounds)

/** Thousands a second; bytes for an idle one. */
interface Figures {
  readonly tell: number
  readonly pingPong: number
  readonly ask: number | undefined
  readonly spawn: number
  readonly bytes: number
}

const rate = async ({ count, run }: Work): Promise<number> => {
  globalThis.gc?.()
  const start = performance.now()
  const done = await run()
  const millis = performance.now() - start
  if (done !== count) throw new Error(`${done} were done of ${count}: that is no rate`)
  return count / millis
}

const figures = async ({ ask, pingPong, release, spawn, tell }: Peer): Promise<Figures> => {
  // While others had their turn, this process has grown cold.
  for (const work of [tell, pingPong, ask]) await work?.run()
  const rates = { tell: await rate(tell), pingPong: await rate(pingPong), ask: ask && (await rate(ask)) }
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  const spawned = await rate(spawn)
  globalThis.gc?.()
  const bytes = (process.memoryUsage().heapUsed - before) / spawn.count
  release()
  return { ...rates, spawn: spawned, bytes }
}

const erlang = (): (Figures & { readonly release: string }) | undefined => {
  const file = fileURLToPath(new URL("./peers/otp.escript", import.meta.url))
  const { error, status, stdout } = spawnSync("escript", [file], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"]
  })
  if (error !== undefined) return undefined
  if (status !== 0) throw new Error(`Erlang failed:\n${stdout}`)
  const { ask, bytes, pingPong, release, spawn, tell } = JSON.parse(stdout)
  return { release, tell: tell / 1000, pingPong: pingPong / 1000, ask: ask / 1000, spawn: spawn / 1000, bytes }
}

const median = (values: ReadonlyArray<number>): number => {
  const middle = values.toSorted((a, b) => a - b)[values.length >> 1]!
  return middle < 1000 ? Number(middle.toPrecision(3)) : Math.round(middle)
}

const known: Readonly<Record<string, () => Peer | Promise<Peer>>> = {
  "Troupe, plain handlers": () => troupe("plain"),
  "Troupe, Effect handlers": () => troupe("Effect"),
  nact,
  XState: xstate,
  comedy
}

/** Takes a round, in its process. */
const start = async (name: string): Promise<{ readonly note: string; readonly round: () => Promise<Figures> }> => {
  const child = fork(fileURLToPath(import.meta.url), ["--peer", name], { execArgv: process.execArgv })
  const heard = <A>(): Promise<A> =>
    new Promise((resolve, reject) => {
      child.once("message", (message) => resolve(message as A))
      child.once("exit", (code) => reject(new Error(`"${name}" has ended with ${code}`)))
    })
  const note = await heard<string>()
  return {
    note,
    round: () => {
      child.send("round")
      return heard<Figures>()
    }
  }
}

if (own !== undefined) {
  const peer = await known[own]!()
  process.on("message", () => void figures(peer).then((found) => process.send!(found)))
  process.send!(peer.note)
  await new Promise((resolve) => process.once("disconnect", resolve))
  process.exit()
}

const names = Object.keys(known).filter((name) => name.toLowerCase().includes(only.toLowerCase()))
const peers = await Promise.all(names.map(async (name) => ({ name, ...(await start(name)) })))
const found = new Map<string, Array<Figures>>()
const note = (name: string, round: number, each: Figures): void => {
  if (round >= 0) found.set(name, [...(found.get(name) ?? []), each])
}
let otp = only === "" ? "not installed" : "left out"
// Interleaved, so that what else the machine does befalls all of them.
for (let round = -1; round < rounds; round++) {
  for (const peer of peers) note(peer.name, round, await peer.round())
  if (!"erlang/otp".includes(only.toLowerCase())) continue
  const beside = erlang()
  if (beside === undefined) continue
  otp = `Erlang/OTP ${beside.release}`
  note(otp, round, beside)
}

const row = (name: string, remark: string) => {
  const all = found.get(name)!
  const of = (what: keyof Figures): number | "none" =>
    all[0]![what] === undefined ? "none" : median(all.map((each) => each[what]!))
  return {
    "tell, k/s": of("tell"),
    "ping-pong, k/s": of("pingPong"),
    "ask, k/s": of("ask"),
    "spawn, k/s": of("spawn"),
    "bytes of an idle one": of("bytes"),
    note: remark
  }
}

const rows = Object.fromEntries(peers.map(({ name, note: remark }) => [name, row(name, remark)]))
const last = found.has(otp)
  ? {
      [otp]: row(otp, "No bound; processes run in parallel, and are preempted. An ask is what `gen_server:call` does.")
    }
  : { "Erlang/OTP": otp }
const report = { benchmark: "actors beside their peers, medians", rounds, ...rows, ...last }
console.log(json ? JSON.stringify(report) : report)
process.exit()
