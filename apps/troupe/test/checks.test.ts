/** What `troupe check` says of each lock and each election, where nobody asks for more than its name. */
import { Checker } from "@troupe/model-checker"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { algorithms } from "../src/algorithms.ts"
import * as Checks from "../src/Checks.ts"
import { json } from "./command.ts"

/** These take some seconds each. Their packages' tests explore them. */
const slow = [
  "mutex/carvalho-roucairol",
  "mutex/maekawa",
  "mutex/agrawal-el-abbadi",
  "mutex/lease-lock",
  "mutex/lamport-queue"
]

const shown = algorithms.filter(
  ({ name, service }) => (service === "mutex" || service === "election") && !slow.includes(name)
)

describe("all interleavings of the usual bounds are seen, and every guarantee holds", () => {
  it.each(shown)("$name", async (demonstration) => {
    const bounds = Checks.usual(demonstration)
    const model = Checks.build({ _tag: "Algorithm", name: demonstration.name, bounds })
    const { complete, properties } = await Effect.runPromise(Checker.check(model))
    expect(properties.filter(({ verdict }) => verdict !== "holds")).toEqual([])
    expect(complete).toBe(true)
  })
})

describe("outside of what the card assumes of clocks", () => {
  it("a lease's weakness is known: two lead", async () => {
    const { code, value } = await json("check", "election/lease", "--timeouts", "any")
    expect(code).toBe(1)
    expect(value.properties[0]).toMatchObject({
      name: "at most one leader",
      verdict: "violated",
      knownWeakness: "a clock that is off by more than the bound"
    })
  })
})
