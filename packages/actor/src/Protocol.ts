/**
 * A distributed algorithm as a pure machine.
 *
 * An algorithm is one `Protocol`: what its nodes say to each other, the state of a node, and a handler for each kind of
 * input. A handler takes the state and returns the next one; what it wants done it asks of `act`.
 *
 * The contract, which the driver keeps and a handler may rely on:
 *
 * 1. One input at a time. A handler runs to its end before the next input of its node, whatever sends it.
 * 2. What a handler asked for is done after it has returned and its state is stored, in the order of asking; what follows
 *    a `persist`, after that is durable.
 * 3. Messages reach a peer at most once and, while the link lives, in order; the card says what else must hold.
 * 4. Time and chance come in from outside: timers through `onTimeout`, readings through `act.now`, `act.monotonic` and
 *    `act.random`.
 * 5. A handler that throws changes nothing: the node restarts from `init` and what it persisted, as after a crash.
 *
 * In return a handler does no I/O, keeps no variable outside its state, and never changes the state that it was given.
 *
 * @example
 * import { type Protocol } from "@troupe/actor"
 * import { Schema } from "effect"
 *
 * const Ping = Schema.Literals(["ping", "pong"])
 *
 * const pingPong: Protocol.Protocol<{ readonly pongs: number }, typeof Ping.Type, "start", number> = {
 *   name: "demo/ping-pong",
 *   message: Ping,
 *   init: () => ({ pongs: 0 }),
 *   onCommand: (state, _start, act) => {
 *     for (const peer of act.self.peers) act.send(peer, "ping")
 *     return state
 *   },
 *   onMessage: (state, from, message, act) => {
 *     if (message === "ping") {
 *       act.send(from, "pong")
 *       return state
 *     }
 *     act.emit(state.pongs + 1)
 *     return { pongs: state.pongs + 1 }
 *   }
 * }
 */
import type { Codec, NodeId } from "@troupe/transport"
import type { Card } from "./Card.ts"

/**
 * @typeParam State what a node knows: plain readonly data
 * @typeParam Message what nodes say to each other
 * @typeParam Command what the local user asks for
 * @typeParam Event what the local user is told
 * @typeParam Timer the names of the timers
 * @typeParam Options settings, the same on every node unless the protocol says otherwise
 * @typeParam Persisted the records that survive a crash
 */
export interface Protocol<
  in out State,
  in out Message,
  in out Command = never,
  in out Event = never,
  in out Timer extends string = never,
  in out Options = void,
  in out Persisted = void
> {
  /** `package/algorithm`, such as `mutex/ricart-agrawala`. Names its channel and its metrics. */
  readonly name: string
  readonly card?: Card<State>
  readonly message: Codec.MessageSchema<Message>
  /** What of a node's state survives its crash. Without it nothing does. */
  readonly durable?: Durable<State, Persisted, Options>
  /** The state of a node that knows nothing yet. */
  init(self: Self<Options>): State
  /** The node starts, for the first time or again; what it persisted in an earlier life is in its state. */
  onStart?(state: State, act: Act<Message, Event, Timer, Options, Persisted>): State
  /** The local user asks for something. */
  onCommand(state: State, command: Command, act: Act<Message, Event, Timer, Options, Persisted>): State
  /** A message of a peer (or of this node to itself) arrives. */
  onMessage(
    state: State,
    from: NodeId.NodeId,
    message: Message,
    act: Act<Message, Event, Timer, Options, Persisted>
  ): State
  /** A timer that was set runs out. */
  onTimeout?(state: State, timer: Timer, act: Act<Message, Event, Timer, Options, Persisted>): State
  /** The group has new members. Views arrive in the order of their numbers. */
  onView?(state: State, view: View, act: Act<Message, Event, Timer, Options, Persisted>): State
}

/**
 * How a state is made durable: as records, each appended by `act.persist` to the node's log in `Storage`. A step's records
 * are durable before anything that was asked for after them, in that step or later, goes out: no peer and no user ever
 * hears of what a crash can undo. Steps go on meanwhile, so that many share one write to the disk.
 */
