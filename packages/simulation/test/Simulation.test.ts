import { describe, expect, it } from "@effect/vitest"
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { Faults, Simulation } from "@troupe/simulation"
import type { Trace } from "@troupe/trace"
import { type NodeId, Transport } from "@troupe/transport"
import {
  Clock,
  DateTime,
  Deferred,
  Effect,
  HashSet,
  Logger,
  MutableRef,
  Queue,
  Random,
  Schema,
  type Scope,
  Semaphore,
  Tracer
} from "effect"
import { readFile } from "node:fs"
import { Numbers, three, traced, upTo } from "./support.ts"

/** A run of one node, with nothing in it unless said. */
const run = <A = void>(options: Partial<Simulation.Options<unknown, A>>) =>
  Simulation.run<unknown, A>({ seed: 1, nodes: ["n1"], program: () => Effect.void, duration: "10 seconds", ...options })

describe("always", () => {
  it.effect("is looked at after every step, and ends the run at once", () =>
    Effect.gen(function* () {
      let value = 0
      const result = yield* run({
        program: () =>
          Effect.gen(function* () {
            yield* Effect.sleep("1 second")
            value = 7
            yield* Effect.sleep("1 second")
            value = 0
          }),
        properties: [Simulation.always("small", () => value < 5)]
      })
      expect(result.verdicts).toEqual([{ name: "small", kind: "always", holds: false, brokenAtMillis: 1000 }])
      expect(result.violations).toEqual([{ name: "small", atMillis: 1000 }])
      expect([result.ended, result.durationMillis]).toEqual(["violation", 1000])
    })
  )

  it.effect("is noted once and the run goes on, where stopAtViolation is false", () =>
    Effect.gen(function* () {
      const result = yield* run({
        program: () => Effect.sleep("3 seconds"),
        properties: [Simulation.always("never", () => false)],
        stopAtViolation: false
      })
      expect(result.violations).toEqual([{ name: "never", atMillis: 0 }])
      expect([result.ended, result.durationMillis]).toEqual(["quiet", 3000])
    })
  )

  it.effect("sees a state that lasts no longer than one step of an actor", () =>
    Effect.gen(function* () {
      const blip: Protocol.Protocol<number, string, number, string> = {
        name: "test/blip",
        message: Schema.String,
        init: () => 0,
        onCommand: (_before, value, act) => {
          if (value > 0) act.emit("up")
          return value
        },
        onMessage: (state) => state
      }
      const { violations } = yield* run({
        program: () =>
          Effect.gen(function* () {
            const actor = yield* Actor.spawn(blip)
            actor.subscribe(() => actor.tell(0))
            actor.tell(1)
          }),
        properties: [
          Simulation.always("zero", ({ snapshot }) => snapshot("test/blip").every(({ state }) => state === 0))
        ]
      })
      expect(violations).toEqual([{ name: "zero", atMillis: 0 }])
    })
  )
})

describe("snapshots", () => {
  const heard = (name: string, program: Effect.Effect<unknown, unknown, Transport | Scope.Scope>) =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const look = Simulation.always(name, ({ snapshot }) => {
        for (const { alive, state } of snapshot("test/silence")) seen.push(`${state} ${alive}`)
        return true
      })
      yield* run({ program: () => program, properties: [{ ...look, ofSnapshots: true }] })
      return seen
    })

  it.effect("have an actor's first state, before its start", () =>
    Effect.gen(function* () {
      expect((yield* heard("first", Effect.andThen(Effect.sleep(5), Actor.spawn(silence)))).slice(0, 2)).toEqual([
        "0 true",
        "5 true"
      ])
    })
  )

  it.effect("say that an actor is not alive which has stopped, with its scope or for good", () =>
    Effect.gen(function* () {
      expect((yield* heard("scope", Effect.scoped(Actor.spawn(silence)))).at(-1)).toBe("0 false")
      const failing: typeof silence = {
        ...silence,
        onCommand: () => {
          throw new Error("boom")
        }
      }
      const failed = Effect.map(Actor.spawn(failing, { restart: { limit: 0 } }), (actor) => actor.tell(1))
      expect((yield* heard("failed", Effect.provide(failed, Logger.layer([])))).at(-1)).toBe("0 false")
    })
  )
})

