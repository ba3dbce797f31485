/**
 * SWIM beside Serf, in turns on this machine: processes that probe each other over loopback, one of which is killed with
 * -9. Tells how long until all others take it for dead, and what a node sends meanwhile (headers of IP included).
 *
 * Needs the `serf` of Debian (`apt-get install serf`) and the ports 7001 to 7300, so it is no part of `npm run bench`.
 * Traffic is read from the loopback interface: run it where nothing else uses that, in a network namespace, say.
 *
 *     node --conditions=@troupe/source packages/failure-detection/bench/serf.ts [--nodes 5] [--rounds 5] [--idle 60]
 */
import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "5" },
    rounds: { type: "string", default: "5" },
    idle: { type: "string", default: "60" }
  }
})
const [nodes, rounds, idleSeconds] = [Number(values.nodes), Number(values.rounds), Number(values.idle)]
const names = Array.from({ length: nodes }, (_, i) => `n${i + 1}`)
const victim = 2
const limitMillis = 60_000

/** Processes of one round, and what they have said. */
interface Cluster {
  readonly processes: ReadonlyArray<ChildProcess>
  /** Who has taken the victim for dead. */
  readonly told: Set<string>
}

const until = async (what: string, holds: () => boolean): Promise<void> => {
  for (const end = Date.now() + limitMillis; !holds(); await sleep(20)) {
    if (Date.now() > end) throw new Error(`${what}: not within ${limitMillis / 1000} s`)
  }
}

const swim = async (): Promise<Cluster> => {
  const told = new Set<string>()
  const ports: Record<string, number> = {}
  const up = new Set<string>()
  const node = fileURLToPath(new URL("../test/swimNode.ts", import.meta.url))
  const processes = names.map((name) => {
    const child = fork(node, [name, ...names.filter((other) => other !== name)], {
      execArgv: ["--conditions=@troupe/source"]
    })
    child.on("message", (said: { _tag?: string; port?: number; node?: string; status?: string }) => {
      if (said.port !== undefined) ports[name] = said.port
      if (said._tag === "Up") up.add(name)
      if (said._tag === "Change" && said.node === names[victim] && said.status === "down") told.add(name)
    })
    return child
  })
  await until("SWIM's ports", () => Object.keys(ports).length === nodes)
  for (const child of processes) child.send({ ports, options: {} })
  await until("SWIM's start", () => up.size === nodes)
  return { processes, told }
}

const serf = async (): Promise<Cluster> => {
  const told = new Set<string>()
  const joined = new Map(names.map((name) => [name, new Set<string>()]))
  const processes = names.map((name, i) => {
    const others = i === 0 ? [] : ["-retry-join=127.0.0.1:7001"]
    const addresses = [`-bind=127.0.0.1:${7001 + i}`, `-rpc-addr=127.0.0.1:${7201 + i}`]
    const child = spawn("serf", ["agent", `-node=${name}`, ...addresses, "-profile=lan", "-log-level=info", ...others])
    const listen = (chunk: Buffer): void => {
      for (const [, member] of String(chunk).matchAll(/EventMemberJoin: (\S+)/g)) joined.get(name)!.add(member!)
      if (String(chunk).includes(`EventMemberFailed: ${names[victim]}`)) told.add(name)
    }
    child.stdout.on("data", listen)
    child.stderr.on("data", listen)
    return child
  })
  await until("Serf's joining", () => [...joined.values()].every(({ size }) => size === nodes))
  return { processes, told }
}

/** Bytes and packets that the loopback interface has sent. */
const sent = () => {
  const line = readFileSync("/proc/net/dev", "utf8")
    .split("\n")
    .find((text) => text.includes("lo:"))!
  const fields = line.split(":")[1]!.trim().split(/\s+/).map(Number)
  return { bytes: fields[8]!, packets: fields[9]! }
}

/** A node and second; an Ethernet header of 14 bytes a packet is left out. */
const traffic = async () => {
  const before = sent()
  await sleep(idleSeconds * 1000)
  const after = sent()
  const packets = after.packets - before.packets
  const per = nodes * idleSeconds
  return { packets: packets / per, bytes: (after.bytes - before.bytes - 14 * packets) / per }
}

const round = async (make: () => Promise<Cluster>, isFirst: boolean) => {
  const { processes, told } = await make()
  try {
    await sleep(5_000 + Math.random() * 1000)
    const idle = isFirst ? await traffic() : undefined
    const start = Date.now()
    processes[victim]!.kill("SIGKILL")
    await until("the death noticed by all", () => told.size === nodes - 1)
    return { millis: Date.now() - start, idle }
  } finally {
    for (const child of processes) child.kill("SIGKILL")
    await until("the end", () =>
      processes.every(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null)
    )
  }
}

if (nodes < 3 || spawnSync("serf", ["version"]).status !== 0) {
  console.error("It takes 3 nodes or more, and Debian's serf: apt-get install serf")
  process.exit(2)
}
const contenders = { swim, serf }
const found = { swim: [] as Array<number>, serf: [] as Array<number> }
for (let i = 0; i < rounds; i++) {
  for (const name of ["swim", "serf"] as const) {
    const { idle, millis } = await round(contenders[name], i === 0)
    found[name].push(millis)
    console.log(JSON.stringify({ contender: name, round: i + 1, deadToAllMillis: millis, idle }))
  }
}
for (const [contender, all] of Object.entries(found)) {
  console.log(JSON.stringify({ contender, medianMillis: all.toSorted((a, b) => a - b)[all.length >> 1] }))
}
