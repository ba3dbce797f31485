/** Every interleaving of the coordinated membership: what nodes are told is a script, whatever else happens is explored. */
import type { Protocol } from "@troupe/actor"
import { CoordinatedMembership } from "@troupe/group"
import { Checker, System } from "@troupe/model-checker"
import { Effect } from "effect"

type State = CoordinatedMembership.State
type Command = CoordinatedMembership.Command
export type Membership = typeof CoordinatedMembership.protocol

export const group = "g"

/** Nodes draw this life where chance gives nothing but 0. */
const life = 1

/** A group of these members that is there from the start. */
const founded = (protocol: Membership, members: ReadonlyArray<string>): Membership => ({
  ...protocol,
  init: (self) => {
    const state = protocol.init(self)
    if (members.length === 0) return state
    const view = { number: 1, members: members.map((node) => ({ node, life })), joined: members }
    const isMember = members.includes(self.id)
    return {
      ...state,
      groups: isMember
        ? new Map([
            [group, { view, recent: [view], installed: view, passed: 1, accepted: undefined, partial: undefined }]
          ])
        : new Map(),
      wants: isMember ? [{ group, mode: "join", waits: false }] : []
    }
  }
})

/** Several commands are one step, so that there are fewer states. */
const atOnce = (protocol: Membership): Protocol.Protocol<State, any, ReadonlyArray<Command>, any, any, any> => ({
  ...protocol,
  onCommand: (state, commands, act) => commands.reduce((state, each) => protocol.onCommand(state, each, act), state)
})

export const coordinate = (coordinator: string): Command => ({ _tag: "Coordinate", coordinator })
export const suspect = (...nodes: ReadonlyArray<string>): Command => ({ _tag: "Suspect", nodes })
export const join: Command = { _tag: "Enter", group, mode: "join" }
export const enter: Command = { _tag: "Enter", group, mode: "enter" }
export const create: Command = { _tag: "Enter", group, mode: "create" }
export const leave: Command = { _tag: "Leave", group }
export const destroy: Command = { _tag: "Destroy", group }

export interface Bounds {
  readonly protocol?: Membership
  readonly nodes?: ReadonlyArray<string>
  /** Who is in the group from the start. Default: all. */
  readonly members?: ReadonlyArray<string>
  /** What each node is told: several commands at once, one after the other, at any time. */
  readonly scripts: Readonly<Record<string, ReadonlyArray<ReadonlyArray<Command>>>>
  /** States in which somebody knows of a later view are not gone on from. Default: 2. */
  readonly lastView?: number
  readonly crashes?: System.Crashes
  readonly network?: System.Network
  /** What chance may give: which lives there are. Default: one. */
  readonly random?: ReadonlyArray<number>
  readonly search?: Checker.Options
  readonly options?: Partial<CoordinatedMembership.Options>
}

export const systemOf = (bounds: Bounds) => {
  const { crashes, network, nodes = ["n1", "n2", "n3"], protocol = CoordinatedMembership.protocol, scripts } = bounds
  return System.make<
    State,
    CoordinatedMembership.Message,
    ReadonlyArray<Command>,
    CoordinatedMembership.Event,
    any,
    number
  >({
    name: "coordinated membership",
    members: System.members(atOnce(founded(protocol, bounds.members ?? nodes)), nodes, {
      ...CoordinatedMembership.defaults,
      ...bounds.options
    }),
    timeouts: "never",
    user: {
      memo: 0,
      moves: ({ memo, node }) => {
        const command = scripts[node]?.[memo]
        return command === undefined ? [] : [{ _tag: "Command", command, memo: memo + 1 }]
      }
    },
    within: ({ nodes }) =>
      nodes.every(({ state }) => (state.groups.get(group)?.view.number ?? 0) <= (bounds.lastView ?? 2)),
    ...(bounds.random !== undefined && { random: bounds.random }),
    ...(crashes !== undefined && { crashes }),
    ...(network !== undefined && { network }),
    properties: System.guarantees(CoordinatedMembership.card).filter(({ kind }) => kind === "always")
  })
}

export const check = (bounds: Bounds): Promise<Checker.Report> =>
  Effect.runPromise(Checker.check(systemOf(bounds), { maxStates: 5_000_000, ...bounds.search }))

/** What is broken, and whether all was seen. */
export const verdict = ({ complete, properties }: Checker.Report) => ({
  complete,
  broken: properties.filter(({ verdict }) => verdict === "violated").map(({ name }) => name)
})
