/** A busy little system to look at: a shop whose printer is slow and whose till breaks. */
import { type ActorRef, ActorSystem, Behavior, Messages, Observed, Supervision } from "@troupe/actor"
import * as Inspector from "@troupe/actor/Inspector"
import { Context, Effect, Layer, Logger, Schema, type Scope } from "effect"
import { CannotRun } from "../Problem.ts"
import type { Address } from "./Source.ts"

const Till = Messages.make("till", {
  Pay: Messages.ask({ cents: Schema.Int }, { reply: Schema.Int })
})

const Printer = Messages.make("printer", { Print: Messages.tell({ text: Schema.String }) })

const Customer = Messages.make("customer", { Shop: Messages.tell({}), Leave: Messages.tell({}) })

const Door = Messages.make("door", { Open: Messages.tell({}) })

/** Once in a while it breaks. */
const till = Behavior.make(Till, {
  init: () => 0,
  on: {
    Pay: (sum, { cents }, self) => {
      if (self.random() < 0.0005) throw new Error("out of paper")
      return { state: sum + cents, reply: cents }
    }
  }
})

/** It comes after in the quieter seconds. */
const printer = Behavior.effect(Printer, {
  init: () => Effect.succeed(0),
  on: { Print: (lines) => Effect.as(Effect.sleep("2 millis"), lines + 1) }
})

type Tills = ReadonlyArray<ActorRef<typeof Till.definition>>

const customer = (tills: Tills, printer: ActorRef<typeof Printer.definition>, everyMillis: number) =>
  Behavior.effect(Customer, {
    init: (self) => Effect.sync(() => self.setInterval("shop", everyMillis, { _tag: "Shop" })),
    on: {
      Shop: (_, __, self) =>
        Effect.gen(function* () {
          const till = tills[Math.floor(self.random() * tills.length)]!
          // A till that breaks meanwhile answers nothing worth knowing.
          const paid = yield* Effect.orElseSucceed(till.ask({ _tag: "Pay", cents: 250 }), () => 0)
          // More than the printer can do, but for every other ten seconds.
          const isQuiet = self.now() % 20_000 >= 10_000
          if (paid > 0 && (!isQuiet || self.random() < 0.2)) printer.tell({ _tag: "Print", text: "250" })
        }),
      Leave: (_, __, self) => Effect.sync(() => self.stop())
    }
  })

/** Somebody new comes in twice a second; who was there before leaves, and is told something after that. */
const door = (tills: Tills, printer: ActorRef<typeof Printer.definition>) =>
  Behavior.make(Door, {
    init: (self): ActorRef<typeof Customer.definition> | undefined => {
      self.setInterval("open", 500, { _tag: "Open" })
      return undefined
    },
    on: {
      Open: (before, _, self) => {
        before?.tell({ _tag: "Leave" })
        before?.tell({ _tag: "Shop" })
        return self.spawn(customer(tills, printer, 20))
      }
    }
  })

/** Where it is inspected, for as long as the scope lives. */
export const demo: Effect.Effect<Address, CannotRun, Scope.Scope> = Effect.gen(function* () {
  const system = Layer.provide(ActorSystem.layer({ name: "shop" }), Observed.layer())
  // What it logs would stand in the picture.
  const quiet = Layer.provide(Layer.provideMerge(Inspector.layer({ port: 0 }), system), Logger.layer([]))
  const context = yield* Layer.build(quiet)
  yield* Effect.provide(opened, context)
  return Context.get(context, Inspector.Inspector)
}).pipe(Effect.mapError(({ message }) => new CannotRun({ reason: message })))

const opened = Effect.gen(function* () {
  const supervision = Supervision.restart({ limit: 1_000_000, state: "kept" })
  const tills = yield* Effect.forEach([1, 2, 3], (number) =>
    ActorSystem.spawn(till, { name: `till-${number}`, supervision })
  )
  const paper = yield* ActorSystem.spawn(printer, { name: "printer" })
  for (let number = 1; number <= 40; number++) {
    yield* ActorSystem.spawn(customer(tills, paper, 10 + number), { name: `customer-${number}` })
  }
  yield* ActorSystem.spawn(door(tills, paper), { name: "door" })
})
