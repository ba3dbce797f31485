/** Whole numbers of 64 bits, as digits in a value. */

const canonical = /^(?:0|-?[1-9][0-9]{0,18})$/
const smallest = -(2n ** 63n)
const largest = 2n ** 63n - 1n

/** A safe whole number; nothing when the text is none, or is written in another way than Redis writes it. */
export const parse = (text: string): number | undefined => {
  if (!canonical.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

export const parseLong = (text: string): bigint | undefined => {
  if (!canonical.test(text)) return undefined
  const value = BigInt(text)
  return isLong(value) ? value : undefined
}

export const isLong = (value: bigint): boolean => value >= smallest && value <= largest
