/** Questions that are handed on to actors of other nodes, and what cannot be done to such an actor. */
import { expect, it } from "@effect/vitest"
import { Behavior, Messages, Router } from "@troupe/actor"
import { Cause, Effect, Exit, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { network, settled, start } from "../finding/nodes.ts"

const Cook = Messages.make("cook", { Roast: Messages.ask({}, { reply: Schema.String }) })

const cook = Behavior.effect(Cook, {
  init: () => Effect.succeed(0),
  on: { Roast: (count) => Effect.as(Effect.sleep("20 seconds"), { state: count, reply: "roast" }) }
})

const kitchens = Effect.gen(function* () {
  const net = network(["n1", "n2"])
  const [one, two] = yield* Effect.forEach(net.nodes, (node) => start(net, node))
  yield* two!.system.spawn(cook, { name: "cook" })
  return { system: one!.system, there: yield* one!.system.at(Cook, "cook", "n2") }
})

it.effect("one that is handed on to another node has there the time that it has left here", () =>
  Effect.gen(function* () {
    const { system, there } = yield* kitchens
    const router = yield* system.spawn(Router.make(Cook, [there], Router.roundRobin))
    const patient = yield* Effect.forkChild(router.ask({ _tag: "Roast" }, { timeout: "30 seconds" }))
    const hasty = yield* Effect.forkChild(Effect.flip(router.ask({ _tag: "Roast" }, { timeout: "6 seconds" })))
    yield* settled
    yield* TestClock.adjust("6 seconds")
    expect(yield* Fiber.join(hasty)).toMatchObject({ _tag: "AskTimeout", millis: 6_000 })
    yield* TestClock.adjust("14 seconds")
    yield* settled
    expect(yield* Fiber.join(patient)).toBe("roast")
  }).pipe(Effect.scoped)
)

it.effect("an actor of another node is not stopped from here, and one is told what to do", () =>
  Effect.gen(function* () {
    const { system, there } = yield* kitchens
    const exit = yield* Effect.exit(system.stop(there))
    expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({
      _tag: "InvalidOption",
      given: '"n2:cook"'
    })
  }).pipe(Effect.scoped)
)
