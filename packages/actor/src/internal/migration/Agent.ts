/** What a node does about actors that move: it speaks with those of other nodes, and knows those that are or have been here. */
import { Codec, type NodeId } from "@troupe/transport"
import { Cause, type Context, Exit } from "effect"
import { MailboxFull, Misunderstood, type Reason } from "../../ActorRef.ts"
import { bare } from "../observed/Told.ts"
import { type Desk, deskOf, Enlistment, identity } from "../receptionist/Desk.ts"
import type { Cell } from "../system/Cell.ts"
import { Poison, Question } from "../system/envelopes.ts"
import type { Target } from "../system/frames.ts"
import * as Living from "../system/Living.ts"
import type { Remote } from "../system/Remote.ts"
import type { System } from "../system/System.ts"
import { Timers } from "../Timers.ts"
import * as Away from "./away.ts"
import * as Hearing from "./hearing.ts"
import { messageIn, rawOf } from "./images.ts"
import * as Leaving from "./leaving.ts"
import { type Cause as BreakCause, Link, type Packet, type Said } from "./Link.ts"
import type { Movable } from "./Movable.ts"
import { Questions } from "./Questions.ts"
import { NotMovable } from "./refusals.ts"
import { Requests } from "./Requests.ts"
import { Resident } from "./Resident.ts"
import { Ways } from "./Ways.ts"
import { type Entry, type Parcel, parcels, type Way, type Word, words } from "./words.ts"

export interface Options {
  readonly retryMillis: number
  readonly timeoutMillis: number
  readonly graceMillis: number
}

/** By the services that they are to others. */
export const agents = new WeakMap<object, Agent>()

export class Agent {
  readonly system: System
  readonly remote: Remote
  readonly node: NodeId.NodeId
  readonly options: Options
  /** What arriving actors have for their environment. */
  readonly context: Context.Context<never>
  readonly movables: ReadonlyMap<string, Movable>
  readonly residents = new Map<string, Resident>()
  private readonly byCell = new Map<Cell, Resident>()
  private readonly life: string
  private readonly links = new Map<NodeId.NodeId, Link>()
  private readonly transmit: (to: NodeId.NodeId, packet: Packet) => void
  private readonly timers: Timers
  private readonly timeouts = new Map<string, () => void>()
  /** What the receptionist of here is told of those that come and go. */
  readonly desk: Desk
  readonly questions = new Questions(this)
  readonly requests = new Requests(this)
  /** When a connection broke last: then something may never come. */
  private brokenAtMillis = -Infinity
  private isClosed = false

  constructor(
    cell: Cell,
    movables: ReadonlyArray<Movable>,
    context: Context.Context<never>,
    options: Options,
    transmit: (to: NodeId.NodeId, packet: Packet) => void
  ) {
    this.system = cell.system
    this.remote = cell.system.remote!
    this.desk = deskOf(cell.system)
    this.node = this.remote.node
    this.options = options
    this.context = context
    this.movables = new Map(movables.map((movable) => [movable.name, movable]))
    this.life = this.remote.export(cell).life.toString(36)
    this.transmit = transmit
    this.timers = new Timers(this.system.clock, this.system.fork, (timer) => {
      const then = this.timeouts.get(timer)
      this.timeouts.delete(timer)
      then?.()
    })
  }

  // --------------------------------------------------------------------------------------------------------- time

  after(timer: string, millis: number, then: () => void): void {
    this.timeouts.set(timer, then)
    this.timers.set(timer, millis)
  }

  never(timer: string): void {
    if (this.timeouts.delete(timer)) this.timers.clear(timer)
  }

  // -------------------------------------------------------------------------------------------------------- nodes

  private link(node: NodeId.NodeId): Link {
    let link = this.links.get(node)
    if (link === undefined) this.links.set(node, (link = this.makeLink(node)))
    return link
  }

  private makeLink(node: NodeId.NodeId): Link {
    const link: Link = new Link({
      ...{ node: this.node, life: this.life, retryMillis: this.options.retryMillis, maxBytes: this.remote.maxBytes },
      transmit: (packet) => this.transmit(node, packet),
      setTimer: (timer, millis) => this.after(`${timer} ${node}`, millis, () => link.timedOut(timer)),
      clearTimer: (timer) => this.never(`${timer} ${node}`),
      onWord: (word) => this.onBytes(node, word),
      onBreak: (cause) => this.onBreak(node, cause),
      onUp: () => this.onUp(node)
    })
    return link
  }

