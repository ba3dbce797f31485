/**
 * Who is registered on each node, as one node knows it. A node owns its entries; others repeat what it said. They are told of
 * its changes, and compare how many they have heard of again and again: what was lost is fetched.
 *
 * Each of these comparisons has a number, and carries the number that came from the other side last. So it is known of a
 * message whether it was sent after another one was received: one that was under way when its node died, or in an earlier
 * life of it, brings nothing back.
 *
 * An actor that moves is registered at its new place at once. At the old one its entry stays for some comparisons, until
 * everybody has heard of the new one: of several places of an actor, only the latest is listed. When that is no more, another
 * one is listed again if its node still has it after those comparisons: there may have been two, where a node was taken for
 * dead that lived, and that one is left.
 */
import type { NodeId } from "@troupe/transport"
import { Cause } from "effect"
import type { Cell } from "../system/Cell.ts"
import type { Remote } from "../system/Remote.ts"
import { type Arrived, identity } from "./Desk.ts"
import { type Key, type Listed, Listings } from "./Listings.ts"
import { Peer, type Refer } from "./Peer.ts"
import { type Change, type Entry, type Key as Names, mostAtOnce, mostEntries, type Said } from "./talk.ts"

/** What is sent to the receptionists of other nodes. */
export type Tell = (
  nodes: ReadonlyArray<NodeId.NodeId>,
  message: Said<"Compare" | "Changed" | "Fetch" | "Part">
) => void

interface Own extends Listed {
  readonly cell: Cell
  readonly entry: () => Entry
  /** It has ended. */
  readonly told: () => void
}

/** For so many comparisons an actor that has moved is listed where it was, too. */
const comparisons = 3

export class Registry {
  readonly listings: Listings
  private readonly node: NodeId.NodeId
  private readonly life: number
  private readonly remote: Remote | undefined
  private readonly tell: Tell
  private readonly onNews: () => void
  private readonly own = new Map<number, Own>()
  private readonly owned = new Map<Cell, Map<string, Own>>()
  /** Of actors that have moved: for how many comparisons more. */
  private readonly left = new Map<Own, number>()
  private readonly peers = new Map<NodeId.NodeId, Peer>()
  /** Others' entries that are not listed, since a later place of the actor is no more: for how many comparisons more. */
  private readonly doubted = new Map<Listed, number>()
  private lastId = 0
  private version = 0
  private round = 0
  /** What others have not been told yet. */
  private untold: Array<Change> = []

  /** `onNews`: others are to be told, by `flush`. */
  constructor(life: number, remote: Remote | undefined, tell: Tell, onNews: () => void) {
    this.node = remote?.node ?? ""
    this.life = life
    this.remote = remote
    this.tell = tell
    this.onNews = onNews
    this.listings = new Listings(this.node)
    const refer: Refer = (...actor) => remote!.refer(...actor)
    for (const node of remote?.nodes ?? []) if (node !== this.node) this.peers.set(node, new Peer(node, refer, this))
  }

  // --------------------------------------------------------------------------------------------------- what is its own

  /** How many more can be registered. */
  get room(): number {
    return Math.max(0, mostEntries - this.own.size + this.left.size)
  }

  has(key: Key, cell: Cell): boolean {
    return this.owned.get(cell)?.has(key.name) ?? false
  }

  keysOf(cell: Cell): ReadonlyArray<Names> {
    return Array.from(this.owned.get(cell)?.values() ?? [], ({ key, messages }) => ({ name: key, messages }))
  }

  register(key: Names, cell: Cell, arrived?: Arrived): void {
    if (this.owned.get(cell)?.has(key.name) === true) return
    this.enter(key, cell, arrived)
    this.listings.tell()
  }

  deregister({ name }: { readonly name: string }, cell: Cell): void {
    const own = this.owned.get(cell)?.get(name)
    if (own === undefined) return
    this.remove(own)
    this.listings.tell()
  }

  /** Registers an actor that has come, under what it was, and under what it has asked for since. */
  arrive(cell: Cell, arrived: Arrived, keys: ReadonlyArray<Names>): void {
    const before = [...(this.owned.get(cell)?.values() ?? []), ...this.leftOf(cell)]
    const all = new Map([...this.keysOf(cell), ...keys].map((key) => [key.name, key]))
    this.owned.delete(cell)
    for (const own of before) this.left.set(own, comparisons)
    for (const key of all.values()) this.enter(key, cell, arrived)
    for (const own of before) this.remove(own)
    this.listings.tell()
  }

  /** It is elsewhere, where it is registered. */
  depart(cell: Cell): void {
    for (const own of this.owned.get(cell)?.values() ?? []) this.left.set(own, comparisons)
    this.owned.delete(cell)
  }

  private leftOf(cell: Cell): ReadonlyArray<Own> {
    return this.left.size === 0 ? [] : [...this.left.keys()].filter((own) => own.cell === cell)
  }

  private enter({ messages, name }: Names, cell: Cell, arrived: Arrived | undefined): void {
    if (this.room === 0) return cell.log(`"${cell.path}" is not registered: ${mostEntries} are already`, Cause.empty)
    // It gives its place up before others hear of it: they take as many as may be.
    if (this.own.size >= mostEntries) this.remove([...this.left.keys()][0]!)
    const own = this.ownOf(++this.lastId, { messages, name }, cell, arrived)
    this.own.set(own.id, own)
    const keys = this.owned.get(cell) ?? new Map<string, Own>()
    this.owned.set(cell, keys.set(name, own))
    this.changed(this.remote === undefined ? { id: own.id } : { id: own.id, entry: own.entry() })
    this.listings.add(own)
    cell.onEnd(own.told)
  }

