import { Delivery } from "@troupe/consistency"
import { Trace } from "@troupe/trace"
import { describe, expect, it } from "vitest"
import { goForward, randomDeliveries, reference } from "./deliveries.ts"
import { seeded } from "./registers.ts"

const broken = (
  predicate: (trace: Delivery.Trace) => Delivery.Verdict,
  nodes: Record<string, ReadonlyArray<string>>
) => {
  const verdict = predicate(Delivery.make(nodes))
  return verdict._tag === "Ok" ? "Ok" : `${verdict.rule}, ${verdict.node} ${verdict.index}: ${verdict.reason}`
}

describe("each predicate is what its definition says, by enumeration", () => {
  const predicates = {
    noDuplication: Delivery.noDuplication,
    noCreation: Delivery.noCreation,
    selfDelivery: Delivery.selfDelivery,
    validity: Delivery.validity,
    reliable: Delivery.reliable,
    uniform: Delivery.uniform,
    fifo: Delivery.fifo,
    causal: Delivery.causal,
    total: Delivery.total,
    uniformTotal: Delivery.uniformTotal,
    viewSynchronous: Delivery.viewSynchronous
  }
  for (const [name, predicate] of Object.entries(predicates)) {
    for (const views of [false, true]) {
      if (name === "viewSynchronous" && !views) continue
      it(`${name}, ${views ? "with" : "without"} views`, () => {
        const random = seeded(5)
        const seen = { Ok: 0, Violated: 0 }
        for (let i = 0; i < 2000; i++) {
          const trace = randomDeliveries(random, views)
          if (views && !goForward(trace)) continue
          const verdict = predicate(trace)
          seen[verdict._tag]++
          if ((verdict._tag === "Ok") !== reference[name as keyof typeof predicates](trace)) {
            expect.fail(`${JSON.stringify(verdict)}: ${JSON.stringify([...trace], undefined, 1)}`)
          }
          if (verdict._tag === "Ok") continue
          expect(verdict.index).toBeLessThanOrEqual(trace.get(verdict.node)!.length)
        }
        expect(seen.Ok).toBeGreaterThan(100)
        expect(seen.Violated).toBeGreaterThan(100)
      })
    }
  }
})

