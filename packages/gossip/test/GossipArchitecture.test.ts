/** Rules of Ladin et al. 1992, and of the textbook's account of it, each by hand. */
import { GossipArchitecture, InvalidOptions, ReplicaReused } from "@troupe/gossip"
import { MemoryStorage } from "@troupe/storage"
import { Memory } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { letters, life, protocol, query, type Sent, update, world } from "./architecture/hand.ts"

const tags = (sent: ReadonlyArray<Sent>): ReadonlyArray<string> =>
  sent.map(({ message, to }) => `${message._tag} ${to}`)
/** What a replica manager gossips to another, in its next interval. */
const gossip = (sent: ReadonlyArray<Sent>, to: string) => sent.find((each) => each.to === to)?.message

describe("updates", () => {
  it("a replica manager counts an update in its own part, and answers with prev and that", () => {
    const r2 = world().node("r2")
    const [answer] = r2.hear("c1", update("c1", 1, "a", [2, 0, 5, 0]))
    expect(answer).toEqual({ to: "c1", message: { _tag: "Updated", life, sequence: 1, timestamp: [2, 1, 5, 0] } })
    expect(r2.replica().timestamp).toEqual([0, 1, 0, 0])
  })

  it("an update whose causes are here is executed at once, and the value's timestamp includes it", () => {
    const r1 = world().node("r1")
    r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    expect(r1.replica()).toMatchObject({ value: "a", valueTimestamp: [1, 0, 0, 0] })
  })

  it("one whose causes are not waits in the log until they come, and whoever has them is asked", () => {
    const w = world()
    const [r1, r2] = [w.node("r1"), w.node("r2")]
    r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    const asked = r2.hear("c2", update("c2", 1, "b", [1, 0, 0, 0]))
    expect(tags(asked)).toEqual(["Updated c2", "Heard r1"])
    expect(r2.replica()).toMatchObject({ value: "", valueTimestamp: [0, 0, 0, 0], timestamp: [0, 1, 0, 0] })
    w.deliver("r2", asked.slice(1))
    expect(r2.replica()).toMatchObject({ value: "ab", valueTimestamp: [1, 1, 0, 0] })
  })

  it("of those that become ready together, causes are executed first, whatever order they came in", () => {
    const w = world()
    const [r1, r2, r3] = [w.node("r1"), w.node("r2"), w.node("r3")]
    r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    // b and c stand on a; c stands on b too, and is here before it.
    r3.hear("c2", update("c2", 1, "c", [1, 1, 0, 0]))
    r2.hear("c1", update("c1", 2, "b", [1, 0, 0, 0]))
    r3.hear("r2", gossip(r2.timeout("gossip"), "r3"))
    expect(r3.replica().value).toBe("")
    r3.hear("r1", gossip(r1.timeout("gossip"), "r3"))
    expect(r3.replica().value).toBe("abc")
  })

  it("one that comes to two replica managers is executed once, and both its timestamps are in the value's", () => {
    const w = world()
    const [r1, r2] = [w.node("r1"), w.node("r2")]
    const a = update("c1", 1, "a", [0, 0, 0, 0])
    r1.hear("c1", a)
    r2.hear("c1", a)
    r2.hear("r1", gossip(r1.timeout("gossip"), "r2"))
    r1.hear("r2", gossip(r2.timeout("gossip"), "r1"))
    for (const node of [r1, r2]) {
      expect(node.replica()).toMatchObject({ value: "a", valueTimestamp: [1, 1, 0, 0] })
    }
  })

  it("one that comes again to the same is answered as the first time, and not logged again", () => {
    const r1 = world().node("r1")
    const a = update("c1", 1, "a", [0, 0, 0, 0])
    const first = r1.hear("c1", a)
    expect(r1.hear("c1", a)).toEqual(first)
    expect(r1.replica().log[0]).toHaveLength(1)
  })

  it("one that is older than δ is refused, and one from as far ahead", () => {
    const r1 = world({ delayMillis: 500, patienceMillis: 400 }).node("r1")
    for (const time of [999_499, 1_000_501]) {
      const refused = r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0], { time }))
      expect(refused).toMatchObject([{ to: "c1", message: { _tag: "Refused", reason: "clock" } }])
    }
    expect(tags(r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0], { time: 999_500 })))).toEqual(["Updated c1"])
  })
})

