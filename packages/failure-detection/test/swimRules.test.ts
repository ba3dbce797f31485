import { FailureDetector, InvalidOptions, Swim } from "@troupe/failure-detection"
import { Codec, Memory } from "@troupe/transport"
import { Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { alive, confirm, emitted, gone, Hand, nodesOf, sent, suspect, timers } from "./swimSupport.ts"

const four = nodesOf(4)
/** A node of four that has just begun a period, and whom it probes. */
const probing = (options: Partial<Swim.Options> = {}) => {
  const node = new Hand("n1", four, options)
  const [ping] = sent(node.timeout("probe"))
  return { node, target: ping!.to, sequence: node.state.probe!.sequence }
}

describe("a period (SWIM §3.1)", () => {
  it("begins with a ping to one member", () => {
    const node = new Hand("n1", four)
    const actions = node.timeout("probe")
    expect(sent(actions)).toMatchObject([{ _tag: "Ping", sequence: 1, rumours: [] }])
    expect(timers(actions)).toEqual({ timeout: 500, probe: 1_000 })
  })

  it("visits every other member before any a second time (§4.3)", () => {
    const node = new Hand("n3", nodesOf(7))
    const rounds = [0.2, 0.9].map((random) => {
      node.random = random
      return Array.from({ length: 6 }, () => {
        const { to, sequence } = sent(node.timeout("probe"))[0] as { to: string; sequence: number }
        node.hear(to, { _tag: "Ack", sequence, rumours: [] })
        return to
      })
    })
    for (const round of rounds) expect(round.toSorted()).toEqual(["n1", "n2", "n4", "n5", "n6", "n7"])
    expect(rounds[0]).not.toEqual(rounds[1])
  })

  it("a ping is answered with its number", () => {
    const node = new Hand("n1", four)
    const answer = sent(node.hear("n2", { _tag: "Ping", sequence: 41, rumours: [] }))
    expect(answer).toEqual([{ to: "n2", _tag: "Ack", sequence: 41, rumours: [] }])
  })

  it("a target that answers is not asked for, nor suspected", () => {
    const { node, sequence, target } = probing()
    node.hear(target, { _tag: "Ack", sequence, rumours: [] })
    expect(sent(node.timeout("timeout"))).toEqual([])
    node.timeout("probe")
    expect(node.status(target)).toBe("up")
  })

  it("without an answer in time, k others are asked, never the target", () => {
    const { node, target } = probing({ indirectProbes: 2 })
    const asked = sent(node.timeout("timeout"))
    expect(asked).toMatchObject([
      { _tag: "PingReq", target },
      { _tag: "PingReq", target }
    ])
    expect(new Set(asked.map(({ to }) => to)).size).toBe(2)
    expect(asked.map(({ to }) => to)).not.toContain(target)
  })

  it("an answer by way of a helper counts; one of a node that was not asked does not", () => {
    for (const [from, status] of [
      ["helper", "up"],
      ["n9", "suspected"]
    ] as const) {
      const { node, sequence, target } = probing()
      const [request] = sent(node.timeout("timeout"))
      node.hear(from === "helper" ? request!.to : from, { _tag: "Ack", sequence, rumours: [] })
      node.timeout("probe")
      expect(node.status(target)).toBe(status)
    }
  })

  it("an answer to an earlier period does not count", () => {
    const { node, sequence, target } = probing()
    node.hear(target, { _tag: "Ack", sequence: sequence - 1, rumours: [] })
    node.timeout("probe")
    expect(node.status(target)).toBe("suspected")
  })

  it("a helper pings the target and hands its answer on", () => {
    const helper = new Hand("n2", four)
    const asked = helper.hear("n1", { _tag: "PingReq", sequence: 8, target: "n3", nack: true, rumours: [] })
    expect(sent(asked)).toMatchObject([{ to: "n3", _tag: "Ping", sequence: 1 }])
    expect(timers(asked)).toEqual({ "relay 1": 400 })
    const answered = helper.hear("n3", { _tag: "Ack", sequence: 1, rumours: [] })
    expect(sent(answered)).toMatchObject([{ to: "n1", _tag: "Ack", sequence: 8 }])
    expect(helper.state.relays).toEqual([])
  })

  it("a helper that hears nothing says so, where that is wanted (Lifeguard §IV-A)", () => {
    for (const nack of [true, false]) {
      const helper = new Hand("n2", four)
      helper.hear("n1", { _tag: "PingReq", sequence: 8, target: "n3", nack, rumours: [] })
      expect(sent(helper.timeout("relay 1"))).toEqual(nack ? [{ to: "n1", _tag: "Nack", sequence: 8 }] : [])
      expect(helper.state.relays).toEqual([])
    }
  })

  it("a helper bounds what it does for others", () => {
    const helper = new Hand("n2", four)
    for (let sequence = 0; sequence < 300; sequence++) {
      helper.hear("n1", { _tag: "PingReq", sequence, target: "n3", nack: true, rumours: [] })
    }
    expect(helper.state.relays).toHaveLength(256)
  })
})

describe("which rumour overrides which (SWIM §4.2)", () => {
  const said = { Alive: alive, Suspect: suspect, Confirm: confirm, Leave: gone }
  const order = ["Alive", "Suspect", "Confirm", "Leave"] as const
  const statuses = { Alive: "up", Suspect: "suspected", Confirm: "down", Leave: "left" }

  it.each(order.flatMap((first) => order.map((second) => [first, second] as const)))(
    "%s, then %s: the higher incarnation counts; of the same one, the worse news",
    (first, second) => {
      for (const i of [0, 1, 2]) {
        for (const j of [0, 1, 2]) {
          const node = new Hand("n1", four)
          node.gossip(said[first]("n3", i), said[second]("n3", j))
          const wins = j > i || (j === i && order.indexOf(second) > order.indexOf(first)) ? second : first
          expect([node.status("n3"), i, j]).toEqual([statuses[wins], i, j])
        }
      }
    }
  )

  it("so the order of arrival does not matter: all orders of six rumours end alike", () => {
    const rumours = [
      alive("n3", 1),
      suspect("n3", 1),
      alive("n3", 2),
      confirm("n3", 2),
      suspect("n3", 3),
      gone("n3", 2)
    ]
    const ends = permutations(rumours).map((each) => {
      const node = new Hand("n1", four)
      node.gossip(...each)
      return node.status("n3")
    })
    expect(new Set(ends)).toEqual(new Set(["suspected"]))
  })

  it("of a stranger, only its life is news", () => {
    const node = new Hand("n1", four)
    expect(emitted(node.gossip(suspect("x", 1), confirm("x", 1), gone("x", 1)))).toEqual([])
    expect(node.status("x")).toBeUndefined()
    expect(emitted(node.gossip(alive("x", 0)))).toEqual(["x up"])
    expect(node.status("x")).toBe("up")
  })
})

const permutations = <A>(all: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  all.length < 2
    ? [all]
    : all.flatMap((first, at) => permutations(all.filter((_, other) => other !== at)).map((rest) => [first, ...rest]))

describe("suspicion (SWIM §4.2, Lifeguard §IV-B)", () => {
  it("a member that no way leads to is suspected at the end of the period, and everybody is told", () => {
    const { node, target } = probing()
    node.timeout("timeout")
    const actions = node.timeout("probe")
    expect(emitted(actions)).toEqual([`${target} suspected`])
    expect(sent(actions)[0]!).toMatchObject({ rumours: [suspect(target, 0, "n1")] })
  })

  it("it ends in death where nobody refutes it", () => {
    const node = new Hand("n1", four)
    node.gossip(suspect("n3", 0))
    expect(emitted(node.timeout("suspicion n3"))).toEqual(["n3 down"])
    expect(node.state.rumours.sent[0]).toContainEqual(confirm("n3", 0))
  })

  it("a refutation stops its clock", () => {
    const node = new Hand("n1", four)
    node.gossip(suspect("n3", 0))
    const actions = node.gossip(alive("n3", 1))
    expect(actions).toContainEqual({ _tag: "ClearTimer", timer: "suspicion n3" })
    expect(emitted(actions)).toEqual(["n3 up"])
    expect(emitted(node.timeout("suspicion n3"))).toEqual([])
  })

  it("who is suspected refutes with a higher incarnation; of an older one it takes no notice", () => {
    const node = new Hand("n1", four)
    node.gossip(suspect("n1", 4))
    expect(node.state.incarnation).toBe(5)
    expect(node.state.rumours.sent[0]).toEqual([alive("n1", 5)])
    node.gossip(suspect("n1", 4))
    expect(node.state.incarnation).toBe(5)
  })

  it("an incarnation that somebody forged is never passed by one that cannot be sent", () => {
    const node = new Hand("n1", four)
    node.gossip(suspect("n1", 2 ** 40))
    expect(node.state.incarnation).toBe(2 ** 40)
    const codec = Codec.binary(Swim.Message)
    const ping = (incarnation: number): Swim.Message => ({
      ...{ _tag: "Ping", sequence: 1 },
      rumours: [alive("n1", incarnation)]
    })
    expect(Codec.decode(codec, Codec.encode(codec, ping(2 ** 40)))).toEqual(ping(2 ** 40))
    expect(() => Codec.encode(codec, ping(2 ** 40 + 1))).toThrow("1099511627776")
  })

  it("who was taken for dead asks, with its next probe, for what it has missed", () => {
    const node = new Hand("n1", four)
    node.gossip(confirm("n1", 0))
    expect(sent(node.timeout("probe"))).toMatchObject([{ _tag: "Sync", part: "Ask", rumours: [alive("n1", 1)] }])
  })

  it("a node that has forgotten its incarnation takes it up again from what others say", () => {
    const node = new Hand("n1", four)
    node.gossip(alive("n1", 7))
    expect(node.state.incarnation).toBe(7)
    expect(node.state.rumours.count).toBe(0)
  })

  it("is shortened by each other node that confirms it, from 24 s to 4 s (5 nodes, 2 confirmations)", () => {
    const node = new Hand("n1", nodesOf(5))
    expect(timers(node.gossip(suspect("n3", 0, "n2")))["suspicion n3"]).toBe(24_000)
    node.millis = 1_000
    expect(timers(node.gossip(suspect("n3", 0, "n4")))["suspicion n3"]).toBe(10_381)
    expect(timers(node.gossip(suspect("n3", 0, "n5")))["suspicion n3"]).toBe(3_000)
  })

  it("by no node twice, not by more than are needed, and not by the same rumour again", () => {
    const node = new Hand("n1", nodesOf(6))
    node.gossip(suspect("n3", 0, "n2"), suspect("n3", 0, "n4"))
    expect(timers(node.gossip(suspect("n3", 0, "n2"), suspect("n3", 0, "n4")))).toEqual({})
    node.gossip(suspect("n3", 0, "n5"))
    expect(timers(node.gossip(suspect("n3", 0, "n6")))).toEqual({})
  })

  it("confirmations travel on, so that all hear of them", () => {
    const node = new Hand("n1", nodesOf(5))
    node.gossip(suspect("n3", 0, "n2"), suspect("n3", 0, "n4"))
    expect(node.state.rumours.count).toBe(2)
  })

  it("without Lifeguard it lasts for 4 periods, and is not shortened", () => {
    const node = new Hand("n1", nodesOf(5), { dynamicSuspicion: false })
    expect(timers(node.gossip(suspect("n3", 0, "n2")))["suspicion n3"]).toBe(4_000)
    expect(timers(node.gossip(suspect("n3", 0, "n4")))).toEqual({})
  })
})

describe("local health (Lifeguard §IV-A)", () => {
  it("a probe that fails, with nobody to ask, makes the next one slower; one that succeeds makes it quicker", () => {
    const node = new Hand("n1", ["n1", "n2"])
    node.timeout("probe")
    node.timeout("timeout")
    expect(timers(node.timeout("probe"))).toMatchObject({ timeout: 1_000, probe: 2_000 })
    expect(node.state.health).toBe(1)
    node.hear("n2", { _tag: "Ack", sequence: 2, rumours: [] })
    expect(node.state.health).toBe(0)
  })

  it("helpers that do not even say no count against this node; a no from each clears it", () => {
    const silent = probing()
    silent.node.timeout("timeout")
    silent.node.timeout("probe")
    expect(silent.node.state.health).toBe(2)
    const { node, sequence } = probing()
    // A second no of the same helper is none.
    for (const { to } of sent(node.timeout("timeout"))) {
      node.hear(to, { _tag: "Nack", sequence })
      node.hear(to, { _tag: "Nack", sequence })
    }
    node.timeout("probe")
    expect(node.state.health).toBe(0)
  })

  it("to have to refute counts too; and it is below the maximum", () => {
    const node = new Hand("n1", four, { healthMax: 3 })
    for (const incarnation of [0, 1, 2, 3, 4]) node.gossip(suspect("n1", incarnation))
    expect(node.state.health).toBe(2)
  })

  it("stays out of it when it is switched off", () => {
    const { node } = probing({ healthAwareProbe: false })
    expect(sent(node.timeout("timeout"))).toMatchObject([{ nack: false }, { nack: false }])
    node.timeout("probe")
    expect(node.state.health).toBe(0)
  })
})

describe("who must refute hears of it first (Lifeguard §IV-C)", () => {
  it.each([true, false])("a suspected member, with its ping: buddy system %s", (buddySystem) => {
    const node = new Hand("n1", ["n1", "n2"], { buddySystem, retransmitMultiplier: 1, gossipNodes: 0 })
    node.gossip(suspect("n2", 3))
    // What it had to send on has been sent on.
    node.hear("n2", { _tag: "Ping", sequence: 1, rumours: [] })
    expect(node.state.rumours.count).toBe(0)
    const [ping] = sent(node.timeout("probe"))
    expect(ping).toMatchObject({ to: "n2", _tag: "Ping", rumours: buddySystem ? [suspect("n2", 3)] : [] })
  })

  it("a member that was taken for dead, with the answer to whatever it sends", () => {
    const node = new Hand("n1", four, { buddySystem: false, retransmitMultiplier: 1, gossipNodes: 0 })
    node.gossip(confirm("n2", 3))
    node.hear("n3", { _tag: "Ping", sequence: 1, rumours: [] })
    expect(node.state.rumours.count).toBe(0)
    const [answer] = sent(node.hear("n2", { _tag: "Ping", sequence: 1, rumours: [] }))
    expect(answer).toMatchObject({ _tag: "Ack", rumours: [confirm("n2", 3)] })
  })
})

describe("gossip between probes", () => {
  it("goes on while there are rumours, to as many as are wanted, and then stops", () => {
    const node = new Hand("n1", four, { retransmitMultiplier: 2, gossipNodes: 2 })
    expect(timers(node.gossip(gone("n4", 0)))).toEqual({ gossip: 200 })
    expect(sent(node.timeout("gossip"))).toMatchObject([{ _tag: "Gossip" }, { _tag: "Gossip" }])
    expect(node.state.gossiping).toBe(false)
    expect(timers(node.gossip(gone("n3", 0)))).toEqual({ gossip: 200 })
  })
})

describe("joining and leaving", () => {
  it("seeds are asked in each period until they answer", () => {
    const node = new Hand("n1", ["n1"])
    const asked = (actions: Parameters<typeof sent>[0]) => sent(actions).map(({ _tag, to }) => `${_tag} ${to}`)
    expect(asked(node.tell({ _tag: "Join", seeds: ["n8", "n9", "n1", "n8"] }))).toEqual(["Sync n8", "Sync n9"])
    node.hear("n8", { _tag: "Sync", part: "Answer", roster: node.state.members.rosterHash, rumours: [alive("n8", 0)] })
    expect(asked(node.timeout("probe"))).toEqual(["Sync n9", "Ping n8"])
  })

  it("a newcomer's word is spread; what it says of other newcomers is not", () => {
    const node = new Hand("n1", four)
    const rumours = [alive("x", 0), alive("y", 0)]
    const answers = sent(node.hear("x", { _tag: "Sync", part: "Ask", roster: 1, rumours }))
    expect(answers).toMatchObject([{ to: "x", part: "Answer" }])
    expect((answers[0] as { rumours: ReadonlyArray<Swim.Rumour> }).rumours.map(({ node }) => node).toSorted()).toEqual([
      "n1",
      "n2",
      "n3",
      "n4",
      "x",
      "y"
    ])
    expect(node.state.rumours.sent.flat()).toEqual([alive("x", 0)])
  })

  it("an address travels with the word that a node lives, is kept when that is doubted, and told when it is new", () => {
    const node = new Hand("n1", four, { address: "here:1" })
    const there = (incarnation: number, address: string): Swim.Rumour => ({
      _tag: "Alive",
      node: "x",
      incarnation,
      address
    })
    const events = (rumour: Swim.Rumour) =>
      node.gossip(rumour).flatMap((action) => (action._tag === "Emit" ? [action.event] : []))
    expect(events(there(0, "there:2"))).toEqual([{ node: "x", status: "up", level: 0, address: "there:2" }])
    expect(events(suspect("x", 0))).toEqual([{ node: "x", status: "suspected", level: 1 }])
    expect(events(there(1, "there:2"))).toEqual([{ node: "x", status: "up", level: 0 }])
    expect(events(there(2, "elsewhere:3"))).toEqual([{ node: "x", status: "up", level: 0, address: "elsewhere:3" }])
    const [answer] = sent(node.hear("y", { _tag: "Sync", part: "Ask", roster: 0, rumours: [alive("y", 0)] }))
    expect(answer).toMatchObject({ to: "y", rumours: expect.arrayContaining([there(2, "elsewhere:3")]) })
    expect(answer).toMatchObject({ rumours: expect.arrayContaining([{ ...alive("n1", 0), address: "here:1" }]) })
  })

  it("between nodes of one roster only what differs is said", () => {
    const node = new Hand("n1", nodesOf(1_000))
    node.gossip(confirm("n7", 0))
    const { rosterHash } = node.state.members
    const ask = { _tag: "Sync", part: "Ask", roster: rosterHash, rumours: [alive("n2", 0)] } as const
    expect(sent(node.hear("n2", ask))).toMatchObject([{ part: "Answer", rumours: [alive("n1", 0), confirm("n7", 0)] }])
  })

  it("all that is known is said in packets of the size allowed, once each", () => {
    const nodes = nodesOf(1_000)
    const node = new Hand("n1", nodes, { packetBytes: 512 })
    const ask = { _tag: "Sync", part: "Ask", roster: 0, rumours: [alive("x", 0)] } as const
    const packets = sent(node.hear("x", ask)) as unknown as ReadonlyArray<Extract<Swim.Message, { _tag: "Sync" }>>
    const codec = Codec.binary(Swim.Message)
    for (const { _tag, part, roster, rumours } of packets) {
      expect(Codec.encode(codec, { _tag, part, roster, rumours }).length).toBeLessThanOrEqual(512)
    }
    const said = packets.flatMap(({ rumours }) => rumours.map((rumour) => rumour.node))
    expect(said.toSorted()).toEqual([...nodes, "x"].toSorted())
    expect(packets.map(({ part }) => part)).toEqual(["Answer", ...packets.slice(1).map(() => "More")])
  })

  it("now and then a probe asks for all that the member knows, and an answer is one to the probe too", () => {
    const node = new Hand("n1", four)
    expect(sent(node.timeout("sync"))).toEqual([])
    const [asked, ...others] = sent(node.timeout("probe"))
    expect([asked, others]).toMatchObject([{ _tag: "Sync", part: "Ask", rumours: [alive("n1", 0)] }, []])
    const roster = node.state.members.rosterHash
    node.hear(asked!.to, { _tag: "Sync", part: "Answer", roster, rumours: [alive(asked!.to, 0)] })
    expect(node.state.probe).toMatchObject({ acked: true })
    expect(sent(node.timeout("probe"))).toMatchObject([{ _tag: "Ping" }])
  })

  it("a death that is told in synchronising is suspected first, so that it can be refuted", () => {
    const node = new Hand("n1", four)
    node.hear("n2", { _tag: "Sync", part: "More", roster: 0, rumours: [confirm("n3", 0)] })
    expect(node.status("n3")).toBe("suspected")
  })

  it("who leaves says so to some at once, and takes no part any more", () => {
    const node = new Hand("n1", four)
    const goodbyes = sent(node.tell({ _tag: "Leave" }))
    expect(goodbyes).toHaveLength(3)
    expect(goodbyes[0]).toMatchObject({ _tag: "Gossip", rumours: [gone("n1", 0)] })
    expect(sent(node.tell({ _tag: "Leave" }))).toEqual([])
    expect(node.gossip(suspect("n1", 0), confirm("n3", 0))).toEqual([])
    expect(sent(node.hear("n2", { _tag: "Ping", sequence: 5, rumours: [] }))).toMatchObject([
      { _tag: "Ack", sequence: 5, rumours: [gone("n1", 0)] }
    ])
  })

  it("a suspicion that runs out after that is not told", () => {
    const node = new Hand("n1", four)
    node.gossip(suspect("n3", 0))
    node.tell({ _tag: "Leave" })
    node.timeout("suspicion n3")
    expect(node.status("n3")).toBe("down")
    expect(node.state.rumours.sent.flat()).not.toContainEqual(confirm("n3", 0))
  })

  it("who comes back after that has a new incarnation", () => {
    const node = new Hand("n1", four)
    node.tell({ _tag: "Leave" })
    node.tell({ _tag: "Join", seeds: ["n2"] })
    expect(node.state).toMatchObject({ phase: "up", incarnation: 1 })
    expect(node.state.rumours.sent[0]).toContainEqual(alive("n1", 1))
  })
})

describe("the dead", () => {
  it("are neither probed nor asked for help, and forgotten after a while", () => {
    const node = new Hand("n1", four, { reapAfterMillis: 60_000 })
    node.gossip(confirm("n2", 0), confirm("n3", 0))
    for (let period = 0; period < 6; period++) {
      const pings = sent(node.timeout("probe")).filter(({ _tag }) => _tag === "Ping")
      expect(pings.map(({ to }) => to)).toEqual(["n4"])
      node.hear("n4", { _tag: "Ack", sequence: node.state.sequence, rumours: [] })
    }
    node.millis = 59_999
    node.timeout("sync")
    expect(node.status("n2")).toBe("down")
    node.millis = 60_000
    node.timeout("sync")
    expect([node.status("n2"), node.status("n3"), node.status("n4")]).toEqual([undefined, undefined, "up"])
    // A forgotten one that is heard of is a newcomer.
    expect(emitted(node.gossip(confirm("n2", 5), alive("n2", 0)))).toEqual(["n2 up"])
  })

  it("are taken off the roster when they are the most of it", () => {
    const node = new Hand("n1", nodesOf(10), { reapAfterMillis: 1 })
    node.gossip(...[2, 3, 4, 5, 6, 7].map((at) => confirm(`n${at}`, 0)), alive("x", 0))
    node.millis = 10
    node.timeout("sync")
    expect(node.state.members).toMatchObject({ roster: ["n1", "n8", "n9", "n10"], joined: ["x"], absent: 0, reaped: 0 })
    expect(node.status("n8")).toBe("up")
    const probed = Array.from({ length: 4 }, () => sent(node.timeout("probe"))[0]?.to)
    expect(probed.toSorted()).toEqual(["n10", "n8", "n9", "x"])
  })
})

describe("bad input", () => {
  it("a node that is alone probes nobody", () => {
    const node = new Hand("n1", ["n1"])
    expect(sent(node.input({ _tag: "Start" }))).toEqual([])
    for (let period = 0; period < 3; period++) expect(sent(node.timeout("probe"))).toEqual([])
    expect(sent(node.timeout("sync"))).toEqual([])
  })

  it("a node to whom all others are dead asks one of them now and then", () => {
    const node = new Hand("n1", four)
    node.gossip(confirm("n2", 0), confirm("n3", 0), confirm("n4", 0))
    expect(sent(node.timeout("probe"))).toEqual([])
    expect(sent(node.timeout("sync"))).toMatchObject([{ _tag: "Sync", part: "Ask" }])
  })

  it("a stranger that pings is answered, asked who it is, and is no member until it says so", () => {
    const node = new Hand("n1", four)
    expect(sent(node.hear("x", { _tag: "Ping", sequence: 1, rumours: [] }))).toMatchObject([
      { to: "x", _tag: "Sync", part: "Ask" },
      { to: "x", _tag: "Ack" }
    ])
    expect(node.status("x")).toBeUndefined()
    node.hear("x", { _tag: "Sync", part: "Answer", roster: 0, rumours: [alive("x", 3)] })
    expect(node.status("x")).toBe("up")
  })

  it("the detector watches neither its own node nor strangers, and says so", async () => {
    const ask = (node: string) =>
      Effect.gen(function* () {
        return yield* (yield* FailureDetector).opinion(node)
      }).pipe(
        Effect.provide(Layer.provide(Swim.layer(), Memory.layer(Memory.network({ nodes: ["n1", "n2"] }), "n1"))),
        Effect.result,
        Effect.runPromise
      )
    expect(await ask("n2")).toMatchObject({ success: { node: "n2", status: "up", level: 0 } })
    for (const node of ["n1", "n3"]) expect(await ask(node)).toMatchObject({ failure: { _tag: "UnknownNode", node } })
  })

  const refusal = (options: Parameters<typeof Swim.layer>[0]) => {
    const network = Memory.network({ nodes: ["n1"] })
    const built = Effect.scoped(Layer.build(Swim.layer(options))).pipe(Effect.provide(Memory.layer(network, "n1")))
    return Effect.runPromise(Effect.flip(built))
  }

  it.each([
    [{ probeTimeout: "1 second", probeInterval: "1 second" }, "leaves no time to ask others"],
    [{ probeTimeout: "3 seconds" }, "leaves no time to ask others"],
    [{ reapAfter: "1 second" }, "would be forgotten after 1000 ms"],
    [{ indirectProbes: -1 }, "indirectProbes"],
    [{ retransmitMultiplier: 0 }, "retransmitMultiplier"],
    [{ packetBytes: 100 }, "packetBytes"],
    [{ gossipInterval: "0 millis" }, "gossipIntervalMillis"],
    [{ lifeguard: { healthMax: 0 } }, "healthMax"],
    [{ seeds: ["a b"] }, "seeds"]
  ] as const)("%o is refused, and the reason said", async (options, reason) => {
    const error = await refusal(options)
    expect(error).toBeInstanceOf(InvalidOptions)
    expect(error.message).toContain(reason)
  })
})
