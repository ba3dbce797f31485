import { describe, expect, it } from "@effect/vitest"
import { HyParView, Overlay, PushPull } from "@troupe/gossip"
import { Faults, Simulation } from "@troupe/simulation"
import { Context, Effect, Layer } from "effect"
import { Hand, publish } from "./epidemic/hand.ts"
import { inDegrees, kill, largestPart, overlay } from "./epidemic/overlays.ts"
import { nodesOf, seeded, world } from "./epidemic/rounds.ts"

const { card, defaults, protocol } = HyParView

/** A node of ten that has asked its contact, and has these neighbours. */
const node = (
  active: ReadonlyArray<string> = [],
  options: Partial<HyParView.Options> = {},
  passive = [] as ReadonlyArray<string>
) => {
  const n1 = new Hand(protocol, "n1", { ...defaults, contacts: ["n2"], ...options }, nodesOf(10))
  n1.state = { ...n1.state, active: active.map((each) => ({ node: each, heardMillis: 0 })), passive }
  return n1
}

const names = ({ state }: { readonly state: HyParView.State }) => state.active.map((each) => each.node)

describe("joining (Leitão et al. 2007, §4.2)", () => {
  it("a newcomer asks a contact, and has it as neighbour when it answers", () => {
    const n1 = node()
    const started = new Hand(protocol, "n1", { ...defaults, contacts: ["n2"] }, nodesOf(10))
    expect(started.state.active).toEqual([])
    const { events } = n1.hear("n2", { _tag: "Answer", accepted: true })
    expect(events).toEqual([{ _tag: "Neighbours", nodes: ["n2"] }])
  })

  it("the contact takes it in, dropping one where its view is full, and sends word on a walk to each neighbour", () => {
    const n1 = node(["n2", "n3"], { activeSize: 2 })
    const { sent } = n1.hear("n9", { _tag: "Join" })
    expect(sent).toEqual([
      { to: "n2", _tag: "Disconnect" },
      { to: "n9", _tag: "Answer", accepted: true },
      { to: "n3", _tag: "ForwardJoin", node: "n9", ttl: 6 }
    ])
    expect(names(n1)).toEqual(["n3", "n9"])
    expect(n1.state.passive).toEqual(["n2"])
  })

  it("where the walk ends, or has nowhere to go, the newcomer gains a neighbour", () => {
    for (const [active, ttl] of [
      [["n2", "n3"], 0],
      [["n2"], 4]
    ] as const) {
      const n1 = node(active)
      const { sent } = n1.hear("n2", { _tag: "ForwardJoin", node: "n9", ttl })
      expect(sent).toEqual([{ to: "n9", _tag: "Neighbour", priority: "high" }])
      expect(names(n1)).toContain("n9")
    }
  })

  it("until then the walk goes on, never back, and enters the newcomer in a passive view on the way", () => {
    const n1 = node(["n2", "n3"])
    expect(n1.hear("n2", { _tag: "ForwardJoin", node: "n9", ttl: 6 }).sent).toEqual([
      { to: "n3", _tag: "ForwardJoin", node: "n9", ttl: 5 }
    ])
    expect(n1.state.passive).toEqual([])
    n1.hear("n2", { _tag: "ForwardJoin", node: "n9", ttl: defaults.passiveWalkLength })
    expect(n1.state.passive).toEqual(["n9"])
    expect(names(n1)).not.toContain("n9")
  })
})

