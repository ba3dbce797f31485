/** In which order what is delivered comes. */
import type { Verdict } from "./Trace.ts"
import { type Life, nobody, ok, type Run } from "./Run.ts"

// ----------------------------------------------------------------------------------------------------------------- FIFO

export const fifo = (run: Run): Verdict => {
  for (const life of run.lives) {
    /** Of each sender, how many of its messages are behind the latest that was delivered, this one counted. */
    const have = new Map<number, number>()
    for (let i = 0; i < life.delivered.length; i++) {
      const number = life.delivered[i]!
      if (number === nobody) continue
      const { name, ordinal, sender, view } = run.messages[number]!
      const from = have.get(sender) ?? 0
      // One that came before is another rule's matter, unless it comes now for the first time: then it was skipped.
      if (ordinal < from) {
        const later = run.lives[sender]!.sent[from - 1]!
        if (life.delivered.indexOf(number) < i) continue
        return wrong(run, life, i, "FIFO order", `${run.name(later)} before ${name}, which`)
      }
      const gap = firstOf(run, sender, from, ordinal, view)
      if (gap !== undefined && isAsked(run, life)) {
        return wrong(run, life, i, "FIFO order", `${name} before ${run.name(gap)}, which`)
      }
      have.set(sender, ordinal + 1)
    }
  }
  return ok
}

const wrong = (run: Run, life: Life, i: number, rule: string, what: string): Verdict => {
  const sender = run.sender(life.delivered[i]!)
  return run.violated(rule, life, life.deliveredAt[i]!, `${life.node} delivers ${what} ${sender} sent before it.`)
}

/** The first message of a sender from ordinal `from` up to `to` that belongs to this view. */
const firstOf = (run: Run, sender: number, from: number, to: number, view: number): number | undefined => {
  const { sent } = run.lives[sender]!
  for (let ordinal = from; ordinal < to; ordinal++) {
    if (run.messages[sent[ordinal]!]!.view === view) return sent[ordinal]!
  }
  return undefined
}

/** Whether a gap is one: who has come back, where nobody tells of views, may have missed anything. */
const isAsked = (run: Run, life: Life): boolean => run.hasViews || life.number === 0

// --------------------------------------------------------------------------------------------------------------- causal

export const causal = (run: Run): Verdict => new CausalOrder(run).check()

/**
 * Goes through the events of all lives in an order in which sends come before their deliveries. What came before a message
 * is a vector: of each sender, how many of its messages.
 */
class CausalOrder {
  private readonly run: Run
  private readonly past: Array<Int32Array | undefined>
  private readonly readers: Array<Reader>
  /** Lives that wait for the send of a message. */
  private readonly waiting = new Map<number, Array<Reader>>()

  constructor(run: Run) {
    this.run = run
    this.past = run.messages.map(() => undefined)
    const size = run.lives.length
    this.readers = run.lives.map((life, index) => ({
      life,
      index,
      sent: 0,
      delivered: 0,
      clock: new Int32Array(size),
      covered: new Int32Array(size),
      have: new Int32Array(size),
      seen: new Set()
    }))
  }

  check(): Verdict {
    const ready = [...this.readers]
    for (let reader = ready.pop(); reader !== undefined; reader = ready.pop()) {
      const verdict = this.advance(reader, ready)
      if (verdict !== ok) return verdict
    }
    for (const [message, [reader]] of this.waiting) return this.circle(reader!, message)
    return ok
  }

  private advance(reader: Reader, ready: Array<Reader>): Verdict {
    const { life } = reader
    for (;;) {
      const send = life.sent[reader.sent]
      const delivery = life.deliveredAt[reader.delivered]
      if (send !== undefined && (delivery === undefined || this.run.messages[send]!.at < delivery)) {
        this.past[send] = reader.clock.slice()
        reader.clock[reader.index] = ++reader.sent
        ready.push(...(this.waiting.get(send) ?? []))
        this.waiting.delete(send)
      } else if (delivery !== undefined) {
        const message = life.delivered[reader.delivered]!
        const past = message === nobody ? none : this.past[message]
        if (past === undefined) {
          const others = this.waiting.get(message)
          if (others === undefined) this.waiting.set(message, [reader])
          else others.push(reader)
          return ok
        }
        if (message !== nobody) {
          const verdict = this.deliver(reader, message, past)
          if (verdict !== ok) return verdict
        }
        reader.delivered++
      } else return ok
    }
  }

