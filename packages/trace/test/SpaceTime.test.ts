import { describe, expect, it } from "@effect/vitest"
import { SpaceTime, type Trace } from "@troupe/trace"
import { layout } from "../src/internal/Layout.ts"
import { measure } from "../src/internal/Geometry.ts"
import { randomTrace, small } from "./support.ts"

const seeds = Array.from({ length: 40 }, (_, seed) => seed + 1)

describe("a small run", () => {
  it("in a terminal", () => {
    expect(`\n${SpaceTime.terminal(small, { width: 72 })}`).toMatchInlineSnapshot(`
      "
      a small run

              n1      n2      n3
      0.0 ms   ◆─╮     ┃       ┃   n1 Acquire
               ┃ ├─────╂─────✗ ┃   n1 → n3 Request 1 lost
      2.5 ms   ┃ ╰───┬▶●       ┃   n1 → n2 Request 1
      3.0 ms   ┃     │ ┃       ✗   n3 crashes
      4.0 ms ╌╌ split: n1 ╱ n2 n3 ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌
      5.0 ms   ●◀────╯ ┃       ┊   n2 → n1 ★ Reply 1 ▸ Acquired 1
             ━━ ✗ mutual exclusion ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
      "
    `)
  })

  it("as a Mermaid sequence diagram", () => {
    expect(`\n${SpaceTime.mermaid(small)}`).toMatchInlineSnapshot(`
      "
      sequenceDiagram
        participant p0 as n1
        participant p1 as n2
        participant p2 as n3
        Note over p0: Acquire
        p0--xp2: Request 1
        p0-)p1: Request 1
        Note over p2: ✗ crashes
        Note over p0,p2: split: n1 ╱ n2 n3
        p1->>p0: ★ Reply 1
        Note over p0: ▸ Acquired 1
        Note over p0,p2: ✗ mutual exclusion at 5.0 ms
      "
    `)
  })

  it("as a log for ShiViz, which its own regular expression reads", () => {
    const log = SpaceTime.shiviz(small)
    expect(`\n${log}`).toMatchInlineSnapshot(`
      "
      (?<host>\\S*) (?<clock>{.*?}) (?<event>.*)

      n1 {"n1":1} is told Acquire; sends Request 1 to n2; sends Request 1 to n3
      n2 {"n1":1, "n2":1} receives Request 1 from n1; sends Reply 1 to n1
      n3 {"n3":1} crashes
      n1 {"n1":2, "n2":1} receives Reply 1 from n2; emits Acquired 1
      "
    `)
    const [expression, , ...lines] = log.trimEnd().split("\n")
    for (const line of lines) {
      const { clock, event, host } = new RegExp(`^${expression}$`).exec(line)!.groups!
      expect(JSON.parse(clock!)[host!]).toBeGreaterThan(0)
      expect(event).not.toBe("")
    }
  })

  it("shows by default the message that mattered: the last that came before a property broke", () => {
    expect(SpaceTime.mattered(small.events)).toBe(3)
    expect(SpaceTime.mattered(small.events.slice(0, -1))).toBeUndefined()
    expect(SpaceTime.svg(small).match(/class="glow /g)?.length).toBe(1)
    expect(SpaceTime.svg(small, { highlight: -1 })).not.toContain('class="glow ')
  })

  it("in colour says the same", () => {
    const plain = SpaceTime.terminal(small, { width: 72 })
    const colored = SpaceTime.terminal(small, { width: 72, color: true })
    // oxlint-disable-next-line no-control-regex -- Escape sequences are what it looks for.
    const stripped = colored.replace(/\u001b\[[\d;]*m/g, "")
    const lines = stripped.split("\n").toSpliced(1, 1)
    expect(lines.map((line) => line.trimEnd())).toEqual(plain.split("\n").map((line) => line.trimEnd()))
  })
})

describe("what a picture leaves out", () => {
  const beats: Trace.Trace = {
    ...small,
    events: [
      ...small.events.slice(0, 5),
      {
        _tag: "Step",
        node: "n2",
        clock: { n1: 1, n2: 2 },
        atMillis: 4.5,
        actor: "lock",
        input: { _tag: "Timeout", timer: "beat" },
        actions: [{ _tag: "Send", id: 9, to: "n1", message: { _tag: "Heartbeat" } }]
      },
      { _tag: "Lost", id: 9, atMillis: 4.5 },
      ...small.events.slice(5)
    ]
  }

  it("is messages of hidden kinds, with the steps that only send or receive them", () => {
    expect(SpaceTime.terminal(beats)).toContain("Heartbeat")
    expect(SpaceTime.terminal(beats, { hide: ["Heartbeat"] })).toBe(SpaceTime.terminal(small))
  })

  it("is said, and ends with the first property that broke", () => {
    const long = { ...small, events: [...small.events, ...small.events.slice(3, 5)] }
    const picture = SpaceTime.terminal(long, { limit: 3 })
    expect(picture).toContain("4 earlier and 2 later events are left out.")
    expect(picture).toContain("✗ mutual exclusion")
  })
})

describe("any trace", () => {
  it("is drawn, in lines of the terminal's width", () => {
    for (const seed of seeds) {
      const trace = randomTrace(seed)
      for (const width of [40, 80, 100]) {
        for (const line of SpaceTime.terminal(trace, { width }).split("\n")) {
          expect([...line].length).toBeLessThanOrEqual(width)
        }
      }
      expect(SpaceTime.mermaid(trace).split("\n")[0]).toBe("sequenceDiagram")
      SpaceTime.shiviz(trace)
    }
  })

  it("is well-formed XML, with an arrow for each message that was received or lost", () => {
    for (const seed of seeds) {
      const trace = randomTrace(seed)
      const svg = SpaceTime.svg(trace)
      checkXml(svg)
      const { arrows } = layout(trace, {}, true)
      expect(svg.match(/<g class="arrow /g)?.length ?? 0).toBe(arrows.length)
      const received = trace.events.filter(
        (event) => event._tag === "Received" || (event._tag === "Step" && event.input._tag === "Message")
      ).length
      expect(arrows.filter(({ fate }) => fate === "received").length).toBe(received)
      expect(arrows.filter(({ fate }) => fate === "lost").length).toBe(
        trace.events.filter(({ _tag }) => _tag === "Lost").length
      )
    }
  })

  it("has no label over another, none over a mark or an arrowhead, and all inside the picture", () => {
    let [labels, wanted] = [0, 0]
    for (const seed of seeds) {
      const picture = layout(randomTrace(seed), {}, true)
      const geometry = measure(picture)
      const boxes = [...geometry.labels, ...geometry.remarks].map(({ box }) => box)
      labels += geometry.labels.length
      wanted += picture.marks.filter(({ text }) => text !== "").length
      for (const [at, a] of boxes.entries()) {
        expect(a.x >= 0 && a.y >= 0 && a.x + a.width <= geometry.width && a.y + a.height <= geometry.height).toBe(true)
        for (const b of boxes.slice(at + 1)) {
          const meet = a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
          if (meet) expect.fail(`seed ${seed}: ${JSON.stringify([a, b])}`)
        }
      }
      for (const { box } of geometry.labels) {
        for (const { at, arrow } of geometry.arrows) {
          const isInside = at.x > box.x && at.x < box.x + box.width && at.y > box.y && at.y < box.y + box.height
          if (isInside && arrow.fate !== "under way") expect.fail(`seed ${seed}: ${JSON.stringify([at, box])}`)
        }
      }
      for (const { at, from } of geometry.arrows) {
        for (const { x, y } of [at, from]) {
          expect(x >= 0 && y >= 0 && x <= geometry.width && y <= geometry.height).toBe(true)
        }
      }
    }
    // One without room is left to its tooltip: that is rare.
    expect(labels).toBeGreaterThan(wanted * 0.95)
  })
})

/** Every tag closes the one that is open, attributes are quoted, and what is between holds no bare sign. */
const checkXml = (xml: string): void => {
  const open: Array<string> = []
  let last = 0
  for (const match of xml.matchAll(/<(\/?)([a-zA-Z]+)((?: [a-zA-Z0-9-]+="[^"<]*")*)(\/?)>/g)) {
    const between = xml.slice(last, match.index)
    if (/<|&(?!amp;|lt;|gt;|quot;)/.test(between)) expect.fail(`a bare sign: ${between.slice(0, 80)}`)
    last = match.index + match[0].length
    const [, closes, name, , closed] = match
    if (closes === "/") expect(open.pop()).toBe(name)
    else if (closed === "") open.push(name!)
  }
  expect([open, xml.slice(last).trim()]).toEqual([[], ""])
  // oxlint-disable-next-line no-control-regex -- XML has none of them.
  expect(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(xml)).toBe(false)
}
