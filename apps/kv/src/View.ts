/** The keyspace as a request sees it while it is executed: with what it has changed so far, and without what has expired. */
import { type Machine, Trie } from "@troupe/replication"
import * as Facts from "./Facts.ts"
import type * as Keyspace from "./Keyspace.ts"

/** What is needed to list keys. */
export interface Listing {
  /** How many keys there are, with those that have expired and were not removed yet. */
  readonly size: number
  /** The keys, in the order of their hashes, from this one on. */
  readonly from: (hash: number) => Iterable<Listed>
  readonly isOver: (entry: Listed) => boolean
}

type Listed = Pick<Keyspace.Entry, "key" | "expires">

export class View implements Listing {
  readonly now: number
  private readonly random: () => number
  readonly updates: Array<Facts.Update> = []
  private readonly base: Facts.State
  /** `base` with the first `settledCount` updates. */
  private state: Facts.State
  private settledCount = 0
  /** What the other updates did to keys, but for the latest, which nobody has asked about yet. */
  private readonly changed = new Map<string, Keyspace.Entry | undefined>()
  private notedCount = 0

  /** The version of the next entry. They begin at a chance number, so that no key has one twice, not even forgotten ones. */
  private version = 0

  constructor(base: Facts.State, { now, random }: Machine.Moment) {
    this.base = base
    this.state = base
    this.now = now
    this.random = random
  }

  get(key: string): Keyspace.Entry | undefined {
    for (; this.notedCount < this.updates.length; this.notedCount++) this.note(this.updates[this.notedCount]!)
    const entry =
      this.changed.size > 0 && this.changed.has(key) ? this.changed.get(key) : Trie.get(this.state.entries, key)
    return entry === undefined || this.isOver(entry) ? undefined : entry
  }

  get size(): number {
    return this.settled().entries.size
  }

  from(hash: number): Iterable<Listed> {
    return Trie.from(this.settled().entries, hash)
  }

  isOver({ expires }: Listed): boolean {
    return expires !== 0 && expires <= this.now
  }

  put(key: string, value: string, expires: number): void {
    this.version = this.version === 0 ? 1 + Math.floor(this.random() * 2 ** 30) : this.version + 1
    this.updates.push({ _tag: "Put", key, value, expires, version: this.version })
  }

  remove(keys: ReadonlyArray<string>): void {
    this.updates.push({ _tag: "Remove", keys })
  }

  private note(update: Facts.Update): void {
    if (update._tag === "Put") this.changed.set(update.key, update)
    else if (update._tag === "Remove") for (const key of update.keys) this.changed.set(key, undefined)
  }

  /** What is seldom done is done on a state that it is part of. */
  do(update: Facts.Update): void {
    this.updates.push(update)
    this.settled()
  }

  /** The state with all that was changed so far. */
  settled(): Facts.State {
    for (; this.settledCount < this.updates.length; this.settledCount++) {
      this.state = Facts.apply(this.state, this.updates[this.settledCount]!)
    }
    this.changed.clear()
    this.notedCount = this.settledCount
    return this.state
  }

  /** Takes back all updates but the first ones. */
  rollBack(count: number): void {
    this.updates.length = count
    this.state = this.base
    this.settledCount = 0
    this.settled()
  }
}
