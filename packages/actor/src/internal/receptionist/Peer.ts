/** Another node, as one node knows it: what is registered there, in which of its lives, and whether it is listed here. */
import type { NodeId } from "@troupe/transport"
import type { Remote } from "../system/Remote.ts"
import { identity } from "./Desk.ts"
import type { Listed } from "./Listings.ts"
import { type Entry, mostAtOnce, mostEntries, type Said } from "./talk.ts"

export type Refer = Remote["refer"]

interface Lists {
  list(listed: Listed): void
  unlist(listed: Listed): void
  /** Its owner has it no more. */
  drop(listed: Listed): void
}

/** What has come of its entries at one version. */
interface Parts {
  readonly life: number
  readonly version: number
  readonly byPart: Map<number, ReadonlyArray<Entry>>
}

export class Peer {
  readonly node: NodeId.NodeId
  /** Of what is known: 0 where nothing is. */
  life = 0
  version = 0
  /** It has said since the last comparison that it has what is known of it. */
  isSure = false
  /** The latest that came from it. */
  heardLife = 0
  heardRound = 0
  private readonly refer: Refer
  private readonly lists: Lists
  private readonly entries = new Map<number, Listed>()
  private parts: Parts | undefined = undefined
  /** It is taken for dead: its entries are not listed. */
  private isHidden = false
  /** What answers a later round than this is news, of whichever life. */
  private after = 0

  constructor(node: NodeId.NodeId, refer: Refer, lists: Lists) {
    this.node = node
    this.refer = refer
    this.lists = lists
  }

  /** Whether what it says is of the latest life of a node that is not taken for dead. */
  counts(life: number, answered: number): boolean {
    const isNews = answered > this.after
    if (!isNews && (this.isHidden || (this.life !== life && this.life !== 0))) return false
    if (this.life !== life) this.begin(life)
    if (this.isHidden) this.show()
    this.after = Math.max(this.after, answered)
    return true
  }

  /** What an earlier life of it had is gone with that. */
  private begin(life: number): void {
    this.replace(0, [])
    this.life = life
  }

  /** Until it answers what it is asked after that round. */
  hide(round: number): void {
    this.after = round
    this.isHidden = true
    this.isSure = false
    for (const listed of this.entries.values()) this.lists.unlist(listed)
  }

  private show(): void {
    this.isHidden = false
    for (const listed of this.entries.values()) this.lists.list(listed)
  }

  onPart({ entries, life, part, parts, version }: Said<"Part">): void {
    if (life !== this.life || version <= this.version) return
    if (parts > mostEntries / mostAtOnce || part >= parts) return
    if (this.parts?.version !== version || this.parts.life !== life) this.parts = { life, version, byPart: new Map() }
    const { byPart } = this.parts
    byPart.set(part, entries)
    if (byPart.size === parts) this.replace(version, [...byPart.values()].flat())
  }

  onChanged({ before, changes, life }: Said<"Changed">): void {
    if (life !== this.life || before !== this.version) return
    this.version += changes.length
    for (const { entry, id } of changes) {
      if (entry === undefined) this.drop(id)
      else if (this.entries.size < mostEntries) this.put(entry)
    }
  }

  private replace(version: number, entries: ReadonlyArray<Entry>): void {
    this.version = version
    this.parts = undefined
    const ids = new Set(entries.map(({ id }) => id))
    for (const id of [...this.entries.keys()]) if (!ids.has(id)) this.drop(id)
    for (const entry of entries) this.put(entry)
  }

  private put(entry: Entry): void {
    // An entry stays what it was: who holds a reference made of it goes on with that one.
    if (this.entries.has(entry.id)) return
    const listed = this.listed(entry)
    this.entries.set(entry.id, listed)
    if (!this.isHidden) this.lists.list(listed)
  }

  private drop(id: number): void {
    const listed = this.entries.get(id)
    if (listed === undefined) return
    this.entries.delete(id)
    this.lists.drop(listed)
  }

  private listed({ id, key, life, messages, moved, path, serial }: Entry): Listed {
    const { node } = this
    const { actor, epoch } = moved ?? { actor: identity(node, life, serial), epoch: 0 }
    const made = new Map<unknown, ReturnType<Refer>>()
    return {
      ...{ node, id, key, messages, actor, epoch },
      refer: (of) => {
        let ref = made.get(of)
        if (ref === undefined) made.set(of, (ref = this.refer(of, node, { life, path, serial })))
        return ref
      }
    }
  }
}
