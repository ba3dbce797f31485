/** Mailboxes beside a model that is plain lists: bursts of messages at every bound and policy, with priorities, put aside and taken up. */
import { expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, MailboxFull, Messages, Supervision } from "@troupe/actor"
import { TestKit } from "@troupe/actor/testing"
import { Effect, Random, References, Schema } from "effect"

const M = Messages.make("m", {
  Note: Messages.tell({ n: Schema.Int, does: Schema.Literals(["note", "stash", "unstash", "throw"]) })
})
type M = typeof M.definition
type Note = Messages.Of<typeof M>

interface World {
  readonly capacity: number
  readonly onFull: "drop-newest" | "drop-oldest" | "fail"
  readonly isRanked: boolean
  readonly isEffect: boolean
  readonly isKept: boolean
}

const rankOf = ({ n }: Note): number => n % 3

/** What an actor is to do with what it is told. */
class Model {
  readonly handled: Array<number> = []
  dead = 0
  private readonly world: World
  private waiting: Array<Note> = []
  private ahead: Array<Note> = []
  private aside: Array<Note> = []

  constructor(world: World) {
    this.world = world
  }

  /** Whether it is taken, or dropped. */
  tell(note: Note): boolean {
    const { capacity, onFull } = this.world
    if (this.waiting.length >= capacity) {
      if (onFull === "fail") return false
      this.dead++
      if (onFull === "drop-newest") return true
      this.waiting.shift()
    }
    this.waiting.push(note)
    return true
  }

  run(): void {
    for (let note = this.next(); note !== undefined; note = this.next()) this.handle(note)
  }

  private next(): Note | undefined {
    if (this.ahead.length > 0) return this.ahead.shift()
    const ranks = this.waiting.map((note) => (this.world.isRanked ? rankOf(note) : 0))
    return this.waiting.splice(ranks.indexOf(Math.min(...ranks)), 1)[0]
  }

  private handle(note: Note): void {
    if (note.does === "stash") {
      if (this.aside.length < this.world.capacity) this.aside.push(note)
      else this.fails()
      return
    }
    this.handled.push(note.n)
    if (note.does === "unstash") this.unstash()
    if (note.does === "throw") this.fails()
  }

  private unstash(): void {
    this.ahead.unshift(...this.aside)
    this.aside = []
  }

  private fails(): void {
    if (!this.world.isKept) this.unstash()
  }
}

const actor = ({ capacity, isEffect, isRanked, onFull }: World, handled: Array<number>): Behavior.Behavior<M> => {
  const mailbox = { capacity, onFull, ...(isRanked ? { priority: rankOf } : {}) }
  const note = (_: void, { does, n }: Note, self: Behavior.Self<M>): void => {
    if (does === "stash") return void self.stash()
    handled.push(n)
    if (does === "unstash") self.unstash()
    if (does === "throw") throw new Error("ill")
  }
  return isEffect
    ? Behavior.effect(M, {
        mailbox,
        init: () => Effect.void,
        on: { Note: (state, message, self) => Effect.sync(() => note(state, message, self)) }
      })
    : Behavior.make(M, { mailbox, init: () => {}, on: { Note: note } })
}

const run = (seed: number) =>
  Effect.gen(function* () {
    const { nextDoubleUnsafe } = yield* Effect.service(Random.Random)
    const oneOf = <A>(of: ReadonlyArray<A>): A => of[Math.floor(nextDoubleUnsafe() * of.length)]!
    const world: World = {
      capacity: oneOf([1, 2, 3, 5]),
      onFull: oneOf(["drop-newest", "drop-oldest", "fail"]),
      isRanked: oneOf([true, false]),
      isEffect: oneOf([true, false]),
      isKept: oneOf([true, false])
    }
    const system = yield* ActorSystem.ActorSystem
    const handled: Array<number> = []
    const model = new Model(world)
    const supervision = Supervision.restart({ limit: 1_000_000, state: world.isKept ? "kept" : "reset" })
    const ref = yield* ActorSystem.spawn(actor(world, handled), { supervision })
    let n = 0
    for (let burst = 0; burst < 40; burst++) {
      for (let left = oneOf([1, 2, 4, 8]); left > 0; left--) {
        const note: Note = { _tag: "Note", n: ++n, does: oneOf(["note", "note", "stash", "unstash", "throw"]) }
        const isTaken = model.tell(note)
        if (isTaken) ref.tell(note)
        else expect(() => ref.tell(note)).toThrow(MailboxFull)
      }
      model.run()
      yield* TestKit.settle
      const dead = system.counters().deadLetters
      expect({ seed, world, handled, dead }).toEqual({ seed, world, handled: model.handled, dead: model.dead })
    }
  }).pipe(Effect.provide(TestKit.layer({ seed })), Effect.provideService(References.MinimumLogLevel, "None"))

it.live("a mailbox takes, drops, refuses, orders and puts aside as the model does, 40 seeds", () =>
  Effect.forEach(
    Array.from({ length: 40 }, (_, i) => i + 1),
    run,
    { discard: true }
  )
)
