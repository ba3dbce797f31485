/**
 * The space of a system of protocols. A state is the numbers of: the local state of each member, the surroundings (what may
 * still go wrong), the history, and the messages in flight.
 */
import type { System, View } from "../System.ts"
import * as Fingerprint from "./Fingerprint.ts"
import { Interner, type Local, Locals, labels, type Message, type Outcome } from "./Locals.ts"
import { PairMap } from "./PairMap.ts"
import { everybody, type PartialOrder, partialOrder } from "./PartialOrder.ts"
import { PartialOrderCheck } from "./PartialOrderCheck.ts"
import type { Happening, PathStep, Receiver, Reductions, Space } from "./Space.ts"
import { refuseSystem } from "./Refusal.ts"
import { Symmetry } from "./Symmetry.ts"
import { SymmetryCheck } from "./SymmetryCheck.ts"
import { describe, type SystemHappening, traceOf } from "./SystemTrace.ts"
import { grown } from "./Visited.ts"

/** What may still go wrong, and what is wrong. */
export interface Surroundings {
  readonly crashes: number
  readonly losses: number
  readonly splits: number
  /** Which of the network's splits there is at the moment; -1: none. */
  readonly split: number
}

interface Numbered<A> {
  readonly value: A
  readonly high: number
  readonly low: number
}

export const systemSpace = <State, Message, Command, Event, Timer extends string, Memo, History>(
  system: System<State, Message, Command, Event, Timer, Memo, History>,
  reduce: Reductions
): Space<View<State, History>> => new SystemSpace(system, reduce)

type AnySystem = System<any, any, any, any, any, any, any>

class SystemSpace implements Space<View<any, any>> {
  readonly name: string
  private readonly system: AnySystem
  private readonly parts: Locals
  private readonly size: number
  private readonly fifo: boolean
  private readonly duplicates: boolean
  private readonly keepsIgnored: boolean
  private readonly forgets: boolean
  private readonly surroundings = new Values<Surroundings>("surroundings")
  private readonly histories = new Values<unknown>("history")
  private readonly noted = new PairMap()
  // The state that is being gone on from.
  private numbers: Int32Array = new Int32Array(64)
  private length = 0
  private high = 0
  private low = 0
  // The state that is being made.
  private next: Int32Array = new Int32Array(64)
  private nextLength = 0
  private last: SystemHappening = { _tag: "Began", starts: [] }
  private readonly order: PartialOrder | undefined
  /** The nodes (bits) whose steps are offered, and whether these are enough: one that is no fault leads on. */
  private acting = everybody
  private isTaken = false
  /** Where properties must not see the steps that are offered. */
  private unseen: PartialOrderCheck | undefined
  private readonly orderCheck: PartialOrderCheck | undefined
  private readonly symmetry: Symmetry | undefined
  private readonly symmetryCheck: SymmetryCheck | undefined
  private readonly cells: Array<Local["cell"]> = []
  private readonly seen: View<any, any>

  constructor(system: AnySystem, reduce: Reductions) {
    refuseSystem(system)
    this.name = system.name
    this.system = system
    this.parts = new Locals(system)
    this.size = system.members.length
    this.fifo = system.network?.order === "fifo"
    this.duplicates = !this.fifo && system.network?.duplication === true
    this.keepsIgnored = !this.fifo && reduce.ignored
    this.forgets = system.crashes?.restart === true
    if (reduce.partialOrder) this.order = partialOrder(system, this.parts, this.keepsIgnored || this.duplicates)
    if (reduce.symmetry && system.symmetry !== undefined) {
      this.symmetry = new Symmetry(system, {
        locals: this.parts,
        histories: this.histories,
        surroundings: this.surroundings
      })
      this.symmetryCheck = new SymmetryCheck(system, this, this.symmetry)
    }
    if (this.order?.isWatched === true) this.orderCheck = new PartialOrderCheck(system, this)
    const space = this
    this.seen = {
      nodes: this.cells,
      history: undefined,
      get messages() {
        if (space.order?.isWatched === true) throw new Error("a system that says what is visible shows no messages")
        return Array.from(space.viewed.numbers.subarray(space.viewed.from, space.viewed.to), (id) => {
          const { from, message, to } = space.parts.messages[id]!
          return { from, to, message }
        })
      }
    }
  }

