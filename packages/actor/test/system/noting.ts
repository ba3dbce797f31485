/** An actor that notes what it is told, and whose handlers do what a test wants. */
import { type ActorSystem, Behavior, Messages } from "@troupe/actor"
import { TestKit } from "@troupe/actor/testing"
import { Effect, Logger, Schema, type Scope } from "effect"

export const M = Messages.make("m", {
  /** The handler does so. */
  Do: Messages.tell({ what: Schema.Any }),
  Note: Messages.tell({ n: Schema.Int }),
  Notes: Messages.ask({}, { reply: Schema.Array(Schema.Int) }),
  Aside: Messages.ask({}, { reply: Schema.Int })
})
export type M = typeof M.definition
export type Self = Behavior.Self<M>
export type Notes = ReadonlyArray<number>

export const noting = (mailbox: Behavior.Mailbox<M> = {}) =>
  Behavior.make(M, {
    mailbox,
    init: (): Notes => [],
    on: {
      Do: (notes, { what }, self) => {
        what(self)
        return notes
      },
      Note: (notes, { n }) => [...notes, n],
      Notes: (notes) => ({ state: notes, reply: notes }),
      Aside: (notes, _, self) => ({ state: notes, later: self.stash() })
    }
  })

export const kit = <A, E>(effect: Effect.Effect<A, E, TestKit.TestKit | ActorSystem.ActorSystem | Scope.Scope>) =>
  Effect.provide(Effect.scoped(effect), [TestKit.layer(), Logger.layer([])])
