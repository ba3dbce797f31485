/**
 * A leader that is killed with -9 among five nodes, each a process, over TCP on loopback: how long until all others follow
 * the next one. Most of that is the silence that is borne before a node is taken for dead, and the round trip that is
 * assumed at the most: `timing` tells them.
 *
 *     node --conditions=@troupe/source packages/election/bench/failover.bench.ts [--json] [--rounds 3]
 */
import { Bully, CandidateOrdinary, ChangRoberts, Election, NextInLine, Ring } from "@troupe/election"
import { Heartbeat } from "@troupe/failure-detection"
import { Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { Effect, Layer, Option, Stream } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const args = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    node: { type: "string" },
    election: { type: "string", default: "" }
  }
}).values

const nodes = ["n1", "n2", "n3", "n4", "n5"]

/** Elections by timeouts hear the leader every `heartbeat`; those by a failure detector, everybody. */
const timing = { heartbeat: "20 millis", roundTrip: "40 millis", deadline: "100 millis" } as const
const { heartbeat: heartbeatEvery, roundTrip } = timing
const detector = Heartbeat.layer({ interval: timing.heartbeat, deadline: timing.deadline })

const elections: Readonly<Record<string, Layer.Layer<Election, unknown, Transport>>> = {
  bully: Bully.layer({ heartbeatEvery, roundTrip }),
  "next-in-line": NextInLine.layer({ heartbeatEvery, roundTrip }),
  "candidate-ordinary": CandidateOrdinary.layer({ heartbeatEvery, roundTrip }),
  ring: Layer.provide(Ring.layer(), detector),
  "chang-roberts": Layer.provide(ChangRoberts.layer(), detector)
}

// ----------------------------------------------------------------------------------------------------------- one node

/** Says its port, is told all ports, and says whom it follows. */
const node = (self: string) =>
  Effect.gen(function* () {
    const peers = Object.fromEntries(nodes.filter((other) => other !== self).map((other) => [other, null]))
    const tcp = yield* Tcp.make({ self, listen: "127.0.0.1:0", peers })
    process.send!({ port: tcp.address.port })
    const ports = yield* Effect.promise(
      () => new Promise<Readonly<Record<string, number>>>((resolve) => process.once("message", resolve))
    )
    for (const peer of nodes) if (peer < self) yield* tcp.setAddress(peer, `127.0.0.1:${ports[peer]}`)
    for (const peer of nodes) if (peer !== self) yield* tcp.awaitUp(peer)
    yield* Effect.gen(function* () {
      const { changes } = yield* Election
      yield* Stream.runForEach(changes, (leader) =>
        Effect.sync(() => void process.send!({ leader: Option.getOrUndefined(leader)?.id }))
      )
    }).pipe(Effect.provide(elections[args.election]!), Effect.provideService(Transport, tcp))
  })

// ------------------------------------------------------------------------------------------------------------ all five

interface Said {
  readonly port?: number
  readonly leader?: string
}

const until = async (what: string, holds: () => boolean): Promise<void> => {
  for (const end = performance.now() + 30_000; !holds(); await new Promise((resolve) => setTimeout(resolve, 1))) {
    if (performance.now() > end) throw new Error(`${what}: not within 30 seconds`)
  }
}

/** Milliseconds from the leader's death to the next one, whom all follow. */
const failover = async (election: string): Promise<number> => {
  const ports: Record<string, number> = {}
  const leaders = new Map<string, string | undefined>()
  const children = new Map<string, ChildProcess>()
  for (const name of nodes) {
    const child = fork(fileURLToPath(import.meta.url), ["--node", name, "--election", election], {
      execArgv: process.execArgv
    })
    child.on("message", (said: Said) => {
      if (said.port === undefined) leaders.set(name, said.leader)
      else ports[name] = said.port
    })
    children.set(name, child)
  }
  try {
    await until("the start", () => Object.keys(ports).length === nodes.length)
    for (const child of children.values()) child.send(ports)
    const followed = (names: ReadonlyArray<string>): string | undefined => {
      const [first, ...others] = new Set(names.map((name) => leaders.get(name)))
      return others.length === 0 ? first : undefined
    }
    await until("a leader", () => followed(nodes) !== undefined)
    // All have heard of all others by then.
    await new Promise((resolve) => setTimeout(resolve, 500))
    await until("a leader", () => followed(nodes) !== undefined)
    const dead = followed(nodes)!
    const others = nodes.filter((name) => name !== dead)
    const start = performance.now()
    children.get(dead)!.kill("SIGKILL")
    await until("the next leader", () => ![undefined, dead].includes(followed(others)))
    return performance.now() - start
  } finally {
    for (const child of children.values()) child.kill("SIGKILL")
  }
}

const measure = async () => {
  const found: Record<string, Array<number>> = {}
  for (let round = 0; round < Number(args.rounds); round++) {
    for (const election of Object.keys(elections)) (found[election] ??= []).push(await failover(election))
  }
  const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
  return {
    benchmark: "a leader killed with -9, five nodes, five processes, TCP on loopback",
    unit: "milliseconds until all others follow the next; medians",
    rounds: Number(args.rounds),
    timing,
    elections: Object.fromEntries(Object.entries(found).map(([name, millis]) => [name, Math.round(median(millis))]))
  }
}

if (args.node !== undefined) {
  process.on("disconnect", () => process.exit())
  await Effect.runPromise(Effect.scoped(node(args.node)))
} else {
  const report = await measure()
  console.log(args.json ? JSON.stringify(report) : report)
}
