import { describe, expect, it } from "vitest"
import { crashAt, operations } from "./crashes.ts"

describe("a crash at any operation", () => {
  it("leaves all that was flushed, a prefix of the rest, one snapshot or the other, and a log that goes on", async () => {
    const count = await operations()
    expect(count).toBeGreaterThan(80)
    const broken: Array<string> = []
    for (let operation = 0; operation <= count; operation++) {
      for (const seed of [1, 2]) {
        const problems = await crashAt(operation, seed * 1000 + operation)
        if (problems.length > 0) broken.push(`operation ${operation}, seed ${seed}: ${problems.join("; ")}`)
      }
    }
    expect(broken).toEqual([])
  })

  it("is found to lose what was flushed, where the disk lies about what is durable", async () => {
    let found = 0
    for (let operation = 5; operation < 90; operation += 5) {
      if ((await crashAt(operation, operation, "syncs silently")).length > 0) found++
    }
    expect(found).toBeGreaterThan(8)
  })
})
