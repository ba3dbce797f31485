/** What orders say to each other: lists of natural numbers, of seven bits a byte, the lowest first. */
import type { Codec } from "@troupe/transport"
import { Schema } from "effect"

export type Numbers = ReadonlyArray<number>

export const schema: Codec.MessageSchema<Numbers> = Schema.Array(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)))

export const codec: Codec.Codec<Numbers> = {
  name: "numbers",
  write: (numbers, into) => {
    into.reserve(8 * numbers.length)
    const { buffer } = into
    let at = into.length
    for (const number of numbers) {
      let left = number
      while (left >= 0x80) {
        buffer[at++] = (left & 0x7f) | 0x80
        left = left < 0x8000_0000 ? left >>> 7 : Math.floor(left / 0x80)
      }
      buffer[at++] = left
    }
    into.length = at
  },
  read: (bytes, start, end) => {
    const numbers: Array<number> = []
    let value = 0
    let scale = 1
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!
      value += (byte & 0x7f) * scale
      if (value > Number.MAX_SAFE_INTEGER) throw new Error("it has a number above 2^53")
      scale *= 0x80
      if (byte >= 0x80) continue
      numbers.push(value)
      value = 0
      scale = 1
    }
    if (scale !== 1) throw new Error("it ends in the midst of a number")
    return numbers
  }
}

export const zeros = (count: number): Numbers => new Array<number>(count).fill(0)

export const sum = (numbers: Numbers): number => {
  let total = 0
  for (let i = 0; i < numbers.length; i++) total += numbers[i]!
  return total
}

/** As pairs of a rank and a number. */
export const pairs = (numbers: Numbers): ReadonlyArray<readonly [number, number]> => {
  const all: Array<readonly [number, number]> = []
  for (let i = 0; i + 1 < numbers.length; i += 2) all.push([numbers[i]!, numbers[i + 1]!])
  return all
}
