/**
 * Sends to a group in place of a node, with an order that its members can rely on. Programs use this service; each way of
 * ordering is a layer for it, and the layer's type says what it guarantees.
 *
 * A program asks for what it needs, by name. A layer that guarantees more will do; one that guarantees less is an error of
 * types, not of production.
 *
 * @example
 * import { Multicast } from "@troupe/group"
 * import { Channel } from "@troupe/transport"
 * import { Effect, Schema } from "effect"
 *
 * const Posts = Channel.make("posts", Schema.Struct({ text: Schema.String }))
 *
 * export const board = Effect.gen(function*() {
 *   const multicast = yield* Multicast.of("causal")
 *   const posts = yield* multicast.open(Posts, ({ from, message }) => console.log(`${from}: ${message.text}`))
 *   yield* posts.send({ text: "Who is here?" })
 * })
 */
import type { Protocol } from "@troupe/actor"
import type { Channel, ChannelInUse, Codec, NodeId } from "@troupe/transport"
import { Context, Effect, Schema, type Scope, type Stream } from "effect"

/**
 * What a layer guarantees of a message that a member sends. "Correct" is a member that doesn't crash.
 *
 * - `best-effort`: if the sender is correct, every correct member delivers it, once.
 * - `reliable`: if one correct member delivers it, every correct member does, also when the sender crashed half-way.
 * - `uniform`: if any member delivers it, be it one that crashes right after, every correct member does.
 * - `fifo`: of one sender's messages, each member delivers the earlier first.
 * - `causal`: what was delivered or sent by its sender before it, each member delivers before it.
 * - `total`: any two correct members deliver the messages that both deliver in the same order; with `uniform`, any two.
 * - `view-synchronous`: members that go from a view to the next together have delivered the same messages in it, and a
 *   message is delivered in the view that it was sent in.
 */
export type Guarantee = "best-effort" | "reliable" | "uniform" | "fifo" | "causal" | "total" | "view-synchronous"

/** In contexts: a multicast with at least the guarantees `G`. Covariant, so that whoever gives more gives this. */
export interface Multicast<out G extends Guarantee> {
  readonly "~troupe/group/Multicast": () => G
}

export interface Service<out G extends Guarantee = Guarantee> {
  /** This node. */
  readonly self: NodeId.NodeId
  readonly guarantees: ReadonlyArray<G>
  /** The members now. */
  readonly view: Effect.Effect<Protocol.View>
  /** The current view, then each later one. A slow reader misses the oldest, beyond 1,024. */
  readonly views: Stream.Stream<Protocol.View>
  /**
   * Calls `listener` with each later view for as long as the scope lives: after the last delivery of the view before, and
   * before the first of its own. What it throws is logged.
   */
  readonly onView: (listener: (view: Protocol.View) => void) => Effect.Effect<void, never, Scope.Scope>
  /**
   * Takes a topic for as long as the scope lives. The guarantees hold over all topics of a service together. Messages that
   * arrive before their topic is open wait for it, `maxHeld` of them in all; one more is dropped and counted.
   *
   * `deliver` runs to its end before the next delivery; what it throws is logged. One who can't keep up, or has to wait,
   * takes `deliveries` in its place: what it hasn't taken slows down the senders, where the layer says that it does, and
   * ends this node's part, as a crash would, where it comes to more than `maxBacklog` messages.
   *
   * `state` is for layers that are view-synchronous: what a member that joins gets in place of the messages before.
   */
  readonly open: <Message, State = never>(
    topic: Channel.Channel<Message>,
    deliver?: (delivery: Delivery<Message>) => void,
    state?: Transfer<State>
  ) => Effect.Effect<Topic<Message>, ChannelInUse, Scope.Scope>
  readonly counters: Readonly<Counters>
}

/** How the state of an application comes to a member that joins. */
export interface Transfer<in out State> {
  readonly schema: Codec.MessageSchema<State>
  /** What all deliveries so far have made: called between the last delivery of a view and the first of the next. */
  readonly snapshot: () => State
  /** Called at a member that joins, before its first delivery. */
  readonly install: (state: State) => void
}