describe("repair (§4.3)", () => {
  it("who was silent for too long has failed: one of the passive view is asked, with low priority", () => {
    const n1 = node(["n2", "n3"], {}, ["n7"])
    n1.now = 4_000
    n1.hear("n2", { _tag: "KeepAlive" })
    n1.now = 5_000
    const { events, sent } = n1.timeout("keepAlive")
    expect(events).toEqual([{ _tag: "Neighbours", nodes: ["n2"] }])
    expect(sent).toContainEqual({ to: "n7", _tag: "Neighbour", priority: "low" })
    expect(sent).toContainEqual({ to: "n2", _tag: "KeepAlive" })
    // It is not in the passive view.
    expect(n1.state.passive).toEqual(["n7"])
  })

  it("who has no neighbour left asks with high priority, which is never declined", () => {
    const n1 = node(["n2"], {}, ["n7"])
    expect(n1.command({ _tag: "Suspect", node: "n2" }).sent).toEqual([
      { to: "n7", _tag: "Neighbour", priority: "high" }
    ])
    const full = node(["n2", "n3"], { activeSize: 2 })
    expect(full.hear("n7", { _tag: "Neighbour", priority: "low" }).sent).toEqual([
      { to: "n7", _tag: "Answer", accepted: false }
    ])
    expect(full.hear("n7", { _tag: "Neighbour", priority: "high" }).sent).toContainEqual({
      to: "n7",
      _tag: "Answer",
      accepted: true
    })
    expect(names(full)).toContain("n7")
  })

  it("who declines stays in the passive view; who does not answer is forgotten, and the next is asked", () => {
    const n1 = node(["n2", "n3"], {}, ["n7", "n8"])
    n1.command({ _tag: "Suspect", node: "n2" })
    expect(n1.state.asked).toBe("n7")
    n1.hear("n7", { _tag: "Answer", accepted: false })
    expect(n1.state).toMatchObject({ asked: undefined, passive: ["n7", "n8"] })
    n1.timeout("keepAlive")
    expect(n1.state.asked).toBe("n7")
    expect(n1.timeout("answer").sent).toEqual([{ to: "n8", _tag: "Neighbour", priority: "low" }])
    expect(n1.state.passive).toEqual(["n8"])
  })

  it("a link that only one side has is ended", () => {
    const n1 = node(["n2"])
    expect(n1.hear("n9", { _tag: "KeepAlive" }).sent).toEqual([{ to: "n9", _tag: "Disconnect" }])
    n1.hear("n2", { _tag: "Disconnect" })
    expect(names(n1)).toEqual([])
    expect(n1.state.passive).toEqual(["n2"])
  })
})

describe("passive views (§4.4)", () => {
  it("a shuffle says the node itself and a sample of both views, on a walk", () => {
    const n1 = node(["n2", "n3", "n4", "n5"], {}, ["n6", "n7"])
    const [shuffle] = n1.timeout("shuffle").sent
    expect(shuffle).toMatchObject({ to: "n2", _tag: "Shuffle", origin: "n1", ttl: 5 })
    expect(shuffle).toMatchObject({ nodes: ["n1", "n3", "n4", "n5", "n6", "n7"] })
  })

  it("its end answers with as many of its own, which make room for those that it takes in", () => {
    const n1 = node(["n2"], { passiveSize: 2 }, ["n6", "n7"])
    const { sent } = n1.hear("n2", { _tag: "Shuffle", origin: "n9", ttl: 3, nodes: ["n9", "n2"] })
    expect(sent).toEqual([{ to: "n9", _tag: "ShuffleReply", nodes: ["n6", "n7"] }])
    expect(n1.state.passive).toEqual(["n7", "n9"])
  })
})

describe("hostile input", () => {
  it("strangers are not heard, and their names not taken in", () => {
    const n1 = node(["n2", "n3"])
    for (const _tag of ["Join", "KeepAlive", "Disconnect"] as const) {
      expect(n1.hear("mallory", { _tag })).toEqual({ sent: [], events: [], timers: {} })
    }
    n1.hear("n2", { _tag: "ShuffleReply", nodes: ["mallory", "n1", "n2", "n9"] })
    expect(n1.state.passive).toEqual(["n9"])
  })
})

