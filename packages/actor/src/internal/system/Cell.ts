/**
 * One actor: its mailbox, its state, its place among actors, and what becomes of it.
 *
 * It is one object, which is what others hold of it and what its handlers are given. What few actors need is in `Rare`.
 */
import { type Cause, type Duration, Effect, Exit, type Fiber, Inspectable } from "effect"
import { type ActorRef, ActorStopped, type AskOptions, MailboxFull, type Reason } from "../../ActorRef.ts"
import { bare } from "../observed/Told.ts"
import * as Deferred from "./Deferred.ts"
import * as Effects from "./Effects.ts"
import * as Facilities from "./Facilities.ts"
import * as Failing from "./Failing.ts"
import { NameTaken } from "./failures.ts"
import * as Living from "./Living.ts"
import * as Moving from "./Moving.ts"
import { none, Rare } from "./Rare.ts"
import type { Answer, Behavior, Later, SpawnOptions, Table } from "../../Behavior.ts"
import type { Definition } from "../../Messages.ts"
import { awaited, Envelope, Fault, patienceOf, Question } from "./envelopes.ts"
import type { Mailbox } from "./Mailbox.ts"
import { named } from "./options.ts"
import type { System } from "./System.ts"
import * as Turns from "./Turns.ts"

export type Message = { readonly _tag: string }

/**
 * `idle`: it waits for messages. `ready`: it stands in the queue. `running`: a handler runs. `busy`: an Effect does.
 * `starting`: its `init` runs. `restarting`: what is left of it ends first. `stopping`: its children do. `frozen`: it is about
 * to move. `moved`: it is elsewhere.
 */
type Status =
  | "idle"
  | "ready"
  | "running"
  | "busy"
  | "starting"
  | "restarting"
  | "stopping"
  | "stopped"
  | "frozen"
  | "moved"

export class Cell implements ActorRef<any> {
  readonly system: System
  readonly parent: Cell | undefined
  /** Another one with the same handlers, where it comes to from elsewhere. */
  behavior: Behavior<any, any>
  readonly table: Table
  readonly options: SpawnOptions
  readonly id: number
  status: Status = "starting"
  state: any = none
  mailbox: Mailbox | undefined = undefined
  rare: Rare | undefined = undefined
  /** What the handler under way was given, and the question, if that is one. */
  current: unknown = undefined
  question: Question | undefined = undefined
  ending: Reason | undefined = undefined
  /** Of Effect handlers: the one that was taken, and whether it is of a question. */
  effect: Effect.Effect<any, any> | undefined = undefined
  isAsked = false
  firstChild: Cell | undefined = undefined
  next: Cell | undefined = undefined
  previous: Cell | undefined = undefined
  names: Map<string, Cell> | undefined = undefined

  constructor(system: System, parent: Cell | undefined, behavior: Behavior<any, any>, options: SpawnOptions) {
    this.system = system
    this.parent = parent
    this.behavior = behavior
    this.table = behavior.table
    this.options = options
    this.id = system.serial()
  }

  static root(system: System): Cell {
    const behavior = {
      table: {},
      capacity: 0,
      kind: "plain",
      init: () => undefined,
      context: undefined
    } as unknown as Behavior<any>
    const root = new Cell(system, undefined, behavior, {})
    root.status = "idle"
    return root
  }

  // ------------------------------------------------------------------------------------------------- what others hold

  get name(): string {
    return this.options.name ?? `$${this.id.toString(36)}`
  }

  get path(): string {
    let { name, parent } = this as Cell
    if (parent === undefined) return this.system.name
    for (; parent.parent !== undefined; parent = parent.parent) name = `${parent.name}/${name}`
    return name
  }

  /** In traces and logs. */
  toJSON(): unknown {
    return { actor: this.path }
  }

  /** Where it is printed, instead of all that it holds. */
  [Inspectable.NodeInspectSymbol](): string {
    return `ActorRef(${this.path})`
  }

  tell(message: unknown): void {
    if (this.ending !== undefined) return this.dead(message, "stopped")
    const mailbox = this.box
    if (mailbox.size >= this.behavior.capacity && !this.makeRoom(mailbox, message)) return
    mailbox.push(message)
    if (this.status === "idle") this.beReady()
  }

  send(message: unknown): Effect.Effect<void, MailboxFull | ActorStopped> {
    return Effect.suspend(() => {
      if (this.isEnded) return Effect.fail(new ActorStopped({ actor: this.path }))
      if (this.behavior.mailbox?.onFull !== "suspend" || (this.mailbox?.size ?? 0) < this.behavior.capacity) {
        return Effect.try({ try: () => this.tell(message), catch: (full) => full as MailboxFull })
      }
      return Effect.andThen(this.room(), this.send(message))
    })
  }

