import { Protocol } from "@troupe/actor"
import { ChangRoberts, DolevKlaweRodeh, HighamPrzytycka, HirschbergSinclair, LeLann, Ring } from "@troupe/election"
import { describe, expect, it } from "@effect/vitest"
import { type Command, type Machine, nodesOf } from "./rings.ts"

type Input = Protocol.Input<any, Command, never>

const start: Input = { _tag: "Start" }
const from = (node: string, message: unknown): Input => ({ _tag: "Message", from: node, message })
const suspect = (node: string): Input => ({ _tag: "Command", command: { _tag: "Suspect", node } })
const trust = (node: string): Input => ({ _tag: "Command", command: { _tag: "Trust", node } })
const resign: Input = { _tag: "Command", command: { _tag: "Resign" } }
const send = (to: string, message: unknown) => ({ _tag: "Send", to, message })
const coordinator = (round: number, leader: string) => ({ _tag: "Coordinator", round, leader })

/** A node of ten on a ring, P1 to P10, that has been through `inputs`: its state, and what it did in the last step. */
const node = (protocol: unknown, id: string, ...inputs: ReadonlyArray<Input>) => {
  const machine = protocol as Machine
  const self = Protocol.self<Ring.Options>(id, nodesOf(10), {})
  let state = machine.init(self)
  let actions: ReadonlyArray<Protocol.Action<unknown, Ring.Event>> = []
  for (const input of inputs) ({ actions, state } = Protocol.step(machine, self, state, input))
  return {
    state,
    sent: actions.filter(({ _tag }) => _tag === "Send"),
    told: actions.flatMap((action) => (action._tag === "Emit" ? [action.event.leader] : []))
  }
}

describe("the ring with a list (Tanenbaum & van Steen, §6.5.1)", () => {
  const at = (id: string, ...inputs: ReadonlyArray<Input>) => node(Ring.protocol, id, ...inputs)
  const election = (...nodes: ReadonlyArray<string>) => ({ _tag: "Election", round: 1, nodes })

  it("P3 misses its leader, and sends a list of itself to its successor", () => {
    expect(at("P3", start).sent).toEqual([send("P4", election("P3"))])
  })

  it("quiz 12: an ELECTION of P3 arrives at P5: it adds its own id, and sends the list to its successor", () => {
    expect(at("P5", from("P4", election("P3", "P4"))).sent).toEqual([send("P6", election("P3", "P4", "P5"))])
  })

  it("the list comes back to P3: the highest on it leads, and COORDINATOR goes round", () => {
    const { sent, told } = at("P3", start, from("P2", election("P3", "P5", "P9", "P1", "P2")))
    expect(sent).toEqual([send("P4", coordinator(1, "P9"))])
    expect(told).toEqual([{ id: "P9", epoch: 18 }])
  })

  it("a successor that is dead is skipped", () => {
    const { sent } = at("P3", start, suspect("P4"), suspect("P5"))
    expect(sent).toEqual([send("P6", { ...election("P3"), round: 3 })])
  })

  it("a node that has resigned hands the list on as it is", () => {
    const { sent } = at("P5", resign, from("P4", { ...election("P3", "P4"), round: 2 }))
    expect(sent).toEqual([send("P6", { ...election("P3", "P4"), round: 2 })])
  })

  it("a list that comes to a node again, past one that has died, has been all round", () => {
    const { told } = at("P4", from("P3", election("P3")), from("P2", election("P3", "P4", "P10", "P2")))
    expect(told).toEqual([{ id: "P10", epoch: 19 }])
  })
})

describe("Chang–Roberts (1979)", () => {
  const at = (id: string, ...inputs: ReadonlyArray<Input>) => node(ChangRoberts.protocol, id, ...inputs)
  const candidate = (id: string, round = 1) => ({ _tag: "Candidate", round, id })

  it("a node hands a higher id on", () => {
    expect(at("P5", start, from("P4", candidate("P9"))).sent).toEqual([send("P6", candidate("P9"))])
  })

  it("and swallows a lower one", () => {
    expect(at("P5", start, from("P4", candidate("P4"))).sent).toEqual([])
  })

  it("a node that has not begun sends its own id first", () => {
    const { sent } = at("P5", from("P4", candidate("P9")))
    expect(sent).toEqual([send("P6", candidate("P5")), send("P6", candidate("P9"))])
  })

  it("an id that comes home has passed everybody: its node leads, and says so", () => {
    const { sent, told } = at("P10", start, from("P9", candidate("P10")))
    expect(sent).toEqual([send("P1", coordinator(1, "P10"))])
    expect(told).toEqual([{ id: "P10", epoch: 19 }])
  })

  it("a node that does not stand lets lower ids pass", () => {
    expect(at("P5", resign, from("P4", candidate("P4", 2))).sent).toEqual([send("P6", candidate("P4", 2))])
  })

  it("the announcement is handed on once, and ends where it began", () => {
    const leads = [start, from("P9", candidate("P10"))]
    expect(at("P1", start, from("P10", coordinator(1, "P10"))).sent).toEqual([send("P2", coordinator(1, "P10"))])
    expect(at("P10", ...leads, from("P9", coordinator(1, "P10"))).sent).toEqual([])
  })
})

