/**
 * sfc32, a small fast generator with 128 bits of state (C. Doty-Humphrey, PractRand). Streams of one seed with different
 * names are independent, so that adding draws to one changes nothing in another.
 */
export class Prng {
  private a: number
  private b: number
  private c: number
  private counter = 1

  constructor(seed: number, stream: string) {
    let hash = 2166136261
    for (let i = 0; i < stream.length; i++) hash = Math.imul(hash ^ stream.charCodeAt(i), 16777619)
    this.a = seed | 0
    this.b = Math.floor(seed / 2 ** 32) | 0
    this.c = hash | 0
    for (let i = 0; i < 12; i++) this.bits()
  }

  /** 32 random bits, as a signed integer. */
  private bits(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0
    return sum
  }

  /** From 0 (included) to 1 (excluded), in steps of 2^-32. */
  next(): number {
    return (this.bits() >>> 0) / 2 ** 32
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  /** A number from `low` (included) to `high` (excluded). */
  between(low: number, high: number): number {
    return low + this.next() * (high - low)
  }

  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability
  }

  /** So many hexadecimal digits. */
  hex(digits: number): string {
    return Array.from({ length: digits }, () => this.below(16).toString(16)).join("")
  }

  pick<A>(from: ReadonlyArray<A>): A {
    return from[this.below(from.length)]!
  }
}
