/**
 * Which packets of a sender have been taken, so that none is taken twice: a bit for each of the last 1,024 numbers, in a
 * ring. A number before those counts as taken (RFC 4303, §3.4.3: a packet that late cannot be told from a replay).
 */
export const windowPackets = 1024

export class Window {
  private readonly bits = new Int32Array(windowPackets / 32)
  /** The highest number that was taken. */
  private highest = -1

  isTaken(number: number): boolean {
    if (number > this.highest) return false
    if (number <= this.highest - windowPackets) return true
    const at = number % windowPackets
    return (this.bits[at >>> 5]! & (1 << (at & 31))) !== 0
  }

  /** Takes a number that is not taken. Returns whether it is the highest so far. */
  take(number: number): boolean {
    const isHighest = number > this.highest
    if (isHighest) this.moveTo(number)
    const at = number % windowPackets
    this.bits[at >>> 5]! |= 1 << (at & 31)
    return isHighest
  }

  private moveTo(number: number): void {
    if (number - this.highest >= windowPackets) this.bits.fill(0)
    else {
      for (let passed = this.highest + 1; passed < number; passed++) {
        const at = passed % windowPackets
        this.bits[at >>> 5]! &= ~(1 << (at & 31))
      }
      const at = number % windowPackets
      this.bits[at >>> 5]! &= ~(1 << (at & 31))
    }
    this.highest = number
  }
}
