/** Rumours: what they change at a node, and how they travel on (SWIM, §4; Lifeguard, §IV-B and C). */
import type { NodeId } from "@troupe/transport"
import type { Status } from "../../FailureDetector.ts"
import * as Formulas from "./formulas.ts"
import * as Members from "./members.ts"
import { incarnationMax, type Message, room, type Rumour, rumourBytes } from "./messages.ts"
import * as Rumours from "./rumours.ts"
import type { Options } from "./options.ts"
import type { Act, State } from "./state.ts"

// ---------------------------------------------------------------------------------------------------------- hearing

/** Takes in what a rumour says. News is spread on, and told the local user. */
export const hear = (state: State, rumour: Rumour, act: Act, spreads = true): State => {
  if (rumour.node === act.self.id) return hearOfSelf(state, rumour, act)
  const member = Members.find(state.members, rumour.node)
  if (Members.overrides(rumour, member)) return change(state, rumour, member, act, spreads)
  const isSame = member?.status === "suspected" && member.incarnation === rumour.incarnation
  return isSame && rumour._tag === "Suspect" ? confirm(state, rumour, member, act) : state
}

const change = (
  state: State,
  rumour: Rumour,
  before: Members.Member | undefined,
  act: Act,
  spreads: boolean
): State => {
  const { node } = rumour
  const after = Members.told(rumour, act.monotonic(), before)
  const members = Members.put(state.members, node, after)
  if (after.status === "suspected") {
    act.setTimer(`suspicion ${node}`, suspicionMillis(members, after, act))
  } else if (before?.status === "suspected") act.clearTimer(`suspicion ${node}`)
  const status = after.status as Status
  const moved = after.address !== "" && after.address !== before?.address
  if (moved || status !== before?.status) {
    const opinion = { node, status, level: status === "up" ? 0 : 1 }
    act.emit(moved ? { ...opinion, address: after.address } : opinion)
  }
  return spreads ? spread({ ...state, members }, rumour, act) : { ...state, members }
}

/** Another node suspects the same: the suspicion may end earlier (Lifeguard, §IV-B). */
const confirm = (
  state: State,
  rumour: Extract<Rumour, { readonly _tag: "Suspect" }>,
  member: Members.Member,
  act: Act
): State => {
  const { dynamicSuspicion, suspicionMultiplier } = act.self.options
  const expected = Formulas.expectedConfirmations(suspicionMultiplier, Members.present(state.members))
  if (!dynamicSuspicion || member.by.length > expected || member.by.includes(rumour.by)) return state
  const confirmed = { ...member, by: [...member.by, rumour.by] }
  const members = Members.put(state.members, rumour.node, confirmed)
  act.setTimer(`suspicion ${rumour.node}`, suspicionMillis(members, confirmed, act))
  return spread({ ...state, members }, rumour, act)
}

/** What is left of a suspicion. */
const suspicionMillis = (members: Members.Members, { by, sinceMillis }: Members.Member, act: Act): number => {
  const { dynamicSuspicion, probeIntervalMillis, suspicionMaxMultiplier, suspicionMultiplier } = act.self.options
  const nodes = Members.present(members)
  const min = Formulas.suspicionTimeoutMillis(suspicionMultiplier, nodes, probeIntervalMillis)
  const expected = Formulas.expectedConfirmations(suspicionMultiplier, nodes)
  const elapsed = act.monotonic() - sinceMillis
  if (!dynamicSuspicion) return Math.max(0, min - elapsed)
  const max = min * suspicionMaxMultiplier
  const left = Formulas.remainingSuspicionSeconds(by.length - 1, expected, elapsed / 1e3, min / 1e3, max / 1e3)
  return Math.max(0, left * 1e3)
}

/** Others hold this node for less than up: with a higher incarnation, which it alone may claim, it says otherwise. */
const hearOfSelf = (state: State, rumour: Rumour, act: Act): State => {
  if (state.phase === "left" || rumour.incarnation < state.incarnation) return state
  // It is of a life that this node has forgotten.
  if (rumour._tag === "Alive") return { ...state, incarnation: rumour.incarnation }
  const incarnation = Math.min(rumour.incarnation + 1, incarnationMax)
  // Nobody sent the dead any news: it asks for what it missed.
  const syncDue = state.syncDue || rumour._tag === "Confirm"
  const refuting = withHealth({ ...state, incarnation, syncDue }, 1, act.self.options)
  return spread(refuting, Members.alive(act.self.id, incarnation, act.self.options.address), act)
}

export const withHealth = (state: State, change: number, { healthAwareProbe, healthMax }: Options): State => {
  if (!healthAwareProbe) return state
  const health = Formulas.health(state.health, change, healthMax)
  return health === state.health ? state : { ...state, health }
}

// --------------------------------------------------------------------------------------------------------- spreading

/** From now on, packets carry this rumour. */
export const spread = (state: State, rumour: Rumour, act: Act): State => {
  const { gossipIntervalMillis, gossipNodes } = act.self.options
  const starts = !state.gossiping && gossipNodes > 0
  if (starts) act.setTimer("gossip", gossipIntervalMillis)
  return { ...state, rumours: Rumours.add(state.rumours, rumour), gossiping: state.gossiping || starts }
}

