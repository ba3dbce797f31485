/** Sessions of clients that move between replicas; thousands of worlds by `npm run proof -- replication`. */
import { Protocol } from "@troupe/actor"
import { VersionVector } from "@troupe/clocks"
import { Checker, Property, System } from "@troupe/model-checker"
import { KeyValue, Naive, Passive, Quorum, type Replicated, Sessions, Single, Store } from "@troupe/replication"
import { Faults, Simulation } from "@troupe/simulation"
import { MemoryStorage } from "@troupe/storage"
import { Memory } from "@troupe/transport"
import { Context, Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { localWrite, naive, passive, quorum } from "../proof/sessions.proof.ts"
import { all, boundMillis, type Name, run, type Subject } from "../proof/sessionWorlds.ts"
import { numbers } from "./machines.ts"

const seeds = (count: number) => Array.from({ length: count }, (_, i) => i + 1)

describe("sessions keep their guarantees", () => {
  it.each([
    ["naive", "none", naive, 3],
    ["passive", "none", passive, 4],
    ["passive", "crash", passive, 4],
    ["passive", "partition", passive, 4],
    ["passive", "chaos", passive, 3],
    ["local-write", "chaos", localWrite, 3],
    ["quorum", "chaos", quorum, 3]
  ] as const)("over %s replication, under %s", async (_, preset, subject: Subject, count) => {
    for (const seed of seeds(count)) {
      const { answered, violations, worstMillis } = await run(subject, { seed, faults: Faults.presets[preset] })
      expect(violations).toEqual([])
      expect(answered).toBeGreaterThan(20)
      expect(worstMillis).toBeLessThan(boundMillis)
    }
  })
})

describe("a guarantee that is off is missed", () => {
  it.each([
    ["naive", "readYourWrites", 1],
    ["naive", "monotonicReads", 1],
    ["naive", "monotonicWrites", 2],
    ["naive", "writesFollowReads", 2],
    ["passive", "readYourWrites", 1],
    ["passive", "monotonicReads", 1]
  ] as ReadonlyArray<readonly [string, Name, number]>)("over %s replication: %s", async (below, name, from) => {
    const subject = below === "naive" ? naive : passive
    const guarantees = { ...all, [name]: false }
    // Mostly the first one does it: which, is up to the order in which the driver runs things.
    for (let seed = from; seed < from + 40; seed++) {
      const { broken } = await run(subject, { seed, faults: Faults.none, guarantees })
      if (broken.includes(name)) return
    }
    expect.fail(`${name} is kept though it is off`)
  })
})

describe("a layer that says less than it holds", () => {
  const oneLess = (position: Replicated.Position): Replicated.Position =>
    position.flatMap(([source, count]) => (count > 1 ? [[source, count - 1] as const] : []))

  const planted = ({ layer, ...rest }: Subject): Subject => ({
    ...rest,
    layer: Layer.effect(
      KeyValue.KeyValue,
      Effect.map(KeyValue.KeyValue, (service) => {
        const { invoke, of } = service.positions!
        const positions: typeof service.positions = {
          of,
          invoke: (request, after, patienceMillis) =>
            Effect.map(invoke(request, after, patienceMillis), (answer) => ({ ...answer, at: oneLess(answer.at) }))
        }
        return { ...service, positions }
      })
    ).pipe(Layer.provide(layer))
  })

  it.each([
    ["passive", passive],
    ["naive", naive]
  ])("by one, is found: %s", async (_, subject) => {
    const found = new Set<string>()
    for (let seed = 1; seed <= 20 && found.size === 0; seed++) {
      const { violations } = await run(planted(subject), { seed, faults: Faults.none })
      for (const name of violations) found.add(name)
    }
    expect(found.size).toBeGreaterThan(0)
  })
})

describe("every interleaving of two writes of a session, at two naive replicas of three", () => {
  const x = VersionVector.make({ n1: 1 })
  /** The second write follows the first, and says so or not. */
  const verdictOf = async (after: Replicated.Position) => {
    const ask = (key: string, follows: Replicated.Position): Naive.Command => ({
      ...{ _tag: "Ask", id: 1, after: follows },
      request: { _tag: "Put", key, value: 1 }
    })
    const system = System.make({
      name: "a session over naive replicas",
      members: System.members(Naive.protocol(numbers), ["n1", "n2", "n3"], undefined),
      network: { order: "fifo" },
      user: {
        memo: 0,
        moves: ({ memo, node, state }): ReadonlyArray<System.Move<Naive.Command, number>> => {
          if (memo > 0 || node === "n3") return []
          if (node === "n1") return [{ _tag: "Command", command: ask("x", []), memo: 1 }]
          return VersionVector.descends(state.held, x) ? [{ _tag: "Command", command: ask("y", after), memo: 1 }] : []
        }
      },
      properties: [
        Property.always("who has the second has the first", ({ nodes }: System.View<Naive.State>) =>
          nodes.every(
            ({ state: { value } }) => !Object.hasOwn(value as object, "y") || Object.hasOwn(value as object, "x")
          )
        ),
        Property.sometimes("all have both", ({ nodes }: System.View<Naive.State>) =>
          nodes.every(({ state }) => state.applied === 2 && state.early.length === 0)
        )
      ]
    })
    const { properties } = await Effect.runPromise(Checker.check(system))
    return properties.map(({ verdict }) => verdict)
  }

  it("keeps their order everywhere, where the second says what it follows, and not otherwise", async () => {
    expect(await verdictOf(x)).toEqual(["holds", "holds"])
    expect((await verdictOf([]))[0]).toBe("violated")
  })
})

type Service = Replicated.Replicated<KeyValue.Request, KeyValue.Response>

const put = (key: string): KeyValue.Request => ({ _tag: "Put", key, value: Store.bytes("1") })
const get = (key: string): KeyValue.Request => ({ _tag: "Get", key })

describe("a copy that is behind a session", () => {
  it("waits, and in the end says what it lacks; it answers when it has caught up", async () => {
    const services = new Map<string, Service>()
    const open = (node: string, options?: Sessions.Options) =>
      Sessions.make(KeyValue.machine, services.get(node)!, options)
    const { value } = await Effect.runPromise(
      Simulation.run({
        seed: 1,
        nodes: ["n1", "n2", "n3"],
        program: (node) =>
          Effect.gen(function* () {
            const layer = Passive.layer(KeyValue.KeyValue).pipe(Layer.provide(MemoryStorage.layer()))
            services.set(node, Context.get(yield* Layer.build(layer), KeyValue.KeyValue))
          }),
        test: ({ split }) =>
          Effect.gen(function* () {
            yield* Effect.sleep("1 second")
            yield* split([["n1", "n2"], ["n3"]])
            const near = yield* open("n1")
            yield* near.invoke(put("x"))
            const token = yield* near.token
            const far = yield* open("n3", { token, patience: "500 millis" })
            const behind = yield* Effect.flip(far.invoke(get("x")))
            const careless = yield* open("n3", { token, readYourWrites: false })
            const stale = yield* careless.invoke(get("x"))
            yield* split([["n1", "n2", "n3"]])
            return [behind.message, stale, yield* far.invoke(get("x"))]
          })
      })
    )
    expect(value).toEqual([
      'n3 is behind this session: it holds {"log":1} and needs {"log":2}. Nothing was changed; try again later or at another node, or begin a new session, which knows nothing of this one.',
      { _tag: "Absent" },
      { _tag: "Found", value: Store.bytes("1"), version: 1 }
    ])
  })

  it("of an earlier life of a single copy, says so at once", async () => {
    const token: Sessions.Token = { format: 1, of: "replication/single/key-value", wrote: [["n1", 9]], read: [] }
    const asked = Effect.flatMap(Sessions.open(KeyValue.KeyValue, { token }), ({ invoke }) =>
      Effect.flip(invoke(get("x")))
    )
    const { message } = await Effect.runPromise(Effect.provide(asked, Single.layer(KeyValue.KeyValue, { self: "n1" })))
    expect(message).toContain('it holds {} and needs {"n1":9}')
  })
})

describe("quorums without write-back", () => {
  it("have no sessions: a read may be answered the new value, and a later one the old", async () => {
    const layer = Quorum.layer(KeyValue.KeyValue, { writeBack: false }).pipe(
      Layer.provide([Memory.layer(Memory.network({ nodes: ["n1"] }), "n1"), MemoryStorage.layer()])
    )
    const { message } = await Effect.runPromise(Effect.provide(Effect.flip(Sessions.open(KeyValue.KeyValue)), layer))
    expect(message).toContain("no session can keep its guarantees")
  })
})

describe("naive replicas", () => {
  const protocol = Naive.protocol(numbers)
  const self = Protocol.self("n3", ["n1", "n2", "n3"], undefined)
  const hear = (state: Naive.State, from: string, message: Naive.Message) =>
    Protocol.step(protocol, self, state, { _tag: "Message", from, message })
  const say = (key: string, before: number, after: Replicated.Position = []): Naive.Message => ({
    before,
    after,
    updates: [{ key, value: before + 1 }]
  })

  it("apply an update of a session after what it follows, and what its sender said next after that", () => {
    const one = hear(protocol.init(self), "n2", say("y", 0, [["n1", 1]]))
    const two = hear(one.state, "n2", say("z", 1))
    expect([one.actions, two.actions, two.state.value]).toEqual([[], [], {}])
    const { state } = hear(two.state, "n1", say("x", 0))
    expect([state.value, state.held, state.early]).toEqual([
      { x: 1, y: 1, z: 2 },
      [
        ["n1", 1],
        ["n2", 2]
      ],
      []
    ])
  })

  it("do not count what came after an update that was lost, so that sessions wait for it", () => {
    const { state } = hear(hear(protocol.init(self), "n1", say("x", 0)).state, "n1", say("z", 2))
    expect([state.value, state.held]).toEqual([{ x: 1, z: 3 }, [["n1", 1]]])
  })

  it("keep so many updates waiting, and apply the oldest of one more as it is", () => {
    let state = protocol.init(self)
    for (let i = 0; i <= Naive.maxEarly; i++) state = hear(state, "n2", say("y", i, [["n1", 1]])).state
    expect([state.early.length, state.value]).toEqual([Naive.maxEarly, { y: 1 }])
  })
})

describe("a token", () => {
  const token: Sessions.Token = { format: 1, of: "replication/naive/key-value", wrote: [["n1", 2]], read: [["n2", 1]] }
  const refusal = (text: string) =>
    Effect.runPromise(Effect.map(Effect.flip(Sessions.parse(text)), ({ message }) => message))

  it("is text, and comes back from it", async () => {
    const text = Sessions.format(token)
    expect(text).toBe('{"format":1,"of":"replication/naive/key-value","wrote":{"n1":2},"read":{"n2":1}}')
    expect(await Effect.runPromise(Sessions.parse(text))).toEqual(token)
  })

  it("is refused with what is wrong with it and what to do", async () => {
    const text = Sessions.format(token)
    const whatToDo = "Begin a new one without a token, or bring the one that was given here."
    expect(await refusal("{")).toBe(`The session cannot go on: the token is no JSON. ${whatToDo}`)
    expect(await refusal("[1]")).toContain("it is no token")
    expect(await refusal(text.replace('"format":1', '"format":2'))).toContain("the token has format 2, not 1")
    expect(await refusal(text.replace('"n1":2', '"n1":-2'))).toContain("the token is malformed")
    expect(await refusal(" ".repeat(Sessions.longestToken + 1))).toContain("65537 characters, and may have 65536")
  })

  it("of another way of replicating is refused, and so are options out of range", async () => {
    const opened = (options: Sessions.Options) =>
      Effect.runPromise(
        Sessions.open(KeyValue.KeyValue, options).pipe(
          Effect.flip,
          Effect.map(({ message }) => message),
          Effect.provide(Single.layer(KeyValue.KeyValue, { self: "n1" }))
        )
      )
    const both = "the token is of replication/naive/key-value, and this is replication/single/key-value"
    expect(await opened({ token })).toContain(both)
    expect(await opened({ patience: "25 days" })).toContain("below 24 days")
    expect(await opened({ patience: "soon" as never })).toContain("below 24 days")
  })
})
