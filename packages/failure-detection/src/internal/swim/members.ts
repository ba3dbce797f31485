/**
 * What a node holds of the others.
 *
 * Everybody on the first roster is taken for up, with incarnation 0, until something else is heard: the roster is one
 * array that nodes of a process share, and a node's own memory is for what differs from it. Those who came later are in
 * `joined`. What is done for a message or a probe takes no time in proportion to the members, but for taking in a newcomer;
 * listing them all, and looking through the dead, is for now and then.
 */
import { NodeId } from "@troupe/transport"
import { HashMap, Option } from "effect"
import type { Status } from "../../FailureDetector.ts"
import type { Rumour } from "./messages.ts"
import { permuted } from "./order.ts"

/** What differs from "up, with incarnation 0". */
export interface Member {
  /** `reaped`: it was dead for so long that it is forgotten, and stands here because it is on the roster. */
  readonly status: Status | "reaped"
  readonly incarnation: number
  /** When it came to this status, by the monotonic clock. */
  readonly sinceMillis: number
  /** While it is suspected: by whom, the first one first. No node is named twice. */
  readonly by: ReadonlyArray<NodeId.NodeId>
  /** Where it is, as it said itself; empty where it did not. */
  readonly address: string
}

export interface Members {
  /** In `NodeId.Order`. */
  readonly roster: ReadonlyArray<NodeId.NodeId>
  /** Two nodes with the same one have the same roster. */
  readonly rosterHash: number
  /** Members that are not on the roster, in the order of hearing of them. Each has an entry in `differing`. */
  readonly joined: ReadonlyArray<NodeId.NodeId>
  readonly differing: HashMap.HashMap<NodeId.NodeId, Member>
  /** How many of all these are neither up nor suspected. */
  readonly absent: number
  readonly reaped: number
}

const asFirst: Member = { status: "up", incarnation: 0, sinceMillis: 0, by: [], address: "" }

export const make = (roster: ReadonlyArray<NodeId.NodeId>): Members => ({
  roster,
  rosterHash: hash(roster),
  joined: [],
  differing: HashMap.empty(),
  absent: 0,
  reaped: 0
})

/** FNV-1a over the names and what separates them, in 32 bits: node names hold no space. */
const hash = (roster: ReadonlyArray<NodeId.NodeId>): number => {
  let h = 0x811c9dc5
  for (const node of roster) {
    for (let i = 0; i < node.length; i++) h = Math.imul(h ^ node.charCodeAt(i), 0x01000193)
    h = Math.imul(h ^ 0x20, 0x01000193)
  }
  return h >>> 0
}

/** How many places there are in a round of probes: every member that was ever heard of has one, until it is forgotten. */
export const places = ({ joined, roster }: Members): number => roster.length + joined.length

/** How many are up or suspected, this node included. */
export const present = (members: Members): number => places(members) - members.absent

export const at = ({ joined, roster }: Members, place: number): NodeId.NodeId =>
  place < roster.length ? roster[place]! : joined[place - roster.length]!

/** What is held of a node where it differs from "up, with incarnation 0"; of strangers too, nothing. */
export const differing = (members: Members, node: NodeId.NodeId): Member | undefined =>
  Option.getOrUndefined(HashMap.get(members.differing, node))

/** What is held of a member; nothing of one that is not, or was forgotten. */
export const find = (members: Members, node: NodeId.NodeId): Member | undefined => {
  const member = differing(members, node) ?? (isOnRoster(members, node) ? asFirst : undefined)
  return member?.status === "reaped" ? undefined : member
}

const isOnRoster = ({ roster }: Members, node: NodeId.NodeId): boolean => {
  let low = 0
  let high = roster.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const order = NodeId.Order(roster[middle]!, node)
    if (order === 0) return true
    if (order < 0) low = middle + 1
    else high = middle - 1
  }
  return false
}

/** Whether probes, gossip and views count on it. */
export const isPresent = (members: Members, node: NodeId.NodeId): boolean => {
  const member = differing(members, node)
  return member === undefined || member.status === "up" || member.status === "suspected"
}

export const put = (members: Members, node: NodeId.NodeId, member: Member): Members => {
  const before = differing(members, node)
  const isNew = before === undefined && !isOnRoster(members, node)
  const wasAbsent = !isNew && before !== undefined && isAbsent(before)
  return {
    ...members,
    joined: isNew ? [...members.joined, node] : members.joined,
    differing: HashMap.set(members.differing, node, member),
    absent: members.absent + Number(isAbsent(member)) - Number(wasAbsent),
    reaped: members.reaped - Number(before?.status === "reaped")
  }
}

const isAbsent = ({ status }: Member): boolean => status !== "up" && status !== "suspected"

// ------------------------------------------------------------------------------------------------------- precedence

const statusOf = { Alive: "up", Suspect: "suspected", Confirm: "down", Leave: "left" } as const

const rank = { up: 0, suspected: 1, down: 2, left: 3, reaped: 4 } as const

/**
 * Whether a rumour overrides what is held of a member: it does with a higher incarnation, or with the same one and
 * worse news (SWIM, §4.2). Of a member that nobody knows, only its life is news.
 *
 * In the paper a confirmed death is final. Here an incarnation past it is a new life, so that a member which was taken
 * for dead by mistake, or has come back, needs no new name.
 */
export const overrides = (rumour: Rumour, member: Member | undefined): boolean =>
  member === undefined
    ? rumour._tag === "Alive"
    : rumour.incarnation > member.incarnation ||
      (rumour.incarnation === member.incarnation && rank[statusOf[rumour._tag]] > rank[member.status])

