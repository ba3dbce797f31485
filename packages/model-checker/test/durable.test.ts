/**
 * What a node persists is there when it comes back from a crash, and nothing else is.
 */
import type { Protocol } from "@troupe/actor"
import { Checker, Property, System } from "@troupe/model-checker"
import { Effect, Schema } from "effect"
import { expect, it } from "vitest"

interface State {
  readonly promised: number
  readonly told: number
}

/** Promises numbers that grow, and says each. */
const promiser = (persists: boolean): Protocol.Protocol<State, number, "promise", number, never, void, number> => ({
  name: "test/promiser",
  message: Schema.Int,
  durable: { record: Schema.Int, restore: (state, promised) => ({ ...state, promised }) },
  init: () => ({ promised: 0, told: 0 }),
  onCommand: ({ promised, told }, _promise, act) => {
    if (persists) act.persist(promised + 1)
    act.emit(promised + 1)
    return { promised: promised + 1, told: told + 1 }
  },
  onMessage: (state) => state
})

const check = (persists: boolean) =>
  Effect.runPromise(
    Checker.check(
      System.make({
        name: "promises that survive",
        members: System.members(promiser(persists), ["n1"], undefined),
        user: {
          memo: 0,
          moves: ({ memo }): ReadonlyArray<System.Move<"promise", number>> =>
            memo < 3 ? [{ _tag: "Command", command: "promise", memo: memo + 1 }] : []
        },
        crashes: { max: 2, restart: true },
        record: {
          init: [] as ReadonlyArray<number>,
          note: (history, occurrence) =>
            occurrence._tag === "Emitted" ? [...history, occurrence.event as number] : history
        },
        properties: [
          Property.always("promises grow", ({ history }: System.View<State, ReadonlyArray<number>>) =>
            history.every((promise, at) => at === 0 || history[at - 1]! < promise)
          ),
          Property.sometimes("a node has forgotten the rest", ({ nodes }: System.View<State, ReadonlyArray<number>>) =>
            nodes.some(({ alive, state }) => alive && state.promised > state.told)
          )
        ]
      })
    )
  )

it("comes back with what it persisted, and only that", async () => {
  const { properties } = await check(true)
  expect(properties.map(({ verdict }) => verdict)).toEqual(["holds", "holds"])
})

it("finds the promise that was not persisted", async () => {
  const { properties } = await check(false)
  expect(properties[0]!.verdict).toBe("violated")
})
