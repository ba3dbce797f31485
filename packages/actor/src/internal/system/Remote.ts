/** The part of a system that other nodes' systems speak with. */
import type { Codec, LinkEvent, NodeId, Send } from "@troupe/transport"
import { Exit } from "effect"
import {
  type ActorRef,
  ActorStopped,
  type HandlerFailed,
  MailboxFull,
  Misunderstood,
  type Reason
} from "../../ActorRef.ts"
import type { Messages } from "../../Messages.ts"
import { answerOf } from "./answers.ts"
import { Asking } from "./Asking.ts"
import type { Cell } from "./Cell.ts"
import { messageOf } from "./codecs.ts"
import { Question } from "./envelopes.ts"
import { lifeOf, Order, type Packet, packets } from "./packets.ts"
import { beginWriting, endWriting, read, understood } from "./reading.ts"
import { RemoteRef } from "./RemoteRef.ts"
import {
  type Body,
  type Frame,
  frames,
  guarded,
  kept,
  pathOf,
  refusals,
  type Target,
  type Understanding,
  unsendable
} from "./frames.ts"
import type { System } from "./System.ts"
import { Watches } from "./Watches.ts"

/** Questions of one life of another node that are open. */
interface Asked {
  readonly life: number
  count: number
  /** Those for whose answers it waits as long as it takes. */
  readonly endless: Set<Question>
}

export class Remote {
  readonly system: System
  readonly node: NodeId.NodeId
  /** All that may have such a system, this one included. */
  readonly nodes: ReadonlyArray<NodeId.NodeId>
  readonly limit: number
  readonly counters = { framesSent: 0, framesReceived: 0 }
  readonly life: number
  /** What tells this life from others in packets. */
  private readonly mark: number
  private transmit: Send<Packet> = () => {}
  private readonly order: Order
  private lastNumber = 0
  private unwritten: unknown = undefined
  /** Questions of actors here. */
  readonly asking: Asking
  /** Of each node. */
  private readonly open = new Map<NodeId.NodeId, Asked>()
  readonly watches: Watches
  /** Actors that others have references to. */
  private readonly exported = new Map<number, Cell>()

  private readonly downListeners = new Set<(node: NodeId.NodeId) => void>()
  /** What goes out in one frame. */
  maxBytes = Infinity

  /** `limit`: of watches, links and open questions of each node, and of questions of this one. */
  constructor(system: System, node: NodeId.NodeId, life: number, nodes: ReadonlyArray<NodeId.NodeId>, limit: number) {
    this.system = system
    this.node = node
    this.nodes = nodes
    this.limit = limit
    this.life = life
    this.mark = lifeOf(life)
    this.order = new Order(this.mark)
    this.asking = new Asking(this)
    this.watches = new Watches(this)
  }

  start(send: Send<Packet>): void {
    this.transmit = send
  }

  codec(maxBytes = Infinity): Codec.Codec<Packet> {
    this.maxBytes = maxBytes
    return guarded(packets(frames(this.understanding)), maxBytes, (error) => void (this.unwritten = error))
  }

  /** Where it is known who is addressed, a message is read where it has arrived. */
  private readonly understanding: Understanding = {
    message: (rest, target, name) => {
      const messages = this.find(target)?.behavior.messages
      return messages?.name === name ? understood(this, messageOf(messages), rest) : kept(rest)
    },
    answer: (rest, id, kind) => {
      const codec = this.asking.codecOf(id, kind)
      return codec === undefined ? kept(rest) : understood(this, codec, rest)
    }
  }

  /** Returns why it could not be written, where the transport finds that out at once. */
  send(to: NodeId.NodeId, frame: Frame): unknown {
    return this.post(to, { number: ++this.lastNumber, life: this.mark, frame })
  }

  /** To who has asked, in the life in which that was. */
  reply(to: NodeId.NodeId, life: number, frame: Frame): unknown {
    return this.post(to, { number: 0, life, frame })
  }

  private post(to: NodeId.NodeId, packet: Packet): unknown {
    this.counters.framesSent++
    const before = beginWriting(this)
    this.unwritten = undefined
    try {
      this.transmit(to, packet)
      return this.unwritten
    } finally {
      endWriting(before)
    }
  }

  // -------------------------------------------------------------------------------------------------------- references

  /** Of an actor here, for others. */
  export(cell: Cell): { readonly node: NodeId.NodeId } & Target {
    if (cell.status !== "stopped" && !this.exported.has(cell.id)) {
      this.exported.set(cell.id, cell)
      cell.onGone(() => {
        this.exported.delete(cell.id)
        this.watches.over(cell)
      })
    }
    return { node: this.node, life: this.life, serial: cell.id, path: cell.path }
  }

  refer(messages: Messages<any>, node: NodeId.NodeId, target: Target): ActorRef<any> {
    const here = node === this.node ? this.find(target) : undefined
    return here?.behavior.messages.name === messages.name ? here : new RemoteRef(this, messages, node, target)
  }

  find({ life, path, serial }: Target): Cell | undefined {
    if (serial !== 0) return life === this.life ? this.exported.get(serial) : undefined
    return this.system.find(path)
  }

  // ------------------------------------------------------------------------------------------------------- other nodes

  /** Calls `listener` when a node is taken for dead. Returns how to end that. */
  onDown(listener: (node: NodeId.NodeId) => void): () => void {
    this.downListeners.add(listener)
    return () => void this.downListeners.delete(listener)
  }