describe("what is said", () => {
  it("of a message that comes twice, or from nowhere", () => {
    expect(broken(Delivery.noDuplication, { n1: ["send a", "deliver a", "deliver a"] })).toBe(
      "no duplication, n1 2: n1 delivers a of n1 a second time."
    )
    expect(broken(Delivery.noCreation, { n1: ["deliver a"] })).toBe(
      "no creation, n1 0: n1 delivers a, which nobody sent."
    )
    expect(broken(Delivery.noCreation, { n1: ["deliver a", "send a"] })).toBe(
      "no creation, n1 0: n1 delivers a before it sends it."
    )
    const recorder = new Delivery.Recorder()
    recorder.sent("n1", "a")
    recorder.delivered("n2", "a", { from: "n3" })
    expect(Delivery.noCreation(recorder.trace)).toMatchObject({
      reason: "n2 delivers a as from n3, but n1 sent it."
    })
  })

  it("of a message that is missing", () => {
    expect(broken(Delivery.selfDelivery, { n1: ["send a"] })).toBe(
      "self-delivery, n1 1: n1 sent a and never delivers it itself."
    )
    expect(broken(Delivery.validity, { n1: ["send a", "deliver a"], n2: [] })).toBe(
      "validity, n2 0: n2 never delivers a, though n1, which is correct, sent it."
    )
    const halfWay = { n1: ["send a", "crash"], n2: ["deliver a"], n3: [] }
    expect(broken(Delivery.validity, halfWay)).toBe("Ok")
    expect(broken(Delivery.reliable, halfWay)).toBe("agreement, n3 0: n3 never delivers a, though n2 delivered it.")
    const last = { n1: ["send a", "deliver a", "crash"], n2: [], n3: [] }
    expect(broken(Delivery.reliable, last)).toBe("Ok")
    expect(broken(Delivery.uniform, last)).toBe(
      "uniform agreement, n2 0: n2 never delivers a, though n1, which is not correct, delivered it."
    )
  })

  it("of an order", () => {
    const questions = {
      n1: ["send question", "deliver question"],
      n2: ["deliver question", "send answer", "deliver answer"],
      n3: ["deliver answer", "deliver question"]
    }
    expect(broken(Delivery.fifo, questions)).toBe("Ok")
    expect(broken(Delivery.causal, questions)).toBe(
      "causal order, n3 0: n3 delivers answer of n2 before question of n1, which came before it."
    )
    expect(broken(Delivery.total, questions)).toBe(
      "total order, n3 1: n3 delivers answer before question, n2 question before answer."
    )
    expect(broken(Delivery.causal, { n1: ["deliver b", "send a"], n2: ["deliver a", "send b"] })).toBe(
      "causal order, n2 0: n2 delivers a before n1 can have sent it: each came before the other."
    )
  })

  it("of a crashed node's order, only where the guarantee is uniform", () => {
    const nodes = { n1: ["send a", "send b", "deliver b", "deliver a", "crash"], n2: ["deliver a", "deliver b"] }
    expect(broken(Delivery.total, nodes)).toBe("Ok")
    expect(broken(Delivery.uniformTotal, nodes)).toContain("total order")
    const trace = Delivery.make(nodes)
    expect(Delivery.check(["reliable", "total"], trace)._tag).toBe("Ok")
    expect(Delivery.check(["uniform", "total"], trace)._tag).toBe("Violated")
  })

  it("of views", () => {
    const first = "view 1 n1 n2 n3"
    const differs = {
      n1: [first, "send a", "crash"],
      n2: [first, "deliver a", "view 2 n2 n3"],
      n3: [first, "view 2 n2 n3"]
    }
    expect(broken(Delivery.viewSynchronous, differs)).toBe(
      "view synchrony, n3 1: n3 goes from view 1 to 2 without a of n1, which n2 delivered before it went."
    )
    const late = { ...differs, n3: [first, "view 2 n2 n3", "deliver a"] }
    expect(broken(Delivery.viewSynchronous, late)).toBe(
      "view synchrony, n3 2: n3 delivers a of n1 in view 2, another in view 1."
    )
    const skipping = { n1: ["view 1 n1 n2", "view 3 n1 n2"], n2: ["view 1 n1 n2", "view 2 n1 n2", "view 3 n1 n2"] }
    expect(broken(Delivery.viewSynchronous, skipping)).toContain(
      "n1 goes from view 1 to 3 past view 2, of which it is a member and to which n2 went on."
    )
    expect(broken(Delivery.viewSynchronous, { n1: ["view 1 n1"], n2: ["view 1 n2"] })).toContain(
      "n2 is told of view 1 with members n2, another with n1."
    )
  })
})

describe("with views", () => {
  const two = { n1: ["view 1 n1 n2", "send a", "deliver a", "view 2 n1 n2 n3"] }
  it("a joiner owes nothing of earlier views, in no order", () => {
    const trace = Delivery.make({
      n1: [...two.n1, "send b", "deliver b"],
      n2: ["view 1 n1 n2", "deliver a", "view 2 n1 n2 n3", "deliver b"],
      n3: ["view 2 n1 n2 n3", "deliver b"]
    })
    expect(Delivery.check(["uniform", "fifo", "causal", "total", "view-synchronous"], trace)._tag).toBe("Ok")
  })

  it("who was left behind owes nothing, and comes back", () => {
    const trace = Delivery.make({
      n1: ["view 1 n1 n2 n3", "send a", "deliver a", "view 2 n1 n2", "view 3 n1 n2 n3", "send b", "deliver b"],
      n2: ["view 1 n1 n2 n3", "deliver a", "view 2 n1 n2", "view 3 n1 n2 n3", "deliver b"],
      n3: ["view 1 n1 n2 n3", "view 3 n1 n2 n3", "deliver b"]
    })
    expect(Delivery.check(["uniform", "fifo", "causal", "total", "view-synchronous"], trace)._tag).toBe("Ok")
  })

  it("a message that was asked for in a view may be sent in the next, not in the one before", () => {
    const later = Delivery.make({ n1: ["view 1 n1", "send a", "view 2 n1", "deliver a"] })
    expect(Delivery.viewSynchronous(later)._tag).toBe("Ok")
    const earlier = Delivery.make({
      n1: ["view 1 n1 n2", "view 2 n1 n2", "send a", "deliver a"],
      n2: ["view 1 n1 n2", "deliver a", "view 2 n1 n2"]
    })
    expect(Delivery.viewSynchronous(earlier)._tag).toBe("Violated")
    expect(Delivery.viewSynchronous(Delivery.make({ n1: ["view 1 n1", "send a", "deliver a 2"] }))).toMatchObject({
      reason: "n1 delivers a of n1 in view 1, though it was sent in view 2."
    })
  })
})

