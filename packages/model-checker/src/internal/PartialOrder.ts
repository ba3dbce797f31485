/**
 * Which nodes' steps are enough to go on with, where the orders of steps come to the same.
 *
 * At a state s some nodes C are chosen, and only the steps at C are taken: what arrives at, is chosen by or befalls them.
 *
 * 1. While C does nothing, nobody else sends to C. So of any run from s the first step at C is possible in s already, it
 *    changes no node outside of C, and it comes to the same when it is taken first.
 * 2. No step at C is seen by a property or noted in a history, unless only ends matter. So what is seen on the run stays
 *    the same, and in the same order.
 * 3. One of the steps at C needs no budget of faults and leads to a state that is new, or its node can never come back to
 *    before it; else all steps are taken. A run without a step at C can be followed from the state after that step, and so
 *    on. That does not go round in a circle: on one, not every step leads to a state that was found later, and no node does
 *    what it cannot go back from. So it comes to a state of which a step of the run is taken.
 *
 * By induction over its length, what is seen at the end of a run from s is seen by the search, and so is every end that a
 * run comes to: nothing has come to an end while C has its step.
 *
 * For 1 and 3, who may send and what is for good is learnt from the steps that the search takes (`Sends`); when it turns out that too little was known,
 * the search begins anew with what is known by then. A pass at whose end all that was relied on still stands is sound: by
 * the same induction each local step of a run from s was seen, the steps before the first one at C in a shorter run, and
 * the rest from a state to which the run was moved.
 *
 * Where a fault is about all nodes (a split), or a message that is lost may have been sent again and be one with it
 * (duplication with loss), all steps are taken. Time that counts (`synchronous`) passes for all nodes at once, but not
 * while something can be delivered: there C must have a message to deliver.
 *
 * Source: P. Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", LNCS 1032, 1996; A. Valmari,
 * "The State Explosion Problem", LNCS 1491, 1998, for 1 (its D1 and D2); for 3 D. Bošnački, G. Holzmann, "Improving Spin's
 * Partial-Order Reduction for Breadth-First Search", SPIN 2005, and R. Kurshan et al., "Static Partial Order Reduction",
 * TACAS 1998.
 */
import type { Occurrence, System } from "../System.ts"
import { Interner, type Local, type Locals, type Message, type Outcome } from "./Locals.ts"
import { Sends, type SendTable } from "./PartialOrderSends.ts"
import type { Surroundings } from "./SystemSpace.ts"
import { grown } from "./Visited.ts"

type AnySystem = System<any, any, any, any, any, any, any>

/** All nodes. */
export const everybody = -1

/** Bits of what is known of a local state. */
const known = 1
/** One of its own steps must not be put before others. */
const isHeldOn = 2
/** One of its own steps is no fault. */
const isKeyOn = 4
const crashIsHeld = 8
const crashIsLearnt = 16
/** The rest is how many steps of its own it has. */
const countShift = 5

/** Bits of what is known of an outcome: that it was seen, that it may be undone, and that it is relied on not to be. */
const isLearnt = 1
const isOnCircle = 2
const isReliedOn = 4

/** So many nodes can be named by the bits of a number, with one bit to spare. */
const maxNodes = 30

/** The reduction, where the system and its properties allow one. */
export const partialOrder = (system: AnySystem, parts: Locals, leavesIdle: boolean): PartialOrder | undefined => {
  const { crashes, members, network, properties, visible, within } = system
  const isLossy = network?.loss !== undefined && network.loss !== false && network.loss !== 0
  if (members.length > maxNodes || (network?.duplication === true && isLossy)) return undefined
  // A node that has fallen behind its disk crashes when no other may any more.
  if (crashes?.aheadOfDisk === true) return undefined
  const isWatched = within !== undefined || properties.some(({ kind }) => kind === "always" || kind === "sometimes")
  return isWatched && visible === undefined ? undefined : new PartialOrder(system, parts, leavesIdle, isWatched)
}