describe("sometimes", () => {
  it.effect("holds when it held once, and is broken at the end when it never did", () =>
    Effect.gen(function* () {
      let value = 0
      const { verdicts } = yield* run({
        program: () =>
          Effect.gen(function* () {
            yield* Effect.sleep("1 second")
            value = 1
            yield* Effect.sleep("1 second")
            value = 0
          }),
        properties: [Simulation.sometimes("one", () => value === 1), Simulation.sometimes("two", () => value === 2)]
      })
      expect(verdicts).toEqual([
        { name: "one", kind: "sometimes", holds: true },
        { name: "two", kind: "sometimes", holds: false, brokenAtMillis: 2000 }
      ])
    })
  )
})

describe("eventually", () => {
  it.effect("is looked at when the run is at its end", () =>
    Effect.gen(function* () {
      let value = 0
      const { verdicts } = yield* run({
        program: () =>
          Effect.gen(function* () {
            value = 1
            yield* Effect.sleep("1 second")
            value = 2
          }),
        properties: [Simulation.eventually("two", () => value === 2), Simulation.eventually("one", () => value === 1)]
      })
      expect(verdicts).toEqual([
        { name: "two", kind: "eventually", holds: true },
        { name: "one", kind: "eventually", holds: false, brokenAtMillis: 1000 }
      ])
    })
  )

  it.effect("and sometimes are not due in a run that a violation cut short", () =>
    Effect.gen(function* () {
      const { violations } = yield* run({
        properties: [
          Simulation.always("broken", () => false),
          Simulation.eventually("not due", () => false),
          Simulation.sometimes("not due either", () => false)
        ]
      })
      expect(violations).toEqual([{ name: "broken", atMillis: 0 }])
    })
  )
})

describe("a property", () => {
  it.effect("that throws is broken, and says what it threw", () =>
    Effect.gen(function* () {
      const thrower = (): boolean => {
        throw new Error("bad property")
      }
      const { violations } = yield* run({
        properties: [Simulation.always("a", thrower), Simulation.eventually("b", thrower)],
        stopAtViolation: false
      })
      expect(violations).toEqual([
        { name: "a", atMillis: 0, detail: "it threw Error: bad property" },
        { name: "b", atMillis: 0, detail: "it threw Error: bad property" }
      ])
    })
  )

  it.effect("of a card sees the states of its actors, with the crashed as they died", () =>
    Effect.gen(function* () {
      const snapshots: Array<Card.Snapshot<number>> = []
      const card = {
        guarantees: [
          {
            name: "seen",
            kind: "always",
            description: "Looks.",
            holds: (snapshot) => {
              snapshots.push(snapshot.map((entry) => ({ ...entry })))
              return true
            }
          }
        ]
      } satisfies Pick<Card.Card<number>, "guarantees"> as unknown as Card.Card<number>
      yield* run({
        nodes: three,
        properties: Simulation.fromCard(card, "named"),
        program: (node) =>
          Effect.map(Actor.spawn(counter, { name: "named" }), (actor) => node === "n2" && actor.tell(5)),
        test: (simulator) => Effect.andThen(Effect.sleep(1), simulator.crash("n2"))
      })
      expect(snapshots.at(-1)!.toSorted((a, b) => (a.node < b.node ? -1 : 1))).toEqual([
        { node: "n1", alive: true, state: 0 },
        { node: "n2", alive: false, state: 5 },
        { node: "n3", alive: true, state: 0 }
      ])
    })
  )
})

const counter: Protocol.Protocol<number, number, number> = {
  name: "test/counter",
  message: Schema.Number,
  init: () => 0,
  onCommand: (sum, amount, act) => {
    if (amount < 0) act.sendAll(act.self.peers, amount)
    return sum + amount
  },
  onMessage: (sum, _from, amount) => {
    if (amount < 0) throw new Error("negative")
    return sum + amount
  }
}

