/**
 * SWIM with Lifeguard in simulation, in virtual time but for what is said to be of a core.
 *
 * - groups: of 10, 100 and 1,000 nodes one crashes in each of several seeds. When each of the others suspected it and took
 *   it for dead, beside the bound of the paper; what a node sends while nothing happens; how fast virtual time passes,
 *   beside the same handlers over a bare queue of messages and timers.
 * - memory: of a node at rest, of a member that differs from the roster, and the peak of a process.
 * - false positives: under loss, and with 5 % of 100 nodes slow, without and with Lifeguard.
 *
 *     node --conditions=@troupe/source packages/failure-detection/bench/swim.bench.ts [--json] [--seeds 20] [--full]
 *
 * `--full` adds 10,000 nodes for 60 seconds, and needs some 3 GB and minutes.
 */
import { Protocol } from "@troupe/actor"
import { Swim } from "@troupe/failure-detection"
import { Simulation } from "@troupe/simulation"
import { Effect, Layer } from "effect"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { nodesOf } from "../test/swimSupport.ts"
import { detection, falsePositives, type Measured, measure, plain, quantile } from "../test/swimWorlds.ts"

const {
  full,
  json,
  nodes: givenNodes,
  role,
  seeds: givenSeeds
} = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    seeds: { type: "string", default: "20" },
    role: { type: "string", default: "main" },
    nodes: { type: "string", default: "0" }
  }
}).values
const seeds = Number(givenSeeds)

const { protocol } = Swim

const digits = (value: number): number => Number(value.toPrecision(3))
const seconds = (millis: number): number => digits(millis / 1_000)
/** What this process has had of the machine's cores: other processes take their share of real time. */
const coreMillis = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1_000
}

const run = (given: Measured) => Effect.runPromise(measure(given))

// ------------------------------------------------------------------------------------------------------------- groups

const crashes = async (nodes: number, options: Partial<Swim.Options>) => {
  const suspectedFirst: Array<number> = []
  const spread: Array<number> = []
  const down: Array<number> = []
  for (let seed = 1; seed <= (nodes > 100 ? Math.ceil(seeds / 4) : seeds); seed++) {
    const atMillis = 5_000 + seed * 137
    const { said } = await run({ nodes, seconds: 40, seed, options, crash: { nodes: ["n2"], atMillis } })
    const found = detection(said, "n2", atMillis)
    if (found.downBy !== nodes - 1) throw new Error(`${found.downBy} of ${nodes - 1} took it for dead`)
    suspectedFirst.push(found.suspectedFirst)
    spread.push(found.suspectedLast - found.suspectedFirst)
    for (const each of said) {
      if (each.node === "n2" && each.status === "down") down.push(each.atMillis - atMillis)
    }
  }
  return {
    "first suspicion, s": { p50: seconds(quantile(suspectedFirst, 0.5)), p99: seconds(quantile(suspectedFirst, 0.99)) },
    "from the first suspicion to all: s": seconds(quantile(spread, 0.5)),
    "down, at each member, s": { p50: seconds(quantile(down, 0.5)), p99: seconds(quantile(down, 0.99)) }
  }
}

interface Due {
  readonly atMillis: number
  readonly to: number
  readonly from: string
  readonly message: Swim.Message | undefined
  readonly timer: Swim.Timer | undefined
}