  private deliver(reader: Reader, message: number, past: Int32Array): Verdict {
    const { clock, covered, have, life, seen } = reader
    if (seen.has(message)) return ok
    const { ordinal, sender, view } = this.run.messages[message]!
    if (ordinal < covered[sender]!) return this.late(reader, message)
    if (isAsked(this.run, life)) {
      for (let other = 0; other < past.length; other++) {
        if (past[other]! <= have[other]!) continue
        const missing = firstOf(this.run, other, have[other]!, past[other]!, view)
        if (missing !== undefined) return this.outOfOrder(reader, message, missing)
        // What belongs to views before this one is asked for no more.
        have[other] = past[other]!
      }
    }
    for (let other = 0; other < past.length; other++) {
      covered[other] = Math.max(covered[other]!, past[other]!)
      clock[other] = Math.max(clock[other]!, past[other]!)
    }
    have[sender] = Math.max(have[sender]!, ordinal + 1)
    covered[sender] = Math.max(covered[sender]!, ordinal + 1)
    clock[sender] = Math.max(clock[sender]!, ordinal + 1)
    seen.add(message)
    return ok
  }

  /** The message comes when one has been delivered that came after it. */
  private late(reader: Reader, message: number): Verdict {
    const { ordinal, sender } = this.run.messages[message]!
    const later = [...reader.seen].find((each) => this.past[each]![sender]! > ordinal)!
    return this.outOfOrder(reader, later, message)
  }

  private outOfOrder({ delivered, life }: Reader, later: number, earlier: number): Verdict {
    const { run } = this
    const [first, second] = [
      `${run.name(earlier)} of ${run.sender(earlier)}`,
      `${run.name(later)} of ${run.sender(later)}`
    ]
    const reason = `${life.node} delivers ${second} before ${first}, which came before it.`
    return run.violated("causal order", life, life.deliveredAt[delivered]!, reason)
  }

  private circle({ delivered, life }: Reader, message: number): Verdict {
    const { run } = this
    const reason = `${life.node} delivers ${run.name(message)} before ${run.sender(message)} can have sent it: each came before the other.`
    return run.violated("causal order", life, life.deliveredAt[delivered]!, reason)
  }
}

interface Reader {
  readonly life: Life
  readonly index: number
  /** How far it is read. */
  sent: number
  delivered: number
  /** What came before the next event. */
  readonly clock: Int32Array
  /** What came before something that was delivered, that counted. */
  readonly covered: Int32Array
  /** Of each sender, how many messages are delivered, or are asked for no more. */
  readonly have: Int32Array
  readonly seen: Set<number>
}

const none = new Int32Array(0)

// ---------------------------------------------------------------------------------------------------------------- total

/** `uniformly`: deliveries of those count too that did not survive. */
export const total = (run: Run, uniformly: boolean): Verdict => {
  const sequences = run.lives.map((life) => sequence(run, life, uniformly))
  const place = new Int32Array(run.messages.length)
  let found: { readonly a: number; readonly b: number; readonly disorder: Disorder } | undefined
  for (let a = 0; a < sequences.length; a++) {
    place.fill(-1)
    sequences[a]!.forEach(({ message }, at) => (place[message] = at))
    for (let b = a + 1; b < sequences.length; b++) {
      const disorder = inverted(sequences[b]!, place)
      if (disorder !== undefined && disorder.at < (found?.disorder.at ?? Infinity)) found = { a, b, disorder }
    }
  }
  if (found === undefined) return ok
  const { a, b, disorder } = found
  const [first, second] = [run.name(disorder.first), run.name(disorder.second)]
  const reason = `${run.node(b)} delivers ${first} before ${second}, ${run.node(a)} ${second} before ${first}.`
  return run.violated("total order", run.lives[b]!, disorder.at, reason)
}

interface Place {
  readonly message: number
  readonly at: number
}

interface Disorder {
  readonly first: number
  readonly second: number
  readonly at: number
}

/** What a life delivers, each message once, as far as it counts. */
const sequence = (run: Run, life: Life, uniformly: boolean): ReadonlyArray<Place> => {
  const places: Array<Place> = []
  const seen = new Set<number>()
  let view: number | undefined
  let counts = true
  life.delivered.forEach((message, i) => {
    if (message === nobody || seen.has(message)) return
    seen.add(message)
    if (!uniformly && life.deliveredIn[i] !== view) {
      view = life.deliveredIn[i]!
      counts = run.survived(life, view)
    }
    if (counts) places.push({ message, at: life.deliveredAt[i]! })
  })
  return places
}

/** The first two messages of a sequence that have their places in the other one the other way around. */
const inverted = (sequence: ReadonlyArray<Place>, place: Int32Array): Disorder | undefined => {
  let last: Place | undefined
  for (const each of sequence) {
    if (place[each.message]! < 0) continue
    if (last !== undefined && place[each.message]! < place[last.message]!) {
      return { first: last.message, second: each.message, at: each.at }
    }
    last = each
  }
  return undefined
}
