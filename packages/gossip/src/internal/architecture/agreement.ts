/**
 * Agreement on a place for each forced and immediate update: the last part of all timestamps counts these places.
 *
 * A leader proposes a record for the next place, and it is agreed when a majority has accepted it. An acceptor takes a
 * record for the place after the last that it knows to be agreed, and for no other. Who takes over hears from a majority
 * first, and proposes again what may have been agreed (Paxos, place by place). For an immediate update the leader has all
 * replica managers stop taking updates, and learns all that they have; the update comes after all that, and what they
 * take once its place is filled comes after it.
 */
import type { NodeId } from "@troupe/transport"
import { filled, isAgreedPart, isFrozen, leaderOf, withAgreement } from "./following.ts"
import { hear, knownOf, since, spread } from "./exchange.ts"
import type { AcceptedRecord, LogRecord, MessageOf, Reason, Request } from "./messages.ts"
import { admit, type Any, executedOf, timestampOf } from "./records.ts"
import { type Act, type Agreement, clientOf, type Lead, majority, type Replica, replicasOf } from "./state.ts"
import { covers, merge, withPart, zero } from "./timestamps.ts"

/** For how many intervals nothing has moved when the leader, or who waits for it, says again what it said. */
const repeatAfter = 2
/** And when whoever waits takes over, the first in rank soonest. */
const takeOverAfter = 6
/** And when the leader gives up an immediate update for which somebody does not answer. */
const unfreezeAfter = 4
/** How many requests are forwarded again at once. */
const forwardedAtOnce = 8

export const init = (self: Act["self"]): Agreement => {
  const leads = replicasOf(self)[0] === self.id
  return {
    promised: 0,
    accepted: undefined,
    frozen: 0,
    requests: [],
    deferred: [],
    stalled: 0,
    lead: leads ? leading(0, replicasOf(self).length + 1) : undefined
  }
}

const leading = (ballot: number, parts: number): Lead => ({
  ballot,
  phase: "idle",
  answers: [],
  adopted: undefined,
  frozen: 0,
  cut: zero(parts),
  request: undefined
})

const withLead = (replica: Replica, change: Partial<Lead>): Replica =>
  withAgreement(replica, { lead: { ...replica.agreement.lead!, ...change }, stalled: 0 })

const others = (act: Act): ReadonlyArray<NodeId.NodeId> => replicasOf(act.self).filter((node) => node !== act.self.id)

const refuse = (request: Request, reason: Reason, act: Act): void => {
  const { life, node, sequence } = request
  act.send(node, { _tag: "Refused", life, sequence, reason })
}

const isSame = (a: Request, b: Request): boolean => a.sequence === b.sequence && a.node === b.node && a.life === b.life

/** Whether an update is in the log, or was, or its front end does not wait for it any more. */
const isOver = ({ clients }: Replica, { life, node, sequence }: Request): boolean => {
  const client = clients.get(clientOf(node, life))
  return client !== undefined && (sequence <= client.answered || executedOf(client, sequence) !== undefined)
}

// ------------------------------------------------------------------------------------------------------------- requests

/** A client's update that needs a place. */
export const request = (application: Any, replica: Replica, wanted: Request, act: Act): Replica => {
  const { requests, promised } = replica.agreement
  if (requests.some((each) => isSame(each, wanted))) return replica
  if (requests.length >= act.self.options.requests) {
    refuse(wanted, "full", act)
    return replica
  }
  const next = withAgreement(replica, { requests: [...requests, wanted], stalled: 0 })
  if (next.agreement.lead !== undefined) return advance(application, next, act)
  // It has led before it crashed, or has given up.
  if (leaderOf(promised, act) === act.self.id) return campaign(application, next, act)
  act.send(leaderOf(promised, act), { _tag: "Forward", request: wanted })
  return next
}

