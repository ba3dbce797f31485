/** sfc32 (C. Doty-Humphrey, PractRand). Streams of one seed with different names are independent. */
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
    for (let i = 0; i < 12; i++) this.next()
  }

  /** From 0 (included) to 1 (excluded). */
  next(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability
  }
}