/** The timer of gossip: a packet of rumours to a few at random (memberlist's dissemination apart from probes). */
export const gossip = (state: State, act: Act): State => {
  const { gossipIntervalMillis, gossipNodes } = act.self.options
  const to = Members.sample(state.members, gossipNodes, [act.self.id], () => act.random())
  let next = state
  for (let i = 0; i < to.length && next.rumours.count > 0; i++) next = tell(next, to[i]!, act)
  // With nobody to tell, rumours wait for one who comes.
  const goesOn = next.rumours.count > 0 && to.length > 0
  if (goesOn) act.setTimer("gossip", gossipIntervalMillis)
  return goesOn === next.gossiping ? next : { ...next, gossiping: goesOn }
}

/** A packet of rumours to one. */
export const tell = (state: State, to: NodeId.NodeId, act: Act): State => {
  const { rumours, state: next } = news(state, to, act)
  if (rumours.length > 0) act.send(to, { _tag: "Gossip", rumours })
  return next
}

const nothing: ReadonlyArray<Rumour> = []

/** The rumours that a message to a node carries, `target` being a name that the message holds besides. */
export const news = (
  state: State,
  to: NodeId.NodeId,
  act: Act,
  target?: NodeId.NodeId
): { readonly rumours: ReadonlyArray<Rumour>; readonly state: State } => {
  const first = concerning(state, to, act)
  if (state.rumours.count === 0) return { rumours: first === undefined ? nothing : [first], state }
  const { packetBytes, retransmitMultiplier } = act.self.options
  const { rest, taken } = Rumours.take(state.rumours, {
    bytes: room(packetBytes, target) - (first === undefined ? 0 : rumourBytes(first)),
    times: Math.max(1, Formulas.retransmitLimit(retransmitMultiplier, Members.present(state.members))),
    isCurrent: (rumour) =>
      rumour.node === act.self.id ? rumour.incarnation === state.incarnation : Members.isCurrent(state.members, rumour)
  })
  const isAmong = first === undefined || taken.some(({ _tag, node }) => node === first.node && _tag === first._tag)
  return { rumours: isAmong ? taken : [first, ...taken], state: { ...state, rumours: rest } }
}

/**
 * What this node holds of the one that it writes to, where that must hear it, to refute: that it is suspected (Lifeguard's
 * buddy system, §IV-C), or taken for dead. And of one that has left, that it has.
 */
const concerning = (state: State, to: NodeId.NodeId, act: Act): Rumour | undefined => {
  if (state.phase === "left") return { _tag: "Leave", node: act.self.id, incarnation: state.incarnation }
  const member = Members.differing(state.members, to)
  if (member === undefined || member.status === "up" || member.status === "reaped") return undefined
  if (member.status === "suspected" && !act.self.options.buddySystem) return undefined
  return Members.rumourOf(to, member)
}

// ------------------------------------------------------------------------------------------------ all that is known

/** Asks a node for what it knows, and says what this one does: push and pull. */
export const ask = (state: State, to: NodeId.NodeId, act: Act): void => sendKnown(state, to, "Ask", false, act)

/** The timer of synchronisation: with whom is probed next and, so that a network that was split grows together, one dead. */
export const sync = (state: State, act: Act): State => {
  const { reapAfterMillis, syncIntervalMillis } = act.self.options
  act.setTimer("sync", syncIntervalMillis)
  const members = Members.reap(state.members, act.monotonic() - reapAfterMillis)
  const down = Members.oneDown(members, () => act.random())
  if (down !== undefined) ask(state, down, act)
  const round = Members.places(members) < state.round.size ? Members.noRound : state.round
  return { ...state, members, round, syncDue: true }
}

export const onSync = (
  state: State,
  from: NodeId.NodeId,
  { part, roster, rumours }: Extract<Message, { readonly _tag: "Sync" }>,
  act: Act
): State => {
  let next = state
  for (const rumour of rumours) {
    // Whoever took part in the whole conversation knows better than this node: a death is suspected first.
    const said: Rumour = rumour._tag === "Confirm" ? { ...rumour, _tag: "Suspect", by: from } : rumour
    // Who was a member before is known to the others: only the newcomer's own word is news to them.
    const isNews = said.node === from || Members.find(next.members, said.node) !== undefined
    next = hear(next, said, act, isNews)
  }
  const differs = roster !== next.members.rosterHash
  if (part === "Ask") sendKnown(next, from, "Answer", differs, act)
  if (part !== "Answer") return next
  if (differs) sendKnown(next, from, "More", true, act)
  return next.seeds.includes(from) ? { ...next, seeds: next.seeds.filter((seed) => seed !== from) } : next
}

/** Sends, in as many packets as it takes, this node's own life and what it knows of the others. */
const sendKnown = (state: State, to: NodeId.NodeId, part: "Ask" | "Answer" | "More", all: boolean, act: Act): void => {
  const roster = state.members.rosterHash
  const self = Members.alive(act.self.id, state.incarnation, act.self.options.address)
  let packet: Array<Rumour> = [self]
  let left = room(act.self.options.packetBytes) - rumourBytes(self)
  let first = true
  for (const rumour of Members.list(state.members, all)) {
    if (rumour.node === act.self.id) continue
    const bytes = rumourBytes(rumour)
    if (bytes > left && packet.length > 0) {
      act.send(to, { _tag: "Sync", part: first ? part : "More", roster, rumours: packet })
      packet = []
      left = room(act.self.options.packetBytes)
      first = false
    }
    packet.push(rumour)
    left -= bytes
  }
  act.send(to, { _tag: "Sync", part: first ? part : "More", roster, rumours: packet })
}
