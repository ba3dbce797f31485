/** A trace of deliveries, indexed: messages and lives are numbers. */
import { type Event, type Id, MalformedDeliveries, type Trace, type Verdict } from "./Trace.ts"

/** A message that was sent. */
export interface Message {
  readonly name: string
  /** The index of the life that sent it. */
  readonly sender: number
  /** Among the messages of that life, from 0. */
  readonly ordinal: number
  /** The index of its `Send` in the node's events. */
  readonly at: number
  /** The view in which it is delivered; `unknown` where nobody delivered it and the sender may have meant one of several. */
  view: number
}

export const unknown = -1

/** What nobody sent has no message. */
export const nobody = -1

/** A node from a start to its crash, or to the end. */
export interface Life {
  readonly node: string
  /** From 0. */
  readonly number: number
  readonly sent: Array<number>
  /** What it was delivered: numbers of messages, `nobody`'s too. */
  readonly delivered: Array<number>
  /** Of each delivery, the index of its event, and the view it was in. */
  readonly deliveredAt: Array<number>
  readonly deliveredIn: Array<number>
  readonly views: Array<{ readonly number: number; readonly at: number }>
  /** The index of the `Crash`, or of the end. */
  end: number
  crashed: boolean
}

export const ok: Verdict = { _tag: "Ok" }

export class Run {
  readonly lives: Array<Life> = []
  readonly messages: Array<Message> = []
  /** Whether anybody was told of a view. Where nobody was, all is one view, of number 0. */
  readonly hasViews: boolean
  /** The members of each view, as whoever is first in the trace was told. */
  readonly members = new Map<number, ReadonlySet<string>>()
  private readonly trace: Trace
  private readonly numbers = new Map<string, number>()
  private readonly delivering: ReadonlyArray<ReadonlySet<number>>
  /** After a view, the lowest that one of its members went on to. */
  private readonly next = new Map<number, number>()
  private readonly last: ReadonlySet<string>
  private readonly latest: ReadonlyMap<string, Life>

  constructor(trace: Trace) {
    this.trace = trace
    for (const [node, events] of trace) this.readSends(node, events)
    for (const [node, events] of trace) this.readRest(node, events)
    this.hasViews = this.members.size > 0
    this.latest = new Map(this.lives.map((life) => [life.node, life]))
    this.last = this.members.get(Math.max(...this.members.keys())) ?? new Set()
    for (const { views } of this.lives) {
      for (let i = 1; i < views.length; i++) {
        const { number } = views[i - 1]!
        this.next.set(number, Math.min(this.next.get(number) ?? Infinity, views[i]!.number))
      }
    }
    this.delivering = this.lives.map(({ delivered }) => new Set(delivered))
    this.placeMessages()
  }

  // ------------------------------------------------------------------------------------------------------- questions

  event(life: Life, at: number): Event {
    return this.trace.get(life.node)![at]!
  }

  hasDelivered(life: number, message: number): boolean {
    return this.delivering[life]!.has(message)
  }

  /** Up at the end and, where there are views, in the last of them. */
  isCorrect(life: Life): boolean {
    return !life.crashed && this.latest.get(life.node) === life && (!this.hasViews || this.last.has(life.node))
  }

  /** Whether it was in this view and has gone on with the others, or is in it at the end. */
  survived(life: Life, view: number): boolean {
    if (!this.hasViews) return this.isCorrect(life)
    const at = life.views.findLastIndex(({ number }) => number === view)
    if (at < 0) return false
    const next = this.next.get(view)
    if (at === life.views.length - 1) return this.isCorrect(life) && (next === undefined || this.isIn(life, next))
    return life.views[at + 1]!.number === next || this.isIn(life, next!)
  }

  isIn(life: Life, view: number): boolean {
    return this.members.get(view)?.has(life.node) ?? false
  }

