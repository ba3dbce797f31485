import { Protocol } from "@troupe/actor"
import { FencedResource, InvalidOptions, LeaseLock, Mutex } from "@troupe/mutex"
import { type LeaseLayer, MemoryRegister, Register } from "@troupe/register"
import { Faults, Simulation } from "@troupe/simulation"
import { describe, expect, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Option, Random, References } from "effect"
import { type Lock, nodesOf } from "./system.ts"

const { card, protocol } = LeaseLock
const guarantees = Simulation.fromCard(card, `${protocol.name}/orders`)

interface World {
  readonly nodes: number
  readonly settings?: LeaseLayer.Settings
  /** Where the register does not go down with a node. */
  readonly shared?: boolean
}

/** The lock on a node. That it waits for long, or loses its register, is not logged. */
const locked = (
  { settings, shared }: World,
  register: MemoryRegister.MemoryRegister,
  use: (mutex: Lock) => Effect.Effect<unknown, unknown>
) => {
  const lock = LeaseLock.layer({ resource: "orders", ...settings })
  const layer = shared === true ? Layer.provide(lock, MemoryRegister.layer(register)) : lock
  return Effect.flatMap(Layer.build(layer as typeof lock), (context) => use(Context.get(context, Mutex))).pipe(
    Effect.provideService(References.MinimumLogLevel, "None")
  )
}

/** What is inside, and what it has done to what the lock guards. */
const guarded = () => {
  const inside = new Set<string>()
  const refused: Array<string> = []
  let most = 0
  const stock = FencedResource.make({ name: "stock", resource: [] as Array<number> })
  const visit = (node: string, token: number, millis: number) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        inside.add(node)
        most = Math.max(most, inside.size)
      }),
      () =>
        Effect.gen(function* () {
          // Twice, so that one that was overtaken comes late.
          const write = Effect.catch(
            stock.use(token, (tokens) => Effect.sync(() => tokens.push(token))),
            ({ _tag }) => Effect.sync(() => refused.push(_tag))
          )
          yield* write
          yield* Effect.sleep(Duration.millis(millis))
          yield* write
        }),
      () => Effect.sync(() => inside.delete(node))
    )
  /** Whether one body is inside at the most. A crash ends a body, and runs no finalizers. */
  const isAlone = ({ isAlive }: Simulation.Simulator["world"]): boolean => {
    for (const node of inside) if (!isAlive(node)) inside.delete(node)
    return inside.size <= 1
  }
  return { isAlone, refused, visit, most: () => most }
}

/** Stays for 0.2 to 12 s, now longer than a lease and now not; gives up waiting at times. */
const busy =
  (node: string, { visit }: ReturnType<typeof guarded>) =>
  (mutex: Lock) =>
    Effect.gen(function* () {
      for (let i = 0; i < 4; i++) {
        const millis = yield* Random.nextIntBetween(200, (yield* Random.nextBoolean) ? 1_000 : 12_000)
        const patience = Duration.millis(yield* Random.nextIntBetween(1, 15_000))
        const fiber = yield* Effect.forkChild(mutex.tryLock(patience, (token) => visit(node, token, millis)))
        yield* Fiber.await(fiber)
      }
      // Who asks last asks for as long as it takes.
      yield* Fiber.await(yield* Effect.forkChild(mutex.withLock((token) => visit(node, token, 100))))
    })

const run = (seed: number, world: World, faults: Partial<Faults.Faults>, properties = guarantees) =>
  Effect.gen(function* () {
    const seen = guarded()
    const register = MemoryRegister.make()
    const { violations } = yield* Simulation.run({
      seed,
      nodes: nodesOf(world.nodes),
      faults: { ...Faults.none, ...faults },
      duration: "3 minutes",
      planned: "1 minute",
      properties: [
        ...properties,
        ...(properties === guarantees ? [Simulation.always("one body at a time", seen.isAlone)] : [])
      ],
      program: (node) => locked(world, register, busy(node, seen))
    })
    return { violations, refused: seen.refused, most: seen.most() }
  })

const seedsTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1)

const sound = (world: World, faults: Partial<Faults.Faults>, seeds: number) =>
  Effect.forEach(
    seedsTo(seeds),
    (seed) =>
      Effect.map(run(seed, world, faults), (seen) =>
        expect({ seed, ...seen }).toMatchObject({ violations: [], refused: [] })
      ),
    { discard: true }
  )

describe("inside its assumptions every guarantee of the card holds, of states and of bodies (Gray & Cheriton 1989)", () => {
  for (const faults of card.assumes.tolerates) {
    it.live(`faults ${faults}, a node serves the register`, () => sound({ nodes: 4 }, Faults.presets[faults], 40))
  }
  const upright = { ...Faults.chaos, pausesPerMinute: 0 }
  it.live("crashes, where the register survives them", () => sound({ nodes: 4, shared: true }, Faults.crash, 40))
  it.live("chaos but for nodes that stand still, where the register survives it", () =>
    sound({ nodes: 4, shared: true }, upright, 40)
  )

  const drifting = { ...Faults.partition, clockDriftPpmMax: 200_000 }
  it.live("clocks that are off by a fifth, where that is the bound", () =>
    sound({ nodes: 4, settings: { driftBound: 0.2 } }, drifting, 40)
  )
  it.live("and where it is not, two are inside at once, and fencing refuses the first of them", () =>
    Effect.gen(function* () {
      const world = { nodes: 3, settings: { driftBound: 0, stop: 0 } }
      /** n2 is inside, cut off, for almost as long as its lease; n3 asks. */
      const cutOff = (seed: number, seen: ReturnType<typeof guarded>) =>
        Simulation.run({
          seed,
          nodes: nodesOf(world.nodes),
          faults: { clockDriftPpmMax: drifting.clockDriftPpmMax },
          program: (node) =>
            locked(world, MemoryRegister.make(), (mutex) =>
              node === "n1"
                ? Effect.void
                : Effect.andThen(
                    Effect.sleep(node === "n2" ? 0 : 1_000),
                    Effect.flatMap(
                      Effect.forkChild(mutex.withLock((token) => seen.visit(node, token, 4_900))),
                      Fiber.await
                    )
                  )
            ),
          test: ({ split }) =>
            Effect.gen(function* () {
              yield* Effect.sleep("500 millis")
              yield* split([["n2"], ["n1", "n3"]])
              yield* Effect.sleep("20 seconds")
            })
        })
      const found = yield* Effect.forEach(seedsTo(40), (seed) => {
        const seen = guarded()
        return Effect.as(cutOff(seed, seen), seen)
      })
      const broken = found.filter(({ most }) => most() > 1)
      expect(broken.length).toBeGreaterThan(0)
      expect(broken.some(({ refused }) => refused.includes("StaleToken"))).toBe(true)
    })
  )
})

describe("each weakness of the card is reproduced", () => {
  const worlds: Readonly<Record<string, [World, Partial<Faults.Faults>]>> = {
    "the register's host forgets": [{ nodes: 4 }, Faults.crash],
    "a clock that is off by more than the bound": [
      { nodes: 4, settings: { stop: 0 } },
      { ...Faults.partition, clockDriftPpmMax: 200_000 }
    ],
    "a holder that stands still": [
      { nodes: 4, shared: true },
      { ...Faults.chaos, pauseMillisMax: 15_000 }
    ]
  }
  it.live.each(card.weaknesses)("$name", ({ breaks, name }) =>
    Effect.gen(function* () {
      const [world, faults] = worlds[name]!
      const properties = guarantees.filter((each) => each.name === breaks)
      const all = yield* Effect.forEach(seedsTo(60), (seed) => run(seed, world, faults, properties))
      expect(all.flatMap(({ violations }) => violations.map((violation) => violation.name))).toContain(breaks)
    })
  )
})

