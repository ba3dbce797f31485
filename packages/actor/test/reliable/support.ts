/** Two nodes with an actor at one of them, for tests of reliable delivery. */
import { type ActorRef, ActorSystem, Behavior, Messages, Reliable } from "@troupe/actor"
import { Memory } from "@troupe/transport"
import { Context, Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { settled } from "../system/accounts.ts"

export const Jobs = Messages.make("jobs", {
  Do: Messages.tell({ job: Schema.Int, note: Schema.optionalKey(Schema.String) }),
  Done: Messages.ask({}, { reply: Schema.Array(Schema.Int) })
})
export type Jobs = typeof Jobs.definition

export const worker = (mailbox: Behavior.Mailbox<Jobs> = {}) =>
  Behavior.make(Jobs, {
    init: (): ReadonlyArray<number> => [],
    mailbox,
    on: { Do: (done, { job }) => [...done, job], Done: (done) => ({ state: done, reply: done }) }
  })

/** Takes a second for each. */
export const slow = Behavior.effect(Jobs, {
  init: () => Effect.succeed<ReadonlyArray<number>>([]),
  on: {
    Do: (done, { job }) => Effect.as(Effect.sleep("1 second"), [...done, job]),
    Done: (done) => Effect.succeed({ state: done, reply: done })
  }
})

type Given = Parameters<typeof Reliable.eventSourced<typeof Jobs.definition, ReadonlyArray<number>, number>>[1]

export const lasting = (given: Pick<Partial<Given>, "sessions" | "snapshot" | "upcast" | "version"> = {}) =>
  Reliable.eventSourced(Jobs, {
    log: "jobs",
    event: Schema.Int,
    init: (): ReadonlyArray<number> => [],
    apply: (done, job) => [...done, job],
    snapshot: { state: Schema.Array(Schema.Int), above: 4096 },
    on: { Do: (_, { job }) => ({ events: [job] }), Done: (done) => ({ reply: done }) },
    ...given
  })

export const job = (number: number) => ({ _tag: "Do", job: number }) as const

export const upTo = (last: number): ReadonlyArray<number> => Array.from({ length: last }, (_, at) => at + 1)

export type System = ActorSystem.ActorSystem["Service"]

/** Two nodes, each with its system. */
export const nodes = Effect.gen(function* () {
  const network = Memory.network({ nodes: ["n1", "n2"] })
  const [one, two] = yield* Effect.forEach(["n1", "n2"], (node) => {
    const layer = Layer.provide(ActorSystem.remote(), Memory.layer(network, node))
    return Effect.map(Layer.build(Layer.fresh(layer)), Context.get(ActorSystem.ActorSystem))
  })
  return { one: one!, two: two! }
})

export const atInbox = (system: System) => system.at(Reliable.inbox(Jobs), "inbox", "n2")

export const senderAt = (system: System, options: Omit<Reliable.SenderOptions, "to"> = {}) =>
  Effect.flatMap(atInbox(system), (to) =>
    Effect.provideService(Reliable.sender(Jobs, { ...options, to }), ActorSystem.ActorSystem, system)
  )

export const receiverAt = (system: System, actor: ActorRef<Jobs>, options: Reliable.ReceiverOptions = {}) =>
  system.spawn(Reliable.receiver(Jobs, actor, options), { name: "inbox" })

/** As long as it takes for something to be sent again, and heard of. */
export const later = (millis: number) => Effect.andThen(settled, Effect.andThen(TestClock.adjust(millis), settled))
