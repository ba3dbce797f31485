/** What Plumtree's nodes say to each other, and know. */
import type { Protocol } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import { Schema } from "effect"
import type { Base, Event } from "../base.ts"
import * as Exchange from "../exchange.ts"
import { Item, ItemId } from "../items.ts"
import type * as Trees from "../trees.ts"
import type { Options } from "./options.ts"

const Hops = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 20 }))
const Tree = Schema.String.check(Schema.isMaxLength(280))
const most = Schema.isMaxLength(Exchange.listMax)

export const Message = Schema.Union([
  /** "Hear this", each after so many hops. */
  Schema.TaggedStruct("Gossip", { items: Schema.Array(Item).check(most), hops: Schema.Array(Hops).check(most) }),
  /** "I have these", each after so many hops. */
  Schema.TaggedStruct("IHave", { ids: Schema.Array(ItemId).check(most), hops: Schema.Array(Hops).check(most) }),
  /** "Push to me in this tree from now on, and send me these." */
  Schema.TaggedStruct("Graft", { tree: Tree, ids: Schema.Array(ItemId).check(most) }),
  /** "Push to me in this tree no more: I hear it elsewhere." */
  Schema.TaggedStruct("Prune", { tree: Tree }),
  Exchange.Digest,
  Exchange.Items
])
export type Message = typeof Message.Type

export interface State extends Base {
  readonly trees: Trees.Trees
  /** Items that wait to be pushed. */
  readonly outbox: ReadonlyArray<Parcel>
  /** Items that lazy links wait to be told of. */
  readonly announcements: ReadonlyArray<Announcement>
  /** Items that this node was told of and that have not come, the earliest due first. */
  readonly missing: ReadonlyArray<Missing>
  /** Of sources the latest item that came by comparison: who brings one up to there again says nothing of a link. */
  readonly compared: ReadonlyArray<ItemId>
}

export interface Parcel {
  readonly item: Item
  readonly hops: number
  /** Who brought it: this node itself, where it published it. */
  readonly from: NodeId.NodeId
}

export interface Announcement {
  readonly id: ItemId
  readonly hops: number
  readonly to: ReadonlyArray<NodeId.NodeId>
}

export interface Missing {
  readonly id: ItemId
  /** Who told of it, after how many hops they had it. */
  readonly holders: ReadonlyArray<{ readonly node: NodeId.NodeId; readonly hops: number }>
  /** When to ask the first of them, by the monotonic clock. */
  readonly dueMillis: number
}

export type Timer = "batch" | "announce" | "graft" | "repair"

export type Act = Protocol.Actions<Message, Event, Timer, Options>
