/** The rules of the coordinated membership, by hand: nodes are given inputs, and messages go when the test says so. */
import { Protocol } from "@troupe/actor"
import { CoordinatedMembership } from "@troupe/group"
import { Schema } from "effect"
import { describe, expect, it } from "vitest"

type State = CoordinatedMembership.State
type Message = CoordinatedMembership.Message
type Event = CoordinatedMembership.Event

const { card, defaults, protocol } = CoordinatedMembership
const group = "g"

interface Sent {
  readonly from: string
  readonly to: string
  readonly message: Message
}

/** Nodes without time: what is sent arrives in the order of sending, once `settle` is called. */
class Nodes {
  readonly states = new Map<string, State>()
  readonly events: Array<{ readonly node: string; readonly event: Event }> = []
  readonly down = new Set<string>()
  sent: Array<Sent> = []
  counted: Array<Sent> = []
  private readonly selves = new Map<string, Protocol.Self<CoordinatedMembership.Options>>()
  private lives = 0

  constructor(count: number, options: Partial<CoordinatedMembership.Options> = {}) {
    const nodes = Array.from({ length: count }, (_, i) => `n${i + 1}`)
    for (const node of nodes) this.selves.set(node, Protocol.self(node, nodes, { ...defaults, ...options }))
    for (const node of nodes) this.start(node)
    this.settle()
  }

  /** For the first time or again, in a life of its own. */
  start(node: string): void {
    this.down.delete(node)
    this.states.set(node, protocol.init(this.selves.get(node)!))
    this.input(node, { _tag: "Start" })
  }

  input(node: string, input: Protocol.Input<Message, CoordinatedMembership.Command, any>): void {
    const life = input._tag === "Start" ? ++this.lives : 0
    const { actions, state } = Protocol.step(protocol, this.selves.get(node)!, this.states.get(node)!, input, {
      random: () => life / 2 ** 48
    })
    this.states.set(node, state)
    for (const action of actions) {
      if (action._tag === "Send") this.sent.push({ from: node, to: action.to, message: action.message })
      if (action._tag === "Emit") this.events.push({ node, event: action.event })
    }
  }

  tell(node: string, ...commands: ReadonlyArray<CoordinatedMembership.Command>): void {
    for (const command of commands) this.input(node, { _tag: "Command", command })
  }

  /** Until nothing is under way; what `isLost` is lost. */
  settle(isLost: (sent: Sent) => boolean = () => false): this {
    while (this.sent.length > 0) {
      const next = this.sent.shift()!
      this.counted.push(next)
      if (this.down.has(next.to) || isLost(next)) continue
      this.input(next.to, { _tag: "Message", from: next.from, message: next.message })
    }
    return this
  }

  coordinator(coordinator: string, of: Iterable<string> = this.states.keys()): this {
    for (const node of of) this.tell(node, { _tag: "Coordinate", coordinator })
    return this.settle()
  }

  enter(...nodes: ReadonlyArray<string>): this {
    for (const node of nodes) {
      this.tell(node, { _tag: "Enter", group, mode: "enter" })
      this.settle()
    }
    return this
  }

  /** "3: n1 n2" of what a node has installed. */
  view(node: string): string | undefined {
    const installed = this.states.get(node)!.groups.get(group)?.installed
    return installed && `${installed.number}: ${installed.members.map(({ node }) => node).join(" ")}`
  }

  /** All that this node was told of. */
  views(node: string): ReadonlyArray<string> {
    return this.events.flatMap(({ event, node: other }) =>
      other === node && event._tag === "View" ? [`${event.view.number}: ${event.view.members.join(" ")}`] : []
    )
  }
}

const all = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `n${i + 1}`)

