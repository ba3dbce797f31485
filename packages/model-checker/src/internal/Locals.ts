/**
 * The parts that states of a system are made of, each kept once: what a node knows, and messages. A number names each.
 */
import { type Card, Protocol } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import type { Envelope, Member, Occurrence, System } from "../System.ts"
import * as Fingerprint from "./Fingerprint.ts"
import { PairMap } from "./PairMap.ts"
import { Refused } from "./Refusal.ts"

/** A timer that runs. `left` is how long from now, where time counts; 0 otherwise. */
export interface Running {
  readonly timer: string
  readonly left: number
}

/** All that makes a difference to what a node does next. */
export interface Local {
  readonly id: number
  readonly member: number
  readonly state: unknown
  /** None of a protocol that persists nothing. */
  readonly durable: Kept | undefined
  readonly timers: ReadonlyArray<Running>
  readonly alive: boolean
  readonly memo: unknown
  /** Its share in the fingerprint of a state. */
  readonly high: number
  readonly low: number
  /** For snapshots. */
  readonly cell: Card.Snapshot<unknown>[number]
  /** What can happen to it without a message, once that was asked. */
  own: ReadonlyArray<Choice> | undefined
}

/** What a node's disk holds. */
export interface Kept {
  /** The state that it comes back with after a crash. */
  readonly state: unknown
  /**
   * The disk takes nothing more before the crash that is to come: records are lost, and what waits for them is never said.
   * Messages that go ahead of the disk are sent.
   */
  readonly isBehind: boolean
}

/** Something that can happen to a node by itself: a timer or its user. */
export interface Choice {
  readonly label: number
  readonly input: Protocol.Input
  readonly outcomes: ReadonlyArray<Outcome>
}

/** What comes of an input to a local state. */
export interface Outcome {
  readonly id: number
  readonly next: Local
  /** Messages, by number. */
  readonly sends: ReadonlyArray<number>
  readonly input: Protocol.Input
  readonly actions: ReadonlyArray<Protocol.Action>
  /** For a history, in order. */
  readonly occurrences: ReadonlyArray<Occurrence>
  /** It leaves everything as it was: no step. */
  readonly isIdle: boolean
  /** From here on its disk takes nothing more. */
  readonly fallsBehind: boolean
}

export interface Message extends Envelope {
  readonly id: number
  readonly sender: number
  readonly target: number
  /** One for each pair of nodes. */
  readonly channel: number
  readonly high: number
  readonly low: number
}

/** Gives numbers to values, the same number to the same content. */
export class Interner {
  private readonly byFingerprint = new PairMap()
  size = 0

  /** The number of `value`; `isNew` says whether it was given just now. The fingerprint is left in `Fingerprint`. */
  number(value: unknown): number {
    Fingerprint.take(value)
    const known = this.byFingerprint.get(Fingerprint.high, Fingerprint.low)
    if (known >= 0) return known
    this.byFingerprint.set(Fingerprint.high, Fingerprint.low, this.size)
    return this.size++
  }

  get bytes(): number {
    return this.byFingerprint.bytes
  }
}

type AnySystem = System<any, any, any, any, any, any, any>

/** What a label says: its last bits are one of these, the rest is about whom or what. */
export const labels = { deliver: 0, timeout: 1, user: 2, crash: 3, restart: 4, lose: 5, split: 6, heal: 7 } as const

/** Whether an action is for when the records before it are durable, or is such a record. */
const waitsForDisk = (action: Protocol.Action): boolean =>
  action._tag === "Persist" || ((action._tag === "Emit" || action._tag === "Send") && action.now !== true)

/** The most outcomes that chance may give one input. */
const maxOutcomes = 4_096

export class Locals {
  readonly locals: Array<Local> = []
  readonly messages: Array<Message> = []
  readonly outcomes: Array<Outcome> = []
  readonly selves: ReadonlyArray<Protocol.Self>
  private readonly system: AnySystem
  private readonly members: ReadonlyArray<Member>
  private readonly places: ReadonlyMap<NodeId.NodeId, number>
  private readonly localNumbers = new Interner()
  private readonly messageNumbers = new Interner()
  private readonly choiceNumbers = new Interner()
  private readonly byDelivery = new PairMap()
  private readonly deliveries: Array<ReadonlyArray<Outcome>> = []
  private readonly restarts = new Map<number, ReadonlyArray<Outcome>>()
  private readonly timed: boolean
  /** Whether a node may be ahead of its disk when it crashes. */
  private readonly lags: boolean
  /** Whether it would have to be asked for. */
  private readonly forgets: boolean

