/**
 * A machine that several nodes keep copies of, for clients that see one: the service, which each way of replicating is a
 * layer for. It is a front end: it finds who can answer, and asks again under the same request id, which is executed once.
 *
 * A program names its machine by a class, as services are named:
 *
 * @example
 * import { type Machine, Replicated } from "@troupe/replication"
 * import { Effect, Schema } from "effect"
 *
 * const machine: Machine.Machine<number, number, number, number> = {
 *   name: "sum",
 *   init: 0,
 *   request: Schema.Int,
 *   update: Schema.Int,
 *   response: Schema.Int,
 *   isRead: (amount) => amount === 0,
 *   execute: (sum, amount) => ({ response: sum + amount, updates: amount === 0 ? [] : [sum + amount] }),
 *   apply: (_sum, update) => update,
 *   dump: (sum) => [sum]
 * }
 *
 * export class Sum extends Replicated.Service<Sum>()("app/Sum", machine) {}
 *
 * export const program = Effect.gen(function*() {
 *   const sum = yield* Sum
 *   return yield* sum.invoke(2)
 * })
 */
import { VersionVector } from "@troupe/clocks"
import type { NodeId } from "@troupe/transport"
import { Context, type Effect, Schema, type Stream } from "effect"
import type * as Machine from "./Machine.ts"

export interface Replicated<in Request, out Response> {
  /** This node. */
  readonly self: NodeId.NodeId
  /**
   * Has a request executed, once however often it had to be asked. Guarantees are the layer's: see its card.
   */
  readonly invoke: (request: Request, options?: InvokeOptions) => Effect.Effect<Response, InvokeError>
  /** How this replica stands. */
  readonly status: Effect.Effect<Status>
  /** The status now, and each time that it has changed; a slow reader misses some in between. */
  readonly changes: Stream.Stream<Status>
  /** For sessions, which `Sessions.open` opens. Absent where a layer cannot keep their guarantees. */
  readonly positions?: Positions<Request, Response>
}

export interface InvokeOptions {
  /**
   * `linearizable`: as if there were one copy. `local`: a read is answered by this node's copy, which may be behind.
   * Updates are never local. Default: `linearizable`, or the best that the layer has.
   */
  readonly read?: "linearizable" | "local"
}

/**
 * Where a copy stands: how many of the updates of each source it holds. A log is one source; where every node takes updates,
 * each node is one.
 */
export type Position = VersionVector.VersionVector

/** What sessions ask of a layer. */
export interface Positions<in Request, out Response> {
  /** The layer with its machine: the positions of another mean nothing to it. */
  readonly of: string
  /**
   * A read is answered by this node's copy, once that holds `after`. An update is applied by no copy that does not hold
   * `after`. Fails with `Behind` when this node's copy is needed, and does not come to hold `after` within the patience.
   */
  readonly invoke: (
    request: Request,
    after: Position,
    patienceMillis: number
  ) => Effect.Effect<Positioned<Response>, InvokeError | Behind>
}

export interface Positioned<out Response> {
  readonly response: Response
  /** Of a read: all that its copy held. Of an update: what a copy that has it holds at least. */
  readonly at: Position
}

/** A replica, as it sees itself. */
export interface Status {
  /**
   * `primary` takes updates, `backup` follows, `joining` fetches the state, `apart` has lost touch with the others, or
   * has stopped. Where there is no primary, `replica` takes updates like all others.
   */
  readonly role: "primary" | "backup" | "replica" | "joining" | "apart"
  /** Grows with each change of who is primary or who belongs. */
  readonly view: number
  readonly primary: NodeId.NodeId | undefined
  readonly members: ReadonlyArray<NodeId.NodeId>
  /** How many updates this copy holds, and how many it knows to be safe. */
  readonly applied: number
  readonly committed: number
}

/** The request was not executed, and will not be. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", {
  node: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.node} cannot have it executed: ${this.reason}. Nothing was changed; try again later.`
  }
}

/** The request may have been executed, or may yet be, and its response is not known. */
export class InDoubt extends Schema.TaggedError<InDoubt>()("InDoubt", {
  node: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.node} does not know whether it was executed: ${this.reason}. Look before you try again.`
  }
}

/** The layer cannot do what is asked for, now or later; nothing was changed. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  node: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.node} refuses: ${this.reason}`
  }
}

/** A copy lacks what a session has seen or written. The request was not executed, and will not be. */
export class Behind extends Schema.TaggedError<Behind>()("Behind", {
  node: Schema.String,
  needed: VersionVector.VersionVector,
  held: VersionVector.VersionVector
}) {
  override get message(): string {
    return (
      `${this.node} is behind this session: it holds ${show(this.held)} and needs ${show(this.needed)}. ` +
      "Nothing was changed; try again later or at another node, or begin a new session, which knows nothing of this one."
    )
  }
}

const show = (position: Position): string => JSON.stringify(VersionVector.toRecord(position))

export type InvokeError = Unavailable | InDoubt | Refused

/** An option of a layer is wrong. */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", {
  reason: Schema.String
}) {
  override get message(): string {
    return `Replication cannot start: ${this.reason}`
  }
}

/** The class of a replicated machine: the key of its service, with the machine. */
export interface Tag<Self, State, Request, Update, Response> extends Context.Service<
  Self,
  Replicated<Request, Response>
> {
  readonly machine: Machine.Machine<State, Request, Update, Response>
}

/** A base class for a machine of one's own: see above. */
export const Service =
  <Self>() =>
  <State, Request, Update, Response>(
    key: string,
    machine: Machine.Machine<State, Request, Update, Response>
  ): Tag<Self, State, Request, Update, Response> & (new (_: never) => Replicated<Request, Response>) =>
    Object.assign(Context.Service<Self, Replicated<Request, Response>>()(key), { machine }) as never