  private readonly viewed = { numbers: new Int32Array(0) as Int32Array, from: 0, to: 0 }

  get bytes(): number {
    return (
      this.parts.bytes +
      this.noted.bytes +
      this.histories.bytes +
      (this.symmetry?.bytes ?? 0) +
      (this.order?.bytes ?? 0)
    )
  }

  get latest(): Happening {
    const happening = this.last
    return Object.assign(Object.create(happeningPrototype) as Happening, { happening })
  }

  isFair(label: number): boolean {
    return (label & 7) <= labels.user
  }

  isFault(label: number): boolean {
    return isFault(label)
  }

  release(): void {}

  isWithin(view: View<any, any>): boolean {
    return this.system.within?.(view) ?? true
  }

  view(numbers: Int32Array, from: number, length: number): View<any, any> {
    const { locals } = this.parts
    for (let i = 0; i < this.size; i++) this.cells[i] = locals[numbers[from + i]!]!.cell
    const seen = this.seen as { history: unknown }
    seen.history = this.histories.all[numbers[from + this.size + 1]!]!.value
    const { viewed } = this
    viewed.numbers = numbers
    viewed.from = from + this.size + 2
    viewed.to = from + length
    return this.seen
  }

  trace(path: ReadonlyArray<PathStep>) {
    const happenings = path.map(({ happening }) => (happening as SystemHappeningHolder).happening)
    const states = path.map(({ numbers }) =>
      Array.from(numbers.subarray(0, this.size), (id) => this.parts.locals[id]!.state)
    )
    return traceOf(this.system, happenings, states)
  }

  // ------------------------------------------------------------------------------------------------------ first states

  initial(to: Receiver): void {
    this.symmetryCheck?.initial()
    const { crashes, network } = this.system
    const start = this.system.members.map((_, member) =>
      this.parts.initial(member, this.system.user === undefined ? undefined : this.system.user.memo)
    )
    const surroundings = this.surroundings.number({
      crashes: crashes?.max ?? 0,
      losses: network?.loss === true ? -1 : Number(network?.loss ?? 0),
      splits: network?.splits === undefined ? 0 : (network.maxSplits ?? 1),
      split: -1
    })
    const begin = (starts: ReadonlyArray<Outcome>): void => {
      if (starts.length < this.size) {
        for (const outcome of this.parts.start(start[starts.length]!)) {
          const behind = [...starts, outcome].filter(({ fallsBehind }) => fallsBehind).length
          if (behind > 0 && (behind > crashes!.max || !this.mayCrash(starts.length))) continue
          begin([...starts, outcome])
        }
        return
      }
      this.fit(this.size + 2)
      this.length = 0
      for (const local of start) this.numbers[this.length++] = local.id
      this.numbers[this.length++] = surroundings
      this.numbers[this.length++] = this.histories.number(this.system.record?.init)
      this.measure()
      // One after the other: none of the first sends can be missed, since nothing has been delivered.
      for (const [member, outcome] of starts.entries()) {
        this.copy()
        this.apply(member, outcome)
        this.fit(this.nextLength)
        this.length = this.nextLength
        this.numbers.set(this.next.subarray(0, this.length))
      }
      this.measure()
      this.copy()
      this.last = { _tag: "Began", starts }
      this.offer(-1, to)
    }
    begin([])
  }

  // --------------------------------------------------------------------------------------------------------- successors

