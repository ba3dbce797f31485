/**
 * The client's side of quorums: takes a request to pieces, has each executed by this node as its coordinator, joins their
 * responses, and says honestly how it ended.
 *
 * What no replica can have accepted ends as `Unavailable`; so does a read. A request of which a part was, or may have been,
 * ends as `InDoubt`.
 */
import type { Actor } from "@troupe/actor"
import { Clock, Effect, Random, Scheduler, type Scope } from "effect"
import { attend, Standing } from "../Standing.ts"
import type * as Machine from "../../Machine.ts"
import { InDoubt, type InvokeError, Refused, type Replicated, type Status, Unavailable } from "../../Replicated.ts"
import * as Trie from "../../Trie.ts"
import { isHome, isWhole } from "./homes.ts"
import { stateOf } from "./proposals.ts"
import * as Registers from "./registers.ts"
import { type Answer, type Command, type Event, isApart, type Part, type Self, type State } from "./state.ts"

export interface Settings {
  /** Of a request, from its asking: then it ends, whatever became of it. */
  readonly timeoutMillis: number
  /** How often it is looked who has waited for too long. */
  readonly tickMillis: number
  /** Requests that are open at a time, at the most: one more is refused. */
  readonly open: number
}

interface Open {
  readonly request: unknown
  readonly isRead: boolean
  readonly parts: ReadonlyArray<Part>
  readonly responses: Array<unknown>
  /** Parts without a response. */
  missing: number
  /** Looks until it ends. */
  patience: number
  /** Parts that are not executed, for sure. */
  withdrawn: number
  readonly resume: (result: Effect.Effect<any, InvokeError>) => void
}

export class FrontEnd {
  private readonly machine: Machine.Any
  private readonly settings: Settings
  private readonly looks: number
  private readonly clock: Clock.Clock
  private readonly chance: Random.Random
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  private actor: Actor.Actor<State, Command, Event> | undefined
  private life = 0
  private counter = 0
  private readonly open = new Set<Open>()
  /** By the ids of their parts. */
  private readonly byPart = new Map<number, Open>()
  /** Asked, and not told yet. */
  private gathered: Array<Part> = []
  private stopped: string | undefined
  private readonly standing = new Standing()

  constructor(
    machine: Machine.Any,
    settings: Settings,
    clock: Clock.Clock,
    chance: Random.Random,
    scheduler: Scheduler.Scheduler
  ) {
    this.machine = machine
    this.settings = settings
    this.looks = Math.max(1, Math.ceil(settings.timeoutMillis / settings.tickMillis))
    this.clock = clock
    this.chance = chance
    this.dispatcher = scheduler.makeDispatcher()
  }

  attach(actor: Actor.Actor<State, Command, Event>): Effect.Effect<void, never, Scope.Scope> {
    this.actor = actor
    actor.subscribe(this.hear)
    // What it said while it was made nobody has heard.
    actor.tell({ _tag: "Begin" })
    return attend(actor, {
      every: this.settings.tickMillis,
      look: () => this.look(),
      stop: (why) => this.stop(why)
    })
  }

  readonly service = (): Replicated<any, any> => ({
    self: this.actor!.node,
    invoke: (request, options) =>
      Effect.suspend(() => {
        const parts = this.machine.keyed!.split(request)
        if (typeof parts === "string") return this.refuse(parts)
        if (parts.length === 0 && !isWhole(this.self)) return this.refuse("no node holds all keys")
        const isLocal = parts.length === 0 || (options?.read === "local" && this.isReadHere(request, parts))
        return isLocal ? Effect.sync(() => this.readLocally(request, parts)) : this.invoke(request, parts)
      }),
    status: Effect.sync(() => this.status()),
    changes: this.standing.changes(() => this.status())
  })

  private invoke(request: unknown, parts: ReadonlyArray<Machine.Part<unknown>>): Effect.Effect<any, InvokeError> {
    return Effect.callback((resume) => {
      if (this.stopped !== undefined) return resume(Effect.fail(this.unavailable(this.stopped)))
      if (this.open.size >= this.settings.open) return resume(Effect.fail(this.unavailable("overloaded")))
      if (this.isApart()) return resume(Effect.fail(this.unavailable("it hears no quorum")))
      const each: Open = {
        request,
        isRead: this.machine.isRead(request),
        parts: parts.map((part) => ({ ...part, id: ++this.counter })),
        responses: parts.map(() => undefined),
        missing: parts.length,
        patience: this.looks,
        withdrawn: 0,
        resume
      }
      this.open.add(each)
      for (const { id } of each.parts) this.byPart.set(id, each)
      this.ask(each.parts)
      return Effect.sync(() => {
        if (this.open.has(each)) this.drop([each])
      })
    })
  }

  /** What is asked in one turn is told together: it shares messages, and a flush of the disk. */
  private ask(parts: ReadonlyArray<Part>): void {
    if (this.life === 0 || parts.length === 0) return
    if (this.gathered.length === 0) this.dispatcher.scheduleTask(this.tell, 0)
    for (const part of parts) this.gathered.push(part)
  }

  private readonly tell = (): void => {
    const parts = this.gathered
    this.gathered = []
    this.actor!.tell({ _tag: "Ask", life: this.life, parts })
  }