  /** Whether this life must have delivered, at the end, what others delivered in this view. */
  isObliged(life: Life, view: number): boolean {
    return this.isCorrect(life) && (this.hasViews ? this.survived(life, view) : life.number === 0)
  }

  name(message: number): string {
    return this.messages[message]!.name
  }

  node(life: number): string {
    return this.lives[life]!.node
  }

  sender(message: number): string {
    return this.node(this.messages[message]!.sender)
  }

  violated(rule: string, life: Life, index: number, reason: string): Verdict {
    return { _tag: "Violated", rule, node: life.node, index, reason }
  }

  // ---------------------------------------------------------------------------------------------------------- reading

  private begin(node: string, number: number): Life {
    const life: Life = {
      node,
      number,
      sent: [],
      delivered: [],
      deliveredAt: [],
      deliveredIn: [],
      views: [],
      end: 0,
      crashed: false
    }
    this.lives.push(life)
    return life
  }

  private readSends(node: string, events: ReadonlyArray<Event>): void {
    let life = this.begin(node, 0)
    events.forEach((event, at) => {
      if (event._tag === "Crash") {
        life.crashed = true
        life.end = at
        // A crash at the end is followed by no life.
        if (at < events.length - 1) life = this.begin(node, life.number + 1)
      } else if (event._tag === "Send") {
        const name = text(event.id)
        if (this.numbers.has(name)) {
          const first = this.sender(this.numbers.get(name)!)
          throw new MalformedDeliveries({ node, index: at, reason: `${name} was sent already, by ${first}.` })
        }
        this.numbers.set(name, this.messages.length)
        life.sent.push(this.messages.length)
        const sender = this.lives.length - 1
        this.messages.push({ name, sender, ordinal: life.sent.length - 1, at, view: unknown })
      }
    })
    if (!life.crashed) life.end = events.length
  }

  private readRest(node: string, events: ReadonlyArray<Event>): void {
    let at = this.lives.findIndex((life) => life.node === node)
    let view = 0
    events.forEach((event, index) => {
      const life = this.lives[at]!
      if (event._tag === "Crash") {
        at++
        view = 0
      } else if (event._tag === "View") {
        view = event.number
        life.views.push({ number: view, at: index })
        if (!this.members.has(view)) this.members.set(view, new Set(event.members))
      } else if (event._tag === "Deliver") {
        life.delivered.push(this.numbers.get(text(event.id)) ?? nobody)
        life.deliveredAt.push(index)
        life.deliveredIn.push(view)
      } else if (event._tag !== "Send") {
        throw new MalformedDeliveries({ node, index, reason: `it is no event: ${JSON.stringify(event)}` })
      }
    })
  }

  /** Finds the view of each message: where it was delivered or, where nobody did, between its sender's others. */
  private placeMessages(): void {
    for (const { delivered, deliveredIn } of this.lives) {
      delivered.forEach((message, at) => {
        if (message === nobody) return
        const { view } = this.messages[message]!
        if (view === unknown) this.messages[message]!.view = deliveredIn[at]!
      })
    }
    for (const { sent, views } of this.lives) {
      let upper = views.at(-1)?.number ?? 0
      const uppers = sent.map(() => 0)
      for (let i = sent.length - 1; i >= 0; i--) {
        const { view } = this.messages[sent[i]!]!
        if (view !== unknown) upper = view
        uppers[i] = upper
      }
      let lower = 0
      let viewAt = 0
      sent.forEach((number, i) => {
        const message = this.messages[number]!
        while (viewAt < views.length && views[viewAt]!.at < message.at) lower = Math.max(lower, views[viewAt++]!.number)
        if (message.view === unknown && lower === uppers[i]) message.view = lower
        lower = Math.max(lower, message.view)
      })
    }
  }
}

const text = (id: Id): string =>
  typeof id === "string"
    ? id
    : id.view === undefined
      ? `${id.from}/${id.sequence}`
      : `${id.view}/${id.from}/${id.sequence}`
