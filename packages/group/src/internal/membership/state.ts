/** What a node of the coordinated membership knows, and the rules that have no message of their own. */
import type { Protocol } from "@troupe/actor"
import { NodeId } from "@troupe/transport"
import type { Agreed, Ballot, Member, Message, Refusal, Tagged, Want } from "./messages.ts"

export interface Group {
  /** The latest view that is known to be agreed. */
  readonly view: Agreed
  /** `view` last, and those right before it, as far as they are remembered: at most `recentMax`. */
  readonly recent: ReadonlyArray<Agreed>
  /** The latest view that this node has installed; none while it is in none. */
  readonly installed: Agreed | undefined
  /** All views up to this number have been installed, or were not this node's to install. */
  readonly passed: number
  /** What was accepted to follow `view`. */
  readonly accepted: { readonly ballot: Ballot; readonly view: Agreed } | undefined
  /** A view of those who can be reached, by whom `installed` is not replaced. */
  readonly partial: Partial | undefined
}

export interface Partial {
  readonly ballot: Ballot
  readonly of: number
  readonly members: ReadonlyArray<Member>
}

/** A want that waits for this node to be out of the group that it left. */
export type Wanted = Want & { readonly waits: boolean }

export type Report = Omit<Tagged<"Report">, "_tag">

/** What a coordinator knows besides. */
export interface Office {
  readonly ballot: Ballot
  /** Another one has a higher ballot. */
  readonly beaten: boolean
  /** Who has promised, in which life. */
  readonly promises: ReadonlyMap<NodeId.NodeId, number>
  /** Of what was accepted to follow the latest view of a group, that with the highest ballot. */
  readonly found: ReadonlyMap<string, { readonly ballot: Ballot; readonly view: Agreed }>
  readonly reports: ReadonlyMap<NodeId.NodeId, Report>
  /** What is being agreed on: at most one view a group. */
  readonly proposals: ReadonlyMap<string, Proposal>
  /** How often the retry timer has run out in vain. */
  readonly vain: number
}

export interface Proposal {
  readonly base: Agreed
  readonly view: Agreed
  /** Who has accepted it, in which life. */
  readonly accepted: ReadonlyMap<NodeId.NodeId, number>
}

export interface State {
  /** Drawn when the node starts: 0 before. */
  readonly life: number
  /** Of its reports. */
  readonly sequence: number
  readonly promised: Ballot
  readonly groups: ReadonlyMap<string, Group>
  readonly wants: ReadonlyArray<Wanted>
  /** Whom it takes for the coordinator. */
  readonly coordinator: NodeId.NodeId | undefined
  /** Whom its failure detector suspects. */
  readonly suspects: ReadonlyArray<NodeId.NodeId>
  /** While it coordinates. */
  readonly office: Office | undefined
}

/** What happens where the views cannot be agreed on: nothing, or partial views, which are merged later. */
export type Minority = "block" | "partial"

export interface Options {
  /** How often each node tells the coordinator what it wants, and the coordinator repeats what was lost. */
  readonly reportMillis: number
  /** After so long without an answer the coordinator asks again. */
  readonly retryMillis: number
  readonly minority: Minority
  /** After so many retries in vain there are partial views. */
  readonly partialAfter: number
  /** How many groups there may be, those that are gone included, for their numbers are remembered. */
  readonly maxGroups: number
}

export type Command =
  /** Becomes a member of a group: of a new one, of one that there is, or of either. */
  | { readonly _tag: "Enter"; readonly group: string; readonly mode: "create" | "join" | "enter" }
  /** Is no member any more, or asks no longer. */
  | { readonly _tag: "Leave"; readonly group: string }
  | { readonly _tag: "Destroy"; readonly group: string }
  /** Asks whom a group consists of. */
  | { readonly _tag: "Look"; readonly group: string }
  /** The election says who coordinates. */
  | { readonly _tag: "Coordinate"; readonly coordinator: NodeId.NodeId | undefined }
  /** The failure detector says who seems to be down. */
  | { readonly _tag: "Suspect"; readonly nodes: ReadonlyArray<NodeId.NodeId> }

