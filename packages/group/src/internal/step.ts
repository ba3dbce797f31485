/**
 * One step of a kernel: a copy of the state that is changed while the step lasts, and is the next state at its end.
 *
 * Here is what every step needs: sending, receiving the next message of a stream, delivering, and knowing what is stable.
 */
import type { Protocol } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import type { Event as MulticastEvent, TransferEvent } from "../Multicast.ts"
import * as Log from "./log.ts"
import type { Options } from "./options.ts"
import type { Asks, Order } from "./order.ts"
import { initial, received, type State, type Stream, vector } from "./state.ts"
import type { Message, Numbered } from "./wire.ts"

export type Event<Payload> =
  | MulticastEvent<Payload>
  | TransferEvent
  /**
   * Nobody within reach has this message of a member, which has sent later ones. Neither it nor they are delivered, unless
   * it turns up after all.
   */
  | { readonly _tag: "Lost"; readonly from: NodeId.NodeId; readonly sequence: number }

export type Timer = "report" | "ask" | "tick" | "order"

export type Act<Payload> = Protocol.Actions<Message<Payload>, Event<Payload>, Timer, Options>

export type Mutable<A> = { -readonly [Key in keyof A]: A[Key] }

export class Step<Payload> implements Asks<any, unknown> {
  readonly act: Act<Payload>
  readonly options: Options
  readonly orders: Order<any, any, any>
  readonly s: Mutable<State<Payload, unknown>>
  private readonly before: State<Payload, unknown>
  /** What the order has asked to multicast, until the call to it has returned. */
  private controls: Array<unknown> = none
  private isFlushing = false
  /** Set where it is certain, so that nothing need be compared. */
  private isChanged = false

  constructor(orders: Order<any, any, any>, state: State<Payload, any>, act: Act<Payload>) {
    this.orders = orders
    this.before = state
    this.s = { ...state }
    this.act = act
    this.options = act.self.options
  }

  /** The next state: the same object where nothing has changed. */
  end(): State<Payload, any> {
    this.settleUniform()
    this.tellRoom()
    const { before, s } = this
    if (this.isChanged) return s
    for (const key in s) if (s[key as keyof State] !== before[key as keyof State]) return s
    return before
  }

  /** That stream, to be changed in this step. */
  stream(rank: number): Mutable<Stream<Payload>> {
    const { before, s } = this
    if (s.streams === before.streams) s.streams = s.streams.slice()
    const stream = s.streams[rank]!
    if (stream !== before.streams[rank]) return stream
    const copy = { ...stream }
    ;(s.streams as Array<Stream<Payload>>)[rank] = copy
    return copy
  }

  // ------------------------------------------------------------------------------------------------------ what orders ask

  get rank(): number {
    return this.s.rank
  }

  get members(): ReadonlyArray<NodeId.NodeId> {
    return this.s.view!.members
  }

  deliver(rank: number, sequence: number): void {
    if (!this.options.uniform || this.isFlushing) return this.hand(rank, sequence)
    this.s.decided = Log.append(this.s.decided, { rank, sequence, at: vector(this.s.streams) })
  }

  multicast(stamp: unknown): void {
    if (!this.mayUse()) return
    if (this.controls === none) this.controls = []
    this.controls.push(stamp)
  }

  note(rank: number, note: unknown): void {
    if (this.mayUse()) this.act.send(this.members[rank]!, { _tag: "Note", view: this.s.view!.number, note })
  }

  carried(rank: number, sequence: number): unknown {
    const message = Log.get(this.s.streams[rank]!.log, sequence)
    return message?._tag === "Data" ? message.stamp : undefined
  }

  later(): void {
    this.act.setTimer("order", 0)
  }

  // -------------------------------------------------------------------------------------------------- sending, receiving

  /** Whether this node may send: it has a view, which does not end yet. */
  mayUse(): boolean {
    return this.s.view !== undefined && this.s.flush === undefined
  }

  /** Whether a message may be received: at the end of a view, no more than what survivors have told of. */
  admits(rank: number, sequence: number): boolean {
    const { flush } = this.s
    return flush === undefined || (flush.cut !== undefined && sequence <= flush.cut[rank]!)
  }

  send(payload: Payload): void {
    const { s } = this
    const sequence = s.streams[s.rank]!.log.next
    const { stamp, state } = this.orders.send(s.order, sequence, this)
    s.order = state
    this.broadcast({ _tag: "Data", view: s.view!.number, life: s.life, sequence, stamp, payload })
    this.sendControls()
  }

  /** What orders have asked to multicast, now that none is being asked itself. */
  sendControls(): void {
    while (this.controls.length > 0) {
      const { controls, s } = this
      this.controls = none
      for (const stamp of controls) {
        const sequence = s.streams[s.rank]!.log.next
        this.broadcast({ _tag: "Control", view: s.view!.number, life: s.life, sequence, stamp })
      }
    }
  }

  private broadcast(message: Numbered<Payload>): void {
    this.act.sendAll(this.s.others, message)
    this.take(this.s.rank, message)
  }

