/**
 * The messages of a sender that are not acknowledged, by their numbers, and what of them is kept on disk.
 *
 * Numbers below `first` are done with, those from `next` on are not given yet; those below `sent` went out in this session
 * of the receiver's, and those from `stored` on are not on disk yet.
 */
import { Schema, type Tracer } from "effect"
import type { Durable } from "../../Protocol.ts"

export interface Kept {
  /** Bytes or, for a receiver in the same process, the message. */
  readonly body: unknown
  /** Of a durable sender: how it stands in the log. */
  readonly json: string
  /** In which it was sent: it stands below that whenever it goes out. */
  readonly span?: Tracer.AnySpan | undefined
}

export class Outbox {
  session = 0
  /** Of the receiver, as far as it is known. */
  life = 0
  first = 1
  next = 1
  sent = 1
  stored = 1
  /** Below it the receiver takes messages. */
  limit = 1
  readonly entries = new Map<number, Kept>()

  add(kept: Kept): number {
    this.entries.set(this.next, kept)
    return this.next++
  }

  /** All below are done with; how many those are. */
  done(below: number): number {
    const before = this.entries.size
    for (; this.first < below && this.first < this.next; this.first++) this.entries.delete(this.first)
    if (this.sent < this.first) this.sent = this.first
    return before - this.entries.size
  }

  /** This one is done with, in whichever order. */
  took(number: number): boolean {
    const isNew = this.entries.delete(number)
    while (this.first < this.next && !this.entries.has(this.first)) this.first++
    if (this.sent < this.first) this.sent = this.first
    return isNew
  }
}

/** The layout of records, for good: messages are JSON, so that a later program reads them. */
export const Record = Schema.Struct({
  kind: Schema.Literals(["session", "life", "first", "sent", "done", "took"]),
  number: Schema.Int,
  json: Schema.String
})
export type Record = typeof Record.Type

export const record = (kind: Record["kind"], number: number, json = ""): Record => ({ kind, number, json })

const restore = (outbox: Outbox, { json, kind, number }: Record): Outbox => {
  switch (kind) {
    case "session":
      outbox.session = number
      break
    case "life":
      outbox.life = number
      break
    case "first":
      outbox.first = outbox.next = outbox.sent = number
      break
    case "sent":
      outbox.entries.set(number, { body: undefined, json })
      outbox.next = number + 1
      break
    case "done":
      outbox.done(number)
      break
    case "took":
      outbox.took(number)
  }
  outbox.stored = outbox.next
  return outbox
}

export const durable: Durable<Outbox, Record> = {
  record: Record,
  restore,
  compact: ({ entries, first, life, next, session }) => {
    // Now, not bit by bit: it changes meanwhile.
    const records = [
      record("session", session),
      record("life", life),
      record("first", entries.size === 0 ? next : first)
    ]
    for (const [number, { json }] of entries) records.push(record("sent", number, json))
    return records
  }
}