describe("views", () => {
  it("each that comes in makes one, of which all members are told in order", () => {
    const nodes = new Nodes(3).coordinator("n1").enter("n2", "n1", "n3")
    expect(nodes.views("n2")).toEqual(["1: n2", "2: n1 n2", "3: n1 n2 n3"])
    expect(nodes.views("n1")).toEqual(["2: n1 n2", "3: n1 n2 n3"])
    expect(nodes.views("n3")).toEqual(["3: n1 n2 n3"])
  })

  it("who is taken for dead goes, and comes in again as one that has joined", () => {
    const nodes = new Nodes(3).coordinator("n1").enter("n1", "n2", "n3")
    nodes.tell("n1", { _tag: "Suspect", nodes: ["n3"] })
    nodes.settle()
    expect(nodes.view("n1")).toBe("4: n1 n2")
    expect(nodes.view("n3")).toBeUndefined()
    expect(nodes.events).toContainEqual({ node: "n3", event: { _tag: "Left", group, why: "evicted" } })
    nodes.tell("n1", { _tag: "Suspect", nodes: [] })
    nodes.settle()
    expect(nodes.events.at(-1)).toEqual({
      node: "n3",
      event: { _tag: "View", group, view: { number: 5, members: ["n1", "n2", "n3"], joined: ["n3"] } }
    })
  })

  it("a node that comes back in another life under its name is taken out first, and let in by the next view", () => {
    const nodes = new Nodes(3).coordinator("n1").enter("n1", "n2", "n3")
    nodes.start("n3")
    nodes.tell("n3", { _tag: "Coordinate", coordinator: "n1" }, { _tag: "Enter", group, mode: "join" })
    nodes.settle()
    expect(nodes.views("n1").slice(-3)).toEqual(["3: n1 n2 n3", "4: n1 n2", "5: n1 n2 n3"])
    expect(nodes.views("n3").at(-1)).toBe("5: n1 n2 n3")
  })

  it("a group that all have left is gone, and founded anew its numbers go on", () => {
    const nodes = new Nodes(3).coordinator("n1").enter("n2")
    nodes.tell("n2", { _tag: "Leave", group })
    nodes.settle().enter("n3")
    expect(nodes.view("n3")).toBe("3: n3")
  })

  it("who is brought up to date is told of each view that it missed", () => {
    const nodes = new Nodes(4).coordinator("n1").enter("n1", "n2", "n3")
    nodes.tell("n4", { _tag: "Enter", group, mode: "join" })
    nodes.settle(({ message, to }) => to === "n3" && message._tag === "Commit")
    nodes.tell("n2", { _tag: "Leave", group })
    nodes.settle(({ message, to }) => to === "n3" && (message._tag === "Commit" || message._tag === "Accept"))
    expect(nodes.view("n3")).toBe("3: n1 n2 n3")
    nodes.input("n3", { _tag: "Timeout", timer: "report" })
    nodes.settle()
    expect(nodes.views("n3")).toEqual(["3: n1 n2 n3", "4: n1 n2 n3 n4", "5: n1 n3 n4"])
  })

  it("who has missed more views than are remembered leaves, and comes in as one that knows nothing", () => {
    const nodes = new Nodes(3).coordinator("n1").enter("n1", "n2", "n3")
    const isCut = ({ from, to }: Sent): boolean => from === "n3" || to === "n3"
    for (let i = 0; i < 20; i++) {
      nodes.tell("n2", { _tag: "Leave", group })
      nodes.settle(isCut)
      nodes.tell("n2", { _tag: "Enter", group, mode: "join" })
      nodes.settle(isCut)
    }
    expect(nodes.view("n1")).toBe("43: n1 n2 n3")
    nodes.input("n3", { _tag: "Timeout", timer: "report" })
    nodes.settle()
    expect(nodes.views("n3")).toEqual(["3: n1 n2 n3", "45: n1 n2 n3"])
    expect(nodes.states.get("n1")!.groups.get(group)!.recent.length).toBe(32)
  })
})

