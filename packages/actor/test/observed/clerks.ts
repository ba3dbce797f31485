/** Actors that tell each other things, and what comes of that. */
import { type ActorRef, type ActorSystem, Behavior, Messages } from "@troupe/actor"
import { Effect, Option, Schema, type Tracer } from "effect"
import { settled as turns } from "../system/accounts.ts"
import { watched } from "./recorded.ts"

export const Desk = Messages.make("desk", {
  Note: Messages.tell({ text: Schema.String }),
  Write: Messages.ask({ text: Schema.String }, { reply: Schema.String })
})
export type Desk = typeof Desk.definition
export type Desks = ActorRef<Desk>

export const note = (text = "") => ({ _tag: "Note", text }) as const
export const write = (text = "") => ({ _tag: "Write", text }) as const

/** Until what was told has been told on. */
export const settled = Effect.repeat(turns, { times: 5 })

/** Keeps what it is told. */
export const keeper = (kept: Array<string> = [], mailbox: Behavior.Mailbox<Desk> = {}) =>
  Behavior.make(Desk, {
    mailbox,
    init: () => kept,
    on: {
      Note: (state, { text }) => {
        if (text === "torn") throw new Error("torn")
        state.push(text)
        return state
      },
      Write: (state, { text }) => ({ state, reply: text })
    }
  })

/** Tells others what it is told and asked: plainly, in an Effect, and before there is one. */
export const clerks = {
  "a plain handler": (to: Desks) =>
    Behavior.make(Desk, {
      init: () => null,
      on: {
        Note: (state, message) => {
          to.tell(message)
          return state
        },
        Write: (state, { text }) => {
          to.tell(note(text))
          return { state, reply: text }
        }
      }
    }),
  "an Effect": (to: Desks) =>
    Behavior.effect(Desk, {
      init: () => Effect.succeed(null),
      on: {
        Note: (state, message) => Effect.as(Effect.andThen(Effect.yieldNow, Effect.orDie(to.send(message))), state),
        Write: (state, { text }) =>
          Effect.andThen(Effect.yieldNow, () => {
            to.tell(note(text))
            return Effect.succeed({ state, reply: text })
          })
      }
    }),
  "a handler that returns an Effect": (to: Desks) =>
    Behavior.effect(Desk, {
      init: () => Effect.succeed(null),
      on: {
        Note: (state, message) => {
          to.tell(message)
          return Effect.succeed(state)
        },
        Write: (state, { text }) => {
          to.tell(note(text))
          return Effect.as(Effect.yieldNow, { state, reply: text })
        }
      }
    })
}

/** Asks another one when it is told something. */
export const asker = (of: Desks) =>
  Behavior.effect(Desk, {
    init: () => Effect.succeed(null),
    on: {
      Note: (state, { text }) => Effect.as(Effect.orDie(of.ask(write(text))), state),
      Write: (state, { text }) => Effect.succeed({ state, reply: text })
    }
  })

/** Below whom a span stands; `all`: those among which one of another node is. */
export const wayTo = (span: Tracer.AnySpan, all: ReadonlyArray<Tracer.Span> = []): string => {
  if (span._tag === "ExternalSpan") {
    const there = all.find(({ spanId }) => spanId === span.spanId)
    return there === undefined ? "" : wayTo(there, all)
  }
  const own = String(span.attributes.get("actor") ?? span.name)
  return Option.isSome(span.parent) ? `${wayTo(span.parent.value, all)} > ${own}` : own
}

export const traced = <A, E>(
  program: (spans: Array<Tracer.NativeSpan>) => Effect.Effect<A, E, ActorSystem.ActorSystem>
) => watched({ sample: 1 }, program)
