import { type Card, Protocol } from "@troupe/actor"
import { Heartbeat } from "@troupe/failure-detection"
import { AgrawalElAbbadi, Mutex } from "@troupe/mutex"
import { Simulation } from "@troupe/simulation"
import { Context, Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { atOnce, broken, exhaust, inTurns, type Locking, messages, nothing, reproduce, search } from "./locks.ts"
import { exhaustDying } from "./mortal.ts"
import { nodesOf } from "./system.ts"

const { card, layer, protocol, quorumOf } = AgrawalElAbbadi
const subject: Locking<AgrawalElAbbadi.State, void> = { protocol, options: undefined, card, layer }

const subsets = (nodes: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> =>
  nodes.reduce<ReadonlyArray<ReadonlyArray<string>>>((all, node) => [...all, ...all.map((set) => [...set, node])], [[]])

describe("tree quorums (Agrawal & El Abbadi 1991, §3)", () => {
  const seven = nodesOf(7)

  it("the paper's tree of seven: a path from the root to a leaf, through the node itself", () => {
    expect(quorumOf(seven, "n4")).toEqual(["n1", "n2", "n4"])
    expect(quorumOf(seven, "n6")).toEqual(["n1", "n3", "n6"])
    expect(quorumOf(seven, "n1")).toEqual(["n1", "n3", "n7"])
  })

  it("two paths, from both children to leaves, stand in for a node that has failed", () => {
    expect(quorumOf(seven, "n4", ["n1"])).toEqual(["n3", "n7", "n2", "n4"])
    expect(quorumOf(seven, "n4", ["n2"])).toEqual(["n1", "n5", "n4"])
    expect(quorumOf(seven, "n1", ["n2"])).toEqual(["n1", "n3", "n7"])
    expect(quorumOf(seven, "n4", ["n1", "n2"])).toEqual(["n3", "n7", "n5", "n4"])
  })

  it("a leaf that has failed is gone round, and there is no quorum where none can be", () => {
    expect(quorumOf(seven, "n4", ["n4"])).toEqual(["n1", "n2", "n5"])
    expect(quorumOf(seven, "n4", ["n4", "n5"])).toEqual(["n1", "n3", "n7"])
    expect(quorumOf(seven, "n4", ["n4", "n5", "n6", "n7"])).toBeUndefined()
    expect(quorumOf(seven, "n4", ["n1", "n4", "n5"])).toBeUndefined()
  })

  it("any two have a node in common, whoever takes whom for failed", () => {
    for (const count of [1, 2, 3, 4, 5, 6, 7, 8, 9]) {
      const nodes = nodesOf(count)
      const quorums = new Map<string, ReadonlyArray<string>>()
      for (const failed of subsets(nodes)) {
        for (const node of nodes) {
          const quorum = quorumOf(nodes, node, failed)
          if (quorum === undefined) continue
          expect(quorum.some((member) => failed.includes(member))).toBe(false)
          quorums.set(quorum.join(), quorum)
        }
      }
      const all = [...quorums.values()]
      for (const one of all) {
        const members = new Set(one)
        expect(all.every((other) => other.some((member) => members.has(member)))).toBe(true)
      }
    }
  })

  it("with the rest up, the loss of any one node leaves a quorum to every other, for N from 3", () => {
    for (let count = 3; count <= 40; count++) {
      const nodes = nodesOf(count)
      for (const failed of nodes) expect(quorumOf(nodes, nodes[count - 1]!, [failed])).toBeDefined()
    }
  })
})

// ----------------------------------------------------------------------------------------------------- suspicions

type Input = Protocol.Input<AgrawalElAbbadi.Message, AgrawalElAbbadi.Command, never>
type Step = { readonly state: AgrawalElAbbadi.State; readonly actions: ReadonlyArray<Protocol.Action> }

const command = (command: AgrawalElAbbadi.Command): Input => ({ _tag: "Command", command })
const acquire = command({ _tag: "Acquire" })
const suspects = (node: string) => command({ _tag: "Suspect", node })
const trusts = (node: string) => command({ _tag: "Trust", node })
const from = (from: string, message: AgrawalElAbbadi.Message): Input => ({ _tag: "Message", from, message })
const send = (to: string, message: AgrawalElAbbadi.Message) => ({ _tag: "Send", to, message })
const era = 2 ** 30

/** n2 of seven, after these inputs. */
const n2 = (...inputs: ReadonlyArray<Input>): Step => {
  const self = Protocol.self("n2", nodesOf(7), undefined)
  return inputs.reduce<Step>(({ state }, input) => Protocol.step(protocol, self, state, input), {
    state: protocol.init(self),
    actions: []
  })
}

describe("suspicions", () => {
  const request = (request: number) => ({ _tag: "Request", request }) as const

  it("who waits for the vote of a suspected node asks another quorum, with a later claim", () => {
    const { actions, state } = n2(acquire, suspects("n1"))
    expect(state.quorum).toEqual(["n3", "n7", "n2", "n5"])
    expect(actions.filter(({ _tag }) => _tag === "Send")).toEqual([
      send("n1", { _tag: "Release", request: 1, time: era }),
      send("n5", { _tag: "Release", request: 1, time: era }),
      send("n3", request(state.claim)),
      send("n7", request(state.claim)),
      send("n5", request(state.claim))
    ])
  })

  it("a vote that the dead have given holds", () => {
    const voted = [acquire, from("n1", { _tag: "Locked", request: 1, vote: 2 })]
    expect(n2(...voted, suspects("n1"))).toMatchObject({ actions: [], state: { quorum: ["n1", "n2", "n5"] } })
  })

  it("the vote of a suspected holder goes to the next, at a time past its token", () => {
    const asked = [from("n4", request(3)), from("n5", request(4))]
    expect(n2(...asked, suspects("n4")).actions).toEqual([send("n5", { _tag: "Locked", request: 4, vote: era + 1 })])
  })

  it("a suspected node gets no vote, until it is trusted again", () => {
    const asked = [suspects("n4"), from("n4", request(3))]
    expect(n2(...asked).actions).toEqual([])
    expect(n2(...asked, trusts("n4")).actions).toEqual([send("n4", { _tag: "Locked", request: 3, vote: era + 1 })])
  })

  it("who has no quorum waits until somebody is trusted", () => {
    const hopeless = ["n1", "n4", "n5"].map(suspects)
    expect(n2(...hopeless, acquire)).toMatchObject({ actions: [], state: { phase: "waiting", quorum: [] } })
    expect(n2(...hopeless, acquire, trusts("n1")).state.quorum).toEqual(["n1", "n3", "n7"])
  })
})

// -------------------------------------------------------------------------------------------------- every interleaving

describe("every interleaving: exclusion, growing tokens, no deadlock, nobody starves", () => {
  it.each([
    { nodes: 1, entries: 3 },
    { nodes: 2, entries: 2 },
    { nodes: 3, entries: 1, withdrawals: 1 },
    { nodes: 3, entries: 1, network: { duplication: true } },
    { nodes: 4, entries: 1, askers: ["n2", "n4"], withdrawals: 1 }
  ] as const)("%o", async (bounds) => {
    expect(broken(await exhaust(subject, bounds))).toEqual(nothing)
  })

  it.each([
    { nodes: 3, entries: 2, askers: ["n2"], mortal: ["n1"] },
    { nodes: 3, entries: 1, askers: ["n2", "n3"], mortal: ["n1"] },
    { nodes: 3, entries: 1, mortal: ["n3"] },
    { nodes: 3, entries: 2, askers: ["n2", "n3"], mortal: ["n2"] }
  ] as const)("with a death that is detected, of holder, waiter or bystander, all go on: %o", async (bounds) => {
    expect(broken(await exhaustDying(subject, bounds))).toEqual(nothing)
  })

  it.each(["mutual exclusion", "tokens increase"])("with two deaths, which may leave no quorum: %s", async (only) => {
    const bounds = { nodes: 3, entries: 1, askers: ["n1", "n2"], mortal: ["n2", "n3"], only }
    expect(broken(await exhaustDying(subject, bounds))).toEqual(nothing)
  })

  const lower: Card.Guarantee<AgrawalElAbbadi.State> = {
    name: "the suspected has the lower token",
    kind: "always",
    description: "Where two are inside, n2 has the votes that are older.",
    holds: (nodes) => {
      const [n2, other] = nodes.filter(({ state }) => state.phase === "inside")
      const latest = (votes: Readonly<Record<string, number>>): number => Math.max(...Object.values(votes))
      return other === undefined || latest(n2!.state.votes) < latest(other.state.votes)
    }
  }

  it("with a suspicion that is wrong two are inside, and fencing refuses the suspected", async () => {
    const commands = (node: string) => (node === "n2" ? [] : [{ _tag: "Suspect", node: "n2" }])
    const bounds = { nodes: 3, entries: 1, askers: ["n2", "n3"], commands }
    const report = await exhaustDying(subject, { ...bounds, only: "mutual exclusion" })
    expect(broken(report).broken).toEqual(["mutual exclusion"])
    const fenced = { ...subject, card: { ...card, guarantees: [lower] } }
    expect(broken(await exhaustDying(fenced, { ...bounds, only: lower.name }))).toEqual(nothing)
  })
})

// ---------------------------------------------------------------------------------------------------- simulated worlds

describe("inside its assumptions every guarantee of the card holds", () => {
  it.each([
    [1, 30],
    [3, 200],
    [7, 100],
    [15, 30]
  ])("%i nodes, %i seeds", async (nodes, seeds) => {
    expect((await search(subject, { nodes, seeds })).failures).toEqual([])
  })

  it.each(["n1", "n2", "n4"])("with a failure detector, the death of %s stops nobody for long", async (victim) => {
    const nodes = nodesOf(7)
    const entries: Array<string> = []
    const result = await Effect.runPromise(
      Simulation.run({
        seed: 1,
        nodes,
        program: (node) =>
          Effect.gen(function* () {
            const mutex = Context.get(
              yield* Layer.build(layer({ resource: "orders" }).pipe(Layer.provide(Heartbeat.layer()))),
              Mutex
            )
            for (let i = 0; i < 30; i++) {
              yield* mutex.withLock(() => Effect.sleep("200 millis"))
              entries.push(node)
            }
          }),
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep("3100 millis")
            yield* simulator.crash(victim)
            yield* Effect.sleep("10 minutes")
          }),
        duration: "11 minutes",
        properties: Simulation.fromCard(card, `${protocol.name}/orders`)
      })
    )
    expect(result.violations).toEqual([])
    for (const node of nodes.filter((other) => other !== victim)) {
      expect(entries.filter((other) => other === node)).toHaveLength(30)
    }
  })
})