describe("elections have numbers", () => {
  const at = (id: string, ...inputs: ReadonlyArray<Input>) => node(ChangRoberts.protocol, id, ...inputs)
  const candidate = (id: string, round: number) => ({ _tag: "Candidate", round, id })
  const led = [start, from("P4", coordinator(3, "P10"))]

  it("a later one takes the place of that under way, and deposes its leader", () => {
    const { state, told } = at("P5", ...led, from("P4", candidate("P4", 4)))
    expect(told).toEqual([undefined])
    expect(state).toMatchObject({ round: 4, leader: undefined })
  })

  it("a message of an earlier one counts for nothing while one is under way", () => {
    const { sent, state } = at("P5", start, from("P4", candidate("P4", 4)), from("P4", candidate("P9", 2)))
    expect(sent).toEqual([])
    expect(state).toMatchObject({ round: 4, leader: undefined })
  })

  it("one who speaks of an earlier one hears how the latest ended", () => {
    const over = { _tag: "Over", round: 3, leader: "P10" }
    expect(at("P5", ...led, from("P2", candidate("P2", 1))).sent).toEqual([send("P2", over)])
    // The predecessor has announced the leader, and would send nothing more if it had not forgotten.
    expect(at("P5", ...led, from("P4", candidate("P4", 3))).sent).toEqual([send("P4", over)])
  })

  it("who hears that it has missed one follows, and hands it on; it begins another if it is not below the leader", () => {
    const over = (leader: string) => from("P6", { _tag: "Over", round: 3, leader })
    expect(at("P5", start, over("P10")).state).toMatchObject({ round: 3, leader: { id: "P10", epoch: 39 } })
    expect(at("P5", start, over("P10")).sent).toEqual([send("P6", coordinator(3, "P10"))])
    expect(at("P5", start, over("P4")).sent).toEqual([send("P6", candidate("P5", 4))])
    expect(at("P5", start, over("P5")).sent).toEqual([send("P6", candidate("P5", 4))])
  })

  it("a leader that is not of the group is no leader", () => {
    expect(at("P5", start, from("P4", coordinator(1, "P11"))).state.leader).toBeUndefined()
  })

  it("the leader is suspected: another election is held", () => {
    expect(at("P5", ...led, suspect("P10")).sent).toEqual([send("P6", candidate("P5", 4))])
  })

  it("a successor that follows is suspected: the next one hears who leads", () => {
    const { sent, state } = at("P5", ...led, suspect("P6"))
    expect(sent).toEqual([send("P7", coordinator(3, "P10"))])
    expect(state.leader).toEqual({ id: "P10", epoch: 39 })
  })

  it("a neighbour is suspected while one is under way: it is held anew, past the neighbour", () => {
    expect(at("P5", start, suspect("P6")).sent).toEqual([send("P7", candidate("P5", 2))])
    expect(at("P5", start, suspect("P4")).sent).toEqual([send("P6", candidate("P5", 2))])
    expect(at("P5", start, suspect("P9")).sent).toEqual([])
  })

  it("whom it suspects is not heard; trusted again, it is taken into an election later than those that it spoke of", () => {
    const deaf = [...led, suspect("P4"), from("P4", candidate("P4", 7))]
    expect(at("P5", ...deaf).sent).toEqual([])
    expect(at("P5", ...deaf, trust("P4")).sent).toEqual([send("P6", candidate("P5", 8))])
  })

  it("the last one that is up leads without a word", () => {
    const others = nodesOf(10).filter((other) => other !== "P5")
    const { sent, told } = at("P5", start, ...others.map(suspect))
    expect(sent).toEqual([])
    expect(told.at(-1)!.id).toBe("P5")
  })

  it("an election that stands still is begun anew; one that is over is not", () => {
    const retry: Input = { _tag: "Command", command: { _tag: "Retry" } }
    expect(at("P5", start, retry).sent).toEqual([send("P6", candidate("P5", 2))])
    expect(at("P5", ...led, retry).sent).toEqual([])
  })

  it("a leader that resigns calls for another election", () => {
    const leads = [start, from("P9", candidate("P10", 1))]
    expect(at("P10", ...leads, resign).sent).toEqual([send("P1", { _tag: "Call", round: 2 })])
    expect(at("P1", start, from("P10", { _tag: "Call", round: 2 })).sent).toEqual([send("P2", candidate("P1", 2))])
  })
})