describe("an overlay of 300 nodes", () => {
  const views = overlay({ nodes: 300, seed: 5, rounds: 90 })

  it("is connected, with views of their size, and links that both sides have", () => {
    expect(largestPart(views.world)).toBe(300)
    const degrees = inDegrees(views.world)
    expect(Math.max(...degrees)).toBeLessThanOrEqual(defaults.activeSize)
    expect(Math.min(...degrees)).toBeGreaterThanOrEqual(2)
    expect(degrees.filter((degree) => degree === defaults.activeSize).length).toBeGreaterThan(0.95 * 300)
    for (const { active, passive } of views.states) {
      expect(passive.length).toBeGreaterThan(20)
      expect(new Set([...active.map((each) => each.node), ...passive]).size).toBe(active.length + passive.length)
    }
  })

  it("half of them die at once: nearly all others are still connected, and all again after repair (§5)", () => {
    kill(views, 0.5, seeded(4), 0)
    expect(largestPart(views.world)).toBeGreaterThan(0.9 * 150)
    views.live(20)
    expect(largestPart(views.world)).toBe(150)
  })

  it("and four fifths of all", () => {
    kill(views, 0.8, seeded(6), 0)
    views.live(60)
    expect(largestPart(views.world)).toBe(60)
  })

  it("push-pull with the few neighbours takes hardly more rounds than with all nodes", () => {
    const { world: overlaid } = overlay({ nodes: 300, seed: 7, rounds: 40 })
    const roundsOf = (seed: number, views: boolean): number => {
      const gossip = world(PushPull.protocol, { nodes: 300, options: PushPull.defaults, seed })
      let heard = 0
      gossip.onEvent = (_, event) => {
        if (event._tag === "Heard") heard++
      }
      for (const [at, { active }] of views ? overlaid.states.entries() : []) {
        gossip.command(at, { _tag: "Neighbours", nodes: active.map((each) => each.node) })
      }
      gossip.command(0, publish())
      while (heard < 300) gossip.fire("round")
      return gossip.round
    }
    const sum = (views: boolean): number => [1, 2, 3, 4, 5].reduce((all, seed) => all + roundsOf(seed, views), 0)
    expect(sum(true)).toBeLessThan(1.6 * sum(false))
  })

  it("a shuffle costs no more than the card says", () => {
    const { world } = overlay({ nodes: 60, seed: 2 })
    const shuffles = (): number => (world.sent.Shuffle ?? 0) + (world.sent.ShuffleReply ?? 0)
    const before = shuffles()
    world.fire("shuffle")
    const cost = (shuffles() - before) / 60
    expect(cost).toBeGreaterThanOrEqual(card.cost.best.of(60))
    expect(cost).toBeLessThanOrEqual(card.cost.worst.of(60))
  })

  it("newcomers join by one contact, one after another, as in the paper", () => {
    const { world } = overlay({ nodes: 60, seed: 3, options: { contacts: ["n1"] } })
    expect(largestPart(world)).toBe(60)
  })
})

describe("simulated worlds", () => {
  const layer = HyParView.layer({ mixInterval: "10 seconds" })

  it.live.each(card.assumes.tolerates)(
    "keeps its guarantees: %s",
    (preset) =>
      Effect.gen(function* () {
        for (let seed = 1; seed <= 3; seed++) {
          const { violations } = yield* Simulation.run({
            seed,
            nodes: nodesOf(12),
            faults: Faults.presets[preset],
            duration: "90 seconds",
            properties: Simulation.fromCard(card, protocol.name),
            program: () => Layer.build(layer)
          })
          expect({ seed, violations }).toEqual({ seed, violations: [] })
        }
      }),
    60_000
  )

  it.live("a split that lasted longer than failures take heals", () =>
    Effect.gen(function* () {
      const overlays = new Map<string, Overlay["Service"]>()
      const nodes = nodesOf(12)
      const { value, violations } = yield* Simulation.run({
        seed: 1,
        nodes,
        duration: "5 minutes",
        properties: Simulation.fromCard(card, protocol.name),
        program: Effect.fnUntraced(function* (each: string) {
          overlays.set(each, Context.get(yield* Layer.build(layer), Overlay))
        }),
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep("20 seconds")
            yield* simulator.split([nodes.slice(0, 6), nodes.slice(6)])
            yield* Effect.sleep("40 seconds")
            const apart = yield* overlays.get("n1")!.neighbours
            yield* simulator.split([nodes])
            yield* Effect.sleep("60 seconds")
            return apart
          })
      })
      expect(violations).toEqual([])
      expect(value!.length).toBeGreaterThan(0)
      expect(value!.every((each) => nodes.indexOf(each) < 6)).toBe(true)
    })
  )
})
