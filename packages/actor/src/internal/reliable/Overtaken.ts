/**
 * Of messages that arrive in any order: which were overtaken. One that went out before another that is acknowledged, and is
 * not so a while later, was lost or refused. Without that, whoever has always something acknowledged would wait for it for ever.
 */
export class Overtaken {
  /** The latest that is acknowledged. */
  private latest = 0
  /** As of the look before. */
  private before = 0
  /** Those that were sent again: ahead of which one. */
  private readonly repeated = new Map<number, number>()

  took(number: number): void {
    this.latest = Math.max(this.latest, number)
    this.repeated.delete(number)
  }

  /** `next`: what goes out after it. */
  repeat(number: number, next: number): void {
    this.repeated.set(number, next)
  }

  has(number: number): boolean {
    return (this.repeated.get(number) ?? number) < this.before
  }

  /** What is acknowledged by now overtakes until the next look. */
  look(): void {
    this.before = this.latest
  }
}
