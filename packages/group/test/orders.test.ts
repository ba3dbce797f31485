/** Each order against its card: in simulated worlds, in views that change, in every interleaving, and what it costs. */
import { Multicast } from "@troupe/group"
import { Simulation } from "@troupe/simulation"
import { Trace } from "@troupe/trace"
import { Channel, type Transport } from "@troupe/transport"
import { Context, Duration, Effect, Layer, Schema } from "effect"
import { describe, expect, it } from "vitest"
import type { Order } from "../src/internal/order.ts"
import { causal, dependencyLists, none, vectorClocks } from "../src/internal/orders/causal.ts"
import { chaos, run } from "./chaos.ts"
import { conforms, explain, search } from "./conformance.ts"
import { type Bounds, broken, nothing } from "./exhaust.ts"
import { first, interleave, rules, texts, without } from "./interleavings.ts"
import { fixed, guaranteesOf, inOneView, type Name, names, orders, stable } from "./orders.ts"

const nodes = ["n1", "n2", "n3", "n4"]

for (const name of names) {
  const worlds = ["none", "lossy", "partition", "doubled"] as const
  conforms(fixed(name), { worlds, seeds: 10, senders: 3, card: true, sockets: ["tcp", "udp"] })
  conforms(stable(name), { worlds, seeds: 5, senders: 3, card: true })
  conforms(inOneView(name, nodes), { worlds: ["none", "lossy"], seeds: 5, senders: 3, card: true })
}

// ------------------------------------------------------------------------------------------------- views that change

/** What is broken first in these seeds, where members crash, join, and are left out wrongly. */
const inChaos = async (
  name: Name,
  seeds: number,
  { looksUniform = false, order = rules[name], uniform = false } = {}
): Promise<string | undefined> => {
  const world = {
    ...chaos,
    protocol: texts(order),
    options: { ...chaos.options, uniform, ...(uniform ? { reportMillis: 0 } : {}) },
    guarantees: [...guaranteesOf(name), "view-synchronous", ...(uniform || looksUniform ? (["uniform"] as const) : [])]
  } as const
  for (let seed = 1; seed <= seeds; seed++) {
    const { broken } = await run(seed, world)
    if (broken.length > 0) return `seed ${seed}: ${broken.join("; ")}`
  }
  return undefined
}

describe("members crash, come back and join, are left out wrongly, messages are lost, doubled and overtake", () => {
  it.each(names)("by %s: the order holds, survivors have delivered the same", async (name) => {
    expect(await inChaos(name, 20)).toBeUndefined()
  })

  it.each(names)("by %s, uniform: nobody has delivered what survivors don't", async (name) => {
    expect(await inChaos(name, 10, { uniform: true })).toBeUndefined()
  })

  it.each(["vector clocks", "sequencer"] as const)("by %s: not uniform without that", async (name) => {
    expect(await inChaos(name, 40, { looksUniform: true })).toContain("uniform")
  })
})

// ------------------------------------------------------------------------------------------------ every interleaving

describe("every interleaving of three members, of whom two send", () => {
  const crash = (node: string): Bounds => ({ messages: [1, 1], mortal: [node], views: [first, without(node)] })

  it.each(names)("by %s: nobody crashes", async (name) => {
    const bounds: Bounds = name === "timestamps" ? { messages: [1, 1], network: { order: "any" } } : {}
    expect(broken(await interleave(name, bounds))).toEqual(nothing)
  })

  const mortals = names
    .filter((name) => name !== "timestamps")
    .flatMap((name) => ["n1", "n2"].map((node) => [name, node] as const))
  it.each(mortals)("by %s: %s crashes in the midst of a step", async (name, node) => {
    expect(broken(await interleave(name, crash(node)))).toEqual(nothing)
  })

  it("by timestamps: the one who sends crashes in the midst of a step", async () => {
    expect(broken(await interleave("timestamps", { ...crash("n1"), messages: [1] }))).toEqual(nothing)
  })
})

