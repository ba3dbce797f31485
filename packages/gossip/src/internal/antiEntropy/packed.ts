/** Lists of words as bytes, and back. What is not exactly such a list reads as `undefined`. */
import type { Fingerprint } from "../../Fingerprint.ts"

/** The bytes of a fingerprint. */
export const itemBytes = 12

/** The bytes of a range without its fingerprints. */
export const rangeBytes = 12

/** The bytes of a node and the hashes of its children. */
export const groupBytes = (fanOut: number): number => 4 + 8 * fanOut

/** A run of words of 32 bits. */
export class Words {
  private bytes = new Uint8Array(1_024)
  private view = new DataView(this.bytes.buffer)
  length = 0

  push(word: number): void {
    if (this.length + 4 > this.bytes.length) {
      const grown = new Uint8Array(2 * this.bytes.length)
      grown.set(this.bytes)
      this.bytes = grown
      this.view = new DataView(grown.buffer)
    }
    this.view.setInt32(this.length, word)
    this.length += 4
  }

  item({ hi, lo, position }: Fingerprint): void {
    this.push(position)
    this.push(hi)
    this.push(lo)
  }

  take(): Uint8Array {
    return this.bytes.slice(0, this.length)
  }
}

const viewOf = ({ buffer, byteOffset, length }: Uint8Array): DataView => new DataView(buffer, byteOffset, length)

const itemAt = (view: DataView, at: number): Fingerprint => ({
  position: view.getInt32(at),
  hi: view.getInt32(at + 4),
  lo: view.getInt32(at + 8)
})

export const readItems = (bytes: Uint8Array): ReadonlyArray<Fingerprint> | undefined => {
  if (bytes.length % itemBytes !== 0) return undefined
  const view = viewOf(bytes)
  return Array.from({ length: bytes.length / itemBytes }, (_, i) => itemAt(view, i * itemBytes))
}

export interface Range {
  /** Both ends included, unsigned. */
  readonly from: number
  readonly to: number
  readonly items: ReadonlyArray<Fingerprint>
}

export const readRanges = (bytes: Uint8Array): ReadonlyArray<Range> | undefined => {
  const view = viewOf(bytes)
  const ranges: Array<Range> = []
  for (let at = 0; at < bytes.length;) {
    if (at + rangeBytes > bytes.length) return undefined
    const [from, to, count] = [view.getUint32(at), view.getUint32(at + 4), view.getUint32(at + 8)]
    at += rangeBytes
    if (from > to || count > (bytes.length - at) / itemBytes) return undefined
    const items: Array<Fingerprint> = []
    for (let i = 0; i < count; i++, at += itemBytes) {
      const item = itemAt(view, at)
      if (item.position >>> 0 < from || item.position >>> 0 > to) return undefined
      items.push(item)
    }
    ranges.push({ from, to, items })
  }
  return ranges
}

/** The indexes of nodes, of which a level has so many; the hashes of the children follow each in `view`. */
export const readGroups = (
  bytes: Uint8Array,
  fanOut: number,
  nodes: number
): { readonly view: DataView; readonly indexes: ReadonlyArray<number> } | undefined => {
  const size = groupBytes(fanOut)
  if (bytes.length % size !== 0) return undefined
  const view = viewOf(bytes)
  const indexes = Array.from({ length: bytes.length / size }, (_, i) => view.getUint32(i * size))
  return indexes.every((index) => index < nodes) ? { view, indexes } : undefined
}
