import { describe, expect, it } from "vitest"
import { add, has, hasGap, latest, type Lives, maxBeyond } from "../src/internal/seen.ts"

const of = (...sequences: ReadonlyArray<number>): Lives =>
  sequences.reduce<Lives>((lives, sequence) => add(lives, 7, sequence), [])

describe("which messages of a sender were had", () => {
  it("is one number, without gaps, in any order of arrival", () => {
    expect(of(1, 2, 3)).toEqual([{ life: 7, upTo: 3, beyond: [] }])
    expect(of(3, 1, 2)).toEqual([{ life: 7, upTo: 3, beyond: [] }])
    expect(of(2, 4, 1, 3)).toEqual([{ life: 7, upTo: 4, beyond: [] }])
  })

  it("is single numbers beyond a gap", () => {
    const lives = of(1, 5, 3)
    expect(lives).toEqual([{ life: 7, upTo: 1, beyond: [3, 5] }])
    expect([1, 2, 3, 4, 5, 6].map((sequence) => has(lives, 7, sequence))).toEqual([
      true,
      false,
      true,
      false,
      true,
      false
    ])
    expect(latest(lives)).toBe(5)
    expect([hasGap(lives), hasGap(of(4, 5)), hasGap(of(4, 6)), hasGap(of(1, 2)), hasGap([])]).toEqual([
      true,
      false,
      true,
      false,
      false
    ])
  })

  it("agrees with a set, whatever comes in whatever order", () => {
    let seed = 1
    const random = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed % below
    }
    for (let round = 0; round < 200; round++) {
      let lives: Lives = []
      const all = new Set<string>()
      for (let i = 0; i < 60; i++) {
        const [life, sequence] = [1 + random(3), 1 + random(30)]
        expect(has(lives, life, sequence)).toBe(all.has(`${life} ${sequence}`))
        if (has(lives, life, sequence)) continue
        lives = add(lives, life, sequence)
        all.add(`${life} ${sequence}`)
      }
    }
  })

  it("is bounded: beyond too many gaps the lowest is taken for lost, and lives are forgotten", () => {
    let lives: Lives = []
    for (let i = 1; i <= maxBeyond + 10; i++) lives = add(lives, 1, 2 * i)
    expect(lives[0]!.beyond.length).toBeLessThanOrEqual(maxBeyond)
    expect([has(lives, 1, 1), has(lives, 1, 2 * maxBeyond + 3)]).toEqual([true, false])
    for (let life = 2; life <= 20; life++) lives = add(lives, life, 1)
    expect(lives.map(({ life }) => life)).toEqual([20, 19, 18, 17])
  })
})