describe("who may agree", () => {
  const isAmong = (nodes: ReadonlyArray<string>) => (sent: Sent) =>
    nodes.includes(sent.from) !== nodes.includes(sent.to)

  it("a minority agrees on nothing", () => {
    const nodes = new Nodes(5).coordinator("n1").enter(...all(5))
    nodes.tell("n1", { _tag: "Suspect", nodes: ["n3", "n4", "n5"] })
    nodes.settle(isAmong(["n1", "n2"]))
    expect(nodes.view("n1")).toBe("5: n1 n2 n3 n4 n5")
    nodes.tell("n3", { _tag: "Suspect", nodes: ["n1", "n2"] }, { _tag: "Coordinate", coordinator: "n3" })
    nodes.settle(isAmong(["n1", "n2"]))
    expect(nodes.view("n4")).toBe("6: n3 n4 n5")
  })

  it("of two halves the one with the first member agrees (Jajodia and Mutchler 1990)", () => {
    for (const [side, view] of [
      [["n1", "n2"], "5: n1 n2"],
      [["n2", "n3"], undefined]
    ] as const) {
      const nodes = new Nodes(4).coordinator(side[0]).enter(...all(4))
      nodes.tell(side[0], { _tag: "Suspect", nodes: all(4).filter((node) => !side.includes(node as never)) })
      nodes.settle(isAmong(side))
      expect(nodes.view(side[0])).toBe(view ?? "4: n1 n2 n3 n4")
    }
  })

  it("a group can shrink to one member, step by step", () => {
    const nodes = new Nodes(4).coordinator("n1").enter(...all(4))
    for (let dead = 4; dead > 1; dead--) {
      nodes.down.add(`n${dead}`)
      nodes.tell("n1", { _tag: "Suspect", nodes: [...nodes.down] })
      nodes.settle()
    }
    expect(nodes.view("n1")).toBe("7: n1")
  })

  it("a new coordinator finishes what may have been agreed on", () => {
    const nodes = new Nodes(3).coordinator("n1").enter(...all(3))
    nodes.tell("n1", { _tag: "Suspect", nodes: ["n2"] })
    // n1 and n3 have accepted a view without n2; n1 alone knows.
    nodes.settle(({ from, message, to }) => message._tag === "Commit" || (from === "n1" && to === "n2"))
    expect(nodes.view("n1")).toBe("4: n1 n3")
    nodes.down.add("n1")
    nodes.tell("n2", { _tag: "Suspect", nodes: ["n1"] }, { _tag: "Coordinate", coordinator: "n2" })
    nodes.tell("n3", { _tag: "Coordinate", coordinator: "n2" })
    nodes.settle()
    expect(nodes.views("n3").slice(-1)).toEqual(["4: n1 n3"])
    // Half of it is down, the first member: nothing more can be agreed on.
    expect(nodes.view("n3")).toBe("4: n1 n3")
  })

  it("the coordinator of a lower ballot is told, and takes a higher one when it tries again", () => {
    const nodes = new Nodes(3).coordinator("n1").enter(...all(3))
    nodes.tell("n2", { _tag: "Coordinate", coordinator: "n2" })
    nodes.settle()
    nodes.tell("n1", { _tag: "Suspect", nodes: ["n3"] })
    nodes.settle()
    expect(nodes.states.get("n1")!.office!.beaten).toBe(true)
    expect(nodes.view("n1")).toBe("3: n1 n2 n3")
    nodes.input("n1", { _tag: "Timeout", timer: "retry" })
    nodes.settle()
    expect(nodes.view("n1")).toBe("4: n1 n2")
  })
})

describe("weaknesses of the card show", () => {
  const holds = (nodes: Nodes, name: string): boolean =>
    card.guarantees
      .find((guarantee) => guarantee.name === name)!
      .holds(Array.from(nodes.states, ([node, state]) => ({ node, alive: !nodes.down.has(node), state })))

  it("a lost majority", () => {
    const nodes = new Nodes(3).coordinator("n1").enter(...all(3))
    for (const node of ["n2", "n3"]) {
      nodes.start(node)
      nodes.tell(node, { _tag: "Coordinate", coordinator: "n1" }, { _tag: "Enter", group, mode: "join" })
    }
    nodes.settle()
    expect(nodes.view("n1")).toBe("3: n1 n2 n3")
    expect(nodes.view("n2")).toBeUndefined()
    expect(holds(nodes, "everybody comes in")).toBe(false)
  })

  it("a minority waits", () => {
    const nodes = new Nodes(3).coordinator("n1").enter(...all(3))
    nodes.tell("n1", { _tag: "Suspect", nodes: ["n2", "n3"] })
    nodes.settle(({ from, to }) => from === "n1" || to === "n1")
    expect(nodes.view("n1")).toBe("3: n1 n2 n3")
  })

  it("a name that most nodes forget", () => {
    const nodes = new Nodes(3).coordinator("n1").enter("n1")
    const isCut = ({ from, to }: Sent): boolean => from === "n1" || to === "n1"
    for (const node of ["n2", "n3"]) nodes.start(node)
    nodes.tell("n2", { _tag: "Suspect", nodes: ["n1"] }, { _tag: "Coordinate", coordinator: "n2" })
    nodes.tell("n2", { _tag: "Enter", group, mode: "create" })
    nodes.settle(isCut)
    expect(nodes.view("n1")).toBe("1: n1")
    expect(nodes.view("n2")).toBe("1: n2")
    expect(holds(nodes, "one sequence of views")).toBe(false)
  })

  it("nobody is passed over who may remember a name, unless it seems to be down", () => {
    const nodes = new Nodes(3).coordinator("n1").enter("n1")
    for (const node of ["n2", "n3"]) nodes.start(node)
    nodes.tell("n2", { _tag: "Coordinate", coordinator: "n2" }, { _tag: "Enter", group, mode: "create" })
    nodes.settle(({ from }) => from === "n1")
    expect(nodes.view("n2")).toBeUndefined()
    nodes.input("n2", { _tag: "Timeout", timer: "retry" })
    nodes.settle()
    expect(nodes.events.at(-1)).toMatchObject({ node: "n2", event: { _tag: "Refused", refusal: "exists" } })
  })
})