describe("a planted fault is found", () => {
  const hasty = {
    "vector clocks": causal({ ...vectorClocks, missing: () => none }),
    "dependency lists": causal({ ...dependencyLists, missing: () => none })
  }
  it.each(["vector clocks", "dependency lists"] as const)("by %s, the causal wait is skipped", async (name) => {
    expect(await inChaos(name, 5, { order: hasty[name] })).toContain("causal order")
    const report = await interleave(name, { messages: [1, 1] }, hasty[name])
    expect(broken(report).broken).toEqual(["guarantees"])
    // Also where runs are asked at their ends alone, and not all orders of steps are gone.
    const atEnds = await interleave(name, { messages: [1, 1], atEnds: true }, hasty[name])
    expect(broken(atEnds).broken).toEqual(["guarantees at the end"])
    expect(broken(await interleave(name, { messages: [1, 1], atEnds: true }))).toEqual(nothing)
  })

  it("a sequencer announces a message that it does not have", async () => {
    const order: Order<any, any> = {
      ...rules.sequencer,
      send: (state, sequence, ask) => {
        const { stamp, ...rest } = rules.sequencer.send(state, sequence, ask)
        return { ...rest, stamp: ask.rank === 0 ? [...stamp, 1, 1] : stamp }
      }
    }
    const report = await interleave("sequencer", { messages: [2] }, order)
    expect(broken(report).broken).toEqual(["guarantees at the end"])
  })

  it("a token is used twice", async () => {
    const { later } = rules.token
    // Whoever has a message to announce does so, whoever's turn it is.
    const order: Order<any, any> = {
      ...rules.token,
      later: (state, ask) => later!({ ...state, turn: ask.rank }, ask) && state,
      receive: (state, rank, message, isControl, ask) => {
        if (!isControl) ask.later()
        return rules.token.receive(state, rank, message, isControl, ask)
      }
    }
    const report = await interleave("token", { messages: [1, 1], search: { maxStates: 200_000 } }, order)
    expect(broken(report).broken.length).toBeGreaterThan(0)
  })

  it("a message is delivered by its own timestamp, whatever has none yet", async () => {
    const { receive } = rules.timestamps
    const order: Order<any, any, any> = {
      ...rules.timestamps,
      // Those without a timestamp are taken for as high as can be.
      receive: (state, rank, message, isControl, ask) => {
        const proposed = state.proposed.map((log: any) => ({
          ...log,
          chunks: log.chunks.map((c: any) => c.map(() => 1e9))
        }))
        const next = receive(isControl ? { ...state, proposed } : state, rank, message, isControl, ask) as any
        return next
      }
    }
    const report = await interleave("timestamps", { messages: [1, 1] }, order)
    expect(broken(report).broken).toContain("guarantees")
  })

  // The view ends for a member that has an answer, and not the question that its sender was delivered.
  it.each(["sequencer", "token", "timestamps"] as const)(
    "by %s, messages do not say what they follow",
    async (name) => {
      const bounds: Bounds = {
        messages: [1, 0, 1],
        views: [first, { number: 2, members: ["n2"], joined: [] }],
        search: { maxStates: 1_000_000 }
      }
      const order: Order<any, any, any> = {
        ...rules[name],
        send: (state, sequence, ask) => {
          const { stamp, ...rest } = rules[name].send(state, sequence, ask)
          return {
            ...rest,
            stamp: stamp.map((each: number, i: number) => (i === 0 || name === "timestamps" ? 0 : each))
          }
        }
      }
      expect(broken(await interleave(name, bounds, order)).broken).toEqual(["guarantees"])
    }
  )
})

// ----------------------------------------------------------------------------------------------------------- what it costs

const Posts = Channel.make("posts", Schema.String)
const Answers = Channel.make("answers", Schema.String)
const hopMillis = 10

interface Cost {
  /** Messages by what they are. */
  readonly counts: Readonly<Record<string, number>>
  /** The latest delivery after the send, in hops. */
  readonly hops: number
}

/** Of one multicast in a group that is at rest otherwise. */
const costOf = async (name: Name, members: number, sender: string, uniform = false): Promise<Cost> => {
  const counts: Record<string, number> = {}
  let sentAt = 0
  let deliveredAt = 0
  const subject = uniform ? stable(name) : fixed(name)
  const result = await Effect.runPromise(
    Simulation.run({
      seed: 1,
      nodes: Array.from({ length: members }, (_, i) => `n${i + 1}`),
      duration: "1 hour",
      faults: { delayMillisMin: hopMillis, delayMillisMax: hopMillis },
      program: (node) =>
        Effect.gen(function* () {
          const context = yield* Layer.build(subject.layer(node))
          const service = Context.get(context, Multicast.key<Multicast.Guarantee>())
          const topic = yield* service.open(Posts, () => void (deliveredAt = performance.now()))
          if (node !== sender) return
          yield* Effect.sleep("1 second")
          sentAt = performance.now()
          yield* topic.send("hello")
        }),
      trace: (event) => {
        for (const { message } of Trace.sends(event)) {
          const { _tag } = message as { readonly _tag: string }
          counts[_tag] = (counts[_tag] ?? 0) + 1
        }
      }
    })
  )
  expect(result.ended).toBe("quiet")
  return { counts, hops: Math.round((deliveredAt - sentAt) / hopMillis) }
}

