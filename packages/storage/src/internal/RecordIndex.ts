/** Where the records of a log lie: eight bytes each. */
export class RecordIndex {
  /** The index of the oldest record that is kept, and of the next one. */
  first: number
  next: number
  /** Bytes of their data. */
  bytes = 0
  private lengths = new Uint32Array(64)
  private positions = new Uint32Array(64)
  /** Of what the arrays begin with. */
  private base: number

  constructor(first: number) {
    this.first = this.next = this.base = first
  }

  push(length: number): number {
    const at = this.next - this.base
    if (at === this.lengths.length) this.grow()
    this.lengths[this.next - this.base] = length
    this.bytes += length
    return this.next++
  }

  place(index: number, position: number): void {
    this.positions[index - this.base] = position
  }

  lengthOf(index: number): number {
    return this.lengths[index - this.base]!
  }

  positionOf(index: number): number {
    return this.positions[index - this.base]!
  }

  truncate(from: number): void {
    while (this.next > from) this.bytes -= this.lengthOf(--this.next)
  }

  drop(upTo: number): void {
    while (this.first < upTo) this.bytes -= this.lengthOf(this.first++)
  }

  /** Doubles, or takes the room of what was dropped when that is most of it. Where the last of that lay is still asked. */
  private grow(): void {
    const from = Math.max(this.base, this.first - 1)
    const size = Math.max(64, (this.next - from) * 2)
    const move = (old: Uint32Array): Uint32Array<ArrayBuffer> => {
      const moved = new Uint32Array(size)
      moved.set(old.subarray(from - this.base, this.next - this.base))
      return moved
    }
    this.lengths = move(this.lengths)
    this.positions = move(this.positions)
    this.base = from
  }
}