describe("each weakness of the card is reproduced", () => {
  const inMemory = "a node that forgets"

  it.each(card.weaknesses.filter(({ name }) => name !== inMemory))("$name", async (weakness) => {
    expect(await reproduce(subject, weakness, { nodes: 3, seeds: 20 })).toEqual([weakness.breaks])
  })

  it(`${inMemory}, by the model checker`, async () => {
    const only = card.weaknesses.find(({ name }) => name === inMemory)!.breaks!
    const report = await exhaust(subject, { nodes: 3, entries: 1, crashes: { max: 1, restart: true }, only })
    expect(broken(report).broken).toEqual([only])
  })
})

describe("it costs 3(|R|−1) messages an entry, |R| ≤ ⌊log₂N⌋+1 (Agrawal & El Abbadi 1991)", () => {
  const counts = [...Array.from({ length: 24 }, (_, i) => i + 2), 49]

  it("exactly, where nobody else asks and nobody has failed, for N = 2…25 and 49", async () => {
    for (const count of counts) {
      const nodes = nodesOf(count)
      const lengths = nodes.map((node) => quorumOf(nodes, node)!.length)
      expect(await messages(subject, count, inTurns(count))).toBe(
        lengths.reduce((sum, size) => sum + 3 * (size - 1), 0)
      )
      expect(3 * (Math.min(...lengths) - 1)).toBe(card.cost.best.of(count))
      expect(Math.max(...lengths)).toBeLessThanOrEqual(Math.floor(Math.log2(count)) + 1)
    }
  })

  it.each([3, 7, 15, 25])("%i nodes that all ask at once: at the most 6(|R|−1)", async (count) => {
    const mean = (await messages(subject, count, atOnce(4))) / (4 * count)
    expect(mean).toBeGreaterThan(card.cost.best.of(count))
    expect(mean).toBeLessThanOrEqual(card.cost.worst.of(count))
  })
})
