/** Servers in worlds of chance. Thousands of them: `npm run proof -- actor --only server`. */
import { expect, it } from "vitest"
import { run } from "./server/worlds.ts"

it.each(["single-threaded", "event loop", "multi-threaded"] as const)(
  "%s: each question has the end that it may have, and in the end the server is as good as new",
  async (dispatcher) => {
    for (let seed = 1; seed <= 15; seed++) {
      const { answered, violations } = await run(seed, dispatcher)
      expect({ seed, violations }).toEqual({ seed, violations: [] })
      expect(answered).toBeGreaterThan(40)
    }
  }
)
