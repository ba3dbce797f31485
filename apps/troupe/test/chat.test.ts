/** `troupe chat`: processes, one of which is killed, and what it says to those who ask for what cannot be. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { judged } from "../src/chat/Demo.ts"
import { freePorts } from "../src/torture/Processes.ts"
import { start, troupe } from "./command.ts"

const directory = mkdtempSync(join(tmpdir(), "troupe-chat-test-"))
afterAll(() => rmSync(directory, { recursive: true }))

const file = (name: string, nodes: ReadonlyArray<object>): string => {
  const path = join(directory, name)
  writeFileSync(path, JSON.stringify({ chat: "test", nodes }))
  return path
}

const n1 = { id: "n1", peer: "127.0.0.1:7101", port: 7001, data: "./n1" }

describe("troupe chat --demo", () => {
  it("kills one of three processes: its users are gone within the detector's bound, and the history is whole", async () => {
    const { code, stdout, stderr } = await troupe("chat", "--demo", "--millis", "200")
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout).toContain("✓ presence")
    expect(stdout).toMatch(/✓ history: of [1-9]\d* posts that were shown to their users, 0 are missing somewhere/)
    expect(stdout).toContain("✓ one order: the 3 nodes show the same")
  })

  it("finds a post that is missing, one that is there twice, and another order", () => {
    const [a, b] = ["[1 n1] ann: a", "[2 n1] ann: b"]
    const fails = (histories: ReadonlyArray<ReadonlyArray<string>>) =>
      judged(histories, new Set([a])).flatMap(({ holds, name }) => (holds ? [] : [name]))
    expect(
      fails([
        [a, b],
        [a, b]
      ])
    ).toEqual([])
    expect(fails([[a, b], [b]])).toEqual(["history", "one order"])
    expect(
      fails([
        [a, a],
        [a, a]
      ])
    ).toEqual(["history"])
    expect(
      fails([
        [a, b],
        [b, a]
      ])
    ).toEqual(["one order"])
    expect(fails([[], []])).toEqual(["history", "one order"])
  })
})

describe("troupe chat", () => {
  it.each([
    [["--millis", "5"], "--millis: it is for a trial. Add --demo."],
    [["--demo", "--data", "x"], "--data: a trial has disks, ports and users of its own. Leave it out."],
    [["--demo", "--name-seconds", "9"], "--name-seconds: a trial has disks, ports and users of its own. Leave it out."],
    [["--max-line", "5"], "--max-line 5: expected a whole number from 100 to 1000000"],
    [["--port", "70000"], "--port 70000: expected a port from 1 to 65532"]
  ])("says of %j what is wrong with it", async (args, said) => {
    const { code, stderr } = await troupe("chat", ...args)
    expect(code).toBe(2)
    expect(stderr).toContain(said)
  })

  it("says which directory it cannot use", async () => {
    const { code, stderr } = await troupe("chat", "--data", file("taken", []), "--port", "37311", "--http", "38311")
    expect([code, stderr]).toEqual([3, expect.stringMatching(/taken cannot be used: EEXIST/)])
  })
})

describe("troupe chat node", () => {
  const refused = async (path: string, id = "n1") => {
    const { code, stderr } = await troupe("chat", "node", "--id", id, "--config", path)
    expect(code).toBe(2)
    return stderr
  }

  it.each(["is up", "has begun"])(
    "that %s ends with the process that has started it, however that ends",
    async (at) => {
      const [peer, port] = await freePorts(2)
      const alone = { id: "n1", peer: `127.0.0.1:${peer}`, port, data: join(directory, "alone") }
      const child = start("chat", "node", "--id", "n1", "--config", file("alone.json", [alone]))
      if (at === "is up") child.stdout!.once("data", () => child.disconnect())
      else child.disconnect()
      expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(0)
    }
  )

  it("says which file it cannot use, and why", async () => {
    expect(await refused(join(directory, "none.json"))).toContain("none.json: there is no such file")
    const broken = join(directory, "broken.json")
    writeFileSync(broken, "{")
    expect(await refused(broken)).toContain("broken.json: ")
    expect(await refused(file("port.json", [{ ...n1, port: 70_000 }]))).toContain("port")
    expect(await refused(file("more.json", [{ ...n1, colour: "blue" }]))).toContain("colour")
    const twice = file("twice.json", [n1, { ...n1, id: "n2", data: "./n2" }])
    expect(await refused(twice)).toContain('two nodes have one peer, "127.0.0.1:7101"')
    expect(await refused(file("one.json", [n1]), "n7")).toContain('there is no node "n7" in it: it has n1')
  })
})
