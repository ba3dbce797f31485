/** `troupe torture kv`: processes under faults, judged by what clients saw. */
import { Effect } from "effect"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { Connection, type Reply } from "../src/torture/Connection.ts"
import * as Processes from "../src/torture/Processes.ts"
import { ended, start, troupe } from "./command.ts"

const directory = mkdtempSync(join(tmpdir(), "troupe-torture-test-"))
afterAll(() => rmSync(directory, { recursive: true }))

/** Of nodes that run on this directory's configurations. */
const processesOf = (out: string): ReadonlyArray<string> =>
  readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(out)
    } catch {
      return false
    }
  })

describe("a node of troupe kv", () => {
  it("has a time of day that is moved from outside", { timeout: 60_000 }, async () => {
    const ttl = Effect.gen(function* () {
      const cluster = yield* Processes.start({ nodes: 1, replication: "passive", directory: join(directory, "clock") })
      expect(yield* Processes.awaitAll(cluster, 30_000)).toEqual([])
      const [node] = cluster.nodes
      const connection = yield* Connection.open(node!.port)
      yield* connection.ask(["SET", "a", "1", "EX", "3600"])
      yield* node!.setClock(7_200_000)
      let reply: Reply | undefined
      while (reply !== -2) [reply] = yield* connection.ask(["TTL", "a"])
      connection.close()
    })
    await Effect.runPromise(Effect.scoped(ttl))
  })
})

describe("troupe torture kv", () => {
  it("convicts naive replication", { timeout: 60_000 }, async () => {
    const out = join(directory, "naive")
    const args = ["--replication", "naive", "--nodes", "3", "--seconds", "3", "--seed", "1"]
    const { code, stdout } = await troupe("torture", "kv", ...args, "--faults", "none", "--out", out, "--json")
    expect(code).toBe(1)
    const told = JSON.parse(stdout)
    expect(told).toMatchObject({ verdict: "violated", replication: "naive", problems: [] })
    expect(told.violated.length).toBeGreaterThan(0)
    expect(JSON.parse(readFileSync(join(out, "report.json"), "utf8"))).toEqual(told)
    expect(readFileSync(join(out, "report.html"), "utf8")).toContain("What is at fault")
    expect(readFileSync(join(out, "n1.log"), "utf8")).toContain("listening for Redis clients")
  })

  it.skipIf(!existsSync("/proc/self"))(
    "ends its processes when it is interrupted, and reports what there was (needs /proc)",
    { timeout: 60_000 },
    async () => {
      const out = join(directory, "interrupted")
      mkdirSync(out)
      const child = start("torture", "kv", "--nodes", "3", "--out", out, "--verbose")
      const end = ended(child)
      await new Promise<void>((resolve) => child.stderr!.once("data", () => resolve()))
      expect(processesOf(out).length).toBeGreaterThan(1)
      child.kill("SIGINT")
      const { code, stdout } = await end
      expect(code).toBe(130)
      expect(stdout).toContain("? no acknowledged write is lost")
      expect(processesOf(out)).toEqual([])
      expect(JSON.parse(readFileSync(join(out, "report.json"), "utf8"))).toMatchObject({ isInterrupted: true })
    }
  )
})
