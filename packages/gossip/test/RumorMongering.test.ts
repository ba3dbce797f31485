import { RumorMongering } from "@troupe/gossip"
import { describe, expect, it } from "vitest"
import { bytes, Hand, item, publish } from "./epidemic/hand.ts"
import { nodesOf } from "./epidemic/rounds.ts"
import { residueOf, rumours } from "./epidemic/rumours.ts"

const { card, defaults, protocol } = RumorMongering

const node = (options: Partial<RumorMongering.Options> = {}) =>
  new Hand(protocol, "n1", { ...defaults, ...options }, nodesOf(4))

const idOf = (origin: string, sequence: number) => ({ origin, life: 0, sequence })

/** A node that has one rumour, and whom it has told of it in the last round. */
const telling = (options: Partial<RumorMongering.Options> = {}) => {
  const n1 = node({ k: 2, ...options })
  n1.random = () => 0.3
  n1.command(publish())
  return n1
}

describe("telling on (Demers et al. 1987, §1.4)", () => {
  it("what is new is told to one other in each round; where nothing is new nothing is sent, and no timer runs", () => {
    const n1 = node()
    n1.random = () => 0.3
    expect(n1.command(publish()).timers).toEqual({ round: 1_000 })
    const { sent, timers } = n1.timeout("round")
    expect(sent).toEqual([{ to: "n2", _tag: "Rumours", items: [item("n1", 1)], feedback: true }])
    expect(timers).toEqual({ round: 1_000 })
    n1.state = { ...n1.state, hot: [] }
    expect(n1.timeout("round")).toEqual({ sent: [], events: [], timers: {} })
  })

  it("who hears it for the first time tells it on, and says nothing; who had heard says so", () => {
    const n1 = node()
    const rumours = { _tag: "Rumours", items: [item("n2", 1)], feedback: true } as const
    const first = n1.hear("n2", rumours)
    expect(first.events).toEqual([{ _tag: "Heard", item: item("n2", 1) }])
    expect(first.sent).toEqual([])
    expect(n1.state.hot.map((rumour) => rumour.item)).toEqual([item("n2", 1)])
    expect(n1.hear("n3", rumours).sent).toEqual([{ to: "n3", _tag: "Feedback", known: [idOf("n2", 1)], news: [] }])
  })

  it("feedback and counter: interest is lost after k that had heard", () => {
    const n1 = telling({ stop: "feedback", by: "counter" })
    const known = { _tag: "Feedback", known: [idOf("n1", 1)], news: [] } as const
    n1.timeout("round")
    n1.hear("n2", known)
    expect(n1.state.hot.length).toBe(1)
    n1.timeout("round")
    n1.hear("n3", known)
    expect(n1.state.hot).toEqual([])
  })

  it("feedback and coin: with each that had heard, with probability 1/k", () => {
    const known = { _tag: "Feedback", known: [idOf("n1", 1)], news: [] } as const
    const n1 = telling({ stop: "feedback", by: "coin" })
    n1.random = () => 0.51
    n1.hear("n2", known)
    expect(n1.state.hot.length).toBe(1)
    n1.random = () => 0.49
    n1.hear("n2", known)
    expect(n1.state.hot).toEqual([])
  })

  it("blind and counter: after k tellings, whoever heard", () => {
    const n1 = telling({ stop: "blind", by: "counter" })
    expect(n1.timeout("round").sent).toMatchObject([{ feedback: false }])
    expect(n1.state.hot.length).toBe(1)
    n1.timeout("round")
    expect(n1.state.hot).toEqual([])
  })

  it("pull: each asks in every round; if any who asked needed the item the counter begins anew (the note to table 3)", () => {
    const n1 = telling({ mode: "pull", k: 2 })
    expect(n1.timeout("round").sent).toEqual([{ to: "n2", _tag: "Ask" }])
    expect(n1.hear("n3", { _tag: "Ask" }).sent).toMatchObject([{ to: "n3", _tag: "Rumours" }])
    const known = { _tag: "Feedback", known: [idOf("n1", 1)], news: [] } as const
    n1.hear("n3", known)
    n1.hear("n4", known)
    n1.timeout("round")
    // Two had heard, in one round: that counts once.
    expect(n1.state.hot.map(({ count }) => count)).toEqual([1])
    n1.hear("n3", known)
    n1.hear("n4", { _tag: "Feedback", known: [], news: [idOf("n1", 1)] })
    n1.timeout("round")
    expect(n1.state.hot.map(({ count }) => count)).toEqual([0])
  })

  it("no more rumours are told on than `hotMax`: interest in the oldest is lost", () => {
    const n1 = node({ hotMax: 3 })
    for (let i = 0; i < 5; i++) n1.command(publish(bytes(i)))
    expect(n1.state.hot.map((rumour) => rumour.item.sequence)).toEqual([3, 4, 5])
  })

  it("the back-up compares all that was heard with one other (§1.5)", () => {
    const n1 = telling()
    const { sent, timers } = n1.timeout("backup")
    expect(sent).toMatchObject([{ _tag: "Digest", mode: "push-pull" }])
    expect(timers).toEqual({ backup: defaults.backupMillis })
  })
})

