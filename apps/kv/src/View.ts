/** The keyspace as a request sees it while it is executed: with what it has changed so far, and without what has expired. */
import { Trie } from "@troupe/replication"
import * as Facts from "./Facts.ts"
import type * as Keyspace from "./Keyspace.ts"

export class View {
  readonly now: number
  readonly updates: Array<Facts.Update> = []
  private readonly base: Facts.State
  /** `base` with the first `settledCount` updates. */
  private state: Facts.State
  private settledCount = 0
  /** What the other updates did to keys. */
  private readonly changed = new Map<string, Keyspace.Entry | undefined>()

  constructor(base: Facts.State, now: number) {
    this.base = base
    this.state = base
    this.now = now
  }

  get(key: string): Keyspace.Entry | undefined {
    const entry =
      this.changed.size > 0 && this.changed.has(key) ? this.changed.get(key) : Trie.get(this.state.entries, key)
    return entry === undefined || this.isOver(entry) ? undefined : entry
  }

  isOver({ expires }: Keyspace.Entry): boolean {
    return expires !== 0 && expires <= this.now
  }

  put(key: string, value: string, expires: number): void {
    this.updates.push({ _tag: "Put", key, value, expires })
    this.changed.set(key, { key, value, expires, version: this.base.revision + this.updates.length })
  }

  remove(keys: ReadonlyArray<string>): void {
    this.updates.push({ _tag: "Remove", keys })
    for (const key of keys) this.changed.set(key, undefined)
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