  receive(packet: Packet): void {
    if (packet.node !== this.node && this.remote.nodes.includes(packet.node)) this.link(packet.node).receive(packet)
  }

  /** It is taken for dead. */
  down(node: NodeId.NodeId): void {
    this.links.get(node)?.giveUp()
  }

  /** It was taken for dead, and has not been heard since. */
  isDown(node: NodeId.NodeId): boolean {
    return this.links.get(node)?.isDown === true
  }

  /** Nothing, if that node is taken for dead. Who waits for it would wait for ever if it were not said for want of room. */
  say(to: NodeId.NodeId, word: Word): Said | undefined {
    if (this.isClosed) return undefined
    if (to !== this.node) return this.link(to).say(Codec.encode(words, word))
    Hearing.onWord(this, to, word)
    return new Set()
  }

  /** The same, where somebody is told that it was not said: nothing also where too much waits. */
  trySay(to: NodeId.NodeId, word: Word): Said | undefined {
    return to === this.node || this.link(to).hasRoom ? this.say(to, word) : undefined
  }

  /** Why something was not said there. */
  silence(node: NodeId.NodeId): string {
    return this.isDown(node) ? `node "${node}" is down` : `too much waits to be said to "${node}"`
  }

  unsay(to: NodeId.NodeId, said: Said): boolean {
    return this.link(to).unsay(said)
  }

  private onBytes(from: NodeId.NodeId, bytes: Uint8Array): void {
    let word: Word
    try {
      word = Codec.decode(words, bytes)
    } catch (defect) {
      return this.system.root.log(`"${from}" has said what is no word about actors that move`, Cause.die(defect))
    }
    Hearing.onWord(this, from, word)
  }

  private onBreak(node: NodeId.NodeId, cause: BreakCause): void {
    this.brokenAtMillis = this.system.monotonicMillis()
    this.requests.onBreak(node)
    Hearing.onBreak(this, node, cause)
  }

  private onUp(node: NodeId.NodeId): void {
    if (this.brokenAtMillis !== -Infinity) Hearing.onUp(this, node)
  }

  // ----------------------------------------------------------------------------------------------- actors that are here

  host(resident: Resident, cell: Cell): void {
    resident.cell = cell
    this.residents.set(resident.id, resident)
    this.byCell.set(cell, resident)
    cell.onEnd((reason) => this.onEnd(resident, reason))
  }

  spawned(cell: Cell, movable: Movable): void {
    const { life, serial } = this.remote.export(cell)
    const id = identity(this.node, life, serial)
    const resident = new Resident(id, movable, cell, { _tag: "Live" }, 0, this.node)
    resident.ways = this.waysOf(resident, [])
    this.host(resident, cell)
  }

  residentOf(cell: Cell): Resident | undefined {
    return this.byCell.get(cell)
  }

  forget(resident: Resident): void {
    this.residents.delete(resident.id)
    if (resident.cell !== undefined) {
      this.byCell.delete(resident.cell)
      this.desk.forget(resident.cell)
    }
    for (const timer of ["offer", "held", "lost"]) this.never(`${timer} ${resident.id}`)
  }

  private onEnd(resident: Resident, reason: Reason): void {
    if (this.isClosed || this.residents.get(resident.id) !== resident) return
    const { id, phase } = resident
    this.forget(resident)
    resident.reply?.(new NotMovable({ actor: resident.cell!.path, reason: "it has stopped" }))
    if (phase._tag === "Leaving") Leaving.ended(this, resident, phase)
    const failure = failureOf(reason)
    for (const place of resident.places) this.say(place, { _tag: "Ended", id, failure })
  }

  waysOf(resident: Resident, ways: ReadonlyArray<Way>): Ways {
    return new Ways(
      ways,
      (entry, origin) => this.deliver(resident, entry, origin),
      (origin, way) => this.say(origin, { _tag: "Opened", id: resident.id, way })
    )
  }

