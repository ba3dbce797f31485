/** Every kind of gossip, in every world that its card allows: everybody hears, once, and nothing is made up. */
import { describe, expect, it } from "@effect/vitest"
import { Faults } from "@troupe/simulation"
import { Effect } from "effect"
import { run, subjects } from "./epidemic/worlds.ts"

describe.each(subjects)("$name", (subject) => {
  it.live.each(subject.card.assumes.tolerates)(
    "keeps its guarantees, and hears each item once: %s",
    (preset) =>
      Effect.gen(function* () {
        for (let seed = 1; seed <= 4; seed++) {
          const { heard, violations, wrong } = yield* run({ subject, faults: Faults.presets[preset], seed })
          expect({ seed, violations, wrong }).toEqual({ seed, violations: [], wrong: [] })
          // Its own too, and nothing fails: each of 6 nodes hears 10 items of each.
          if (preset === "none") expect(heard.length).toBe(6 * 6 * 10)
        }
      }),
    60_000
  )

  it.live("the same seed is the same run, byte by byte", () =>
    Effect.gen(function* () {
      const traces = [[], []] as [Array<unknown>, Array<unknown>]
      for (const trace of traces) {
        yield* run({ subject, faults: Faults.chaos, seed: 7, seconds: 30, trace: (event) => void trace.push(event) })
      }
      expect(traces[0].length).toBeGreaterThan(500)
      expect(JSON.stringify(traces[0])).toBe(JSON.stringify(traces[1]))
    })
  )
})
