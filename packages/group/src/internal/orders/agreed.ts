/**
 * A total order by timestamps that are agreed on, message by message.
 *
 * Every member proposes a number for each message, above all that it has proposed or seen agreed. The sender collects the
 * proposals and takes the highest: that is the message's timestamp. Members deliver by timestamps; a message without one
 * holds up those that are above what this member has proposed for it, for it can't come out lower.
 *
 * The kernel brings each sender's messages in order, so all proposals for a sender's messages grow, and so do their
 * timestamps: the order is FIFO. Whoever has delivered a message proposes more than its timestamp for what it sends next:
 * the order is causal. When a view ends without some timestamps, a message says by its vector clock what it has to follow.
 */
import * as Log from "../log.ts"
import type { Asks, Order } from "../order.ts"
import { codec, type Numbers, schema, sum, zeros } from "./numbers.ts"

/** Proposals of one number by two members differ by who made them. */
interface Timestamp {
  readonly number: number
  readonly rank: number
}

export interface Agreed {
  /** The highest number that was proposed here or agreed on. */
  readonly clock: number

  // By sender.
  /** How many of its messages of the application are received, and delivered. */
  readonly received: Numbers
  readonly delivered: Numbers
  /** The number of the last one delivered, among all its messages. */
  readonly last: Numbers
  /** What was proposed here for those that are not delivered, by how many its sender sent before. */
  readonly proposed: ReadonlyArray<Log.Log<number>>
  /** The timestamps that its sender has told of those. */
  readonly agreed: ReadonlyArray<Log.Log<Timestamp>>
  /** For how many its sender was told what is proposed here. */
  readonly told: Numbers

  /** By member, what it has proposed for this node's messages that have no timestamp yet. */
  readonly collected: ReadonlyArray<Log.Log<number>>
}

type Ask = Asks<Numbers, Numbers>
type Mutable = { -readonly [Key in keyof Agreed]: Agreed[Key] }

export const agreed: Order<Agreed, Numbers, Numbers> = {
  stamp: schema,
  codec,
  note: schema,
  init: (_rank, members) => {
    const logs = Array.from({ length: members }, () => Log.empty(0))
    const none = zeros(members)
    return {
      clock: 0,
      received: none,
      delivered: none,
      last: none,
      proposed: logs,
      agreed: logs,
      told: none,
      collected: logs
    }
  },
  // What it follows: so many messages of each.
  send: (state) => ({ state, stamp: state.delivered }),
  receive: (state, rank, { stamp }, isControl, ask) => {
    const now: Mutable = { ...state }
    if (isControl) agree(now, rank, stamp, ask)
    else propose(now, rank, ask)
    return now
  },
  // One note for all that has come from a sender meanwhile, and one announcement for all timestamps that are found.
  later: (state, ask) => {
    const now: Mutable = { ...state }
    for (let rank = 0; rank < now.told.length; rank++) {
      if (rank !== ask.rank && now.told[rank]! < now.received[rank]!) tell(now, rank, now.told[rank]!, ask)
    }
    now.told = now.received
    const timestamps = found(now)
    if (timestamps.length > 0) ask.multicast(timestamps)
    return now
  },
  receiveNote: (state, member, [first, ...numbers], ask) => {
    const now: Mutable = { ...state }
    const earlier = now.collected[member]!
    if (first === undefined || first > earlier.next) return state
    // What comes beyond a gap is told again; and nothing is proposed for what is not sent.
    const more = numbers.slice(earlier.next - first, state.received[ask.rank]! - first)
    if (more.length === 0) return state
    now.collected = now.collected.with(member, more.reduce(Log.append, earlier))
    if (isFound(now)) ask.later()
    return now
  },
  // Notes get lost.
  tick: (state, ask) => {
    for (let rank = 0; rank < state.told.length; rank++) {
      if (rank !== ask.rank && state.agreed[rank]!.next < state.told[rank]!)
        tell(state, rank, state.agreed[rank]!.next, ask)
    }
    return state
  },
  flush: (state, ask) => {
    const now: Mutable = { ...state }
    for (let rank = firstToFollow(now, ask); rank !== undefined; rank = firstToFollow(now, ask)) {
      deliverNext(now, rank, ask)
    }
  },
  waiting: ({ delivered, received }) => sum(received) - sum(delivered)
}

// --------------------------------------------------------------------------------------------------------------- proposing

const propose = (now: Mutable, rank: number, ask: Ask): void => {
  now.clock++
  now.received = now.received.with(rank, now.received[rank]! + 1)
  now.proposed = now.proposed.with(rank, Log.append(now.proposed[rank]!, now.clock))
  if (rank !== ask.rank) return ask.later()
  now.collected = now.collected.with(rank, Log.append(now.collected[rank]!, now.clock))
  if (isFound(now)) ask.later()
}