describe("queries", () => {
  it("a query waits until prev ≤ valueTS (the textbook's rule), and is answered with the value's timestamp", () => {
    const w = world()
    const [r1, r2] = [w.node("r1"), w.node("r2")]
    r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    const asked = r2.hear("c1", query(2, [1, 0, 0, 0]))
    expect(tags(asked)).toEqual(["Heard r1"])
    expect(r2.replica().queries).toHaveLength(1)
    const answers = r2.hear("r1", gossip(r1.timeout("gossip"), "r2"))
    expect(answers).toContainEqual({
      to: "c1",
      message: { _tag: "Answered", life, sequence: 2, answer: "a", timestamp: [1, 0, 0, 0] }
    })
    expect(r2.replica().queries).toHaveLength(0)
  })

  it("one that asks for less is answered at once, of what there is", () => {
    const r1 = world().node("r1")
    r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    expect(r1.hear("c2", query(1, [0, 0, 0, 0]))).toMatchObject([{ message: { answer: "a" } }])
  })
})

describe("gossip", () => {
  it("after G updates they go to all others in one message each", () => {
    const r1 = world({ updatesPerGossip: 2 }).node("r1")
    expect(tags(r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0])))).toEqual(["Updated c1"])
    const sent = r1.hear("c1", update("c1", 2, "b", [1, 0, 0, 0]))
    expect(tags(sent)).toEqual(["Updated c1", "Gossip r2", "Gossip r3"])
    expect(sent[1]!.message.records).toHaveLength(2)
  })

  it("what was lost is sent again, to whoever has not confirmed it for two intervals, and by others than its first", () => {
    const w = world({ updatesPerGossip: 1 })
    const [r1, r2] = [w.node("r1"), w.node("r2")]
    const [, toR2] = r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    r2.hear("r1", toR2!.message)
    r2.timeout("gossip")
    r2.timeout("gossip")
    // r3 has heard nothing of anybody.
    expect(tags(r2.timeout("gossip"))).toEqual(["Gossip r3"])
    r1.timeout("gossip")
    r1.timeout("gossip")
    expect(tags(r1.timeout("gossip"))).toContain("Gossip r3")
  })

  it("records with a gap before them are not taken", () => {
    const w = world({ updatesPerGossip: 1 })
    const [r1, r2] = [w.node("r1"), w.node("r2")]
    r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    const [, second] = r1.hear("c1", update("c1", 2, "b", [1, 0, 0, 0]))
    r2.hear("r1", second!.message)
    expect(r2.replica().timestamp).toEqual([0, 0, 0, 0])
  })

  it("what does not fit one message goes in several, the next when the last has come", () => {
    const w = world({ recordsPerMessage: 2 })
    const r1 = w.node("r1")
    for (let i = 1; i <= 5; i++) r1.hear("c1", update("c1", i, `${i}`, [i - 1, 0, 0, 0]))
    const first = r1.timeout("gossip").filter(({ to }) => to === "r2")
    expect(first[0]!.message).toMatchObject({ more: true, records: [{ number: 1 }, { number: 2 }] })
    w.deliver("r1", first)
    expect(w.node("r2").replica().value).toBe("12345")
  })

  it("a read-only replica takes no updates, learns them by gossip, and answers queries", () => {
    const w = world({ readers: ["v1"] })
    const [r1, v1] = [w.node("r1"), w.node("v1")]
    const refused = v1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    expect(refused).toMatchObject([{ message: { _tag: "Refused", reason: "read-only" } }])
    r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    v1.hear("r1", gossip(r1.timeout("gossip"), "v1"))
    expect(v1.hear("c1", query(2, [1, 0, 0, 0]))).toMatchObject([{ message: { _tag: "Answered", answer: "a" } }])
    // It tells those that take updates what it has, and no other reader.
    expect(tags(v1.timeout("gossip"))).toEqual(["Heard r1", "Heard r2", "Heard r3"])
  })
})

