/**
 * What the primary does: takes a log over, executes, makes it safe, answers.
 */
import type { NodeId } from "@troupe/transport"
import * as Machine from "../../Machine.ts"
import * as Log from "./log.ts"
import type { Answer, Asked, Entry, Message, Refusal } from "./messages.ts"
import * as Recent from "./recent.ts"
import * as Replica from "./replica.ts"
import {
  type Act,
  type Heard,
  isApart,
  isEnough,
  isPrimary,
  lastOf,
  reached,
  safeAt,
  type State,
  type Told,
  type Vote,
  type Waiting
} from "./state.ts"
import * as Table from "./table.ts"
import { handOver } from "./views.ts"

// --------------------------------------------------------------------------------------------------------- taking over

/** One more vote for this node. With enough of them, it goes on from the most advanced log. */
export const onVote = (machine: Machine.Any, state: State, vote: Vote, act: Act): State => {
  if (state.status === "normal") {
    act.sendNow(vote.node, beat(state))
    return state
  }
  const votes = [...state.votes.filter(({ node }) => node !== vote.node), vote]
  const counted = { ...state, votes }
  if (
    counted.collecting !== undefined ||
    !isEnough(
      counted,
      votes.map(({ node }) => node),
      act.self
    )
  )
    return counted
  const best = votes.reduce((one, other) => (isAhead(other, one) ? other : one))
  return takeOver(machine, { ...counted, collecting: best }, safeAt(state), act)
}

const isAhead = (one: Omit<Vote, "node">, other: Omit<Vote, "node">): boolean =>
  one.atView === other.atView ? one.at > other.at : one.atView > other.atView

/** Leads, when it has the log that it collects; asks for what follows `from` otherwise. */
export const takeOver = (machine: Machine.Any, state: State, from: number, act: Act): State => {
  const { collecting } = state
  if (collecting === undefined) return state
  const at = lastOf(state)
  if (!isAhead(collecting, { at, atView: Log.viewAt(state.replica.log, at)! })) return lead(machine, state, act)
  act.sendNow(collecting.node, fetchOf(state, from))
  return { ...state, fetching: true }
}

/** Its first batch is empty: with it, all that came before becomes safe. */
const lead = (machine: Machine.Any, state: State, act: Act): State => {
  act.emit({ _tag: "Changed" })
  if (machine.housekeeping !== undefined) act.setTimer("housekeeping", machine.housekeeping.everyMillis)
  const leading: State = {
    ...state,
    status: "normal",
    // Who has not voted is suspected soon, unless it is heard of.
    silent: act.self.nodes.map((node, rank) =>
      node === act.self.id || state.votes.some((vote) => vote.node === node)
        ? 0
        : Math.max(state.silent[rank]!, act.self.options.silentTicks - 1)
    ),
    missing: [],
    votes: [],
    collecting: undefined,
    fetching: false,
    since: lastOf(state) + 1,
    round: 0,
    rounds: [],
    acks: act.self.nodes.map(() => ({ round: 0, at: 0 })),
    heard: act.self.nodes.map(() => ({ life: 0, latest: 0, before: 0 }))
  }
  const version = Replica.latest(state.replica)
  return commit(machine, propose(machine, leading, [], { ...version, at: version.at + 1 }, [], act), act)
}

// ----------------------------------------------------------------------------------------------------------- requests

/**
 * What a front end sent to the primary of this view, which a node is in one life only: it is heeded once, though a network may
 * bring it twice. So one that was refused is not executed later, unless it is sent again.
 */
export const onRequests = (
  machine: Machine.Any,
  state: State,
  from: NodeId.NodeId,
  message: Extract<Message, { readonly _tag: "Requests" }>,
  act: Act
): State => {
  const { asked, life, sending, view } = message
  if (view !== state.view || !isPrimary(state, act.self)) return refuse(state, from, life, asked, "elsewhere", act)
  const rank = act.self.nodes.indexOf(from)
  const known = state.heard[rank]!
  const heard =
    known.life === life ? hearing(known, sending) : life > known.life ? { life, latest: sending, before: 0 } : known
  return heard === known
    ? state
    : receive(machine, { ...state, heard: state.heard.with(rank, heard) }, from, message, act)
}

/** The same, where it is not to be heeded: it was heard before, or came so late that this is not known. */
const hearing = (heard: Heard, sending: number): Heard => {
  const { before, latest, life } = heard
  const ahead = sending - latest
  if (ahead > 0)
    return { life, latest: sending, before: ahead > 30 ? 0 : ((before << ahead) | (1 << (ahead - 1))) & 0x3fffffff }
  if (ahead === 0 || ahead < -30) return heard
  const bit = 1 << (-ahead - 1)
  return (before & bit) === 0 ? { life, latest, before: before | bit } : heard
}

