/** The broadcasts that put nothing in order, each against its card. */
import type { Card, Protocol } from "@troupe/actor"
import { BestEffort, Flooding, Uniform } from "@troupe/group"
import { describe, expect, it } from "vitest"
import { layer as multicasting } from "../src/internal/multicasting.ts"
import { bestEffort, flooding, uniform } from "./broadcasts.ts"
import { conforms, explain, search, simulate, type Subject } from "./conformance.ts"
import { broken, exhaust, nothing } from "./exhaust.ts"

conforms(bestEffort, { worlds: ["none", "crash"], seeds: 150 })
conforms(flooding, { worlds: ["none", "crash", "half-way", "doubled"], seeds: 150 })
conforms(uniform, { worlds: ["none", "half-way", "doubled"], seeds: 150 })

describe("every interleaving of three members, of which two send two messages each", () => {
  const roles = [
    ["nobody crashes", []],
    ["a sender crashes in the midst of a step", ["n1"]],
    ["one who only hears crashes", ["n3"]]
  ] as const
  for (const [role, mortal] of roles) {
    it(`best effort: ${role}`, async () => {
      expect(broken(await exhaust(BestEffort.protocol, undefined, ["best-effort"], { mortal }))).toEqual(nothing)
    })
    it(`flooding is reliable: ${role}`, async () => {
      const network = { order: "any" } as const
      const report = await exhaust(Flooding.protocol, undefined, ["reliable"], { mortal, network })
      expect(broken(report)).toEqual(nothing)
    })
    it(`the majority makes it uniform: ${role}`, async () => {
      const messages = mortal.length === 0 ? [2, 1] : [1, 1]
      const always = (states: ReadonlyArray<Uniform.State>): boolean =>
        Uniform.card.guarantees[0]!.holds(states.map((state) => ({ node: "", alive: true, state })))
      const report = await exhaust(Uniform.protocol, Uniform.defaults, ["uniform"], { mortal, messages, always })
      expect(broken(report)).toEqual(nothing)
    })
  }

  it("doubled messages are delivered once", async () => {
    const bounds = { messages: [1, 1], network: { duplication: true } } as const
    expect(broken(await exhaust(Flooding.protocol, undefined, ["reliable"], bounds))).toEqual(nothing)
    const one = { messages: [1], network: { duplication: true } } as const
    expect(broken(await exhaust(Uniform.protocol, Uniform.defaults, ["uniform"], one))).toEqual(nothing)
  })

  it("all members that are left acknowledge: two of three may crash, where views tell", async () => {
    const options = { ...Uniform.defaults, quorum: "members" }
    const views = [
      { number: 1, members: ["n2", "n3"] },
      { number: 2, members: ["n2"] }
    ]
    const bounds = { messages: [1], mortal: ["n1", "n3"], views }
    expect(broken(await exhaust(Uniform.protocol, options, ["uniform"], bounds))).toEqual(nothing)
    // A majority would wait for ever.
    const majority = await exhaust(Uniform.protocol, Uniform.defaults, ["uniform"], { ...bounds, messages: [0, 1] })
    expect(broken(majority).broken).toEqual(["guarantees at the end"])
  })
})

describe("what breaks", () => {
  it("best effort: a sender that crashes half-way leaves some without", async () => {
    const outcome = await search({ ...bestEffort, guarantees: ["reliable"] }, "half-way", 40)
    expect(explain(outcome)).toContain("agreement: ")
    const report = await exhaust(BestEffort.protocol, undefined, ["reliable"], { mortal: ["n1"], messages: [1] })
    expect(broken(report).broken).toContain("guarantees at the end")
  })

  it("best effort: what is lost or doubled, or sent across a split", async () => {
    const rules = new Set<string>()
    for (let seed = 1; seed <= 20; seed++) {
      const { verdict } = await simulate(bestEffort, "lossy", seed, { faults: { lossProbability: 0.05 } })
      if (verdict._tag === "Violated") rules.add(verdict.rule)
    }
    expect([...rules].sort()).toEqual(["no duplication", "self-delivery", "validity"].filter((rule) => rules.has(rule)))
    expect(rules.size).toBeGreaterThan(1)
    expect(explain(await search(bestEffort, "partition", 20, { pauseMillis: 2_000 }))).toContain("validity: ")
  })

  it("flooding: what a node delivers right before it crashes can die with it", async () => {
    const report = await exhaust(Flooding.protocol, undefined, ["uniform"], { mortal: ["n1"], messages: [1] })
    expect(broken(report).broken).toContain("guarantees at the end")
    const outcome = await search({ ...flooding, guarantees: ["uniform"] }, "half-way", 100, { nodes: 3 })
    expect(explain(outcome)).toContain("uniform agreement: ")
  })

  it("flooding: what all copies of are lost", async () => {
    const faults = { lossProbability: 0.3 }
    expect(explain(await search(flooding, "lossy", 40, { faults }))).toContain("never delivers")
    expect(explain(await search(flooding, "partition", 20, { pauseMillis: 2_000 }))).toContain("never delivers")
  })

  it("uniform: when a majority is down nobody delivers, and senders wait", async () => {
    const report = await exhaust(Uniform.protocol, Uniform.defaults, ["reliable"], {
      messages: [0, 0, 1],
      mortal: ["n1", "n2"]
    })
    expect(broken(report).broken).toContain("guarantees at the end")
  })

  it("uniform: what is lost is not sent again", async () => {
    const outcome = await search(uniform, "lossy", 40, { faults: { lossProbability: 0.2 } })
    expect(explain(outcome)).toContain("never delivers")
    expect(explain(await search(uniform, "partition", 20, { pauseMillis: 2_000 }))).toContain("never delivers")
  })
})