  successors(numbers: Int32Array, from: number, length: number, to: Receiver): void {
    if (to.isRetracing !== true) this.symmetryCheck?.state(numbers, from, length)
    this.symmetry?.from(numbers, from, length)
    this.fit(length)
    for (let i = 0; i < length; i++) this.numbers[i] = numbers[from + i]!
    this.length = length
    this.measure()
    const { order } = this
    const isReducing = order !== undefined && to.isSeeking !== true
    this.acting = isReducing ? order.choose(this.numbers, length, this.now) : everybody
    this.isTaken = this.acting === everybody
    if (!this.isTaken) {
      this.unseen = this.orderCheck
      this.unseen?.from(this.numbers, length)
    }
    this.act(to)
    this.unseen = undefined
    if (this.isTaken) return
    this.isTaken = true
    this.acting = ~this.acting
    this.act(to)
  }

  private act(to: Receiver): void {
    const isQuiet = this.deliveries(to)
    this.choices(to, isQuiet && this.acting === everybody)
    this.faults(to)
  }

  private get now(): Surroundings {
    return this.surroundings.all[this.numbers[this.size]!]!.value
  }

  private rests(member: number): boolean {
    return ((this.acting >> member) & 1) === 0
  }

  renew(isOver: boolean): boolean {
    return this.order?.renew(isOver) ?? false
  }

  private learn(local: Local, outcome: Outcome, sender: number): void {
    const { order } = this
    if (order === undefined) return
    order.learn(local, outcome, sender)
    if (!this.isTaken && order.isForGood(outcome)) this.isTaken = true
  }

  /** Whether no message can be delivered. */
  private deliveries(to: Receiver): boolean {
    const { length, numbers, parts, size } = this
    let isQuiet = true
    for (let at = size + 2; at < length; at++) {
      const message = parts.messages[numbers[at]!]!
      if (this.fifo ? this.isBehind(at, message) : this.isRepeated(at)) continue
      if (this.rests(message.target)) continue
      const local = parts.locals[numbers[message.target]!]!
      const label = message.id * 8 + labels.deliver
      if (!local.alive) {
        isQuiet = false
        this.copy()
        this.remove(at)
        this.last = { _tag: "Missed", message }
        this.offer(label, to)
        continue
      }
      const outcomes = parts.deliver(local, message)
      for (let k = 0; k < outcomes.length; k++) {
        const outcome = outcomes[k]!
        if (outcome.isIdle && (this.keepsIgnored || this.duplicates)) continue
        if (outcome.fallsBehind && !this.mayFall(message.target)) continue
        isQuiet = false
        this.learn(local, outcome, message.sender)
        this.copy()
        if (!this.duplicates) this.remove(at)
        this.apply(message.target, outcome)
        this.last = { _tag: "Delivered", message, outcome, stays: this.duplicates }
        this.offer(label, to)
      }
    }
    return isQuiet
  }

  private choices(to: Receiver, isQuiet: boolean): void {
    const { parts, size } = this
    const timed = this.system.timeouts === "synchronous"
    const wait = timed ? this.untilTimeout() : 0
    for (let member = 0; member < size; member++) {
      if (this.rests(member)) continue
      const local = parts.locals[this.numbers[member]!]!
      for (const { input, label, outcomes } of parts.own(local)) {
        if (timed && input._tag === "Timeout") continue
        this.choose(member, label, outcomes, to)
      }
    }
    if (!timed || !isQuiet || wait === Infinity) return
    // Time passes, the same for all, until the first timers run out.
    const before = this.numbers.slice(0, size)
    for (let member = 0; member < size; member++) {
      this.numbers[member] = parts.elapsed(parts.locals[before[member]!]!, wait).id
    }
    this.measure()
    for (let member = 0; member < size; member++) {
      const local = parts.locals[this.numbers[member]!]!
      for (const { input, label, outcomes } of parts.own(local)) {
        if (input._tag !== "Timeout" || local.timers.find(({ timer }) => timer === input.timer)!.left > 0) continue
        // One that is set anew, alone, and changes nothing else is no step: it is as if no time had passed.
        const steps = outcomes.filter((outcome) => !this.leadsBack(member, outcome, before))
        this.choose(member, label, steps, to)
      }
    }
    this.numbers.set(before)
    this.measure()
  }

