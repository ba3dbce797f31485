/** What a node does about actors that move: it speaks with those of other nodes, and knows those that are or have been here. */
import { Codec, type NodeId } from "@troupe/transport"
import { Cause, type Context, Effect, Exit } from "effect"
import { type ActorRef, ActorStopped, MailboxFull, Misunderstood, type Reason, Unreachable } from "../../ActorRef.ts"
import type { Cell } from "../system/Cell.ts"
import { answersOf } from "../system/codecs.ts"
import { Poison, Question } from "../system/envelopes.ts"
import { refusals as answerRefusals, type Target } from "../system/frames.ts"
import * as Living from "../system/Living.ts"
import { answerOf, read, type Remote } from "../system/Remote.ts"
import type { RemoteRef } from "../system/RemoteRef.ts"
import type { System } from "../system/System.ts"
import { Timers } from "../Timers.ts"
import * as Arriving from "./arriving.ts"
import * as Away from "./away.ts"
import { type Answering, Asked, messageIn, rawOf } from "./images.ts"
import * as Leaving from "./leaving.ts"
import { type Cause as BreakCause, Link, type Packet, type Said } from "./Link.ts"
import type { Movable } from "./Movable.ts"
import { MigrationFailed, NotMovable, type Refusal, refusals } from "./refusals.ts"
import { type Place, type Reply, Resident } from "./Resident.ts"
import { Ways } from "./Ways.ts"
import { type Entry, type Kind, type Parcel, parcels, type Way, type Word, words } from "./words.ts"

export interface Options {
  readonly retryMillis: number
  readonly timeoutMillis: number
  readonly graceMillis: number
}