export class PartialOrder {
  private readonly system: AnySystem
  private readonly parts: Locals
  private readonly size: number
  /** The arrival of what changes nothing is no step. */
  private readonly leavesIdle: boolean
  /** Whether properties look at states on the way. */
  readonly isWatched: boolean
  private readonly timed: boolean
  private readonly fifo: boolean
  private readonly loses: boolean
  private readonly mayCrash: ReadonlyArray<boolean>
  private readonly crashBit: number
  private readonly sends: Sends
  private readonly sights = new Interner()
  /** By local state: what is seen of it, plus 1; 0: not asked yet. */
  private seen: Int32Array = new Int32Array(256)
  private facts: Int32Array = new Int32Array(256)
  /** By outcome: 0 not asked yet, 1 may be put before others, 2 may not. */
  private held: Uint8Array = new Uint8Array(256)
  private learnt: Uint8Array = new Uint8Array(256)
  /** By outcome: the local state before it. */
  private befores: Int32Array = new Int32Array(256)
  private learntCount = 0
  private checkedCount = 0
  // The state at hand: by node, the local state, the sources of what may arrive, to whom it may send, how many steps.
  private readonly locals: Int32Array
  private readonly arriving: Int32Array
  private readonly sources: Int32Array
  private readonly counts: Int32Array
  private readonly tables: Array<SendTable> = []
  private active = 0
  private keys = 0
  private heldNodes = 0

  constructor(system: AnySystem, parts: Locals, leavesIdle: boolean, isWatched: boolean) {
    this.system = system
    this.parts = parts
    this.size = system.members.length
    this.leavesIdle = leavesIdle
    this.isWatched = isWatched
    this.timed = system.timeouts === "synchronous"
    this.fifo = system.network?.order === "fifo"
    this.loses = system.network?.loss !== undefined
    const { crashes } = system
    this.mayCrash = system.members.map(({ node }) => crashes !== undefined && crashes.nodes?.includes(node) !== false)
    this.crashBit = 1 << this.size
    this.sends = new Sends(this.crashBit * 2 - 1)
    this.locals = new Int32Array(this.size)
    this.arriving = new Int32Array(this.size)
    this.sources = new Int32Array(this.size)
    this.counts = new Int32Array(this.size)
  }

  get bytes(): number {
    const { facts, held, learnt, seen, sends, sights } = this
    return facts.byteLength + held.byteLength + learnt.byteLength * 5 + seen.byteLength + sends.bytes + sights.bytes
  }

  /** Whether something was left out that must not be, as is known by now. That is then forgotten: a pass begins anew. */
  renew(isOver: boolean): boolean {
    const isUndone = (isOver || this.learntCount >= 2 * this.checkedCount) && this.findCircles()
    if (!this.sends.isOutdated && !isUndone) return false
    this.sends.release()
    for (let id = 0; id < this.learnt.length; id++) this.learnt[id]! &= ~isReliedOn
    return true
  }

  /** Whether a step lies on a circle that was relied on not to. */
  private findCircles(): boolean {
    this.checkedCount = this.learntCount
    const circles = this.sends.circles(this.crashBit)
    const { befores, learnt } = this
    let isUndone = false
    for (let id = 0; id < learnt.length; id++) {
      if (learnt[id] === 0 || circles[befores[id]!] !== circles[this.parts.outcomes[id]!.next.id]) continue
      learnt[id]! |= isOnCircle
      if ((learnt[id]! & isReliedOn) !== 0) isUndone = true
    }
    return isUndone
  }

  // ----------------------------------------------------------------------------------------------------------- learning

  /** A step of a node; `sender`: of the message that it takes, -1: none. */
  learn(local: Local, outcome: Outcome, sender: number): void {
    if (outcome.id < this.learnt.length && this.learnt[outcome.id] !== 0) return
    // While something can be delivered, no time passes.
    if (this.timed && outcome.input._tag === "Timeout") return
    while (outcome.id >= this.learnt.length) {
      this.learnt = doubled(this.learnt)
      this.befores = grown(this.befores, this.learnt.length)
    }
    this.learnt[outcome.id] = local.id === outcome.next.id ? isLearnt | isOnCircle : isLearnt
    this.befores[outcome.id] = local.id
    this.learntCount++
    let targets = 0
    for (const id of outcome.sends) targets |= 1 << this.parts.messages[id]!.target
    this.sends.learn(local.id, outcome.next.id, targets, sender < 0 ? 0 : 1 << sender)
  }

  /** Whether, of a step that was learnt, the node cannot come back to before it: that is then relied on. */
  isForGood(outcome: Outcome): boolean {
    if (outcome.id >= this.learnt.length || (this.learnt[outcome.id]! & (isLearnt | isOnCircle)) !== isLearnt)
      return false
    this.learnt[outcome.id]! |= isReliedOn
    return true
  }

