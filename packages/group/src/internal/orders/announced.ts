/**
 * Total orders that one member at a time decides: it announces how many more messages of each sender come next.
 *
 * An announcement is a part of the order: pairs of a rank and a number of messages. Who announces which part is fixed: the
 * first member announces all of them, or everybody in turn. So announcements need no numbers. The kernel brings each
 * sender's messages in order, and so do announcements: the order is FIFO.
 *
 * A message says how many its sender had been delivered before it. Whoever is delivered it has been delivered those, for
 * they were announced before it; so the order is causal, as long as the announcements are there. When a view ends without
 * some that are gone with their senders, that number tells which messages have to be left out.
 */
import * as Log from "../log.ts"
import type { Asks, Order } from "../order.ts"
import { codec, type Numbers, schema, sum, zeros } from "./numbers.ts"

/** So many more messages of this sender are next. */
interface Run {
  readonly rank: number
  readonly count: number
}

export interface Announced {
  // By rank.
  /** How many messages of the application are received; how many of them are announced, and delivered. */
  readonly received: Numbers
  readonly announced: Numbers
  readonly delivered: Numbers
  /** The number of the last one delivered, among all messages of the sender. */
  readonly last: Numbers
  /** Announcements whose turn has not come: of the member's, the first is its next. */
  readonly early: ReadonlyArray<Log.Log<Numbers>>

  /** How many announcements had their turn. */
  readonly turn: number
  /** What they announced, from the first run that is not delivered; and how many of that are. */
  readonly runs: Log.Log<Run>
  readonly taken: number
  /** How many messages are delivered, of all. */
  readonly position: number
}

type Ask = Asks<Numbers, never>
type Mutable = { -readonly [Key in keyof Announced]: Announced[Key] }

/** @param announcer who makes that announcement, counted from 0 */
export const announced = (announcer: (turn: number, members: number) => number): Order<Announced, Numbers> => {
  const isAnnouncer = ({ received, turn }: Announced, { rank }: Ask): boolean =>
    announcer(turn, received.length) === rank

  /** Lets announcements have their turn, and delivers what they announce. */
  const goOn = (now: Mutable, ask: Ask): void => {
    const members = now.received.length
    for (;;) {
      const rank = announcer(now.turn, members)
      const waiting = now.early[rank]!
      const next = Log.get(waiting, waiting.first)
      if (next === undefined) break
      now.early = now.early.with(rank, Log.dropBefore(waiting, waiting.first + 1))
      now.turn++
      for (let i = 0; i + 1 < next.length; i += 2) announce(now, next[i]!, next[i + 1]!)
    }
    deliverRuns(now, ask)
  }

  return {
    stamp: schema,
    codec,
    init: (_rank, members) => ({
      received: zeros(members),
      announced: zeros(members),
      delivered: zeros(members),
      last: zeros(members),
      early: Array.from({ length: members }, () => Log.empty(0)),
      turn: 0,
      runs: Log.empty(0),
      taken: 0,
      position: 0
    }),
    // Whoever may announce does so with what it sends itself.
    send: (state, _sequence, ask) => ({
      state,
      stamp: isAnnouncer(state, ask) ? [state.position, ...unannounced(state, ask.rank)] : [state.position]
    }),
    receive: (state, rank, { stamp }, isControl, ask) => {
      const now: Mutable = { ...state }
      if (!isControl) now.received = now.received.with(rank, now.received[rank]! + 1)
      if (stamp.length > 1) now.early = now.early.with(rank, Log.append(now.early[rank]!, stamp.slice(1)))
      goOn(now, ask)
      if (isAnnouncer(now, ask) && sum(now.received) > sum(now.announced)) ask.later()
      return now
    },
    // One announcement for all that has come meanwhile.
    later: (state, ask) => {
      if (!isAnnouncer(state, ask)) return state
      const more = unannounced(state)
      if (more.length > 0) ask.multicast([state.position, ...more])
      return state
    },
    flush: (state, ask) => {
      const now: Mutable = { ...state }
      const known = deliverKnown(now, ask)
      // In any order that all compute alike: nobody was delivered one of these.
      for (let rank = 0; rank < now.received.length; rank++) {
        while (now.delivered[rank]! < now.received[rank]! && mayFollow(now, rank, known, ask))
          deliverNext(now, rank, ask)
      }
    },
    waiting: ({ delivered, received }) => sum(received) - sum(delivered)
  }
}

/** What is received and not announced; with one more of this sender, which it is about to send. */
const unannounced = ({ announced, received }: Announced, sender?: number): Array<number> => {
  const runs: Array<number> = []
  for (let rank = 0; rank < received.length; rank++) {
    const count = received[rank]! - announced[rank]! + (rank === sender ? 1 : 0)
    if (count > 0) runs.push(rank, count)
  }
  return runs
}

const announce = (now: Mutable, rank: number, count: number): void => {
  if (rank >= now.received.length) return
  now.announced = now.announced.with(rank, now.announced[rank]! + count)
  now.runs = Log.append(now.runs, { rank, count })
}

const deliverRuns = (now: Mutable, ask: Ask): void => {
  for (let run = Log.get(now.runs, now.runs.first); run !== undefined; run = Log.get(now.runs, now.runs.first)) {
    const { count, rank } = run
    for (; now.taken < count; now.taken++) {
      if (now.delivered[rank] === now.received[rank]) return
      deliverNext(now, rank, ask)
    }
    now.runs = Log.dropBefore(now.runs, now.runs.first + 1)
    now.taken = 0
  }
}

const deliverNext = (now: Mutable, rank: number, ask: Ask): void => {
  const sequence = nextOf(now, rank, ask)
  now.last = now.last.with(rank, sequence)
  now.delivered = now.delivered.with(rank, now.delivered[rank]! + 1)
  now.position++
  ask.deliver(rank, sequence)
}

/** The number of the first message of the application that is not delivered. */
const nextOf = ({ last }: Announced, rank: number, ask: Ask): number => {
  let sequence = last[rank]! + 1
  while (ask.carried(rank, sequence) === undefined) sequence++
  return sequence
}

/** What was announced in the view that ends. Returns how much of the order is known without a gap. */
const deliverKnown = (now: Mutable, ask: Ask): number => {
  let known = now.position
  let isWhole = true
  let { taken } = now
  for (const { count, rank } of Log.items(now.runs)) {
    for (; taken < count; taken++) {
      const isThere =
        now.delivered[rank]! < now.received[rank]! && mayFollow(now, rank, isWhole ? Infinity : known, ask)
      if (isThere) deliverNext(now, rank, ask)
      else isWhole = false
      if (isWhole) known++
    }
    taken = 0
  }
  return known
}

/** Whether its sender had been delivered nothing that is not known here. */
const mayFollow = (now: Announced, rank: number, known: number, ask: Ask): boolean =>
  ask.carried(rank, nextOf(now, rank, ask))![0]! <= known