describe("residue, of 1,000 nodes in 10 runs each", () => {
  const averaged = (options: Partial<RumorMongering.Options>) => rumours({ nodes: 1_000, runs: 10, options })

  it.each([1, 2])("feedback, counter and coin: s = e^−(k+1)(1−s), for k = %i (§1.4)", (k) => {
    for (const by of ["counter", "coin"] as const) {
      const { residue } = averaged({ mode: "push", stop: "feedback", by, k })
      expect(residue).toBeGreaterThan(0.8 * residueOf(k))
      expect(residue).toBeLessThan(1.2 * residueOf(k))
    }
  })

  it("the formula has the values that the paper names: 20 % for k = 1, 6 % for k = 2", () => {
    expect(residueOf(1)).toBeCloseTo(0.2, 2)
    expect(residueOf(2)).toBeCloseTo(0.06, 2)
  })

  it("blind and coin, as the paper's table 2 has it: 0.96, 0.20 for k = 1, 2", () => {
    expect(averaged({ stop: "blind", by: "coin", k: 1 }).residue).toBeGreaterThan(0.9)
    expect(Math.abs(averaged({ stop: "blind", by: "coin", k: 2 }).residue - 0.2)).toBeLessThan(0.05)
  })

  it("for all of push, s = e^−m, where each node sends the item m times on average", () => {
    for (const stop of ["feedback", "blind"] as const) {
      const { residue, traffic } = averaged({ stop, by: "counter", k: 2 })
      expect(Math.abs(Math.log(residue) + traffic)).toBeLessThan(0.15)
    }
  })

  it("pull, feedback and counter: 3.1 % for k = 1, as in table 3, where push leaves 18 % and more", () => {
    const { residue, traffic } = averaged({ mode: "pull", k: 1 })
    expect(Math.abs(residue - 0.031)).toBeLessThan(0.012)
    expect(Math.abs(traffic - 2.7)).toBeLessThan(0.3)
  })
})

describe("the card", () => {
  it("its first weakness: without the back-up some never hear, and with it they do", () => {
    const everybody = card.guarantees.find(({ name }) => name === card.weaknesses[0]!.breaks)!
    const alive = (states: ReadonlyArray<RumorMongering.State>) =>
      states.map((state, at) => ({ node: `n${at + 1}`, alive: true, state }))
    const lost = rumours({ nodes: 100, runs: 1, options: { k: 1 } })
    expect(everybody.holds(alive(lost.world.states))).toBe(false)
    const saved = rumours({ nodes: 100, runs: 1, options: { k: 1, backupMillis: 1_000 }, backups: 20 })
    expect(everybody.holds(alive(saved.world.states))).toBe(true)
  })

  it.each([2, 5, 50])("an item costs between 1 + 4k and N − 1 + 2kN messages, of %i nodes (its cost)", (nodes) => {
    for (let seed = 1; seed <= 20; seed++) {
      const { sent } = rumours({ nodes, runs: 1, seed }).world
      const messages = (sent.Rumours ?? 0) + (sent.Feedback ?? 0)
      expect(messages).toBeGreaterThanOrEqual(card.cost.best.of(nodes))
      expect(messages).toBeLessThanOrEqual(card.cost.worst.of(nodes))
    }
  })
})