describe("pruning", () => {
  /** Two rounds in which everybody hears everybody. */
  const settle = (w: ReturnType<typeof world>) => {
    for (let i = 0; i < 3; i++) for (const id of w.options.replicas) w.deliver(id, w.node(id).timeout("gossip"))
  }

  it("a record leaves the log when all have it, and its operation stays in the table until its front end says so", () => {
    const w = world()
    const r1 = w.node("r1")
    r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    w.deliver("r1", r1.timeout("gossip"), ({ to }) => to === "r3")
    expect(r1.replica().log[0]).toHaveLength(1)
    for (let i = 0; i < 3; i++) r1.timeout("gossip")
    settle(w)
    expect(r1.replica().log[0]).toHaveLength(0)
    expect([...r1.replica().clients.values()]).toMatchObject([{ updates: [{ sequence: 1, isExecuted: true }] }])
    // A copy that was on its way is answered, and not executed.
    expect(tags(r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0])))).toEqual(["Updated c1"])

    r1.hear("c1", { _tag: "Ack", life, answered: 1, time: w.time })
    settle(w)
    for (const id of w.options.replicas) {
      expect([...w.node(id).replica().clients.values()]).toMatchObject([{ answered: 1, updates: [] }])
      expect(w.node(id).hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))).toEqual([])
      expect(w.node(id).replica()).toMatchObject({ value: "a", log: [[], [], [], []] })
    }
  })

  it("an operation stays in the table while another record of it is on its way, whoever knows that it is answered", () => {
    const w = world()
    const [r1, r2, r3] = [w.node("r1"), w.node("r2"), w.node("r3")]
    const a = update("c1", 1, "a", [0, 0, 0, 0])
    r1.hear("c1", a)
    r2.hear("c1", a)
    const [late] = r2.timeout("gossip").filter(({ to }) => to === "r3")
    r1.hear("c1", { _tag: "Ack", life, answered: 1, time: w.time })
    const fromR1 = r1.timeout("gossip")
    for (const node of [r2, r3]) node.hear("r1", gossip(fromR1, node.id))
    r3.hear("r2", { _tag: "Heard", timestamp: r2.replica().timestamp, clock: w.time, asks: false })
    r3.hear("r1", { _tag: "Heard", timestamp: r2.replica().timestamp, clock: w.time, asks: false })
    r3.hear("r2", late!.message)
    expect(r3.replica().value).toBe("a")
  })

  it("an update says of all before it that they are answered", () => {
    const w = world()
    w.node("r1").hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    w.node("r2").hear("c1", update("c1", 2, "b", [1, 0, 0, 0]))
    settle(w)
    expect([...w.node("r3").replica().clients.values()]).toMatchObject([{ settled: 1, updates: [{ sequence: 2 }] }])
  })

  it("a front end is forgotten δ after its last word by the clock here, and what it repeats then is too late", () => {
    const w = world({ delayMillis: 500, patienceMillis: 400 })
    const r1 = w.node("r1")
    r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    r1.hear("c1", { _tag: "Ack", life, answered: 1, time: w.time })
    settle(w)
    expect(r1.replica().clients.size).toBe(1)
    w.time += 501
    r1.timeout("gossip")
    expect(r1.replica().clients.size).toBe(0)
    expect(r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))).toMatchObject([{ message: { reason: "clock" } }])
    expect(r1.replica().value).toBe("a")
  })

  it("one whose front end has died leaves the table when all clocks, as heard, have passed its time by δ", () => {
    const w = world({ delayMillis: 500, patienceMillis: 400 })
    const r1 = w.node("r1")
    r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    settle(w)
    w.time += 501
    r1.timeout("gossip")
    expect(r1.replica().clients.size).toBe(1)
    // The others' clocks are asked for, and come.
    settle(w)
    for (const id of w.options.replicas) w.node(id).timeout("gossip")
    expect(r1.replica().clients.size).toBe(0)
  })

  it("a log that is full takes no more, until the others have it", () => {
    const w = world({ logRecords: 2 })
    const r1 = w.node("r1")
    for (const i of [1, 2]) r1.hear("c1", update("c1", i, `${i}`, [0, 0, 0, 0]))
    const third = update("c1", 3, "3", [0, 0, 0, 0])
    expect(r1.hear("c1", third)).toMatchObject([{ message: { _tag: "Refused", reason: "full" } }])
    settle(w)
    expect(tags(r1.hear("c1", third))).toEqual(["Updated c1"])
  })
})