const mostHops = 16

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
  private lastNumber = 0
  /** Questions of this node that went along with an actor, or on to it. */
  private readonly asked = new Map<number, { readonly question: Question; readonly resident: Resident }>()
  private readonly numbers = new WeakMap<Question, number>()
  private readonly requests = new Map<number, { readonly to: NodeId.NodeId; readonly reply: Reply }>()
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

  /** Nothing, if it does not go out. */
  say(to: NodeId.NodeId, word: Word): Said | undefined {
    if (this.isClosed) return undefined
    if (to !== this.node) return this.link(to).say(Codec.encode(words, word))
    this.onWord(to, word)
    return new Set()
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
    this.onWord(from, word)
  }

  private onWord(from: NodeId.NodeId, word: Word): void {
    switch (word._tag) {
      case "Offer":
        return Arriving.onOffer(this, from, word)
      case "Commit":
        return Arriving.onCommit(this, this.residents.get(word.id), from, word)
      case "Answer":
        return this.onAnswer(word)
      case "Request":
        return this.onRequest(word)
      case "Done":
        return this.settle(word.number, { node: word.node, target: word.target })
      case "Failed":
        return this.settle(word.number, Codec.decode(refusals, word.refusal))
      default: {
        const resident = this.residents.get(word.id)
        if (resident !== undefined) return this.onWordOf(from, word, resident)
        if (word._tag === "Forward" || word._tag === "Where") this.say(from, { _tag: "Unknown", id: word.id })
        else if (word._tag === "Abort") this.say(from, { _tag: "Free", id: word.id, epoch: word.epoch })
      }
    }
  }

  private onWordOf(
    from: NodeId.NodeId,
    word: Exclude<Word, { readonly _tag: "Offer" | "Commit" | "Answer" | "Request" | "Done" | "Failed" }>,
    resident: Resident
  ): void {
    const { phase } = resident
    switch (word._tag) {
      case "Refused":
        return Leaving.refused(this, resident, word.epoch, Codec.decode(refusals, word.refusal))
      case "Abort":
        this.say(from, { _tag: "Free", id: word.id, epoch: word.epoch })
        if (phase._tag === "Arriving" && phase.epoch === word.epoch) Arriving.discard(this, resident, false)
        return
      case "Free":
        return word.epoch === resident.epoch || word.epoch + 1 === resident.epoch
          ? Leaving.free(resident, from)
          : undefined
      case "Alive":
        if (phase._tag === "Arriving" && phase.from === from && phase.epoch < word.epoch) {
          Arriving.discard(this, resident, false)
        }
        return Leaving.onAlive(this, resident, from, word.epoch, word.target)
      case "Forward":
        return this.onParcel(resident, from, word.parcel)
      case "Opened":
        return Away.opened(resident, word.way)
      case "Moved":
        if (phase._tag === "Leaving" && phase.asks && phase.to === from && !resident.isOlder(word.epoch, word.place)) {
          return Leaving.abort(this, resident, "that node does not have it")
        }
        return Away.learn(this, resident, from, word.epoch, word.place)
      case "Where":
        return resident.isHere ? this.sayAlive(resident, from) : this.tellOf(resident, from)
      case "Unknown":
        return this.onUnknown(resident, from)
      case "Ended":
        return Leaving.onEnded(this, resident, reasonOf(word.failure))
    }
  }

  private onUnknown(resident: Resident, from: NodeId.NodeId): void {
    const { phase } = resident
    if (phase._tag === "Leaving" && phase.to === from) Leaving.abort(this, resident, "that node knows nothing of it")
    else if (phase._tag === "Away" && resident.place === from) Away.lose(this, resident)
  }

  private onBreak(node: NodeId.NodeId, cause: BreakCause): void {
    this.brokenAtMillis = this.system.monotonicMillis()
    for (const [number, { to }] of [...this.requests]) {
      if (to !== node) continue
      const reason = "the connection to the node that was asked has broken. It may have moved"
      this.settle(number, new MigrationFailed({ actor: "it", to, reason }))
    }
    for (const resident of [...this.residents.values()]) {
      const { phase } = resident
      resident.told.delete(node)
      if (cause !== "given up") Leaving.free(resident, node)
      if (phase._tag === "Leaving" && phase.to === node) {
        this.never(`offer ${resident.id}`)
        if (cause === "given up") phase.asks = true
        else Leaving.abort(this, resident, "that node is down")
      } else if (phase._tag === "Arriving" && phase.from === node) {
        if (cause === "given up") Arriving.discard(this, resident, true)
        else Arriving.takeOver(this, resident)
      } else if (phase._tag === "Away") {
        if (resident.place === node) Away.lose(this, resident)
        else Away.skip(this, resident, node)
      }
    }
  }

  private onUp(node: NodeId.NodeId): void {
    if (this.brokenAtMillis === -Infinity) return
    for (const resident of [...this.residents.values()]) {
      const { id, phase } = resident
      const asks = phase._tag === "Leaving" ? phase.asks && phase.to === node : phase._tag === "Lost"
      if (asks) this.say(node, { _tag: "Where", id })
      else if (resident.isHere && resident.holders.has(node)) this.sayAlive(resident, node)
      else if (resident.isHere && resident.places.has(node)) this.tellOf(resident, node)
    }
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
    const id = `${this.node}/${life.toString(36)}/${serial}`
    const resident = new Resident(id, movable, cell, { _tag: "Live" }, 0, this.node)
    resident.ways = this.waysOf(resident, [])
    this.host(resident, cell)
  }

  residentOf(cell: Cell): Resident | undefined {
    return this.byCell.get(cell)
  }

  forget(resident: Resident): void {
    this.residents.delete(resident.id)
    if (resident.cell !== undefined) this.byCell.delete(resident.cell)
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
      case "Message":
      case "Question":
        return this.take(cell, entry)
    }
  }

  private take(cell: Cell, entry: Extract<Entry, { readonly _tag: "Message" | "Question" }>): void {
    const { messages } = cell.behavior
    try {
      const message = messageIn(this.remote, messages, entry)
      this.tell(
        cell,
        rawOf(entry, message, cell, () => undefined, this.answering({ behavior: { messages } }))
      )
    } catch (error) {
      this.system.deadLetters.add(cell, undefined, "not understood")
      if (entry._tag !== "Question") return
      const failure = new Misunderstood({ actor: cell.path, reason: String(error) })
      this.sayAnswer(entry.node, entry.number, { kind: "Refusal", body: { codec: answerRefusals, message: failure } })
    }
  }

  /** As anybody here does, but for that it throws nothing. */
  tell(cell: Cell, message: unknown): void {
    try {
      cell.tell(message)
    } catch (error) {
      const question = message instanceof Question ? message : undefined
      if (error instanceof MailboxFull) question?.end(Exit.fail(error))
      this.system.deadLetters.add(cell, question?.message ?? message, "mailbox full")
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

  private addressOf(cell: Cell): Target {
    const { life, path, serial } = this.remote.export(cell)
    return { life, path, serial }
  }

  // ----------------------------------------------------------------------------------------------------------- questions

  /** Who asks, as other nodes name it. */
  name(question: Question, resident: Resident): { readonly node: string; readonly number: number } {
    if (question instanceof Asked) return { node: question.node, number: question.number }
    let number = this.numbers.get(question)
    if (number === undefined) {
      number = ++this.lastNumber
      this.numbers.set(question, number)
      this.asked.set(number, { question, resident })
      const { onOver } = question
      question.onOver = () => {
        this.asked.delete(number!)
        onOver?.()
      }
    }
    return { node: this.node, number }
  }

  /** How questions of other nodes are answered. */
  answering({ behavior: { messages } }: { readonly behavior: Pick<Movable["behavior"], "messages"> }): Answering {
    return (node, number, tag, exit) => {
      if (node === this.node) return this.asked.get(number)?.question.end(exit)
      const answer = answerOf(messages, tag, exit)
      if (answer !== undefined) this.sayAnswer(node, number, answer)
    }
  }

  private sayAnswer(node: string, number: number, { body, kind }: NonNullable<ReturnType<typeof answerOf>>): void {
    const bytes = "codec" in body ? Codec.encode(body.codec, body.message) : body.bytes
    this.say(node, { _tag: "Answer", number, kind, bytes })
  }

  private onAnswer({ bytes, kind, number }: Extract<Word, { readonly _tag: "Answer" }>): void {
    const asked = this.asked.get(number)
    if (asked === undefined) return
    const { question, resident } = asked
    const { messages } = resident.movable.behavior
    try {
      const codecs = answersOf(messages, question.message._tag)
      if (kind === "Reply") question.end(Exit.succeed(read(this.remote, codecs.reply, { bytes })))
      else question.end(Exit.fail(read(this.remote, kind === "Failure" ? codecs.failure : answerRefusals, { bytes })))
    } catch (error) {
      const reason = `its answer: ${String(error)}`
      question.end(Exit.fail(new Misunderstood({ actor: question.actor.path, reason })))
    }
  }

  /** It is no more, and answers none of them. */
  answerAll(resident: Resident, reason: Reason): void {
    for (const { question, resident: of } of [...this.asked.values()]) {
      if (of !== resident) continue
      const actor = question.actor.path
      const isLost = reason._tag === "Unreachable"
      question.end(Exit.fail(isLost ? new Unreachable({ actor, node: reason.node }) : new ActorStopped({ actor })))
    }
  }

  // ------------------------------------------------------------------------------------------------------------ requests

  /** Has an actor move that is here, or elsewhere. */
  move(ref: ActorRef<any>, to: NodeId.NodeId, kind: Kind): Effect.Effect<ActorRef<any>, Refusal> {
    return Effect.callback((resume) => {
      const number = ++this.lastNumber
      const resident = this.byCell.get(ref as Cell)
      const { messages } = resident?.movable.behavior ?? (ref as RemoteRef)
      const timer = `request ${number}`
      const reply: Reply = (moved) => {
        this.requests.delete(number)
        this.never(timer)
        if ("_tag" in moved) resume(Effect.fail(moved))
        else resume(Effect.succeed(this.remote.refer(messages, moved.node, moved.target)))
      }
      if (messages === undefined) {
        return reply(new NotMovable({ actor: ref.path, reason: "it is none of those that `Migration.spawn` made" }))
      }
      this.requests.set(number, { to: resident?.place ?? (ref as RemoteRef).node, reply })
      this.after(timer, 2 * this.options.timeoutMillis, () => {
        const reason = "nobody has answered. It may yet move"
        reply(new MigrationFailed({ actor: ref.path, to, reason }))
      })
      const request = { _tag: "Request", node: this.node, number, to, kind, hops: 0 } as const
      if (resident !== undefined) return this.request(resident, { ...request, actor: resident.id })
      const { node, target } = ref as RemoteRef
      this.request(undefined, { ...request, actor: target }, node)
    })
  }

  private onRequest(request: Extract<Word, { readonly _tag: "Request" }>): void {
    const { actor } = request
    if (typeof actor === "string") return this.request(this.residents.get(actor), request)
    const cell = this.remote.find(actor)
    const resident = cell && this.byCell.get(cell)
    this.request(resident, resident === undefined ? request : { ...request, actor: resident.id })
  }

  private request(
    resident: Resident | undefined,
    request: Extract<Word, { readonly _tag: "Request" }>,
    at?: NodeId.NodeId
  ): void {
    const { hops, kind, node, number, to } = request
    const reply: Reply = (moved) => {
      if (node === this.node) this.settle(number, moved)
      else if ("_tag" in moved) this.say(node, { _tag: "Failed", number, refusal: Codec.encode(refusals, moved) })
      else this.say(node, { _tag: "Done", number, ...moved })
    }
    const next = at ?? (resident?.phase._tag === "Away" ? resident.place : undefined)
    const actor = resident?.cell?.path ?? resident?.id ?? "it"
    if (next !== undefined) {
      if (hops >= mostHops) return reply(new MigrationFailed({ actor, to, reason: "nobody knows where it is" }))
      if (this.say(next, { ...request, hops: hops + 1 }) !== undefined) return
      return reply(new MigrationFailed({ actor, to, reason: `node "${next}" is down` }))
    }
    if (resident === undefined) {
      const reason = "there is none at that address, or none that `Migration.spawn` made"
      return reply(new NotMovable({ actor, reason }))
    }
    if (resident.phase._tag !== "Live" || to !== this.node) return Leaving.start(this, resident, to, kind, reply)
    reply({ node: this.node, target: this.addressOf(resident.cell!) })
  }

  private settle(number: number, moved: Place | Refusal): void {
    this.requests.get(number)?.reply(moved)
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

const reasonOf = (failure: string): Reason =>
  failure === "" ? Living.stopped : { _tag: "Failed", cause: Cause.fail(failure) }