  private ownOf(id: number, { messages, name: key }: Names, cell: Cell, arrived: Arrived | undefined): Own {
    const { node, remote } = this
    const { life, path, serial } = remote?.export(cell) ?? { life: 0, path: cell.path, serial: cell.id }
    const { actor, epoch } = arrived ?? { actor: identity(node, life, serial), epoch: 0 }
    const own: Own = {
      ...{ node, id, key, messages, actor, epoch, cell },
      refer: () => cell,
      entry: () => ({ id, key, messages, life, path, serial, ...(arrived && { moved: { actor, epoch } }) }),
      told: () => {
        this.remove(own)
        this.listings.tell()
      }
    }
    return own
  }

  private remove(own: Own): void {
    if (!this.own.delete(own.id)) return
    this.left.delete(own)
    own.cell.untold(own.told)
    const keys = this.owned.get(own.cell)
    if (keys?.get(own.key) === own) keys.delete(own.key)
    if (keys?.size === 0) this.owned.delete(own.cell)
    this.changed({ id: own.id })
    this.unlist(own)
  }

  private changed(change: Change): void {
    this.version++
    if (this.peers.size > 0 && this.untold.push(change) === 1) this.onNews()
  }

  /** Everybody is told what has changed since. */
  flush(): void {
    const { node, life, untold } = this
    this.untold = []
    for (let at = 0; at < untold.length; at += mostAtOnce) {
      const before = this.version - untold.length + at
      const changes = untold.slice(at, at + mostAtOnce)
      this.tell([...this.peers.keys()], { _tag: "Changed", node, life, before, changes })
    }
  }

  /** Nobody is registered here any more. */
  leave(): void {
    for (const own of [...this.own.values()]) this.remove(own)
    this.flush()
  }

  // ----------------------------------------------------------------------------------------------------- what is listed

  list(listed: Listed): void {
    if (!this.doubted.has(listed)) this.listings.add(listed)
  }

  unlist(listed: Listed): void {
    for (const other of this.listings.remove(listed)) {
      if (other.node !== this.node) this.doubted.set(other, comparisons + 1)
      // It lives here.
      else if (!this.left.has(other as Own)) this.listings.add(other)
    }
  }

  /** Its owner has it no more. */
  drop(listed: Listed): void {
    this.doubted.delete(listed)
    this.unlist(listed)
  }

  // --------------------------------------------------------------------------------------------------------- comparing

  compareAll(asks: boolean): void {
    this.sweep()
    for (const peer of this.peers.values()) this.compare(peer, asks)
  }

  /** Whoever moved long enough ago is listed where it is alone. */
  private sweep(): void {
    for (const [own, left] of this.left) {
      if (left > 1) this.left.set(own, left - 1)
      else this.remove(own)
    }
    for (const [listed, left] of this.doubted) {
      if (!this.peers.get(listed.node)!.isSure) continue
      if (left > 1) this.doubted.set(listed, left - 1)
      else if (this.doubted.delete(listed)) this.listings.add(listed)
    }
    for (const peer of this.peers.values()) peer.isSure = false
    this.listings.tell()
  }

  private compare({ heardLife, heardRound, node: to }: Peer, asks: boolean): void {
    // What others have not been told is not held against them.
    this.flush()
    const { node, life, version } = this
    this.tell([to], { _tag: "Compare", node, life, version, round: ++this.round, heardLife, heardRound, asks })
  }

  onCompare({ asks, heardLife, heardRound, life, node, round, version }: Said<"Compare">): void {
    const peer = this.peers.get(node)
    if (peer === undefined) return
    peer.heardLife = life
    peer.heardRound = round
    const counts = peer.counts(life, heardLife === this.life ? heardRound : 0)
    this.listings.tell()
    if (!counts) return this.compare(peer, true)
    peer.isSure = version === peer.version
    if (version > peer.version) this.fetch(peer)
    if (asks) this.compare(peer, false)
  }

  /** The node is taken for dead. It is heard of again when it answers what it is asked from now on. */
  down(node: NodeId.NodeId): void {
    this.peers.get(node)?.hide(this.round)
    this.listings.tell()
  }

  // ------------------------------------------------------------------------------------------------ what others tell

  private fetch({ life, node: to }: Peer): void {
    this.tell([to], { _tag: "Fetch", node: this.node, life })
  }

  onFetch({ life, node: to }: Said<"Fetch">): void {
    if (life !== this.life || !this.peers.has(to)) return
    this.flush()
    const { node, version } = this
    const entries = Array.from(this.own.values(), (own) => own.entry())
    const parts = Math.max(1, Math.ceil(entries.length / mostAtOnce))
    for (let part = 0; part < parts; part++) {
      const some = entries.slice(part * mostAtOnce, (part + 1) * mostAtOnce)
      this.tell([to], { _tag: "Part", node, life, version, part, parts, entries: some })
    }
  }

  onPart(part: Said<"Part">): void {
    this.peers.get(part.node)?.onPart(part)
    this.listings.tell()
  }

  onChanged(changed: Said<"Changed">): void {
    this.peers.get(changed.node)?.onChanged(changed)
    this.listings.tell()
  }
}