describe("front ends", () => {
  it("the timestamp of what a client has seen goes with each of its requests", () => {
    const w = world()
    const c1 = w.node("c1")
    const ask = (letter: string) => c1.tell({ _tag: "Update", operation: 1, update: letter, order: "causal" })
    w.deliver("c1", ask("a"))
    expect(c1.told()).toMatchObject([{ _tag: "Updated", timestamp: [1, 0, 0, 0] }])
    expect(c1.tell({ _tag: "Query", operation: 2, query: undefined })).toMatchObject([
      { to: "r1", message: { _tag: "Query", prev: [1, 0, 0, 0] } }
    ])
  })

  it("clients that speak with each other hand it on (the textbook: front ends propagate their timestamps)", () => {
    const c2 = world().node("c2")
    c2.tell({ _tag: "Learn", timestamp: [1, 0, 4, 0] })
    expect(c2.tell({ _tag: "Update", operation: 1, update: "b", order: "causal" })).toMatchObject([
      { to: "r2", message: { request: { prev: [1, 0, 4, 0] } } }
    ])
  })

  it("whoever does not answer is left for the next, with the same request; the answers to both are one", () => {
    const w = world()
    const c1 = w.node("c1")
    const [first] = c1.tell({ _tag: "Update", operation: 1, update: "a", order: "causal" })
    w.time += 1_000
    const [second] = c1.timeout("retry")
    expect([first!.to, second!.to]).toEqual(["r1", "r2"])
    expect(second!.message).toEqual(first!.message)
    w.deliver("c1", [second!])
    expect(c1.told()).toMatchObject([{ _tag: "Updated", timestamp: [0, 1, 0, 0] }])
    w.deliver("c1", [first!])
    expect(c1.told()).toEqual([])
  })

  it("operations of one client are done one after another, so that each comes after the one before", () => {
    const w = world()
    const c1 = w.node("c1")
    const [first] = c1.tell({ _tag: "Update", operation: 1, update: "a", order: "causal" })
    expect(c1.tell({ _tag: "Update", operation: 2, update: "b", order: "causal" })).toEqual([])
    const answer = w.node("r1").hear("c1", first!.message)[0]!
    expect(c1.hear("r1", answer.message)).toMatchObject([
      { to: "r1", message: { request: { sequence: 2, answered: 1, prev: [1, 0, 0, 0] } } }
    ])
  })

  it("an operation is given up after its patience, with what the last said", () => {
    const w = world()
    const c1 = w.node("c1")
    c1.tell({ _tag: "Query", operation: 1, query: undefined })
    c1.hear("r1", { _tag: "Refused", life, sequence: 1, reason: "full" })
    w.time += 10_000
    c1.timeout("retry")
    expect(c1.told()).toEqual([{ _tag: "Failed", operation: 1, reason: "full" }])
  })

  it("too many that wait are refused", () => {
    const c1 = world({ requests: 1 }).node("c1")
    c1.tell({ _tag: "Query", operation: 1, query: undefined })
    c1.tell({ _tag: "Query", operation: 2, query: undefined })
    expect(c1.told()).toEqual([{ _tag: "Failed", operation: 2, reason: "busy" }])
  })
})