  learnCrash(local: Local, crashed: Local): void {
    const facts = this.factsOf(local)
    if ((facts & crashIsLearnt) !== 0) return
    this.facts[local.id] = facts | crashIsLearnt
    this.sends.learn(local.id, crashed.id, 0, this.crashBit)
  }

  // ------------------------------------------------------------------------------------------------------------ choosing

  /** The nodes (bits) whose steps are enough; `everybody`. The numbers are those of a state, as in `SystemSpace`. */
  choose(numbers: Int32Array, length: number, now: Surroundings): number {
    if (now.split >= 0 || now.splits > 0) return everybody
    this.look(numbers, length, now)
    const seeds = this.keys & ~this.heldNodes
    // Of a single node that can do something, all steps are everything.
    if (seeds === 0 || (this.active & (this.active - 1)) === 0) return everybody
    let best = everybody
    let least = Infinity
    for (let member = 0; member < this.size; member++) {
      if (((seeds >> member) & 1) === 0 || this.counts[member]! >= least) continue
      const chosen = this.close(1 << member, now)
      if (chosen === everybody) continue
      const steps = this.countOf(chosen)
      if (steps >= least) continue
      best = chosen
      least = steps
    }
    if (best !== everybody) this.rely(best, now)
    return best
  }

  /** What each node can do in this state. */
  private look(numbers: Int32Array, length: number, now: Surroundings): void {
    const { arriving, counts, locals, parts, size, timed } = this
    this.active = 0
    this.keys = 0
    this.heldNodes = 0
    for (let member = 0; member < size; member++) {
      const local = parts.locals[numbers[member]!]!
      const facts = this.factsOf(local)
      locals[member] = local.id
      arriving[member] = 0
      counts[member] = facts >> countShift
      const crashes = now.crashes > 0 && local.alive && this.mayCrash[member]!
      if (counts[member]! > 0 || crashes) this.active |= 1 << member
      if ((facts & isKeyOn) !== 0 && !timed) this.keys |= 1 << member
      if ((facts & isHeldOn) !== 0 || (crashes && (facts & crashIsHeld) !== 0)) this.heldNodes |= 1 << member
    }
    for (let at = size + 2; at < length; at++) this.lookAt(parts.messages[numbers[at]!]!)
  }

  private lookAt(message: Message): void {
    const { arriving, fifo, parts } = this
    const { sender, target } = message
    const node = 1 << target
    const isBehind = fifo && ((arriving[target]! >> sender) & 1) !== 0
    arriving[target]! |= 1 << sender
    if (this.loses) this.active |= node
    if (isBehind) return
    const local = parts.locals[this.locals[target]!]!
    if (!local.alive) {
      this.active |= node
      this.keys |= node
      this.counts[target]!++
      return
    }
    const outcomes = parts.deliver(local, message)
    for (let k = 0; k < outcomes.length; k++) {
      const outcome = outcomes[k]!
      if (outcome.isIdle && this.leavesIdle) continue
      this.active |= node
      this.keys |= node
      this.counts[target]!++
      if (this.isHeld(local, outcome)) this.heldNodes |= node
    }
  }

  /** The least nodes that hold these and to which nobody else sends, while they do nothing. */
  private close(seed: number, now: Surroundings): number {
    let chosen = seed
    while (true) {
      this.spread(chosen, now)
      let joins = 0
      for (let member = 0; member < this.size; member++) {
        if (((chosen >> member) & 1) === 0 && (this.mask(member) & chosen) !== 0) joins |= 1 << member
      }
      if (joins === 0) return chosen
      chosen |= joins
      if ((chosen & this.heldNodes) !== 0 || (this.active & ~chosen) === 0) return everybody
    }
  }

