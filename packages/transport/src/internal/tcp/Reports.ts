/**
 * What a node tells about its links: events, counters and log lines, each so that no peer can flood them.
 */
import { Cause, type Clock, Effect, PubSub } from "effect"
import type { NodeId } from "../../NodeId.ts"
import type { DropReason, LinkEvent } from "../../Transport.ts"
import { textOf } from "../textOf.ts"
import * as RealTime from "./realTime.ts"

/** What a node has done since it started. */
export interface Counters {
  /** Messages that were given to a link, or to the node itself. */
  sent: number
  /** Messages that were given to a handler. */
  received: number
  dropped: number
  /** Frames, handshakes, connections and messages that were refused. */
  rejected: number
  bytesSent: number
  bytesReceived: number
  /** Links that came up. */
  links: number
}

/** How many `Rejected` events and log lines one party may cause in a window; the rest is counted only. */
const eventsPerWindow = 100
const linesPerWindow = 5
const windowMillis = 10_000

/** How long drops are added up before they are told. */
const aggregateMillis = 10

/** How much of a reason is told: some of it may be the words of a peer, and as long as a frame. */
const reasonLength = 500

/** Text that cannot forge a line of a log, move a terminal's cursor, or keep what it was cut from in memory. */
const printable = (text: string): string => {
  const short = text.length > reasonLength ? `${text.slice(0, reasonLength)}…` : text
  return short.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) =>
    character === "\n" ? " " : `\\u{${character.codePointAt(0)!.toString(16)}}`
  )
}

/** The allowance of one party: of a peer, or of all strangers together. */
class Allowance {
  private since = -Infinity
  private used = 0

  /** How many times it was asked in the window so far. */
  take(nowMillis: number): number {
    if (nowMillis - this.since >= windowMillis) {
      this.since = nowMillis
      this.used = 0
    }
    return this.used++
  }
}

export class Reports {
  readonly counters: Counters = {
    sent: 0,
    received: 0,
    dropped: 0,
    rejected: 0,
    bytesSent: 0,
    bytesReceived: 0,
    links: 0
  }
  private readonly node: NodeId
  private readonly events: PubSub.PubSub<LinkEvent>
  private readonly clock: Clock.Clock
  private readonly fork: (effect: Effect.Effect<void>) => unknown
  private readonly allowances = new Map<NodeId, Allowance>()
  private readonly strangers = new Allowance()
  private readonly defects = new Allowance()
  private readonly drops = new Map<string, { readonly peer: NodeId; readonly reason: DropReason; count: number }>()
  private timer: RealTime.Timer | undefined = undefined

  constructor(
    node: NodeId,
    peers: ReadonlyArray<NodeId>,
    events: PubSub.PubSub<LinkEvent>,
    clock: Clock.Clock,
    fork: (effect: Effect.Effect<void>) => unknown
  ) {
    this.node = node
    this.events = events
    this.clock = clock
    this.fork = fork
    for (const peer of peers) this.meet(peer)
  }

  /** A peer has an allowance of its own from now on, which strangers cannot use up. */
  meet(peer: NodeId): void {
    this.allowances.set(peer, new Allowance())
  }

  forget(peer: NodeId): void {
    this.allowances.delete(peer)
  }

  up(peer: NodeId): void {
    this.counters.links++
    this.tell({ _tag: "Up", peer })
    this.log(Effect.logDebug(`link to "${peer}" is up`))
  }

  down(peer: NodeId, reason: string): void {
    const told = printable(reason)
    this.tell({ _tag: "Down", peer, reason: told })
    this.log(Effect.logDebug(`link to "${peer}" is down: ${told}`))
  }

  dropped(peer: NodeId, reason: DropReason, count: number): void {
    this.counters.dropped += count
    const key = `${reason} ${peer}`
    const sum = this.drops.get(key)
    if (sum !== undefined) sum.count += count
    else {
      if (this.drops.size >= 1024) this.tellDrops()
      this.drops.set(key, { peer, reason, count })
    }
    this.timer ??= RealTime.after(aggregateMillis, this.tellDrops)
  }

  /** `peer` has sent (or was sent) what must not be. `known` tells whether it has proven to be that peer. */
  rejected(peer: NodeId, reason: string, known: boolean): void {
    this.counters.rejected++
    const allowance = (known ? this.allowances.get(peer) : undefined) ?? this.strangers
    const before = allowance.take(this.nowMillis())
    if (before >= eventsPerWindow) return
    const told = printable(reason)
    this.tell({ _tag: "Rejected", peer, reason: told })
    if (before < linesPerWindow) this.log(Effect.logWarning(`rejected from "${peer}": ${told}`))
    else if (before === linesPerWindow) {
      this.log(
        Effect.logWarning(`rejected more from "${peer}": not logged for the next ${windowMillis / 1000} seconds`)
      )
    }
  }

  /** A message from a peer, or for it, is none of its channel, as the channel's codec says. */
  misfit(peer: NodeId, channel: string, error: unknown): void {
    this.rejected(peer, `a message on channel "${channel}": ${textOf(error)}`, true)
  }

  defect(channel: string, defect: unknown): void {
    if (this.defects.take(this.nowMillis()) >= eventsPerWindow) return
    this.log(Effect.logError(`a handler of channel "${channel}" threw`, Cause.die(defect)))
  }

  debug(text: string): void {
    this.log(Effect.logDebug(printable(text)))
  }

  warn(text: string): void {
    if (this.strangers.take(this.nowMillis()) < linesPerWindow) this.log(Effect.logWarning(text))
  }

  close(): void {
    this.tellDrops()
  }

  private readonly tellDrops = (): void => {
    this.timer?.stop()
    this.timer = undefined
    for (const { peer, reason, count } of this.drops.values()) this.tell({ _tag: "Dropped", peer, count, reason })
    this.drops.clear()
  }

  private tell(event: LinkEvent): void {
    PubSub.publishUnsafe(this.events, event)
  }

  private log(line: Effect.Effect<void>): void {
    this.fork(Effect.annotateLogs(line, { node: this.node }))
  }

  private nowMillis(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }
}