describe("forced and immediate updates", () => {
  it("a forced update has its place when a majority has accepted it, in 2(R−1) messages", () => {
    const w = world()
    const r1 = w.node("r1")
    const proposals = r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0], { order: "forced" }))
    expect(tags(proposals)).toEqual(["Propose r2", "Propose r3"])
    const [accepted] = w.node("r2").hear("r1", proposals[0]!.message)
    expect(r1.hear("r2", accepted!.message)).toMatchObject([
      { to: "c1", message: { _tag: "Updated", timestamp: [0, 0, 0, 1] } }
    ])
    expect(r1.replica()).toMatchObject({ value: "a", valueTimestamp: [0, 0, 0, 1] })
  })

  it("concurrent ones are in one order at all", () => {
    const w = world()
    const [r2, r3] = [w.node("r2"), w.node("r3")]
    // Each at another, neither of which leads; the second overtakes.
    const x = r2.hear("c1", update("c1", 1, "x", [0, 0, 0, 0], { order: "forced" }))
    const y = r3.hear("c2", update("c2", 1, "y", [0, 0, 0, 0], { order: "forced" }))
    expect(tags([...x, ...y])).toEqual(["Forward r1", "Forward r1"])
    w.deliver("r3", y)
    w.deliver("r2", x)
    for (let i = 0; i < 2; i++) for (const id of w.options.replicas) w.deliver(id, w.node(id).timeout("gossip"))
    for (const id of w.options.replicas) expect(w.node(id).replica().value).toBe("yx")
  })

  it("the leader gone, who waits takes over, and proposes again what may have been agreed", () => {
    const w = world()
    const [r1, r2] = [w.node("r1"), w.node("r2")]
    const proposals = r1.hear("c1", update("c1", 1, "x", [0, 0, 0, 0], { order: "forced" }))
    // r2 accepts, and r1 is never heard again.
    r2.hear("r1", proposals[0]!.message)
    r2.hear("c2", update("c2", 1, "y", [0, 0, 0, 0], { order: "forced" }))
    const gone = ({ to }: Sent): boolean => to === "r1"
    for (let i = 0; i < 12; i++) w.deliver("r2", r2.timeout("gossip"), gone)
    for (const id of ["r2", "r3"]) expect(w.node(id).replica().value).toBe("xy")
  })

  it("an immediate one comes after all that anybody has, and before all that anybody takes later", () => {
    const w = world()
    const [r1, r2, r3] = [w.node("r1"), w.node("r2"), w.node("r3")]
    r3.hear("c2", update("c2", 1, "a", [0, 0, 0, 0]))
    const freezes = r1.hear("c1", update("c1", 1, "!", [0, 0, 0, 0], { order: "immediate" }))
    expect(tags(freezes)).toEqual(["Freeze r2", "Freeze r3"])
    // While it is under way, an update waits.
    const frozen = r2.hear("r1", freezes[0]!.message)
    expect(r2.hear("c2", update("c2", 2, "b", [0, 0, 0, 0]))).toEqual([])
    w.deliver("r2", frozen)
    w.deliver("r1", freezes.slice(1))
    expect(r2.replica()).toMatchObject({ value: "a!b", valueTimestamp: [0, 1, 1, 1] })
    expect(r1.replica().value).toBe("a!")
  })

  it("it is given up when somebody does not answer, and the others go on", () => {
    const w = world()
    const [r1, r2] = [w.node("r1"), w.node("r2")]
    const away = ({ to }: Sent): boolean => to === "r3"
    w.deliver("r1", r1.hear("c1", update("c1", 1, "!", [0, 0, 0, 0], { order: "immediate" })), away)
    r2.hear("c2", update("c2", 1, "b", [0, 0, 0, 0]))
    expect(r2.replica().value).toBe("")
    const said: Array<Sent> = []
    const listen = (sent: Sent): boolean => {
      if (sent.to === "c1") said.push(sent)
      return away(sent) || sent.to.startsWith("c")
    }
    for (let i = 0; i < 5; i++) w.deliver("r1", r1.timeout("gossip"), listen)
    expect(said).toMatchObject([{ message: { _tag: "Refused", reason: "unreachable" } }])
    expect(r2.replica().value).toBe("b")
  })
})

describe("weaknesses of the card", () => {
  it("values are old: a client that has seen nothing is answered of what there is", () => {
    const w = world()
    w.node("r1").hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    expect(w.node("r2").hear("c2", query(1, [0, 0, 0, 0]))).toMatchObject([{ message: { answer: "" } }])
  })

  it("concurrent updates have no order: two replica managers execute them in two", () => {
    const w = world()
    const [r1, r2] = [w.node("r1"), w.node("r2")]
    r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    r2.hear("c2", update("c2", 1, "b", [0, 0, 0, 0]))
    const [fromR1, fromR2] = [gossip(r1.timeout("gossip"), "r2"), gossip(r2.timeout("gossip"), "r1")]
    r1.hear("r2", fromR2)
    r2.hear("r1", fromR1)
    expect([r1.replica().value, r2.replica().value]).toEqual(["ab", "ba"])
  })

  it("an update that was given up may take effect all the same", () => {
    const w = world()
    const c1 = w.node("c1")
    const [sent] = c1.tell({ _tag: "Update", operation: 1, update: "a", order: "causal" })
    w.time += 10_000
    c1.timeout("retry")
    expect(c1.told()).toEqual([{ _tag: "Failed", operation: 1, reason: "silent" }])
    w.node("r1").hear("c1", sent!.message)
    expect(w.node("r1").replica().value).toBe("a")
  })
})