/** The handlers over a bare heap of messages of 1 to 10 ms and timers, for so many seconds; how many inputs it took. */
const floor = (count: number, length: number): number => {
  const nodes = nodesOf(count)
  const heap: Array<Due> = []
  const rank = new Map(nodes.map((node, at) => [node, at]))
  const latest = nodes.map(() => new Map<string, Due>())
  let now = 0
  const acts = nodes.map((id, at): Parameters<typeof protocol.onCommand>[2] => {
    const send = (to: string, message: Swim.Message): void =>
      push(heap, { atMillis: now + 1 + 9 * Math.random(), to: rank.get(to)!, from: id, message, timer: undefined })
    return {
      self: Protocol.self(id, nodes, Swim.defaults),
      send,
      sendAll: (all, message) => all.forEach((to) => send(to, message)),
      setTimer: (timer, delayMillis) => {
        const due = { atMillis: now + delayMillis, to: at, from: id, message: undefined, timer }
        latest[at]!.set(timer, due)
        push(heap, due)
      },
      clearTimer: (timer) => void latest[at]!.delete(timer),
      emit: () => {},
      now: () => now,
      monotonic: () => now,
      random: Math.random
    }
  })
  const states = acts.map((act) => protocol.onStart!(protocol.init(act.self), act))
  let inputs = 0
  for (let due = pop(heap); due !== undefined && due.atMillis < length * 1_000; due = pop(heap)) {
    const { from, message, timer, to } = due
    now = due.atMillis
    if (message !== undefined) states[to] = protocol.onMessage(states[to]!, from, message, acts[to]!)
    else if (latest[to]!.get(timer!) === due) states[to] = protocol.onTimeout!(states[to]!, timer!, acts[to]!)
    inputs++
  }
  return inputs
}

const push = (heap: Array<Due>, item: Due): void => {
  let at = heap.push(item) - 1
  for (; at > 0 && heap[(at - 1) >> 1]!.atMillis > item.atMillis; at = (at - 1) >> 1) heap[at] = heap[(at - 1) >> 1]!
  heap[at] = item
}

const pop = (heap: Array<Due>): Due | undefined => {
  const first = heap[0]
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return first
  let at = 0
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && heap[child + 1]!.atMillis < heap[child]!.atMillis) child++
    if (heap[child]!.atMillis >= last.atMillis) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return first
}

/** Virtual seconds that pass in one of a core, the start of all nodes included, while nothing fails. */
const speeds = async (nodes: number) => {
  const length = Math.max(20, 20_000 / nodes)
  const layer = Swim.layer()
  const started = coreMillis()
  await Effect.runPromise(
    Simulation.run({ seed: 1, nodes: nodesOf(nodes), duration: `${length} seconds`, program: () => Layer.build(layer) })
  )
  const between = coreMillis()
  floor(nodes, length)
  const ended = coreMillis()
  return {
    "virtual s in one of a core": digits((1_000 * length) / (between - started)),
    "floor: virtual s in one of a core": digits((1_000 * length) / (ended - between))
  }
}

const load = async (nodes: number) => {
  const length = 30
  const { sent } = await run({ nodes, seconds: 5 + length, countFromMillis: 5_000, countBytes: true })
  return {
    "messages a node and s": digits(sent.messages / nodes / length),
    "bytes of messages a node and s": digits(sent.bytes / nodes / length)
  }
}

// ------------------------------------------------------------------------------------------------------------- memory

const heapBytes = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

/** Of what `make` makes, `count` times. */
const bytesOf = (count: number, make: (at: number) => unknown): number => {
  const kept: Array<unknown> = new Array<unknown>(count).fill(undefined)
  const before = heapBytes()
  for (let at = 0; at < count; at++) kept[at] = make(at)
  const bytes = heapBytes() - before
  return kept.length === 0 ? 0 : bytes / count
}

const memory = () => {
  const nodes = nodesOf(1_000)
  const selves = nodes.map((id) => Protocol.self(id, nodes, Swim.defaults))
  const newcomers = Array.from({ length: 100 }, (_, at) => `new-${at}`)
  const rumours = newcomers.map((node): Swim.Rumour => ({ _tag: "Alive", node, incarnation: 0 }))
  const message: Swim.Message = { _tag: "Sync", part: "More", roster: 0, rumours }
  const first = bytesOf(1_000, (at) => protocol.init(selves[at]!))
  const joined = bytesOf(1_000, (at) => {
    const state = protocol.init(selves[at]!)
    return Protocol.step(protocol, selves[at]!, state, { _tag: "Message", from: "n1", message }).state
  })
  return {
    "state of a node at rest, any N: bytes": Math.round(first),
    "each member that differs from the roster, and node: bytes": Math.round((joined - first) / newcomers.length)
  }
}

