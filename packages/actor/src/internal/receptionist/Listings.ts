/** Who is listed under each key, and who is told when that changes. */
import { NodeId } from "@troupe/transport"
import type { ActorRef } from "../../ActorRef.ts"
import type { Messages } from "../../Messages.ts"

/** An actor that is listed. `refer` makes the reference to it, once for each definition of its messages. */
export interface Listed {
  readonly node: NodeId.NodeId
  readonly id: number
  readonly key: string
  readonly messages: string
  /** Who it is, wherever it is. */
  readonly actor: string
  /** Of an actor that moves: of two of its places, the later one. */
  readonly epoch: number
  readonly refer: (messages: Messages<any>) => ActorRef<any>
}

export interface Key {
  readonly name: string
  readonly messages: Messages<any>
}

type Refs = ReadonlyArray<ActorRef<any>>

interface Subscription {
  readonly key: Key
  readonly told: (refs: Refs) => void
}

/** All under one name. */
interface Shelf {
  readonly listed: Set<Listed>
  readonly subscriptions: Set<Subscription>
  /** As they were asked for since the latest change. */
  readonly made: Map<Messages<any>, Refs>
}

export class Listings {
  private readonly here: NodeId.NodeId
  private readonly shelves = new Map<string, Shelf>()
  private readonly touched = new Set<string>()

  constructor(here: NodeId.NodeId) {
    this.here = here
  }

  add(listed: Listed): void {
    const shelf = this.shelf(listed.key)
    shelf.listed.add(listed)
    this.touch(listed.key, shelf)
  }

  /** Returns its earlier places, which are listed no more either: as a rule it has left them, whoever has not heard of that. */
  remove(listed: Listed): ReadonlyArray<Listed> {
    const shelf = this.shelves.get(listed.key)
    if (shelf === undefined || !shelf.listed.delete(listed)) return []
    this.touch(listed.key, shelf)
    if (listed.epoch === 0) return []
    const earlier = [...shelf.listed].filter((other) => isEarlier(other, listed))
    for (const other of earlier) shelf.listed.delete(other)
    return earlier
  }

  /** Those of this node first, then by node; those of a node in the order of their registration. */
  of({ messages, name }: Key): Refs {
    const shelf = this.shelves.get(name)
    if (shelf === undefined) return []
    let refs = shelf.made.get(messages)
    if (refs === undefined) {
      const listed = [...latest(shelf.listed, messages.name)]
      refs = listed.sort(this.order).map((each) => each.refer(messages))
      shelf.made.set(messages, refs)
    }
    return refs
  }

  /** Tells who is listed, now and after each change. Returns how to end that. */
  subscribe(key: Key, told: (refs: Refs) => void): () => void {
    const subscription = { key, told }
    this.shelf(key.name).subscriptions.add(subscription)
    told(this.of(key))
    return () => {
      const shelf = this.shelves.get(key.name)
      shelf?.subscriptions.delete(subscription)
      if (shelf !== undefined) this.forget(key.name, shelf)
    }
  }

  /** Tells of what has changed since it was last called. */
  tell(): void {
    const names = [...this.touched]
    this.touched.clear()
    for (const name of names) {
      const shelf = this.shelves.get(name)
      if (shelf === undefined) continue
      for (const { key, told } of [...shelf.subscriptions]) told(this.of(key))
      this.forget(name, shelf)
    }
  }

  private readonly order = (one: Listed, other: Listed): number =>
    one.node === other.node
      ? one.id - other.id
      : one.node === this.here
        ? -1
        : other.node === this.here
          ? 1
          : NodeId.Order(one.node, other.node)

  private touch(name: string, shelf: Shelf): void {
    shelf.made.clear()
    this.touched.add(name)
  }

  private shelf(name: string): Shelf {
    let shelf = this.shelves.get(name)
    if (shelf === undefined) {
      shelf = { listed: new Set(), subscriptions: new Set(), made: new Map() }
      this.shelves.set(name, shelf)
    }
    return shelf
  }

  private forget(name: string, { listed, subscriptions }: Shelf): void {
    if (listed.size === 0 && subscriptions.size === 0) this.shelves.delete(name)
  }
}

const isEarlier = (one: Listed, other: Listed): boolean =>
  one.actor === other.actor &&
  (one.epoch < other.epoch || (one.epoch === other.epoch && NodeId.Order(one.node, other.node) < 0))

/** Each actor once: where it is, though it may still be listed where it was. */
const latest = (listed: Iterable<Listed>, messages: string): Iterable<Listed> => {
  const byActor = new Map<string, Listed>()
  for (const each of listed) {
    if (each.messages !== messages) continue
    const other = byActor.get(each.actor)
    if (other === undefined || isEarlier(other, each)) byActor.set(each.actor, each)
  }
  return byActor.values()
}
