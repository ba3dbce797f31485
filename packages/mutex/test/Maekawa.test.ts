import { Protocol } from "@troupe/actor"
import { Maekawa, Mutex } from "@troupe/mutex"
import { Memory } from "@troupe/transport"
import { Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { counterexample, nodesOf } from "./system.ts"
import { atOnce, broken, exhaust, inTurns, type Locking, messages, nothing, reproduce, search } from "./locks.ts"

const { card, defaults, protocol, variants } = Maekawa

type Subject = Locking<Maekawa.State, Maekawa.Options>

const under = (options: Partial<Maekawa.Options>): Subject => ({
  protocol,
  options: { ...defaults, ...options },
  card: variants[options.variant ?? "sanders"].card,
  layer: ({ resource }) => Maekawa.layer({ resource, ...options })
})
const sanders = under({})
const basic = under({ variant: "basic" })

// ------------------------------------------------------------------------------------------------------- single rules

type Input = Protocol.Input<Maekawa.Message, Maekawa.Command, never>
type Step = { readonly state: Maekawa.State; readonly actions: ReadonlyArray<Protocol.Action> }

const acquire: Input = { _tag: "Command", command: { _tag: "Acquire" } }
const release: Input = { _tag: "Command", command: { _tag: "Release" } }
const from = (from: string, message: Maekawa.Message): Input => ({ _tag: "Message", from, message })
const send = (to: string, message: Maekawa.Message) => ({ _tag: "Send", to, message })
const requests = (node: string, request: number) => from(node, { _tag: "Request", request })

const nodes = ["n1", "n2", "n3", "n4", "n5"]
const all: Maekawa.Quorums = Object.fromEntries(nodes.map((node) => [node, nodes]))

/** A node that has been through `inputs`: its state, and what it asked for in the last step. */
const node = (id: string, options: Maekawa.Options, ...inputs: ReadonlyArray<Input>): Step => {
  const self = Protocol.self(id, nodes, options)
  return inputs.reduce<Step>(({ state }, input) => Protocol.step(protocol, self, state, input), {
    state: protocol.init(self),
    actions: []
  })
}
const arbiter = (...inputs: ReadonlyArray<Input>) => node("n5", defaults, ...inputs)

describe("a node has one vote (Maekawa 1985, §4)", () => {
  it("whoever asks first has it", () => {
    expect(arbiter(requests("n2", 4)).actions).toEqual([send("n2", { _tag: "Locked", request: 4, vote: 5 })])
  })

  it("a later claim fails, and has it after the release", () => {
    const asked = [requests("n2", 4), requests("n3", 6)]
    expect(arbiter(...asked).actions).toEqual([send("n3", { _tag: "Failed", request: 6 })])
    const released = from("n2", { _tag: "Release", request: 4, time: 9 })
    expect(arbiter(...asked, released).actions).toEqual([send("n3", { _tag: "Locked", request: 6, vote: 10 })])
  })

  it("an earlier claim lets it inquire, once", () => {
    const asked = [requests("n3", 6), requests("n2", 4)]
    expect(arbiter(...asked).actions).toEqual([send("n3", { _tag: "Inquire", request: 6, vote: 7 })])
    expect(arbiter(...asked, requests("n4", 5)).actions).toEqual([send("n4", { _tag: "Failed", request: 5 })])
  })

  it("a claim that was the first of those that wait fails when an earlier one comes (Sanders 1987)", () => {
    const asked = [requests("n3", 6), requests("n2", 4), requests("n1", 2)]
    expect(arbiter(...asked).actions).toEqual([send("n2", { _tag: "Failed", request: 4 })])
  })

  it("a vote that comes back goes to the earliest claim, and whoever yielded waits behind it", () => {
    const asked = [requests("n3", 6), requests("n2", 4)]
    const { actions, state } = arbiter(...asked, from("n3", { _tag: "Yield", request: 6, vote: 7 }))
    expect(actions).toEqual([send("n2", { _tag: "Locked", request: 4, vote: 8 })])
    expect(state.queue).toMatchObject([{ time: 6, node: "n3" }])
    const released = from("n2", { _tag: "Release", request: 4, time: 9 })
    const again = arbiter(...asked, from("n3", { _tag: "Yield", request: 6, vote: 7 }), released)
    expect(again.actions).toEqual([send("n3", { _tag: "LockedAgain", request: 6, vote: 10 })])
  })

  it("a yield of another vote, a second request and a release that was heard change nothing", () => {
    const asked = [requests("n3", 6), requests("n2", 4)]
    const { state } = arbiter(...asked)
    expect(arbiter(...asked, from("n3", { _tag: "Yield", request: 6, vote: 5 }))).toEqual({ state, actions: [] })
    expect(arbiter(...asked, requests("n2", 4))).toEqual({ state, actions: [] })
    const over = [...asked, from("n2", { _tag: "Release", request: 4, time: 4 })]
    expect(arbiter(...over, requests("n2", 4)).actions).toEqual([])
  })

  it("a release that overtakes those before it ends them too", () => {
    const asked = [requests("n2", 4), from("n2", { _tag: "Release", request: 8, time: 9 })]
    expect(arbiter(...asked).state.vote).toBeUndefined()
    expect(arbiter(...asked, requests("n2", 8)).actions).toEqual([])
  })
})

describe("a node enters with the votes of its quorum (Maekawa 1985, §4)", () => {
  const asker = (...inputs: ReadonlyArray<Input>) => node("n1", { ...defaults, quorums: all }, acquire, ...inputs)
  const locked = (node: string, vote = 3) => from(node, { _tag: "Locked", request: 1, vote })
  const inquire = (node: string, vote = 3) => from(node, { _tag: "Inquire", request: 1, vote })
  const failed = (node: string) => from(node, { _tag: "Failed", request: 1 })
  const yields = (to: string, vote = 3) => send(to, { _tag: "Yield", request: 1, vote })

  it("with the last of them, and not before; the token is later than all that it has heard of", () => {
    const votes = [locked("n2"), locked("n3", 8), locked("n4")]
    expect(asker(...votes).actions).toEqual([])
    expect(asker(...votes, locked("n5")).actions).toEqual([{ _tag: "Emit", event: { _tag: "Acquired", token: 8 } }])
  })

  it("an inquiry waits while nobody has failed the request, and is answered when somebody does", () => {
    const asked = [locked("n2"), inquire("n2")]
    expect(asker(...asked).actions).toEqual([])
    expect(asker(...asked, failed("n3")).actions).toEqual([yields("n2")])
  })

  it("whoever failed, or has yielded, yields at once", () => {
    expect(asker(locked("n2"), failed("n3"), inquire("n2")).actions).toEqual([yields("n2")])
    const yielded = [locked("n2"), failed("n3"), inquire("n2"), locked("n3"), locked("n4"), inquire("n4")]
    expect(asker(...yielded).actions).toEqual([yields("n4")])
  })

  it("a vote that was failed first is no reason to yield any more once it has come", () => {
    expect(asker(failed("n3"), locked("n3"), locked("n2"), inquire("n2")).actions).toEqual([])
  })

  it("an inquiry that overtakes the vote brings it along", () => {
    expect(asker(failed("n3"), inquire("n2")).actions).toEqual([yields("n2")])
    expect(asker(failed("n3"), inquire("n2"), locked("n2")).actions).toEqual([])
  })

  it("whoever is inside keeps the votes until it leaves", () => {
    const inside = [locked("n2"), locked("n3"), locked("n4"), locked("n5")]
    expect(asker(...inside, inquire("n2")).actions).toEqual([])
    expect(asker(...inside, release).actions).toEqual(
      ["n2", "n3", "n4", "n5"].map((to) => send(to, { _tag: "Release", request: 1, time: 3 }))
    )
  })

  it("a vote for a request that was withdrawn does not count", () => {
    expect(asker(release, locked("n2")).state).toMatchObject({ phase: "idle", votes: {} })
    expect(asker(release, acquire, locked("n2")).state.missing).toContain("n2")
  })

  it("tokens end at 2^53, and a token beyond is refused", () => {
    const votes = ["n2", "n3", "n4"].map((node) => locked(node))
    expect(() => asker(...votes, locked("n5", 2 ** 53))).toThrow("fencing tokens are used up")
  })
})

// -------------------------------------------------------------------------------------------------- every interleaving

describe("every interleaving of Sanders' form: exclusion, growing tokens, no deadlock, nobody starves", () => {
  it.each([
    { nodes: 1, entries: 3 },
    { nodes: 2, entries: 2 },
    { nodes: 2, entries: 2, network: { duplication: true } },
    { nodes: 2, entries: 3, askers: ["n1"], withdrawals: 2 },
    { nodes: 3, entries: 1 },
    { nodes: 3, entries: 1, withdrawals: 1 },
    { nodes: 3, entries: 2, askers: ["n1", "n2"], withdrawals: 1 },
    { nodes: 3, entries: 2, network: { order: "fifo" } },
    { nodes: 4, entries: 1, askers: ["n1", "n2", "n3"] }
  ] as const)("%o", async (bounds) => {
    expect(broken(await exhaust(sanders, bounds))).toEqual(nothing)
  })

  it("three nodes in a grid, where quorums share more than a node", async () => {
    expect(broken(await exhaust(under({ quorums: "grid" }), { nodes: 3, entries: 1 }))).toEqual(nothing)
  })

  it("with one crash exclusion holds, and whoever needs the dead one's vote starves", async () => {
    const report = await exhaust(sanders, { nodes: 3, entries: 1, crashes: { max: 1 }, stopAtViolation: false })
    expect(broken(report)).toEqual({ complete: true, broken: ["no starvation", "deadlock freedom"] })
  })

  it("with one crash and a return that forgets exclusion breaks", async () => {
    const only = "mutual exclusion"
    const report = await exhaust(sanders, { nodes: 3, entries: 1, crashes: { max: 1, restart: true }, only })
    expect(report.properties).toMatchObject([{ name: only, verdict: "violated" }])
  })
})

describe("the basic form deadlocks (quiz 9: the possibility of deadlock)", () => {
  it("by a shortest way: three ask, and each has its own vote that another waits for", async () => {
    const report = await exhaust(basic, { nodes: 3, entries: 1, only: "deadlock freedom" })
    const steps = counterexample(report, "deadlock freedom")!
    expect(steps.filter((step) => step.endsWith('{"_tag":"Acquire"}'))).toHaveLength(3)
    expect(steps.slice(1)).toHaveLength(6)
    // The run goes no further, and nothing shorter ends so.
    const shorter = await exhaust(basic, { nodes: 3, entries: 1, only: "deadlock freedom", maxDepth: 5 })
    expect(shorter.properties).toMatchObject([{ verdict: "unknown" }])
  })

  it("and excludes all the same", async () => {
    const report = await exhaust(basic, { nodes: 3, entries: 1, stopAtViolation: false })
    expect(broken(report)).toEqual({ complete: true, broken: ["no starvation", "deadlock freedom"] })
  })

  it("in a simulated world too", async () => {
    expect(await reproduce(basic, Maekawa.basicCard.weaknesses[0]!, { seeds: 5 })).toEqual(["no starvation"])
  })
})

/** The protocol without some of its messages between two nodes. */
const without = (tag: string): typeof protocol => ({
  ...protocol,
  onMessage: (state, from, message, act) =>
    message._tag === tag ? state : protocol.onMessage(state, from, message, act)
})

/** Where everybody takes every vote, inquiries go to others too. */
const threeForAll = under({ quorums: Object.fromEntries(nodesOf(3).map((node) => [node, nodesOf(3)])) })

describe("a rule that is left out is found out", () => {
  it.each(["Inquire", "Failed", "Yield"])("without %s it deadlocks", async (tag) => {
    const mutant = { ...threeForAll, protocol: without(tag) }
    const report = await exhaust(mutant, { nodes: 3, entries: 1, askers: ["n1", "n3"], only: "deadlock freedom" })
    expect(broken(report).broken).toEqual(["deadlock freedom"])
  })
})

// ---------------------------------------------------------------------------------------------------- simulated worlds

describe("inside its assumptions every guarantee of the card holds", () => {
  it.each([
    [1, 30],
    [3, 200],
    [4, 100],
    [5, 100],
    [7, 100],
    [13, 30]
  ])("%i nodes, %i seeds", async (nodes, seeds) => {
    expect((await search(sanders, { nodes, seeds })).failures).toEqual([])
  })

  it("and where messages are doubled and overtake", async () => {
    const change = { duplicationProbability: 0.2, reorderProbability: 0.5, delayMillisMax: 100 }
    expect((await search(sanders, { nodes: 5, seeds: 200, change })).failures).toEqual([])
  })
})

describe("each weakness of the card is reproduced", () => {
  it.each(card.weaknesses)("$name", async (weakness) => {
    const seeds = weakness.breaks === "no starvation" ? 20 : 200
    expect(await reproduce(sanders, weakness, { nodes: 3, seeds, stayMillis: 2000 })).toEqual([weakness.breaks])
  })
})

// --------------------------------------------------------------------------------------------------------------- costs

describe("it costs 3(|R|−1) messages an entry (Maekawa 1985)", () => {
  it("exactly, where nobody else asks, for N = 2…25 and where N = q²+q+1", async () => {
    for (const count of [...Array.from({ length: 24 }, (_, i) => i + 2), 31, 57]) {
      expect(await messages(sanders, count, inTurns(count))).toBe(count * card.cost.best.of(count))
    }
  })

  it("N = 49: 21, as the notes have it (quiz 8), with |R| = 8", async () => {
    expect(await messages(sanders, 49, inTurns(49))).toBe(49 * 21)
    expect(nodesOf(49).map((id) => Maekawa.quorumFor(Protocol.self(id, nodesOf(49), defaults)).length)).toEqual(
      Array(49).fill(8)
    )
  })

  it("in a grid of 25: 3 · 8", async () => {
    expect(await messages(under({ quorums: "grid" }), 25, inTurns(25))).toBe(25 * 24)
  })

  it.each([3, 7, 13, 25, 49])("%i nodes that all ask at once: more, and at the most 6(|R|−1)", async (count) => {
    const times = 4
    const mean = (await messages(sanders, count, atOnce(times))) / (count * times)
    expect(mean).toBeGreaterThan(card.cost.best.of(count))
    expect(mean).toBeLessThanOrEqual(card.cost.worst.of(count))
  })
})

// ----------------------------------------------------------------------------------------------------------- bad input

describe("options that are refused at start-up", () => {
  const start = (options: Partial<Maekawa.Options>) => {
    const network = Memory.network({ nodes: nodesOf(3) })
    const layer = Maekawa.layer({ resource: "x", ...options }).pipe(Layer.provide(Memory.layer(network, "n1")))
    return Effect.runPromise(Effect.scoped(Effect.flip(Layer.build(layer))))
  }
  it.each([
    [{ n1: ["n1", "n2"], n2: ["n2"], n3: ["n3", "n1"] }, 'the quorums of "n2" and "n3" have no node in common'],
    [{ n1: ["n2"], n2: ["n2"], n3: ["n3", "n2"] }, '"n1" is not in its own quorum'],
    ["circle", 'no quorums "circle"']
  ])("quorums %o", async (quorums, reason) => {
    const error = await start({ quorums: quorums as Maekawa.Quorums })
    expect(error).toMatchObject({ _tag: "InvalidOptions", message: expect.stringContaining(reason) })
  })

  it("a variant that there is not", async () => {
    const error = await start({ variant: "fast" as "basic" })
    expect(error.message).toContain('no variant "fast"')
  })

  it("quorums of one's own that meet are taken", async () => {
    const network = Memory.network({ nodes: ["n1"] })
    const layer = Maekawa.layer({ resource: "x", quorums: { n1: ["n1"] } }).pipe(
      Layer.provide(Memory.layer(network, "n1"))
    )
    const token = Effect.gen(function* () {
      const mutex = yield* Mutex
      return yield* mutex.withLock((token) => Effect.succeed(token))
    })
    expect(await Effect.runPromise(Effect.provide(token, layer))).toBeGreaterThan(0)
  })
})
