/** A receiver: what it knows of its senders, and how it hands their messages to its consumer. */
import { Effect, Exit } from "effect"
import { type ActorRef, MailboxFull } from "../../ActorRef.ts"
import { type Answer, type Behavior, make } from "../../Behavior.ts"
import type { MessageOf, Messages } from "../../Messages.ts"
import { inSpan, spanHere } from "../observed/here.ts"
import { told } from "../observed/Spans.ts"
import { bare, Told } from "../observed/Told.ts"
import type { Cell } from "../system/Cell.ts"
import { messageOf } from "../system/codecs.ts"
import { Mark } from "../system/envelopes.ts"
import { read } from "../system/reading.ts"
import { delivery, enter, type Entered, forgotten } from "./remembering.ts"
import { type Acks, type Inbox, inboxOf, serial, SessionForgotten, type Standing, TooManySessions } from "./wire.ts"

export interface Settings {
  readonly window: number
  readonly sessions: number
  readonly forgetMillis: number
}

type Deliver = MessageOf<Inbox, "Deliver">
type Open = MessageOf<Inbox, "Open">

/** What is known of a sender: a number for all that it has sent, and what came before its turn. */
interface Session {
  readonly id: number
  readonly life: number
  sender: ActorRef<Acks>
  /** The consumer is done with all below. */
  done: number
  /** The consumer was given all below. */
  taken: number
  /** Messages, each with the span in which it came where there is one. */
  readonly early: Map<number, unknown>
  /** The sender was told that it may send up to here. */
  limit: number
  isMarked: boolean
  heardMillis: number
}

const entered = "\0entered"
const handled = "\0handled"
const room = "\0room"
const gone = "\0gone"

class Receiving {
  private readonly cell: Cell
  private readonly consumer: Cell
  private readonly messages: Messages<any>
  private readonly settings: Settings
  /** Of this receiver; of one whose consumer remembers, each session has that of the consumer. */
  private readonly life: number
  /** The consumer keeps what it took with its state, and is asked for it. */
  private readonly remembers: boolean
  private readonly sessions = new Map<number, Session>()
  private waitsForRoom = false

  constructor(cell: Cell, consumer: Cell, messages: Messages<any>, settings: Settings) {
    this.cell = cell
    this.consumer = consumer
    this.messages = messages
    this.settings = settings
    this.remembers = enter in consumer.table
    this.life = serial(cell.random())
  }

  private get millis(): number {
    return this.cell.system.monotonicMillis()
  }

  // ----------------------------------------------------------------------------------------------------------- sessions

  onOpen(open: Open, answer: Answer<Standing, SessionForgotten | TooManySessions>): void {
    const known = this.sessions.get(open.session)
    if (known !== undefined) {
      known.sender = open.sender
      known.heardMillis = this.millis
      if (!this.remembers || known.done === known.taken) return answer.reply(this.standing(known))
      // It was handed more than it has told of: that may be lost with its disk.
    }
    if (this.remembers) {
      const { consumer, cell } = this
      const { first, life, session } = open
      const asked = consumer.ask({ _tag: enter, session, life, first })
      const tell = (exit: Exit.Exit<Entered, SessionForgotten>) => {
        if (cell.ending === undefined) cell.tell({ _tag: entered, open, answer, exit })
      }
      cell.system.fork(Effect.map(Effect.exit(asked), tell))
      return
    }
    const receiver = this.cell.path
    if (open.life === this.life) return answer.fail(new SessionForgotten({ receiver }))
    this.begin(open, answer, this.life, open.first)
  }

  /** The consumer has said how far it is. */
  onEntered(open: Open, answer: Answer<Standing, SessionForgotten | TooManySessions>, exit: Exit.Exit<Entered>): void {
    if (Exit.isSuccess(exit)) {
      // What is on its disk counts: what it was handed after that comes again, and is left out where it has it.
      const known = this.sessions.get(open.session)
      if (known !== undefined) {
        this.skip(known, Math.max(known.done, exit.value.next))
        return answer.reply(this.standing(known))
      }
      return this.begin(open, answer, exit.value.life, exit.value.next)
    }
    const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")?.error as unknown
    if (failure instanceof SessionForgotten) {
      this.close(open.session)
      answer.fail(new SessionForgotten({ receiver: this.cell.path }))
    }
    // The consumer could not say: the sender asks again.
  }

