/** Every order in which the messages of a view change can arrive, of two coordinators at once, with crashes. */
import type { Protocol } from "@troupe/actor"
import { CoordinatedMembership } from "@troupe/group"
import { describe, expect, it } from "vitest"
import {
  type Bounds,
  check,
  coordinate,
  create,
  destroy,
  enter,
  join,
  leave,
  type Membership,
  suspect,
  verdict
} from "./membershipModel.ts"

const fifo = { order: "fifo" } as const
const sound = { complete: true, broken: [] }
const sequence = "one sequence of views"

/** Each thinks that it coordinates, and that the other is down. */
const two: Bounds = {
  scripts: { n1: [[suspect("n2"), coordinate("n1")]], n2: [[suspect("n1"), coordinate("n2")]] }
}

/** n1 takes out n3, and crashes at any point; n2 takes over, whether it has. */
const takeover: Bounds = {
  scripts: { n1: [[suspect("n3"), coordinate("n1")]], n2: [[suspect("n1"), coordinate("n2")]] },
  crashes: { max: 1, nodes: ["n1"] }
}

describe("one view a number, which those who install it are in", () => {
  it.each<readonly [string, Bounds]>([
    ["two coordinators at once, each of which suspects the other", { ...two, lastView: 3, network: fifo }],
    [
      "two coordinators, one of which takes office again",
      {
        scripts: {
          n1: [[suspect("n2"), coordinate("n1")], [coordinate("n1")]],
          n2: [[suspect("n1"), coordinate("n2")]]
        },
        network: fifo
      }
    ],
    ["two coordinators of two members, of whom the first is half of the group", { ...two, members: ["n1", "n2"] }],
    ["the coordinator crashes at any point, and another takes over", { ...takeover, lastView: 3, network: fifo }],
    [
      "one joins while one leaves, in any order of messages",
      {
        members: ["n1", "n2"],
        scripts: { n1: [[coordinate("n1")]], n2: [[coordinate("n1")], [leave]], n3: [[coordinate("n1"), join]] }
      }
    ],
    [
      "one joins by way of one coordinator, while another leaves",
      {
        members: ["n1", "n2"],
        scripts: { n1: [[coordinate("n1")]], n2: [[coordinate("n2"), leave]], n3: [[coordinate("n1"), join]] },
        lastView: 3,
        network: fifo
      }
    ],
    [
      "two nodes create the group, each by its own coordinator",
      {
        members: [],
        scripts: { n1: [[coordinate("n1"), create]], n2: [[coordinate("n2"), create]] },
        lastView: 3
      }
    ],
    [
      "one destroys the group while another takes a member out",
      {
        scripts: { n1: [[suspect("n3"), coordinate("n1")]], n2: [[coordinate("n2"), destroy]] },
        network: fifo
      }
    ]
  ])("%s", async (_, bounds) => {
    expect(verdict(await check(bounds))).toEqual(sound)
  })

  it("a member crashes at any point, and comes back in another life", async () => {
    const report = await check({
      members: [],
      nodes: ["n1", "n2"],
      // It asks once in each life.
      scripts: {
        n1: [[coordinate("n1"), enter]],
        n2: [
          [coordinate("n1"), enter],
          [coordinate("n1"), enter]
        ]
      },
      crashes: { max: 1, nodes: ["n2"], restart: true },
      random: [0, 0.5],
      lastView: 4,
      network: fifo
    })
    expect(verdict(report)).toEqual(sound)
  })
})

type Act = Protocol.Actions<any, any, any, any>
const { protocol } = CoordinatedMembership

/** Of a protocol that does something wrong with what it is told. */
const withFault = (
  onMessage: (state: CoordinatedMembership.State, from: string, message: any, act: Act) => CoordinatedMembership.State,
  onCommand: Membership["onCommand"] = protocol.onCommand
): Membership => ({ ...protocol, onCommand, onMessage })

describe("a planted fault is found", () => {
  it("a view is told of before a majority has accepted it", async () => {
    const hasty = withFault((before, from, message, act) => {
      let state = protocol.onMessage(before, from, message, act)
      for (const [group, { view }] of state.office?.proposals ?? []) {
        const commit = { _tag: "Commit" as const, group, views: [view], forgotten: false }
        act.sendAll(act.self.peers, commit)
        state = protocol.onMessage(state, act.self.id, commit, act)
      }
      return state
    })
    expect(verdict(await check({ ...two, protocol: hasty, network: fifo })).broken).toContain(sequence)
  })

  it("a new coordinator does not ask what was accepted", async () => {
    const forgets = (state: CoordinatedMembership.State): CoordinatedMembership.State => ({
      ...state,
      groups: new Map(Array.from(state.groups, ([name, group]) => [name, { ...group, accepted: undefined }]))
    })
    const careless = withFault(
      (state, from, message, act) =>
        protocol.onMessage(
          state,
          from,
          message._tag === "Promise"
            ? { ...message, groups: message.groups.map(({ accepted: _, ...known }: any) => known) }
            : message,
          act
        ),
      (state, command, act) => protocol.onCommand(command._tag === "Coordinate" ? forgets(state) : state, command, act)
    )
    for (const bounds of [two, takeover]) {
      expect(verdict(await check({ ...bounds, protocol: careless, network: fifo })).broken).toContain(sequence)
    }
  })

  it("who has promised a higher ballot accepts a lower one", async () => {
    const unfaithful = withFault((state, from, message, act) => {
      if (message._tag !== "Accept") return protocol.onMessage(state, from, message, act)
      const { promised } = state
      const heard = protocol.onMessage({ ...state, promised: message.ballot }, from, message, act)
      return { ...heard, promised }
    })
    expect(verdict(await check({ ...two, protocol: unfaithful, network: fifo })).broken).toContain(sequence)
  })
})
