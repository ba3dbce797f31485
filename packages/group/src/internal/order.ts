/**
 * How messages are put in order, apart from how they come to arrive.
 *
 * The kernel (`kernel.ts`) brings the messages of each member of a view to all others, in the order of their sending and
 * without gaps, and knows which of them everybody has. An `Order` says when each may be delivered. Both are pure, and every
 * ordered multicast of this package is the kernel with an order, one protocol.
 *
 * What an order needs said to everybody (who comes next, a timestamp that was agreed) it multicasts through the kernel:
 * such control messages arrive as reliably and in the same stream of their sender as the application's, so that a change
 * of the view finds all survivors knowing the same.
 *
 * Within a view a member is its rank: the index in `members`.
 */
import type { Codec, NodeId } from "@troupe/transport"

/** A message as an order sees it: without its payload. */
export interface Received<out Stamp> {
  /** From 1, without gaps, over application and control messages of the sender together. */
  readonly sequence: number
  /** What the sender's order gave it to carry. */
  readonly stamp: Stamp
}

/** What an order may ask for. */
export interface Asks<in out Stamp, in Note> {
  /** Of this node. */
  readonly rank: number
  /** In `NodeId.Order`. */
  readonly members: ReadonlyArray<NodeId.NodeId>
  /** Lets the application have this message now. Each at most once, and only after it was received. */
  deliver(rank: number, sequence: number): void
  /** What a message carries that was received and is not delivered; `undefined` of a control message. */
  carried(rank: number, sequence: number): Stamp | undefined
  /**
   * Multicasts a control message: it comes to every member's `receive`, this one's included, with `control` set, after the
   * call under way has returned. Once the view has begun to end, nothing is sent any more, and this does nothing.
   */
  multicast(stamp: Stamp): void
  /**
   * Tells one member something that may get lost; what must not is told again at the next `tick`. A note is no part of what
   * survivors of a view know alike: what it leads to must not decide the order of deliveries, unless by a control message.
   */
  note(rank: number, note: Note): void
  /** Calls the order's `later` once what has arrived by now is received: so what comes in a crowd is answered at once. */
  later(): void
}

/**
 * @typeParam State of this node in this view: plain readonly data
 * @typeParam Stamp what each message carries for the order's sake
 * @typeParam Note what is said to one member
 */
export interface Order<in out State, in out Stamp, in out Note = null> {
  readonly stamp: Codec.MessageSchema<Stamp>
  /** How stamps become bytes, where that is to be faster than by their schema. At most 65,535 bytes. */
  readonly codec?: Codec.Codec<Stamp>
  readonly note?: Codec.MessageSchema<Note>
  /** At the beginning of a view of so many members. */
  init(rank: number, members: number): State
  /**
   * This node multicasts its message of that sequence number, which it receives itself right after. A control message that
   * is asked for here follows it.
   */
  send(state: State, sequence: number, ask: Asks<Stamp, Note>): { readonly state: State; readonly stamp: Stamp }
  /** A message is there: the next of its sender. `control`: one that an order multicast, which is never delivered. */
  receive(state: State, rank: number, message: Received<Stamp>, control: boolean, ask: Asks<Stamp, Note>): State
  receiveNote?(state: State, rank: number, note: Note, ask: Asks<Stamp, Note>): State
  /** The view has begun, and whatever `init` could not ask for can be asked for here. */
  begin?(state: State, ask: Asks<Stamp, Note>): State
  /** After `Asks.later`. */
  later?(state: State, ask: Asks<Stamp, Note>): State
  /** Now and then, while something waits for its turn. */
  tick?(state: State, ask: Asks<Stamp, Note>): State
  /**
   * The view ends. Every survivor has received the same messages, and delivers here what is left, in an order that all of
   * them compute alike, whatever each had delivered before. Messages whose turn can't come any more (of a causal order: one
   * that depends on a message that no survivor has) are left out, by all alike.
   */
  flush(state: State, ask: Asks<Stamp, Note>): void
  /** How many messages wait for their turn: what the kernel's bound is about. */
  waiting(state: State): number
}