const wholeGroup = async (nodes: number) => {
  const layer = Swim.layer()
  const crash = { _tag: "Crash" as const, node: "n2", atMillis: 20_000, forMillis: 1e9 }
  const started = coreMillis()
  const { counts } = await Effect.runPromise(
    Simulation.run({
      ...{ seed: 1, nodes: nodesOf(nodes), duration: "60 seconds", scheduled: [crash] },
      program: () => Layer.build(layer)
    })
  )
  return {
    "60 virtual s with a crash: s of a core": seconds(coreMillis() - started),
    messages: counts.sent,
    "peak resident set, MB": Math.round(process.resourceUsage().maxRSS / 1_024)
  }
}

const child = (what: "memory" | "group", nodes = 0): unknown => {
  const file = fileURLToPath(import.meta.url)
  const options = ["--expose-gc", "--max-old-space-size=8000", "--conditions=@troupe/source", file]
  const handed = ["--role", what, "--nodes", String(nodes)]
  const { stdout } = spawnSync(process.execPath, [...options, ...handed], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"]
  })
  return JSON.parse(stdout)
}

// ---------------------------------------------------------------------------------------------------- false positives

const loss = async (probability: number, options: Partial<Swim.Options>) => {
  const crash = { nodes: ["n50"], atMillis: 60_000 }
  const { said } = await run({ nodes: 50, seconds: 300, options, faults: { lossProbability: probability }, crash })
  return {
    "false positives": falsePositives(said, crash.nodes).all,
    "down at all, s": seconds(detection(said, "n50", crash.atMillis).downLast)
  }
}

const pauses = async (options: Partial<Swim.Options>) => {
  const scheduled = [10, 40, 70, 100, 130].map((second, at) => ({
    ...{ _tag: "Pause" as const, node: `n${7 * at + 1}`, atMillis: second * 1_000, forMillis: 30_000 }
  }))
  const { said } = await run({ nodes: 50, seconds: 200, options, scheduled })
  return {
    "false positives": falsePositives(
      said,
      scheduled.map(({ node }) => node)
    ).all
  }
}

const slowNodes = async (options: Partial<Swim.Options>) => {
  const ill = nodesOf(100).filter((_, at) => at % 20 === 7)
  const sum = { all: 0, atHealthy: 0 }
  for (const blockedMillis of [4_000, 8_000, 16_000, 30_000]) {
    for (const freeMillis of [500, 5_000]) {
      const slow = { nodes: ill, blockedMillis, freeMillis }
      const found = falsePositives((await run({ nodes: 100, seconds: 180, options, slow })).said, ill)
      sum.all += found.all
      sum.atHealthy += found.atHealthy
    }
  }
  return { "at any node": sum.all, "at healthy nodes": sum.atHealthy }
}

const main = async () => {
  const groups: Record<string, unknown> = {}
  for (const nodes of [10, 100, 1_000]) {
    groups[`${nodes} nodes`] = {
      ...(await crashes(nodes, {})),
      "without gossip between probes": await crashes(nodes, { gossipNodes: 0 }),
      "without Lifeguard": await crashes(nodes, plain),
      ...(await load(nodes)),
      ...(await speeds(nodes))
    }
  }
  const both = async <A>(of: (options: Partial<Swim.Options>) => Promise<A>) => ({
    plain: await of(plain),
    lifeguard: await of({})
  })
  const report = {
    "bound of the first probe, T′/(1−e^−1): s": digits(1 / (1 - Math.exp(-1))),
    groups,
    memory: {
      ...(child("memory") as object),
      "1,000 nodes": child("group", 1_000),
      ...(full ? { "10,000 nodes": child("group", 10_000) } : {})
    },
    "lost messages, 50 nodes, 5 minutes": {
      "1 %": await both((options) => loss(0.01, options)),
      "5 %": await both((options) => loss(0.05, options)),
      "20 %": await both((options) => loss(0.2, options))
    },
    "five pauses of 30 s, 50 nodes: at others": await both(pauses),
    "5 of 100 nodes slow, eight runs of 3 minutes: false positives about healthy nodes": await both(slowNodes)
  }
  console.log(json ? JSON.stringify(report) : JSON.stringify(report, undefined, 2))
}

if (role === "main") await main()
else if (role === "memory") console.log(JSON.stringify(memory()))
else console.log(JSON.stringify(await wholeGroup(Number(givenNodes))))