it("a run that is under way owes nothing yet", () => {
  const trace = Delivery.make({ n1: ["send a", "deliver a"], n2: [] })
  expect(Delivery.check(["uniform"], trace)).toMatchObject({ rule: "validity" })
  expect(Delivery.check(["uniform"], trace, { complete: false })._tag).toBe("Ok")
})

it("a node that comes back is another life: it may be delivered again, and need not be", () => {
  const back = { n1: ["send a", "deliver a"], n2: ["deliver a", "crash", "deliver a"] }
  expect(Delivery.check(["reliable", "fifo"], Delivery.make(back))._tag).toBe("Ok")
  expect(Delivery.check(["reliable", "fifo"], Delivery.make({ ...back, n2: ["crash"] }))._tag).toBe("Ok")
})

it("refuses what is no trace, and says where", () => {
  const sentTwice = Delivery.make({ n1: ["send a"], n2: ["send a"] })
  expect(() => Delivery.check([], sentTwice)).toThrow("Event 0 of node n2: a was sent already, by n1.")
  expect(() => Delivery.make({ n1: ["sned a"] })).toThrow('Event 0 of node n1: "sned a" is none of')
  const nonsense = new Map([["n1", [{ _tag: "Sent", id: "a" }]]]) as never
  expect(() => Delivery.check([], nonsense)).toThrow('it is no event: {"_tag":"Sent","id":"a"}')
})

it("names messages by sender and number, too", () => {
  const recorder = new Delivery.Recorder(["n1", "n2"])
  recorder.sent("n1", { from: "n1", sequence: 1 })
  recorder.delivered("n1", { from: "n1", sequence: 1 }, { from: "n1" })
  expect(Delivery.check(["reliable"], recorder.trace)).toMatchObject({
    reason: "n2 never delivers n1/1, though n1, which is correct, sent it."
  })
  recorder.sent("n2", "refused")
  recorder.retract("n2", "refused")
  expect(recorder.trace.get("n2")).toEqual([])
})

it("reads what a recorded trace says of a multicast", () => {
  const step = { _tag: "Step", actor: "group/x/default", clock: {} } as const
  const events = [
    {
      ...step,
      node: "n1",
      input: { _tag: "Command", command: { _tag: "Multicast", payload: { id: 1 } } },
      actions: [
        { _tag: "Send", id: 0, to: "n2", message: "x" },
        { _tag: "Emit", event: { _tag: "Delivered", from: "n1", sequence: 1, view: 0, payload: { id: 1 } } }
      ]
    },
    {
      ...step,
      node: "n2",
      input: { _tag: "Message", from: "n1", message: "x" },
      actions: [{ _tag: "Emit", event: { _tag: "Viewed", view: { number: 1, members: ["n2"] } } }]
    },
    { ...step, actor: "other", node: "n1", input: { _tag: "Command", command: { _tag: "Multicast" } }, actions: [] },
    { _tag: "Crash", node: "n2", clock: {} }
  ] as const
  const header = Trace.header({ title: "x", source: "driver", nodes: ["n1", "n2"] })
  const trace = Delivery.fromTrace({ header, events }, "group/x/default")
  expect([...trace]).toEqual([
    [
      "n1",
      [
        { _tag: "Send", id: '{"id":1}' },
        { _tag: "Deliver", id: '{"id":1}', from: "n1", view: 0 }
      ]
    ],
    ["n2", [{ _tag: "View", number: 1, members: ["n2"] }, { _tag: "Crash" }]]
  ])
})

it("takes time in proportion to the events: 100,000 deliveries", () => {
  const nodes = ["n1", "n2", "n3", "n4", "n5"]
  const recorder = new Delivery.Recorder(nodes)
  for (let i = 0; i < 20_000; i++) {
    const sender = nodes[i % nodes.length]!
    recorder.sent(sender, `m${i}`)
    for (const node of nodes) recorder.delivered(node, `m${i}`, { from: sender })
  }
  expect(Delivery.check(["uniform", "fifo", "causal", "total"], recorder.trace)._tag).toBe("Ok")
})
