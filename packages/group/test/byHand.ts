/** An order at all members, whose messages arrive when a test says so: for rules, one by one. */
import type { Asks, Order } from "../src/internal/order.ts"

interface Sent<Stamp> {
  readonly stamp: Stamp
  readonly isControl: boolean
}

export class ByHand<State, Stamp> {
  /** Of each member, what it has sent, in order. */
  readonly sent: ReadonlyArray<Array<Sent<Stamp>>>
  /** Of each member, what was delivered to it: `0.1` is the first message of rank 0. */
  readonly delivered: ReadonlyArray<Array<string>>
  /** Notes that are on their way. */
  readonly notes: Array<{ readonly from: number; readonly to: number; readonly note: any }> = []
  readonly states: Array<State>
  private readonly order: Order<State, Stamp, any>
  private readonly received: ReadonlyArray<Array<number>>
  private readonly wantsLater = new Set<number>()

  constructor(order: Order<State, Stamp, any>, members: number) {
    const ranks = Array.from({ length: members }, (_, rank) => rank)
    this.order = order
    this.states = ranks.map((rank) => order.init(rank, members))
    this.sent = ranks.map(() => [])
    this.delivered = ranks.map(() => [])
    this.received = ranks.map(() => ranks.map(() => 0))
  }

  /** This member multicasts, and receives that itself: what its message carries. */
  send(rank: number): Stamp {
    const { state, stamp } = this.order.send(this.states[rank]!, this.sent[rank]!.length + 1, this.ask(rank))
    this.states[rank] = state
    this.take(rank, stamp, false)
    return stamp
  }

  /** The next message of a member, of either kind, arrives at another. */
  arrive(from: number, to: number): void {
    const sequence = ++this.received[to]![from]!
    const { isControl, stamp } = this.sent[from]![sequence - 1]!
    const message = { sequence, stamp }
    this.states[to] = this.order.receive(this.states[to]!, from, message, isControl, this.ask(to))
  }

  /** All that this member has sent arrives everywhere. */
  arriveAll(from: number): void {
    for (let to = 0; to < this.sent.length; to++) {
      while (this.received[to]![from]! < this.sent[from]!.length) this.arrive(from, to)
    }
  }

  /** Those who wanted to answer once all has been received do. */
  later(rank: number): void {
    if (!this.wantsLater.delete(rank)) return
    this.states[rank] = this.order.later!(this.states[rank]!, this.ask(rank))
  }

  /** A note arrives; without one told, the oldest that is on its way. */
  arriveNote(at = 0): void {
    const [{ from, note, to }] = this.notes.splice(at, 1) as [(typeof this.notes)[number]]
    this.states[to] = this.order.receiveNote!(this.states[to]!, from, note, this.ask(to))
  }

  tick(rank: number): void {
    this.states[rank] = this.order.tick!(this.states[rank]!, this.ask(rank))
  }

  flush(rank: number): void {
    this.order.flush(this.states[rank]!, this.ask(rank))
  }

  waiting(rank: number): number {
    return this.order.waiting(this.states[rank]!)
  }

  private take(rank: number, stamp: Stamp, isControl: boolean): void {
    this.sent[rank]!.push({ stamp, isControl })
    this.arrive(rank, rank)
  }

  private ask(rank: number): Asks<Stamp, any> {
    return {
      rank,
      members: this.sent.map((_, i) => `n${i + 1}`),
      deliver: (from, sequence) => {
        const before = this.sent[from]!.slice(0, sequence).filter(({ isControl }) => !isControl).length
        this.delivered[rank]!.push(`${from}.${before}`)
      },
      carried: (from, sequence) => {
        if (sequence > this.received[rank]![from]!) throw new Error(`message ${sequence} of ${from} is not received`)
        const { isControl, stamp } = this.sent[from]![sequence - 1]!
        return isControl ? undefined : stamp
      },
      // After the call under way.
      multicast: (stamp) => queueMicrotask(() => this.take(rank, stamp, true)),
      note: (to, note) => void this.notes.push({ from: rank, to, note }),
      later: () => void this.wantsLater.add(rank)
    }
  }
}
