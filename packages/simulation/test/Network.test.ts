import { describe, expect, it } from "@effect/vitest"
import { Faults, Simulation } from "@troupe/simulation"
import { Channel, type LinkEvent, Transport } from "@troupe/transport"
import { Deferred, Effect, Schema, Stream } from "effect"
import { delayOf, Numbers, stream, three, upTo } from "./support.ts"

const { none } = Faults

const Wake = Channel.make("wake", Schema.Null)

describe("a message", () => {
  it.effect("takes between delayMillisMin and delayMillisMax, spread over all of that", () =>
    Effect.gen(function* () {
      const faults = { delayMillisMin: 5, delayMillisMax: 15, reorderProbability: 1 }
      const { arrivals, result } = yield* stream({ faults, count: 1000, everyMillis: 100 })
      const delays = arrivals.map(({ atMillis, sentAtMillis }) => atMillis - sentAtMillis)
      expect(delays.length).toBe(2000)
      expect(Math.min(...delays)).toBeGreaterThanOrEqual(5)
      expect(Math.min(...delays)).toBeLessThan(5.1)
      expect(Math.max(...delays)).toBeLessThan(15.000_001)
      expect(Math.max(...delays)).toBeGreaterThan(14.9)
      expect(result.counts).toMatchObject({ sent: 2000, delivered: 2000, lost: 0, duplicated: 0 })
    })
  )

  it.effect("takes as long as its link, where that has delays of its own", () =>
    Effect.gen(function* () {
      const delays = (from: string, to: string) =>
        from === "n1" && to === "n2" ? { minMillis: 40, maxMillis: 41 } : undefined
      const { arrivals } = yield* stream({ count: 200, everyMillis: 100, delays })
      const taken = (node: string) =>
        arrivals.filter(({ to }) => to === node).map(({ atMillis, sentAtMillis }) => atMillis - sentAtMillis)
      expect(Math.min(...taken("n2"))).toBeGreaterThanOrEqual(40)
      expect(Math.max(...taken("n2"))).toBeLessThan(41.000_001)
      expect(Math.max(...taken("n2")) - Math.min(...taken("n2"))).toBeGreaterThan(0.9)
      expect(Math.max(...taken("n3"))).toBeLessThan(10.000_001)
    })
  )

  it.effect("never overtakes another on its link, unless reorderProbability lets it", () =>
    Effect.gen(function* () {
      const fifo = yield* stream({ count: 500 })
      expect(fifo.numbers("n2")).toEqual(upTo(500))
      expect(fifo.numbers("n3")).toEqual(upTo(500))
      const reordered = yield* stream({ count: 500, faults: { reorderProbability: 0.1 } })
      expect(reordered.numbers("n2")).not.toEqual(upTo(500))
      expect(reordered.numbers("n2").toSorted((a, b) => a - b)).toEqual(upTo(500))
    })
  )

  it.effect("that is doubled arrives twice, the first time in order", () =>
    Effect.gen(function* () {
      const { numbers, result } = yield* stream({ count: 1000, faults: { duplicationProbability: 0.2 } })
      for (const node of ["n2", "n3"]) expect([...new Set(numbers(node))]).toEqual(upTo(1000))
      const { delivered, duplicated } = result.counts
      expect(duplicated).toBeGreaterThan(300)
      expect(duplicated).toBeLessThan(500)
      expect(delivered).toBe(2000 + duplicated)
    })
  )

  it.effect("is lost with lossProbability: none at 0, all at 1, a share between", () =>
    Effect.gen(function* () {
      const lost = (lossProbability: number) =>
        Effect.map(stream({ count: 1000, faults: { lossProbability } }), ({ result }) => result.counts.lost)
      expect(yield* lost(0)).toBe(0)
      expect(yield* lost(1)).toBe(2000)
      const some = yield* lost(0.1)
      expect(some).toBeGreaterThan(150)
      expect(some).toBeLessThan(250)
    })
  )

  it.effect("arrives once and in order in the last 30 % of the run, so that it can recover", () =>
    Effect.gen(function* () {
      const faults = { lossProbability: 0.3, duplicationProbability: 0.3, reorderProbability: 0.5 }
      const { numbers } = yield* stream({ faults, count: 1000, duration: "1 second" })
      const late = upTo(1000).filter((number) => number >= 711 && number < 980)
      expect(numbers("n2").filter((number) => number >= 711 && number < 980)).toEqual(late)
      expect(numbers("n2").filter((number) => number < 700).length).not.toBe(700)
      // A longer plan is at work to the end.
      const planned = yield* stream({ faults, count: 1000, duration: "1 second", planned: "2 seconds" })
      expect(planned.numbers("n2").filter((number) => number >= 711 && number < 980)).not.toEqual(late)
    })
  )

  it.effect(
    "of a node to itself is on no link: it is neither lost nor doubled nor late, and never in the same turn",
    () =>
      Effect.gen(function* () {
        const heard: Array<string> = []
        yield* Simulation.run({
          seed: 1,
          nodes: ["n1", "n2"],
          faults: { ...delayOf(50), lossProbability: 1, duplicationProbability: 1 },
          program: (self) =>
            Effect.gen(function* () {
              const transport = yield* Transport
              let inSend = false
              const send = yield* transport.open(Numbers, (from, number) => heard.push(`${from} ${number} ${inSend}`))
              inSend = true
              if (self === "n1") for (const number of [1, 2, 3]) send(self, number)
              inSend = false
            })
        })
        expect(heard).toEqual(["n1 1 false", "n1 2 false", "n1 3 false"])
      })
  )
})

