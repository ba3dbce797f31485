/** The store over quorums: over TCP and on disk, with a node that is stopped and started; and what quorums there may be. */
import { History, Linearizable, type Specification, Specifications } from "@troupe/consistency"
import { Effect, Exit, Scope } from "effect"
import { Redis } from "ioredis"
import { mkdtempSync } from "node:fs"
import { rm } from "node:fs/promises"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import * as Cluster from "../src/Cluster.ts"
import * as ClusterConfig from "../src/Config.ts"
import { quiet, startCluster } from "./harness.ts"

const freePorts = (count: number): Promise<ReadonlyArray<number>> =>
  Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      const { port } = server.address() as AddressInfo
      await new Promise<void>((resolve) => void setImmediate(() => server.close(() => resolve())))
      return port
    })
  )

/** Nodes that are stopped and started each for itself, over TCP and on disk. */
class Nodes {
  private readonly config: ClusterConfig.ClusterConfig
  private readonly scopes: Array<Scope.Closeable | undefined> = []

  private constructor(config: ClusterConfig.ClusterConfig) {
    this.config = config
  }

  static async make(count: number): Promise<Nodes> {
    const ports = await freePorts(2 * count)
    const directory = mkdtempSync(join(tmpdir(), "kv-"))
    const nodes = Array.from({ length: count }, (_, index) => ({
      id: `n${index + 1}`,
      peer: `127.0.0.1:${ports[2 * index]!}`,
      port: ports[2 * index + 1]!,
      data: join(directory, `n${index + 1}`)
    }))
    return new Nodes({ cluster: "test", replication: "quorum", nodes })
  }

  port(node: number): number {
    return this.config.nodes[node]!.port
  }

  async start(node: number): Promise<void> {
    const scope = Scope.makeUnsafe()
    this.scopes[node] = scope
    const starting = Cluster.startOne(this.config, this.config.nodes[node]!)
    await Effect.runPromise(starting.pipe(Scope.provide(scope), Effect.provide(quiet)))
  }

  startAll(): Promise<unknown> {
    return Promise.all(this.config.nodes.map((_, node) => this.start(node)))
  }

  async stop(node: number): Promise<void> {
    const scope = this.scopes[node]
    this.scopes[node] = undefined
    if (scope !== undefined) await Effect.runPromise(Scope.close(scope, Exit.void))
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.config.nodes.map((_, node) => this.stop(node)))
  }

  remove(): Promise<void> {
    return rm(join(this.config.nodes[0]!.data!, ".."), { recursive: true })
  }
}

const client = (port: number): Redis => {
  const redis = new Redis(port, { retryStrategy: () => null, maxRetriesPerRequest: 0 })
  redis.on("error", () => {})
  return redis
}

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** Clients that read and write a few keys, each at a node of its own, and what they saw. */
class Workload {
  private readonly nodes: Nodes
  private readonly events = { register: [] as Array<History.Event>, counter: [] as Array<History.Event> }
  private written = 0
  private isOver = false
  /** Answered, since the last time. */
  answered = 0

  constructor(nodes: Nodes) {
    this.nodes = nodes
  }

  stop(): void {
    this.isOver = true
  }

  async run(name: string, node: number): Promise<void> {
    let redis = client(this.nodes.port(node))
    for (let turn = 0; !this.isOver; turn++) {
      // Keys are gone on from, so that the search for an order stays small.
      const key = `${Math.floor(this.written / 60)}:${turn % 2}`
      if (!(await this.operate(redis, `${name}`, key, turn % 5))) {
        redis.disconnect()
        await pause(20)
        redis = client(this.nodes.port(node))
      }
    }
    redis.disconnect()
  }

  private async operate(redis: Redis, name: string, key: string, kind: number): Promise<boolean> {
    switch (kind) {
      case 0:
        return this.record("register", name, "read", key, null, () => redis.get(`r${key}`))
      case 1: {
        const value = String(++this.written)
        return this.record("register", name, "write", key, value, async () => (await redis.set(`r${key}`, value), null))
      }
      case 2:
        return this.swap(redis, name, key)
      default:
        return this.record("counter", name, "fetch-and-add", key, 1, async () => (await redis.incr(`c${key}`)) - 1)
    }
  }

  /** By a transaction that watches. */
  private async swap(redis: Redis, name: string, key: string): Promise<boolean> {
    let found: string | null
    try {
      await redis.watch(`r${key}`)
      found = await redis.get(`r${key}`)
    } catch {
      return false
    }
    const value = String(++this.written)
    const multi = redis.multi().set(`r${key}`, value)
    // One that is not executed tells nothing of the value: it may have changed and changed back.
    return this.record("register", name, "cas", key, [found, value], async () => {
      const replies = await multi.exec()
      if (replies === null) throw new Error("CLUSTERDOWN in effect: not executed")
      return true
    }).then((done) => done || redis.status === "ready")
  }

  private async record(
    of: "register" | "counter",
    name: string,
    f: string,
    key: string,
    input: History.Value,
    ask: () => Promise<History.Value>
  ): Promise<boolean> {
    const events = this.events[of]
    events.push(History.invoke(name, f, input, key))
    try {
      const output = await ask()
      events.push(History.ok(name, f, output, key))
      this.answered++
      return true
    } catch (error) {
      const isDone = !(error as Error).message.startsWith("CLUSTERDOWN")
      events.push(isDone ? History.info(name, f, undefined, key) : History.fail(name, f, undefined, key))
      return false
    }
  }

