/**
 * Causal orders: a message waits until all is delivered that its sender had sent or been delivered before it.
 *
 * The kernel brings each sender's messages in order, so of those of one sender only the first that is not delivered can be
 * next, and it is enough to know on whose message each such first one waits. A delivery asks the few that wait for its
 * sender, and looks at no other: the work does not grow with how many messages wait.
 */
import type { Asks, Order } from "../order.ts"
import { codec, type Numbers, schema, sum, zeros } from "./numbers.ts"

/** How a message tells what was before it. */
export interface Past {
  /** What the next message of `rank` carries. */
  stamp(state: Causal, rank: number, sequence: number): Numbers
  /** The rank of a sender of whom a message has to be delivered first, or `none`. */
  missing(stamp: Numbers, rank: number, delivered: Numbers): number
  /** The latest messages, by ranks and numbers, once this one has been delivered too. */
  latest(state: Causal, rank: number, sequence: number, stamp: Numbers): Numbers
}

export const none = -1

export interface Causal {
  /** By rank, how many messages are received; and how many of them are delivered. */
  readonly received: Numbers
  readonly delivered: Numbers
  /** By rank, the sender for whose message the next one of this waits, or `none`. */
  readonly waitsFor: Numbers
  /** What is delivered and is before nothing else that is: pairs of a rank and a number. */
  readonly latest: Numbers
}

type Ask = Asks<Numbers, never>

export const causal = ({ latest, missing, stamp }: Past): Order<Causal, Numbers> => {
  /** Delivers what it can of `rank`, and then of those who waited for it. */
  const deliverFrom = (state: Causal, first: number, ask: Ask): Causal => {
    const now = { ...state, delivered: state.delivered.slice(), waitsFor: state.waitsFor }
    const ready = [first]
    for (let rank = ready.pop(); rank !== undefined; rank = ready.pop()) {
      const before = now.delivered[rank]!
      let waitsFor = none
      for (let next = before + 1; next <= now.received[rank]!; next++) {
        const carried = ask.carried(rank, next)!
        waitsFor = missing(carried, rank, now.delivered)
        if (waitsFor !== none) break
        ask.deliver(rank, next)
        now.delivered[rank] = next
        now.latest = latest(now, rank, next, carried)
      }
      if (now.waitsFor[rank] !== waitsFor) now.waitsFor = now.waitsFor.with(rank, waitsFor)
      if (now.delivered[rank] === before) continue
      for (let other = 0; other < now.waitsFor.length; other++) if (now.waitsFor[other] === rank) ready.push(other)
    }
    return now
  }
  return {
    stamp: schema,
    codec,
    init: (_rank, members) => ({
      received: zeros(members),
      delivered: zeros(members),
      waitsFor: new Array<number>(members).fill(none),
      latest: []
    }),
    send: (state, sequence, ask) => ({ state, stamp: stamp(state, ask.rank, sequence) }),
    receive: (state, rank, { sequence }, _isControl, ask) => {
      const now = { ...state, received: state.received.with(rank, sequence) }
      return state.waitsFor[rank] === none ? deliverFrom(now, rank, ask) : now
    },
    // All survivors have received the same, and so delivered the same. What still waits, waits for what none of them has.
    flush: () => {},
    waiting: ({ delivered, received }) => sum(received) - sum(delivered)
  }
}

/** By the vector clock of what is delivered, with this message in it. */
export const vectorClocks: Past = {
  stamp: ({ delivered }, rank, sequence) => delivered.with(rank, sequence),
  missing: (stamp, rank, delivered) => {
    for (let i = 0; i < delivered.length; i++) if (i !== rank && stamp[i]! > delivered[i]!) return i
    return none
  },
  latest: ({ latest }) => latest
}

/** By what is right before it: pairs of a rank and a number. What is before those need not be said. */
export const dependencyLists: Past = {
  // One's own are in order anyway.
  stamp: ({ latest }, rank) => without(latest, (before) => before === rank),
  missing: (stamp, _rank, delivered) => {
    for (let i = 0; i < stamp.length; i += 2) if (stamp[i + 1]! > (delivered[stamp[i]!] ?? 0)) return stamp[i]!
    return none
  },
  latest: ({ latest }, rank, sequence, stamp) => {
    const left = without(latest, (before, number) => before === rank || isIn(stamp, before, number))
    return [...left, rank, sequence]
  }
}

const without = (pairs: Numbers, isOut: (rank: number, sequence: number) => boolean): Array<number> => {
  const left: Array<number> = []
  for (let i = 0; i < pairs.length; i += 2) if (!isOut(pairs[i]!, pairs[i + 1]!)) left.push(pairs[i]!, pairs[i + 1]!)
  return left
}

const isIn = (pairs: Numbers, rank: number, sequence: number): boolean => {
  for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === rank && pairs[i + 1]! >= sequence) return true
  return false
}