describe("a run", () => {
  it.effect("ends when nothing is left to happen, when time is up, or with its test", () =>
    Effect.gen(function* () {
      const ends = (options: Partial<Simulation.Options<unknown, string>>) =>
        Effect.map(run<string>(options), ({ durationMillis, ended, value }) => [ended, durationMillis, value])
      expect(yield* ends({ program: () => Effect.sleep("3 seconds") })).toEqual(["quiet", 3000, undefined])
      expect(yield* ends({ program: () => Effect.sleep("30 seconds") })).toEqual(["time", 10_000, undefined])
      expect(yield* ends({ test: () => Effect.as(Effect.sleep("2 seconds"), "tested") })).toEqual([
        "test",
        2000,
        "tested"
      ])
    })
  )

  it.effect("is not kept from its end by timers that were cancelled", () =>
    Effect.gen(function* () {
      const { durationMillis } = yield* run({ program: () => Effect.timeout(Effect.sleep("1 second"), "9 seconds") })
      expect(durationMillis).toBe(1000)
    })
  )

  it.effect("keeps no million of cancelled timers", () =>
    Effect.gen(function* () {
      const before = process.memoryUsage().heapUsed
      yield* run({
        duration: "1 day",
        program: () =>
          Effect.gen(function* () {
            for (let i = 0; i < 100_000; i++) yield* Effect.timeout(Effect.sleep(1), "100 days")
          })
      })
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(100e6)
    })
  )

  it.effect("that a program fails in is a violation with the cause", () =>
    Effect.gen(function* () {
      const { ended, violations } = yield* run({
        nodes: three,
        program: (node) => (node === "n2" ? Effect.andThen(Effect.sleep(5), Effect.fail("no luck")) : Effect.never)
      })
      expect(ended).toBe("violation")
      expect(violations).toEqual([
        { name: "a program failed", atMillis: 5, detail: expect.stringMatching(/^n2: .*no luck/) }
      ])
    })
  )

  it.effect("that a raw handler throws in is one too; an actor starts again instead", () =>
    Effect.gen(function* () {
      const raw = yield* run({
        program: () =>
          Effect.gen(function* () {
            const transport = yield* Transport
            const send = yield* transport.open(Numbers, () => {
              throw new Error("raw")
            })
            send("n1", 1)
          })
      })
      expect(raw.violations).toEqual([
        { name: "a program failed", atMillis: 0, detail: expect.stringContaining("raw") }
      ])
      const actor = yield* run({
        nodes: ["n1", "n2"],
        program: (node) => Effect.map(Actor.spawn(counter), (counter) => node === "n1" && counter.tell(-1))
      })
      expect(actor.violations).toEqual([])
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.effect("of a fiber that spins ends all the same", () =>
    Effect.gen(function* () {
      const { durationMillis, ended } = yield* run({
        duration: "1 second",
        program: () => Effect.forever(Effect.yieldNow)
      })
      expect([ended, durationMillis]).toEqual(["time", 1000])
    })
  )

  it.effect("tells each fault, message and step of an actor", () =>
    Effect.gen(function* () {
      const { events } = yield* traced({
        seed: 1,
        nodes: ["n1", "n2"],
        faults: { delayMillisMin: 5, delayMillisMax: 5 },
        program: (node) => Effect.map(Actor.spawn(echo), (actor) => node === "n1" && actor.tell(3)),
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep(20)
            yield* simulator.cut(["n1"], ["n2"])
            yield* simulator.crash("n2")
            yield* simulator.restart("n2")
            yield* simulator.pause("n2")
            yield* simulator.unpause("n2")
            yield* simulator.jump("n2", "2 seconds")
            yield* Effect.sleep(20)
          })
      })
      const actor = "test/echo"
      const start = { _tag: "Step", actor, input: { _tag: "Start" }, actions: [], state: null } as const
      // Two nodes start in the order that the seed picks.
      const key = (event: Trace.Event) =>
        "node" in event ? `${event.node} ${event.clock[event.node]}` : event._tag === "Note" ? event.text : event._tag
      const inOrder = (all: ReadonlyArray<Trace.Event>) => all.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
      expect(inOrder(events)).toEqual(
        inOrder([
          { ...start, node: "n1", clock: { n1: 1 }, atMillis: 0 },
          { ...start, node: "n2", clock: { n2: 1 }, atMillis: 0 },
          {
            _tag: "Step",
            node: "n1",
            clock: { n1: 2 },
            atMillis: 0,
            actor,
            input: { _tag: "Command", command: 3 },
            actions: [{ _tag: "Send", id: 1, to: "n2", message: 3 }],
            state: null
          },
          {
            _tag: "Step",
            node: "n2",
            clock: { n1: 2, n2: 2 },
            atMillis: 5,
            actor,
            input: { _tag: "Message", from: "n1", message: 3, id: 1 },
            actions: [{ _tag: "Emit", event: 3 }],
            state: null
          },
          {
            _tag: "Note",
            text: "what n1 sends to n2 is lost from now on",
            broken: false,
            nodes: ["n1"],
            atMillis: 20
          },
          { _tag: "Crash", node: "n2", clock: { n1: 2, n2: 3 }, atMillis: 20 },
          { _tag: "Restart", node: "n2", clock: { n1: 2, n2: 4 }, atMillis: 20 },
          { _tag: "Note", text: "stands still", broken: false, nodes: ["n2"], atMillis: 20 },
          { _tag: "Note", text: "goes on", broken: false, nodes: ["n2"], atMillis: 20 },
          { _tag: "Note", text: "its clock jumps by 2000 ms", broken: false, nodes: ["n2"], atMillis: 20 },
          { ...start, node: "n2", clock: { n1: 2, n2: 5 }, atMillis: 20 }
        ])
      )
    })
  )

  it.effect("holds a thousand nodes", () =>
    Effect.gen(function* () {
      const nodes = upTo(1000).map((at) => `n${at}`)
      const { counts } = yield* run({
        nodes,
        program: (node) => Effect.map(Actor.spawn(counter), (actor) => actor.tell(Number(node.slice(1))))
      })
      expect(counts.steps).toBeGreaterThanOrEqual(1000)
    })
  )

  it.effect("gives each node random numbers of its own, and each life others", () =>
    Effect.gen(function* () {
      const drawn: Array<number> = []
      yield* run({
        nodes: three,
        program: () => Effect.map(Random.next, (number) => drawn.push(number)),
        test: (simulator) =>
          Effect.andThen(simulator.crash("n1"), Effect.andThen(simulator.restart("n1"), Effect.sleep(1)))
      })
      expect(new Set(drawn).size).toBe(drawn.length)
      expect(drawn.length).toBeGreaterThanOrEqual(3)
    })
  )
})

const echo: Protocol.Protocol<null, number, number, number> = {
  name: "test/echo",
  message: Schema.Number,
  init: () => null,
  onCommand: (state, number, act) => {
    act.sendAll(act.self.peers, number)
    return state
  },
  onMessage: (state, _from, number, act) => {
    act.emit(number)
    return state
  }
}

describe("a deadlock", () => {
  it.effect("is named when the test waits and nothing can wake it", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        run({
          seed: 5,
          test: () => Effect.andThen(Effect.sleep("2 seconds"), Deferred.await(Deferred.makeUnsafe<void>()))
        })
      )
      expect(error).toMatchObject({ _tag: "Deadlock", seed: 5, atMillis: 2000 })
      expect(error.message).toBe(
        "Seed 5: at 2000 ms the test waits, and no task, timer or message is left that could wake it."
      )
    })
  )

  it.effect("is none when programs wait for messages and there is no test", () =>
    Effect.gen(function* () {
      const { ended, violations } = yield* run({ program: () => Effect.never })
      expect([ended, violations]).toEqual(["quiet", []])
    })
  )
})

