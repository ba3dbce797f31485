import { describe, expect, it } from "@effect/vitest"
import { merge, Trace } from "@troupe/trace"
import { Effect } from "effect"
import { causes, nodeEvents, numbers, randomTrace, small } from "./support.ts"

const seeds = Array.from({ length: 60 }, (_, seed) => seed + 1)

const header = `{"_tag":"Trace","version":1,"title":"t","source":"driver","nodes":["n1"]}`

describe("a trace as text", () => {
  it.effect("is read as it was written", () =>
    Effect.gen(function* () {
      for (const seed of seeds) {
        const trace = randomTrace(seed)
        expect(yield* Trace.decode(Trace.encode(trace))).toEqual(trace)
      }
    })
  )

  it("is a header and an event a line", () => {
    const lines = Trace.encode(small).split("\n")
    expect(lines.length).toBe(small.events.length + 2)
    expect(lines[0]).toBe(Trace.encodeHeader(small.header))
    expect(lines[1]).toBe(Trace.encodeEvent(small.events[0]!))
    expect(lines.at(-1)).toBe("")
  })

  it.effect.each([
    ["", 1, "the file is empty"],
    ["{", 1, "it is not JSON"],
    [`{"_tag":"Crash"}\n`, 1, "a trace begins with"],
    [`{"_tag":"Trace","version":2,"title":"t","source":"driver","nodes":[]}`, 1, "a trace begins with"],
    [`{"_tag":"Trace","version":1,"title":"t","source":"driver","nodes":["n1","n1"]}`, 1, `names node "n1" twice`],
    [`${header}\n\n{"_tag":"Crash","node":"n1","clock":{"n1":1}\n`, 3, "it is not JSON"],
    [`${header}\n{"_tag":"Boom"}\n`, 2, "it is no event"],
    [`${header}\n{"_tag":"Crash","node":"n2","clock":{"n2":1}}`, 2, `the header does not name node "n2"`],
    [`${header}\n{"_tag":"Crash","node":"n1","clock":{}}`, 2, "does not count its own event"],
    [
      `${header}\n{"_tag":"Sent","node":"n1","clock":{"n1":1},"channel":"c","id":1,"to":"n1","message":0}\n{"_tag":"Sent","node":"n1","clock":{"n1":2},"channel":"c","id":1,"to":"n1","message":0}`,
      3,
      "message 1 is sent twice"
    ]
  ] as const)("refuses %j at line %d: %s", ([text, line, reason]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Trace.decode(text))
      expect(error).toMatchObject({ _tag: "MalformedTrace", line, reason: expect.stringContaining(reason) })
    })
  )

  it("has as text what isn't JSON, and leaves out fields that are undefined", () => {
    const cyclic: Record<string, unknown> = { name: "me" }
    cyclic["self"] = cyclic
    const state = {
      big: 12n,
      nan: NaN,
      map: new Map<unknown, unknown>([["a", new Set([1])]]),
      gone: undefined,
      list: [undefined, () => {}],
      symbol: Symbol("s")
    }
    const step = (state: unknown, command: unknown): Trace.Event => ({
      _tag: "Step",
      node: "n1",
      clock: { n1: 1 },
      actor: "a",
      input: { _tag: "Command", command },
      actions: [],
      state
    })
    const read = (event: Trace.Event) => JSON.parse(Trace.encodeEvent(event))
    expect(read(step(state, undefined))).toMatchObject({
      input: { command: "undefined" },
      state: {
        big: "12n",
        nan: "NaN",
        map: 'Map(1) {"a" => "Set(1) {1}"}',
        list: ["undefined", "(function )"],
        symbol: "Symbol(s)"
      }
    })
    expect(read(step(state, undefined)).state).not.toHaveProperty("gone")
    expect(read(step(cyclic, 1)).state).toEqual({ name: "me", self: "(circular)" })
    expect(
      read(
        step(
          {
            toJSON: () => {
              throw new Error("no")
            }
          },
          1
        )
      ).state
    ).toBe("(Error: no)")
  })
})

