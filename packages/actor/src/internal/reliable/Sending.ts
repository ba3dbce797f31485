/** A sender: what it does with messages, with what the receiver says of them, and when nothing is heard. */
import { Codec } from "@troupe/transport"
import type { StorageError } from "@troupe/storage"
import { Cause, Effect, Exit, Option } from "effect"
import { type ActorRef, ActorStopped, MailboxFull, MessageTooLarge, Misunderstood } from "../../ActorRef.ts"
import { type Behavior, make } from "../../Behavior.ts"
import type { MessageOf, Messages } from "../../Messages.ts"
import type { Journal } from "../Journal.ts"
import { inSpan, spanHere } from "../observed/here.ts"
import type { Cell } from "../system/Cell.ts"
import { messageOf } from "../system/codecs.ts"
import { RemoteRef } from "../system/RemoteRef.ts"
import { type Kept, type Outbox, type Record, record } from "./Outbox.ts"
import { Overtaken } from "./Overtaken.ts"
import { Acks, type Inbox, SessionForgotten, type Standing } from "./wire.ts"

/** Why a sender sends no more. */
export type Failure = ActorStopped | MessageTooLarge | Misunderstood | SessionForgotten | StorageError

export interface Settings {
  readonly messages: Messages<any>
  readonly to: ActorRef<Inbox>
  readonly isOnce: boolean
  readonly window: number
  readonly maxBytes: number
  readonly resendMillis: number
  readonly resendMillisMax: number
}

export interface Disk {
  readonly journal: Journal<Outbox, Record>
  readonly write: (message: unknown) => string
}

/** A message as it goes out: encoded once, for another node. */
export const bodyOf = (message: unknown, { maxBytes, messages, to }: Settings): unknown => {
  if (!(to instanceof RemoteRef)) return message
  const body = Codec.encode(messageOf(messages), message)
  const bytes = body.length
  if (bytes <= maxBytes) return body
  throw new MessageTooLarge({ actor: to.path, what: (message as { readonly _tag: string })._tag, bytes, maxBytes })
}

/** Of a sender that keeps no session, how many are sent again at a time. */
const burst = 64

const opened = "\0opened"
const due = "\0due"
const timer = "\0resend"

export class Sending {
  readonly counters = { sent: 0, resent: 0, acknowledged: 0 }
  failure: Failure | undefined = undefined
  readonly outbox: Outbox
  private readonly settings: Settings
  private readonly disk: Disk | undefined
  private cell: Cell | undefined = undefined
  /** Whether anything was acknowledged since the timer was set. */
  private progressed = false
  private readonly overtaken = new Overtaken()
  private delayMillis: number
  private isArmed = false
  private isAsking = false
  /** Below it they were sent again because some were said to be missing. */
  private hinted = 1
  /** Who waits for room, that a message is on disk, and that all before a number are acknowledged. */
  private readonly forRoom = new Set<() => void>()
  private readonly forDisk = new Map<number, () => void>()
  private readonly forAcks = new Map<() => void, number>()

  constructor(settings: Settings, outbox: Outbox, disk: Disk | undefined) {
    this.settings = settings
    this.outbox = outbox
    this.disk = disk
    this.delayMillis = settings.resendMillis
    if (!settings.isOnce) outbox.limit = Infinity
  }

  get behavior(): Behavior<Acks> {
    const behavior = make(Acks, {
      init: (self) => this.start(self as unknown as Cell),
      on: {
        Done: (_, ack) => this.onDone(ack),
        Took: (_, { number, session }) => {
          if (session === this.outbox.session && this.outbox.took(number)) {
            this.overtaken.took(number)
            this.acknowledged(record("took", number), 1)
          }
        },
        Refused: (_, { reason, session }) => {
          if (session === this.outbox.session) this.fail(new Misunderstood({ actor: this.settings.to.path, reason }))
        }
      },
      onStop: () => this.stop()
    })
    const own = {
      [opened]: { isAsk: false, handle: (_: unknown, { exit }: any) => this.onOpened(exit) },
      [due]: { isAsk: false, handle: () => this.onDue() }
    }
    return { ...behavior, table: { ...behavior.table, ...own } }
  }

  private start(cell: Cell): void {
    this.cell = cell
    this.isArmed = this.isAsking = false
    if (this.settings.isOnce) this.open()
    else this.pump()
    this.arm()
  }

  // ----------------------------------------------------------------------------------------------------- from the user

  get isFull(): boolean {
    return this.outbox.entries.size >= this.settings.window
  }