describe("what comes from elsewhere", () => {
  it("messages of an earlier ballot, an earlier view, or from no member change nothing", () => {
    const nodes = new Nodes(3).coordinator("n1").enter("n1", "n2")
    nodes.coordinator("n3", ["n3"])
    const before = nodes.states.get("n2")!
    const ballot = { number: 1, node: "n1", life: 1 }
    const base = before.groups.get(group)!.recent[0]!
    const old: ReadonlyArray<Message> = [
      { _tag: "Accept", ballot, group, base, view: { number: base.number + 1, members: [], joined: [] } },
      { _tag: "Prepare", ballot },
      { _tag: "Commit", group, views: [base], forgotten: false },
      { _tag: "Commit", group, views: [], forgotten: true },
      { _tag: "Partial", ballot, group, of: 2, members: [] },
      { _tag: "Accepted", ballot, group, number: 2, life: 7 },
      { _tag: "Promise", ballot, life: 7, groups: [] },
      { _tag: "Nack", ballot },
      { _tag: "Refused", group, mode: "join", refusal: "exists" },
      { _tag: "Report", life: 7, sequence: 1, wants: [], views: [] }
    ]
    for (const message of old.slice(0, 8)) nodes.input("n2", { _tag: "Message", from: "n3", message })
    nodes.input("n2", { _tag: "Message", from: "n3", message: old[9]! })
    expect(nodes.states.get("n2")).toEqual(before)
    expect(nodes.sent.filter(({ message }) => message._tag !== "Nack")).toEqual([])
  })

  it("a report that was overtaken by a later one is not heeded", () => {
    const nodes = new Nodes(2).coordinator("n1").enter("n1")
    const life = nodes.states.get("n2")!.life
    nodes.tell("n2", { _tag: "Enter", group, mode: "join" })
    nodes.settle()
    const earlier: Message = { _tag: "Report", life, sequence: 1, wants: [], views: [] }
    nodes.input("n1", { _tag: "Message", from: "n2", message: earlier })
    nodes.settle()
    expect(nodes.view("n2")).toBe("2: n1 n2")
  })

  it("messages survive the wire", () => {
    const nodes = new Nodes(3).coordinator("n1").enter(...all(3))
    nodes.tell("n2", { _tag: "Look", group: "none" })
    nodes.coordinator("n2")
    const codec = Schema.toCodecJson(CoordinatedMembership.Message)
    expect(new Set(nodes.counted.map(({ message }) => message._tag)).size).toBeGreaterThan(6)
    for (const { message } of nodes.counted) {
      const encoded = Schema.encodeSync(codec)(message)
      expect(Schema.decodeSync(codec)(JSON.parse(JSON.stringify(encoded)))).toEqual(message)
    }
  })
})

describe("an agreed view costs what the card says", () => {
  const background = card.cost.background!
  const cost = (nodes: Nodes, change: () => void): number => {
    nodes.counted = []
    change()
    nodes.settle()
    return nodes.counted.filter(({ message }) => !background.includes(message._tag)).length
  }

  it.each(Array.from({ length: 24 }, (_, i) => i + 2))("%i members", (count) => {
    const nodes = new Nodes(count).coordinator("n1").enter(...all(count - 1))
    const last = `n${count}`
    const joins = cost(nodes, () => nodes.tell(last, { _tag: "Enter", group, mode: "join" }))
    expect(nodes.view(last)).toBe(`${count}: ${all(count).join(" ")}`)
    expect(joins).toBe(card.cost.best.of(count))
    const leaves = cost(nodes, () => nodes.tell(last, { _tag: "Leave", group }))
    expect(nodes.view("n1")).toBe(`${count + 1}: ${all(count - 1).join(" ")}`)
    expect(leaves).toBe(card.cost.worst.of(count))
    nodes.enter(last)
    nodes.down.add(last)
    // Whoever is down does not answer.
    const dies = cost(nodes, () => nodes.tell("n1", { _tag: "Suspect", nodes: [last] }))
    expect(dies).toBe(card.cost.worst.of(count) - 1)
  })
})