  private leadsBack(member: number, { next, occurrences, sends }: Outcome, before: Int32Array): boolean {
    if (sends.length > 0 || occurrences.length > 0) return false
    for (let i = 0; i < this.size; i++) {
      if ((i === member ? next.id : this.numbers[i]) !== before[i]) return false
    }
    return true
  }

  private choose(member: number, label: number, outcomes: ReadonlyArray<Outcome>, to: Receiver): void {
    for (const outcome of outcomes) {
      if (outcome.isIdle || (outcome.fallsBehind && !this.mayFall(member))) continue
      this.learn(this.parts.locals[this.numbers[member]!]!, outcome, -1)
      this.copy()
      this.apply(member, outcome)
      this.last = { _tag: "Chose", member, outcome }
      this.offer(label, to)
    }
  }

  private untilTimeout(): number {
    let least = Infinity
    for (let member = 0; member < this.size; member++) {
      for (const { left } of this.parts.locals[this.numbers[member]!]!.timers) if (left < least) least = left
    }
    return least
  }

  // ------------------------------------------------------------------------------------------------------------- faults

  private faults(to: Receiver): void {
    const { crashes, network } = this.system
    const { now } = this
    if (crashes !== undefined) this.crashes(now, to)
    if (now.losses !== 0) this.losses(now, to)
    if (network?.splits !== undefined) this.splits(now, network.splits, to)
  }

  private crashes(now: Surroundings, to: Receiver): void {
    for (let member = 0; member < this.size; member++) {
      if (this.rests(member)) continue
      const local = this.parts.locals[this.numbers[member]!]!
      if (!local.alive) this.restart(member, local, to)
      // It was to crash when it fell behind its disk, and does so in the end.
      else if (local.durable?.isBehind === true) {
        this.crash(member, local, this.parts.label(labels.user, ["crash", member]), now, to)
      } else if (now.crashes > 0 && this.mayCrash(member)) {
        const label = this.parts.label(labels.crash, member)
        this.crash(member, local, label, { ...now, crashes: now.crashes - 1 }, to)
      }
    }
  }

  private restart(member: number, local: Local, to: Receiver): void {
    if (!this.forgets) return
    const label = this.parts.label(labels.restart, member)
    for (const outcome of this.parts.restarted(local)) {
      if (outcome.fallsBehind && !this.mayFall(member)) continue
      this.learn(local, outcome, -1)
      this.copy()
      this.apply(member, outcome)
      this.note([{ _tag: "Restarted", node: this.system.members[member]!.node }])
      this.last = { _tag: "Restarted", member, outcome }
      this.offer(label, to)
    }
  }

  private crash(member: number, local: Local, label: number, after: Surroundings, to: Receiver): void {
    const crashed = this.parts.crashed(local)
    this.order?.learnCrash(local, crashed)
    this.copy()
    this.replace(member, crashed.id)
    this.next[this.size] = this.surroundings.number(after)
    const lost = this.forgets ? [] : this.lose(({ target }) => target === member)
    this.note([{ _tag: "Crashed", node: this.system.members[member]!.node }])
    this.last = { _tag: "Crashed", member, node: local.cell.node, lost }
    this.offer(label, to)
  }

  private mayCrash(member: number): boolean {
    return this.system.crashes?.nodes?.includes(this.system.members[member]!.node) !== false
  }

  /** Whether a node's disk may take nothing more from here on: it is bound to crash, which counts from now. */
  private mayFall(member: number): boolean {
    return this.now.crashes > 0 && this.mayCrash(member)
  }

  private losses(now: Surroundings, to: Receiver): void {
    for (let at = this.size + 2; at < this.length; at++) {
      const message = this.parts.messages[this.numbers[at]!]!
      // Any message of a channel may be lost, the first or a later one.
      if (this.rests(message.target) || (!this.fifo && this.isRepeated(at))) continue
      this.copy()
      this.remove(at)
      if (now.losses > 0) this.next[this.size] = this.surroundings.number({ ...now, losses: now.losses - 1 })
      this.last = { _tag: "Lost", message }
      this.offer(message.id * 8 + labels.lose, to)
    }
  }

