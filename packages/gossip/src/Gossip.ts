/**
 * Spreads items to whoever listens: everybody hears of them in the end, once, in no order. Programs use this service; an
 * algorithm is a layer for it.
 *
 * @example
 * import { Gossip } from "@troupe/gossip"
 * import { Channel } from "@troupe/transport"
 * import { Effect, Schema } from "effect"
 *
 * const Prices = Channel.make("prices", Schema.Struct({ of: Schema.String, cents: Schema.Int }))
 *
 * export const watch = Effect.gen(function*() {
 *   const gossip = yield* Gossip
 *   const prices = yield* gossip.open(Prices, ({ item, origin }) => console.log(`${origin}: ${item.of} ${item.cents}`))
 *   yield* prices.publish({ of: "tea", cents: 250 })
 * })
 */
import type { Channel, NodeId } from "@troupe/transport"
import { Context, type Effect, Schema, type Scope, type Stream } from "effect"
import type { ItemId } from "./internal/epidemic/items.ts"
import type { Missed } from "./internal/epidemic/store.ts"

export type { ItemId } from "./internal/epidemic/items.ts"
export type { Missed } from "./internal/epidemic/store.ts"

/** An item that has come here. With its `life` and `sequence`, `origin` names it. */
export interface Heard<out A> extends ItemId {
  readonly item: A
}

/** Something of another node that was not taken in. */
export interface Refused {
  readonly from: NodeId.NodeId
  readonly reason: string
}

export interface Topic<in out A> {
  /** Spreads an item. It is on its way on return. */
  readonly publish: (item: A) => Effect.Effect<ItemId, ItemRefused>
  /** What is heard from now on. A reader that lags by more than 1,024 items misses the oldest. */
  readonly heard: Stream.Stream<Heard<A>>
}

export class Gossip extends Context.Service<
  Gossip,
  {
    /** This node. */
    readonly self: NodeId.NodeId
    /**
     * Takes a topic for as long as the scope lives. `hear` is called with each item, this node's own included, once: with
     * those first that have been heard before, as far as they are kept. It runs to its end before the next; what it throws
     * is logged.
     */
    readonly open: <A>(
      topic: Channel.Channel<A>,
      hear?: (heard: Heard<A>) => void
    ) => Effect.Effect<Topic<A>, TopicInUse, Scope.Scope>
    /** Items that this node will not hear any more, of all topics. Whoever needs them asks their origin. */
    readonly missed: Stream.Stream<Missed>
    /** What was refused from now on: hostile, or of nodes that are set otherwise. */
    readonly refused: Stream.Stream<Refused>
  }
>()("@troupe/gossip/Gossip") {}

/** The item cannot be spread. */
export class ItemRefused extends Schema.TaggedError<ItemRefused>()("ItemRefused", {
  node: Schema.String,
  topic: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.node} cannot publish on topic "${this.topic}": ${this.reason}`
  }
}

export class TopicInUse extends Schema.TaggedError<TopicInUse>()("TopicInUse", {
  node: Schema.String,
  topic: Schema.String
}) {
  override get message(): string {
    return `Topic "${this.topic}" is open on node "${this.node}" already. Give this one a name of its own, or close the other.`
  }
}

/** An option of a layer is wrong. */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", {
  reason: Schema.String
}) {
  override get message(): string {
    return `The gossip cannot start: ${this.reason}`
  }
}
