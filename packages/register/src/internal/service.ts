/** The `Register` service over whoever answers calls. */
import { Effect, type Schema } from "effect"
import { type Outcome, Refused, type Register, type Unavailable, type Versioned } from "../Register.ts"
import { type Answer, type Call, full, problem } from "./cells.ts"

export const service = (answered: (call: Call) => Effect.Effect<Answer, Unavailable>): Register["Service"] => {
  const make = (call: Call): Effect.Effect<Answer, Unavailable | Refused> => {
    const reason = problem(call)
    return reason === undefined ? answered(call) : Effect.fail(new Refused({ register: call.name, reason }))
  }
  return {
    read: (name) => Effect.map(make({ _tag: "Read", name }), (answer) => versioned(answer as Is)),
    compareAndSet: (name, expected, value) =>
      Effect.flatMap(
        Effect.suspend(() => make({ _tag: "CompareAndSet", name, expected, text: JSON.stringify(value) })),
        (answer): Effect.Effect<Outcome, Refused> => {
          switch (answer._tag) {
            case "Set":
              return Effect.succeed(answer)
            case "Is":
              return Effect.succeed({ _tag: "Conflict", current: versioned(answer) })
            case "Full":
              return Effect.fail(new Refused({ register: name, reason: full }))
          }
        }
      )
  }
}

type Is = Extract<Answer, { readonly _tag: "Is" }>

const versioned = ({ text, version }: Is): Versioned => ({ version, value: JSON.parse(text) as Schema.Json })