  private splits(now: Surroundings, splits: ReadonlyArray<ReadonlyArray<ReadonlyArray<string>>>, to: Receiver): void {
    if (now.split >= 0) {
      this.copy()
      this.next[this.size] = this.surroundings.number({ ...now, split: -1 })
      this.last = { _tag: "Healed" }
      this.offer(labels.heal, to)
      return
    }
    if (now.splits === 0) return
    for (let split = 0; split < splits.length; split++) {
      this.copy()
      this.next[this.size] = this.surroundings.number({ ...now, splits: now.splits - 1, split })
      const lost = this.lose((message) => !this.passes(split, message))
      this.last = { _tag: "Split", parts: splits[split]!, lost }
      this.offer(split * 8 + labels.split, to)
    }
  }

  private passes(split: number, { from, to }: Message): boolean {
    return split < 0 || this.system.network!.splits![split]!.some((part) => part.includes(from) && part.includes(to))
  }

  // ------------------------------------------------------------------------------------------------ the state being made

  private fit(length: number): void {
    while (length + 64 > this.numbers.length) this.numbers = grown(this.numbers, this.numbers.length * 2)
  }

  private copy(): void {
    const { length, numbers } = this
    while (length + 64 > this.next.length) this.next = new Int32Array(this.next.length * 2)
    const { next } = this
    for (let i = 0; i < length; i++) next[i] = numbers[i]!
    this.nextLength = length
    this.nextHigh = this.high
    this.nextLow = this.low
  }

  private nextHigh = 0
  private nextLow = 0

  /** The fingerprint of `numbers`: a sum over its parts. Of channels that keep order, with their places. */
  private measure(): void {
    const { length, numbers, parts, size } = this
    let high = 0
    let low = 0
    for (let i = 0; i < size; i++) {
      const local = parts.locals[numbers[i]!]!
      high = (high + local.high) | 0
      low = (low + local.low) | 0
    }
    if (!this.fifo) {
      for (let i = size + 2; i < length; i++) {
        const message = parts.messages[numbers[i]!]!
        high = (high + message.high) | 0
        low = (low + message.low) | 0
      }
    }
    this.high = high
    this.low = low
  }

  private replace(member: number, id: number): void {
    const { locals } = this.parts
    const before = locals[this.next[member]!]!
    const after = locals[id]!
    this.next[member] = id
    this.nextHigh = (this.nextHigh - before.high + after.high) | 0
    this.nextLow = (this.nextLow - before.low + after.low) | 0
  }

  private remove(at: number): void {
    const { next } = this
    if (this.fifo) {
      this.nextLength--
      for (let i = at; i < this.nextLength; i++) next[i] = next[i + 1]!
      return
    }
    const message = this.parts.messages[next[at]!]!
    this.nextHigh = (this.nextHigh - message.high) | 0
    this.nextLow = (this.nextLow - message.low) | 0
    next[at] = next[--this.nextLength]!
  }

  /** Loses all messages in flight that `isLost` names. */
  private lose(isLost: (message: Message) => boolean): ReadonlyArray<Message> {
    const lost: Array<Message> = []
    for (let at = this.nextLength - 1; at >= this.size + 2; at--) {
      const message = this.parts.messages[this.next[at]!]!
      if (!isLost(message)) continue
      lost.push(message)
      this.remove(at)
    }
    return lost
  }

  private apply(member: number, outcome: Outcome): void {
    this.replace(member, outcome.next.id)
    if (outcome.fallsBehind) {
      const { value } = this.surroundings.all[this.next[this.size]!]!
      this.next[this.size] = this.surroundings.number({ ...value, crashes: value.crashes - 1 })
    }
    const { sends } = outcome
    for (let k = 0; k < sends.length; k++) this.send(this.parts.messages[sends[k]!]!)
    if (this.system.record === undefined || outcome.occurrences.length === 0) return
    const history = this.next[this.size + 1]!
    let after = this.noted.get(history, outcome.id)
    if (after < 0) {
      this.note(outcome.occurrences)
      after = this.next[this.size + 1]!
      this.noted.set(history, outcome.id, after)
    }
    this.next[this.size + 1] = after
  }