describe("a channel", () => {
  const open = (late: number, count: number) => {
    const heard: Array<number> = []
    const run = Simulation.run({
      seed: 1,
      nodes: ["n1", "n2"],
      faults: delayOf(1),
      program: (self) =>
        Effect.gen(function* () {
          const transport = yield* Transport
          if (self === "n2") yield* Effect.sleep(late)
          const send = yield* transport.open(Numbers, (_from, number) => heard.push(number))
          if (self === "n1") for (let number = 0; number < count; number++) send("n2", number)
        })
    })
    return Effect.map(run, (result) => ({ heard, counts: result.counts }))
  }

  it.effect("that is opened late gets what came early, in order", () =>
    Effect.gen(function* () {
      expect((yield* open(100, 50)).heard).toEqual(upTo(50))
    })
  )

  it.effect("that is opened amid a burst gets all of it in order", () =>
    Effect.gen(function* () {
      const heard: Array<number> = []
      yield* Simulation.run({
        seed: 1,
        nodes: ["n1", "n2"],
        faults: delayOf(1),
        program: (self) =>
          Effect.gen(function* () {
            const transport = yield* Transport
            const opened = transport.open(Numbers, (_from, number) => heard.push(number))
            const woken = yield* Deferred.make<void>()
            const wake = yield* transport.open(Wake, () => Deferred.doneUnsafe(woken, Effect.void))
            if (self === "n1") {
              const send = yield* opened
              send("n2", 0)
              wake("n2", null)
              send("n2", 1)
              send("n2", 2)
            } else {
              // Opened between the arrivals of two messages of one instant.
              yield* Deferred.await(woken)
              yield* opened
            }
          })
      })
      expect(heard).toEqual([0, 1, 2])
    })
  )

  it.effect("that is not opened holds 4,096 messages, and drops later ones with a word to the sender", () =>
    Effect.gen(function* () {
      const { counts, heard } = yield* open(100, 5000)
      expect(heard).toEqual(upTo(4096))
      expect(counts.lost).toBe(904)
    })
  )

  it.effect("is opened once at a time", () =>
    Effect.gen(function* () {
      const { value } = yield* Simulation.run({
        seed: 1,
        nodes: ["n1"],
        program: () =>
          Effect.gen(function* () {
            const transport = yield* Transport
            yield* Effect.scoped(transport.open(Numbers, () => {}))
            yield* transport.open(Numbers, () => {})
            const error = yield* Effect.flip(transport.open(Numbers, () => {}))
            expect(error).toMatchObject({ _tag: "ChannelInUse", node: "n1", channel: "numbers" })
          }),
        test: () => Effect.as(Effect.sleep(1), "done")
      })
      expect(value).toBe("done")
    })
  )
})

