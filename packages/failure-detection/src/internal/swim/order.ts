/**
 * The order in which a round of probes visits the members: a random permutation that is computed, not stored.
 *
 * Four rounds of a Feistel network permute the numbers below a power of four; those that are not below `size` are passed
 * on until one is (cycle walking). Few numbers make few permutations, so the start is shifted as well. A round of ten
 * thousand costs a node three numbers.
 *
 * Source: J. Black, P. Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002.
 */
export const permuted = (index: number, size: number, key: number): number => {
  if (size < 2) return 0
  let bits = 1
  while (4 ** bits < size) bits++
  const mask = 2 ** bits - 1
  let value = index
  do {
    let left = value >>> bits
    let right = value & mask
    for (let round = 0; round < 4; round++) {
      const mixed = left ^ (mix(right, key, round) & mask)
      left = right
      right = mixed
    }
    value = left * (mask + 1) + right
  } while (value >= size)
  return (value + (mix(size, key, 4) >>> 0)) % size
}

const mix = (value: number, key: number, round: number): number => {
  let h = Math.imul(value ^ key, 0x85ebca6b) ^ Math.imul(round + 1, 0x9e3779b9)
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 13) ^ key, 0x27d4eb2f)
  return h ^ (h >>> 16)
}

/** A key for a round, from a number between 0 and 1. */
export const key = (random: number): number => Math.floor(random * 0x100000000) | 0