/** A run without faults, delays of 1 to 10 ms, in which each node does something. */
const quiet = <A = void>(
  world: World,
  use: (mutex: Lock, node: string) => Effect.Effect<unknown, unknown>,
  test?: (simulator: Simulation.Simulator) => Effect.Effect<A, unknown>
) => {
  const register = MemoryRegister.make()
  return Simulation.run<unknown, A>({
    seed: world.nodes,
    nodes: nodesOf(world.nodes),
    program: (node) => locked(world, register, (mutex) => use(mutex, node)),
    duration: "1 hour",
    ...(test === undefined ? {} : { test })
  })
}

/** Since the start. */
const now = Effect.clockWith((clock) => Effect.map(clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6))

describe("a holder whose time ends", () => {
  it.live("is interrupted, cut off, before another enters, 5 s after its last sign", () =>
    Effect.gen(function* () {
      const told: Array<readonly [string, number]> = []
      const note = (what: string) => Effect.flatMap(now, (millis) => Effect.sync(() => told.push([what, millis])))
      yield* quiet(
        { nodes: 3 },
        (mutex, node) =>
          Effect.gen(function* () {
            if (node === "n1") return
            if (node === "n3") yield* Effect.sleep("1 second")
            const body = Effect.onInterrupt(Effect.andThen(note(`${node} enters`), Effect.never), () =>
              note(`${node} stops`)
            )
            yield* Fiber.await(yield* Effect.forkChild(mutex.withLock(() => body)))
          }),
        (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep("10 seconds")
            yield* note("the network splits")
            yield* simulator.split([["n2"], ["n1", "n3"]])
            yield* Effect.sleep("7 seconds")
          })
      )
      expect(told.map(([what]) => what).slice(0, 4)).toEqual([
        "n2 enters",
        "the network splits",
        "n2 stops",
        "n3 enters"
      ])
      const [[, split], [, stops], [, enters]] = told.slice(1) as [(typeof told)[0], (typeof told)[0], (typeof told)[0]]
      expect(stops - split).toBeLessThan(4_900)
      // The lease, and a look that may be late by 938 ms.
      expect(enters - split).toBeLessThan(5_000 + 938 + 30)
      expect(enters - stops).toBeGreaterThan(0)
    })
  )

  it.live("is whom the others wait for, and the register's host is where that is cut off", () =>
    Effect.gen(function* () {
      const seen: Array<ReadonlyArray<string>> = []
      yield* quiet(
        { nodes: 3 },
        (mutex, node) => {
          if (node === "n1") return Effect.void
          if (node === "n2") return mutex.withLock(() => Effect.never)
          const look = Effect.map(mutex.status, ({ waitsFor }) => seen.push(waitsFor))
          return Effect.andThen(
            Effect.forkChild(
              Effect.andThen(
                Effect.sleep("1 second"),
                mutex.withLock(() => Effect.void)
              )
            ),
            Effect.forEach([2_000, 8_000], (millis) => Effect.andThen(Effect.sleep(millis), look))
          )
        },
        (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep("3 seconds")
            yield* simulator.split([["n1", "n2"], ["n3"]])
            yield* Effect.sleep("10 seconds")
          })
      )
      expect(seen).toEqual([["n2"], ["n1"]])
    })
  )

  it.live("goes on for as long as it likes while it can renew the lease, and its token stays", () =>
    Effect.gen(function* () {
      const entered: Array<number> = []
      yield* quiet({ nodes: 3 }, (mutex, node) =>
        node === "n1"
          ? Effect.void
          : mutex.withLock((token) =>
              Effect.andThen(
                Effect.sync(() => entered.push(token)),
                Effect.sleep("2 minutes")
              )
            )
      )
      expect(entered).toHaveLength(2)
      // Some 70 signs lie between.
      expect(entered[1]! - entered[0]!).toBeGreaterThan(60)
    })
  )
})