  /** Takes a message over, and returns its number. Throws where it cannot. */
  accept(message: unknown): number {
    const { disk, outbox, settings } = this
    if (this.failure !== undefined) throw this.failure
    if (this.isFull) throw new MailboxFull({ actor: settings.to.path, capacity: settings.window })
    const kept = this.keep(message)
    this.counters.sent++
    const number = outbox.add(kept)
    if (disk === undefined) {
      outbox.stored = outbox.next
      this.pump()
    } else {
      disk.journal.holds({ _tag: "Persist", record: record("sent", number, kept.json) })
      this.whenDurable(() => {
        outbox.stored = number + 1
        this.pump()
        this.forDisk.get(number)?.()
        this.forDisk.delete(number)
      })
      disk.journal.commit(outbox)
    }
    this.arm()
    return number
  }

  private keep(message: unknown): Kept {
    const { disk, settings } = this
    try {
      const json = disk === undefined ? "" : disk.write(message)
      return { body: bodyOf(message, settings), json, span: spanHere() }
    } catch (error) {
      if (error instanceof MessageTooLarge) throw error
      throw new Misunderstood({ actor: settings.to.path, reason: String(error) })
    }
  }

  /** Until there may be room: not for others who wait for it, too. */
  readonly room: Effect.Effect<void> = Effect.callback((resume) => {
    const go = (): void => resume(Effect.void)
    if (!this.isFull || this.failure !== undefined) return go()
    this.forRoom.add(go)
    return Effect.sync(() => void this.forRoom.delete(go))
  })

  stored(number: number): Effect.Effect<void, Failure> {
    return this.unlessFailed(
      () => this.outbox.stored > number,
      (go) => {
        this.forDisk.set(number, go)
        return () => void this.forDisk.delete(number)
      }
    )
  }

  acknowledgedBelow(number: number): Effect.Effect<void, Failure> {
    return this.unlessFailed(
      () => this.outbox.first >= number,
      (go) => {
        this.forAcks.set(go, number)
        return () => void this.forAcks.delete(go)
      }
    )
  }

  private unlessFailed(isSo: () => boolean, wait: (go: () => void) => () => void): Effect.Effect<void, Failure> {
    const waited = Effect.callback<void>((resume) => {
      const go = (): void => resume(Effect.void)
      if (isSo() || this.failure !== undefined) return go()
      return Effect.sync(wait(go))
    })
    const ended = Effect.suspend(() => (isSo() || this.failure === undefined ? Effect.void : Effect.fail(this.failure)))
    return Effect.andThen(waited, ended)
  }

  /** Lets as many go on as there is room for. */
  makeRoom(): void {
    let free = this.failure === undefined ? this.settings.window - this.outbox.entries.size : Infinity
    for (const go of this.forRoom) {
      if (free-- <= 0) return
      this.forRoom.delete(go)
      go()
    }
  }

  private tellAcknowledged(): void {
    for (const [go, number] of this.forAcks) {
      if (this.outbox.first < number && this.failure === undefined) continue
      this.forAcks.delete(go)
      go()
    }
  }

  // -------------------------------------------------------------------------------------------------- to the receiver

  /** Sends what may go out and did not. */
  private pump(): void {
    const { outbox } = this
    if (this.cell === undefined || this.failure !== undefined) return
    if (this.settings.isOnce && outbox.life === 0) return
    const end = Math.min(outbox.stored, outbox.limit)
    while (outbox.sent < end) this.transmit(outbox.sent++)
  }

  private transmit(number: number): void {
    const { outbox, settings } = this
    const kept = outbox.entries.get(number)
    if (kept === undefined) return
    const { first, session } = outbox
    const { body, span } = kept
    try {
      inSpan(span, () => {
        if (settings.isOnce) settings.to.tell({ _tag: "Deliver", session, first, number, body })
        else settings.to.tell({ _tag: "Pass", session, number, sender: this.cell!, body })
      })
    } catch (error) {
      // Where there is no room, it is as if it were lost.
      if (!(error instanceof MailboxFull)) this.fail(error as Failure)
    }
  }

  private again(number: number): void {
    if (!this.outbox.entries.has(number)) return
    this.counters.resent++
    this.transmit(number)
  }

  private open(): void {
    const { cell, settings } = this
    if (this.isAsking || cell === undefined) return
    this.isAsking = true
    const { first, life, session } = this.outbox
    const timeout = this.delayMillis
    const asked = settings.to.ask({ _tag: "Open", session, life, first, sender: cell }, { timeout })
    cell.system.fork(
      Effect.map(Effect.exit(asked), (exit) => cell.ending === undefined && cell.tell({ _tag: opened, exit }))
    )
  }

  // ------------------------------------------------------------------------------------------------ from the receiver