describe("bad input", () => {
  it("a request that was given up and acknowledged gets no place in the agreed order, whoever still asks for it", () => {
    const w = world()
    const r1 = w.node("r1")
    const [a, b] = [1, 2].map((i) => update("c1", i, "ab"[i - 1]!, [0, 0, 0, 0], { order: "forced" }))
    w.deliver("r1", r1.hear("c1", b))
    expect(r1.hear("r2", { _tag: "Forward", request: a!.request })).toEqual([])
    expect(r1.replica()).toMatchObject({ value: "b", agreement: { requests: [] } })
  })

  it("gossip of a node that is no replica manager, or with other parts, is refused", () => {
    const r1 = world().node("r1")
    const records: ReadonlyArray<unknown> = []
    r1.hear("c1", { _tag: "Gossip", timestamp: [1, 0, 0, 0], clock: 0, records, more: false })
    expect(r1.told()).toMatchObject([{ _tag: "Rejected", from: "c1", failure: { _tag: "ForeignGossip" } }])
    r1.hear("r2", { _tag: "Heard", timestamp: [1, 0], clock: 0, asks: false })
    expect(r1.told()).toMatchObject([{ _tag: "Rejected", failure: { _tag: "ForeignGossip" } }])
    expect(r1.replica().table.size).toBe(0)
  })

  it("a replica manager that has lost its memory stops when it hears of what it has forgotten", () => {
    const r1 = world().node("r1")
    r1.hear("r2", { _tag: "Heard", timestamp: [3, 0, 0, 0], clock: 0, asks: false })
    expect(r1.told()).toMatchObject([{ _tag: "Rejected", failure: expect.any(ReplicaReused) }])
    const refused = r1.hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    expect(refused).toMatchObject([{ message: { _tag: "Refused", reason: "forgotten" } }])
  })

  it("a request with other parts is refused", () => {
    const r1 = world().node("r1")
    expect(r1.hear("c1", update("c1", 1, "a", [0]))).toMatchObject([{ message: { reason: "layout" } }])
    expect(r1.hear("c1", query(1, [0]))).toMatchObject([{ message: { reason: "layout" } }])
  })

  it.live.each([
    [{ replicas: ["n9"] }, '"n9" is a replica or reader, and no node of the transport'],
    [{ replicas: ["n1", "n1"] }, '"n1" is named twice'],
    [{ readers: ["n1"] }, "there is no replica that takes updates"],
    [{ patience: "1 minute" }, "patience is not less than delay"],
    [{ updatesPerGossip: 300 }, "updatesPerGossip is above recordsPerMessage"],
    [{ updatesPerGossip: 0 }, "updatesPerGossip"]
  ] as const)("the options %j are refused", ([options, reason]) =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes: ["n1"] })
      const failure = yield* GossipArchitecture.make(letters, options).pipe(
        Effect.provide([Memory.layer(network, "n1"), MemoryStorage.layer()]),
        Effect.scoped,
        Effect.flip
      )
      expect(failure).toBeInstanceOf(InvalidOptions)
      expect(failure.message).toContain(reason)
    })
  )
})

describe("recovery", () => {
  it("what is persisted restores what a replica manager has promised, and compacted, the same", () => {
    const w = world()
    const r2 = w.node("r2")
    r2.hear("c1", update("c1", 1, "a", [0, 0, 0, 0]))
    r2.hear("c1", update("c1", 2, "b", [5, 1, 0, 0]))
    w.deliver("r1", w.node("r1").hear("c2", update("c2", 1, "x", [0, 0, 0, 0], { order: "forced" })))
    const self = { id: "r2", nodes: w.options.replicas, peers: ["r1", "r3"], options: w.options }
    const durable = protocol.durable!
    const restore = (records: Iterable<GossipArchitecture.Persisted>): GossipArchitecture.Replica =>
      [...records].reduce((state, record) => durable.restore(state, record, self), protocol.init(self)).replica!
    const restored = restore(r2.persisted)
    const { agreement, clients, log, timestamp, value, valueTimestamp, waiting } = r2.replica()
    expect(restored).toMatchObject({ log, timestamp, value, valueTimestamp, waiting })
    expect(restored.clients).toEqual(clients)
    expect(restored.agreement).toMatchObject({ promised: agreement.promised, accepted: agreement.accepted })
    expect(restored.agreement.lead).toBeUndefined()
    expect(restore(durable.compact!(r2.state()) ?? [])).toEqual(restored)
  })

  it.live("a node that comes back with its storage goes on where it was", () =>
    Effect.gen(function* () {
      const Key = GossipArchitecture.key(letters)
      const store = MemoryStorage.make()
      const live = <A>(
        use: (front: GossipArchitecture.FrontEnd<string, string, void, string>) => Effect.Effect<A, any>
      ) =>
        Effect.gen(function* () {
          const network = Memory.network({ nodes: ["n1"] })
          const layer = GossipArchitecture.layer(Key, letters).pipe(
            Layer.provide([Memory.layer(network, "n1"), MemoryStorage.layer(store)])
          )
          return yield* use(Context.get(yield* Layer.build(layer), Key))
        }).pipe(Effect.scoped)
      yield* live((front) => Effect.all([front.update("a"), front.update("b", "immediate")]))
      expect(yield* live((front) => front.query())).toBe("ab")
    })
  )
})