  private readonly hear = (event: Event): void => {
    switch (event._tag) {
      case "Started":
        this.start(event.life)
        break
      case "Answered":
        return event.answers.forEach(this.answered)
      case "Withdrawn":
        for (const id of event.ids) {
          const each = this.byPart.get(id)
          if (each !== undefined) each.withdrawn++
        }
        return
      case "Lost":
        for (const id of event.ids) {
          const each = this.byPart.get(id)
          if (each !== undefined) this.end(each, Effect.fail(this.lost(each, "what came of it has been forgotten")))
        }
        return
      case "Took":
        return
      case "Changed":
    }
    this.standing.changed()
  }

  /** The replica has forgotten what it was asked, or has not heard it: an update that it heard may have been executed. */
  private start(life: number): void {
    // It was seen in the state already, and asked.
    if (this.life === life) return
    const isFirst = this.life === 0
    this.life = life
    for (const each of this.open) {
      if (isFirst || each.isRead) this.ask(each.parts.filter((_, index) => each.responses[index] === undefined))
      else this.end(each, Effect.fail(this.lost(each, "its replica started anew")))
    }
  }

  private readonly answered = ({ id, response }: Answer): void => {
    const each = this.byPart.get(id)
    if (each === undefined) return
    this.byPart.delete(id)
    each.responses[id - each.parts[0]!.id] = response
    if (--each.missing > 0) return
    this.open.delete(each)
    each.resume(Effect.succeed(this.machine.keyed!.join(each.request, each.responses)))
  }

  /** Ends what has waited for too long. */
  private look(): void {
    const late = [...this.open].filter((each) => each.patience-- <= 0)
    if (late.length === 0) return
    this.drop(late)
    for (const each of late) this.end(each, Effect.fail(this.lost(each, "no quorum answered in time")))
  }

  /** Hears, by the way, which are not executed. */
  private drop(late: ReadonlyArray<Open>): void {
    for (const each of late) this.open.delete(each)
    const parts = late.flatMap((each) => each.parts.filter(({ id }) => this.byPart.has(id)))
    this.actor!.tell({ _tag: "Drop", life: this.life, parts })
    for (const { id } of parts) this.byPart.delete(id)
  }

  private end(each: Open, result: Effect.Effect<any, InvokeError>): void {
    this.open.delete(each)
    for (const { id } of each.parts) this.byPart.delete(id)
    each.resume(result)
  }

  private stop(why: string): void {
    if (this.stopped !== undefined) return
    this.stopped = why
    for (const each of this.open) this.end(each, Effect.fail(this.lost(each, why)))
    this.standing.changed()
  }

  private lost({ isRead, parts, withdrawn }: Open, reason: string): InvokeError {
    if (isRead || withdrawn === parts.length || this.life === 0) return this.unavailable(reason)
    return new InDoubt({ node: this.actor!.node, reason })
  }

  private unavailable(reason: string): Unavailable {
    return new Unavailable({ node: this.actor!.node, reason })
  }

  private refuse(reason: string): Effect.Effect<never, Refused> {
    return Effect.fail(new Refused({ node: this.actor!.node, reason }))
  }

  // ----------------------------------------------------------------------------------------------- this node's copies

  private get self(): Self {
    return this.actor!.self as Self
  }

  /** Of a key that other nodes hold, they are asked. */
  private isReadHere(request: unknown, parts: ReadonlyArray<Machine.Part<unknown>>): boolean {
    const { self } = this
    const rank = self.nodes.indexOf(self.id)
    return this.machine.isRead(request) && parts.every(({ key }) => isHome(key, rank, self))
  }

  private readLocally(request: unknown, parts: ReadonlyArray<Machine.Part<unknown>>): unknown {
    const { join, survey } = this.machine.keyed!
    const { registers } = this.actor!.state()
    if (parts.length === 0 && survey !== undefined) return survey(this.copies(registers), request, this.moment(0))
    const responses = parts.map((part) => {
      const { copy } = Registers.get(registers, part.key)
      return this.machine.execute(stateOf(this.machine, copy), part.request, this.moment(copy.now)).response
    })
    return join(request, responses)
  }

  private moment(after: number): Machine.Moment {
    return {
      now: Math.max(after, this.clock.currentTimeMillisUnsafe()),
      random: () => this.chance.nextDoubleUnsafe()
    }
  }

  private copies(registers: Registers.Registers): Machine.Copy<unknown> {
    const { machine } = this
    return {
      size: Registers.held(registers),
      get: (key) => stateOf(machine, Registers.get(registers, key).copy),
      *from(hash) {
        for (const { copy, key } of Trie.from(registers.byKey, hash)) {
          if (!Registers.isNothing(copy)) yield [key, stateOf(machine, copy)] as const
        }
      }
    }
  }

  // ------------------------------------------------------------------------------------------------------------ status

  private isApart(): boolean {
    return isApart(this.actor!.state(), this.self)
  }

  private status(): Status {
    const { self } = this.actor!
    const { accepted } = this.actor!.state().registers
    return {
      role: this.stopped !== undefined || this.isApart() ? "apart" : "replica",
      view: 0,
      primary: undefined,
      members: self.nodes,
      applied: accepted,
      committed: accepted
    }
  }
}

export const make = (machine: Machine.Any, settings: Settings): Effect.Effect<FrontEnd> =>
  Effect.gen(function* () {
    return new FrontEnd(machine, settings, yield* Clock.Clock, yield* Random.Random, yield* Scheduler.Scheduler)
  })