describe("its cost in messages, where one node serves the register", () => {
  const inTurns = (nodes: number) => (mutex: Lock, node: string) =>
    Effect.andThen(
      Effect.sleep(Duration.seconds(nodesOf(nodes).indexOf(node))),
      mutex.withLock(() => Effect.void)
    )
  const sizes = [...Array.from({ length: 25 }, (_, i) => i + 1), 49]
  it.live.each(sizes)("6 an entry after another node's, 0 on the host: N = %d", (nodes) =>
    Effect.gen(function* () {
      expect((yield* quiet({ nodes }, inTurns(nodes))).counts.sent).toBe(6 * (nodes - 1))
    })
  )

  it.live("4 an entry again and again", () =>
    Effect.gen(function* () {
      const again = (mutex: Lock, node: string) =>
        node === "n2"
          ? Effect.forEach(nodesOf(10), () =>
              Effect.andThen(
                Effect.sleep("1 second"),
                mutex.withLock(() => Effect.void)
              )
            )
          : Effect.void
      expect((yield* quiet({ nodes: 3 }, again)).counts.sent).toBe(40)
    })
  )

  it.live.each(sizes.slice(1, -1))("8 an entry that is waited for, told by who leaves: %d contenders", (contenders) =>
    Effect.gen(function* () {
      const entered: Array<number> = []
      const together = (mutex: Lock, node: string) =>
        node === "n1"
          ? Effect.void
          : Effect.andThen(
              Effect.sleep(Duration.millis(20 * nodesOf(contenders + 1).indexOf(node))),
              mutex.withLock((token) =>
                Effect.andThen(
                  Effect.sync(() => entered.push(token)),
                  Effect.sleep(Duration.millis(node === "n2" ? 20 * contenders : 0))
                )
              )
            )
      const settings = { lease: "1 hour", stop: 0 } as const
      const { counts } = yield* quiet({ nodes: contenders + 1, settings }, together)
      expect(entered).toHaveLength(contenders)
      expect(counts.sent).toBe(4 + 8 * (contenders - 1))
      expect(card.cost.worst.of(contenders + 1)).toBe(8)
    })
  )

  it.live.each([
    [9, "who are all away from the register's host", ["n1"]],
    [8, "one of them on the register's host", []]
  ] as const)("of %i nodes those that ask without pause enter equally often: %s", ([nodes, _where, idle]) =>
    Effect.gen(function* () {
      const entries = new Map<string, number>()
      let worst = 0
      yield* quiet({ nodes }, (mutex, node) =>
        Effect.gen(function* () {
          while (!idle.includes(node as never) && (yield* now) < 20_000) {
            const asked = yield* now
            yield* mutex.withLock(() =>
              Effect.gen(function* () {
                worst = Math.max(worst, (yield* now) - asked)
                entries.set(node, (entries.get(node) ?? 0) + 1)
                yield* Effect.sleep("5 millis")
              })
            )
          }
        })
      )
      const counts = [...entries.values()]
      const sum = counts.reduce((all, count) => all + count, 0)
      // Jain's index: 1 where all are served alike, 1/N where one is.
      expect(counts).toHaveLength(8)
      expect(sum ** 2 / (8 * counts.reduce((all, count) => all + count ** 2, 0))).toBeGreaterThan(0.99)
      // Seven others, each with 5 ms inside and 5 messages of 10 ms at the most.
      expect(worst).toBeLessThan(8 * (5 + 5 * 10))
    })
  )

  it.live("who waits is served in the order of asking, 5 message delays after the last has left", () =>
    Effect.gen(function* () {
      const entered: Array<string> = []
      let lastMillis = 0
      yield* quiet({ nodes: 8 }, (mutex, node) =>
        Effect.andThen(
          Effect.sleep(Duration.millis(20 * nodesOf(8).indexOf(node))),
          mutex.withLock(() =>
            Effect.gen(function* () {
              entered.push(node)
              yield* Effect.sleep("200 millis")
              lastMillis = yield* now
            })
          )
        )
      )
      expect(entered).toEqual(nodesOf(8))
      // To free it, to tell the next, who takes it: 5 messages of 10 ms at the most.
      expect(lastMillis).toBeGreaterThan(8 * 200)
      expect(lastMillis).toBeLessThan(8 * 200 + 7 * 5 * 10)
    })
  )
})

