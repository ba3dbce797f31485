/** The queue of actors that have something to do, and what they share. */
import {
  Cause,
  type Clock,
  type Context,
  Duration,
  Effect,
  Exit,
  type Fiber,
  type Random,
  type Scheduler
} from "effect"
import type { NodeId } from "@troupe/transport"
import type { ActorRef } from "../../ActorRef.ts"
import type { Definition, Messages } from "../../Messages.ts"
import type { Behavior, SpawnOptions } from "../../Behavior.ts"
import { Cell } from "./Cell.ts"
import { DeadLetters } from "./DeadLetters.ts"
import { Patience, type Question } from "./envelopes.ts"
import { NoSuchActor } from "./failures.ts"
import * as Living from "./Living.ts"
import { Fifo } from "./Mailbox.ts"
import type { Remote } from "./Remote.ts"
import type { Observation } from "../observed/Observation.ts"

/** Messages of one actor before the next actor has its turn. */
const turn = 64

/** Messages before what else the process has to do has its turn. */
const round = 8192

/** By the services that they are to others. */
export const known = new WeakMap<object, System>()

/** Of different lengths. */
const mostPatiences = 1024

const isPower = (millis: number): boolean => millis === 0 || Number.isInteger(Math.log2(millis))

export class System {
  readonly name: string
  readonly clock: Clock.Clock
  readonly chance: Random.Random
  readonly context: Context.Context<never>
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  readonly deadLetters: DeadLetters
  readonly counters = { spawned: 0, stopped: 0, processed: 0, failures: 0, restarts: 0, askTimeouts: 0 }
  readonly root: Cell
  /** Of a system that others reach. */
  remote: Remote | undefined = undefined
  /** Of a system that is watched from when it began. */
  observation: Observation | undefined = undefined
  private lastSerial = -1
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  private readonly ready = new Fifo()
  private isScheduled = false
  private isRunning = false
  private readonly patiences = new Map<number, Patience>()

  constructor(
    name: string,
    context: Context.Context<never>,
    scheduler: Scheduler.Scheduler,
    clock: Clock.Clock,
    chance: Random.Random
  ) {
    this.name = name
    this.context = context
    this.clock = clock
    this.chance = chance
    this.fork = Effect.runForkWith(context)
    this.dispatcher = scheduler.makeDispatcher()
    this.deadLetters = new DeadLetters(this.monotonicMillis, (effect) => void this.fork(effect))
    this.root = Cell.root(this)
  }

  /** The root has 0. */
  serial(): number {
    return ++this.lastSerial
  }

  readonly monotonicMillis = (): number => Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6

  find(path: string): Cell | undefined {
    if (!path.includes("/")) return this.root.child(path)
    let cell: Cell | undefined = this.root
    for (const name of path.split("/")) cell = cell?.child(name)
    return cell
  }

  at(messages: Messages<any>, path: string, node?: NodeId.NodeId): Effect.Effect<ActorRef<any>, NoSuchActor> {
    if (node !== undefined && this.remote !== undefined && node !== this.remote.node) {
      return Effect.succeed(this.remote.refer(messages, node, { life: 0, serial: 0, path }))
    }
    const cell = node === undefined || this.remote !== undefined ? this.find(path) : undefined
    return cell?.behavior.messages.name === messages.name
      ? Effect.succeed(cell)
      : Effect.fail(new NoSuchActor({ path, messages: messages.name }))
  }

  spawn<D extends Definition>(parent: Cell, behavior: Behavior<D, any>, options: SpawnOptions<D>): Cell {
    const { observation } = this
    return parent.add(
      observation === undefined
        ? new Cell(this, parent, behavior, options)
        : observation.make(this, parent, behavior, options)
    )
  }

  /** The actor has something to do. */
  enqueue(cell: Cell): void {
    this.ready.push(cell)
    if (this.isRunning || this.isScheduled) return
    this.isScheduled = true
    this.dispatcher.scheduleTask(this.run, 0)
  }

  private readonly run = (): void => {
    this.isScheduled = false
    this.go(round)
  }

  /** Asks, and has the queue run now: it is not put off to a later turn for who waits for an answer. */
  ask(cell: Cell, question: Question): void {
    if (this.isRunning) return cell.tell(question)
    this.isRunning = true
    try {
      cell.tell(question)
    } finally {
      this.isRunning = false
      this.go(turn)
    }
  }

  private go(messages: number): void {
    if (this.isRunning) return
    this.isRunning = true
    let left = messages
    while (left > 0 && this.ready.size > 0) {
      const cell = this.ready.shift() as Cell
      try {
        left -= cell.run(turn)
      } catch (defect) {
        // Of this house, not of the actor: others go on.
        cell.log("its turn failed", Cause.die(defect))
        cell.question?.end(Exit.die(defect))
        Living.terminate(cell, { _tag: "Failed", cause: Cause.die(defect) })
      }
    }
    this.isRunning = false
    if (this.ready.size > 0 && !this.isScheduled) {
      this.isScheduled = true
      this.dispatcher.scheduleTask(this.run, 0)
    }
  }

  /** When all actors have ended: what sleeps for their sake is woken. */
  close(): void {
    for (const patience of this.patiences.values()) patience.stop()
    this.patiences.clear()
  }

  private forgetIdle(): void {
    for (const [millis, patience] of this.patiences) {
      if (!patience.isIdle) continue
      patience.stop()
      this.patiences.delete(millis)
    }
  }

  /** Questions that wait for their answers here: for each it goes through those of one patience. */
  get asksOpen(): number {
    let open = 0
    for (const patience of this.patiences.values()) open += patience.count()
    return open
  }

  patience(millis: number): Patience {
    let patience = this.patiences.get(millis)
    if (patience === undefined) {
      // Who asks with ever another patience is not to fill this: it has the next power of two.
      if (this.patiences.size >= mostPatiences) this.forgetIdle()
      if (this.patiences.size >= mostPatiences && !isPower(millis))
        return this.patience(2 ** Math.ceil(Math.log2(millis)))
      patience = new Patience(
        millis,
        this.monotonicMillis,
        (left, then) => {
          // Some clocks sleep no time at all by not sleeping: what is woken before it sleeps would never sleep again.
          const sleep = left > 0 ? this.clock.sleep(Duration.millis(left)) : Effect.yieldNow
          const sleeper = this.fork(Effect.andThen(sleep, Effect.sync(then)))
          return () => sleeper.interruptUnsafe()
        },
        () => void this.counters.askTimeouts++
      )
      this.patiences.set(millis, patience)
    }
    return patience
  }
}