/** What a service has done since it was made. */
export interface Counters {
  /** Messages that were sent. */
  sent: number
  /** Messages that were given to a handler or a reader. */
  delivered: number
  /** Messages that their topic's codec could not read, or whose topic is open with another codec: not delivered. */
  undecodable: number
  /** Messages of topics that are not open, beyond those that may wait: not delivered. */
  unopened: number
}

export interface Topic<in out Message> {
  /**
   * Sends to every member, this node included. Waits while too much of this node's is under way. Fails where the message
   * can't be encoded or has too many bytes, and once the node takes no part any more.
   */
  readonly send: (message: Message) => Effect.Effect<void, SendFailed>
  /** Sends at once, or does nothing and says `false` where `send` would wait or fail. */
  readonly trySend: (message: Message) => boolean
  /** For one reader, of a topic that was opened without `deliver`. */
  readonly deliveries: Stream.Stream<Delivery<Message>>
}

export interface Delivery<out Message> {
  readonly from: NodeId.NodeId
  /**
   * Counts the messages of `from` over all topics: with `from` and `view` it names the message. Those of views count from
   * 1 in each view.
   */
  readonly sequence: number
  /** The number of the view that it was sent in. */
  readonly view: number
  readonly message: Message
}

/** A message of a topic that can't be read: what is logged of it. Others are delivered as ever. */
export class Undecodable extends Schema.TaggedError<Undecodable>()("Undecodable", {
  node: Schema.String,
  from: Schema.String,
  topic: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.node} cannot read a message of ${this.from} on topic "${this.topic}": ${this.reason}. Open the topic with one codec on all members.`
  }
}

/** The message was not sent. */
export class SendFailed extends Schema.TaggedError<SendFailed>()("SendFailed", {
  node: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.node} could not send to the group: ${this.reason}`
  }
}

/** An option of a layer is wrong. */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", {
  reason: Schema.String
}) {
  override get message(): string {
    return `The multicast cannot start: ${this.reason}`
  }
}

/** One key for all of them: what they guarantee is a matter of types. */
export const key = <G extends Guarantee>(): Context.Key<Multicast<G>, Service<G>> => service as never

const service = Context.Service<Multicast<Guarantee>, Service>("@troupe/group/Multicast")

/** The multicast of the context, which must guarantee all of these. */
export const of = <const G extends ReadonlyArray<Guarantee>>(
  ...guarantees: G
): Effect.Effect<Service<G[number]>, never, Multicast<G[number]>> => {
  void guarantees
  return Effect.service(key<G[number]>())
}

// ------------------------------------------------------------------------- what every protocol of a multicast understands

export type Command<Payload> =
  /** Sends to the group. Ignored where the state has no room for one more. */
  { readonly _tag: "Multicast"; readonly payload: Payload }

/** So many deliveries wait for the application to take them. Told now and then, to protocols with flow control. */
export type Lag = { readonly _tag: "Lag"; readonly count: number }

/** The answer to the event `Snapshot`, as bytes that the protocol brings to those who join. */
export type Snapshot = { readonly _tag: "Snapshot"; readonly view: number; readonly state: Uint8Array }

export type Event<Payload> =
  | {
      readonly _tag: "Delivered"
      readonly from: NodeId.NodeId
      readonly sequence: number
      readonly view: number
      readonly payload: Payload
    }
  /** The members have changed: what is delivered from now on was sent in this view. */
  | { readonly _tag: "Viewed"; readonly view: Protocol.View }
  /** There is room for messages of this node again. */
  | { readonly _tag: "Room" }
  /** This node takes no part any more, and why. */
  | { readonly _tag: "Failed"; readonly reason: string }

/** Of a protocol that transfers state. */
export type TransferEvent =
  /** A snapshot of the application is wanted as it is at this point: before anything of this view is delivered. */
  | { readonly _tag: "Snapshot"; readonly view: number }
  /** The application is to begin with this state: before any delivery. */
  | { readonly _tag: "Install"; readonly state: Uint8Array }