describe("bad input", () => {
  it.live.each([
    { lease: "2 hours" },
    { lease: 0 },
    { lease: NaN },
    { driftBound: 1 },
    { driftBound: -0.1 },
    { driftBound: NaN },
    { stop: "5 seconds" },
    { stop: -1 },
    { driftBound: 0.99 },
    { host: "n9" }
  ] as ReadonlyArray<LeaseLayer.Settings>)("is refused: %o", (settings) =>
    Effect.gen(function* () {
      let error: unknown
      yield* Simulation.run({
        seed: 1,
        nodes: nodesOf(2),
        program: () =>
          Effect.map(Effect.flip(Layer.build(LeaseLock.layer({ resource: "orders", ...settings }))), (failure) => {
            error = failure
          })
      })
      expect(error).toBeInstanceOf(InvalidOptions)
      expect((error as InvalidOptions).message).toMatch(/^The lock cannot start: .*[a-z]/)
    })
  )

  it.live("a register that holds something else is never taken", () =>
    Effect.gen(function* () {
      const register = MemoryRegister.make()
      const name = `${protocol.name}/orders`
      yield* register.service.compareAndSet(name, 0, "a shopping list")
      let entered: unknown
      yield* Simulation.run({
        seed: 1,
        nodes: nodesOf(1),
        program: () =>
          locked({ nodes: 1, shared: true }, register, (mutex) =>
            Effect.map(
              mutex.tryLock("1 minute", () => Effect.void),
              (result) => (entered = result)
            )
          )
      })
      expect(entered).toEqual(Option.none())
      expect(yield* register.service.read(name)).toEqual({ version: 1, value: "a shopping list" })
    })
  )

  const self = Protocol.self("n2", nodesOf(3), { ...LeaseLock.defaults, register: undefined })
  const step = (state: LeaseLock.State, input: Parameters<typeof Protocol.step>[3]) =>
    Protocol.step(protocol, self, state, input as never)
  const tell = (state: LeaseLock.State, command: LeaseLock.Command) => step(state, { _tag: "Command", command })
  const asked = tell(protocol.init(self), { _tag: "Acquire" })
  const held = tell(asked.state, { _tag: "Answered", call: 1, answer: { _tag: "Set", version: 1 } })

  it("a release of what it does not hold, and an acquisition while it waits, do nothing", () => {
    expect(tell(protocol.init(self), { _tag: "Release" }).actions).toEqual([])
    expect(tell(asked.state, { _tag: "Acquire" })).toEqual({ state: asked.state, actions: [] })
  })

  it("an answer to an earlier question is not taken for this one's", () => {
    expect(held.state.phase).toBe("inside")
    expect(tell(held.state, { _tag: "Answered", call: 1, answer: { _tag: "Set", version: 9 } })).toEqual({
      state: held.state,
      actions: []
    })
  })

  it("who is told that a lease is free which it has seen taken since, looks for itself", () => {
    const record = { holder: "n3", token: 5, leaseMillis: 5_000 }
    const waits = tell(asked.state, { _tag: "Answered", call: 1, answer: { _tag: "Is", version: 7, record } })
    const message: LeaseLock.Message = { _tag: "Freed", version: 6, waiters: ["n1", "n1", "n9"] }
    const told = step(waits.state, { _tag: "Message", from: "n3", message })
    expect(told.actions).toEqual([])
    expect(told.state.lease).toMatchObject({ seen: { version: 7, record }, waiters: ["n1"] })
  })
})

