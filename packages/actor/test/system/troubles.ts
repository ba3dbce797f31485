/** Actors of which much goes wrong, and a neighbour that is not to be the worse for it. */
import { expect } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, EventSourced, Messages, type Reason, Supervision } from "@troupe/actor"
import { Cause, Effect, Schema } from "effect"
import { Account, plain } from "./accounts.ts"

/** With a neighbour, who answers as before when all is over. */
export const beside = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const system = yield* ActorSystem.ActorSystem
    const neighbour = yield* system.spawn(plain, { name: "neighbour", supervision: Supervision.stop })
    neighbour.tell({ _tag: "Deposit", amount: 7 })
    const found = yield* effect
    expect(yield* neighbour.ask({ _tag: "Withdraw", amount: 0 })).toBe(7)
    return found
  })

export const harmless = <A, E>(effect: Effect.Effect<A, E, ActorSystem.ActorSystem>) =>
  Effect.provide(beside(effect), ActorSystem.layer({ name: "test" }))

export const Bad = Messages.make("bad", {
  Throw: Messages.ask({}, { reply: Schema.Int }),
  Twice: Messages.ask({}, { reply: Schema.Int }),
  Loop: Messages.tell({}),
  Hang: Messages.ask({}, { reply: Schema.Int }),
  Do: Messages.tell({ what: Schema.Any }),
  Hello: Messages.ask({}, { reply: Schema.String })
})
export type Bad = typeof Bad.definition

export const bad = (given: { readonly mailbox?: Behavior.Mailbox<Bad> } = {}): Behavior.Behavior<Bad> =>
  Behavior.make(Bad, {
    ...given,
    init: () => 0,
    on: {
      Throw: () => {
        throw new Error("no paper")
      },
      Twice: (state, _, self) => {
        const answer = self.defer()
        for (const reply of [1, 2]) answer.reply(reply)
        return { state, later: answer }
      },
      Loop: (state, _, self) => {
        self.ref.tell({ _tag: "Loop" })
        return state + 1
      },
      Hang: (state, _, self) => ({ state, later: self.defer() }),
      Do: (state, { what }: { readonly what: any }, self) => {
        what(self)
        return state
      },
      Hello: (state) => ({ state, reply: "hello" })
    }
  })

export const hello = (ref: ActorRef<Bad>) => ref.ask({ _tag: "Hello" })

/** Why it has ended. */
export const endOf = (ref: ActorRef<any>) =>
  Effect.gen(function* () {
    const watcher = yield* ActorSystem.spawn(bad())
    const reason = yield* Effect.callback<Reason>((resume) => {
      const told = (found: Reason) => {
        resume(Effect.succeed(found))
        return { _tag: "Hang" } as const
      }
      watcher.tell({ _tag: "Do", what: (self: Behavior.Self<Bad>) => self.watch(ref, told) })
    })
    return reason._tag === "Failed" ? Cause.squash(reason.cause) : reason
  })

/** Why an actor fails that does this in a handler. */
export const failingAt = (ref: ActorRef<Bad>, what: (self: Behavior.Self<Bad>) => void) =>
  Effect.andThen(
    Effect.sync(() => ref.tell({ _tag: "Do", what })),
    endOf(ref)
  )

/** What happens to one whose events are on disk. */
export const Note = Schema.Struct({ amount: Schema.Int })

export const events = (given: Partial<EventSourced.Given<typeof Account.definition, number, typeof Note.Type>>) =>
  EventSourced.make(Account, {
    log: "bad",
    event: Note,
    init: () => 0,
    apply: (sum, { amount }) => sum + amount,
    on: {
      Deposit: (_, { amount }) => ({ events: [{ amount }] }),
      Balance: (sum) => ({ reply: sum }),
      Withdraw: (sum, { amount }) => ({ events: [{ amount: -amount }], reply: sum - amount }),
      Break: () => ({}),
      BreakAt: (sum) => ({ reply: sum })
    },
    ...given
  })