  onParcel(resident: Resident, from: NodeId.NodeId, parcel: Parcel): void {
    if (!resident.isHere) return Away.onParcel(this, resident, from, parcel)
    const { entry, origin, way } = parcel
    if (origin !== this.node) resident.places.add(origin)
    if (resident.ways!.take(origin, way, entry)) this.system.deadLetters.add(resident.cell!, undefined, "stopped")
    this.mindHeld(resident)
  }

  /** What is held waits for what is under way; for what was under way when a connection broke, not for ever. */
  private mindHeld(resident: Resident): void {
    const timer = `held ${resident.id}`
    if (resident.ways?.isHolding !== true || this.timeouts.has(timer)) return
    const { graceMillis } = this.options
    const since = this.system.monotonicMillis() - graceMillis
    this.after(timer, graceMillis, () => {
      if (this.brokenAtMillis > since) resident.ways?.openAll()
      this.mindHeld(resident)
    })
  }

  private deliver(resident: Resident, entry: Entry, origin: string): void {
    const cell = resident.cell!
    switch (entry._tag) {
      case "Held":
        return Leaving.onHeld(this, resident, origin, entry.epoch)
      case "Relayed":
        return this.onParcel(resident, origin, Codec.decode(parcels, entry.parcel))
      case "Stop":
        return this.stop(cell, false)
      case "Drain":
        return this.stop(cell, true)
      case "Listing":
        return cell.deliver(new Enlistment(cell, entry.key, entry.isListed))
      case "Message":
      case "Question": {
        const message = this.opened(cell, entry, () => undefined)
        if (message !== undefined) this.tell(cell, message)
      }
    }
  }

  /** What an entry is to an actor that lives here: nothing if it is none of what is understood here. */
  opened(cell: Cell, entry: Entry, messageOfTimer: (timer: string) => unknown): unknown {
    const { messages } = cell.behavior
    const answer = this.questions.answering(messages)
    try {
      return rawOf(entry, messageIn(this.remote, messages, entry), cell, messageOfTimer, answer)
    } catch (error) {
      this.system.deadLetters.add(cell, undefined, "not understood")
      const failure = new Misunderstood({ actor: cell.path, reason: String(error) })
      if (entry._tag === "Question") answer(entry.node, entry.number, "", Exit.fail(failure))
      return undefined
    }
  }

  /** As anybody here does, but for that it throws nothing. */
  tell(cell: Cell, message: unknown): void {
    try {
      cell.tell(message)
    } catch (error) {
      const question = message instanceof Question ? message : undefined
      if (error instanceof MailboxFull) question?.end(Exit.fail(error))
      this.system.deadLetters.add(cell, question?.message ?? bare(message), "mailbox full")
    }
  }

  stop(cell: Cell, drain: boolean): void {
    if (cell.rare?.away !== undefined) cell.rare.away.stop(drain)
    else if (drain) cell.deliver(new Poison())
    else Living.stop(cell, Living.stopped)
  }

  /** Tells another node where it is, as far as is known. */
  tellOf({ epoch, id, place }: Resident, node: NodeId.NodeId): void {
    if (node !== this.node) this.say(node, { _tag: "Moved", id, epoch, place })
  }

  sayAlive({ cell, epoch, id }: Resident, to: NodeId.NodeId): void {
    this.say(to, { _tag: "Alive", id, epoch, target: this.addressOf(cell!) })
  }

  addressOf(cell: Cell): Target {
    const { life, path, serial } = this.remote.export(cell)
    return { life, path, serial }
  }

  // ----------------------------------------------------------------------------------------------------------------- end

  /** Its node goes: what lives here ends with it, and what has gone lives on. */
  close(): void {
    for (const { cell, id, phase, places } of this.residents.values()) {
      if (phase._tag === "Live") for (const place of places) this.say(place, { _tag: "Ended", id, failure: "" })
      // Who watches at this address is not told that it has ended, which it has not.
      else if (!(phase._tag === "Freezing")) cell?.rare?.watchers.clear()
    }
    this.isClosed = true
    this.timers.clearAll()
    this.timeouts.clear()
  }
}

const failureOf = (reason: Reason): string =>
  reason._tag === "Failed" ? String(Cause.squash(reason.cause)) || "it failed" : ""
