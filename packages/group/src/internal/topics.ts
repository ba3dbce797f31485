/** The topics of a service: to whom what is delivered goes, and what waits for topics that are not open. */
import { type Channel, Codec } from "@troupe/transport"
import { Cause, Schema } from "effect"
import { type Counters, type Delivery, type Event, type Transfer, Undecodable } from "../Multicast.ts"
import { messageOf, type Payload, topicOf } from "./envelope.ts"

type Delivered = Extract<Event<Payload>, { readonly _tag: "Delivered" }>

/** A topic that is open. */
export interface Entry {
  readonly channel: Channel.Channel<any>
  readonly deliver: (delivery: Delivery<any>) => void
  readonly transfer: { readonly codec: Codec.Codec<any>; readonly of: Transfer<any> } | undefined
  /** What came before it was opened, until that is delivered; what comes meanwhile joins it. */
  waiting: Array<Delivered> | undefined
}

const Snapshot = Codec.binary(Schema.Array(Schema.Struct({ topic: Schema.String, state: Schema.Uint8Array })))

export class Topics {
  private readonly entries = new Map<string, Entry>()
  private readonly held = new Map<string, Array<Delivered>>()
  /** States of topics that are not open yet. */
  private readonly states = new Map<string, Uint8Array>()
  private heldCount = 0
  private readonly maxHeld: number
  private readonly counters: Counters
  private readonly seams: { readonly node: () => string; readonly log: (what: string, cause: unknown) => void }

  constructor(
    maxHeld: number,
    counters: Counters,
    seams: { readonly node: () => string; readonly log: (what: string, cause: unknown) => void }
  ) {
    this.maxHeld = maxHeld
    this.counters = counters
    this.seams = seams
  }

  /** `undefined` where it is open already. What waits for it is delivered by `drain`. */
  open(
    channel: Channel.Channel<any>,
    deliver: (delivery: Delivery<any>) => void,
    transfer: Transfer<any> | undefined
  ): Entry | undefined {
    if (this.entries.has(channel.name)) return undefined
    const entry: Entry = {
      channel,
      deliver,
      transfer: transfer === undefined ? undefined : { codec: Codec.binary(transfer.schema), of: transfer },
      waiting: this.held.get(channel.name)
    }
    this.held.delete(channel.name)
    this.heldCount -= entry.waiting?.length ?? 0
    this.entries.set(channel.name, entry)
    return entry
  }

  close({ channel }: Entry): void {
    this.entries.delete(channel.name)
  }

  /** Gives a topic that was opened what came before. */
  drain(entry: Entry): void {
    const state = this.states.get(entry.channel.name)
    this.states.delete(entry.channel.name)
    if (state !== undefined) this.installOne(entry, state)
    if (entry.waiting === undefined) return
    // Its handler may send, and so bring about further deliveries.
    for (let i = 0; i < entry.waiting.length; i++) this.give(entry, entry.waiting[i]!)
    entry.waiting = undefined
  }

  dispatch(event: Delivered): void {
    let topic: string
    try {
      topic = topicOf(event.payload)
    } catch (error) {
      return this.refuse(event.from, "", error)
    }
    const entry = this.entries.get(topic)
    if (entry === undefined) this.hold(topic, event)
    else if (entry.waiting !== undefined) entry.waiting.push(event)
    else this.give(entry, event)
  }

  private hold(topic: string, event: Delivered): void {
    if (this.heldCount >= this.maxHeld) {
      if (this.counters.unopened++ === 0) {
        const what = `topic "${topic}" is not open, and ${this.maxHeld} messages wait for such: further ones are dropped`
        this.seams.log(what, undefined)
      }
      return
    }
    this.heldCount++
    const held = this.held.get(topic)
    if (held === undefined) this.held.set(topic, [event])
    else held.push(event)
  }

  private give(entry: Entry, { from, payload, sequence, view }: Delivered): void {
    let message: unknown
    try {
      message = messageOf(payload, entry.channel.codec)
    } catch (error) {
      return this.refuse(from, entry.channel.name, error)
    }
    this.counters.delivered++
    try {
      entry.deliver({ from, sequence, view, message })
    } catch (defect) {
      this.seams.log(`the handler of topic "${entry.channel.name}" threw`, Cause.die(defect))
    }
  }

  private refuse(from: string, topic: string, error: unknown): void {
    this.counters.undecodable++
    const refused = new Undecodable({ node: this.seams.node(), from, topic, reason: String(error) })
    this.seams.log(refused.message, Cause.fail(refused))
  }

  // ---------------------------------------------------------------------------------------------- state for those who join

  /** The states of all topics that have one. */
  snapshot(): Uint8Array {
    const parts: Array<{ readonly topic: string; readonly state: Uint8Array }> = []
    for (const { channel, transfer } of this.entries.values()) {
      if (transfer === undefined) continue
      try {
        const state = Codec.encode(transfer.codec, transfer.of.snapshot())
        parts.push({ topic: channel.name, state })
      } catch (defect) {
        this.seams.log(`no state of topic "${channel.name}" goes to those who join`, Cause.die(defect))
      }
    }
    // Of topics that this node was given a state of and has not opened.
    for (const [topic, state] of this.states) parts.push({ topic, state })
    return Codec.encode(Snapshot, parts as never)
  }

  install(bytes: Uint8Array): void {
    let parts: ReadonlyArray<{ readonly topic: string; readonly state: Uint8Array }>
    try {
      parts = Codec.decode(Snapshot, bytes)
    } catch (error) {
      return this.seams.log("the state that this node was given on joining is none", Cause.fail(error))
    }
    for (const { topic, state } of parts) {
      const entry = this.entries.get(topic)
      if (entry === undefined || entry.waiting !== undefined) this.states.set(topic, state)
      else this.installOne(entry, state)
    }
  }

  private installOne({ channel, transfer }: Entry, state: Uint8Array): void {
    if (transfer === undefined) return
    try {
      transfer.of.install(Codec.decode(transfer.codec, state))
    } catch (defect) {
      this.seams.log(`the state of topic "${channel.name}" could not be installed`, Cause.die(defect))
    }
  }
}