export const onForward = (
  application: Any,
  replica: Replica,
  from: NodeId.NodeId,
  { request: wanted }: MessageOf<"Forward">,
  act: Act
): Replica => {
  const { lead, promised } = replica.agreement
  const client = replica.clients.get(clientOf(wanted.node, wanted.life))
  const executed = executedOf(client, wanted.sequence)
  if (executed !== undefined) {
    const { life, node, sequence } = wanted
    act.send(node, { _tag: "Updated", life, sequence, timestamp: executed.timestamp })
    return replica
  }
  if (lead !== undefined || leaderOf(promised, act) === act.self.id) return request(application, replica, wanted, act)
  act.send(from, { _tag: "Overruled", ballot: promised })
  return replica
}

// --------------------------------------------------------------------------------------------------------------- leading

/** The leader goes on to the next place, if there is anything for it. */
const advance = (application: Any, replica: Replica, act: Act): Replica => {
  const { lead } = replica.agreement
  if (lead?.phase !== "idle") return replica
  const requests = openRequests(replica, act)
  const next = requests.length === replica.agreement.requests.length ? replica : withAgreement(replica, { requests })
  const first = requests[0]
  if (first === undefined) return isFrozen(next) ? propose(application, next, nothing(next), act) : next
  return first.order === "immediate"
    ? freeze(application, next, first, act)
    : propose(application, next, record(next, first), act)
}

/** Who was agreed on by way of another leader needs no place any more, and who is late may be forgotten. */
const openRequests = (replica: Replica, act: Act): ReadonlyArray<Request> =>
  replica.agreement.requests.filter(
    (each) => !isOver(replica, each) && each.time + act.self.options.delayMillis >= replica.clock
  )

const nothing = (replica: Replica): LogRecord => ({
  _tag: "Nothing",
  part: replica.log.length - 1,
  number: filled(replica) + 1,
  prev: replica.agreed
})

/** The record of a request in the next place: after the one before and, if it is immediate, after all that there is. */
const record = (
  replica: Replica,
  { answered, life, node, order, prev, sequence, time, update }: Request
): LogRecord => ({
  _tag: "Update",
  part: replica.log.length - 1,
  number: filled(replica) + 1,
  prev: merge(order === "immediate" ? replica.timestamp : prev, replica.agreed),
  client: clientOf(node, life),
  sequence,
  answered,
  time,
  update,
  order
})

const propose = (application: Any, replica: Replica, proposed: LogRecord, act: Act): Replica => {
  const { ballot } = replica.agreement.lead!
  act.persist({ _tag: "Accepted", ballot, record: proposed })
  const next = withAgreement(
    withLead(replica, { phase: "proposing", answers: [act.self.id], request: undefined, adopted: undefined }),
    { accepted: { ballot, record: proposed } }
  )
  for (const node of others(act)) sendProposal(next, node, act)
  return commitIfAgreed(application, next, act)
}

/** With the agreed records that the other lacks, as far as is known. */
const sendProposal = (replica: Replica, to: NodeId.NodeId, act: Act): void => {
  const { ballot, record: proposed } = replica.agreement.accepted!
  const agreedPart = replica.log.length - 1
  const from = withPart(replica.timestamp, agreedPart, knownOf(replica, to).timestamp[agreedPart]!)
  const { records } = since(replica, from, act.self.options.recordsPerMessage)
  act.send(to, { _tag: "Propose", ballot, record: proposed, before: records })
}

const commitIfAgreed = (application: Any, replica: Replica, act: Act): Replica => {
  const { accepted, lead, requests } = replica.agreement
  if (lead === undefined || accepted === undefined || lead.answers.length < majority(act.self)) return replica
  const { record: agreed } = accepted
  const isOf = (each: Request): boolean =>
    agreed._tag === "Update" && agreed.client === clientOf(each.node, each.life) && agreed.sequence === each.sequence
  let next = admit(application, replica, [agreed], act)
  for (const { life, node, sequence } of requests.filter(isOf)) {
    act.send(node, { _tag: "Updated", life, sequence, timestamp: timestampOf(agreed as MustDepend) })
  }
  next = withAgreement(withLead(next, { phase: "idle", answers: [] }), {
    requests: requests.filter((each) => !isOf(each))
  })
  next = { ...next, fresh: next.fresh + 1 }
  // Updates wait until they hear that the place is filled.
  const mustSpread = next.agreement.frozen === agreed.number || next.fresh >= act.self.options.updatesPerGossip
  return advance(application, mustSpread ? spread(next, act) : next, act)
}