/** What is held of a member after a rumour that overrides. */
export const told = (rumour: Rumour, sinceMillis: number, before: Member = asFirst): Member => ({
  status: statusOf[rumour._tag],
  incarnation: rumour.incarnation,
  sinceMillis,
  by: rumour._tag === "Suspect" ? [rumour.by] : [],
  address: rumour._tag === "Alive" ? (rumour.address ?? "") : before.address
})

/** That a node lives. */
export const alive = (node: NodeId.NodeId, incarnation: number, address: string): Rumour =>
  address === "" ? { _tag: "Alive", node, incarnation } : { _tag: "Alive", node, incarnation, address }

/** Whether what a rumour says is still held, so that it is worth spreading. */
export const isCurrent = (members: Members, rumour: Rumour): boolean => {
  const member = differing(members, rumour.node) ?? asFirst
  return member.incarnation === rumour.incarnation && member.status === statusOf[rumour._tag]
}

/** What is held of a member, as a rumour. */
export const rumourOf = (node: NodeId.NodeId, { address, by, incarnation, status }: Member): Rumour =>
  status === "up"
    ? alive(node, incarnation, address)
    : status === "suspected"
      ? { _tag: "Suspect", node, incarnation, by: by[0]! }
      : { _tag: status === "left" ? "Leave" : "Confirm", node, incarnation }

// -------------------------------------------------------------------------------------------------- choosing members

/** A round of probes: `next` is the place in the permutation that `key` makes of the first `size` members. */
export interface Round {
  readonly key: number
  readonly size: number
  readonly next: number
}

export const noRound: Round = { key: 0, size: 0, next: 0 }

/** How many places are looked at for one probe: a period costs no more, even where nearly all are dead. */
const looks = 64

/** Whom to probe next, and the round after that. Nobody where the round ends, or too many dead were passed. */
export const next = (
  members: Members,
  self: NodeId.NodeId,
  { key, next: from, size }: Round
): { readonly target: NodeId.NodeId | undefined; readonly round: Round } => {
  const end = Math.min(size, from + looks)
  for (let step = from; step < end; step++) {
    const node = at(members, permuted(step, size, key))
    if (node !== self && isPresent(members, node)) return { target: node, round: { key, size, next: step + 1 } }
  }
  return { target: undefined, round: { key, size, next: end } }
}

/** Up to `count` members that are present, without the `except`ed, at random. */
export const sample = (
  members: Members,
  count: number,
  except: ReadonlyArray<NodeId.NodeId>,
  random: () => number
): ReadonlyArray<NodeId.NodeId> => {
  const size = places(members)
  const chosen: Array<NodeId.NodeId> = []
  const consider = (place: number): void => {
    const node = at(members, place)
    if (!except.includes(node) && !chosen.includes(node) && isPresent(members, node)) chosen.push(node)
  }
  if (size <= looks) {
    // All of them in a random order: nobody is missed where few are left.
    const key = Math.floor(random() * 0x100000000) | 0
    for (let step = 0; step < size && chosen.length < count; step++) consider(permuted(step, size, key))
  } else {
    for (let look = 0; look < looks && chosen.length < count; look++) consider(Math.floor(random() * size))
  }
  return chosen
}

// ------------------------------------------------------------------------------------------- all of them, now and then

/** What differs from the roster, or all members, as rumours. */
export const list = (members: Members, all: boolean): ReadonlyArray<Rumour> => {
  const rumours: Array<Rumour> = []
  for (const [node, member] of members.differing) {
    if (member.status !== "reaped") rumours.push(rumourOf(node, member))
  }
  if (all) {
    for (const node of members.roster) {
      if (!HashMap.has(members.differing, node)) rumours.push(rumourOf(node, asFirst))
    }
  }
  return rumours
}

/** Every member but `self`: not those that were forgotten. */
export function* others({ differing, joined, roster }: Members, self: NodeId.NodeId): Iterable<NodeId.NodeId> {
  for (const nodes of [roster, joined]) {
    for (const node of nodes) {
      if (node === self) continue
      const member = HashMap.get(differing, node)
      if (Option.isNone(member) || member.value.status !== "reaped") yield node
    }
  }
}

/** One that is taken for dead, at random. */
export const oneDown = (members: Members, random: () => number): NodeId.NodeId | undefined => {
  if (members.absent === members.reaped) return undefined
  const down: Array<NodeId.NodeId> = []
  for (const [node, { status }] of members.differing) if (status === "down") down.push(node)
  return down[Math.floor(random() * down.length)]
}

/** Forgets who has been down, or has left, since before `beforeMillis`. */
export const reap = (members: Members, beforeMillis: number): Members => {
  if (members.absent === members.reaped) return members
  const old: Array<NodeId.NodeId> = []
  for (const [node, { sinceMillis, status }] of members.differing) {
    if ((status === "down" || status === "left") && sinceMillis <= beforeMillis) old.push(node)
  }
  if (old.length === 0) return members
  const forgotten: Member = { ...asFirst, status: "reaped" }
  let differing = members.differing
  for (const node of old) differing = HashMap.set(differing, node, forgotten)
  const reaped = { ...members, differing, reaped: members.reaped + old.length }
  return reaped.reaped * 2 > places(reaped) ? compacted(reaped) : reaped
}

/** A roster without those that were forgotten. Done when they are the most of it, so that it costs little a member. */
const compacted = (members: Members): Members => {
  const stays = (node: NodeId.NodeId): boolean => differing(members, node)?.status !== "reaped"
  const roster = members.roster.filter(stays)
  return {
    ...make(roster),
    joined: members.joined.filter(stays),
    differing: HashMap.filter(members.differing, ({ status }) => status !== "reaped"),
    absent: members.absent - members.reaped
  }
}
