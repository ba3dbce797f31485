/**
 * A file system as a crash sees it: what it shows, and what of that would be left. Files lose by sectors of 512 bytes,
 * directories from a moment on.
 */
import type { Prng } from "./Prng.ts"

const sectorBytes = 512

class Content {
  /** What a read gives, and what is on the platter. */
  private shown = new Uint8Array(1024)
  private stable = new Uint8Array(1024)
  size = 0
  private stableSize = 0
  /** Sectors that the next sync writes. After a sync that failed there are none, and the platter lacks them still. */
  private dirty = new Set<number>()

  read(at: number, length: number): Uint8Array {
    return this.shown.slice(at, Math.min(this.size, at + length))
  }

  write(bytes: Uint8Array, at: number): void {
    const end = at + bytes.length
    if (end > this.shown.length) {
      const grow = (old: Uint8Array): Uint8Array<ArrayBuffer> => {
        const grown = new Uint8Array(2 ** Math.ceil(Math.log2(end)))
        grown.set(old)
        return grown
      }
      this.shown = grow(this.shown)
      this.stable = grow(this.stable)
    }
    this.shown.set(bytes, at)
    this.size = Math.max(this.size, end)
    for (let sector = Math.floor(at / sectorBytes); sector * sectorBytes < end; sector++) this.dirty.add(sector)
  }

  truncate(size: number): void {
    if (size < this.size) this.shown.fill(0, size, this.size)
    this.size = size
    this.dirty.add(Math.floor(size / sectorBytes))
  }

  sync(): void {
    for (const sector of this.dirty) this.settle(sector)
    this.dirty.clear()
    if (this.size < this.stableSize) this.stable.fill(0, this.size, this.stableSize)
    this.stableSize = this.size
  }

  /** The kernel takes for written what was not. */
  syncFailed(): void {
    this.dirty.clear()
  }

  private settle(sector: number): void {
    const at = sector * sectorBytes
    this.stable.set(this.shown.subarray(at, at + sectorBytes), at)
  }

  /** Some of what was not synced is lost: all, none, what came after some sector, or sectors here and there. */
  crash(prng: Prng): void {
    const kind = prng.below(4)
    const dirty = [...this.dirty].sort((a, b) => a - b)
    const kept = prng.below(dirty.length + 1)
    const size = kind === 0 ? this.stableSize : kind === 1 ? this.size : prng.chance(0.5) ? this.size : this.stableSize
    // A file that was not cut short keeps its old bytes beyond the new end.
    const isCut = size < this.stableSize
    dirty.forEach((sector, i) => {
      if (kind === 0 || (kind === 2 && i >= kept) || (kind === 3 && prng.chance(0.5))) return
      if (size > this.size && (sector + 1) * sectorBytes > this.size) return
      this.settle(sector)
    })
    if (isCut) this.stable.fill(0, size, this.stableSize)
    this.stable.fill(0, size)
    this.stableSize = this.size = size
    this.shown = this.stable.slice()
    this.dirty.clear()
  }

  flip(bit: number): void {
    this.shown[bit >> 3]! ^= 1 << (bit & 7)
    this.stable[bit >> 3]! ^= 1 << (bit & 7)
  }
}

export type { Content }

interface Change {
  readonly directory: string
  readonly apply: (names: Map<string, Content>) => void
}

const directoryOf = (path: string): string => path.slice(0, path.lastIndexOf("/"))

export class Platter {
  private shown = new Map<string, Content>()
  private stable = new Map<string, Content>()
  /** Of names, in their order; a sync of their directory makes them durable. */
  private changes: Array<Change> = []

  get paths(): ReadonlyArray<string> {
    return [...this.shown.keys()].sort()
  }

  get bytes(): number {
    let sum = 0
    for (const { size } of this.shown.values()) sum += size
    return sum
  }

  list(directory: string): ReadonlyArray<string> {
    return this.paths.filter((path) => directoryOf(path) === directory).map((path) => path.slice(directory.length + 1))
  }

  find(path: string): Content | undefined {
    return this.shown.get(path)
  }

  create(path: string): Content {
    const content = new Content()
    this.change(path, (names) => names.set(path, content))
    return content
  }

  remove(path: string): void {
    this.change(path, (names) => names.delete(path))
  }

  rename(from: string, to: string): void {
    const content = this.shown.get(from)
    if (content === undefined) return
    this.change(to, (names) => {
      names.delete(from)
      names.set(to, content)
    })
  }

  private change(path: string, apply: (names: Map<string, Content>) => void): void {
    apply(this.shown)
    this.changes.push({ directory: directoryOf(path), apply })
  }

  syncDirectory(directory: string): void {
    this.changes = this.changes.filter((change) => {
      if (change.directory !== directory) return true
      change.apply(this.stable)
      return false
    })
  }

  crash(prng: Prng): void {
    const kept = prng.below(this.changes.length + 1)
    for (const { apply } of this.changes.slice(0, kept)) apply(this.stable)
    this.changes = []
    this.shown = new Map(this.stable)
    for (const path of this.paths) this.shown.get(path)!.crash(prng)
  }
}
