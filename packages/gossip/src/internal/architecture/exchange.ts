/** Gossip among replica managers: who is sent what, and what is learnt of it. */
import type { NodeId } from "@troupe/transport"
import { ReplicaReused } from "../../Crdt.ts"
import type { LogRecord, MessageOf } from "./messages.ts"
import { admit, type Any, forgetSilent, prune } from "./records.ts"
import {
  type Act,
  ForeignGossip,
  gossipsWith,
  type Known,
  type Rejection,
  type Replica,
  partsOf,
  replicasOf
} from "./state.ts"
import { covers, least, merge, type Timestamp, zero } from "./timestamps.ts"

export const knownOf = (replica: Replica, node: NodeId.NodeId): Known => {
  const known = replica.table.get(node)
  if (known !== undefined) return known
  const nothing = zero(replica.timestamp.length)
  const whole = { timestamp: nothing, clock: -Infinity }
  return { ...whole, whole, sent: nothing, told: nothing, isOwed: false, isBehind: false }
}

const withKnown = (replica: Replica, node: NodeId.NodeId, known: Known): Replica => ({
  ...replica,
  table: new Map(replica.table).set(node, known)
})

/** The records of the log that come after `from`, part by part, and whether that is all of them. */
export const since = (
  { log, timestamp }: Pick<Replica, "log" | "timestamp">,
  from: Timestamp,
  limit: number
): { readonly records: ReadonlyArray<LogRecord>; readonly upTo: Timestamp; readonly isAll: boolean } => {
  const records: Array<LogRecord> = []
  let upTo = from
  let isAll = true
  for (const [part, all] of log.entries()) {
    const missing = timestamp[part]! - from[part]!
    if (missing <= 0 || all.length === 0) continue
    const at = Math.max(0, all.length - missing)
    const end = Math.min(all.length, at + limit - records.length)
    if (end < all.length) isAll = false
    if (end === at) continue
    for (let i = at; i < end; i++) records.push(all[i]!)
    upTo = upTo.with(part, all[end - 1]!.number)
  }
  return { records, upTo, isAll }
}

/** Sends what comes after `from`, if anything does; without it, and if it is owed, what this node has. */
const sendSince = (replica: Replica, to: NodeId.NodeId, from: Timestamp, asks: boolean, act: Act): Replica => {
  const known = knownOf(replica, to)
  const { clock, timestamp } = replica
  const { isAll, records, upTo } = since(replica, from, act.self.options.recordsPerMessage)
  if (records.length > 0) act.send(to, { _tag: "Gossip", timestamp, clock, records, more: !isAll })
  else if (known.isOwed || asks || !covers(known.told, timestamp))
    act.send(to, { _tag: "Heard", timestamp, clock, asks })
  else return replica
  return withKnown(replica, to, {
    ...known,
    sent: merge(known.sent, upTo),
    told: timestamp,
    isOwed: false,
    isBehind: !isAll
  })
}

/** Whether records of that part are this node's to spread: its own, and the agreed ones if it leads. */
const isMine = ({ agreement: { lead }, part: own, timestamp }: Replica, part: number): boolean =>
  part === own || (part === timestamp.length - 1 && lead !== undefined && lead.phase !== "electing")

/** Sends everybody the updates that have come to this node and were not sent yet. */
export const spread = (replica: Replica, act: Act): Replica => {
  let next: Replica = { ...replica, fresh: 0 }
  for (const node of gossipsWith(act.self)) {
    const { sent, timestamp } = knownOf(next, node)
    const from = next.timestamp.map((count, part) =>
      isMine(next, part) ? Math.max(sent[part]!, timestamp[part]!) : count
    )
    const { records } = since(next, from, 1)
    if (records.length > 0) next = sendSince(next, node, from, false, act)
  }
  return next
}

/** Each interval: sends everybody what is new, what was not confirmed since the interval before last, and what one has. */
export const onInterval = (replica: Replica, act: Act): Replica => {
  const settled = forgetSilent(replica, slowestClock(replica, act), act.self.options.delayMillis)
  const asks = [...settled.clients.values()].some(({ time }) => time + act.self.options.delayMillis < settled.clock)
  let next: Replica = { ...settled, fresh: 0 }
  const [newer, older] = settled.seen
  for (const node of gossipsWith(act.self)) {
    const { sent, timestamp } = knownOf(next, node)
    const from = next.timestamp.map((count, part) =>
      timestamp[part]! < older[part]!
        ? timestamp[part]!
        : isMine(next, part)
          ? Math.max(sent[part]!, timestamp[part]!)
          : count
    )
    next = sendSince(next, node, from, asks, act)
  }
  return { ...next, seen: [next.timestamp, newer] }
}

/** A time that the clocks of all replica managers have passed. */
const slowestClock = (replica: Replica, act: Act): number =>
  gossipsWith(act.self).reduce(
    (least, node) => Math.min(least, wholeOf(replica, node, knownOf(replica, node), act).clock),
    replica.clock
  )

