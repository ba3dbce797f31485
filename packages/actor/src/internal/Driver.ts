/**
 * The machine under `Actor.spawn`: takes inputs one at a time, runs the protocol's handlers, and does what they asked for.
 */
import type { NodeId, Send } from "@troupe/transport"
import { Cause, type Clock, type Context, Duration, Effect, type Fiber, Queue, type Random, Stream } from "effect"
import type { Actor, Counters, SpawnOptions } from "../Actor.ts"
import type { Observer } from "../Observer.ts"
import {
  type Act,
  type Action,
  type DurableActions,
  handle,
  type Input,
  type Protocol,
  type Self,
  type View
} from "../Protocol.ts"
import { ActorFailed, MailboxFull, mailboxLimit } from "./failures.ts"
import type { Journal } from "./Journal.ts"
import { Timers } from "./Timers.ts"

/** Restarts in a row are nested calls. */
const restartLimit = 1000

export class Driver<State, Message, Command, Event, Timer extends string, Options, Persisted>
  implements Actor<State, Command, Event>, DurableActions<Message, Event, Timer, Options, Persisted>
{
  readonly node: NodeId.NodeId
  readonly name: string
  readonly self: Self<Options>
  readonly counters: Counters = { steps: 0, sent: 0, received: 0, commands: 0, timeouts: 0, events: 0, restarts: 0 }
  private readonly protocol: Protocol<State, Message, Command, Event, Timer, Options, Persisted>
  private readonly options: SpawnOptions<State>
  private readonly clock: Clock.Clock
  private readonly chance: Random.Random
  private readonly observer: Observer | undefined
  private readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private readonly act = this as unknown as Act<Message, Event, Timer, Options, Persisted>
  private readonly timers: Timers
  private readonly journal: Journal<State, Persisted> | undefined
  private transmit: Send<Message> = () => {}
  private current: State
  /** The latest, for a protocol that starts again. */
  private view: View | undefined = undefined
  /** What the handler under way has asked for: the first `askedCount`. An array that is emptied would grow anew each step. */
  private readonly asked: Array<Action<Message, Event, Timer, Persisted>> = []
  private askedCount = 0
  /** What arrived while a step was under way. */
  private waiting: Array<Input<Message, Command, Timer>> = []
  private status: "idle" | "busy" | "recovering" | "stopped" = "busy"
  private listeners: ReadonlyArray<(event: Event) => void>
  private restartTimes: Array<number> = []
  private failure: ActorFailed | undefined = undefined
  private failureListeners: Array<(failure: ActorFailed) => void> = []

  constructor(
    protocol: Protocol<State, Message, Command, Event, Timer, Options, Persisted>,
    name: string,
    self: Self<Options>,
    options: SpawnOptions<State>,
    context: Context.Context<never>,
    journal: Journal<State, Persisted> | undefined,
    seams: { readonly clock: Clock.Clock; readonly random: Random.Random; readonly observer: Observer | undefined }
  ) {
    this.protocol = protocol
    this.name = name
    this.self = self
    this.node = self.id
    this.options = options
    this.listeners = options.onEvent === undefined ? [] : [options.onEvent]
    this.clock = seams.clock
    this.chance = seams.random
    this.observer = seams.observer
    this.fork = Effect.runForkWith(context)
    this.timers = new Timers(this.clock, this.fork, (timer) => {
      this.counters.timeouts++
      this.input({ _tag: "Timeout", timer: timer as Timer })
    })
    this.journal = journal
    this.current = journal === undefined ? protocol.init(self) : journal.restored()
    if (journal !== undefined) {
      journal.fork = this.fork
      journal.onDurable = () => this.release()
      journal.onFailure = (failure) => this.giveUp(failure)
    }
  }

  // ---------------------------------------------------------------------------------------------------- the actor

  readonly state = (): State => this.current

  readonly tell = (command: Command): void => {
    this.counters.commands++
    this.input({ _tag: "Command", command })
  }

  readonly receive = (from: NodeId.NodeId, message: Message): void => {
    this.counters.received++
    this.input({ _tag: "Message", from, message })
  }

  readonly subscribe = (listener: (event: Event) => void): (() => void) => {
    // One that is given twice is called twice, and each of the two ends by itself.
    const subscription = (event: Event): void => listener(event)
    this.listeners = [...this.listeners, subscription]
    return () => {
      this.listeners = this.listeners.filter((other) => other !== subscription)
    }
  }

  get events(): Stream.Stream<Event> {
    return Stream.callback<Event>(
      (queue) =>
        Effect.acquireRelease(
          Effect.sync(() => this.subscribe((event) => Queue.offerUnsafe(queue, event))),
          (unsubscribe) => Effect.sync(unsubscribe)
        ),
      { bufferSize: 1024, strategy: "sliding" }
    )
  }

  get failed(): Effect.Effect<never, ActorFailed> {
    return Effect.callback<never, ActorFailed>((resume) => {
      if (this.failure !== undefined) return resume(Effect.fail(this.failure))
      const listener = (failure: ActorFailed): void => resume(Effect.fail(failure))
      this.failureListeners.push(listener)
      return Effect.sync(() => {
        this.failureListeners = this.failureListeners.filter((other) => other !== listener)
      })
    })
  }

  // ------------------------------------------------------------------------------------------ what a handler may ask

  send(to: NodeId.NodeId, message: Message): void {
    this.asked[this.askedCount++] = { _tag: "Send", to, message }
  }

  sendAll(to: ReadonlyArray<NodeId.NodeId>, message: Message): void {
    for (let i = 0; i < to.length; i++) this.send(to[i]!, message)
  }

  setTimer(timer: Timer, delayMillis: number): void {
    if (Number.isNaN(delayMillis)) throw new RangeError(`the delay of timer "${timer}" is not a number`)
    this.asked[this.askedCount++] = { _tag: "SetTimer", timer, delayMillis }
  }

  clearTimer(timer: Timer): void {
    this.asked[this.askedCount++] = { _tag: "ClearTimer", timer }
  }

  emit(event: Event): void {
    this.asked[this.askedCount++] = { _tag: "Emit", event }
  }

  persist(record: Persisted): void {
    if (this.journal === undefined) throw new TypeError(`"${this.protocol.name}" persists, but has no \`durable\``)
    this.asked[this.askedCount++] = { _tag: "Persist", record }
  }

  sendNow(to: NodeId.NodeId, message: Message): void {
    this.asked[this.askedCount++] = { _tag: "Send", to, message, now: true }
  }

  emitNow(event: Event): void {
    this.asked[this.askedCount++] = { _tag: "Emit", event, now: true }
  }

  now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  monotonic(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  random(): number {
    return this.chance.nextDoubleUnsafe()
  }

  // ------------------------------------------------------------------------------------------------------- the steps

  start(send: Send<Message>): void {
    this.transmit = send
    const { name: actor, node, observer } = this
    if (observer !== undefined) {
      this.call("an observer", (spawned) => observer.onSpawn(spawned), { node, actor, state: this.current })
    }
    this.begin()
    this.drain()
  }

  install(view: View): void {
    this.view = view
    this.input({ _tag: "View", view })
  }

  stop(): void {
    if (this.status === "stopped") return
    this.status = "stopped"
    this.timers.clearAll()
    this.waiting = []
    const { name: actor, node, observer } = this
    this.call("an observer", (stopped) => observer?.onStop?.(stopped), { node, actor })
  }

  input(input: Input<Message, Command, Timer>): void {
    if (this.status === "idle" && this.journal?.isFull !== true) {
      this.status = "busy"
      this.step(input)
      this.drain()
    } else if (this.status !== "stopped") {
      if (this.waiting.length >= mailboxLimit) throw new MailboxFull({ node: this.node, actor: this.name })
      this.waiting.push(input)
    }
  }

  private drain(): void {
    do {
      while (this.waiting.length > 0 && this.goesOn()) {
        const batch = this.waiting
        this.waiting = []
        let done = 0
        while (done < batch.length && this.goesOn()) this.step(batch[done++]!)
        // It reads its log before it goes on, or waits for its disk.
        if (done < batch.length && this.status !== "stopped") this.waiting = [...batch.slice(done), ...this.waiting]
      }
      if (this.journal !== undefined) this.carryOutDurable(this.journal)
    } while (this.waiting.length > 0 && this.goesOn())
    if (this.status === "busy") this.status = "idle"
  }

  private goesOn(): boolean {
    return this.status === "busy" && this.journal?.isFull !== true
  }

  private carryOutDurable(journal: Journal<State, Persisted>): void {
    while (this.status === "busy") {
      const action = journal.take()
      if (action === undefined) return
      this.carryOut(action as Action<Message, Event, Timer, Persisted>)
    }
  }

  private step(input: Input<Message, Command, Timer>): void {
    this.counters.steps++
    try {
      this.current = handle(this.protocol, this.current, input, this.act)
    } catch (failure) {
      return this.restart(input, failure)
    }
    const { asked, askedCount } = this
    if (this.observer !== undefined) this.observe(input, asked.slice(0, askedCount), undefined)
    // Nothing is asked for while this runs: the actor is busy, and its handlers alone ask. A listener may stop it.
    for (let i = 0; i < askedCount && this.status === "busy"; i++) this.perform(asked[i]!)
    this.askedCount = 0
    this.journal?.commit(this.current)
  }

  private perform(action: Action<Message, Event, Timer, Persisted>): void {
    if (this.journal === undefined || !this.journal.holds(action)) this.carryOut(action)
  }

  /** Something that was asked for is durable. Whoever is busy comes to it by itself. */
  private release(): void {
    if (this.status !== "idle") return
    this.status = "busy"
    this.drain()
  }

  private carryOut(action: Action<Message, Event, Timer, Persisted>): void {
    switch (action._tag) {
      case "Persist":
        return
      case "Send":
        this.counters.sent++
        return this.transmit(action.to, action.message)
      case "SetTimer":
        return this.timers.set(action.timer, action.delayMillis)
      case "ClearTimer":
        return this.timers.clear(action.timer)
      case "Emit": {
        this.counters.events++
        const listeners = this.listeners
        for (let i = 0; i < listeners.length; i++) this.call("a listener", listeners[i]!, action.event)
      }
    }
  }

  /** Calls code of others: what it throws is logged, and does the actor no harm. */
  private call<A>(who: string, f: (argument: A) => void, argument: A): void {
    try {
      f(argument)
    } catch (defect) {
      this.log(`${who} threw`, Cause.die(defect))
    }
  }

  private observe(
    input: Input,
    actions: ReadonlyArray<Action>,
    failed: { readonly failure: unknown } | undefined
  ): void {
    const step = { node: this.node, actor: this.name, input, state: this.current, actions }
    // Not by `call`: it is on the way of each message of a simulation.
    try {
      this.observer!.onStep(failed === undefined ? step : { ...step, ...failed })
    } catch (defect) {
      this.log("an observer threw", Cause.die(defect))
    }
  }

  private restart(input: Input, failure: unknown): void {
    this.askedCount = 0
    this.timers.clearAll()
    this.log(`the handler of a ${input._tag} threw: the protocol starts again`, Cause.die(failure))
    const now = this.monotonic()
    const { limit = 10, within = "1 minute" } = this.options.restart ?? {}
    const since = now - Duration.toMillis(within)
    this.restartTimes = [...this.restartTimes.filter((time) => time > since), now]
    if (this.restartTimes.length > Math.min(limit, restartLimit)) return this.giveUp(failure)
    this.counters.restarts++
    if (this.journal !== undefined) return this.restartFromDisk(this.journal, input, failure)
    try {
      this.current = this.protocol.init(this.self)
    } catch (again) {
      return this.giveUp(again)
    }
    this.beginAgain(input, failure)
  }

  /** What was asked before it threw is kept, and carried out as it becomes durable; inputs wait until the log is read. */
  private restartFromDisk(journal: Journal<State, Persisted>, input: Input, failure: unknown): void {
    this.status = "recovering"
    this.fork(
      Effect.suspend(() => journal.recover(this.protocol.init(this.self), this.self)).pipe(
        Effect.matchCause({
          onFailure: (cause) => {
            if (this.status === "recovering") this.giveUp(Cause.squash(cause))
          },
          onSuccess: (state) => {
            if (this.status !== "recovering") return
            this.status = "busy"
            this.current = state
            this.beginAgain(input, failure)
            this.drain()
          }
        })
      )
    )
  }

  private beginAgain(input: Input, failure: unknown): void {
    if (this.observer !== undefined) this.observe(input, [], { failure })
    const { onRestart } = this.options
    if (onRestart !== undefined) this.call("onRestart", (state) => onRestart(state, failure), this.current)
    this.begin()
  }

  /** What each life of the protocol begins with: its start, and who is in the group. */
  private begin(): void {
    // Whoever heard of its restart may have stopped it.
    if (this.status !== "busy") return
    const { restarts } = this.counters
    this.step({ _tag: "Start" })
    // A start that failed has led to another one, which has been through this.
    if (this.view !== undefined && this.counters.restarts === restarts && this.status === "busy") {
      this.step({ _tag: "View", view: this.view })
    }
  }

  private giveUp(cause: unknown): void {
    this.failure = new ActorFailed({ node: this.node, actor: this.name, restarts: this.counters.restarts, cause })
    this.stop()
    this.log(this.failure.message, Cause.fail(this.failure))
    for (const listener of this.failureListeners) listener(this.failure)
    const { onFailed } = this.options
    if (onFailed !== undefined) this.call("onFailed", onFailed, this.failure)
  }

  private log(what: string, cause: Cause.Cause<unknown>): void {
    this.fork(Effect.logError(what, cause).pipe(Effect.annotateLogs({ node: this.node, actor: this.name })))
  }
}
