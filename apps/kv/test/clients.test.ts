/** The clients that people use, unchanged, against three replicas. */
import { Effect } from "effect"
import { Redis } from "ioredis"
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { promisify } from "node:util"
import { createClient } from "redis"
import Redlock from "redlock"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { replications } from "../src/Node.ts"
import { startCluster, type Started } from "./harness.ts"

const run = promisify(execFile)

const isInstalled = (program: string): boolean =>
  (process.env["PATH"] ?? "").split(delimiter).some((directory) => existsSync(join(directory, program)))

describe.each(["passive", "quorum"] as const)("with %s replication,", (replication) => {
  let cluster: Started

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 3, transport: "memory", replication })
  })
  afterAll(() => cluster.stop())

  const port = (node: number): number => cluster.nodes[node]!.server.port

  describe("ioredis", () => {
    it("gets, sets, pipelines, and runs transactions that watch", async () => {
      const redis = new Redis(port(0))
      expect(await redis.set("ioredis", "1", "EX", 60)).toBe("OK")
      expect(await redis.incr("ioredis")).toBe(2)
      expect(await redis.getBuffer("ioredis")).toEqual(Buffer.from("2"))
      const binary = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
      await redis.set("binary", binary)
      expect(await redis.getBuffer("binary")).toEqual(binary)
      const pipeline = redis.pipeline()
      for (let i = 0; i < 100; i++) pipeline.incr("counter")
      expect((await pipeline.exec())!.map(([, reply]) => reply)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
      expect(await redis.multi().set("m", "1").get("m").exec()).toEqual([
        [null, "OK"],
        [null, "1"]
      ])
      const other = redis.duplicate()
      await redis.watch("m")
      await other.set("m", "2")
      expect(await redis.multi().set("m", "3").exec()).toBe(null)
      const found: Array<string> = []
      for await (const keys of redis.scanStream({ match: "b*" })) found.push(...(keys as Array<string>))
      expect(found).toEqual(["binary"])
      redis.disconnect()
      other.disconnect()
    })

    it("reads at one node what it wrote at another", async () => {
      const [one, other] = [new Redis(port(1)), new Redis(port(2))]
      for (let i = 0; i < 20; i++) {
        await one.set("moved", i)
        expect(await other.get("moved")).toBe(String(i))
      }
      one.disconnect()
      other.disconnect()
    })
  })

  describe("node-redis", () => {
    for (const RESP of [2, 3] as const) {
      it(`gets, sets and runs transactions in protocol ${RESP}`, async () => {
        const client = await createClient({ url: `redis://127.0.0.1:${port(1)}`, RESP }).connect()
        expect(await client.set("node", "ä✓", { expiration: { type: "PX", value: 60_000 } })).toBe("OK")
        expect(await client.get("node")).toBe("ä✓")
        expect(await client.get("nosuch")).toBe(null)
        expect(await client.mGet(["node", "nosuch"])).toEqual(["ä✓", null])
        expect(await client.pTTL("node")).toBeGreaterThan(0)
        expect(await client.multi().set("t", "1").incr("t").exec()).toEqual(["OK", 2])
        expect(await client.configGet("save")).toEqual({ save: "" })
        expect(await client.sendCommand(["LOCK.ACQUIRE", `lock${RESP}`, "60000"])).toEqual(expect.any(Number))
        await client.close()
      })
    }
  })

  describe("redlock", () => {
    it("locks, extends and unlocks, and lets one in at a time", async () => {
      const redis = new Redis(port(2))
      const redlock = new Redlock([redis], { retryCount: 0 })
      const lock = await redlock.lock("door", 60_000)
      await expect(redlock.lock("door", 60_000)).rejects.toThrow("attempts to lock")
      await lock.extend(90_000)
      expect(await redis.pttl("door")).toBeGreaterThan(60_000)
      await lock.unlock()
      await (await redlock.lock("door", 60_000)).unlock()
      expect(await redis.exists("door")).toBe(0)
      redis.disconnect()
    })
  })

  const cli = isInstalled("redis-cli")
  describe.skipIf(!cli)(cli ? "redis-cli" : "redis-cli (skipped: it is not installed)", () => {
    const redis = async (...args: ReadonlyArray<string>): Promise<string> =>
      (await run("redis-cli", ["-p", String(port(0)), ...args])).stdout.trim()

    it("talks to it", async () => {
      expect(await redis("set", "cli", "1")).toBe("OK")
      expect(await redis("-3", "get", "nosuch")).toBe("")
      expect(await redis("incrby", "cli", "41")).toBe("42")
      expect(await redis("info", "replication")).toContain("connected_slaves:2")
      expect(await redis("--scan", "--pattern", "cl?")).toBe("cli")
    })
  })

  const benchmark = isInstalled("redis-benchmark")
  describe.skipIf(!benchmark)(benchmark ? "redis-benchmark" : "redis-benchmark (skipped: it is not installed)", () => {
    it("runs set, get and incr", async () => {
      const args = ["-p", String(port(0)), "-t", "set,get,incr", "-n", "2000", "-P", "16", "-c", "10", "--csv"]
      const { stdout } = await run("redis-benchmark", args)
      expect(stdout).toMatch(/"SET"[^]*"GET"[^]*"INCR"/)
    })
  })
})

describe("a cluster on disk", () => {
  it.each(["passive", "local-write", "quorum"] as const)(
    "of %s replication has every acknowledged key after all its nodes were started anew",
    async (replication) => {
      const first = await startCluster({ nodes: 3, transport: "memory", onDisk: true, replication })
      const redis = new Redis(first.nodes[0]!.server.port)
      for (let i = 0; i < 50; i++) await redis.set(`key:${i}`, i)
      redis.disconnect()
      await first.stop()
      const second = await startCluster({ nodes: 3, transport: "memory", replication, directory: first.directory! })
      const again = new Redis(second.nodes[1]!.server.port)
      const keys = Array.from({ length: 50 }, (_, i) => `key:${i}`)
      expect(await again.mget(keys)).toEqual(keys.map((_, i) => String(i)))
      again.disconnect()
      await second.stop()
      await second.remove()
    }
  )

  it("refuses the data of another cluster", async () => {
    const first = await startCluster({ nodes: 1, transport: "memory", onDisk: true })
    await first.stop()
    const refused = await Effect.runPromise(
      Effect.flip(first.startAs({ cluster: "other", node: "n1", replication: "passive" }))
    )
    expect(refused.message).toBe(
      'n1 does not start on this data directory: its cluster is "local", not "other". Nothing was changed.'
    )
    await first.remove()
  })
})

describe("each way of replicating", () => {
  for (const replication of replications) {
    it(`${replication} serves clients at each node`, async () => {
      const started = await startCluster({ nodes: 3, transport: "memory", replication })
      for (const [index, { server }] of started.nodes.entries()) {
        const redis = new Redis(server.port)
        expect(await redis.set(`own:${index}`, index)).toBe("OK")
        expect(await redis.get(`own:${index}`)).toBe(String(index))
        redis.disconnect()
      }
      await started.stop()
    })
  }
})
