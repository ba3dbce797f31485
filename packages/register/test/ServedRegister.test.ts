import { Protocol } from "@troupe/actor"
import { History, Linearizable } from "@troupe/consistency"
import {
  InvalidOptions,
  MemoryRegister,
  Refused,
  Register,
  ServedRegister,
  typed,
  Unavailable,
  WrongValue
} from "@troupe/register"
import { Faults, Simulation } from "@troupe/simulation"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { busy, nodesOf, versioned } from "./histories.ts"

const { card, protocol } = ServedRegister
const guarantees = Simulation.fromCard(card, protocol.name)

const build = (options?: ServedRegister.LayerOptions) => Layer.build(ServedRegister.layer(options))

/** What clients on all nodes saw in a run, and whether the card's guarantees held. */
const observe = (options: {
  readonly seed: number
  readonly nodes: number
  readonly faults?: Partial<Faults.Faults>
  readonly register?: ServedRegister.LayerOptions
}) =>
  Effect.gen(function* () {
    const events: Array<History.Event> = []
    const lives = new Map<string, number>()
    const { counts, violations } = yield* Simulation.run({
      seed: options.seed,
      nodes: nodesOf(options.nodes),
      faults: { ...Faults.none, ...options.faults },
      properties: guarantees,
      program: (node) =>
        Effect.gen(function* () {
          // A client that comes back from a crash is another one: what it asked before stays open.
          const life = (lives.get(node) ?? 0) + 1
          lives.set(node, life)
          const context = yield* build(options.register)
          yield* Effect.provide(busy(events, `${node}.${life}`, 12), context)
        })
    })
    return { counts, events, violations, verdict: Linearizable.check(History.make(events), versioned) }
  })

describe("registers that one node serves are linearizable (Herlihy & Wing 1990)", () => {
  const worlds: Readonly<Record<string, Partial<Faults.Faults>>> = {
    ...Object.fromEntries(card.assumes.tolerates.map((faults) => [faults, Faults.presets[faults]])),
    "one message in three lost, one in three doubled, half of them overtaking": {
      lossProbability: 0.3,
      duplicationProbability: 0.3,
      reorderProbability: 0.5,
      delayMillisMax: 200
    }
  }
  it.live.each(Object.entries(worlds))("under faults: %s", ([, faults]) =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 150; seed++) {
        const { verdict, violations } = yield* observe({ seed, nodes: 4, faults })
        expect({ seed, violations, verdict: verdict._tag }).toEqual({ seed, violations: [], verdict: "Ok" })
      }
    })
  )

  it.live("and when callers crash and come back, though not their host", () =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 100; seed++) {
        const events: Array<History.Event> = []
        let life = 0
        yield* Simulation.run({
          seed,
          nodes: nodesOf(3),
          faults: Faults.lossy,
          scheduled: [1, 3, 5, 7].map((second, at) => ({
            _tag: "Crash",
            node: `n${2 + (at % 2)}`,
            atMillis: second * 300 + seed,
            forMillis: 50
          })),
          program: () =>
            Effect.flatMap(build(), (context) => Effect.provide(busy(events, `client${++life}`, 8), context))
        })
        expect(life).toBe(7)
        expect(Linearizable.check(History.make(events), versioned)._tag).toBe("Ok")
      }
    })
  )

  it.live("the host forgets: a host that crashes breaks it, as the card says", () =>
    Effect.gen(function* () {
      const verdicts = new Set<string>()
      for (let seed = 1; seed <= 40; seed++) {
        verdicts.add(
          (yield* observe({ seed, nodes: 3, faults: { ...Faults.crash, crashesPerMinute: 60 } })).verdict._tag
        )
      }
      expect(verdicts).toContain("Violated")
    })
  )

  it.live(
    "no host, no answer: a call ends as Unavailable when it is given up, and succeeds when the network is whole",
    () =>
      Effect.gen(function* () {
        const ends: Array<string> = []
        const { violations } = yield* Simulation.run({
          seed: 1,
          nodes: nodesOf(2),
          program: (node) =>
            Effect.gen(function* () {
              const register = Context.get(yield* build({ giveUp: "2 seconds" }), Register)
              if (node === "n1") return
              yield* Effect.sleep("1 second")
              const failure = yield* Effect.flip(register.compareAndSet("x", 0, 1))
              expect(failure).toBeInstanceOf(Unavailable)
              ends.push(failure.message)
              yield* Effect.sleep("5 seconds")
              expect(yield* register.compareAndSet("x", 0, 2)).toEqual({ _tag: "Set", version: 1 })
              ends.push("set")
            }),
          test: (simulator) =>
            Effect.gen(function* () {
              const mend = yield* simulator.cut(["n2"], ["n1"])
              yield* Effect.sleep("4 seconds")
              yield* mend
              yield* Effect.sleep("10 seconds")
            })
        })
        expect(violations).toEqual([])
        expect(ends).toEqual([expect.stringContaining("n1 has not answered"), "set"])
      })
  )
})