export interface Durable<in out State, in out Persisted, in Options = unknown> {
  readonly record: Codec.MessageSchema<Persisted>
  /** How records become bytes. Default: `Codec.binary` of `record`. */
  readonly codec?: Codec.Codec<Persisted>
  /** A record as the bytes that `codec` writes, where it is known to have been encoded before. Nobody may change them. */
  readonly encoded?: (record: Persisted) => Uint8Array
  /** What a node knows that comes back: `init`, with each record in turn. */
  restore(state: State, record: Persisted, self: Self<Options>): State
  /**
   * Records that restore to all that is durable of `state`, in place of those persisted so far; for a log that has grown.
   * They are taken bit by bit while the node goes on. Without it the log grows for ever. Nothing: not now.
   */
  compact?(state: State): Iterable<Persisted> | undefined
}

/** Who a node is. */
export interface Self<out Options = unknown> {
  readonly id: NodeId.NodeId
  /** Every node of the system, this one included, in `NodeId.Order`: the index in it is a node's rank. */
  readonly nodes: ReadonlyArray<NodeId.NodeId>
  /** Every node but this one. */
  readonly peers: ReadonlyArray<NodeId.NodeId>
  readonly options: Options
}

/** A numbered list of the members of a group. Later views have higher numbers; two equal numbers, equal members. */
export interface View {
  readonly number: number
  /** In `NodeId.Order`. */
  readonly members: ReadonlyArray<NodeId.NodeId>
  /**
   * Those of the members who were not in the view before, or were in it in an earlier life: they know nothing yet. Absent
   * where whoever numbers the views can't tell.
   */
  readonly joined?: ReadonlyArray<NodeId.NodeId>
}

/** What a handler may ask for. */
export interface Actions<in Message, in Event, in Timer extends string, out Options = unknown> {
  readonly self: Self<Options>
  /** Sends a message to one node, once all that was persisted before is durable. */
  send(to: NodeId.NodeId, message: Message): void
  /** Sends a message to each of these nodes. */
  sendAll(to: ReadonlyArray<NodeId.NodeId>, message: Message): void
  /** Lets `timer` run out once, `delayMillis` from now; a timer of that name that is running already is set anew. */
  setTimer(timer: Timer, delayMillis: number): void
  /** Stops a timer. One that is not running stays so. */
  clearTimer(timer: Timer): void
  /** Tells the local user, once all that was persisted before is durable. */
  emit(event: Event): void
  /** The time of day by this node's clock, in milliseconds since 1970. It may jump; timers don't follow it. */
  now(): number
  /** Milliseconds, with fractions, since a moment of the past that stays the same while the node is up. Never falls. */
  monotonic(): number
  /** A number from 0 (included) to 1 (excluded). */
  random(): number
}

/** What a handler of a protocol with `durable` may ask for besides. */
export interface DurableActions<
  in Message,
  in Event,
  in Timer extends string,
  out Options,
  in Persisted
> extends Actions<Message, Event, Timer, Options> {
  /** Makes a record durable. */
  persist(record: Persisted): void
  /**
   * Sends a message without waiting for the disk. For one that promises nothing: the node may have forgotten what it said
   * when it comes back.
   */
  sendNow(to: NodeId.NodeId, message: Message): void
  /** Tells the local user without waiting for the disk: of what others have on theirs, say. */
  emitNow(event: Event): void
}

/** What the handlers of a protocol are given. */
export type Act<Message, Event, Timer extends string, Options, Persisted> = [Persisted] extends [void]
  ? Actions<Message, Event, Timer, Options>
  : DurableActions<Message, Event, Timer, Options, Persisted>

/** What can happen to a node. */
export type Input<Message = unknown, Command = unknown, Timer = string> =
  | { readonly _tag: "Start" }
  | { readonly _tag: "Command"; readonly command: Command }
  | { readonly _tag: "Message"; readonly from: NodeId.NodeId; readonly message: Message }
  | { readonly _tag: "Timeout"; readonly timer: Timer }
  | { readonly _tag: "View"; readonly view: View }