export const receive = (
  machine: Machine.Any,
  state: State,
  from: NodeId.NodeId,
  { asked, floor, life }: { readonly asked: ReadonlyArray<Asked>; readonly floor: number; readonly life: number },
  act: Act
): State => {
  if (!isPrimary(state, act.self)) return refuse(state, from, life, asked, "no primary", act)
  if (isApart(state, act.self)) return refuse(state, from, life, asked, "apart", act)
  // Whoever asked asks the next primary.
  if (state.writer.leaves) return state
  const room = act.self.options.queue - state.waitingCount
  if (asked.length > room) refuse(state, from, life, asked.slice(room), "overloaded", act)
  const client = act.self.nodes.indexOf(from)
  let { waiting } = state
  const count = Math.min(asked.length, room)
  for (let i = 0; i < count; i++) {
    const { counter, request } = asked[i]!
    waiting = { client, life, counter, floor, request, before: waiting }
  }
  const noted = act.self.options.migrateAfter > 0 ? note(machine, state, client, asked, act) : state.writer
  return pump(machine, { ...state, waiting, waitingCount: state.waitingCount + count, writer: noted }, act)
}

/** Who writes, and whether the office goes there. */
const note = (
  machine: Machine.Any,
  { writer }: State,
  client: number,
  asked: ReadonlyArray<Asked>,
  act: Act
): State["writer"] => {
  const updates = asked.reduce((sum, { request }) => (machine.isRead(request) ? sum : sum + 1), 0)
  if (updates === 0) return writer
  const count = client === writer.client ? writer.count + updates : updates
  return { client, count, leaves: act.self.nodes[client] !== act.self.id && count >= act.self.options.migrateAfter }
}

export const refuse = (
  state: State,
  to: NodeId.NodeId,
  life: number,
  asked: ReadonlyArray<Asked>,
  reason: Refusal,
  act: Act
): State => {
  const counters = asked.map(({ counter }) => counter)
  if (to === act.self.id) act.emit({ _tag: "Refused", counters, reason })
  else act.sendNow(to, { _tag: "Refused", life, counters, reason })
  return state
}

/** Executes what waits, as long as there is room for a round. */
export const pump = (machine: Machine.Any, state: State, act: Act): State => {
  let next = state
  const { pipeline } = act.self.options
  while (next.waitingCount > 0 && next.rounds.length < pipeline) {
    const all: Array<Waiting> = Array.from({ length: next.waitingCount })
    let at = all.length
    for (let each = next.waiting; each !== undefined; each = each.before) all[--at] = each
    next = execute(machine, { ...next, waiting: undefined, waitingCount: 0 }, all, act)
  }
  return next
}

/** Bytes of updates and responses of a round, and some: a batch must fit into a message. */
const batchBytes = 2 * 1024 * 1024

/** Executes requests one after another, each once; those that are too many for a round go on waiting. */
const execute = (machine: Machine.Any, before: State, requests: ReadonlyArray<Waiting>, act: Act): State => {
  const version = Replica.latest(before.replica)
  const moment = { now: Math.max(version.now, act.now()), random: () => act.random() }
  const draft = new Table.Draft(version.table)
  const entries: Array<Entry> = []
  const answers: Array<Told> = []
  let current = version.state
  let bytes = 0
  let i = 0
  for (const end = Math.min(requests.length, act.self.options.batch); i < end && bytes < batchBytes; i++) {
    const { client, counter, floor, life, request } = requests[i]!
    const isRead = machine.isRead(request)
    const todo = isRead ? "execute" : draft.look(client, life, counter)
    if (todo === "refuse") continue
    if (todo !== "execute") {
      answers.push({ client, life, counter, response: todo.response })
      continue
    }
    const { response, updates } = machine.execute(current, request, moment)
    answers.push({ client, life, counter, response })
    bytes += Replica.sizeOfEntry(machine, { response, updates })
    if (isRead) continue
    current = Machine.applyAll(machine, current, updates)
    const entry = { client, life, counter, floor, response, updates }
    draft.add(client, entry)
    entries.push(entry)
  }
  const state = wait(before, requests, i)
  if (answers.length === 0) return state
  const made = {
    at: version.at + 1,
    state: current,
    table: draft.done(),
    now: moment.now,
    requests: version.requests + entries.length
  }
  return entries.length > 0 ? propose(machine, state, entries, made, answers, act) : confirm(state, answers, act)
}

/** Those from that one on. */
const wait = (state: State, requests: ReadonlyArray<Waiting>, from: number): State => {
  if (from === requests.length) return state
  let { waiting } = state
  for (let i = from; i < requests.length; i++) waiting = { ...requests[i]!, before: waiting }
  return { ...state, waiting, waitingCount: requests.length - from }
}

/** Updates that are due without a client. */
export const keep = (machine: Machine.Any, state: State, act: Act): State => {
  const { housekeeping } = machine
  if (housekeeping === undefined || !isPrimary(state, act.self)) return state
  act.setTimer("housekeeping", housekeeping.everyMillis)
  const version = Replica.latest(state.replica)
  const moment = { now: Math.max(version.now, act.now()), random: () => act.random() }
  const updates = housekeeping.due(version.state, moment)
  if (updates.length === 0) return state
  const entry = { client: -1, life: 0, counter: 0, floor: 0, response: undefined, updates }
  const made = {
    ...version,
    at: version.at + 1,
    state: Machine.applyAll(machine, version.state, updates),
    now: moment.now,
    requests: version.requests + 1
  }
  return propose(machine, state, [entry], made, [], act)
}

