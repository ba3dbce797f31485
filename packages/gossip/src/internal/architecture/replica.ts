/** A replica manager: what it does with what clients ask, and when gossip has come. */
import type { NodeId } from "@troupe/transport"
import * as Agreement from "./agreement.ts"
import * as Exchange from "./exchange.ts"
import * as Following from "./following.ts"
import type { Message, MessageOf, Persisted, Reason, Request, UpdateRecord } from "./messages.ts"
import { admit, type Any, Batch, executedOf, timestampOf } from "./records.ts"
import { type Act, clientOf, gossipsWith, partsOf, type Replica, replicasOf } from "./state.ts"
import { covers, merge, zero } from "./timestamps.ts"

export const init = (application: Any, self: Act["self"]): Replica | undefined => {
  const part = replicasOf(self).indexOf(self.id)
  if (part < 0 && !self.options.readers.includes(self.id)) return undefined
  const nothing = zero(partsOf(self))
  return {
    part,
    isForgotten: false,
    clock: 0,
    timestamp: nothing,
    log: nothing.map(() => []),
    waiting: [],
    value: application.empty,
    valueTimestamp: nothing,
    clients: new Map(),
    agreed: nothing,
    floor: nothing,
    table: new Map(),
    seen: [nothing, nothing],
    fresh: 0,
    queries: [],
    agreement: Agreement.init(self)
  }
}

/** What the messages of front ends and replica managers do, on a node that is a replica manager. */
export const onMessage = (
  application: Any,
  before: Replica,
  from: NodeId.NodeId,
  message: Message,
  act: Act
): Replica => {
  if (before.isForgotten) return refuseAll(before, from, message, act)
  const replica = ticked(before, act)
  switch (message._tag) {
    case "Update":
      return onUpdate(application, replica, message.request, act)
    case "Query":
      return onQuery(application, replica, from, message, act)
    case "Ack":
      return onAck(application, replica, from, message, act)
    case "Gossip":
      return afterRecords(application, Exchange.onGossip(application, replica, from, message, act), act)
    case "Heard":
      return afterRecords(application, Exchange.onHeard(application, replica, from, message, act), act)
    default:
      return replica.part < 0
        ? replica
        : afterRecords(application, onAgreement(application, replica, from, message, act), act)
  }
}

const onAgreement = (application: Any, replica: Replica, from: NodeId.NodeId, message: Message, act: Act): Replica => {
  switch (message._tag) {
    case "Forward":
      return Agreement.onForward(application, replica, from, message, act)
    case "Lead":
      return Following.onLead(replica, from, message, act)
    case "Promise":
      return Agreement.onPromise(application, replica, from, message, act)
    case "Freeze":
      return Following.onFreeze(replica, from, message, act)
    case "Frozen":
      return Agreement.onFrozen(application, replica, from, message, act)
    case "Propose":
      return Following.onPropose(application, replica, from, message, act)
    case "Accepted":
      return Agreement.onAccepted(application, replica, from, message, act)
    case "Overruled":
      return Following.onOverruled(replica, message, act)
    default:
      return replica
  }
}

const ticked = (replica: Replica, act: Act): Replica => {
  const now = act.now()
  return now > replica.clock ? { ...replica, clock: now } : replica
}

export const onInterval = (application: Any, before: Replica, act: Act): Replica => {
  if (before.isForgotten) return before
  const replica = withoutLate(ticked(before, act), act)
  const said = Exchange.onInterval(replica, act)
  return said.part < 0 ? said : afterRecords(application, Agreement.onInterval(application, said, act), act)
}

// --------------------------------------------------------------------------------------------------------------- updates

const refuse = (
  to: NodeId.NodeId,
  of: { readonly life: number; readonly sequence: number },
  reason: Reason,
  act: Act
): void => act.send(to, { _tag: "Refused", life: of.life, sequence: of.sequence, reason })

const refuseAll = (replica: Replica, from: NodeId.NodeId, message: Message, act: Act): Replica => {
  if (message._tag === "Update") refuse(message.request.node, message.request, "forgotten", act)
  if (message._tag === "Query") refuse(from, message, "forgotten", act)
  return replica
}

