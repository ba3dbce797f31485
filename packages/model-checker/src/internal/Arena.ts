import { grown } from "./Visited.ts"

/**
 * States that wait for their turn, one after the other in one array: a state is its length, its index, its depth, and its
 * numbers; then the length once more, so that the last one can be taken too.
 */
export class Arena {
  numbers: Int32Array = new Int32Array(1 << 14)
  end = 0
  count = 0

  get bytes(): number {
    return this.numbers.byteLength
  }

  /** Where the numbers of one more state go. */
  push(index: number, depth: number, length: number): number {
    const { end } = this
    while (end + length + 4 > this.numbers.length) this.numbers = grown(this.numbers, this.numbers.length * 2)
    this.numbers[end] = length
    this.numbers[end + 1] = index
    this.numbers[end + 2] = depth
    this.numbers[end + 3 + length] = length
    this.end = end + length + 4
    this.count++
    return end + 3
  }

  /** Where the state begins that was pushed last; it is taken away. */
  pop(): number {
    this.end -= this.numbers[this.end - 1]! + 4
    this.count--
    return this.end
  }

  clear(): void {
    this.end = 0
    this.count = 0
  }
}