  constructor(system: AnySystem) {
    this.system = system
    this.members = system.members
    this.timed = system.timeouts === "synchronous"
    this.forgets = system.crashes?.restart === true && system.crashes.max > 0
    this.lags = this.forgets && system.crashes?.aheadOfDisk === true
    const all = this.members.map(({ node }) => node)
    this.places = new Map(all.map((node, place) => [node, place]))
    this.selves = this.members.map(({ among, node, options }) => Protocol.self(node, among ?? all, options))
  }

  /** Roughly: what a value takes is not known. */
  get bytes(): number {
    return (
      this.localNumbers.bytes +
      this.messageNumbers.bytes +
      this.byDelivery.bytes +
      this.locals.length * 400 +
      this.messages.length * 200 +
      this.outcomes.length * 200
    )
  }

  /** A node that has just been made, before its start. */
  initial(member: number, memo: unknown): Local {
    const { protocol } = this.members[member]!
    const state = protocol.init(this.selves[member]!)
    const durable = protocol.durable === undefined ? undefined : { state, isBehind: false }
    return this.local(member, state, durable, [], true, memo)
  }

  /** What comes of a first start, or of one after a crash. */
  start(local: Local): ReadonlyArray<Outcome> {
    return this.step(local, { _tag: "Start" }, local.memo, [])
  }

  crashed(local: Local): Local {
    const durable = local.durable === undefined ? undefined : { state: local.durable.state, isBehind: false }
    return this.local(local.member, local.state, durable, [], false, local.memo)
  }

  restarted(local: Local): ReadonlyArray<Outcome> {
    let outcomes = this.restarts.get(local.id)
    if (outcomes === undefined) {
      outcomes = this.start(this.recovered(local))
      this.restarts.set(local.id, outcomes)
    }
    return outcomes
  }

  /** As it comes back, before its start: with what it persisted. */
  private recovered({ durable, member, memo }: Local): Local {
    return durable === undefined
      ? this.initial(member, memo)
      : this.local(member, durable.state, durable, [], true, memo)
  }

  /** Time has passed. */
  elapsed(local: Local, millis: number): Local {
    if (millis === 0 || local.timers.length === 0) return local
    const timers = local.timers.map(({ left, timer }) => ({ timer, left: left - millis }))
    return this.local(local.member, local.state, local.durable, timers, local.alive, local.memo)
  }

  deliver(local: Local, message: Message): ReadonlyArray<Outcome> {
    const known = this.byDelivery.get(local.id, message.id)
    if (known >= 0) return this.deliveries[known]!
    const input = { _tag: "Message", from: message.from, message: message.message } as const
    const { from, message: body, to } = message
    const outcomes = this.step(local, input, local.memo, [{ _tag: "Delivered", from, to, message: body }])
    this.byDelivery.set(local.id, message.id, this.deliveries.push(outcomes) - 1)
    return outcomes
  }

  /** Timers and the user. */
  own(local: Local): ReadonlyArray<Choice> {
    return (local.own ??= local.alive ? [...this.timeouts(local), ...this.moves(local)] : [])
  }

  private timeouts(local: Local): ReadonlyArray<Choice> {
    if (this.system.timeouts === "never") return []
    return local.timers.map(({ timer }) => {
      const input = { _tag: "Timeout", timer } as const
      const rest = local.timers.filter((running) => running.timer !== timer)
      return {
        label: this.label(labels.timeout, [local.member, timer]),
        input,
        outcomes: this.step({ ...local, timers: rest }, input, local.memo, [])
      }
    })
  }

  private moves(local: Local): ReadonlyArray<Choice> {
    const { user } = this.system
    if (user === undefined) return []
    const { node } = this.members[local.member]!
    const { memo, state } = local
    return user.moves({ node, state, memo }).map((move) => {
      const input: Protocol.Input =
        move._tag === "Command" ? { _tag: "Command", command: move.command } : { _tag: "View", view: move.view }
      const noted: ReadonlyArray<Occurrence> =
        move._tag === "Command" ? [{ _tag: "Commanded", node, command: move.command }] : []
      return {
        label: this.label(labels.user, [local.member, input]),
        input,
        outcomes: this.step(local, input, move.memo, noted)
      }
    })
  }

  label(kind: number, about: unknown): number {
    return this.choiceNumbers.number(about) * 8 + kind
  }