describe("links", () => {
  it.effect("tell of nodes that go and come, and of messages that were dropped", () =>
    Effect.gen(function* () {
      const seen: Array<LinkEvent> = []
      yield* Simulation.run({
        seed: 1,
        nodes: three,
        program: (self) =>
          Effect.gen(function* () {
            const transport = yield* Transport
            if (self !== "n1") return
            const send = yield* transport.open(Numbers, () => {})
            yield* Effect.forkScoped(Stream.runForEach(transport.links, (event) => Effect.sync(() => seen.push(event))))
            yield* Effect.sleep(10)
            send("nobody", 1)
            for (let number = 0; number < 4097; number++) send("n2", number)
          }),
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep(100)
            yield* simulator.crash("n3")
            yield* simulator.restart("n3")
            yield* Effect.sleep(100)
          })
      })
      expect(seen).toEqual([
        { _tag: "Dropped", peer: "nobody", count: 1, reason: "unknown-node" },
        { _tag: "Dropped", peer: "n2", count: 1, reason: "channel-not-open" },
        { _tag: "Down", peer: "n3", reason: "crashed" },
        { _tag: "Up", peer: "n3" }
      ])
    })
  )
})

describe("a partition", () => {
  const scheduled = (direction: "both" | "from" | "to") => [
    { _tag: "Partition", side: ["n1"], direction, atMillis: 20, forMillis: 30 } as const
  ]
  const lost = (numbers: ReadonlyArray<number>) => upTo(100).filter((number) => !numbers.includes(number))
  const between = (from: number, to: number) => upTo(100).filter((number) => number >= from && number < to)

  it.effect("loses what is sent between its sides while it lasts, and nothing else", () =>
    Effect.gen(function* () {
      const { numbers, result } = yield* stream({ scheduled: scheduled("both") })
      // At the very millisecond of its start and end, the sender may come first or last.
      for (const node of ["n2", "n3"]) expect(lost(numbers(node)).slice(1, -1)).toEqual(between(21, 49))
      expect(result.counts.lost).toBeGreaterThanOrEqual(58)
      const inside = yield* stream({ sender: "n2", scheduled: scheduled("both") })
      expect(inside.numbers("n3")).toEqual(upTo(100))
      expect(lost(inside.numbers("n1")).length).toBeGreaterThanOrEqual(29)
    })
  )

  it.effect("one way stops one direction only", () =>
    Effect.gen(function* () {
      const heard = (sender: string, direction: "from" | "to", at: string) =>
        Effect.map(stream({ sender, scheduled: scheduled(direction) }), ({ numbers }) => numbers(at).length)
      expect(yield* heard("n1", "from", "n2")).toBeLessThan(75)
      expect(yield* heard("n2", "from", "n1")).toBe(100)
      expect(yield* heard("n1", "to", "n2")).toBe(100)
      expect(yield* heard("n2", "to", "n1")).toBeLessThan(75)
    })
  )

  it.effect("of the test's own making lasts until it is mended; two of them end one by one", () =>
    Effect.gen(function* () {
      const { at } = yield* stream({
        faults: delayOf(0),
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep(10.5)
            const first = yield* simulator.cut(["n1"], ["n2"])
            const second = yield* simulator.cut(["n1"], ["n2", "n3"])
            yield* Effect.sleep(10)
            yield* first
            yield* first
            yield* Effect.sleep(10)
            yield* second
            yield* Effect.sleep(1000)
          })
      })
      const outside = (sent: ReadonlyArray<{ readonly number: number }>) => sent.map(({ number }) => number)
      expect(outside(at("n2"))).toEqual(upTo(100).filter((number) => number < 11 || number > 30))
      expect(outside(at("n3"))).toEqual(upTo(100).filter((number) => number < 11 || number > 30))
    })
  )

  it.effect("lets messages arrive that were under way before it", () =>
    Effect.gen(function* () {
      const { numbers } = yield* stream({
        faults: delayOf(500),
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep(200)
            yield* simulator.cut(three, three)
            yield* Effect.sleep(1000)
          })
      })
      expect(numbers("n2")).toEqual(upTo(100))
    })
  )
})

describe("the presets", () => {
  it("differ from none in what they are named after only", () => {
    const changed = (faults: Faults.Faults) =>
      (Object.keys(none) as Array<keyof Faults.Faults>).filter((key) => faults[key] !== none[key])
    expect(changed(Faults.lossy)).toEqual(["lossProbability", "duplicationProbability", "reorderProbability"])
    expect(changed(Faults.crash)).toEqual(["crashesPerMinute"])
    expect(changed(Faults.partition)).toEqual(["partitionsPerMinute"])
    expect(changed(Faults.chaos)).toEqual(expect.arrayContaining([...changed(Faults.lossy), "crashesPerMinute"]))
  })
})
