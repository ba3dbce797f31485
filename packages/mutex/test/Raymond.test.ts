import { Protocol } from "@troupe/actor"
import { Raymond } from "@troupe/mutex"
import { Memory } from "@troupe/transport"
import { Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { binary, binaryDiameter, star } from "../src/internal/trees.ts"
import { atOnce, broken, exhaust, inTurns, type Locking, messages, nothing, reproduce, search } from "./locks.ts"
import { type Lock, nodesOf } from "./system.ts"

const { card, defaults, layer, protocol } = Raymond

const over = (tree: Raymond.Options["tree"]): Locking<Raymond.State, Raymond.Options> => ({
  protocol,
  options: { tree },
  card,
  layer: ({ resource }) => layer({ resource, tree })
})
const subject = over("binary")

/** `n1` — `n2` — … */
const line = (count: number): Raymond.Tree =>
  Object.fromEntries(nodesOf(count).map((node, rank) => [node, rank === 0 ? null : `n${rank}`]))

type Input = Protocol.Input<Raymond.Message, Raymond.Command, never>
type Step = { readonly state: Raymond.State; readonly actions: ReadonlyArray<Protocol.Action> }

const acquire: Input = { _tag: "Command", command: { _tag: "Acquire" } }
const release: Input = { _tag: "Command", command: { _tag: "Release" } }
const request = (from: string): Input => ({ _tag: "Message", from, message: { _tag: "Request" } })
const privilege = (from: string, entries: number): Input => ({
  _tag: "Message",
  from,
  message: { _tag: "Privilege", entries }
})
const asks = (to: string) => ({ _tag: "Send", to, message: { _tag: "Request" } })
const gives = (to: string, entries: number) => ({ _tag: "Send", to, message: { _tag: "Privilege", entries } })
const enters = (token: number) => ({ _tag: "Emit", event: { _tag: "Acquired", token } })

/** A node of three in a line, after these inputs. */
const node = (id: string, ...inputs: ReadonlyArray<Input>): Step => {
  const self = Protocol.self(id, nodesOf(3), { tree: line(3) })
  return inputs.reduce<Step>(({ state }, input) => Protocol.step(protocol, self, state, input), {
    state: protocol.init(self),
    actions: []
  })
}

describe("requests and the privilege (Raymond 1989, §3)", () => {
  it("the holder enters at once, without a message", () => {
    expect(node("n1", acquire).actions).toEqual([enters(1)])
    expect(node("n1", acquire, release, acquire).actions).toEqual([enters(2)])
  })

  it("who is not asks in the direction of the token, once for all that wait", () => {
    expect(node("n2", acquire).actions).toEqual([asks("n1")])
    expect(node("n2", acquire, request("n3")).actions).toEqual([])
    expect(node("n2", acquire, request("n3")).state.queue).toEqual(["n2", "n3"])
  })

  it("a holder that is inside keeps it until it leaves", () => {
    expect(node("n1", acquire, request("n2")).actions).toEqual([])
    expect(node("n1", acquire, request("n2"), release).actions).toEqual([gives("n2", 1)])
  })

  it("the token goes to the first of the queue; a holder for whom others wait asks it back at once", () => {
    const between = [request("n3"), acquire, privilege("n1", 7)]
    expect(node("n2", ...between)).toMatchObject({
      actions: [gives("n3", 7), asks("n3")],
      state: { holder: "n3", asked: true, queue: ["n2"] }
    })
    expect(node("n2", ...between, privilege("n3", 8)).actions).toEqual([enters(9)])
  })

  it("a token that was asked for and is not wanted any more stays where it comes to", () => {
    const withdrawn = [acquire, release, privilege("n1", 4)]
    expect(node("n2", ...withdrawn)).toMatchObject({ actions: [], state: { holder: "n2", phase: "idle" } })
    expect(node("n2", acquire, release, acquire).actions).toEqual([])
    expect(node("n2", ...withdrawn, request("n3")).actions).toEqual([gives("n3", 4)])
  })

  it("tokens end at 2^53, and a token beyond is refused", () => {
    expect(() => node("n2", acquire, privilege("n1", 2 ** 53 - 1))).toThrow("fencing tokens are used up")
  })
})

describe("every interleaving: exclusion, one token, growing numbers, no deadlock, nobody starves", () => {
  it.each([
    ["binary", { nodes: 1, entries: 3 }],
    ["binary", { nodes: 2, entries: 3, withdrawals: 2 }],
    ["binary", { nodes: 3, entries: 2, withdrawals: 1 }],
    ["binary", { nodes: 3, entries: 3 }],
    ["binary", { nodes: 3, entries: 2, network: { order: "fifo" } }],
    ["binary", { nodes: 5, entries: 1 }],
    ["star", { nodes: 4, entries: 2 }],
    [line(3), { nodes: 3, entries: 2, withdrawals: 1 }],
    [line(4), { nodes: 4, entries: 1, withdrawals: 1 }]
  ] as const)("tree %o, %o", async (tree, bounds) => {
    expect(broken(await exhaust(over(tree), bounds))).toEqual(nothing)
  })

  it("with one crash exclusion holds, and who is cut off from the token starves", async () => {
    const report = await exhaust(subject, { nodes: 3, entries: 1, crashes: { max: 1 }, stopAtViolation: false })
    expect(broken(report)).toEqual({ complete: true, broken: ["no starvation", "deadlock freedom"] })
  })

  it("the crash of a leaf that has no token and no request is missed by nobody", async () => {
    const crashes = { max: 1, nodes: ["n3"] }
    const bounds = { nodes: 3, entries: 2, askers: ["n1", "n2"], crashes }
    expect(broken(await exhaust(subject, bounds))).toEqual(nothing)
  })

  it("a root that comes back and forgets has a second token", async () => {
    const crashes = { max: 1, restart: true }
    for (const only of ["one token", "mutual exclusion", "tokens increase"]) {
      expect(broken(await exhaust(subject, { nodes: 3, entries: 1, crashes, only })).broken).toEqual([only])
    }
  })

  const mutants: ReadonlyArray<[string, string, Partial<typeof protocol>]> = [
    [
      "gives the token away while it is inside",
      "mutual exclusion",
      {
        onMessage: (state, from, message, act) => {
          const next = protocol.onMessage({ ...state, phase: "waiting" }, from, message, act)
          return next.phase === "waiting" ? { ...next, phase: state.phase } : next
        }
      }
    ],
    [
      "forgets to ask the token back",
      "deadlock freedom",
      {
        onMessage: (state, from, message, act) =>
          protocol.onMessage(message._tag === "Request" ? { ...state, asked: true } : state, from, message, act)
      }
    ]
  ]
  it.each(mutants)("a protocol that %s breaks: %s", async (_rule, only, change) => {
    const mutant = { ...over(line(3)), protocol: { ...protocol, ...change } }
    expect(broken(await exhaust(mutant, { nodes: 3, entries: 2, only })).broken).toEqual([only])
  })
})

describe("inside its assumptions every guarantee of the card holds", () => {
  it.each([
    ["binary", 1, 30],
    ["binary", 3, 150],
    ["binary", 7, 100],
    ["binary", 15, 50],
    ["star", 5, 100]
  ] as const)("tree %s, %i nodes, %i seeds", async (tree, nodes, seeds) => {
    expect((await search(over(tree), { nodes, seeds })).failures).toEqual([])
  })
})

describe("each weakness of the card is reproduced", () => {
  it.each(card.weaknesses)("$name", async (weakness) => {
    expect(await reproduce(subject, weakness, { nodes: 3 })).toEqual([weakness.breaks])
  })
})

/** Links between two nodes of a tree. */
const distance = (tree: Raymond.Tree, one: string, other: string): number => {
  const upFrom = (node: string): ReadonlyArray<string> =>
    tree[node] === null ? [node] : [node, ...upFrom(tree[node]!)]
  const [above, aboveOther] = [upFrom(one), upFrom(other)]
  const meeting = above.find((node) => aboveOther.includes(node))!
  return above.indexOf(meeting) + aboveOther.indexOf(meeting)
}

describe("an entry costs twice the distance to the token (Raymond 1989, §4)", () => {
  const counts = [...Array.from({ length: 24 }, (_, i) => i + 2), 49]

  it.each([
    ["binary", binary],
    ["star", star]
  ] as const)("%s, N = 2…25 and 49, where nobody else asks", async (shape, tree) => {
    for (const count of counts) {
      const nodes = nodesOf(count)
      const links = nodes.slice(1).map((node, i) => distance(tree(nodes), nodes[i]!, node))
      const expected = 2 * links.reduce((sum, link) => sum + link, 0)
      expect(await messages(over(shape), count, inTurns(count))).toBe(expected)
      if (shape === "binary") expect(2 * Math.max(...links)).toBeLessThanOrEqual(card.cost.worst.of(count))
    }
  })

  it("the worst is across the tree, and no more than 4 log₂ N", async () => {
    for (const count of counts) {
      const nodes = nodesOf(count)
      const tree = binary(nodes)
      const farthest = Math.max(...nodes.flatMap((one) => nodes.map((other) => distance(tree, one, other))))
      expect(binaryDiameter(count)).toBe(farthest)
      expect(card.cost.worst.of(count)).toBeLessThanOrEqual(4 * Math.floor(Math.log2(count)))
      expect(card.cost.worst.of(count)).toBe(2 * farthest)
    }
    expect(binaryDiameter(1)).toBe(0)
  })

  it("nothing where the holder enters again", async () => {
    const often = (mutex: Lock, node: string): Effect.Effect<void> => (node === "n1" ? atOnce(10)(mutex) : Effect.void)
    expect(await messages(subject, 7, often)).toBe(card.cost.best.of(7))
  })

  it.each([7, 15, 25, 49])("%i nodes that all ask at once: four messages at the most, as in a star", async (count) => {
    expect((await messages(subject, count, atOnce(4))) / (4 * count)).toBeLessThanOrEqual(4)
    expect((await messages(over("star"), count, atOnce(4))) / (4 * count)).toBeLessThanOrEqual(4)
  })
})

describe("a tree that is none is refused at start-up", () => {
  it.each([
    [{ n1: null, n2: "n1" }, 'no parent for "n3"'],
    [{ n1: null, n2: "n1", n3: "n9" }, '"n9" for the parent of "n3"'],
    [{ n1: null, n2: "n1", n3: "n1", n4: "n1" }, 'has "n4", which is not among the nodes'],
    [{ n1: null, n2: null, n3: "n1" }, 'two roots, "n1" and "n2"'],
    [{ n1: null, n2: "n3", n3: "n2" }, 'from "n2" the parents in the tree lead round in a circle'],
    [{ n1: "n2", n2: "n3", n3: "n1" }, "round in a circle"],
    ["bush", 'no tree "bush"']
  ])("%o", async (tree, reason) => {
    const network = Memory.network({ nodes: nodesOf(3) })
    const given = layer({ resource: "x", tree: tree as Raymond.Tree }).pipe(Layer.provide(Memory.layer(network, "n1")))
    const error = await Effect.runPromise(Effect.scoped(Effect.flip(Layer.build(given))))
    expect(error).toMatchObject({ _tag: "InvalidOptions", message: expect.stringContaining(reason) })
    expect(defaults).toEqual({ tree: "binary" })
  })
})