/** Why an update is not taken. */
const refusal = (replica: Replica, { life, node, prev, time }: Request, act: Act): Reason | undefined => {
  const { clients, delayMillis, logRecords } = act.self.options
  if (replica.part < 0) return "read-only"
  if (prev.length !== replica.timestamp.length) return "layout"
  // Who comes later than δ may have been executed and forgotten; who is ahead by δ would not be forgotten in time.
  if (Math.abs(replica.clock - time) > delayMillis) return "clock"
  const isKnown = replica.clients.has(clientOf(node, life))
  return replica.log[replica.part]!.length >= logRecords || (!isKnown && replica.clients.size >= clients)
    ? "full"
    : undefined
}

const onUpdate = (application: Any, replica: Replica, request: Request, act: Act): Replica => {
  const { life, node, order, sequence } = request
  const client = replica.clients.get(clientOf(node, life))
  const executed = executedOf(client, sequence)
  if (executed !== undefined) {
    act.send(node, { _tag: "Updated", life, sequence, timestamp: executed.timestamp })
    return replica
  }
  // It has had its answer, and this is an old attempt.
  if (client !== undefined && sequence <= client.answered) return replica
  const reason = refusal(replica, request, act)
  if (reason !== undefined) {
    refuse(node, request, reason, act)
    return replica
  }
  if (order !== "causal") return afterRecords(application, Agreement.request(application, replica, request, act), act)
  return Following.isFrozen(replica) ? defer(replica, request, act) : take(application, replica, request, act)
}

/** Until the place of an immediate update is filled. */
const defer = (replica: Replica, request: Request, act: Act): Replica => {
  const { deferred } = replica.agreement
  if (deferred.length < act.self.options.requests) {
    return { ...replica, agreement: { ...replica.agreement, deferred: [...deferred, request] } }
  }
  refuse(request.node, request, "full", act)
  return replica
}

/** An update enters the log here: it depends on what its client has seen, and on the immediate updates so far. */
const take = (application: Any, replica: Replica, request: Request, act: Act): Replica => {
  const { answered, life, node, order, prev, sequence, time, update } = request
  const record: UpdateRecord = {
    _tag: "Update",
    part: replica.part,
    number: replica.timestamp[replica.part]! + 1,
    prev: merge(prev, replica.floor),
    client: clientOf(node, life),
    sequence,
    answered,
    time,
    update,
    order
  }
  const next = admit(application, replica, [record], act)
  act.send(node, { _tag: "Updated", life, sequence, timestamp: timestampOf(record) })
  if (next.waiting.length > replica.waiting.length) Exchange.askFor(next, record.prev, act)
  const fresh = next.fresh + 1
  const counted = { ...next, fresh }
  return afterRecords(
    application,
    fresh < act.self.options.updatesPerGossip ? counted : Exchange.spread(counted, act),
    act
  )
}

/** A record of it goes the way of updates, so that every replica manager comes to know it. */
const onAck = (
  application: Any,
  replica: Replica,
  from: NodeId.NodeId,
  { answered, life, time }: MessageOf<"Ack">,
  act: Act
): Replica => {
  const name = clientOf(from, life)
  const client = replica.clients.get(name)
  const isLate = Math.abs(replica.clock - time) > act.self.options.delayMillis
  const isFull = replica.part < 0 || replica.log[replica.part]!.length >= act.self.options.logRecords
  if (client === undefined || client.answered >= answered || isLate || isFull) return replica
  const number = replica.timestamp[replica.part]! + 1
  return admit(application, replica, [{ _tag: "Ack", part: replica.part, number, client: name, answered, time }], act)
}

// --------------------------------------------------------------------------------------------------------------- queries

/** A query is answered of a value that includes all that its client has seen (`q.prev ≤ valueTS`), and waits for that. */
const onQuery = (
  application: Any,
  replica: Replica,
  from: NodeId.NodeId,
  message: MessageOf<"Query">,
  act: Act
): Replica => {
  const { life, prev, query, sequence } = message
  if (prev.length !== replica.timestamp.length) {
    refuse(from, message, "layout", act)
    return replica
  }
  if (covers(replica.valueTimestamp, prev)) {
    answer(application, replica, { from, life, sequence, query }, act)
    return replica
  }
  const isHere = replica.queries.some((each) => each.from === from && each.life === life && each.sequence === sequence)
  if (isHere) return replica
  if (replica.queries.length >= act.self.options.requests) {
    refuse(from, message, "full", act)
    return replica
  }
  Exchange.askFor(replica, prev, act)
  const held = { from, life, sequence, prev, query, sinceMillis: act.monotonic() }
  return { ...replica, queries: [...replica.queries, held] }
}