describe("it costs 2 messages a call, and none on the host", () => {
  it.live.each([1, 2, 3, 5, 10, 25, 49])("N = %d", (nodes) =>
    Effect.gen(function* () {
      const { counts, events, verdict } = yield* observe({ seed: nodes, nodes, faults: { delayMillisMax: 2 } })
      expect(verdict._tag).toBe("Ok")
      const asked = events.filter(({ process, type }) => type === "invoke" && process !== "n1.1")
      expect(counts.sent).toBe(asked.length * card.cost.worst.of(nodes))
      expect(card.cost.best.of(nodes)).toBe(0)
    })
  )
})

describe("the host does a compare-and-set once (Birrell & Nelson 1984, §3)", () => {
  const self = Protocol.self("n1", ["n1", "n2"], ServedRegister.defaults)
  const request = (
    number: number,
    expected: number,
    text = "1",
    acknowledged = 0,
    life = 7
  ): ServedRegister.Message => ({
    ...{ _tag: "Request", life, request: number, acknowledged },
    call: { _tag: "CompareAndSet", name: "x", expected, text }
  })
  const receive = (state: ServedRegister.State, message: ServedRegister.Message) =>
    Protocol.step(protocol, self, state, { _tag: "Message", from: "n2", message })
  const first = receive(protocol.init(self), request(1, 0))

  it("a request that comes again is answered as the first time, and changes nothing", () => {
    const again = receive(first.state, request(1, 0))
    expect(again.actions).toEqual(first.actions)
    expect(again.state).toBe(first.state)
  })

  it("one that was refused stays refused, though it would succeed now", () => {
    const early = receive(protocol.init(self), request(1, 1))
    expect(early.actions).toMatchObject([{ message: { answer: { _tag: "Is", version: 0 } } }])
    const set = receive(early.state, request(2, 0))
    const again = receive(set.state, request(1, 1))
    expect(again.actions).toEqual(early.actions)
    expect(again.state.cells.get("x")).toEqual({ version: 1, text: "1" })
  })

  it("an answer that its caller knows is forgotten, and its request, come late, ignored", () => {
    const second = receive(first.state, request(2, 1, "2", 1))
    expect(second.state.callers.get("n2")).toEqual([
      { life: 7, acknowledged: 1, answers: [{ request: 2, answer: { _tag: "Set", version: 2 } }] }
    ])
    expect(receive(second.state, request(1, 0, "1", 0))).toEqual({ state: second.state, actions: [] })
  })

  it("an earlier life of a node is told from the present one, and the oldest of five forgotten", () => {
    const lives = [1, 2, 3, 4, 5].reduce(
      (state, life) => receive(state, request(1, 0, "1", 0, life)).state,
      first.state
    )
    expect(lives.callers.get("n2")!.map(({ life }) => life)).toEqual([2, 3, 4, 5])
    expect(lives.cells.get("x")).toEqual({ version: 1, text: "1" })
  })

  it("a request is not taken whose number is out of all bounds", () => {
    expect(receive(first.state, request(1_000, 1)).actions).toEqual([])
  })
})

describe("a caller", () => {
  const self = Protocol.self("n2", ["n1", "n2"], ServedRegister.defaults)
  const read = { _tag: "Read", name: "x" } as const
  const ask = (state: ServedRegister.State, number: number) =>
    Protocol.step(protocol, self, state, { _tag: "Command", command: { _tag: "Call", request: number, call: read } })
  const wait = (state: ServedRegister.State) =>
    Protocol.step(protocol, self, state, { _tag: "Timeout", timer: "retry" })

  it("asks again after 2, 4, 8, 16, … times, and gives up after 100", () => {
    let { state } = ask(protocol.init(self), 1)
    const sent: Array<number> = []
    for (let age = 1; age <= 100; age++) {
      const { actions, state: next } = wait(state)
      state = next
      if (actions.some(({ _tag }) => _tag === "Send")) sent.push(age)
      if (age === 100) expect(actions).toMatchObject([{ _tag: "Emit", event: { _tag: "GivenUp", request: 1 } }])
    }
    expect(sent).toEqual([2, 4, 8, 16, 32, 64])
    expect(state.open).toEqual([])
  })

  it("has no more than 256 calls under way", () => {
    let { state } = ask(protocol.init(self), 1)
    for (let number = 2; number <= 256; number++) state = ask(state, number).state
    expect(state.open).toHaveLength(256)
    expect(ask(state, 257).actions).toMatchObject([{ _tag: "Emit", event: { _tag: "GivenUp", request: 257 } }])
  })

  it("believes no answer that is not its host's, and none to an earlier life", () => {
    const { state } = ask(protocol.init(self), 1)
    const reply = { _tag: "Reply", life: 0, request: 1, answer: { _tag: "Is", version: 3, text: "3" } } as const
    const hear = (from: string, life: number) =>
      Protocol.step(protocol, self, state, { _tag: "Message", from, message: { ...reply, life } }).state
    expect(hear("n3", 0)).toBe(state)
    expect(hear("n1", 9)).toBe(state)
    expect(hear("n1", 0).open).toEqual([])
  })
})

