/**
 * A system of protocols, the very ones that run in production, as a model: every order in which messages may arrive,
 * timers run out, users act and nodes crash.
 *
 * @example
 * import { Checker, Property, System } from "@troupe/model-checker"
 * import { RicartAgrawala } from "@troupe/mutex"
 * import { Effect } from "effect"
 *
 * const nodes = ["n1", "n2"]
 * const system = System.make({
 *   name: "two nodes, one entry each",
 *   members: System.members(RicartAgrawala.protocol, nodes, undefined),
 *   user: {
 *     memo: 0,
 *     moves: ({ memo, state }): ReadonlyArray<System.Move<RicartAgrawala.Command, number>> =>
 *       state.phase === "inside"
 *         ? [{ _tag: "Command", command: { _tag: "Release" }, memo }]
 *         : state.phase === "idle" && memo === 0
 *           ? [{ _tag: "Command", command: { _tag: "Acquire" }, memo: 1 }]
 *           : []
 *   },
 *   properties: System.guarantees(RicartAgrawala.card)
 * })
 *
 * const report = await Effect.runPromise(Checker.check(system))
 * console.log(report.uniqueStates, report.properties.every(({ verdict }) => verdict === "holds")) // 35 true
 */
import type { Card, Protocol } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import { systemSpace } from "./internal/SystemSpace.ts"
import type { Checkable } from "./Model.ts"
import type * as Property from "./Property.ts"

/** One node, and the protocol that it runs. */
export interface Member<State = any, Message = any, Command = any, Event = any, Timer extends string = any> {
  readonly node: NodeId.NodeId
  readonly protocol: Protocol.Protocol<State, Message, Command, Event, Timer, any, any>
  readonly options: unknown
  /** Whom it takes for the nodes of its system. Default: all members. */
  readonly among?: ReadonlyArray<NodeId.NodeId>
}

/** These nodes, each running `protocol`. */
export const members = <State, Message, Command, Event, Timer extends string, Options, Persisted = void>(
  protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options, Persisted>,
  nodes: ReadonlyArray<NodeId.NodeId>,
  options: NoInfer<Options>
): ReadonlyArray<Member<State, Message, Command, Event, Timer>> => nodes.map((node) => ({ node, protocol, options }))

/** What a user of a node may do next; `memo` is what the user then remembers. */
export type Move<Command, Memo> =
  | { readonly _tag: "Command"; readonly command: Command; readonly memo: Memo }
  /** The node hears of a new view of its group. */
  | { readonly _tag: "View"; readonly view: Protocol.View; readonly memo: Memo }

/** What users do: each node has one, who remembers `memo`. */
export interface User<State, Command, Memo> {
  readonly memo: Memo
  readonly moves: (given: {
    readonly node: NodeId.NodeId
    readonly state: State
    readonly memo: Memo
  }) => ReadonlyArray<Move<Command, Memo>>
}

/** How messages travel. */
export interface Network {
  /**
   * `any`: a message may overtake any other. `fifo`: on their way from one node to another messages stay in order.
   * Default: `any`.
   */
  readonly order?: "any" | "fifo"
  /** A message that arrived may arrive again, at any time. Of `any` order only. Default: false. */
  readonly duplication?: boolean
  /** How many messages may be lost: none, any number, or so many. Default: false. */
  readonly loss?: boolean | number
  /** Splits of the network that may come about, at any time, and heal; nothing passes between the parts of a split. */
  readonly splits?: ReadonlyArray<ReadonlyArray<ReadonlyArray<NodeId.NodeId>>>
  /** How often a split may come about. Default: 1 when there are `splits`. */
  readonly maxSplits?: number
}

export interface Crashes {
  /** How many there may be in a run, all nodes together. */
  readonly max: number
  /** Whether a node may come back, having forgotten everything but what it persisted. Default: false. */
  readonly restart?: boolean
  /** Which nodes may crash. Default: all. */
  readonly nodes?: ReadonlyArray<NodeId.NodeId>
  /**
   * Whether a node may be ahead of its disk when it crashes: what it persisted since some moment is undone, nobody has heard
   * what it said since then, but for what it sent with `sendNow`. Without `sendNow` that comes to a crash at that moment,
   * and need not be explored; with it the checker asks for a decision. Leaves out no orders (`partialOrder`).
   */
  readonly aheadOfDisk?: boolean
}