describe("foreign asynchrony is named, with the place that made it", () => {
  const here = (error: Simulation.SimulationError) =>
    error._tag === "ForeignAsync" ? { kind: error.kind, madeAt: error.madeAt } : error

  const cases: Record<string, { readonly kind: string; readonly program: Effect.Effect<unknown, unknown, never> }> = {
    "a promise that is done at once": { kind: "PROMISE", program: Effect.promise(async () => 1) },
    "a promise that is never done": { kind: "PROMISE", program: Effect.promise(() => new Promise(() => {})) },
    "a real timer": {
      kind: "Timeout",
      program: Effect.callback<void>((resume) => {
        const timer = setTimeout(() => resume(Effect.void), 1)
        return Effect.sync(() => clearTimeout(timer))
      })
    },
    "a real timer that nobody waits for": { kind: "Timeout", program: Effect.sync(() => void setTimeout(() => {}, 1)) },
    "a microtask": {
      kind: "Microtask",
      program: Effect.callback<void>((resume) => queueMicrotask(() => resume(Effect.void)))
    },
    "a fetch": {
      kind: "PROMISE",
      program: Effect.tryPromise(() => fetch("http://127.0.0.1:1/").then((response) => response.text()))
    },
    "a file that is read": {
      kind: "FSREQCALLBACK",
      program: Effect.callback<void>((resume) => readFile(import.meta.filename, () => resume(Effect.void)))
    },
    "a fiber outside of the world": { kind: "Immediate", program: Effect.sync(() => Effect.runFork(Effect.yieldNow)) }
  }

  for (const [name, { kind, program }] of Object.entries(cases)) {
    it.effect(`${name}, also when the run goes on without it`, () =>
      Effect.gen(function* () {
        const errors = [
          yield* Effect.flip(run({ seed: 9, program: () => program })),
          yield* Effect.flip(run({ seed: 9, program: () => Effect.andThen(program, Effect.sleep("20 seconds")) })),
          yield* Effect.flip(run({ seed: 9, test: () => Effect.asVoid(program) }))
        ]
        for (const error of errors) {
          expect(here(error)).toEqual({ kind, madeAt: expect.stringMatching(/test\/Simulation\.test\.ts:\d+:\d+\)?$/) })
          expect(error.message).toMatch(
            /^Seed 9: the run depends on a .* of the real world, made at .*Simulation.test.ts/
          )
        }
      })
    )
  }

  it.effect("by the user's own line", () =>
    Effect.gen(function* () {
      const line = Number(/:(\d+):\d+\)?$/.exec(new Error().stack!.split("\n")[1]!)![1])
      const error = yield* Effect.flip(run({ program: () => Effect.promise(() => Promise.resolve(1)) }))
      expect(here(error)).toEqual({
        kind: "PROMISE",
        madeAt: expect.stringContaining(`Simulation.test.ts:${line + 1}:`)
      })
    })
  )

  it.effect("but what the console and the trace make is none", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => console.debug(message))
      const options = {
        program: () => Effect.log("hello"),
        trace: () => void Promise.resolve().then(() => lines.push(""))
      }
      const { violations } = yield* Effect.provide(run(options), Logger.layer([logger]))
      expect(violations).toEqual([])
    })
  )
})

