/** Which messages were overtaken by others that are acknowledged. */
import { expect, it } from "vitest"
import { Overtaken } from "../../src/internal/reliable/Overtaken.ts"

it("one is overtaken that went out before another, and is not acknowledged a look after that", () => {
  const overtaken = new Overtaken()
  overtaken.took(5)
  expect(overtaken.has(3)).toBe(false)
  overtaken.look()
  expect([3, 5, 6].map((number) => overtaken.has(number))).toEqual([true, false, false])
})

it("one that was sent again is overtaken by what went out after that", () => {
  const overtaken = new Overtaken()
  overtaken.took(5)
  overtaken.look()
  overtaken.repeat(3, 9)
  for (const number of [6, 7, 8, 9]) overtaken.took(number)
  overtaken.look()
  expect(overtaken.has(3)).toBe(false)
  overtaken.took(10)
  overtaken.look()
  expect(overtaken.has(3)).toBe(true)
})