  ask(message: any, options?: AskOptions): Effect.Effect<any, any> {
    return Effect.suspend(() => this.put(new Question(message, this), options))
  }

  put(question: Question, options: AskOptions | undefined): Effect.Effect<any, any> {
    if (this.isEnded) return Effect.fail(new ActorStopped({ actor: this.path }))
    const millis = (question.patienceMillis = patienceOf(options))
    try {
      this.system.ask(this, question)
    } catch (full) {
      return Effect.fail(full)
    }
    if (question.exit !== undefined) return question.exit
    if (millis < Infinity) this.system.patience(millis).add(question)
    return awaited(question)
  }

  private room(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const { room } = this.rarely()
      const waiter = (): void => resume(Effect.void)
      room.push(waiter)
      return Effect.sync(() => void (this.rare!.room = this.rare!.room.filter((each) => each !== waiter)))
    })
  }

  get waiting(): number {
    return this.mailbox?.size ?? 0
  }

  /** It takes no more messages, here or elsewhere. */
  get isEnded(): boolean {
    return this.ending !== undefined && this.status !== "moved"
  }

  get isFull(): boolean {
    return this.mailbox !== undefined && this.mailbox.size >= this.behavior.capacity
  }

  /** Its mailbox, which it has from the first message on. */
  get box(): Mailbox {
    return (this.mailbox ??= Turns.mailboxOf(this))
  }

  /** Whether there is room for one more. */
  private makeRoom(mailbox: Mailbox, message: unknown): boolean {
    switch (this.behavior.mailbox?.onFull) {
      case "drop-newest":
        this.dead(message, "mailbox full")
        return false
      case "drop-oldest": {
        const oldest = mailbox.dropOldest()
        if (oldest !== undefined) this.dead(oldest, "mailbox full")
        return true
      }
      default:
        throw this.full
    }
  }

  private get full(): MailboxFull {
    return new MailboxFull({ actor: this.path, capacity: this.behavior.capacity })
  }

  dead(taken: unknown, reason: "stopped" | "mailbox full" | "not understood"): void {
    if (this.status === "moved") return this.rare!.away!.tell(taken)
    const message = bare(taken)
    if (message instanceof Question) {
      message.end(Exit.fail(reason === "mailbox full" ? this.full : new ActorStopped({ actor: this.path })))
      this.system.deadLetters.add(this, message.message, reason)
    } else if (!(message instanceof Envelope)) this.system.deadLetters.add(this, message, reason)
  }

  private beReady(): void {
    this.status = "ready"
    this.system.enqueue(this)
  }

  rarely(): Rare {
    return (this.rare ??= new Rare())
  }

  // -------------------------------------------------------------------------------------------------------- its turns

  /** Takes so many messages at the most. Returns how many. */
  run(limit: number): number {
    // It may have stopped, or started again, since it was put into the queue.
    if (this.status !== "ready") return 1
    this.status = "running"
    const taken = this.behavior.kind === "plain" ? Turns.run(this, limit) : Effects.run(this, limit)
    this.system.counters.processed += taken
    const { rare } = this
    if (rare !== undefined) this.afterTurn(rare)
    if (this.status === "running") this.goOn()
    return taken
  }

  /** Ready again, if there is anything. */
  goOn(): void {
    if (this.ending !== undefined) return Living.terminate(this, this.ending)
    if (this.rare?.freeze !== undefined) return Moving.frozen(this)
    this.status = "idle"
    if (this.mailbox !== undefined && this.mailbox.size > 0) this.beReady()
  }

  afterTurn(rare: Rare): void {
    if (rare.receive !== undefined) rare.receive.sinceMillis = this.system.monotonicMillis()
    let free = this.behavior.capacity - (this.mailbox?.size ?? 0)
    while (rare.room.length > 0 && free-- > 0) rare.room.shift()!()
  }

  runFork<A>(effect: Effect.Effect<A, unknown, any>): Fiber.Fiber<A, unknown> {
    return Effect.runForkWith(this.behavior.context ?? this.system.context)(effect as Effect.Effect<A, unknown>)
  }

  // ------------------------------------------------------------------------------------------------ its start and end

  /** Past its bound: there is one of it for each thing that it asked for. */
  deliver(envelope: Envelope): void {
    if (this.ending !== undefined) return
    this.box.push(envelope)
    if (this.status === "idle") this.beReady()
  }

  // -------------------------------------------------------------------------------------------------------- its family

  add(child: Cell): Cell {
    const { name } = child.options
    if (name !== undefined) {
      named(name, `an actor of "${this.path}"`)
      const names = (this.names ??= new Map())
      if (names.has(name)) throw new NameTaken({ name, parent: this.path })
      names.set(name, child)
    }
    child.next = this.firstChild
    if (child.next !== undefined) child.next.previous = child
    this.firstChild = child
    this.system.counters.spawned++
    Living.begin(child)
    if (Living.isLeaving(this)) Living.stop(child, Living.stopped)
    return child
  }

  lose(child: Cell): void {
    const { next, previous } = child
    if (previous === undefined) this.firstChild = next
    else previous.next = next
    if (next !== undefined) next.previous = previous
    child.next = child.previous = undefined
    if (child.options.name !== undefined) this.names?.delete(child.options.name)
  }

  child(name: string): Cell | undefined {
    return this.names?.get(name)
  }

  /** Its children, the youngest first. */
  get children(): ReadonlyArray<Cell> {
    const children: Array<Cell> = []
    for (let child = this.firstChild; child !== undefined; child = child.next) children.push(child)
    return children
  }

  // ------------------------------------------------------------------------------------------------------- its failures

  /** It fails before its next message, for a reason outside the handler that runs. */
  fault(cause: Cause.Cause<unknown>, at?: string): void {
    if (this.ending !== undefined) return
    this.box.unshift([new Fault(cause, at)])
    if (this.status === "idle") this.beReady()
  }

  fail(cause: Cause.Cause<unknown>): void {
    Failing.fail(this, cause)
  }

  log(what: string, cause: Cause.Cause<unknown>): void {
    this.system.fork(Effect.annotateLogs(Effect.logWarning(what, cause), { actor: this.path }))
  }

  // ------------------------------------------------------------------------------------------- what its handlers may do

  get ref(): ActorRef<any> {
    return this
  }

  spawn<C extends Definition>(behavior: Behavior<C>, options: SpawnOptions<C> = {}): ActorRef<C> {
    return this.system.spawn(this, behavior, options)
  }

  stop(child?: ActorRef<any>): void {
    if (child === undefined) Living.stopItself(this)
    else if (child instanceof Cell && child.parent === this) Living.stop(child, Living.stopped)
    else throw new TypeError(`"${this.path}" stops itself and its children; "${child.path}" is none of them`)
  }

  watch(ref: ActorRef<any>, told: (reason: Reason) => unknown): void {
    Facilities.watch(this, ref, told)
  }

  unwatch(ref: ActorRef<any>): void {
    Facilities.unwatch(this, ref)
  }

  link(ref: ActorRef<any>): void {
    Facilities.link(this, ref)
  }

  /** At once, if it is no more. */
  onEnd(told: (reason: Reason) => void): void {
    if (this.status === "stopped") told(this.ending!)
    else this.rarely().watchers.add(told)
  }

  untold(told: (reason: Reason) => void): void {
    this.rare?.watchers.delete(told)
  }

  onGone(then: () => void): void {
    this.rarely().gone.push(then)
  }

  unlinkedFrom(other: Cell, reason: Reason): void {
    Facilities.unlinkedFrom(this, other, reason)
  }

  unlink(ref: ActorRef<any>): void {
    Facilities.unlink(this, ref)
  }

  forward(...to: ReadonlyArray<ActorRef<any>>): Later {
    return Facilities.forward(this, to)
  }

  stash(): Later {
    return Facilities.stash(this)
  }

  unstash(): void {
    Facilities.unstash(this)
  }

  defer(): Answer<any, any> {
    return Deferred.defer(this)
  }

  setTimer(timer: string, after: Duration.Input, message: unknown): void {
    Facilities.setTimer(this, timer, after, message)
  }

  setInterval(timer: string, every: Duration.Input, message: unknown): void {
    Facilities.setInterval(this, timer, every, message)
  }

  clearTimer(timer: string): void {
    Facilities.clearTimer(this, timer)
  }

  setReceiveTimeout(after: Duration.Input | undefined, message?: unknown): void {
    Facilities.setReceiveTimeout(this, after, message)
  }

  now(): number {
    return this.system.clock.currentTimeMillisUnsafe()
  }

  random(): number {
    return this.system.chance.nextDoubleUnsafe()
  }
}
