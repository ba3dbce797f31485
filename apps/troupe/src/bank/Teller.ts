/**
 * A node of the bank: takes transfers and carries each out inside the critical section; while it leads, it asks for the
 * balance once a second. Everything it needs is a service, so that it runs on any transport.
 */
import { Election } from "@troupe/election"
import { LamportClock, LogicalClock } from "@troupe/clocks"
import { Membership } from "@troupe/actor"
import { Heartbeat } from "@troupe/failure-detection"
import { type FencingToken, Mutex } from "@troupe/mutex"
import { among, Transport } from "@troupe/transport"
import { Clock, Deferred, Effect, Layer, Option, Queue, Stream } from "effect"
import { type Crew, electing, lock, needsDetector, needsRegister, register } from "./Crew.ts"
import { bankNode, channel, type Message } from "./Office.ts"
import * as Roster from "./Roster.ts"
import type { Transfer } from "./Transfer.ts"

/** The algorithms a teller is made of. The group is the tellers; the bank takes no part in it. */
export const layers = (tellers: ReadonlyArray<string>, crew: Crew) =>
  Layer.mergeAll(LamportClock.layer, lock(crew)).pipe(
    Layer.provideMerge(Roster.layer),
    Layer.provideMerge(electing(crew)),
    Layer.provideMerge(needsDetector(crew) ? Heartbeat.layer(beats) : Layer.empty),
    Layer.provideMerge(among(tellers)),
    // Served by the bank, which is not among the tellers.
    Layer.provideMerge(needsRegister(crew) ? register : Layer.empty)
  )

/** Of the failure detector, where the crew listens to one. */
export const beats = { interval: "200 millis", deadline: "1 second" } as const

/** How long an answer of the ledger may take before the write is sent again. It is applied once all the same. */
const resendAfter = "1 second"

/** Runs until it is interrupted, or its node dies. */
export const program = Effect.gen(function* () {
  const transport = yield* Transport
  const election = yield* Election
  const membership = yield* Membership
  const mutex = yield* Mutex
  const clock = yield* LogicalClock

  const orders = yield* Queue.unbounded<Effect.Effect<void>>()
  yield* Effect.forkScoped(Effect.forever(Effect.flatten(Queue.take(orders))))
  const submitted = yield* Queue.make<Transfer>({ capacity: 65_536, strategy: "dropping" })
  let answer:
    | { readonly token: FencingToken; readonly arrived: Deferred.Deferred<Message & { _tag: "Answer" }> }
    | undefined

  const send = yield* transport.open(channel, (_from, message) => {
    if (message._tag === "Submit") Queue.offerUnsafe(submitted, message.transfer)
    else if (message._tag === "Resign") Queue.offerUnsafe(orders, election.resign)
    else if (message._tag === "Campaign") Queue.offerUnsafe(orders, election.campaign)
    else if (message._tag === "Answer" && answer?.token === message.token) {
      Deferred.doneUnsafe(answer.arrived, Effect.succeed(message))
    }
  })

  const write = (token: FencingToken, transfer: Transfer) =>
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<Message & { _tag: "Answer" }>()
      answer = { token, arrived }
      const sent = yield* clock.tick
      const attempt = Effect.suspend(() => {
        send(bankNode, { _tag: "Apply", token, transfer, sent })
        return Deferred.await(arrived)
      })
      const message = yield* attempt.pipe(Effect.timeout(resendAfter), Effect.retry({ times: 1_000 }), Effect.orDie)
      yield* clock.witness(message.sent)
      return message.outcome
    })

  const carryOut = (transfer: Transfer) =>
    mutex
      .withLock((token) =>
        Effect.gen(function* () {
          const enteredNanos = Number(yield* Clock.monotonicTimeNanos)
          const outcome = yield* write(token, transfer)
          const leftNanos = Number(yield* Clock.monotonicTimeNanos)
          return { token, outcome, enteredNanos, leftNanos }
        })
      )
      .pipe(
        // Refused: another has entered meanwhile, for this node was taken for dead. Ask again.
        Effect.repeat({ until: ({ outcome }) => outcome !== "refused" }),
        Effect.tap(({ enteredNanos, leftNanos, token }) =>
          Effect.sync(() => send(bankNode, { _tag: "Done", id: transfer.id, token, enteredNanos, leftNanos }))
        )
      )

  let view: { readonly number: number; readonly members: ReadonlyArray<string> } = { number: 0, members: [] }
  const joined = yield* Deferred.make<void>()
  const status = Effect.map(election.leader, (leader) =>
    send(bankNode, { _tag: "Status", leader: Option.getOrNull(leader), view: view.number, members: [...view.members] })
  )

  yield* Effect.forkScoped(
    Stream.runForEach(membership.views, (next) => {
      view = next
      Deferred.doneUnsafe(joined, Effect.void)
      return status
    })
  )
  yield* Effect.forkScoped(Stream.runForEach(election.changes, () => status))
  yield* Effect.forkScoped(
    election.leader.pipe(
      Effect.map((leader) => {
        if (Option.isSome(leader) && leader.value.id === election.self) {
          send(bankNode, { _tag: "Balance", epoch: leader.value.epoch })
        }
      }),
      Effect.delay("1 second"),
      Effect.forever
    )
  )
  // Before its first view a node that has come back would ask in a group that has gone on without it.
  yield* Deferred.await(joined)
  return yield* Effect.forever(Effect.flatMap(Queue.take(submitted), carryOut))
})

/** A teller, whole. */
export const teller = (tellers: ReadonlyArray<string>, crew: Crew) =>
  Effect.flatMap(Layer.build(layers(tellers, crew)), (context) => Effect.provide(program, context))
