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

/** The next state in the making: its lists by rank are this step's own once they were copied. */
class Draft {
  readonly state: { -readonly [Key in keyof Announced]: Announced[Key] }
  private readonly ask: Ask
  private delivered: Array<number> | undefined
  private last: Array<number> | undefined

  constructor(state: Announced, ask: Ask) {
    this.state = { ...state }
    this.ask = ask
  }

  /** Whether this message of a sender is there. */
  has(rank: number): boolean {
    return this.state.delivered[rank]! < this.state.received[rank]!
  }

  deliver(rank: number): void {
    const { state } = this
    const sequence = this.next(rank)
    if (this.delivered === undefined || this.last === undefined) {
      state.delivered = this.delivered = state.delivered.slice()
      state.last = this.last = state.last.slice()
    }
    this.last[rank] = sequence
    this.delivered[rank]!++
    state.position++
    this.ask.deliver(rank, sequence)
  }

  /** What its sender had been delivered before the next message of this sender. */
  before(rank: number): number {
    return this.ask.carried(rank, this.next(rank))![0]!
  }

  /** The number of the first message of the application that is not delivered. */
  private next(rank: number): number {
    let sequence = this.state.last[rank]! + 1
    while (this.ask.carried(rank, sequence) === undefined) sequence++
    return sequence
  }
}

/** @param announcer who makes that announcement, counted from 0 */
export const announced = (announcer: (turn: number, members: number) => number): Order<Announced, Numbers> => {
  const isAnnouncer = ({ received, turn }: Announced, { rank }: Ask): boolean =>
    announcer(turn, received.length) === rank

  /** An announcement has come: it has its turn, or waits for it. */
  const hear = (draft: Draft, rank: number, stamp: Numbers): void => {
    const { state } = draft
    if (announcer(state.turn, state.received.length) !== rank || Log.size(state.early[rank]!) > 0) {
      state.early = state.early.with(rank, Log.append(state.early[rank]!, stamp))
      return
    }
    announce(draft, stamp)
    for (;;) {
      const next = announcer(state.turn, state.received.length)
      const waiting = state.early[next]!
      const early = Log.get(waiting, waiting.first)
      if (early === undefined) return
      state.early = state.early.with(next, withoutFirst(waiting))
      announce(draft, early)
    }
  }

  return {
    stamp: schema,
    codec,
    init: (_rank, members) => ({
      received: zeros(members),
      announced: zeros(members),
      delivered: zeros(members),
      last: zeros(members),
      early: new Array<Log.Log<never>>(members).fill(empty),
      turn: 0,
      runs: empty,
      taken: 0,
      position: 0
    }),
    // Whoever may announce does so with what it sends itself.
    send: (state, _sequence, ask) => ({
      state,
      stamp: isAnnouncer(state, ask) ? [state.position, ...unannounced(state, ask.rank)] : [state.position]
    }),
    receive: (before, rank, { stamp }, isControl, ask) => {
      const draft = new Draft(before, ask)
      const { state } = draft
      if (!isControl) {
        state.received = state.received.with(rank, state.received[rank]! + 1)
        if (Log.size(state.runs) > 0) deliverRuns(draft)
      }
      if (stamp.length > 1) hear(draft, rank, stamp)
      if (isAnnouncer(state, ask) && sum(state.received) > sum(state.announced)) ask.later()
      return state
    },
    // One announcement for all that has come meanwhile.
    later: (state, ask) => {
      if (!isAnnouncer(state, ask)) return state
      const more = unannounced(state)
      if (more.length > 0) ask.multicast([state.position, ...more])
      return state
    },
    flush: (before, ask) => {
      const draft = new Draft(before, ask)
      const known = deliverKnown(draft)
      // In any order that all compute alike: nobody was delivered one of these.
      for (let rank = 0; rank < before.received.length; rank++) {
        while (draft.has(rank) && draft.before(rank) <= known) draft.deliver(rank)
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

const empty = Log.empty(0)

/** An empty one is like another: it counts from 0 again. */
const withoutFirst = <A>(log: Log.Log<A>): Log.Log<A> =>
  Log.size(log) === 1 ? empty : Log.dropBefore(log, log.first + 1)

/** Delivers what is announced, as far as it is there. */
const announce = (draft: Draft, stamp: Numbers): void => {
  const { state } = draft
  const announced = state.announced.slice()
  state.turn++
  for (let i = 1; i + 1 < stamp.length; i += 2) {
    const rank = stamp[i]!
    const count = stamp[i + 1]!
    if (rank >= announced.length) continue
    announced[rank]! += count
    let taken = 0
    if (Log.size(state.runs) === 0) for (; taken < count && draft.has(rank); taken++) draft.deliver(rank)
    if (taken === count) continue
    if (Log.size(state.runs) === 0) state.taken = taken
    state.runs = Log.append(state.runs, { rank, count })
  }
  state.announced = announced
}

const deliverRuns = (draft: Draft): void => {
  const { state } = draft
  for (
    let run = Log.get(state.runs, state.runs.first);
    run !== undefined;
    run = Log.get(state.runs, state.runs.first)
  ) {
    for (; state.taken < run.count; state.taken++) {
      if (!draft.has(run.rank)) return
      draft.deliver(run.rank)
    }
    state.runs = withoutFirst(state.runs)
    state.taken = 0
  }
}

/**
 * What was announced in the view that ends, less what nobody has and what its sender may have sent because of that. Returns
 * how much of the order is known without a gap.
 */
const deliverKnown = (draft: Draft): number => {
  const { position, runs, taken } = draft.state
  let known = position
  let isWhole = true
  Log.items(runs).forEach(({ count, rank }, i) => {
    let left = i === 0 ? count - taken : count
    for (; left > 0 && draft.has(rank) && (isWhole || draft.before(rank) <= known); left--) {
      draft.deliver(rank)
      if (isWhole) known++
    }
    if (left > 0) isWhole = false
  })
  return known
}