  private begin(
    { sender, session: id }: Open,
    answer: Answer<Standing, SessionForgotten | TooManySessions>,
    life: number,
    next: number
  ): void {
    if (!this.hasRoom()) {
      return answer.fail(new TooManySessions({ receiver: this.cell.path, sessions: this.settings.sessions }))
    }
    const shared = { id, life, sender, early: new Map(), isMarked: false }
    const session: Session = { ...shared, done: next, taken: next, limit: next, heardMillis: this.millis }
    this.sessions.set(id, session)
    answer.reply(this.standing(session))
  }

  /** Forgets who was silent for long, where there is no room. */
  private hasRoom(): boolean {
    if (this.sessions.size < this.settings.sessions) return true
    let oldest: Session | undefined
    for (const session of this.sessions.values()) {
      if (oldest === undefined || session.heardMillis < oldest.heardMillis) oldest = session
    }
    if (oldest === undefined || this.millis - oldest.heardMillis < this.settings.forgetMillis) return false
    return this.sessions.delete(oldest.id)
  }

  close(session: number): void {
    this.sessions.delete(session)
  }

  private standing(session: Session): Standing {
    const { done, early, life, taken } = session
    return { life, done, taken, early: [...early.keys()], limit: this.limitOf(session) }
  }

  /** As many as may be under way, and as the consumer has room for. */
  private limitOf(session: Session): number {
    const { consumer, settings } = this
    const free = Math.max(0, consumer.behavior.capacity - consumer.waiting)
    session.limit = Math.max(session.taken, Math.min(session.done + settings.window, session.taken + free))
    if (free === 0) this.waitForRoom()
    return session.limit
  }

  // ------------------------------------------------------------------------------------------------------------ messages

  onDeliver({ body, first, number, session: id }: Deliver): void {
    const session = this.sessions.get(id)
    // Who is not known asks, in time, and hears why.
    if (session === undefined) return
    // An earlier life of this receiver was done with more than this one was told of.
    if (first > session.taken && !this.remembers) this.skip(session, first)
    if (number < session.taken || session.early.has(number)) return this.tellDone(session)
    if (number >= session.done + this.settings.window) return
    const message = this.understood(session, number, body)
    if (message === undefined) return
    const hadGap = session.early.size > 0
    const span = spanHere()
    session.early.set(number, span === undefined ? message : told(message, span))
    this.pump(session)
    if (!hadGap && session.early.size > 0) this.tellDone(session)
  }

  /** All below are done with, and it goes on from there. */
  private skip(session: Session, first: number): void {
    session.done = session.taken = first
    for (const number of session.early.keys()) if (number < first) session.early.delete(number)
  }

  onPass({ body, number, sender, session }: MessageOf<Inbox, "Pass">): void {
    // Its sender tries again.
    if (this.consumer.isFull) return
    const message = this.understood({ id: session, sender }, number, body)
    if (message === undefined) return
    this.consumer.tell(message)
    this.putMark(() => say(sender, { _tag: "Took", session, number }))
  }

  private understood(from: Pick<Session, "id" | "sender">, number: number, body: unknown): unknown {
    const { remote } = this.cell.system
    if (remote === undefined || !(body instanceof Uint8Array)) return body
    try {
      return read(remote, messageOf(this.messages), { bytes: body })
    } catch (error) {
      const reason = `message ${number} of its sender: ${String(error)}`
      say(from.sender, { _tag: "Refused", session: from.id, number, reason })
      return undefined
    }
  }

  /** Hands on what has its turn, as far as there is room. */
  private pump(session: Session): void {
    const { consumer } = this
    for (let next = session.early.get(session.taken); next !== undefined; next = session.early.get(session.taken)) {
      if (consumer.isFull) return this.waitForRoom()
      session.early.delete(session.taken)
      this.hand(session, session.taken++, next)
    }
    if (!this.remembers) this.mark(session)
  }