describe("Hirschberg–Sinclair (1980)", () => {
  const at = (id: string, ...inputs: ReadonlyArray<Input>) => node(HirschbergSinclair.protocol, id, ...inputs)
  const probe = (id: string, hops: number, way = "clockwise") => ({ _tag: "Probe", round: 1, way, id, hops })
  const reply = (id: string, way = "counterclockwise") => ({ _tag: "Reply", round: 1, way, id })

  it("in phase 0 a candidate asks its two neighbours", () => {
    expect(at("P5", start).sent).toEqual([send("P6", probe("P5", 1)), send("P4", probe("P5", 1, "counterclockwise"))])
  })

  it("a higher node swallows the probe, a lower one hands it on, the last of the way answers", () => {
    expect(at("P5", start, from("P4", probe("P4", 2))).sent).toEqual([])
    expect(at("P5", start, from("P4", probe("P9", 2))).sent).toEqual([send("P6", probe("P9", 1))])
    expect(at("P5", start, from("P4", probe("P9", 1))).sent).toEqual([send("P4", reply("P9"))])
  })

  it("a candidate that has both answers asks twice as far", () => {
    const one = [start, from("P6", reply("P5"))]
    expect(at("P5", ...one).sent).toEqual([])
    const { sent } = at("P5", ...one, from("P4", reply("P5", "clockwise")))
    expect(sent).toEqual([send("P6", probe("P5", 2)), send("P4", probe("P5", 2, "counterclockwise"))])
  })

  it("one that has let a higher probe pass asks no further", () => {
    const replies = [from("P6", reply("P5")), from("P4", reply("P5", "clockwise"))]
    expect(at("P5", start, from("P4", probe("P9", 1)), ...replies).sent).toEqual([])
  })

  it("answers to others are handed on", () => {
    expect(at("P5", start, from("P6", reply("P2"))).sent).toEqual([send("P4", reply("P2"))])
  })

  it("a probe that comes home has been all round: its node leads", () => {
    expect(at("P10", start, from("P9", probe("P10", 3))).told).toEqual([{ id: "P10", epoch: 19 }])
  })
})

describe("Dolev–Klawe–Rodeh (1982), algorithm B", () => {
  const at = (id: string, ...inputs: ReadonlyArray<Input>) => node(DolevKlaweRodeh.protocol, id, ...inputs)
  const compete = (value: string, phase: number, limit: number) => ({
    ...{ _tag: "Compete", round: 1, value, phase, limit }
  })
  const survive = (value: string) => ({ _tag: "Survive", round: 1, value })
  /** P5, passive: its value was lower than the one ahead, and higher than the one behind. */
  const passive = [start, from("P4", compete("P2", 0, 1))]

  it("an active node takes over a higher value, and waits", () => {
    const { sent, state } = at("P5", start, from("P4", compete("P9", 0, 1)))
    expect(sent).toEqual([])
    expect(state).toMatchObject({ status: "waiting", highest: "P9" })
  })

  it("an active node hears of a lower value: it says that its own lives on, and becomes passive", () => {
    const { sent, state } = at("P5", ...passive)
    expect(sent).toEqual([send("P6", survive("P5"))])
    expect(state).toMatchObject({ status: "passive" })
  })

  it("a node that waits hears that its value lives on: it is active in the next phase, with twice the limit", () => {
    const { sent } = at("P5", start, from("P4", compete("P9", 0, 1)), from("P4", survive("P9")))
    expect(sent).toEqual([send("P6", compete("P9", 1, 2))])
  })

  it("a passive node hands on, and waits with the value whose limit it makes 0", () => {
    const before = at("P5", ...passive, from("P4", compete("P9", 1, 2)))
    expect(before.sent).toEqual([send("P6", compete("P9", 1, 1))])
    expect(before.state).toMatchObject({ status: "passive", highest: "P9" })
    const holder = at("P5", ...passive, from("P4", compete("P9", 1, 1)))
    expect(holder.sent).toEqual([send("P6", compete("P9", 1, 0))])
    expect(holder.state).toMatchObject({ status: "waiting", highest: "P9", phase: 1 })
  })

  it("a passive node lets a lower value pass, that nobody waits with then", () => {
    expect(at("P5", ...passive, from("P4", compete("P3", 1, 2))).sent).toEqual([send("P6", compete("P3", 1, 0))])
  })

  it("a passive node ends the way of a survivor that is lower than what has gone by", () => {
    const gone = [...passive, from("P4", compete("P9", 1, 2))]
    expect(at("P5", ...gone, from("P4", survive("P8"))).sent).toEqual([])
    expect(at("P5", ...gone, from("P4", survive("P9"))).sent).toEqual([send("P6", survive("P9"))])
  })

  it("a value that comes to the active node that holds it is the highest: that node says who leads", () => {
    const holds = [start, from("P4", compete("P10", 0, 1)), from("P4", survive("P10"))]
    const { sent, told } = at("P5", ...holds, from("P4", compete("P10", 1, 0)))
    expect(sent).toEqual([send("P6", coordinator(1, "P10"))])
    expect(told).toEqual([{ id: "P10", epoch: 19 }])
  })

  it("in one election, only one node is heard: a ring that was repaired meanwhile is another ring", () => {
    const { state } = at("P5", ...passive, from("P3", compete("P9", 1, 1)))
    expect(state.status).toBe("passive")
  })
})