  /** Runs a handler, once for each way that chance may go, and for each of its records that may be the first to be lost. */
  private step(
    local: Local,
    input: Protocol.Input,
    memo: unknown,
    before: ReadonlyArray<Occurrence>
  ): ReadonlyArray<Outcome> {
    const values = this.system.random ?? [0]
    const outcomes: Array<Outcome> = []
    // Which of the values each draw takes; the last draw that has one left takes the next in the next round.
    const draws: Array<number> = []
    do {
      let drawn = 0
      const random = (): number => {
        if (drawn === draws.length) draws.push(0)
        return values[draws[drawn++]!]!
      }
      const outcome = this.outcome(local, input, memo, before, random, undefined)
      outcomes.push(outcome)
      if (this.lags && local.durable?.isBehind === false) {
        const records = outcome.actions.filter(({ _tag }) => _tag === "Persist").length
        for (let lost = 0; lost < records; lost++) {
          drawn = 0
          outcomes.push(this.outcome(local, input, memo, before, random, lost))
        }
      }
      if (outcomes.length > maxOutcomes) {
        throw new RangeError(
          `chance gives one step of ${this.members[local.member]!.node} over ${maxOutcomes} outcomes`
        )
      }
      while (draws.length > 0 && draws.at(-1)! + 1 === values.length) draws.pop()
      if (draws.length > 0) draws[draws.length - 1]!++
    } while (draws.length > 0)
    return outcomes
  }

  private outcome(
    local: Local,
    input: Protocol.Input,
    memo: unknown,
    before: ReadonlyArray<Occurrence>,
    random: () => number,
    /** The first record that the disk doesn't take. */
    lost: number | undefined
  ): Outcome {
    const { member } = local
    const { node, protocol } = this.members[member]!
    const self = this.selves[member]!
    const { actions: asked, state } = Protocol.step(protocol, self, local.state, input, { random })
    const sends: Array<number> = []
    const occurrences = [...before]
    const actions: Array<Protocol.Action> = []
    let { timers } = local
    let kept = local.durable?.state
    let isBehind = local.durable?.isBehind === true
    let records = 0
    for (const action of asked) {
      if (action._tag === "Persist" && records++ === lost) isBehind = true
      if (isBehind && waitsForDisk(action)) continue
      actions.push(action)
      switch (action._tag) {
        case "Send": {
          if (action.now === true) this.demandLag(node)
          const target = this.places.get(action.to)
          // As the driver does: what is sent to nobody is dropped.
          if (target === undefined) break
          const message = this.message(member, target, action.message)
          sends.push(message.id)
          occurrences.push({ _tag: "Sent", from: message.from, to: message.to, message: message.message })
          break
        }
        case "SetTimer":
          timers = [
            ...timers.filter(({ timer }) => timer !== action.timer),
            { timer: action.timer, left: this.timed ? action.delayMillis : 0 }
          ]
          break
        case "ClearTimer":
          timers = timers.filter(({ timer }) => timer !== action.timer)
          break
        case "Emit":
          if (action.now === true) this.demandLag(node)
          occurrences.push({ _tag: "Emitted", node, event: action.event })
          break
        case "Persist":
          kept = protocol.durable!.restore(kept, action.record, self)
      }
    }
    const durable = local.durable === undefined ? undefined : { state: kept, isBehind }
    const next = this.local(member, state, durable, timers, true, memo)
    const isIdle = next.id === local.id && sends.length === 0 && occurrences.length === before.length
    const id = this.outcomes.length
    const fallsBehind = lost !== undefined
    const outcome = { id, next, sends, input, actions, occurrences, isIdle, fallsBehind }
    this.outcomes.push(outcome)
    return outcome
  }

  /** Without `sendNow` and `emitNow` a step may be taken as durable as a whole: what a crash undoes of it, nobody was told. */
  private demandLag(node: NodeId.NodeId): void {
    if (!this.forgets || this.system.crashes?.aheadOfDisk !== undefined) return
    throw new Refused(
      `${node} speaks ahead of its disk (sendNow, emitNow): say with crashes.aheadOfDisk whether a node may crash then`
    )
  }

  local(
    member: number,
    state: unknown,
    durable: Kept | undefined,
    timers: ReadonlyArray<Running>,
    alive: boolean,
    memo: unknown
  ): Local {
    const sorted = timers.length < 2 ? timers : timers.toSorted((a, b) => (a.timer < b.timer ? -1 : 1))
    const known = [member, state, sorted, alive, memo]
    const id = this.localNumbers.number(durable === undefined ? known : [...known, durable])
    if (id === this.locals.length) {
      const { high, low } = Fingerprint
      const cell = { node: this.members[member]!.node, alive, state }
      this.locals.push({ id, member, state, durable, timers: sorted, alive, memo, high, low, cell, own: undefined })
    }
    return this.locals[id]!
  }

  message(sender: number, target: number, message: unknown): Message {
    const id = this.messageNumbers.number([sender, target, message])
    if (id === this.messages.length) {
      const { high, low } = Fingerprint
      const [from, to] = [this.members[sender]!.node, this.members[target]!.node]
      const channel = sender * this.members.length + target
      this.messages.push({ id, from, to, message, sender, target, channel, high, low })
    }
    return this.messages[id]!
  }
}