describe("what reads the machine behind Effect's back", () => {
  it.effect("reads virtual time and the seed, and the machine again after the run", () =>
    Effect.gen(function* () {
      const readings = () => {
        const all: Array<unknown> = []
        const program = () =>
          Effect.gen(function* () {
            yield* Effect.sleep(1500)
            expect(Date.now()).toBe(yield* Clock.currentTimeMillis)
            expect(DateTime.toEpochMillis(yield* DateTime.now)).toBe(Date.now())
            expect(performance.now()).toBe(1500)
            const refs = HashSet.make(...upTo(20).map((number) => MutableRef.make(number)))
            all.push(Math.random(), [...refs].map(MutableRef.get))
          })
        return Effect.map(run({ program }), ({ violations }) => {
          expect(violations).toEqual([])
          return all
        })
      }
      const machine = [Math.random, Date.now, performance.now]
      const first = yield* readings()
      expect(first.length).toBe(2)
      expect(yield* readings()).toEqual(first)
      expect([Math.random, Date.now, performance.now]).toEqual(machine)
    })
  )

  it.effect("are not the spans: their ids are of the seed, unless a tracer is provided", () =>
    Effect.gen(function* () {
      const ids = (seed: number) => {
        const all: Array<string> = []
        const span = Effect.withSpan(Effect.orDie(Effect.currentSpan), "work")
        const program = () => Effect.map(span, ({ spanId, traceId }) => all.push(spanId, traceId))
        return Effect.as(run({ seed, program }), all)
      }
      const first = yield* ids(1)
      expect(first.map((id) => id.length)).toEqual([16, 32])
      expect(yield* ids(1)).toEqual(first)
      expect(yield* ids(2)).not.toEqual(first)
      const given = Tracer.make({
        span: (options) => Object.assign(new Tracer.NativeSpan(options), { _spanId: "mine", _traceId: "own" })
      })
      expect(yield* Effect.provideService(ids(1), Tracer.Tracer, given)).toEqual(["mine", "own"])
    })
  )

  it.effect("are not the ids of fibers in a failure's detail, which go on counting from run to run", () =>
    Effect.gen(function* () {
      const detail = Effect.map(run({ program: () => Effect.interrupt }), ({ violations }) => violations[0]!.detail)
      const first = yield* detail
      expect(first).toContain("interrupted")
      expect(yield* detail).toBe(first)
    })
  )
})

