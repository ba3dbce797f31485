/**
 * The client's side of replication by a primary: gives each request an id, sends it to the primary by way of this node's
 * replica, sends it again under the same id where no answer comes, and says honestly how it ended.
 *
 * A request that was never handed to anybody, or that was refused, ends as `Unavailable`; so does a read, for it changes
 * nothing. One that may have been executed ends as `InDoubt`.
 */
import type { Actor, Protocol } from "@troupe/actor"
import { VersionVector } from "@troupe/clocks"
import { Clock, Effect, Random, type Scope } from "effect"
import type { Answer, Asked, Refusal } from "./internal/passive/messages.ts"
import * as Replica from "./internal/passive/replica.ts"
import {
  type Command,
  type Event,
  isApart,
  isPrimary,
  type Options,
  primaryOf,
  type State
} from "./internal/passive/state.ts"
import { window } from "./internal/passive/table.ts"
import { attend, Standing } from "./internal/Standing.ts"
import type * as Machine from "./Machine.ts"
import {
  Behind,
  InDoubt,
  type InvokeError,
  type Position,
  type Positioned,
  type Replicated,
  type Status,
  Unavailable
} from "./Replicated.ts"

export interface Settings {
  /** Of a request, from its asking: then it ends, whatever became of it. */
  readonly timeoutMillis: number
  /** How often requests without an answer are sent again. */
  readonly retryMillis: number
  /** Requests that are open at a time, and reads that wait for this copy, at the most: one more is refused. */
  readonly open: number
}

/** A request without an answer yet. */
interface Open {
  readonly request: unknown
  readonly isRead: boolean
  /** Looks until it ends. */
  patience: number
  /** How often it was sent where it may have been executed. */
  asks: number
  /** Whether it was sent since the last look. */
  isFresh: boolean
  readonly resume: (result: Effect.Effect<any, InvokeError>) => void
}

/** A read that waits for this copy to hold what its client has seen. */
interface Waiting extends Local {
  patience: number
  readonly resume: (result: Effect.Effect<any, any>) => void
}

interface Local {
  /** The batch that this copy must hold. */
  readonly after: number
  readonly looks: number
  /** From what is safe. */
  readonly answer: (safe: Replica.Version) => unknown
  /** It does not come to hold it. */
  readonly late: () => InvokeError | Behind
}

/** All updates are of one log. */
const log = "log"

type Replying = Actor.Actor<State, Command, Event>

export class FrontEnd {
  private readonly machine: Machine.Any
  private readonly settings: Settings
  private readonly looks: number
  private readonly clock: Clock.Clock
  private readonly chance: Random.Random
  private actor: Replying | undefined
  private life = 0
  private counter = 0
  private open = new Map<number, Open>()
  private readonly behind = new Set<Waiting>()
  /** The latest batch that an answer stood on. */
  private seen = 0
  private stopped: string | undefined
  private readonly standing = new Standing()

  constructor(machine: Machine.Any, settings: Settings, clock: Clock.Clock, chance: Random.Random) {
    this.machine = machine
    this.settings = settings
    this.looks = Math.max(1, Math.ceil(settings.timeoutMillis / settings.retryMillis))
    this.clock = clock
    this.chance = chance
  }

  /** The replica has forgotten what it was asked, and begins a new life. */
  readonly onRestart = (): void => {
    this.life = 0
    const { open } = this
    this.open = new Map()
    for (const each of open.values()) {
      if (each.asks === 0) this.add(each)
      else each.resume(Effect.fail(this.lost(each, "its replica started anew")))
    }
  }

  attach(actor: Replying): Effect.Effect<void, never, Scope.Scope> {
    this.actor = actor
    actor.subscribe(this.hear)
    // What it said while it was made nobody has heard.
    actor.tell({ _tag: "Begin" })
    return attend(actor, {
      every: this.settings.retryMillis,
      look: () => this.look(),
      stop: (why) => this.stop(why)
    })
  }

