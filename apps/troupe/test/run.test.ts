import { execFileSync } from "node:child_process"
import { describe, expect, it } from "vitest"
import { ended, json, start, troupe } from "./command.ts"

/** The processes that a process has started. */
const childrenOf = (pid: number): ReadonlyArray<number> => {
  try {
    return execFileSync("pgrep", ["-P", String(pid)], { encoding: "utf8" })
      .trim()
      .split("\n")
      .map(Number)
  } catch {
    return []
  }
}

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const until = async <A>(what: string, look: () => A | undefined): Promise<A> => {
  for (const end = Date.now() + 20_000; Date.now() < end;) {
    const found = look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`no ${what} in 20 seconds`)
}

/** A run that takes long, and its nodes. */
const longRun = async () => {
  const run = start(
    "run",
    "mutex/ricart-agrawala",
    "--transport",
    "tcp",
    "--nodes",
    "3",
    "--entries",
    "1000000",
    "--json"
  )
  const nodes = await until("nodes", () => {
    const found = childrenOf(run.pid!)
    return found.length === 3 ? found : undefined
  })
  return { run, nodes, end: ended(run) }
}

const gone = (pids: ReadonlyArray<number>) => until("end of the nodes", () => (pids.some(isRunning) ? undefined : true))

describe("troupe run", () => {
  it.each(["memory", "sim", "tcp"])(
    "mutex/ricart-agrawala: an entry costs 2(N−1) messages on %s (Ricart & Agrawala 1981)",
    async (transport) => {
      const { code, value } = await json(
        "run",
        "mutex/ricart-agrawala",
        "--nodes",
        "5",
        "--entries",
        "200",
        "--transport",
        transport,
        "--seed",
        "7"
      )
      expect(code).toBe(0)
      expect(value).toMatchObject({
        algorithm: "mutex/ricart-agrawala",
        transport,
        nodes: 5,
        seed: 7,
        operation: "entry",
        operations: 200,
        messages: 1600,
        messagesPerOperation: 8,
        formula: { best: { text: "2(N−1)", messages: 8 }, worst: { messages: 8 } },
        messagesByTag: { Request: 800, Reply: 800 },
        violations: []
      })
      expect(value.properties).toContainEqual({ name: "mutual exclusion", kind: "always", holds: true })
      expect(value.properties.every(({ holds }: { holds: boolean }) => holds)).toBe(true)
    }
  )

  it("takes 96 messages an entry with 49 nodes", async () => {
    const { value } = await json("run", "mutex/ricart-agrawala", "--nodes", "49", "--transport", "sim")
    expect(value).toMatchObject({ messagesPerOperation: 96, violations: [] })
  })

  it.each([
    [7, 3],
    [13, 4],
    [31, 6],
    [49, 8],
    [57, 8]
  ])(
    "mutex/maekawa with %i nodes: quorums of %i, 3(|R|−1) messages an entry but for contention",
    async (nodes, size) => {
      const { value } = await json("run", "mutex/maekawa", "--nodes", String(nodes), "--transport", "sim")
      expect(value).toMatchObject({
        facts: { quorumSizes: { [size]: nodes } },
        uncontendedMessagesPerOperation: 3 * (size - 1),
        violations: []
      })
      expect(value.messages).toBe(value.operations * 3 * (size - 1) + value.contentionMessages)
    }
  )

  it("keeps what is logged, that a lock is not granted say, out of the result", async () => {
    const given = ["--variant", "basic", "--nodes", "9", "--entries", "60", "--transport", "sim", "--json"]
    const { stderr, stdout } = await troupe("run", "mutex/maekawa", ...given)
    expect(stderr).toContain("has not been granted for 5000 ms")
    expect(JSON.parse(stdout)).toMatchObject({ algorithm: "mutex/maekawa --variant basic" })
  })

  it.each(["memory", "sim", "tcp"])("election/bully: the highest of seven leads on %s", async (transport) => {
    const { code, value } = await json("run", "election/bully", "--nodes", "7", "--transport", transport)
    expect(code).toBe(0)
    expect(value).toMatchObject({ leader: "n7", operations: 1, violations: [] })
    expect(value.messagesPerOperation).toBeGreaterThanOrEqual(value.formula.best.messages)
    expect(value.messagesPerOperation).toBeLessThanOrEqual(value.formula.worst.messages)
  })

  it("clocks/lamport: a message is one message", async () => {
    const { value } = await json("run", "clocks/lamport", "--entries", "20")
    expect(value).toMatchObject({ operations: 20, messagesPerOperation: 1, violations: [] })
  })

  it("clocks/lamport: its guarantees hold between processes over UDP", async () => {
    const { code, value } = await json("run", "clocks/lamport", "--nodes", "3", "--entries", "30", "--transport", "udp")
    expect(code).toBe(0)
    expect(value).toMatchObject({ transport: "udp", operations: 30, messages: 30, violations: [] })
    expect(value.lostMessages).toBeGreaterThanOrEqual(0)
    expect(value.lostMessages).toBeLessThan(30)
  })

  it("is the same run for the same seed on sim", async () => {
    const figures = async () => {
      const { value } = await json("run", "mutex/ricart-agrawala", "--transport", "sim", "--seed", "3")
      return { ...value, elapsedMillis: 0 }
    }
    expect(await figures()).toEqual(await figures())
  })

  it("ends with the cost beside the card's formula, and a mark for each guarantee", async () => {
    const { code, stdout } = await troupe("run", "mutex/ricart-agrawala", "--entries", "20")
    expect(code).toBe(0)
    expect(stdout).toContain("  10 of 20 entries, ")
    expect(stdout).toContain("messages per entry  8   card: 2(N−1) = 8")
    expect(stdout).toMatch(/✓ mutual exclusion {2}always/)
    expect(stdout).not.toContain("\u001b")
  })

  it("says which process died, and ends the others", async () => {
    const { end, nodes } = await longRun()
    process.kill(nodes[1]!, "SIGKILL")
    const { code, stderr, stdout } = await end
    expect(stderr).toMatch(/^troupe: Node "n\d" failed: its process ended early \(SIGKILL\)\n$/)
    expect({ code, stdout }).toEqual({ code: 3, stdout: "" })
    await gone(nodes)
  })

  it("leaves no process behind when it is killed", async () => {
    const { end, nodes, run } = await longRun()
    run.kill("SIGKILL")
    await end
    await gone(nodes)
  })

  it("ends its processes when it is interrupted", async () => {
    const { end, nodes, run } = await longRun()
    run.kill("SIGINT")
    expect(await end).toEqual({ code: 130, stdout: "", stderr: "" })
    await gone(nodes)
  })
})