  private hand(session: Session, number: number, taken: unknown): void {
    const { cell, consumer } = this
    const message = bare(taken)
    const span = taken instanceof Told ? taken.span : undefined
    if (!this.remembers) return inSpan(span, () => consumer.tell(message))
    const done = (next: number, isGap: boolean): void => {
      if (cell.ending === undefined) inSpan(undefined, () => cell.tell({ _tag: handled, session, next, isGap }))
    }
    inSpan(span, () => consumer.tell({ _tag: delivery, session: session.id, number, message, done }))
  }

  /** One at a time: what is handed on meanwhile shares the next. */
  private mark(session: Session): void {
    if (session.isMarked || session.done === session.taken) return
    session.isMarked = true
    const { cell } = this
    const next = session.taken
    this.putMark(() => {
      if (cell.ending === undefined) cell.tell({ _tag: handled, session, next, isGap: false })
    })
  }

  /** One that has moved to another node is sent what is for it, and loses none on the way. */
  private putMark(reached: () => void): void {
    if (this.consumer.status === "moved") reached()
    else this.consumer.deliver(new Mark(reached))
  }

  onHandled(session: Session, next: number, isGap: boolean): void {
    if (next === forgotten) return this.close(session.id)
    session.isMarked = false
    session.heardMillis = this.millis
    if (next > session.done) session.done = next
    const missing = isGap ? session.taken : 0
    // The consumer failed, and knows of none from there on, but for those that it was handed anew since.
    if (isGap) session.taken = next
    if (session.taken < session.done) this.skip(session, session.done)
    this.pump(session)
    this.tellDone(session, missing)
  }

  private tellDone(session: Session, missing = 0): void {
    if (this.sessions.get(session.id) !== session) return
    const { done, early, id, sender } = session
    let below = missing
    if (below === 0 && early.size > 0) below = Math.min(...early.keys())
    say(sender, { _tag: "Done", session: id, done, limit: this.limitOf(session), missing: below })
  }

  // ---------------------------------------------------------------------------------------------------------------- room

  private waitForRoom(): void {
    if (this.waitsForRoom) return
    this.waitsForRoom = true
    const { cell } = this
    this.consumer.rarely().room.push(() => {
      if (cell.ending === undefined) cell.tell({ _tag: room })
    })
  }

  onRoom(): void {
    this.waitsForRoom = false
    for (const session of this.sessions.values()) {
      const { limit } = session
      this.pump(session)
      if (this.limitOf(session) > limit) this.tellDone(session)
    }
  }
}

/** As if it were lost, where there is no room. It is part of no chain: one tells of many messages. */
const say = (sender: ActorRef<Acks>, ack: MessageOf<Acks>): void => {
  try {
    inSpan(undefined, () => sender.tell(ack))
  } catch (error) {
    if (!(error instanceof MailboxFull)) throw error
  }
}

/** In front of an actor of the same process. */
export const behaviorOf = (messages: Messages<any>, consumer: Cell, settings: Settings): Behavior<Inbox> => {
  const behavior = make(inboxOf(messages), {
    init: (self): Receiving => {
      self.watch(consumer, () => ({ _tag: gone }) as never)
      return new Receiving(self as unknown as Cell, consumer, messages, settings)
    },
    on: {
      Open: (receiving, open, self) => {
        const answer = self.defer()
        receiving.onOpen(open, answer)
        return { state: receiving, later: answer }
      },
      Deliver: (receiving, deliver) => {
        receiving.onDeliver(deliver)
        return receiving
      },
      Pass: (receiving, pass) => {
        receiving.onPass(pass)
        return receiving
      },
      Close: (receiving, { session }) => {
        receiving.close(session)
        return receiving
      }
    }
  })
  const plain = (handle: (receiving: Receiving, message: any, self: any) => void) => ({
    isAsk: false,
    handle: (receiving: Receiving, message: unknown, self: unknown) => {
      handle(receiving, message, self)
      return receiving
    }
  })
  const own = {
    [entered]: plain((receiving, { answer, exit, open }) => receiving.onEntered(open, answer, exit)),
    [handled]: plain((receiving, { isGap, next, session }) => receiving.onHandled(session, next, isGap)),
    [room]: plain((receiving) => receiving.onRoom()),
    [gone]: plain((_, __, self) => self.stop())
  }
  return { ...behavior, table: { ...behavior.table, ...own } }
}