  private onOpened(exit: Exit.Exit<Standing, { readonly _tag: string }>): void {
    this.isAsking = false
    if (this.failure !== undefined) return
    if (Exit.isSuccess(exit)) return this.onStanding(exit.value)
    const failure = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
    const isGone = failure instanceof ActorStopped && !isPath(this.settings.to)
    if (isGone || failure instanceof Misunderstood || failure instanceof SessionForgotten) return this.fail(failure)
    this.arm()
  }

  private onStanding(standing: Standing): void {
    const { disk, outbox } = this
    if (standing.life === outbox.life) return this.stand(standing)
    // Nothing is sent to it before it is sure that a later life of this sender knows that it was.
    outbox.life = 0
    const adopt = (): void => {
      outbox.life = standing.life
      outbox.sent = outbox.first
      this.hinted = outbox.first
      this.stand(standing)
    }
    if (disk === undefined) return adopt()
    disk.journal.holds({ _tag: "Persist", record: record("life", standing.life) })
    this.whenDurable(adopt)
    disk.journal.commit(outbox)
  }

  private stand({ done, early, limit, taken }: Standing): void {
    const { outbox } = this
    this.doneBelow(done)
    outbox.limit = limit
    const has = new Set(early)
    const before = this.counters.resent
    const end = Math.min(outbox.sent, limit)
    for (let number = Math.max(taken, outbox.first); number < end; number++) if (!has.has(number)) this.again(number)
    if (this.counters.resent > before) this.delayMillis = this.settings.resendMillis
    this.pump()
    this.arm()
  }

  private onDone({ done, limit, missing, session }: MessageOf<Acks, "Done">): void {
    const { outbox } = this
    if (session !== outbox.session || done < outbox.first) return
    this.doneBelow(done)
    outbox.limit = limit
    if (missing > done) {
      for (let number = Math.max(done, this.hinted); number < Math.min(missing, outbox.sent); number++)
        this.again(number)
      this.hinted = Math.max(this.hinted, missing)
    }
    this.pump()
  }

  private doneBelow(number: number): void {
    const count = this.outbox.done(number)
    if (count > 0) this.acknowledged(record("done", number), count)
  }

  private acknowledged(durable: Record, count: number): void {
    this.counters.acknowledged += count
    this.progressed = true
    if (this.disk !== undefined) {
      this.disk.journal.holds({ _tag: "Persist", record: durable })
      this.disk.journal.commit(this.outbox)
    }
    this.makeRoom()
    this.tellAcknowledged()
  }

  // ---------------------------------------------------------------------------------------------------------- in time

  private arm(): void {
    const { cell, settings } = this
    if (this.isArmed || this.isAsking || cell === undefined || this.failure !== undefined) return
    if (this.outbox.entries.size === 0 && !(settings.isOnce && this.outbox.life === 0)) return
    this.isArmed = true
    // So that many who wait for one receiver don't come back together.
    cell.setTimer(timer, this.delayMillis * (1 + cell.random() / 4), { _tag: due })
  }

  private onDue(): void {
    this.isArmed = false
    const { progressed } = this
    const { isOnce, resendMillis, resendMillisMax } = this.settings
    this.progressed = false
    if (!isOnce) this.repeat(progressed)
    else if (!progressed) this.open()
    this.delayMillis = progressed ? resendMillis : Math.min(2 * this.delayMillis, resendMillisMax)
    this.arm()
  }

  /** Those that were overtaken or, where nothing is acknowledged any more, the oldest. */
  private repeat(progressed: boolean): void {
    const { entries, sent } = this.outbox
    let left = burst
    for (const number of entries.keys()) {
      if (number >= sent || left === 0) break
      if (progressed && !this.overtaken.has(number)) continue
      left--
      this.overtaken.repeat(number, sent)
      this.again(number)
    }
    this.overtaken.look()
  }

  // ---------------------------------------------------------------------------------------------------------- its end

  private whenDurable(then: () => void): void {
    const action = { _tag: "Emit", event: then } as const
    if (!this.disk!.journal.holds(action)) then()
  }

  fail(failure: Failure): void {
    this.failure ??= failure
    this.cell?.clearTimer(timer)
    this.makeRoom()
    this.tellAcknowledged()
    for (const go of this.forDisk.values()) go()
    this.forDisk.clear()
  }

  /** A durable one goes on in a later life. */
  private stop(): void {
    const { outbox, settings } = this
    if (settings.isOnce && this.disk === undefined && outbox.life !== 0) {
      try {
        settings.to.tell({ _tag: "Close", session: outbox.session })
      } catch {
        // The receiver forgets it in time.
      }
    }
    this.fail(new ActorStopped({ actor: this.cell?.path ?? settings.to.path }))
    this.cell = undefined
  }
}

/** Whoever is at a path may be another one later. */
const isPath = (ref: ActorRef<Inbox>): boolean => ref instanceof RemoteRef && ref.target.serial === 0