describe("races between fibers of one node", () => {
  const race = (seed: number, options: Partial<Simulation.Options<unknown>>, guarded: boolean) => {
    let balance = 0
    const lock = Semaphore.makeUnsafe(1)
    const deposit = Effect.gen(function* () {
      const before = yield* Effect.sync(() => balance)
      yield* Effect.sync(() => (balance = before + 1))
    })
    const safe = guarded ? Semaphore.withPermits(lock, 1)(deposit) : deposit
    return Effect.map(
      run({
        seed,
        ...options,
        program: () => Effect.all([safe, safe], { concurrency: 2 }),
        properties: [Simulation.eventually("both deposits count", () => balance === 2)]
      }),
      ({ violations }) => violations.length > 0
    )
  }
  const failing = (options: Partial<Simulation.Options<unknown>>, guarded = false) =>
    Effect.map(
      Effect.forEach(upTo(200), (seed) => race(seed, options, guarded)),
      (failed) => failed.filter(Boolean).length
    )

  it.effect("show in some seeds, and in none when fibers yield only where they say so", () =>
    Effect.gen(function* () {
      expect(yield* failing({})).toBeGreaterThan(0)
      const often = yield* failing({ yieldProbability: 0.2 })
      expect(often).toBeGreaterThan(20)
      expect(often).toBeLessThan(200)
      expect(yield* failing({ yieldProbability: 0 })).toBe(0)
    })
  )

  it.effect("show in no seed when a lock prevents them", () =>
    Effect.gen(function* () {
      expect(yield* failing({ yieldProbability: 0.5 }, true)).toBe(0)
    })
  )

  it.effect("don't touch the order of one queue", () =>
    Effect.gen(function* () {
      for (const seed of upTo(50)) {
        const taken: Array<number> = []
        yield* run({
          seed,
          yieldProbability: 0.5,
          program: () =>
            Effect.gen(function* () {
              const queue = yield* Queue.bounded<number>(4)
              const taker = Effect.forEach(upTo(20), () =>
                Effect.map(Queue.take(queue), (number) => taken.push(number))
              )
              const giver = Effect.forEach(upTo(20), (number) => Queue.offer(queue, number))
              yield* Effect.all([taker, giver], { concurrency: 2 })
            })
        })
        expect(taken).toEqual(upTo(20))
      }
    })
  )
})