  private send(message: Message): void {
    const { next, size } = this
    if (!this.forgets && !this.parts.locals[next[message.target]!]!.alive) return
    const { split } = this.surroundings.all[next[size]!]!.value
    if (split >= 0 && !this.passes(split, message)) return
    if (this.duplicates) {
      for (let i = size + 2; i < this.nextLength; i++) if (next[i] === message.id) return
    }
    if (this.nextLength === next.length) this.next = grown(next, next.length * 2)
    this.next[this.nextLength++] = message.id
    if (this.fifo) return
    this.nextHigh = (this.nextHigh + message.high) | 0
    this.nextLow = (this.nextLow + message.low) | 0
  }

  private note(occurrences: Outcome["occurrences"]): void {
    const { record } = this.system
    if (record === undefined) return
    const number = this.next[this.size + 1]!
    let history: unknown = this.histories.all[number]!.value
    for (const occurrence of occurrences) {
      if (record.about?.(occurrence) !== false) history = record.note(history, occurrence)
    }
    if (history !== this.histories.all[number]!.value) this.next[this.size + 1] = this.histories.number(history)
  }

  /** Whether a message stands before this one in its channel. */
  private isBehind(at: number, { channel }: Message): boolean {
    for (let i = this.size + 2; i < at; i++) {
      if (this.parts.messages[this.numbers[i]!]!.channel === channel) return true
    }
    return false
  }

  private isRepeated(at: number): boolean {
    for (let i = this.size + 2; i < at; i++) if (this.numbers[i] === this.numbers[at]) return true
    return false
  }

  private offer(label: number, to: Receiver): void {
    const { next, nextLength, size } = this
    this.unseen?.to(next, nextLength)
    const around = this.surroundings.all[next[size]!]!
    const history = this.histories.all[next[size + 1]!]!
    let high = (this.nextHigh + around.high + history.high) | 0
    let low = (this.nextLow + around.low + history.low) | 0
    if (this.fifo) {
      for (let at = size + 2; at < nextLength; at++) {
        const message = this.parts.messages[next[at]!]!
        let place = 0
        for (let i = size + 2; i < at; i++) if (this.parts.messages[next[i]!]!.channel === message.channel) place++
        high = (high + Fingerprint.mix(message.high, place)) | 0
        low = (low + Fingerprint.mix(message.low, place)) | 0
      }
    }
    if (this.symmetry !== undefined) {
      this.symmetry.take(next, nextLength)
      ;({ high, low } = this.symmetry)
    }
    const at = to.offer(high, low, label, nextLength)
    if (at < 0) return
    if (!isFault(label)) this.isTaken = true
    const { numbers } = to
    for (let i = 0; i < nextLength; i++) numbers[at + i] = next[i]!
    to.written()
  }
}

const isFault = (label: number): boolean => {
  const kind = label & 7
  return kind === labels.crash || kind >= labels.lose
}

interface SystemHappeningHolder extends Happening {
  readonly happening: SystemHappening
}

const happeningPrototype = {
  describe(this: SystemHappeningHolder): string {
    return describe(this.happening)
  }
}

/** Values of one kind, numbered. */
export class Values<A> {
  readonly all: Array<Numbered<A>> = []
  private readonly interner = new Interner()
  private readonly kind: string

  constructor(kind: string) {
    this.kind = kind
  }

  get bytes(): number {
    return this.interner.bytes + this.all.length * 200
  }

  number(value: A): number {
    const number = this.interner.number([this.kind, value])
    if (number === this.all.length) this.all.push({ value, high: Fingerprint.high, low: Fingerprint.low })
    return number
  }
}