/** Asks those whose updates are missing, each once, for what this node lacks. */
export const askFor = (replica: Replica, wanted: Timestamp, act: Act): void => {
  for (const [part, node] of replicasOf(act.self).entries()) {
    if (wanted[part]! <= replica.timestamp[part]! || node === act.self.id) continue
    act.send(node, { _tag: "Heard", timestamp: replica.timestamp, clock: replica.clock, asks: true })
  }
}

// ------------------------------------------------------------------------------------------------------------- arrivals

/** Why a message of a replica manager cannot be taken. */
const rejection = (
  replica: Replica,
  from: NodeId.NodeId,
  timestamp: Timestamp,
  records: ReadonlyArray<LogRecord>,
  act: Act
): Rejection | undefined => {
  if (!gossipsWith(act.self).includes(from)) {
    return new ForeignGossip({ from, reason: "it is none of the replica managers" })
  }
  const parts = partsOf(act.self)
  const fits = records.every((record) =>
    record._tag === "Ack" ? record.part < parts - 1 : record.part < parts && record.prev.length === parts
  )
  if (timestamp.length !== parts || !fits) {
    return new ForeignGossip({ from, reason: `its timestamps have not the ${parts} parts that they have here` })
  }
  if (replica.part >= 0 && timestamp[replica.part]! > replica.timestamp[replica.part]!) {
    return new ReplicaReused({
      replica: act.self.id,
      reason: `${from} has ${timestamp[replica.part]!} of its updates, and it has ${replica.timestamp[replica.part]!} itself`
    })
  }
  return undefined
}

/** Whether a log of records that others made may grow. They bound theirs; what breaks that bound is left to be sent again. */
const hasRoom = ({ log }: Replica, { part }: LogRecord, act: Act): boolean =>
  log[part]!.length < 2 * act.self.options.logRecords

/** Learns what `from` has, and takes those of its records that come next. */
export const hear = (
  application: Any,
  replica: Replica,
  from: NodeId.NodeId,
  message: { readonly timestamp: Timestamp; readonly clock: number; readonly records: ReadonlyArray<LogRecord> },
  act: Act
): Replica => {
  const failure = rejection(replica, from, message.timestamp, message.records, act)
  if (failure !== undefined) {
    act.emit({ _tag: "Rejected", from, failure })
    return failure._tag === "ReplicaReused" ? { ...replica, isForgotten: true } : replica
  }
  const records = message.records.filter((record) => hasRoom(replica, record, act))
  const next = records.length === 0 ? replica : admit(application, replica, records, act)
  const known = knownOf(replica, from)
  const timestamp = merge(known.timestamp, message.timestamp)
  const clock = Math.max(known.clock, message.clock)
  const isOwed = known.isOwed || message.records.length > 0
  const heard = { ...known, timestamp, clock, isOwed }
  const whole = wholeOf(next, from, heard, act)
  const isNews = timestamp !== known.timestamp || clock !== known.clock || isOwed !== known.isOwed
  const told = isNews ? withKnown(next, from, { ...heard, whole }) : next
  return prune(told, stableOf(told, act))
}

/**
 * What another has, and its clock, as of when this node had all updates that it took itself: then no other record of an
 * operation that both have executed can be on its way from there.
 */
const wholeOf = (replica: Replica, node: NodeId.NodeId, known: Known, act: Act): Known["whole"] => {
  const part = replicasOf(act.self).indexOf(node)
  const isWhole = part < 0 || replica.timestamp[part]! >= known.timestamp[part]!
  return isWhole ? { timestamp: known.timestamp, clock: known.clock } : known.whole
}

/** What every replica manager has. */
const stableOf = (replica: Replica, act: Act): Timestamp =>
  gossipsWith(act.self).reduce(
    (stable, node) => least(stable, wholeOf(replica, node, knownOf(replica, node), act).timestamp),
    replica.timestamp
  )

export const onGossip = (
  application: Any,
  replica: Replica,
  from: NodeId.NodeId,
  message: MessageOf<"Gossip">,
  act: Act
): Replica => {
  const next = hear(application, replica, from, message, act)
  if (!message.more || next.isForgotten || !next.table.has(from)) return next
  // The rest is sent when these have arrived.
  act.send(from, { _tag: "Heard", timestamp: next.timestamp, clock: next.clock, asks: false })
  return withKnown(next, from, { ...knownOf(next, from), told: next.timestamp, isOwed: false })
}

export const onHeard = (
  application: Any,
  replica: Replica,
  from: NodeId.NodeId,
  { asks, clock, timestamp }: MessageOf<"Heard">,
  act: Act
): Replica => {
  const next = hear(application, replica, from, { timestamp, clock, records: [] }, act)
  const known = next.table.get(from)
  if (known === undefined || next.isForgotten) return next
  if (!known.isBehind && !asks) return next
  return sendSince(withKnown(next, from, { ...known, isOwed: true }), from, known.timestamp, false, act)
}