/** Tells a sender what is proposed for its messages from there on. */
const tell = ({ proposed }: Agreed, rank: number, from: number, ask: Ask): void => {
  const numbers = Log.items(proposed[rank]!).slice(Math.max(0, from - proposed[rank]!.first))
  ask.note(rank, [from, ...numbers])
}

const isFound = ({ collected }: Agreed): boolean => collected.every((log) => Log.size(log) > 0)

/** The timestamps of this node's next messages, as pairs, as far as all members have proposed. */
const found = ({ collected }: Agreed): Numbers => {
  const first = collected[0]!.first
  const end = Math.min(...collected.map(({ next }) => next))
  const timestamps: Array<number> = []
  for (let message = first; message < end; message++) {
    let highest: Timestamp | undefined
    for (let rank = 0; rank < collected.length; rank++) {
      const each = { number: Log.get(collected[rank]!, message)!, rank }
      if (highest === undefined || isBefore(highest, each)) highest = each
    }
    timestamps.push(highest!.number, highest!.rank)
  }
  return timestamps
}

// -------------------------------------------------------------------------------------------------------------- delivering

const isBefore = (a: Timestamp, b: Timestamp): boolean =>
  a.number < b.number || (a.number === b.number && a.rank < b.rank)

/** A sender tells the timestamps of its next messages. */
const agree = (now: Mutable, rank: number, timestamps: Numbers, ask: Ask): void => {
  let log = now.agreed[rank]!
  for (let i = 0; i + 1 < timestamps.length; i += 2) {
    log = Log.append(log, { number: timestamps[i]!, rank: timestamps[i + 1]! })
    now.clock = Math.max(now.clock, timestamps[i]!)
  }
  now.agreed = now.agreed.with(rank, log)
  if (rank === ask.rank) now.collected = now.collected.map((each) => Log.dropBefore(each, log.next))
  for (let next = lowest(now, ask); next !== undefined; next = lowest(now, ask)) deliverNext(now, next, ask)
}

/** The sender whose next message is the next of all, where that is certain. */
const lowest = (now: Agreed, ask: Ask): number | undefined => {
  let least: Timestamp | undefined
  let leastOf: number | undefined
  for (let rank = 0; rank < now.received.length; rank++) {
    if (now.delivered[rank] === now.received[rank]) continue
    const timestamp = timestampOf(now, rank)
    const lower = timestamp ?? { number: Log.get(now.proposed[rank]!, now.delivered[rank]!)!, rank: ask.rank }
    if (least !== undefined && isBefore(least, lower)) continue
    least = lower
    leastOf = timestamp === undefined ? undefined : rank
  }
  return leastOf
}

/** Of the sender's next message. */
const timestampOf = ({ agreed, delivered }: Agreed, rank: number): Timestamp | undefined =>
  Log.get(agreed[rank]!, delivered[rank]!)

const deliverNext = (now: Mutable, rank: number, ask: Ask): void => {
  let sequence = now.last[rank]! + 1
  while (ask.carried(rank, sequence) === undefined) sequence++
  const count = now.delivered[rank]! + 1
  now.last = now.last.with(rank, sequence)
  now.delivered = now.delivered.with(rank, count)
  now.proposed = now.proposed.with(rank, Log.dropBefore(now.proposed[rank]!, count))
  now.agreed = now.agreed.with(rank, dropDelivered(now.agreed[rank]!, count))
  ask.deliver(rank, sequence)
}

/** At the end of a view also those are delivered that have no timestamp. */
const dropDelivered = (log: Log.Log<Timestamp>, count: number): Log.Log<Timestamp> =>
  count <= log.next ? Log.dropBefore(log, count) : log

// ---------------------------------------------------------------------------------------------------------- a view's end

/** Of the messages that follow nothing but what is delivered: the lowest timestamp, and then those without, by ranks. */
const firstToFollow = (now: Agreed, ask: Ask): number | undefined => {
  let first: number | undefined
  let least: Timestamp | undefined
  for (let rank = 0; rank < now.received.length; rank++) {
    if (now.delivered[rank] === now.received[rank] || !mayFollow(now, rank, ask)) continue
    const timestamp = timestampOf(now, rank)
    if (first !== undefined && (timestamp === undefined || (least !== undefined && isBefore(least, timestamp))))
      continue
    first = rank
    least = timestamp
  }
  return first
}

const mayFollow = ({ delivered, last }: Agreed, rank: number, ask: Ask): boolean => {
  let sequence = last[rank]! + 1
  let stamp = ask.carried(rank, sequence)
  while (stamp === undefined) stamp = ask.carried(rank, ++sequence)
  for (let i = 0; i < delivered.length; i++) if (i !== rank && stamp[i]! > delivered[i]!) return false
  return true
}