  /** Whom a transport does not know does not answer; who is back may be another life. */
  heard(event: LinkEvent): void {
    if (event._tag === "Up") this.watches.again(event.peer)
    else if (event._tag === "Dropped" && event.reason === "unknown-node") {
      this.asking.unanswered(event.peer)
      this.watches.nobodyAt(event.peer)
    }
  }

  /** Nobody at that node is heard of any more. */
  down(node: NodeId.NodeId): void {
    for (const listener of this.downListeners) listener(node)
    this.asking.unanswered(node)
    this.watches.down(node)
  }

  /** Returns how not to be told. */
  watch(ref: RemoteRef, told: (reason: Reason) => void): () => void {
    return this.watches.watch(ref, told)
  }

  // ---------------------------------------------------------------------------------------------------------- arrivals

  readonly receive = (from: NodeId.NodeId, packet: Packet): void => {
    this.counters.framesReceived++
    if (!this.order.takes(from, packet)) return
    const { frame, life } = packet
    switch (frame.kind) {
      case "Tell":
        return this.onTell(frame)
      case "Ask":
        return this.onAsk(from, life, frame)
      case "Reply":
      case "Failure":
      case "Refusal":
        return this.asking.answered(frame.id, frame.kind, frame.body)
      case "Watch":
        return this.watches.onWatch(from, life, frame.id, frame.target)
      case "Unwatch":
        return void this.watches.onUnwatch(from, life, frame.id)
      case "Link":
        return this.watches.onWatch(from, life, frame.id, frame.target, frame.by)
      case "Unlink":
        return this.watches.onUnlink(from, life, frame.id)
      case "Found":
        return this.watches.found(frame.id, frame.target)
      case "Ended":
        return this.watches.ended(frame.id, frame.failure)
    }
  }

  private onTell({ body, name, target, trace }: Extract<Frame, { readonly kind: "Tell" }>): void {
    const cell = this.find(target)
    if (cell === undefined) return this.system.deadLetters.add({ path: pathOf(target) }, undefined, "stopped")
    let message: { readonly _tag: string } | undefined
    try {
      message = this.understood(cell, name, body)
      const spans = trace === undefined ? undefined : this.system.observation?.spans
      cell.tell(spans === undefined ? message : spans.told(message, trace!))
    } catch {
      this.system.deadLetters.add(cell, message, message === undefined ? "not understood" : "mailbox full")
    }
  }

  /** Throws what the teller has misunderstood. */
  private understood(cell: Cell, name: string, body: Body): { readonly _tag: string } {
    const { messages } = cell.behavior
    if (messages.name === name) return read(this, messageOf(messages), body)
    throw new Misunderstood({ actor: cell.path, reason: `it is asked as "${name}", and is "${messages.name}"` })
  }

  private onAsk(from: NodeId.NodeId, life: number, frame: Extract<Frame, { readonly kind: "Ask" }>): void {
    const { body, id, millis, name, target, trace } = frame
    const cell = this.find(target)
    const refuse = (refusal: typeof Refusable): void =>
      void this.reply(from, life, { kind: "Refusal", id, body: { codec: refusals, message: refusal } })
    // Who asks has a better name for it than the number by which it was known here.
    if (cell === undefined) return refuse(new ActorStopped({ actor: "" }))
    const open = this.openOf(from, life)
    if (open.count >= this.limit) return refuse(new MailboxFull({ actor: cell.path, capacity: this.limit }))
    try {
      const message = this.understood(cell, name, body)
      const spans = trace === undefined ? undefined : this.system.observation?.spans
      const question = spans === undefined ? new Question(message, cell) : spans.arrived(message, cell, trace!)
      question.resume = (exit) => {
        open.count--
        if (millis === 0) open.endless.delete(question)
        this.answer(from, life, id, cell, message._tag, exit)
      }
      if (millis > 0) question.patienceMillis = millis
      this.system.ask(cell, question)
      open.count++
      if (question.isOver) return
      if (millis > 0) this.system.patience(millis).add(question)
      else open.endless.add(question)
    } catch (error) {
      const { _tag } = error as { readonly _tag?: string }
      if (_tag === "Misunderstood" || _tag === "MailboxFull") return refuse(error as Misunderstood)
      refuse(new Misunderstood({ actor: cell.path, reason: String(error) }))
    }
  }

  /** In a new life of a node nobody waits for what was asked in the one before. */
  private openOf(node: NodeId.NodeId, life: number): Asked {
    const before = this.open.get(node)
    if (before?.life === life) return before
    const open = { life, count: 0, endless: new Set<Question>() }
    this.open.set(node, open)
    for (const question of before?.endless ?? []) {
      question.resume = undefined
      question.end(Exit.interrupt())
    }
    return open
  }

  private answer(
    to: NodeId.NodeId,
    life: number,
    id: number,
    cell: Cell,
    tag: string,
    exit: Exit.Exit<any, any>
  ): void {
    const answer = answerOf(cell.behavior.messages, tag, exit)
    if (answer === undefined) return
    const unwritten = this.reply(to, life, { ...answer, id })
    if (unwritten === undefined) return
    const refusal = unsendable(cell.path, tag, unwritten)
    this.reply(to, life, { kind: "Refusal", id, body: { codec: refusals, message: refusal } })
  }
}

declare const Refusable: ActorStopped | HandlerFailed | MailboxFull | Misunderstood
