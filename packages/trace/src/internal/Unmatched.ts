import type { VectorClock } from "../Trace.ts"

export interface Send {
  readonly id: number
  readonly message: unknown
  readonly clock?: VectorClock
}

/**
 * Sends that no receipt was matched with yet, by link and actor. Holds up to `capacity`; one more, and what is unmatched
 * on the links so far is forgotten.
 */
export class Unmatched {
  private readonly byActor = new Map<string, Map<string, Map<string, Queue>>>()
  private readonly capacity: number
  private held = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  add(actor: string, from: string, to: string, send: Send): void {
    if (this.held >= this.capacity) {
      this.byActor.clear()
      this.held = 0
    }
    this.held++
    let bySender = this.byActor.get(actor)
    if (bySender === undefined) this.byActor.set(actor, (bySender = new Map()))
    let byReceiver = bySender.get(from)
    if (byReceiver === undefined) bySender.set(from, (byReceiver = new Map()))
    const queue = byReceiver.get(to)
    if (queue === undefined) byReceiver.set(to, { sends: [send], first: 0 })
    else queue.sends.push(send)
  }

  /** The first such send of an equal message, which is then matched. */
  take(actor: string, from: string, to: string, message: unknown): Send | undefined {
    const queue = this.byActor.get(actor)?.get(from)?.get(to)
    if (queue === undefined) return undefined
    const { first, sends } = queue
    for (let at = first; at < sends.length && at < first + lookAhead; at++) {
      const send = sends[at]!
      if (!isEqual(send.message, message)) continue
      if (at === first) queue.first++
      else sends.splice(at, 1)
      // What was taken goes when it is half of all, so that taking is cheap and memory bounded.
      if (queue.first > 32 && queue.first * 2 > sends.length) {
        sends.splice(0, queue.first)
        queue.first = 0
      }
      this.held--
      return send
    }
    return undefined
  }
}

interface Queue {
  readonly sends: Array<Send>
  first: number
}

/** How many unmatched sends a receipt is held against: a link that loses much is not searched for ever longer. */
const lookAhead = 256

/** Of plain data. */
const isEqual = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  for (const key of keys) {
    if (!Object.hasOwn(b, key) || !isEqual((a as any)[key], (b as any)[key])) return false
  }
  return true
}