const paid = ({ counts }: Cost): number => (counts["Data"] ?? 0) + (counts["Control"] ?? 0) + (counts["Note"] ?? 0)

const sizes = Array.from({ length: 24 }, (_, i) => i + 2)

describe("a multicast costs what the card says, among 2 to 25 nodes", () => {
  it.each(names)("by %s", async (name) => {
    const { best, worst } = orders[name].card.cost
    for (const members of sizes) {
      expect(paid(await costOf(name, members, "n1"))).toBe(best.of(members))
      expect(paid(await costOf(name, members, "n2"))).toBe(worst.of(members))
    }
  })

  it.each([
    ["vector clocks", 1, 1],
    ["dependency lists", 1, 1],
    ["sequencer", 1, 2],
    ["token", 1, 2],
    ["timestamps", 3, 3]
  ] as const)("by %s: %i hops from the first member, %i from others", async (name, ofFirst, ofOthers) => {
    expect([(await costOf(name, 5, "n1")).hops, (await costOf(name, 5, "n2")).hops]).toEqual([ofFirst, ofOthers])
  })
})

// --------------------------------------------------------------------------------------------------------- where it breaks

describe("weaknesses", () => {
  it.each(names)("by %s: among fixed nodes a crash stops the group", async (name) => {
    expect(explain(await search(fixed(name), "half-way", 20, { card: true }))).toContain("everybody gets everything")
  })

  it.each(names)("by %s: among fixed nodes one that comes back is a stranger", async (name) => {
    expect(explain(await search(fixed(name), "crash", 20, { card: true }))).toContain("nothing is forgotten")
  })

  // In one group a question, in another its answer, which takes a faster way: what the third member hears.
  const heard = async (name: Name, asker: string, answerer: string, groups: ReadonlyArray<string>) => {
    const heard: Array<string> = []
    await Effect.runPromise(
      Simulation.run({
        seed: 1,
        nodes: ["n1", "n2", "n3"],
        duration: Duration.seconds(10),
        delays: (from, to) => {
          const millis = from === asker && to === "n3" ? 400 : 1
          return { minMillis: millis, maxMillis: millis }
        },
        program: (node) =>
          Effect.gen(function* () {
            const join = (group: string) => {
              const layer: Layer.Layer<Multicast.Multicast<any>, any, Transport> = orders[name].layer({ group })
              return Effect.map(Layer.build(layer), (context) => Context.get(context, Multicast.key<any>()))
            }
            const services = yield* Effect.forEach(groups, join)
            const answers = yield* services.at(-1)!.open(Answers, () => void (node === "n3" && heard.push("answer")))
            const questions = yield* services[0]!.open(Posts, () => {
              if (node === "n3") heard.push("question")
              if (node === answerer) answers.trySend("here")
            })
            if (node === asker) yield* questions.send("who is here?")
          })
      })
    )
    return heard
  }

  const roles = [
    ["vector clocks", "n1", "n2"],
    ["dependency lists", "n1", "n2"],
    ["sequencer", "n2", "n1"],
    ["token", "n2", "n1"],
    ["timestamps", "n2", "n1"]
  ] as const

  it.each(roles)("by %s: an answer in another group comes before its question", async (name, asker, answerer) => {
    expect(await heard(name, asker, answerer, ["a", "b"])).toEqual(["answer", "question"])
  })

  it.each(roles)("by %s: not where the two are topics of one group", async (name, asker, answerer) => {
    expect(await heard(name, asker, answerer, ["a"])).toEqual(["question", "answer"])
  })

  it("a causal order is not a total one", async () => {
    const strict = { ...fixed("vector clocks"), guarantees: [...guaranteesOf("sequencer")] }
    expect(explain(await search(strict, "none", 40, { senders: 3 }))).toContain("total order")
  })
})