const answer = (
  application: Any,
  { value, valueTimestamp }: Replica,
  held: { readonly from: NodeId.NodeId; readonly life: number; readonly sequence: number; readonly query: unknown },
  act: Act
): void =>
  act.send(held.from, {
    _tag: "Answered",
    life: held.life,
    sequence: held.sequence,
    answer: application.query(value, held.query),
    timestamp: valueTimestamp
  })

/** Its front end has given up. */
const withoutLate = (replica: Replica, act: Act): Replica => {
  const oldest = act.monotonic() - act.self.options.patienceMillis
  return replica.queries.some(({ sinceMillis }) => sinceMillis < oldest)
    ? { ...replica, queries: replica.queries.filter(({ sinceMillis }) => sinceMillis >= oldest) }
    : replica
}

/** What waited for records goes on. */
const afterRecords = (application: Any, replica: Replica, act: Act): Replica => {
  if (replica.isForgotten) return replica
  let next = replica.part < 0 ? replica : Agreement.onRecords(application, replica, act)
  if (next.queries.length > 0) {
    const { valueTimestamp } = next
    const ready = next.queries.filter(({ prev }) => covers(valueTimestamp, prev))
    for (const held of ready) answer(application, next, held, act)
    if (ready.length > 0) next = { ...next, queries: next.queries.filter((held) => !ready.includes(held)) }
  }
  const { deferred } = next.agreement
  if (deferred.length === 0 || Following.isFrozen(next)) return next
  next = { ...next, agreement: { ...next.agreement, deferred: [] } }
  for (const request of deferred) next = onUpdate(application, next, request, act)
  return next
}

// -------------------------------------------------------------------------------------------------------------- recovery

/** What was persisted, again. It does not lead the ballot that it led. */
export const restore = (application: Any, before: Replica, persisted: Persisted): Replica => {
  const agreement = { ...before.agreement, lead: undefined }
  const replica = { ...before, agreement }
  switch (persisted._tag) {
    case "Logged": {
      const batch = new Batch(application, replica)
      batch.add(persisted.record)
      return batch.done()
    }
    case "Promised":
      return { ...replica, agreement: { ...agreement, promised: persisted.ballot } }
    case "Accepted": {
      const { ballot, record } = persisted
      return {
        ...replica,
        agreement: { ...agreement, promised: Math.max(agreement.promised, ballot), accepted: { ballot, record } }
      }
    }
    case "Frozen":
      return { ...replica, agreement: { ...agreement, frozen: persisted.number } }
    case "Snapshot": {
      const { agreed, clients, floor, log, timestamp, value, valueTimestamp } = persisted
      const waiting = log.filter((record) => record._tag !== "Ack" && !covers(valueTimestamp, record.prev))
      return {
        ...replica,
        timestamp,
        valueTimestamp,
        value,
        agreed,
        floor,
        waiting,
        log: timestamp.map((_, part) => log.filter((record) => record.part === part)),
        clients: new Map(clients.map(({ client, ...each }) => [client, each]))
      }
    }
  }
}

/** What restores to all that must survive. */
export const compact = (replica: Replica): Iterable<Persisted> => {
  const { agreed, agreement, floor, log, timestamp, value, valueTimestamp } = replica
  const clients = [...replica.clients].map(([client, each]) => ({ client, ...each }))
  const { accepted, frozen, promised } = agreement
  return [
    { _tag: "Snapshot", timestamp, valueTimestamp, value, agreed, floor, log: log.flat(), clients },
    { _tag: "Promised", ballot: promised },
    ...(accepted === undefined ? [] : [{ _tag: "Accepted", ...accepted } as const]),
    { _tag: "Frozen", number: frozen }
  ]
}

/** Whom it tells at once that it is up. */
export const onStart = (replica: Replica, act: Act): Replica => {
  const { timestamp } = replica
  const now = ticked(replica, act)
  act.sendAll(gossipsWith(act.self), { _tag: "Heard", timestamp, clock: now.clock, asks: true })
  return now
}