  /** Receives the next message of a stream. */
  take(rank: number, message: Numbered<Payload>): void {
    const { s } = this
    this.isChanged = true
    const stream = this.stream(rank)
    stream.log = Log.append(stream.log, message)
    if (message.sequence > stream.known) stream.known = message.sequence
    this.raiseStable(rank)
    this.tickOn()
    const isControl = message._tag === "Control"
    if (isControl) this.settle(rank, message.sequence)
    s.order = this.orders.receive(s.order, rank, message, isControl, this)
  }

  // ------------------------------------------------------------------------------------------------------------ delivering

  /** Tells the application, once it has the state that this follows. */
  tell(event: Event<Payload>): void {
    if (this.s.joining === undefined) this.act.emit(event)
    else this.s.withheld = Log.append(this.s.withheld, event)
  }

  /** Gives the application a message. */
  private hand(rank: number, sequence: number): void {
    const stream = this.s.streams[rank]!
    const message = Log.get(stream.log, sequence)
    if (message === undefined || message._tag === "Control") {
      throw new Error(`the order delivers message ${sequence} of rank ${rank}, which is none, or was delivered before`)
    }
    const { payload, view } = message
    this.tell({ _tag: "Delivered", from: this.members[rank]!, sequence, view, payload })
    this.settle(rank, sequence)
  }

  /** Nothing is left to be done with this message. */
  private settle(rank: number, sequence: number): void {
    const { s } = this
    const stream = this.stream(rank)
    if (sequence !== stream.delivered + 1) {
      s.settled = [...s.settled, { rank, sequence }]
      return
    }
    stream.delivered = sequence
    if (s.settled.length > 0) {
      const isNext = (each: State["settled"][number]): boolean =>
        each.rank === rank && each.sequence === stream.delivered + 1
      for (let next = s.settled.find(isNext); next !== undefined; next = s.settled.find(isNext)) {
        stream.delivered++
        s.settled = s.settled.filter((each) => each !== next)
      }
    }
    trim(stream)
  }

  /** All survivors have received the same: gives the application what it has not been given. */
  flush(): void {
    const { s } = this
    for (const { rank, sequence } of Log.items(s.decided)) this.hand(rank, sequence)
    s.decided = Log.empty(0)
    this.isFlushing = true
    this.orders.flush(s.order, this)
    this.isFlushing = false
  }

  /** Gives the application what is decided and stable with all that decided it. */
  private settleUniform(): void {
    const { s } = this
    for (
      let next = Log.get(s.decided, s.decided.first);
      next !== undefined;
      next = Log.get(s.decided, s.decided.first)
    ) {
      const { at, rank, sequence } = next
      for (let i = 0; i < at.length; i++) if (s.streams[i]!.stable < at[i]!) return
      s.decided = Log.dropBefore(s.decided, s.decided.first + 1)
      this.hand(rank, sequence)
    }
  }

  // -------------------------------------------------------------------------------------------------------------- stability

  /** Takes note of what of this stream all members have by now. */
  raiseStable(rank: number): void {
    const { reports, streams, rank: self } = this.s
    const { stable } = streams[rank]!
    let least = received(streams[rank]!)
    for (let i = 0; i < reports.length; i++) {
      if (i === self || i === rank) continue
      const has = reports[i]![rank] ?? 0
      if (has <= stable) return
      if (has < least) least = has
    }
    if (least <= stable) return
    const stream = this.stream(rank)
    stream.stable = least
    this.s.quiet = 0
    trim(stream)
  }

  /** Sees to it that somebody looks whether what is under way arrives. */
  tickOn(): void {
    if (this.s.ticking) return
    this.s.ticking = true
    this.act.setTimer("tick", this.options.tickMillis)
  }

  // -------------------------------------------------------------------------------------------------------------------- room

  private tellRoom(): void {
    if (!this.s.full || room(this.s, this.options) === 0) return
    this.s.full = false
    this.act.emit({ _tag: "Room" })
  }

  /** Takes no part any more, and keeps nothing. */
  fail(reason: string): void {
    const { act, s } = this
    const { life, refused, view } = s
    Object.assign(s, initial, { life, refused, view, failed: reason })
    for (const timer of ["report", "ask", "tick", "order"] as const) act.clearTimer(timer)
    act.emit({ _tag: "Failed", reason })
  }
}

const none: Array<unknown> = []

/** How many messages this node may send now, or ask to be sent as soon as can be. */
export const room = (state: State, { window }: Options): number => {
  if (state.failed !== undefined) return 0
  const own = state.streams[state.rank]
  const underWay = own === undefined ? 0 : received(own) - own.stable
  return Math.max(0, window - underWay - state.queue.length)
}

/** Drops what nobody will ask for any more: a few at a time, or all at once. */
const trim = (stream: Mutable<Stream<unknown>>): void => {
  const { delivered, log, stable } = stream
  const upTo = Math.min(stable, delivered)
  if (upTo + 1 === log.next || upTo - log.first >= 16) stream.log = Log.dropBefore(log, upTo + 1)
}