describe("cards", () => {
  const broadcasts = [
    [bestEffort, BestEffort.card],
    [flooding, Flooding.card],
    [uniform, Uniform.card]
  ] as ReadonlyArray<readonly [Subject, Card.Card]>
  for (const [subject, card] of broadcasts) {
    it(`${card.title}: states are as it says under what it tolerates`, async () => {
      for (const world of card.assumes.tolerates) {
        expect(explain(await search(subject, world, 30, { card: true }))).toBe("nothing")
      }
    })

    for (const { breaks, faults, name } of card.weaknesses) {
      if (breaks === undefined) continue
      it(`${card.title}: ${name}`, async () => {
        const broken = new Set<string>()
        for (let seed = 1; seed <= 150 && !broken.has(breaks); seed++) {
          const often = faults === "lossy" ? { messages: 200, pauseMillis: 60 } : { pauseMillis: 4_000 }
          const { wrong } = await simulate(subject, faults, seed, { card: true, nodes: 3, ...often })
          for (const each of wrong) broken.add(each.split(":")[0]!)
        }
        expect(broken).toContain(breaks)
      })
    }

    it(`${card.title}: a multicast costs ${card.cost.worst.text} messages`, async () => {
      for (const nodes of [1, 2, 3, 4, 7]) {
        // Alone, with equal delays: everybody hears of the origin first.
        const faults = { delayMillisMin: 5, delayMillisMax: 5 }
        const { sent } = await simulate(subject, "none", 1, { nodes, senders: 1, messages: 1, faults })
        expect(sent).toBe(card.cost.worst.of(nodes))
      }
    })
  }

  it("flooding costs least where one member hears of the origin, and all others of that one", async () => {
    for (const nodes of [3, 4, 7]) {
      const delays = (from: string, to: string) => {
        const millis = from === "n1" && to !== "n2" ? 100 : 1
        return { minMillis: millis, maxMillis: millis }
      }
      const { sent } = await simulate(flooding, "none", 1, { nodes, senders: 1, messages: 1, delays })
      expect(sent).toBe(Flooding.card.cost.best.of(nodes))
    }
  })
})

// ------------------------------------------------------------------------------------------------------------- mutants

/** What a handler may ask, less what is left out. */
const less = (
  act: Protocol.Actions<any, any, never, any>,
  leaveOut: { readonly sends?: boolean; readonly events?: boolean }
): Protocol.Actions<any, any, never, any> => ({
  self: act.self,
  send: (to, message) => (leaveOut.sends === true ? undefined : act.send(to, message)),
  sendAll: (to, message) => (leaveOut.sends === true ? undefined : act.sendAll(to, message)),
  setTimer: () => {},
  clearTimer: () => {},
  emit: (event) => (leaveOut.events === true ? undefined : act.emit(event)),
  now: () => act.now(),
  monotonic: () => act.monotonic(),
  random: () => act.random()
})

describe("planted faults are found", () => {
  it("a flooding that does not send on", async () => {
    const protocol: typeof Flooding.protocol = {
      ...Flooding.protocol,
      onMessage: (state, from, message, act) =>
        Flooding.protocol.onMessage(state, from, message, less(act, { sends: true }))
    }
    const report = await exhaust(protocol, undefined, ["reliable"], { mortal: ["n1"], messages: [1] })
    expect(broken(report).broken).toEqual(["guarantees at the end"])
    const reading = { room: () => Infinity, view: ({ view }: Flooding.State) => view }
    const layer = () => multicasting({ protocol, options: undefined, guarantees: ["reliable"], reading })
    expect(explain(await search({ ...flooding, layer }, "half-way", 40))).toContain("agreement: ")
  })

  it("a uniform broadcast that delivers before a majority has it", async () => {
    const { onCommand, onMessage } = Uniform.protocol
    const isNew = (state: Uniform.State, rank: number): boolean =>
      state.pending[rank]!.length + state.delivered[rank]!.length === 0
    const delivered = (from: string, payload: unknown) =>
      ({ _tag: "Delivered", from, sequence: 1, view: 0, payload }) as const
    // Of one message of n1, which each delivers as soon as it has it.
    const protocol: typeof Uniform.protocol = {
      ...Uniform.protocol,
      onCommand: (state, command, act) => {
        act.emit(delivered("n1", command.payload))
        return onCommand(state, command, less(act, { events: true }))
      },
      onMessage: (state, from, message, act) => {
        if (message._tag === "Data" && isNew(state, 0)) act.emit(delivered("n1", message.payload))
        return onMessage(state, from, message, less(act, { events: true }))
      }
    }
    const bounds = { mortal: ["n1"], messages: [1] }
    expect(broken(await exhaust(protocol, Uniform.defaults, ["reliable"], bounds))).toEqual(nothing)
    const report = await exhaust(protocol, Uniform.defaults, ["uniform"], bounds)
    expect(broken(report).broken).toEqual(["guarantees at the end"])
  })
})
