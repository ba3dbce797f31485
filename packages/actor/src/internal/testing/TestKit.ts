/**
 * Actors in tests: a system on virtual time and a seed, and probes that expect messages. One run of a test is like the other,
 * and what waits an hour takes no time.
 *
 * @example
 * import { ActorSystem, Behavior, Messages } from "@troupe/actor"
 * import { TestKit } from "@troupe/actor/testing"
 * import { Effect, Schema } from "effect"
 *
 * const Waiter = Messages.make("waiter", { Served: Messages.tell({ dish: Schema.String }) })
 * const Kitchen = Messages.make("kitchen", {
 *   Order: Messages.tell({ dish: Schema.String, to: ActorSystem.Ref(Waiter) }),
 *   Ready: Messages.tell({ dish: Schema.String, to: ActorSystem.Ref(Waiter) })
 * })
 *
 * const kitchen = Behavior.make(Kitchen, {
 *   init: () => 0,
 *   on: {
 *     Order: (cooked, { dish, to }, self) => {
 *       self.setTimer(dish, "20 minutes", { _tag: "Ready", dish, to })
 *       return cooked
 *     },
 *     Ready: (cooked, { dish, to }) => {
 *       to.tell({ _tag: "Served", dish })
 *       return cooked + 1
 *     }
 *   }
 * })
 *
 * const test = Effect.gen(function*() {
 *   const waiter = yield* TestKit.probe(Waiter)
 *   const cook = yield* ActorSystem.spawn(kitchen)
 *   cook.tell({ _tag: "Order", dish: "soup", to: waiter.ref })
 *   yield* waiter.expectNoMessage("19 minutes")
 *   return yield* waiter.expectMessage("Served", { within: "2 minutes" })
 * })
 *
 * console.log(await Effect.runPromise(test.pipe(Effect.provide(TestKit.layer())))) // { _tag: 'Served', dish: 'soup' }
 */
import { Context, type Duration, Effect, Layer, type Scope } from "effect"
import * as ActorSystem from "../../ActorSystem.ts"
import type { EventSourced } from "../../EventSourced.ts"
import type { Definition, Messages } from "../../Messages.ts"
import * as Supervision from "../../Supervision.ts"
import {
  type Altered,
  type EventSourcedOptions,
  type EventSourcedTest,
  eventSourcedTestOf,
  type NotRestored
} from "./EventSourcedTest.ts"
import { behaviorOf, letters, type Probe, probeOf } from "./Probe.ts"
import { make, type Restless, type Stuck, type Time } from "./Time.ts"

export { type Action, type Answer, type BehaviorTest, behaviorTest, type Step } from "./BehaviorTest.ts"
export {
  Altered,
  type AnswerOf,
  type EventSourcedOptions,
  type EventSourcedTest,
  type NotRestored,
  type Ran
} from "./EventSourcedTest.ts"
export { type Asked, type Match, type Matched, type Probe, Unexpected, type Within } from "./Probe.ts"
export { Restless, Stuck } from "./Time.ts"

/** How time passes in a test. */
export class TestKit extends Context.Service<TestKit, Time>()("@troupe/actor/TestKit") {}

export interface Options {
  /** Of the system. Default: "test". */
  readonly name?: string
  /** Of what the system draws. Default: 1. */
  readonly seed?: string | number
}

/** Virtual time alone, with its clock, scheduler and chance: for systems of several nodes. */
export const time = ({ seed = 1 }: Pick<Options, "seed"> = {}): Layer.Layer<TestKit> =>
  Layer.effectContext(Effect.map(make(seed), ([time, context]) => Context.add(context, TestKit, time)))

/** A system on virtual time. */
export const layer = ({ name = "test", seed = 1 }: Options = {}): Layer.Layer<TestKit | ActorSystem.ActorSystem> =>
  Layer.provideMerge(ActorSystem.layer({ name }), time({ seed }))

/** Until nothing is left to do at this moment. Real input and output is not waited for. */
export const settle: Effect.Effect<void, Restless, TestKit> = Effect.flatMap(TestKit, ({ settle }) => settle)

/** Lets so much time pass. */
export const adjust = (by: Duration.Input): Effect.Effect<void, Restless, TestKit> =>
  Effect.flatMap(TestKit, ({ adjust }) => adjust(by))

/** Runs an effect that waits, such as an `ask`, and lets time pass as far as that takes; no longer than `within`, 1 day. */
export const elapse = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options?: { readonly within?: Duration.Input }
): Effect.Effect<A, E | Restless | Stuck, R | TestKit> =>
  Effect.flatMap(TestKit, ({ elapse }) => elapse(effect, options))

/** An actor that expects messages: give it to others in place of who they speak with. */
export const probe = <D extends Definition>(
  messages: Messages<D>,
  options: { readonly name?: string } = {}
): Effect.Effect<Probe<D>, ActorSystem.NameTaken, TestKit | ActorSystem.ActorSystem> =>
  Effect.gen(function* () {
    const kept = letters()
    const supervision = Supervision.stop
    const ref = yield* ActorSystem.spawn(behaviorOf(messages, kept), { ...options, supervision })
    return probeOf(ref, kept, yield* TestKit)
  })

/** A behaviour by `EventSourced.make`, on a disk in memory: a command, its events and answer, and a restart at any time. */
export const eventSourcedTest = <D extends Definition, State, Event>(
  behavior: EventSourced<D, State, Event>,
  options: EventSourcedOptions<NoInfer<Event>> = {}
): Effect.Effect<
  EventSourcedTest<D, State, Event>,
  Altered | Restless | Stuck | NotRestored,
  TestKit | ActorSystem.ActorSystem | Scope.Scope
> => Effect.flatMap(TestKit, (time) => eventSourcedTestOf(behavior, options, time))