  readonly service = (): Replicated<any, any> => ({
    self: this.actor!.node,
    invoke: (request, options) =>
      options?.read === "local" && this.machine.isRead(request) ? this.readHere(request) : this.invoke(request),
    positions: {
      of: this.actor!.name,
      invoke: (request, after, patienceMillis) =>
        this.machine.isRead(request) ? this.readAfter(request, after, patienceMillis) : this.update(request)
    },
    status: Effect.sync(() => this.status()),
    changes: this.standing.changes(() => this.status())
  })

  private invoke(request: unknown): Effect.Effect<any, InvokeError> {
    return Effect.callback((resume) => {
      if (this.stopped !== undefined) return resume(Effect.fail(this.unavailable(this.stopped)))
      if (this.open.size >= this.settings.open) return resume(Effect.fail(this.unavailable("overloaded")))
      const isRead = this.machine.isRead(request)
      const each: Open = { request, isRead, patience: this.looks, asks: 0, isFresh: true, resume }
      const counter = this.add(each)
      if (counter - this.floor() >= window) {
        this.open.delete(counter)
        return resume(Effect.fail(this.unavailable("a request has been open for too long")))
      }
      if (this.life > 0) this.ask([[counter, each]])
      return Effect.sync(() => void this.open.delete(counter))
    })
  }

  private add(each: Open): number {
    this.open.set(++this.counter, each)
    return this.counter
  }

  private floor(): number {
    for (const counter of this.open.keys()) return counter
    return this.counter + 1
  }

  private ask(open: Iterable<readonly [number, Open]>): void {
    const asked: Array<Asked> = []
    for (const [counter, each] of open) {
      each.asks++
      each.isFresh = true
      asked.push({ counter, request: each.request })
    }
    if (asked.length > 0) this.actor!.tell({ _tag: "Ask", life: this.life, floor: this.floor(), asked })
  }

  private readonly hear = (event: Event): void => {
    switch (event._tag) {
      case "Started":
        return this.start(event.life)
      case "Answered":
        return this.answered(event.at, event.answers)
      case "Refused":
        return this.refused(event.counters, event.reason)
      case "Changed":
        if (this.life > 0 && this.stopped === undefined) this.ask(this.open)
        break
      case "Advanced":
    }
    this.catchUp()
    this.standing.changed()
  }

  private start(life: number): void {
    if (this.life === life) return
    this.life = life
    this.ask(this.open)
  }

  private answered(at: number, answers: ReadonlyArray<Answer>): void {
    if (at > this.seen) this.seen = at
    for (let i = 0; i < answers.length; i++) {
      const { counter, response } = answers[i]!
      const each = this.open.get(counter)
      if (each === undefined) continue
      this.open.delete(counter)
      each.resume(Effect.succeed(response))
    }
  }

  private refused(counters: ReadonlyArray<number>, reason: Refusal): void {
    for (const counter of counters) {
      const each = this.open.get(counter)
      if (each === undefined) continue
      // By this node's own replica, each once. What comes over the network may come twice, and be about an earlier sending.
      if (reason === "no primary") each.asks--
      else if (reason !== "elsewhere" && each.asks === 1) {
        this.open.delete(counter)
        each.resume(
          Effect.fail(this.unavailable(reason === "apart" ? "the primary has lost touch with a majority" : reason))
        )
      }
    }
  }

  /** Sends again what has no answer, and ends what has waited for too long. */
  private look(): void {
    const again: Array<[number, Open]> = []
    for (const [counter, each] of this.open) {
      if (each.patience-- <= 0) {
        this.open.delete(counter)
        each.resume(Effect.fail(this.lost(each, "no answer came in time")))
      } else if (each.isFresh) each.isFresh = false
      else again.push([counter, each])
    }
    this.catchUp()
    for (const each of this.behind) {
      if (each.patience-- > 0) continue
      this.behind.delete(each)
      each.resume(Effect.fail(each.late()))
    }
    if (this.life > 0) this.ask(again)
  }

  private stop(why: string): void {
    if (this.stopped !== undefined) return
    this.stopped = why
    for (const each of this.open.values()) each.resume(Effect.fail(this.lost(each, why)))
    for (const each of this.behind) each.resume(Effect.fail(this.unavailable(why)))
    this.open.clear()
    this.behind.clear()
    this.standing.changed()
  }