describe("bad input", () => {
  const inMemory = <A, E>(use: (register: Register["Service"]) => Effect.Effect<A, E>) =>
    Effect.flatMap(Register, use).pipe(Effect.provide(MemoryRegister.layer(MemoryRegister.make())))

  it.effect.each([
    ["", 0, 1],
    ["n".repeat(256), 0, 1],
    ["x", -1, 1],
    ["x", 0.5, 1],
    ["x", NaN, 1],
    ["x", 0, "a".repeat(65_536)],
    ["x", 0, undefined as never]
  ] as const)("a name, version or value out of bounds is refused: %#", ([name, expected, value]) =>
    inMemory((register) =>
      Effect.map(Effect.flip(register.compareAndSet(name, expected, value)), (error) =>
        expect(error).toBeInstanceOf(Refused)
      )
    )
  )

  it.effect("there are 1,024 registers and no more; those that are there go on", () =>
    inMemory((register) =>
      Effect.gen(function* () {
        for (let i = 0; i < 1024; i++) yield* register.compareAndSet(`r${i}`, 0, i)
        expect((yield* Effect.flip(register.compareAndSet("one more", 0, 1)))._tag).toBe("Refused")
        expect(yield* register.compareAndSet("r7", 1, "again")).toEqual({ _tag: "Set", version: 2 })
        expect(yield* register.read("one more")).toEqual({ version: 0, value: null })
      })
    )
  )

  it.effect("names of Object's own are names like any other", () =>
    inMemory((register) =>
      Effect.gen(function* () {
        expect(yield* register.read("__proto__")).toEqual({ version: 0, value: null })
        yield* register.compareAndSet("constructor", 0, 1)
        expect(yield* register.read("constructor")).toEqual({ version: 1, value: 1 })
      })
    )
  )

  it.live.each([
    { host: "n9" },
    { retry: 0 },
    { retry: NaN },
    { giveUp: "1 millis" },
    { giveUp: "2 hours" },
    { giveUp: "soon" as never }
  ] as ReadonlyArray<ServedRegister.LayerOptions>)("an option that makes no sense: %o", (options) =>
    Effect.gen(function* () {
      let error: unknown
      yield* Simulation.run({
        seed: 1,
        nodes: nodesOf(2),
        program: () => Effect.map(Effect.flip(build(options)), (failure) => (error = failure))
      })
      expect(error).toBeInstanceOf(InvalidOptions)
    })
  )
})

describe("a register of a schema", () => {
  const When = Schema.Struct({ at: Schema.DateFromString })

  it.effect("hands values on as what they are", () =>
    Effect.gen(function* () {
      const { service } = MemoryRegister.make()
      const when = typed(service, "when", When)
      expect(yield* when.read).toEqual({ version: 0, value: undefined })
      const at = new Date(86_400_000)
      expect(yield* when.compareAndSet(0, { at })).toEqual({ _tag: "Set", version: 1 })
      expect(yield* when.compareAndSet(0, { at })).toEqual({ _tag: "Conflict", current: { version: 1, value: { at } } })
      expect(yield* service.read("when")).toEqual({ version: 1, value: { at: "1970-01-02T00:00:00.000Z" } })
    })
  )

  it.effect("says where it finds another kind of value", () =>
    Effect.gen(function* () {
      const { service } = MemoryRegister.make()
      yield* service.compareAndSet("when", 0, "tomorrow")
      const error = yield* Effect.flip(typed(service, "when", When).read)
      expect(error).toBeInstanceOf(WrongValue)
      expect(error.message).toContain('Register "when" at version 1')
    })
  )
})