type MustDepend = Exclude<LogRecord, { readonly _tag: "Ack" }>

export const onAccepted = (
  application: Any,
  replica: Replica,
  from: NodeId.NodeId,
  { ballot, number }: MessageOf<"Accepted">,
  act: Act
): Replica => {
  const { accepted, lead } = replica.agreement
  if (lead?.phase !== "proposing" || lead.ballot !== ballot || accepted?.record.number !== number) return replica
  if (lead.answers.includes(from) || !replicasOf(act.self).includes(from)) return replica
  return commitIfAgreed(application, withLead(replica, { answers: [...lead.answers, from] }), act)
}

// -------------------------------------------------------------------------------------------------------------- freezing

const freeze = (application: Any, replica: Replica, wanted: Request, act: Act): Replica => {
  const { ballot } = replica.agreement.lead!
  const number = filled(replica) + 1
  act.persist({ _tag: "Frozen", number })
  const next = withAgreement(
    withLead(replica, { phase: "freezing", answers: [act.self.id], cut: replica.timestamp, request: wanted }),
    { frozen: number }
  )
  act.sendAll(others(act), { _tag: "Freeze", ballot, number })
  return proposeIfFrozen(application, next, act)
}

const proposeIfFrozen = (application: Any, replica: Replica, act: Act): Replica => {
  const { answers, cut, phase, request: wanted } = replica.agreement.lead!
  const isWhole = answers.length === replicasOf(act.self).length && covers(replica.timestamp, cut)
  if (phase !== "freezing" || wanted === undefined || !isWhole) return replica
  return propose(application, replica, record(replica, wanted), act)
}

export const onFrozen = (
  application: Any,
  replica: Replica,
  from: NodeId.NodeId,
  message: MessageOf<"Frozen">,
  act: Act
): Replica => {
  const { records, timestamp } = message
  const next = hear(application, replica, from, { timestamp, clock: -Infinity, records }, act)
  const { lead } = next.agreement
  if (lead?.phase !== "freezing" || lead.ballot !== message.ballot || message.number !== filled(next) + 1) return next
  if (!replicasOf(act.self).includes(from)) return next
  const cut = merge(lead.cut, timestamp)
  // Who says it again is no nearer to the end.
  const heard = lead.answers.includes(from)
    ? withAgreement(next, { lead: { ...lead, cut } })
    : withLead(next, { answers: [...lead.answers, from], cut })
  return proposeIfFrozen(application, heard, act)
}

/** Others may have brought what an answer did not hold. */
export const onRecords = (application: Any, replica: Replica, act: Act): Replica => {
  const { lead } = replica.agreement
  if (lead === undefined) return replica
  const { accepted } = replica.agreement
  // The place was filled by a later leader.
  const isFilled =
    lead.phase === "proposing"
      ? accepted!.record.number <= filled(replica)
      : lead.phase === "freezing" && replica.agreement.frozen <= filled(replica)
  if (isFilled) return withAgreement(replica, { lead: undefined })
  return lead.phase === "freezing" ? proposeIfFrozen(application, replica, act) : replica
}

// ------------------------------------------------------------------------------------------------------------ taking over

/** Each interval: who waits for something that does not move says it again, and at last takes over. */
export const onInterval = (application: Any, replica: Replica, act: Act): Replica => {
  const requests = openRequests(replica, act)
  const waits = requests.length > 0 || isFrozen(replica)
  if (!waits && (replica.agreement.lead?.phase ?? "idle") === "idle") {
    return replica.agreement.stalled === 0 && requests.length === replica.agreement.requests.length
      ? replica
      : withAgreement(replica, { stalled: 0, requests })
  }
  const stalled = replica.agreement.stalled + 1
  const next = withAgreement(replica, { stalled, requests })
  const { lead, promised } = next.agreement
  if (lead !== undefined) return stalled % repeatAfter === 0 ? repeat(application, next, act) : next
  if (stalled >= takeOverAfter + 2 * replicasOf(act.self).indexOf(act.self.id)) return campaign(application, next, act)
  if (stalled % repeatAfter === 0) {
    for (const each of requests.slice(0, forwardedAtOnce)) {
      act.send(leaderOf(promised, act), { _tag: "Forward", request: each })
    }
  }
  return next
}