export type Event =
  | { readonly _tag: "View"; readonly group: string; readonly view: Protocol.View }
  | { readonly _tag: "Partial"; readonly group: string; readonly view: Protocol.View }
  /** It is in the group no more. `evicted`: it still wants to be, and asks to be let in again. */
  | { readonly _tag: "Left"; readonly group: string; readonly why: "evicted" | "destroyed" }
  | { readonly _tag: "Refused"; readonly group: string; readonly mode: Want["mode"]; readonly refusal: Refusal }
  | { readonly _tag: "Known"; readonly group: string; readonly view: Protocol.View }
  /** A group that this node wanted destroyed is gone. */
  | { readonly _tag: "Destroyed"; readonly group: string }

export type Timer = "report" | "retry"

export type Act = Protocol.Actions<Message, Event, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- ballots

export const compare = (a: Ballot, b: Ballot): number =>
  a.number - b.number || NodeId.Order(a.node, b.node) || a.life - b.life

// --------------------------------------------------------------------------------------------------------------- groups

/** How many views back a member can be brought up to date; one that missed more comes back in a new life. */
export const recentMax = 32

const none: Agreed = { number: 0, members: [], joined: [] }

const unknown: Group = {
  view: none,
  recent: [none],
  installed: undefined,
  passed: 0,
  accepted: undefined,
  partial: undefined
}

export const groupOf = ({ groups }: State, group: string): Group => groups.get(group) ?? unknown

export const withGroup = (state: State, name: string, group: Group): State =>
  state.groups.get(name) === group ? state : { ...state, groups: new Map(state.groups).set(name, group) }

export const nodesOf = (members: ReadonlyArray<Member>): ReadonlyArray<NodeId.NodeId> => members.map(({ node }) => node)

export const shown = ({ joined, members, number }: Agreed): Protocol.View => ({
  number,
  members: nodesOf(members),
  joined
})

export const includes = (view: Agreed, node: NodeId.NodeId, life: number): boolean =>
  view.members.some((member) => member.node === node && member.life === life)

/** More than half, or half with the first of all: any two have a node in common. */
const isMajority = <A>(all: ReadonlyArray<A>, has: (one: A) => boolean): boolean => {
  const present = all.reduce((sum, one) => sum + (has(one) ? 1 : 0), 0)
  return 2 * present > all.length || (2 * present === all.length && all.length > 0 && has(all[0]!))
}

/** Whether these can speak for a view: a majority of its members or, where it has none, of all nodes. */
export const isQuorum = (
  base: Agreed,
  nodes: ReadonlyArray<NodeId.NodeId>,
  lives: ReadonlyMap<NodeId.NodeId, number>
): boolean =>
  base.members.length === 0
    ? isMajority(nodes, (node) => lives.has(node))
    : isMajority(base.members, ({ life, node }) => lives.get(node) === life)

/** Whether enough have accepted that `view` follows `base`. What ends a group is known to a majority of all nodes too. */
export const isAgreed = ({ accepted, base, view }: Proposal, nodes: ReadonlyArray<NodeId.NodeId>): boolean =>
  isQuorum(base, nodes, accepted) && (view.members.length > 0 || isMajority(nodes, (node) => accepted.has(node)))

/** Who is asked to accept. */
export const acceptorsOf = (base: Agreed, view: Agreed, nodes: ReadonlyArray<NodeId.NodeId>) =>
  base.members.length === 0 || view.members.length === 0 ? nodes : nodesOf(base.members)

/** All views of both, those in a row up to the latest. */
export const joinChains = (known: ReadonlyArray<Agreed>, heard: ReadonlyArray<Agreed>): ReadonlyArray<Agreed> => {
  if (heard.length === 1 && heard[0]!.number === known.at(-1)!.number + 1) {
    return [...(known.length < recentMax ? known : known.slice(1)), heard[0]!]
  }
  const byNumber = new Map([...known, ...heard].map((view) => [view.number, view]))
  const chain: Array<Agreed> = []
  for (let number = Math.max(...byNumber.keys()); chain.length < recentMax; number--) {
    const view = byNumber.get(number)
    if (view === undefined) break
    chain.push(view)
  }
  return chain.reverse()
}

export const isWanted = (wants: ReadonlyArray<Want>, group: string): boolean =>
  wants.some(
    (want) => want.group === group && (want.mode === "create" || want.mode === "join" || want.mode === "enter")
  )