  private lost({ asks, isRead }: Open, reason: string): InvokeError {
    if (asks === 0) return this.unavailable(`no primary was known, and ${reason}`)
    return isRead ? this.unavailable(reason) : new InDoubt({ node: this.actor!.node, reason })
  }

  private unavailable(reason: string): Unavailable {
    return new Unavailable({ node: this.actor!.node, reason })
  }

  // ------------------------------------------------------------------------------------------------------- local reads

  /** After what this node's clients were told of. */
  private readHere(request: unknown): Effect.Effect<any, InvokeError> {
    return Effect.suspend(() =>
      this.readLocally<unknown, InvokeError>({
        after: this.seen,
        looks: this.looks,
        answer: (safe) => this.answerLocally(request, safe),
        late: () => this.unavailable("this copy is behind what you have seen")
      })
    )
  }

  private readAfter(
    request: unknown,
    needed: Position,
    patienceMillis: number
  ): Effect.Effect<Positioned<any>, InvokeError | Behind> {
    return this.readLocally<Positioned<any>, InvokeError | Behind>({
      after: VersionVector.count(needed, log),
      looks: Math.ceil(patienceMillis / this.settings.retryMillis),
      answer: (safe) => ({ response: this.answerLocally(request, safe), at: positionOf(safe.at) }),
      late: () => new Behind({ node: this.actor!.node, needed, held: positionOf(this.safe().at) })
    })
  }

  private readLocally<A, E>(local: Local): Effect.Effect<A, E> {
    return Effect.callback((resume: Waiting["resume"]) => {
      if (this.stopped !== undefined) return resume(Effect.fail(this.unavailable(this.stopped)))
      const safe = this.safe()
      if (safe.at >= local.after) return resume(Effect.succeed(local.answer(safe)))
      if (this.behind.size >= this.settings.open) return resume(Effect.fail(this.unavailable("overloaded")))
      const each: Waiting = { ...local, patience: local.looks, resume }
      this.behind.add(each)
      return Effect.sync(() => void this.behind.delete(each))
    }) as Effect.Effect<A, E>
  }

  /** The primary has all that is safe, and so all that a session has seen. */
  private update(request: unknown): Effect.Effect<Positioned<any>, InvokeError> {
    return Effect.map(this.invoke(request), (response) => ({ response, at: positionOf(this.seen) }))
  }

  private safe(): Replica.Version {
    return Replica.safe(this.actor!.state().replica)
  }

  private answerLocally(request: unknown, { now, state }: Replica.Version): unknown {
    const at = Math.max(now, this.clock.currentTimeMillisUnsafe())
    return this.machine.execute(state, request, { now: at, random: () => this.chance.nextDoubleUnsafe() }).response
  }

  private catchUp(): void {
    if (this.behind.size === 0) return
    const safe = this.safe()
    for (const each of this.behind) {
      if (safe.at < each.after) continue
      this.behind.delete(each)
      each.resume(Effect.succeed(each.answer(safe)))
    }
  }

  private status(): Status {
    const { self } = this.actor!
    const state = this.actor!.state()
    const options = self as typeof self & { readonly options: Options }
    const isStopped = this.stopped !== undefined
    return {
      role: isStopped ? "apart" : roleOf(state, options),
      view: state.view,
      primary: state.status === "normal" && !isStopped ? primaryOf(state.view, options) : undefined,
      members: self.nodes,
      applied: Replica.latest(state.replica).requests,
      committed: Replica.safe(state.replica).requests
    }
  }
}

const roleOf = (state: State, self: Protocol.Self<Options>): Status["role"] => {
  if (state.replica.incoming !== undefined) return "joining"
  if (state.status === "changing") return "apart"
  if (!isPrimary(state, self)) return "backup"
  return isApart(state, self) ? "apart" : "primary"
}

const positionOf = (at: number): Position => (at === 0 ? VersionVector.empty : [[log, at]])

export const make = (machine: Machine.Any, settings: Settings): Effect.Effect<FrontEnd> =>
  Effect.gen(function* () {
    return new FrontEnd(machine, settings, yield* Clock.Clock, yield* Random.Random)
  })
