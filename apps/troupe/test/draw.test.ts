import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Trace } from "@troupe/trace"
import { afterAll, describe, expect, it } from "vitest"
import { troupe } from "./command.ts"

const directory = mkdtempSync(join(tmpdir(), "troupe-"))
afterAll(() => rmSync(directory, { recursive: true }))

const trace = join(directory, "run.trace")
writeFileSync(
  trace,
  Trace.encode({
    header: Trace.header({ title: "a request", source: "driver", nodes: ["n1", "n2"] }),
    events: [
      { _tag: "Sent", node: "n1", clock: { n1: 1 }, channel: "c", id: 0, to: "n2", message: { _tag: "Request" } },
      {
        _tag: "Received",
        node: "n2",
        clock: { n1: 1, n2: 1 },
        channel: "c",
        from: "n1",
        id: 0,
        message: { _tag: "Request" }
      },
      { _tag: "Note", text: "nobody answers", broken: true, nodes: ["n2"] }
    ]
  })
)

describe("troupe draw", () => {
  it("draws a trace in the terminal, of the width that is asked for", async () => {
    const { code, stderr, stdout } = await troupe("draw", trace, "--width", "60")
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout).toContain("a request")
    expect(stdout).toContain("Request")
    expect(stdout).toContain("nobody answers")
    expect(Math.max(...stdout.split("\n").map((line) => [...line].length))).toBeLessThanOrEqual(60)
  })

  it("writes the files that are asked for, and nothing else", async () => {
    const [svg, shiviz] = [join(directory, "run.svg"), join(directory, "run.log")]
    const { code, stderr, stdout } = await troupe("draw", trace, "--svg", svg, "--shiviz", shiviz, "--mermaid", "-")
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout).toMatch(/^sequenceDiagram\n {2}participant p0 as n1\n/)
    expect(readFileSync(svg, "utf8")).toMatch(/^<svg [^]*<\/svg>\n$/)
    expect(readFileSync(shiviz, "utf8")).toContain('n2 {"n1":1, "n2":1} receives Request')
  })

  it.each([
    [
      "a file that is not there",
      ["/no/such/file"],
      /^troupe: \/no\/such\/file: it cannot be read, there is no such file/
    ],
    ["a file that cannot be written", [trace, "--svg", "/no/such/directory/a.svg"], /a\.svg: it cannot be written, /],
    ["a width that is none", [trace, "--width", "3"], /--width 3: expected a number of characters from 40 to 1000/]
  ])("exits with 2 for %s", async (_, args, says) => {
    const { code, stderr, stdout } = await troupe("draw", ...args)
    expect(stderr).toMatch(says)
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" })
  })

  it("names the line of a trace that is malformed", async () => {
    const malformed = join(directory, "malformed.trace")
    writeFileSync(malformed, `${readFileSync(trace, "utf8")}{"_tag":"Crash","node":"n9","clock":{"n9":1}}\n`)
    const { code, stderr } = await troupe("draw", malformed)
    expect(stderr).toMatch(/malformed\.trace:5: .*the header does not name node "n9"/)
    expect(code).toBe(2)
  })

  it("leaves out the messages that are to be hidden", async () => {
    const { stdout } = await troupe("draw", trace, "--hide", "Request")
    expect(stdout).toContain("nobody answers")
    expect(stdout).not.toContain("Request")
  })
})

describe("troupe draw of a history", () => {
  const history = join(directory, "history.ndjson")
  writeFileSync(
    history,
    [
      { process: "alice", type: "invoke", f: "write", value: 1 },
      { process: "alice", type: "ok", f: "write" },
      { process: "bob", type: "invoke", f: "read" },
      { process: "bob", type: "ok", f: "read", value: 2 }
    ]
      .map((event) => `${JSON.stringify(event)}\n`)
      .join("")
  )

  it("is a timeline, with a lane for each process", async () => {
    const { code, stderr, stdout } = await troupe("draw", history)
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout).toMatch(/^alice .*write/m)
    expect(stdout).toMatch(/^bob .*read/m)
  })

  it("shows what is at fault under a model", async () => {
    const svg = join(directory, "history.svg")
    expect((await troupe("draw", history, "--model", "linearizable", "--svg", svg)).code).toBe(0)
    expect(readFileSync(svg, "utf8")).toMatch(/class="bar culprit"/)
    expect((await troupe("draw", history, "--svg", svg)).code).toBe(0)
    expect(readFileSync(svg, "utf8")).not.toMatch(/class="bar culprit"/)
  })

  it("has no form for Mermaid and ShiViz", async () => {
    const { code, stderr } = await troupe("draw", history, "--mermaid", "-")
    expect(stderr).toMatch(/--mermaid: \S+ is a history; --svg draws it/)
    expect(code).toBe(2)
  })

  it("has to be named where a file holds several", async () => {
    const several = join(directory, "several.jsonl")
    const lines = ["a", "b"].map((id) => `{"id":"${id}","procs":[[["w","x",1,0,1]]]}\n`)
    writeFileSync(several, lines.join(""))
    const { code, stderr } = await troupe("draw", several)
    expect(stderr).toMatch(/2 histories are in it: say which with --history ID\. There are a, b\./)
    expect(code).toBe(2)
    expect((await troupe("draw", several, "--history", "b")).stdout).toContain("write")
  })
})