describe("LeLann (1977)", () => {
  const at = (id: string, ...inputs: ReadonlyArray<Input>) => node(LeLann.protocol, id, ...inputs)
  const token = (id: string, standing = true) => ({ _tag: "Token", round: 1, id, standing })

  it("every token is handed on, lower ones too", () => {
    expect(at("P5", start, from("P4", token("P3"))).sent).toEqual([send("P6", token("P3"))])
  })

  it("when its own comes home, the highest of those that went by leads, and nothing is announced", () => {
    const others = ["P4", "P9", "P7"].map((id) => from("P4", token(id)))
    const { sent, told } = at("P5", start, ...others, from("P4", token("P5")))
    expect(sent).toEqual([])
    expect(told).toEqual([{ id: "P9", epoch: 18 }])
  })

  it("one that does not stand is not elected", () => {
    const { told } = at("P5", start, from("P4", token("P9", false)), from("P4", token("P5")))
    expect(told).toEqual([{ id: "P5", epoch: 14 }])
  })

  it("the token of a node that has died does not go round for ever", () => {
    expect(at("P5", suspect("P9"), start, from("P4", token("P9"))).sent).toEqual([])
  })
})

describe("Higham–Przytycka (1996), ELECT", () => {
  const at = (id: string, ...inputs: ReadonlyArray<Input>) => node(HighamPrzytycka.protocol, id, ...inputs)
  const envelope = (id: string, phase: number, hops = 0, highest = id) => ({
    ...{ _tag: "Envelope", round: 1 },
    ...{ id, phase, hops, highest }
  })

  it("a node sends an envelope with its id, in phase 1: it may go F₃ = 2 nodes far", () => {
    expect(at("P5", start).sent).toEqual([send("P6", envelope("P5", 1, 1))])
  })

  it("in an odd phase the lower lives on, and goes into the next", () => {
    expect(at("P5", start, from("P4", envelope("P4", 1, 1))).sent).toEqual([
      send("P6", { ...envelope("P4", 2), highest: "P5" })
    ])
    expect(at("P5", start, from("P4", envelope("P9", 1, 1))).sent).toEqual([])
  })

  it("in an even phase the higher lives on", () => {
    const passed = [start, from("P4", envelope("P4", 1, 1))]
    expect(at("P5", ...passed, from("P4", envelope("P3", 2))).sent).toEqual([])
    // It goes F₅ = 5 nodes far in phase 3.
    expect(at("P5", ...passed, from("P4", envelope("P9", 2))).sent).toEqual([send("P6", envelope("P9", 3, 4))])
  })

  it("promotion by witness: in an even phase, at a node whose last was lower, in the phase before", () => {
    expect(at("P5", start, from("P4", envelope("P9", 2))).sent).toEqual([send("P6", envelope("P9", 3, 4))])
    expect(at("P9", start, from("P8", envelope("P5", 2))).sent).toEqual([send("P10", envelope("P5", 2, 0, "P9"))])
  })

  it("promotion by distance: in an odd phase, at the end of its way", () => {
    expect(at("P5", start, from("P4", envelope("P9", 3, 1))).sent).toEqual([send("P6", envelope("P9", 3))])
    expect(at("P5", start, from("P4", envelope("P9", 3, 0))).sent).toEqual([send("P6", envelope("P9", 4))])
  })

  it("an envelope that comes to where its phase began is the last: the highest on its way leads", () => {
    const { sent, told } = at("P5", start, from("P4", envelope("P5", 1, 0, "P10")))
    expect(sent).toEqual([send("P6", coordinator(1, "P10"))])
    expect(told).toEqual([{ id: "P10", epoch: 19 }])
  })

  it("a node that does not stand for election hands on, and is not noted", () => {
    const resigned = { ...envelope("P4", 1, 1), round: 2 }
    expect(at("P5", resign, from("P4", resigned)).sent).toEqual([send("P6", { ...resigned, hops: 0 })])
  })
})