describe("options that cannot be are refused", () => {
  const refusals: Record<string, readonly [Partial<Simulation.Options<unknown>>, string]> = {
    "a seed that is no whole number": [{ seed: 1.5 }, "the seed 1.5 is not a whole number"],
    "no nodes": [{ nodes: [] }, "there are no nodes"],
    "a node named twice": [{ nodes: ["n1", "n2", "n1"] }, `two nodes are named "n1"`],
    "a name that is none": [{ nodes: [""] }, `"" cannot name a node`],
    "a probability above 1": [{ faults: { lossProbability: 2 } }, "lossProbability"],
    "a rate that is no number": [{ faults: { crashesPerMinute: NaN } }, "crashesPerMinute"],
    "a yieldProbability below 0": [{ yieldProbability: -1 }, "yieldProbability is not between 0 and 1"],
    "a fault that the plan does not have": [{ keep: [9] }, "the plan has 0 faults, and none of index 9"],
    "delays the wrong way round": [
      { faults: { delayMillisMin: 20, delayMillisMax: 10 } },
      "delayMillisMax is below delayMillisMin"
    ],
    "spans the wrong way round": [{ faults: { pauseMillisMin: 1e6 } }, "pauseMillisMax is below pauseMillisMin"],
    "a duration below 0": [{ duration: -1 }, "duration is not a duration between 0 and 104 days"],
    "a duration that is none": [
      { duration: "soon" as "1 second" },
      "duration is not a duration between 0 and 104 days"
    ],
    "a planned length without end": [{ planned: "Infinity" }, "planned is not a duration between 0 and 104 days"],
    "too many faults": [
      { faults: { crashesPerMinute: 1e9 }, duration: "1 minute" },
      "a plan of 1000000000 faults is above 100000"
    ],
    "a scheduled fault of an unknown node": [
      { scheduled: [{ _tag: "Crash", node: "n9", atMillis: 1, forMillis: 1 }] },
      `a scheduled Crash names "n9", which is no node`
    ],
    "a scheduled fault before the start": [
      { scheduled: [{ _tag: "Pause", node: "n1", atMillis: -1, forMillis: 1 }] },
      "a scheduled Pause has a time that is not a number of milliseconds from 0"
    ],
    "a delay of a link below 0": [
      { nodes: ["n1", "n2"], delays: () => ({ minMillis: -1, maxMillis: 2 }) },
      "the delay from n1 to n1, -1 to 2 ms, is not between 0 and 1e12, the lesser first"
    ],
    "a delay of a link the wrong way round": [
      { nodes: ["n1", "n2"], delays: (from) => (from === "n2" ? { minMillis: 3, maxMillis: 2 } : undefined) },
      "the delay from n2 to n1, 3 to 2 ms"
    ],
    "delays of too many links": [
      { nodes: Array.from({ length: 1_001 }, (_, at) => `n${at}`), delays: () => undefined },
      "delays are for 1000 nodes at the most"
    ]
  }

  for (const [name, [options, reason]] of Object.entries(refusals)) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(run(options))
        expect(error._tag).toBe("InvalidOptions")
        expect(error.message).toContain(reason)
      })
    )
  }
})

