/** Joins the protocol of a lease, which asks by events and is answered by commands, to a `Register` that is somewhere else. */
import type { Actor } from "@troupe/actor"
import { Effect, type Scope, Schema } from "effect"
import * as Lease from "./Lease.ts"
import type { Register } from "./Register.ts"

/**
 * Answers from the register of this name. Hand `onRestart` to the actor, whose earlier questions are then nobody's; and
 * the actor to `connect`, before it is told to do anything.
 */
export const link = (register: Register["Service"], name: string) => {
  /** How often the actor has started anew. */
  let life = 0

  const answered = (request: Lease.Request): Effect.Effect<Lease.Answer> =>
    Effect.catch(
      request._tag === "Read"
        ? Effect.flatMap(register.read(name), is)
        : Effect.flatMap(
            register.compareAndSet(name, request.expected, encode(request.record)),
            (outcome): Effect.Effect<Lease.Answer> =>
              outcome._tag === "Set" ? Effect.succeed(outcome) : is(outcome.current)
          ),
      ({ message }) => Effect.as(Effect.logWarning(message), unavailable)
    )

  const is = ({
    value,
    version
  }: {
    readonly version: number
    readonly value: unknown
  }): Effect.Effect<Lease.Answer> => {
    const seen = Lease.sighting(version, value)
    return seen === undefined
      ? Effect.as(
          Effect.logWarning(`Register "${name}" at version ${version} holds no lease: use another name.`),
          unavailable
        )
      : Effect.succeed({ _tag: "Is", ...seen })
  }

  const connect = Effect.fnUntraced(function* (
    actor: Pick<Actor.Actor<unknown, Lease.Answered, { readonly _tag: string }>, "tell" | "subscribe">
  ): Effect.fn.Return<void, never, Scope.Scope> {
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    const scope = yield* Effect.scope
    const unsubscribe = actor.subscribe((event) => {
      if (!isAsk(event)) return
      const { call, request } = event
      const asked = life
      const tell = (answer: Lease.Answer): void => {
        if (asked === life) actor.tell({ _tag: "Answered", call, answer })
      }
      fork(Effect.forkIn(Effect.map(answered(request), tell), scope, { startImmediately: true }))
    })
    yield* Effect.addFinalizer(() => Effect.sync(unsubscribe))
  })

  return { connect, onRestart: (): void => void life++ }
}

const unavailable: Lease.Answer = { _tag: "Unavailable" }

const isAsk = (event: { readonly _tag: string }): event is Extract<Lease.Event, { readonly _tag: "Ask" }> =>
  event._tag === "Ask"

const encode = Schema.encodeSync(Lease.Record)