/** The leader says again what it said to those who have not answered. */
const repeat = (application: Any, replica: Replica, act: Act): Replica => {
  const lead = replica.agreement.lead!
  const silent = others(act).filter((node) => !lead.answers.includes(node))
  switch (lead.phase) {
    case "idle":
      return advance(application, replica, act)
    case "electing":
      act.sendAll(silent, { _tag: "Lead", ballot: lead.ballot, committed: filled(replica) })
      return replica
    case "proposing":
      for (const node of silent) sendProposal(replica, node, act)
      return replica
    case "freezing": {
      if (replica.agreement.stalled >= unfreezeAfter) return giveUp(application, replica, lead.request!, act)
      const number = replica.agreement.frozen
      act.sendAll(others(act), { _tag: "Freeze", ballot: lead.ballot, number })
      return replica
    }
  }
}

/** Somebody cannot be reached: the place is filled with nothing, so that the others go on. */
const giveUp = (application: Any, replica: Replica, wanted: Request, act: Act): Replica => {
  refuse(wanted, "unreachable", act)
  const requests = replica.agreement.requests.filter((each) => !isSame(each, wanted))
  return propose(application, withAgreement(replica, { requests }), nothing(replica), act)
}

const campaign = (application: Any, replica: Replica, act: Act): Replica => {
  const replicas = replicasOf(act.self)
  const rank = replicas.indexOf(act.self.id)
  const round = Math.floor(replica.agreement.promised / replicas.length) + 1
  const ballot = round * replicas.length + rank
  act.persist({ _tag: "Promised", ballot })
  const { accepted, frozen } = replica.agreement
  const lead: Lead = {
    ...leading(ballot, replica.timestamp.length),
    phase: "electing",
    answers: [act.self.id],
    adopted: accepted,
    frozen
  }
  act.sendAll(others(act), { _tag: "Lead", ballot, committed: filled(replica) })
  return leadIfElected(application, withAgreement(replica, { promised: ballot, lead, stalled: 0 }), act)
}

export const onPromise = (
  application: Any,
  replica: Replica,
  from: NodeId.NodeId,
  message: MessageOf<"Promise">,
  act: Act
): Replica => {
  const { lead } = replica.agreement
  if (lead?.phase !== "electing" || lead.ballot !== message.ballot || lead.answers.includes(from)) return replica
  if (!replicasOf(act.self).includes(from) || !isAgreedPart(replica, message.records)) return replica
  const next = admit(application, replica, message.records, act)
  // It did not fit: the rest is sent when it is asked again.
  if (filled(next) < message.committed) return next
  const adopted = later(lead.adopted, message.accepted ?? undefined)
  const answers = [...lead.answers, from]
  const frozen = Math.max(lead.frozen, message.frozen)
  return leadIfElected(application, withLead(next, { answers, adopted, frozen }), act)
}

/** In a later place, or by a higher ballot in the same one: what is in an earlier place is agreed by now. */
const later = (a: AcceptedRecord | undefined, b: AcceptedRecord | undefined): AcceptedRecord | undefined => {
  if (a === undefined || b === undefined) return a ?? b
  const places = b.record.number - a.record.number
  return places > 0 || (places === 0 && b.ballot > a.ballot) ? b : a
}

const leadIfElected = (application: Any, replica: Replica, act: Act): Replica => {
  const { adopted, answers, frozen } = replica.agreement.lead!
  if (answers.length < majority(act.self)) return replica
  const next = withLead(replica, { phase: "idle", answers: [], adopted: undefined })
  // It may have been agreed.
  if (adopted?.record.number === filled(next) + 1) return propose(application, next, adopted.record, act)
  if (frozen > filled(next)) return propose(application, next, nothing(next), act)
  return advance(application, next, act)
}