/** What a node asked for in a step. */
export type Action<Message = unknown, Event = unknown, Timer = string, Persisted = unknown> =
  /** `now`: by `sendNow`. */
  | { readonly _tag: "Send"; readonly to: NodeId.NodeId; readonly message: Message; readonly now?: true }
  | { readonly _tag: "Persist"; readonly record: Persisted }
  | { readonly _tag: "SetTimer"; readonly timer: Timer; readonly delayMillis: number }
  | { readonly _tag: "ClearTimer"; readonly timer: Timer }
  /** `now`: by `emitNow`. */
  | { readonly _tag: "Emit"; readonly event: Event; readonly now?: true }

/** A protocol of which only the outside matters. */
export type Any = Protocol<any, any, any, any, any, any, any>

/** Applies an input to a state: the one place where the kinds of input meet their handlers. */
export const handle = <State, Message, Command, Event, Timer extends string, Options, Persisted>(
  protocol: Protocol<State, Message, Command, Event, Timer, Options, Persisted>,
  state: State,
  input: Input<Message, Command, Timer>,
  act: Act<Message, Event, Timer, Options, Persisted>
): State => {
  switch (input._tag) {
    case "Start":
      return protocol.onStart === undefined ? state : protocol.onStart(state, act)
    case "Command":
      return protocol.onCommand(state, input.command, act)
    case "Message":
      return protocol.onMessage(state, input.from, input.message, act)
    case "Timeout":
      return protocol.onTimeout === undefined ? state : protocol.onTimeout(state, input.timer, act)
    case "View":
      return protocol.onView === undefined ? state : protocol.onView(state, input.view, act)
  }
}

/** Runs one step without a driver: the next state, and what was asked for. For tests and model checkers. */
export const step = <State, Message, Command, Event, Timer extends string, Options, Persisted = void>(
  protocol: Protocol<State, Message, Command, Event, Timer, Options, Persisted>,
  self: Self<Options>,
  state: State,
  input: Input<Message, Command, Timer>,
  from: { readonly now?: () => number; readonly monotonic?: () => number; readonly random?: () => number } = {}
): { readonly state: State; readonly actions: ReadonlyArray<Action<Message, Event, Timer, Persisted>> } => {
  const actions: Array<Action<Message, Event, Timer, Persisted>> = []
  const send = (to: NodeId.NodeId, message: Message): void => void actions.push({ _tag: "Send", to, message })
  const act: DurableActions<Message, Event, Timer, Options, Persisted> = {
    self,
    send,
    sendAll: (all, message) => all.forEach((to) => send(to, message)),
    setTimer: (timer, delayMillis) => void actions.push({ _tag: "SetTimer", timer, delayMillis }),
    clearTimer: (timer) => void actions.push({ _tag: "ClearTimer", timer }),
    emit: (event) => void actions.push({ _tag: "Emit", event }),
    persist: (record) => void actions.push({ _tag: "Persist", record }),
    sendNow: (to, message) => void actions.push({ _tag: "Send", to, message, now: true }),
    emitNow: (event) => void actions.push({ _tag: "Emit", event, now: true }),
    now: from.now ?? (() => 0),
    monotonic: from.monotonic ?? (() => 0),
    random: from.random ?? (() => 0)
  }
  const next = handle(protocol, state, input, act as Act<Message, Event, Timer, Options, Persisted>)
  return { state: next, actions }
}

/** A node of a system of `nodes`. */
export const self = <Options>(
  id: NodeId.NodeId,
  nodes: ReadonlyArray<NodeId.NodeId>,
  options: Options
): Self<Options> => {
  let peers: ReadonlyArray<NodeId.NodeId> | undefined
  return {
    id,
    nodes,
    options,
    // Listed when they are asked for: ten thousand nodes of one process need no lists of ten thousand each.
    get peers() {
      return (peers ??= nodes.filter((node) => node !== id))
    }
  }
}