/** What a property sees of a state. */
export interface View<State, History = unknown> {
  readonly nodes: Card.Snapshot<State>
  readonly history: History
  /** In flight. */
  readonly messages: ReadonlyArray<Envelope>
}

export interface Envelope<Message = any> {
  readonly from: NodeId.NodeId
  readonly to: NodeId.NodeId
  readonly message: Message
}

/** What a history may take note of. */
export type Occurrence<Message = any, Event = any, Command = any> =
  | ({ readonly _tag: "Sent" } & Envelope<Message>)
  | ({ readonly _tag: "Delivered" } & Envelope<Message>)
  | { readonly _tag: "Emitted"; readonly node: NodeId.NodeId; readonly event: Event }
  | { readonly _tag: "Commanded"; readonly node: NodeId.NodeId; readonly command: Command }
  | { readonly _tag: "Crashed"; readonly node: NodeId.NodeId }
  | { readonly _tag: "Restarted"; readonly node: NodeId.NodeId }

/** What is remembered of a run, as part of the state: what clients saw, say. */
export interface Record<History, Message = any, Event = any, Command = any> {
  readonly init: History
  /** What it is about; of the rest, nothing is noted. Fewer let partial-order reduction leave out more. Default: all. */
  readonly about?: (occurrence: Occurrence<Message, Event, Command>) => boolean
  /** Plain data, and the same object where nothing is to be noted. */
  readonly note: (history: History, occurrence: Occurrence<Message, Event, Command>) => History
}

export interface System<State, Message, Command, Event, Timer extends string, Memo, History> {
  readonly name: string
  readonly members: ReadonlyArray<Member<State, Message, Command, Event, Timer>>
  readonly user?: User<State, Command, Memo>
  readonly network?: Network
  readonly crashes?: Crashes
  /**
   * `any`: a timer that runs may run out at any moment, whatever its delay. `synchronous`: timers run out in the order of
   * their delays, and no message takes as long as any of them: all that can be delivered is, before one runs out.
   * `never`: none does. Default: `any`.
   */
  readonly timeouts?: "any" | "synchronous" | "never"
  /** What `act.random()` may give; each is explored. Default: `[0]`. */
  readonly random?: ReadonlyArray<number>
  readonly record?: Record<History, Message, Event, Command>
  /**
   * Groups of nodes that are interchangeable: of states that are the same but for which node of a group is which, one is
   * explored. Members of a group run one protocol with equal options, and no rule goes by their names or their order. That
   * is checked on the way: `NotSymmetric` ends the search. At most 720 permutations, such as those of 6 nodes.
   */
  readonly symmetry?: ReadonlyArray<ReadonlyArray<NodeId.NodeId>>
  readonly properties: ReadonlyArray<Property.Property<View<State, History>>>
  /** States beyond are looked at, and not gone on from. Default: all are within. */
  readonly within?: (view: View<State, History>) => boolean
  /**
   * What `properties` and `within` see of a node, as plain data: what they make of it must follow from that, and they look
   * at no messages in flight. Partial-order reduction needs it, unless all that is asked is what holds at the end.
   */
  readonly visible?: (node: Card.Snapshot<State>[number]) => unknown
}

export const make = <
  State,
  Message,
  Command = never,
  Event = never,
  Timer extends string = never,
  Memo = undefined,
  History = undefined
>(
  system: System<State, Message, Command, Event, Timer, Memo, History>
): Checkable<View<State, History>> => ({
  name: system.name,
  properties: system.properties,
  // What is learnt of local steps for a partial order holds of these nodes, not of those that may change places with them.
  space: (reduce) => systemSpace(system, reduce.partialOrder ? { ...reduce, symmetry: false } : reduce)
})

/** The guarantees of a card: what it promises to hold eventually, holds infinitely often. */
export const guarantees = <State>(card: Card.Card<State>): ReadonlyArray<Property.Property<View<State, any>>> =>
  card.guarantees.map(({ holds, kind, name }) => ({
    name,
    kind: kind === "eventually" ? "infinitely often" : kind,
    holds: ({ nodes }) => holds(nodes)
  }))
