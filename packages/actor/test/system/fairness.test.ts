/** Turns: who has much to do does not keep others from theirs. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, Messages } from "@troupe/actor"
import { Effect } from "effect"
import { settled, within } from "./accounts.ts"

const Counter = Messages.make("counter", {
  Again: Messages.tell({}),
  Seen: Messages.tell({})
})

const rows = (["plain", "effectful"] as const).map((kind) => [kind] as const)

/** One that is never done, and one that notes how much the busy one has done whenever it has its turn. */
const actors = (kind: "plain" | "effectful") => {
  const seen: Array<number> = []
  let handled = 0
  let isOver = false
  const on = {
    Again: (count: number, _: unknown, self: Behavior.Self<typeof Counter.definition>) => {
      handled++
      if (!isOver) self.ref.tell({ _tag: "Again" })
      return count + 1
    },
    Seen: (count: number) => {
      seen.push(handled)
      return count
    }
  }
  const behavior =
    kind === "plain"
      ? Behavior.make(Counter, { init: () => 0, on })
      : Behavior.effect(Counter, {
          init: () => Effect.succeed(0),
          on: {
            Again: (count, message, self) => Effect.sync(() => on.Again(count, message, self)),
            Seen: (count) => Effect.sync(() => on.Seen(count))
          }
        })
  return { behavior, seen, end: () => void (isOver = true), handled: () => handled }
}

/** Messages of one actor before the next one has its turn. */
const turn = 64

describe.each(rows)("an actor with %s handlers that is never done", (kind) => {
  it.live("handles a turn's messages before the next one, and no more", () =>
    within(
      Effect.gen(function* () {
        const { behavior, end, handled, seen } = actors(kind)
        const [busy, other] = [yield* ActorSystem.spawn(behavior), yield* ActorSystem.spawn(behavior)]
        for (let i = 0; i < 2 * turn; i++) busy.tell({ _tag: "Again" })
        other.tell({ _tag: "Seen" })
        yield* settled
        expect(seen).toEqual([turn])
        for (let i = 0; i < 5; i++) {
          const before = handled()
          other.tell({ _tag: "Seen" })
          while (seen.length < i + 2) yield* Effect.yieldNow
          expect(seen.at(-1)! - before).toBeLessThanOrEqual(turn)
        }
        end()
      })
    )
  )

  it.live("has one turn while all others have one", () =>
    within(
      Effect.gen(function* () {
        const { behavior, end, seen } = actors(kind)
        const busy = yield* ActorSystem.spawn(behavior)
        busy.tell({ _tag: "Again" })
        const others = yield* Effect.forEach(Array.from({ length: 10 }), () => ActorSystem.spawn(behavior))
        for (const other of others) for (let i = 0; i < 5; i++) other.tell({ _tag: "Seen" })
        while (seen.length < 50) yield* Effect.yieldNow
        expect(Math.max(...seen)).toBeLessThanOrEqual(turn)
        end()
      })
    )
  )

  it.live("leaves the rest of the process its turns", () =>
    within(
      Effect.gen(function* () {
        const { behavior, end, handled } = actors(kind)
        const busy = yield* ActorSystem.spawn(behavior)
        busy.tell({ _tag: "Again" })
        let before = handled()
        for (let i = 0; i < 3; i++) {
          yield* settled
          expect(handled()).toBeGreaterThan(before)
          before = handled()
        }
        end()
      })
    )
  )
})