describe("vector clocks", () => {
  it("say that a happened before b exactly if it did", () => {
    let related = 0
    for (const seed of seeds) {
      const events = nodeEvents(exact(randomTrace(seed)))
      const before = causes(events)
      for (const [b, later] of events.entries()) {
        for (const [a, earlier] of events.entries()) {
          const isBefore = before[b]!.has(a)
          if (isBefore) related++
          if (Trace.happenedBefore(earlier, later) !== isBefore) {
            expect.fail(`seed ${seed}: ${a} before ${b} should be ${isBefore}`)
          }
        }
      }
    }
    expect(related).toBeGreaterThan(10_000)
  })
})

/** Without receipts of which the sender is not told: the clock knows more than the ids there. */
const exact = (trace: Trace.Trace): Trace.Trace => merge("exact", [trace])

describe("the traces of a run's processes", () => {
  it("merge into one with the causes of the run, where no two messages are alike", () => {
    for (const seed of seeds.slice(0, 30)) {
      const { events, parts } = apart(seed)
      const merged = nodeEvents(merge("whole", parts))
      expect(merged.length).toBe(events.length)
      const key = (event: Trace.NodeEvent): string => `${event.node} ${event.clock[event.node]}`
      const clocks = new Map(merged.map((event) => [key(event), event.clock]))
      for (const event of events) expect(clocks.get(key(event))).toEqual(event.clock)
    }
  })

  it("merge though a duplicate seems to be received before it was sent", () => {
    const step = (node: string, count: number, input: Trace.Input, to?: string): Trace.Event => ({
      _tag: "Step",
      node,
      clock: { [node]: count },
      actor: "a",
      input,
      actions: to === undefined ? [] : [{ _tag: "Send", id: count, to, message: "x" }]
    })
    const got = (from: string, message: string): Trace.Input => ({ _tag: "Message", from, message })
    const part = (node: string, events: ReadonlyArray<Trace.Event>): Trace.Trace => ({
      header: Trace.header({ title: node, source: "driver", nodes: [node] }),
      events
    })
    const merged = merge("whole", [
      part("n1", [step("n1", 1, { _tag: "Start" }, "n2"), step("n1", 2, got("n2", "x"), "n2")]),
      part("n2", [step("n2", 1, got("n1", "x")), step("n2", 2, got("n1", "x")), step("n2", 3, { _tag: "Start" }, "n1")])
    ])
    // Which of the two that wait for each other came without its send cannot be told: one of them goes first.
    expect(merged.events.map((event) => Trace.receipt(event)?.id)).toEqual([undefined, 1, undefined, 2, undefined])
  })
})

/** A run in which each message is another, as its nodes would have recorded it by themselves. */
const apart = (seed: number) => {
  const { below, pick } = numbers(seed)
  const whole = randomTrace(seed, 80)
  const unique = JSON.parse(JSON.stringify(whole), (_key, value) =>
    value !== null && typeof value === "object" && "id" in value && "message" in value
      ? { ...value, message: `m${value.id}` }
      : value
  ) as Trace.Trace
  const received = new Set<number>()
  // A duplicate cannot be told from another message by who receives it.
  const once = unique.events.filter((event) => {
    const receipt = Trace.receipt(event)
    if (receipt === undefined) return "clock" in event
    if (receipt.id === undefined || received.has(receipt.id)) return false
    received.add(receipt.id)
    return true
  })
  const events = nodeEvents(merge("again", [{ ...unique, events: once }]))
  const groups = Map.groupBy(events, ({ node }) => node)
  const shuffled = [...groups].sort(() => pick([-1, 1]) + below(1))
  const parts = shuffled.map(([node, own]): Trace.Trace => ({
    header: Trace.header({ title: node, source: "driver", nodes: [node] }),
    events: own.map((event) => forget(event))
  }))
  return { events, parts }
}

const forget = (event: Trace.NodeEvent): Trace.Event => {
  if (event._tag === "Received") {
    const { id: _, ...rest } = event
    return rest
  }
  if (event._tag !== "Step" || event.input._tag !== "Message") return event
  const { id: _, ...input } = event.input
  return { ...event, input }
}
