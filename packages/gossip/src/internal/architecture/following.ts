/**
 * Agreement on the places of forced and immediate updates: what a replica manager answers to a leader. What it promises here
 * it must remember, so each is made durable before it is said.
 */
import type { NodeId } from "@troupe/transport"
import { knownOf, since } from "./exchange.ts"
import type { LogRecord, MessageOf } from "./messages.ts"
import { admit, type Any } from "./records.ts"
import { type Act, type Agreement, type Replica, replicasOf } from "./state.ts"
import { withPart } from "./timestamps.ts"

export const withAgreement = (replica: Replica, change: Partial<Agreement>): Replica => ({
  ...replica,
  agreement: { ...replica.agreement, ...change }
})

/** How many places are filled. */
export const filled = ({ timestamp }: Replica): number => timestamp[timestamp.length - 1]!

export const isFrozen = (replica: Replica): boolean => replica.agreement.frozen > filled(replica)

export const leaderOf = (ballot: number, act: Act): NodeId.NodeId =>
  replicasOf(act.self)[ballot % replicasOf(act.self).length]!

/** Follows a ballot, unless a higher one was promised: then its leader is told so. */
const follow = (replica: Replica, from: NodeId.NodeId, ballot: number, act: Act): Replica | undefined => {
  const { lead, promised } = replica.agreement
  if (leaderOf(ballot, act) !== from) return undefined
  if (ballot < promised) {
    act.send(from, { _tag: "Overruled", ballot: promised })
    return undefined
  }
  if (ballot === promised) return replica
  act.persist({ _tag: "Promised", ballot })
  return withAgreement(replica, {
    promised: ballot,
    lead: lead !== undefined && lead.ballot < ballot ? undefined : lead
  })
}

export const onPropose = (
  application: Any,
  replica: Replica,
  from: NodeId.NodeId,
  { ballot, before, record: proposed }: MessageOf<"Propose">,
  act: Act
): Replica => {
  const followed = follow(replica, from, ballot, act)
  if (followed === undefined || !isAgreedPart(followed, [proposed, ...before])) return replica
  const next = admit(application, followed, before, act)
  const { number } = proposed
  // It comes for the next place, or has been agreed; one for a later place comes again, with those before it.
  if (number > filled(next) + 1) return next
  const isOpen = number > filled(next)
  if (isOpen) act.persist({ _tag: "Accepted", ballot, record: proposed })
  act.send(from, { _tag: "Accepted", ballot, number })
  if (!isOpen) return withAgreement(next, { stalled: 0 })
  return withAgreement(next, { accepted: { ballot, record: proposed }, stalled: 0 })
}

export const isAgreedPart = ({ log, timestamp }: Replica, records: ReadonlyArray<LogRecord>): boolean =>
  records.every((each) => each._tag !== "Ack" && each.part === log.length - 1 && each.prev.length === timestamp.length)

export const onOverruled = (replica: Replica, { ballot }: MessageOf<"Overruled">, act: Act): Replica => {
  const { lead, promised } = replica.agreement
  if (ballot <= promised) return replica
  act.persist({ _tag: "Promised", ballot })
  return withAgreement(replica, {
    promised: ballot,
    lead: lead !== undefined && lead.ballot < ballot ? undefined : lead
  })
}

export const onFreeze = (
  replica: Replica,
  from: NodeId.NodeId,
  { ballot, number }: MessageOf<"Freeze">,
  act: Act
): Replica => {
  const next = follow(replica, from, ballot, act)
  // Who lacks a place before it hears of that by gossip, and is asked again.
  if (next === undefined || number !== filled(next) + 1) return next ?? replica
  if (next.agreement.frozen !== number) act.persist({ _tag: "Frozen", number })
  const { records } = since(next, knownOf(next, from).timestamp, act.self.options.recordsPerMessage)
  act.send(from, { _tag: "Frozen", ballot, number, timestamp: next.timestamp, records })
  return withAgreement(next, { frozen: number, stalled: 0 })
}

export const onLead = (
  replica: Replica,
  from: NodeId.NodeId,
  { ballot, committed }: MessageOf<"Lead">,
  act: Act
): Replica => {
  const next = follow(replica, from, ballot, act)
  if (next === undefined) return replica
  const agreedPart = next.log.length - 1
  const { records } = since(
    next,
    withPart(next.timestamp, agreedPart, Math.min(committed, filled(next))),
    act.self.options.recordsPerMessage
  )
  const { accepted, frozen } = next.agreement
  const open = accepted !== undefined && accepted.record.number > filled(next) ? accepted : null
  act.send(from, { _tag: "Promise", ballot, committed: filled(next), records, accepted: open, frozen })
  return withAgreement(next, { stalled: 0 })
}