describe("a failing seed", () => {
  // The planted bug: n2 is down while n1 does not hear n3.
  const planted: Partial<Simulation.Options<unknown>> & Pick<Simulation.Options<unknown>, "nodes" | "program"> = {
    nodes: three,
    faults: { ...Faults.chaos, crashesPerMinute: 10, partitionsPerMinute: 6 },
    duration: "1 minute",
    program: (node: NodeId.NodeId) =>
      Effect.gen(function* () {
        const actor = yield* Actor.spawn(silence)
        if (node === "n3")
          yield* Effect.forever(
            Effect.andThen(
              Effect.sync(() => actor.tell(1)),
              Effect.sleep(100)
            )
          )
      }),
    properties: [
      Simulation.always("n2 is up or n1 hears n3", ({ isAlive, nowMillis, snapshot }) => {
        const n1 = snapshot("test/silence").find(({ node }) => node === "n1")
        return isAlive("n2") || n1 === undefined || !n1.alive || nowMillis - n1.state < 1000
      })
    ]
  }

  it.effect("is found by a search, and shrunk to the fewest faults and the shortest time", () =>
    Effect.gen(function* () {
      const progress: Array<number> = []
      const found = yield* Simulation.search({
        ...planted,
        seeds: { first: 1, last: 20 },
        onProgress: ({ runs }) => Effect.sync(() => progress.push(runs))
      })
      expect(progress).toEqual(upTo(20).map((at) => at + 1))
      expect(found.runs).toBe(20)
      expect(found.failed).toBeGreaterThan(0)
      expect(found.failures.length).toBe(found.failed)
      expect(found.broken).toEqual([
        { name: "n2 is up or n1 hears n3", runs: found.failed, firstSeed: found.failures[0]!.seed }
      ])
      const { replay, result, runs } = found.shrunk!
      expect(runs).toBeLessThanOrEqual(200)
      expect(replay.keep.length).toBeLessThanOrEqual(3)
      expect(replay.keep.length).toBeLessThan(found.failures[0]!.faults.length)
      expect(replay.faults).toMatchObject({
        lossProbability: 0,
        duplicationProbability: 0,
        reorderProbability: 0,
        clockSkewMillisMax: 0,
        clockDriftPpmMax: 0
      })
      expect(result.violations).toEqual([{ name: "n2 is up or n1 hears n3", atMillis: expect.any(Number) }])
      expect(replay.durationMillis).toBe(Math.ceil(result.violations[0]!.atMillis))
      expect(result.faults.map(({ index }) => index)).toEqual(replay.keep)

      // Without any one of the faults, it does not fail.
      const again = (keep: ReadonlyArray<number>) =>
        traced({
          ...planted,
          seed: replay.seed,
          keep,
          duration: replay.durationMillis,
          planned: replay.plannedMillis,
          faults: replay.faults
        })
      for (const left of replay.keep) {
        const { result } = yield* again(replay.keep.filter((index) => index !== left))
        expect(result.violations).toEqual([])
      }

      // The replay is the shrunk run, each time.
      const replayed = yield* again(replay.keep)
      expect(replayed.result).toEqual(result)
      expect((yield* again(replay.keep)).trace).toBe(replayed.trace)
      expect(replayed.events.at(-1)).toMatchObject({ _tag: "Note", text: "n2 is up or n1 hears n3", broken: true })
    })
  )

  it.effect("is shrunk though its test waits in vain where a fault is left out", () =>
    Effect.gen(function* () {
      const { shrunk } = yield* Simulation.search({
        ...planted,
        faults: Faults.crash,
        program: () => Effect.void,
        test: ({ world }) =>
          Effect.gen(function* () {
            const crashed = yield* Effect.sleep(10).pipe(
              Effect.repeat({ until: () => !world.isAlive("n2"), times: 3000 }),
              Effect.map(() => !world.isAlive("n2"))
            )
            return crashed ? yield* Effect.fail("n2 is down") : yield* Effect.never
          }),
        properties: [],
        seeds: { first: 1, last: 1 }
      })
      expect(shrunk!.result.violations.map(({ name }) => name)).toEqual(["the test failed"])
      expect(shrunk!.result.faults).toMatchObject([{ _tag: "Crash", node: "n2" }])
    })
  )

  it.effect("of a race is shrunk to no fault at all", () =>
    Effect.gen(function* () {
      let value = 0
      const { shrunk } = yield* Simulation.search({
        ...planted,
        program: () =>
          Effect.andThen(
            Effect.sleep("5 seconds"),
            Effect.sync(() => value++)
          ),
        properties: [Simulation.always("value", ({ nowMillis }) => nowMillis < 5000)],
        seeds: { first: 1, last: 3 }
      })
      expect(shrunk!.replay).toMatchObject({ seed: 1, keep: [], plannedMillis: 60_000 })
      expect(shrunk!.replay.durationMillis).toBeLessThanOrEqual(5100)
    })
  )

  it.effect("is none where every property holds: there is nothing to shrink", () =>
    Effect.gen(function* () {
      const options = { seed: 1, nodes: three, program: () => Effect.void }
      const fine = yield* Simulation.run(options)
      const error = yield* Effect.flip(Simulation.shrink(options, fine))
      expect(error.message).toContain("seed 1 broke no property")
      const searched = yield* Simulation.search({ ...options, seeds: { first: 3, last: 5 } })
      expect(searched).toEqual({ runs: 3, delivered: 0, failures: [], failed: 0, broken: [], shrunk: undefined })
      expect(yield* Effect.flip(Simulation.search({ ...options, seeds: { first: 5, last: 3 } }))).toMatchObject({
        _tag: "InvalidOptions"
      })
    })
  )

  it.effect("keeps a thousandth of what it does not show: 100 failures at the most", () =>
    Effect.gen(function* () {
      const found = yield* Simulation.search({
        nodes: ["n1"],
        program: () => Effect.void,
        properties: [Simulation.always("never", () => false)],
        seeds: { first: 1, last: 150 }
      })
      expect([found.failed, found.failures.length]).toEqual([150, 100])
    })
  )
})

/** Knows when it last heard of n3. */
const silence: Protocol.Protocol<number, string, number> = {
  name: "test/silence",
  message: Schema.String,
  init: () => 0,
  onStart: (_state, act) => act.now() - Date.UTC(2020, 0, 1),
  onCommand: (state, _beat, act) => {
    act.send("n1", "beat")
    return state
  },
  onMessage: (_state, _from, _beat, act) => act.now() - Date.UTC(2020, 0, 1)
}