  /** From whom the others may get messages, while the chosen do nothing: what is in flight, and what they send. */
  private spread(chosen: number, now: Surroundings): void {
    const { arriving, size, sources, tables } = this
    for (let member = 0; member < size; member++) {
      if (((chosen >> member) & 1) !== 0) continue
      sources[member] = arriving[member]! | (now.crashes > 0 && this.mayCrash[member]! ? this.crashBit : 0)
      tables[member] = this.sends.table(sources[member]!)
    }
    let spreads = true
    while (spreads) {
      spreads = false
      for (let sender = 0; sender < size; sender++) {
        if (((chosen >> sender) & 1) !== 0) continue
        const targets = this.mask(sender) & ~chosen
        for (let target = 0; target < size; target++) {
          if (((targets >> target) & 1) === 0 || ((sources[target]! >> sender) & 1) !== 0) continue
          sources[target]! |= 1 << sender
          tables[target] = this.sends.table(sources[target]!)
          spreads = true
        }
      }
    }
  }

  private mask(member: number): number {
    const { masks } = this.tables[member]!
    const local = this.locals[member]!
    return local < masks.length ? masks[local]! : 0
  }

  /** On nobody sending to the chosen, and to nobody else than `spread` came to. */
  private rely(chosen: number, now: Surroundings): void {
    this.spread(chosen, now)
    for (let sender = 0; sender < this.size; sender++) {
      if (((chosen >> sender) & 1) !== 0) continue
      let targets = chosen
      for (let target = 0; target < this.size; target++) {
        if (((chosen >> target) & 1) === 0 && ((this.sources[target]! >> sender) & 1) === 0) targets |= 1 << target
      }
      this.sends.rely(this.tables[sender]!, this.locals[sender]!, targets)
    }
  }

  private countOf(chosen: number): number {
    let count = 0
    for (let member = 0; member < this.size; member++) {
      if (((chosen >> member) & 1) !== 0) count += this.counts[member]!
    }
    return count
  }

  // --------------------------------------------------------------------------------------------- what is known of steps

  private factsOf(local: Local): number {
    while (local.id >= this.facts.length) this.facts = grown(this.facts, this.facts.length * 2)
    const facts = this.facts[local.id]!
    if (facts !== 0) return facts
    return (this.facts[local.id] = local.alive ? this.factsOfAlive(local) : this.factsOfDead(local))
  }

  private factsOfAlive(local: Local): number {
    let facts = known
    let count = 0
    for (const { input, outcomes } of this.parts.own(local)) {
      if (this.timed && input._tag === "Timeout") continue
      for (const outcome of outcomes) {
        if (outcome.isIdle) continue
        count++
        facts |= isKeyOn
        if (this.isHeld(local, outcome)) facts |= isHeldOn
      }
    }
    if (this.mayCrash[local.member] === true) {
      const { node } = local.cell
      const isNoted = this.isNoted({ _tag: "Crashed", node })
      if (isNoted || (this.isWatched && this.differs(local, this.parts.crashed(local)))) facts |= crashIsHeld
    }
    return facts | (count << countShift)
  }

  private factsOfDead(local: Local): number {
    if (this.system.crashes?.restart !== true) return known
    const outcomes = this.parts.restarted(local)
    const isNoted = this.isNoted({ _tag: "Restarted", node: local.cell.node })
    const isHeld = isNoted || outcomes.some((outcome) => this.isHeld(local, outcome))
    return known | isKeyOn | (isHeld ? isHeldOn : 0) | (outcomes.length << countShift)
  }

  /** Whether a property or the history would see that it came before others. */
  private isHeld(local: Local, outcome: Outcome): boolean {
    while (outcome.id >= this.held.length) this.held = doubled(this.held)
    if (this.held[outcome.id] === 0) {
      const isSeen = this.isWatched && this.differs(local, outcome.next)
      const isHeld = isSeen || outcome.occurrences.some((each) => this.isNoted(each))
      this.held[outcome.id] = isHeld ? 2 : 1
    }
    return this.held[outcome.id] === 2
  }

  private isNoted(occurrence: Occurrence): boolean {
    const { record } = this.system
    return record !== undefined && record.about?.(occurrence) !== false
  }

  private differs(before: Local, after: Local): boolean {
    return before.id !== after.id && this.sight(before) !== this.sight(after)
  }

  /** A number for what properties see of it. */
  private sight(local: Local): number {
    while (local.id >= this.seen.length) this.seen = grown(this.seen, this.seen.length * 2)
    return (this.seen[local.id] ||= this.sights.number(this.system.visible!(local.cell)) + 1)
  }
}

const doubled = (array: Uint8Array): Uint8Array => {
  const larger = new Uint8Array(array.length * 2)
  larger.set(array)
  return larger
}