/** To the backups at once, while the own disk writes; its own acknowledgement comes when that has. */
const propose = (
  machine: Machine.Any,
  state: State,
  entries: ReadonlyArray<Entry>,
  version: Replica.Version,
  answers: ReadonlyArray<Told>,
  act: Act
): State => {
  const { self } = act
  const { view } = state
  const at = lastOf(state)
  const atView = Log.viewAt(state.replica.log, at)!
  const batch = { view, now: version.now, before: version.requests - entries.length, entries }
  Recent.of(machine).note(batch, Replica.latest(state.replica).state, version.state)
  const batches = [batch]
  const round = state.round + 1
  const commit = safeAt(state)
  act.persist({ _tag: "Append", at, commit, batches })
  const prepare: Message = { _tag: "Prepare", view, round, at, atView, commit, last: at + 1, batches }
  for (const peer of self.peers) act.sendNow(peer, prepare)
  act.send(self.id, { _tag: "Ack", view, round, at: at + 1 })
  return {
    ...state,
    replica: Replica.push(machine, state.replica, batch, version),
    round,
    rounds: [...state.rounds, { round, at: at + 1, answers }]
  }
}

/** A round that shows that it still is the primary, for answers that change nothing. */
const confirm = (state: State, answers: ReadonlyArray<Told>, act: Act): State => {
  const round = state.round + 1
  const next = { ...state, round, rounds: [...state.rounds, { round, at: lastOf(state), answers }] }
  for (const peer of act.self.peers) act.sendNow(peer, beat(next))
  act.sendNow(act.self.id, { _tag: "Ack", view: state.view, round, at: 0 })
  return next
}

/** Asks for what follows `from`, or for the next piece where a snapshot has begun. */
export const fetchOf = ({ replica: { incoming }, view }: State, from: number): Message => {
  if (incoming === undefined) return { _tag: "Fetch", view, from }
  return { _tag: "Fetch", view, from, piece: { at: incoming.at, part: incoming.parts } }
}

/** "I am there." */
export const beat = (state: State): Message => {
  const at = lastOf(state)
  const { round, view } = state
  const atView = Log.viewAt(state.replica.log, at)!
  return { _tag: "Prepare", view, round, at, atView, commit: safeAt(state), last: at, batches: [] }
}

// ------------------------------------------------------------------------------------------------- agreement and answers

export const onAck = (
  machine: Machine.Any,
  state: State,
  from: NodeId.NodeId,
  { at, round }: { readonly at: number; readonly round: number },
  act: Act
): State => {
  const rank = act.self.nodes.indexOf(from)
  const known = state.acks[rank]
  if (known === undefined || (known.at >= at && known.round >= round)) return state
  const acks = state.acks.slice()
  acks[rank] = { at: Math.max(known.at, at), round: Math.max(known.round, round) }
  return commit(machine, { ...state, acks }, act)
}

/** Tells what is safe by now, and goes on. */
export const commit = (machine: Machine.Any, state: State, act: Act): State => {
  const { at, round } = reached(state, act.self)
  let { replica, rounds } = state
  // What earlier primaries left becomes safe with a batch of this view, not by itself.
  if (at >= state.since && at > Replica.safe(replica).at) {
    replica = Replica.settle(replica, at, act.self.options.kept, state.dump?.version.at)
  }
  const safe = Replica.safe(replica).at
  let done = 0
  while (done < rounds.length && rounds[done]!.round <= round && rounds[done]!.at <= safe) {
    answer(rounds[done++]!.answers, rounds[done - 1]!.at, act)
  }
  if (done > 0) rounds = rounds.slice(done)
  const isSame = replica === state.replica && rounds === state.rounds
  const next = isSame ? state : pump(machine, { ...state, replica, rounds }, act)
  return next.writer.leaves ? handOver(next, act) : next
}

const answer = (answers: ReadonlyArray<Told>, at: number, act: Act): void => {
  if (answers.length === 0) return
  const { nodes } = act.self
  const clients: Array<Array<Answer> | undefined> = Array.from({ length: nodes.length })
  const lives: Array<number> = []
  for (const { client, counter, life, response } of answers) {
    // Of an earlier life of the client, nobody waits.
    if (lives[client] === undefined || lives[client] < life) {
      lives[client] = life
      clients[client] = []
    }
    if (lives[client] === life) clients[client]!.push({ counter, response })
  }
  for (const [client, told] of clients.entries()) {
    if (told === undefined) continue
    // It is safe already: what was persisted since then need not be waited for.
    if (nodes[client] === act.self.id) act.emitNow({ _tag: "Answered", at, answers: told })
    else act.sendNow(nodes[client]!, { _tag: "Answers", life: lives[client]!, at, answers: told })
  }
}