  verdict(of: "register" | "counter", specification: Specification.Specification) {
    return Linearizable.check(History.make(this.events[of]), specification, { millis: 5_000 })
  }
}

describe("three nodes over TCP and on disk, without a primary", () => {
  it("are linearizable to clients at each of them, go on while one is away, and forget nothing when all are started anew", async () => {
    const nodes = await Nodes.make(3)
    await nodes.startAll()
    const workload = new Workload(nodes)
    const more = async (count: number): Promise<void> => {
      const before = workload.answered
      while (workload.answered < before + count) await pause(10)
    }
    const running = Promise.all(["a", "b", "c", "d", "e"].map((name, index) => workload.run(name, index % 3)))
    await more(80)
    await nodes.stop(2)
    await more(100)
    await nodes.start(2)
    await more(80)
    workload.stop()
    await running
    expect(workload.verdict("register", Specifications.casRegister())).toMatchObject({ _tag: "Ok" })
    expect(workload.verdict("counter", Specifications.counter())).toMatchObject({ _tag: "Ok" })

    const one = client(nodes.port(0))
    const keys = Array.from({ length: 50 }, (_, index) => `kept:${index}`)
    for (const key of keys) await one.set(key, key)
    one.disconnect()
    await nodes.stopAll()
    await nodes.startAll()
    const other = client(nodes.port(2))
    expect(await other.mget(keys)).toEqual(keys)
    other.disconnect()
    await nodes.stopAll()
    await nodes.remove()
  })
})

describe("without a quorum", () => {
  it("it is said at once that nothing was changed", async () => {
    const nodes = await Nodes.make(3)
    await nodes.startAll()
    const redis = client(nodes.port(0))
    await redis.set("a", "1")
    await Promise.all([nodes.stop(1), nodes.stop(2)])
    while (!(await redis.info("replication")).includes("node_role:apart")) await pause(20)
    await expect(redis.set("b", "1")).rejects.toThrow(/^CLUSTERDOWN n1 cannot have it executed: it hears no quorum/)
    await expect(redis.get("a")).rejects.toThrow(/^CLUSTERDOWN/)
    redis.disconnect()
    await nodes.stopAll()
    await nodes.remove()
  })
})

describe("locks and keys that expire", () => {
  it("are removed at every node by what one of them decided", async () => {
    const cluster = await startCluster({ nodes: 3, transport: "memory", replication: "quorum" })
    const [one, other] = [client(cluster.nodes[0]!.server.port), client(cluster.nodes[1]!.server.port)]
    for (let i = 0; i < 30; i++) await one.set(`brief:${i}`, "1", "PX", 1)
    await one.set("long", "1")
    expect(await one.call("LOCK.ACQUIRE", "door", "1")).toBe(1)
    const sizes = async (): Promise<ReadonlyArray<number>> => [await one.dbsize(), await other.dbsize()]
    while (String(await sizes()) !== "1,1") await pause(20)
    expect(await other.call("LOCK.ACQUIRE", "door", "1000")).toBe(2)
    expect(await other.keys("*")).toEqual(["long"])
    one.disconnect()
    other.disconnect()
    await cluster.stop()
  })
})

describe("a configuration", () => {
  const nodes = [{ id: "n1", peer: "127.0.0.1:1", port: 2 }]
  const problem = (config: unknown): Promise<string> =>
    Effect.runPromise(
      Effect.map(Effect.flip(ClusterConfig.parse("c.json", JSON.stringify(config))), ({ message }) => message)
    )

  it("that asks for quorums of another way of replicating is refused", async () => {
    expect(await problem({ cluster: "c", replication: "passive", nodes, quorum: { readQuorum: 1 } })).toBe(
      'c.json: "quorum" is for "replication": "quorum", and this is passive. Leave one of them out'
    )
  })

  it.each([
    [{ readQuorum: 1 }, "R + W > N is broken: N = 3, R = 1, W = 2"],
    [{ readQuorum: 3, writeQuorum: 1 }, "W > N/2 is broken: N = 3, R = 3, W = 1"],
    [{ writeQuorum: 4 }, "N = 3, R = 2, W = 4"]
  ])("of quorums %j that break a rule is refused, and says which", async (quorum, says) => {
    const starting = Cluster.start({ replication: "quorum", quorum, transport: "memory", nodes: 3, port: 0 })
    const error = await Effect.runPromise(Effect.flip(Effect.scoped(starting)).pipe(Effect.provide(quiet)))
    expect(error.message).toContain(says)
  })

  it("of other quorums than those that wrote the data is refused", async () => {
    const first = await startCluster({ nodes: 1, transport: "memory", replication: "quorum", onDisk: true })
    await first.stop()
    const own = { cluster: "local", node: "n1", replication: "quorum", quorum: { readQuorum: 1 } } as const
    const refused = await Effect.runPromise(Effect.flip(first.startAs(own)))
    expect(refused.message).toContain('its replication is "quorum", not "quorum (R = 1, W = majority)"')
    await first.remove()
  })
})
