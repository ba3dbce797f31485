/**
 * Where messages arrive at a node: its open channels, and what it sends to itself. Handlers are called from here only,
 * one at a time.
 */
import type { Scheduler } from "effect"
import type { Channel } from "../../Channel.ts"
import type { NodeId } from "../../NodeId.ts"
import type { Receive } from "../../Transport.ts"
import { readUint16, readUint32 } from "../frames.ts"
import { channelNumber, codecNumber, messageHeaderBytes } from "./packet.ts"
import type { PacketReports } from "./PacketReports.ts"

/** An open channel. */
export interface Port {
  readonly channel: Channel<any>
  readonly number: number
  readonly codecNumber: number
  readonly receive: Receive<any>
}

/** How many messages of the node to itself are handed over before others get their turn. */
const messagesPerTurn = 4096

export class Inbox {
  private readonly ports = new Map<number, Port>()
  private readonly self: NodeId
  private readonly selfMessages: number
  private readonly reports: PacketReports
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  /** What the node has sent to itself: channels and messages in turn. */
  private queue: Array<{ readonly channel: number; readonly message: unknown }> = []
  private scheduled = false
  private closed = false

  constructor(self: NodeId, selfMessages: number, reports: PacketReports, dispatcher: Scheduler.SchedulerDispatcher) {
    this.self = self
    this.selfMessages = selfMessages
    this.reports = reports
    this.dispatcher = dispatcher
  }

  /** Opens a channel. Returns the name of the one that has its place, if there is one. */
  open(channel: Channel<any>, receive: Receive<any>): Port | string {
    const number = channelNumber(channel.name)
    const there = this.ports.get(number)
    if (there !== undefined) return there.channel.name
    const port = { channel, number, codecNumber: codecNumber(channel.codec.name), receive }
    this.ports.set(number, port)
    return port
  }

  release(port: Port): void {
    this.ports.delete(port.number)
  }

  close(): void {
    this.closed = true
    this.ports.clear()
    this.queue = []
  }

  /** The messages of a packet. Returns what is wrong with them. */
  arrive(from: NodeId, bytes: Uint8Array, start: number, end: number): string | undefined {
    let at = start
    while (at < end && !this.closed) {
      const next = at + messageHeaderBytes + (at + messageHeaderBytes <= end ? readUint16(bytes, at + 5) : 0)
      if (next > end) return "a message that goes on after the end of its packet"
      const port = this.ports.get(readUint32(bytes, at))
      if (port === undefined) this.reports.dropped(from, "channel-not-open", 1)
      else if (port.codecNumber === bytes[at + 4]) this.deliver(port, from, bytes, at + messageHeaderBytes, next)
      else {
        const { codec, name } = port.channel
        this.reports.rejected(from, `channel "${name}" has codec "${codec.name}" here and another there`, true)
      }
      at = next
    }
    return undefined
  }

  private deliver(port: Port, from: NodeId, bytes: Uint8Array, start: number, end: number): void {
    let message: unknown
    try {
      message = port.channel.codec.read(bytes, start, end)
    } catch (error) {
      return this.reports.misfit(from, port.channel.name, error)
    }
    this.call(port, from, message)
  }

  private call(port: Port, from: NodeId, message: unknown): void {
    this.reports.packets.received++
    try {
      port.receive(from, message)
    } catch (defect) {
      this.reports.defect(port.channel.name, defect)
    }
  }

  /** A message of the node to itself. */
  arriveFromSelf(channel: number, message: unknown): void {
    if (this.queue.length >= this.selfMessages) return this.reports.dropped(this.self, "outbound-full", 1)
    this.reports.packets.sent++
    this.queue.push({ channel, message })
    if (!this.scheduled) this.schedule()
  }

  private schedule(): void {
    this.scheduled = true
    this.dispatcher.scheduleTask(this.run, 0)
  }

  private readonly run = (): void => {
    const queue = this.queue
    const count = Math.min(queue.length, messagesPerTurn)
    for (let next = 0; next < count && !this.closed; next++) {
      const { channel, message } = queue[next]!
      const port = this.ports.get(channel)
      if (port === undefined) this.reports.dropped(this.self, "channel-not-open", 1)
      else this.call(port, this.self, message)
    }
    this.queue = this.queue.slice(count)
    this.scheduled = false
    if (this.queue.length > 0) this.schedule()
  }
}
