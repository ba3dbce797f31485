/** HalfSipHash-2-4 with 64 bits of output, of text as its UTF-16 code units, low byte first; and a mixer of 32 bits. */

export interface Hash64 {
  readonly hi: number
  readonly lo: number
}

/** Of `text` alone. */
export const text = (k0: number, k1: number, value: string): Hash64 => digest(k0, k1, 0, 0, 0, value)

/** Of two words and the text that follows them. */
export const textAfter = (k0: number, k1: number, first: number, second: number, value: string): Hash64 =>
  digest(k0, k1, 2, first, second, value)

const digest = (k0: number, k1: number, words: 0 | 2, first: number, second: number, value: string): Hash64 => {
  let v0 = k0 | 0
  let v1 = k1 ^ 0xee
  let v2 = 0x6c796765 ^ k0
  let v3 = 0x74656462 ^ k1
  const whole = words + (value.length >> 1)
  const bytes = 4 * words + 2 * value.length
  const tail = (bytes << 24) | ((value.length & 1) === 1 ? value.charCodeAt(value.length - 1) : 0)
  let hi = 0
  // Two rounds for each word, the last of which has the tail and the length; then twice four that take in nothing.
  for (let at = 0; at <= whole + 2; at++) {
    let word = 0
    let rounds = 2
    if (at < words) word = at === 0 ? first : second
    else if (at < whole) {
      const unit = 2 * (at - words)
      word = value.charCodeAt(unit) | (value.charCodeAt(unit + 1) << 16)
    } else if (at === whole) word = tail
    else {
      rounds = 4
      if (at === whole + 1) v2 ^= 0xee
      else {
        hi = v1 ^ v3
        v1 ^= 0xdd
      }
    }
    v3 ^= word
    for (let round = 0; round < rounds; round++) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
    }
    v0 ^= word
  }
  return { hi, lo: v1 ^ v3 }
}

/** Spreads each bit of a word over all of it, one to one. */
export const mix = (word: number): number => {
  let x = word
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad)
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97)
  return x ^ (x >>> 15)
}
