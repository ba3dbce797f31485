/**
 * What a heartbeat costs the detectors that take one message a heartbeat, on one core: the pure handler, no network.
 *
 * - φ: adding an arrival and reading φ, with a window of 1,000, beside a ring that is changed in place and summed the same
 *   way (the floor: what an actor's snapshots must not see). What the heap grows by in ten million heartbeats.
 * - a step: the handler of a heartbeat in a group of 100.
 *
 *     node --conditions=@troupe/source packages/failure-detection/bench/detectors.bench.ts [--json] [--rounds 7]
 */
import { Protocol } from "@troupe/actor"
import { Heartbeat, HeartbeatCounters, PhiAccrual, Ping } from "@troupe/failure-detection"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const {
  json,
  role,
  rounds: given
} = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    role: { type: "string", default: "main" },
    rounds: { type: "string", default: "7" }
  }
}).values
const rounds = Number(given)

const { Arrivals } = PhiAccrual
const window = 1_000
const beats = 1_000_000

/** Times of heartbeats about a second apart, drawn beforehand. */
const times = Float64Array.from({ length: beats }, (_, at) => at * 1_000 + 20 * Math.random())

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

/** What this process has had of the machine's cores, its collector's threads included: others take their share of real time. */
const coreNanos = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) * 1_000
}

/** Nanoseconds of a core that each of `count` takes: the median of some rounds after one that warms up. */
const nanos = (count: number, run: () => number): number => {
  const took: Array<number> = []
  let kept = 0
  for (let round = 0; round <= rounds; round++) {
    const start = coreNanos()
    kept += run()
    if (round > 0) took.push((coreNanos() - start) / count)
  }
  if (Number.isNaN(kept)) throw new Error("not a number")
  return Number(median(took).toPrecision(3))
}

const persistent = (): number => {
  let arrivals = Arrivals.add(Arrivals.make({ window }), 0)
  let sum = 0
  for (let at = 0; at < beats; at++) {
    arrivals = Arrivals.add(arrivals, times[at]!)
    sum += Arrivals.phi(arrivals, times[at]! + 500)
  }
  return sum
}

const inPlace = (): number => {
  const ring = new Float64Array(window)
  let [latest, filled, next, sum, squares, phis] = [0, 0, 0, 0, 0, 0]
  for (let at = 0; at < beats; at++) {
    const interval = times[at]! - latest - 1_000
    const gone = filled === window ? ring[next]! : 0
    latest = times[at]!
    ring[next] = interval
    next = next + 1 === window ? 0 : next + 1
    if (filled < window) filled++
    sum += interval - gone
    squares += interval * interval - gone * gone
    const mean = sum / filled
    phis += PhiAccrual.phi(500, 1_000 + mean, Math.max(100, Math.sqrt(Math.max(0, squares / filled - mean * mean))))
  }
  return phis
}

type Machine = Protocol.Protocol<any, any, any, any, any, any>

/** A heartbeat of each of 99 others in turn. */
const step = (given: unknown, options: unknown, message: unknown): number => {
  const protocol = given as Machine
  const nodes = Array.from({ length: 100 }, (_, at) => `n${at + 1}`)
  const self = Protocol.self("n1", nodes, options)
  let now = 0
  let sent = 0
  const act: Parameters<Machine["onCommand"]>[2] = {
    self,
    send: () => void sent++,
    sendAll: (to) => void (sent += to.length),
    setTimer: () => {},
    clearTimer: () => {},
    emit: () => void sent++,
    now: () => now,
    monotonic: () => now,
    random: () => 0.5
  }
  let state = protocol.onStart!(protocol.init(self), act)
  for (let at = 0; at < beats; at++) {
    if (at % 99 === 0) now += 1_000
    state = protocol.onMessage(state, nodes[1 + (at % 99)]!, message, act)
  }
  return sent
}

/** By how many bytes the heap grows in ten million heartbeats, once a window has been filled. */
const growth = (): number => {
  const heap = (): number => {
    globalThis.gc?.()
    return process.memoryUsage().heapUsed
  }
  let arrivals = Arrivals.add(Arrivals.make({ window }), 0)
  let before = 0
  for (let at = 0; at < 10_000_000; at++) {
    if (at === 2 * beats) before = heap()
    arrivals = Arrivals.add(arrivals, at * 1_000)
  }
  const grown = heap() - before
  return arrivals.filled === window ? grown : NaN
}

const main = () => {
  const { stdout } = spawnSync(
    process.execPath,
    ["--expose-gc", "--conditions=@troupe/source", fileURLToPath(import.meta.url), "--role", "growth"],
    { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }
  )
  const report = {
    "φ with a window of 1,000, a heartbeat and a reading: ns": nanos(beats, persistent),
    "floor, a ring changed in place: ns": nanos(beats, inPlace),
    "the heap grows in 8 million heartbeats by: bytes": Number(stdout),
    "a heartbeat's whole step in a group of 100: ns": {
      "φ-accrual": nanos(beats, () => step(PhiAccrual.protocol, PhiAccrual.defaults, "Heartbeat")),
      "heartbeat counters": nanos(beats, () =>
        step(HeartbeatCounters.protocol, HeartbeatCounters.defaults, "Heartbeat")
      ),
      "heartbeat with deadline": nanos(beats, () => step(Heartbeat.protocol, Heartbeat.defaults, "Alive")),
      "ping, answering one": nanos(beats, () => step(Ping.protocol, Ping.defaults, { _tag: "Ping", round: 1 }))
    }
  }
  console.log(json ? JSON.stringify(report) : JSON.stringify(report, undefined, 2))
}

if (role === "main") main()
else console.log(growth())