describe("a lease is left to who waits for it", () => {
  const self = Protocol.self("n2", nodesOf(3), { ...LeaseLock.defaults, register: undefined })
  type Input = Parameters<typeof Protocol.step>[3]
  /** What it asks for in the last step but for timers. */
  const last = (...inputs: ReadonlyArray<Input>) => {
    let step = { state: protocol.init(self), actions: [] as ReadonlyArray<Protocol.Action> }
    for (const input of inputs) step = Protocol.step(protocol, self, step.state, input as never)
    return step.actions.filter(({ _tag }) => _tag === "Send" || _tag === "Emit")
  }
  const tell = (command: LeaseLock.Command): Input => ({ _tag: "Command", command })
  const acquire = tell({ _tag: "Acquire" })
  const release = tell({ _tag: "Release" })
  const set = (call: number, version: number) => tell({ _tag: "Answered", call, answer: { _tag: "Set", version } })
  const isHeldBy = (holder: string, call: number, version: number) =>
    tell({
      _tag: "Answered",
      call,
      answer: { _tag: "Is", version, record: { holder, token: version, leaseMillis: 5_000 } }
    })
  const says = (from: string, message: LeaseLock.Message): Input => ({ _tag: "Message", from, message })
  const waits = (from: string) => says(from, { _tag: "Waiting" })
  const freed = (from: string, version: number) => says(from, { _tag: "Freed", version, waiters: [] })
  const sends = (to: string, message: LeaseLock.Message) => ({ _tag: "Send", to, message })
  const left = [acquire, set(1, 1), waits("n3"), release, set(2, 2)]

  it("who has left it to another asks that one to be told, and takes it when that one did not", () => {
    expect(last(...left)).toEqual([sends("n3", { _tag: "Freed", version: 2, waiters: [] })])
    expect(last(...left, acquire)).toEqual([sends("n3", { _tag: "Waiting" })])
    const takes = [{ _tag: "Emit", event: { _tag: "Ask", request: { expected: 2 } } }]
    expect(last(...left, acquire, freed("n3", 2))).toMatchObject(takes)
    expect(last(...left, acquire, { _tag: "Timeout", timer: "poll" })).toMatchObject(takes)
  })

  it("who asks too late to be told waits after the one whom it was left to", () => {
    expect(last(...left, waits("n1"))).toEqual([sends("n3", { _tag: "Freed", version: 2, waiters: ["n1"] })])
  })

  it("who hears while it asks that it is free does not go by an older answer", () => {
    expect(last(acquire, freed("n3", 6), isHeldBy("n3", 1, 5))).toMatchObject([
      { _tag: "Emit", event: { _tag: "Ask", request: { _tag: "CompareAndSet", expected: 6 } } }
    ])
    expect(last(acquire, freed("n3", 6), isHeldBy("n3", 1, 7))).toEqual([sends("n3", { _tag: "Waiting" })])
  })

  it("who comes too late to take it sends on those who wait for it", () => {
    const again = [acquire, set(1, 1), release, set(2, 2), acquire, waits("n1")]
    expect(last(...again, isHeldBy("n3", 3, 3))).toEqual([
      sends("n1", { _tag: "Freed", version: 2, waiters: [] }),
      sends("n3", { _tag: "Waiting" })
    ])
  })
})

describe("a register that is somewhere else", () => {
  it.live("is asked by its service, and the state of the lock can be read there", () =>
    Effect.gen(function* () {
      const register = MemoryRegister.make()
      const exits: Array<Exit.Exit<unknown, unknown>> = []
      yield* Simulation.run({
        seed: 3,
        nodes: nodesOf(3),
        program: (node) =>
          locked({ nodes: 3, shared: true }, register, (mutex) =>
            Effect.map(
              Effect.exit(mutex.withLock((token) => Effect.as(Effect.sleep("1 second"), `${node} ${token > 0}`))),
              (exit) => exits.push(exit)
            )
          )
      })
      expect(exits.map((exit) => Exit.isSuccess(exit) && exit.value).sort()).toEqual(["n1 true", "n2 true", "n3 true"])
      const { value } = yield* Effect.flatMap(Register, (service) => service.read(`${protocol.name}/orders`)).pipe(
        Effect.provide(MemoryRegister.layer(register))
      )
      expect(value).toEqual({ holder: null, token: 0, leaseMillis: 5_000 })
    })
  )
})
