/** A front end, as programs see it. */
import type { Actor } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import { Context, Effect, Schema, type Scope, Stream } from "effect"
import type { Application } from "./application.ts"
import type { Order } from "./messages.ts"
import type { Command, Event, Failure, Rejection, State } from "./state.ts"
import type { Timestamp } from "./timestamps.ts"

/** A client's access to a replicated value. Its operations take effect in the order of asking. */
export interface FrontEnd<in out Value, in out Update, in out Query, in out Answer> {
  /** This node. */
  readonly self: NodeId.NodeId
  /**
   * Gives an update to a replica manager. On return it is in the log of one (`causal`, the default), or in its place of the
   * agreed order (`forced`, `immediate`); it may not be in any value yet. Returns its timestamp.
   */
  readonly update: (update: Update, order?: Order) => Effect.Effect<Timestamp, OperationFailed>
  /** The answer, of a value that includes all that this client has seen and done. */
  readonly query: (query: Query) => Effect.Effect<Answer, OperationFailed>
  /** What this client has seen: to be sent along when it tells another client of it. */
  readonly timestamp: Effect.Effect<Timestamp>
  /** Another client has told this one of what it has seen. One with other parts than here is ignored. */
  readonly learn: (timestamp: Timestamp) => Effect.Effect<void>
  /** What the replica manager on this node has, if there is one; a client sees more by `query`. */
  readonly value: Effect.Effect<Value | undefined>
  /** That value whenever it is another, the current one first. A reader that lags misses those between. */
  readonly values: Stream.Stream<Value>
  /** What this replica manager refused of others, from now on. A reader that lags by more than 1,024 misses the oldest. */
  readonly rejections: Stream.Stream<{ readonly from: NodeId.NodeId; readonly failure: Rejection }>
}

/** A key for the front end of one application. */
export const key = <Value, Update, Query, Answer>({
  name
}: Application<Value, Update, Query, Answer>): Context.Service<
  FrontEnd<Value, Update, Query, Answer>,
  FrontEnd<Value, Update, Query, Answer>
> => Context.Service<FrontEnd<Value, Update, Query, Answer>>(`@troupe/gossip/GossipArchitecture/${name}`)

/** An operation came to no answer. */
export class OperationFailed extends Schema.TaggedError<OperationFailed>()("OperationFailed", {
  node: Schema.String,
  operation: Schema.Literals(["update", "query"]),
  reason: Schema.Literals([
    ...["busy", "silent", "clock", "full", "read-only", "forgotten", "unreachable", "layout", "restarted"]
  ] as ReadonlyArray<Failure | "restarted">)
}) {
  override get message(): string {
    return `The ${this.operation} of ${this.node} failed: ${hints[this.reason]}${this.operation === "update" && this.reason !== "busy" ? uncertain : ""}`
  }
}

/** Another attempt may have come through. */
const uncertain = ". It may have taken effect, or do so yet"

const hints: Record<Failure | "restarted", string> = {
  busy: "too many operations wait. Wait for some of them first, or raise `requests`",
  silent: "no replica manager answered in time, or none had what the client has seen",
  clock:
    "the replica manager's clock differs by more than `delay`, or messages take longer. Set the clocks, or raise it",
  full: "the replica manager has no room, for another one is away, or there are too many clients",
  "read-only": "the node takes no updates. Give all nodes the same replicas and readers",
  forgotten: "the replica manager has lost its memory. Bring it back with its storage, or under another name",
  unreachable: "an immediate update needs every replica manager, and one is away",
  layout: "the timestamp has other parts. Give all nodes the same replicas and readers",
  restarted: "the front end failed and started again"
}

type Running = Actor.Actor<State, Command, Event>

/** Of `actor`; what is added to `onRestart` is called when it has forgotten what it was asked. */
export const make = <Value, Update, Query, Answer>(
  actor: Running,
  onRestart: Array<() => void>
): Effect.Effect<FrontEnd<Value, Update, Query, Answer>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const pending = new Map<
      number,
      (event: Exclude<Event, { readonly _tag: "Changed" | "Rejected" }> | "restarted") => void
    >()
    let operations = 0
    const stop = actor.subscribe((event) => {
      if (event._tag === "Changed" || event._tag === "Rejected") return
      const resume = pending.get(event.operation)
      pending.delete(event.operation)
      resume?.(event)
    })
    onRestart.push(() => {
      const all = [...pending.values()]
      pending.clear()
      for (const resume of all) resume("restarted")
    })
    yield* Effect.addFinalizer(() => Effect.sync(stop))

    const ask = <A>(
      kind: "update" | "query",
      command: (operation: number) => Command,
      read: (event: Extract<Event, { readonly _tag: "Updated" | "Answered" }>) => A
    ): Effect.Effect<A, OperationFailed> =>
      Effect.callback((resume) => {
        const operation = ++operations
        pending.set(operation, (event) => {
          if (event !== "restarted" && event._tag !== "Failed") return resume(Effect.succeed(read(event)))
          const reason = event === "restarted" ? event : event.reason
          resume(Effect.fail(new OperationFailed({ node: actor.node, operation: kind, reason })))
        })
        actor.tell(command(operation))
        return Effect.sync(() => void pending.delete(operation))
      })

    return {
      self: actor.node,
      update: (update, order = "causal") =>
        ask(
          "update",
          (operation) => ({ _tag: "Update", operation, update, order }),
          ({ timestamp }) => timestamp
        ),
      query: (query) =>
        ask(
          "query",
          (operation) => ({ _tag: "Query", operation, query }),
          (event) => (event._tag === "Answered" ? (event.answer as Answer) : undefined) as Answer
        ),
      timestamp: Effect.sync(() => actor.state().frontEnd.timestamp),
      learn: (timestamp) => Effect.sync(() => actor.tell({ _tag: "Learn", timestamp })),
      value: Effect.sync(() => actor.state().replica?.value as Value | undefined),
      values: Stream.flatMap(
        Stream.concat(
          Stream.succeed(undefined),
          Stream.filter(actor.events, ({ _tag }) => _tag === "Changed")
        ),
        () => {
          const { replica } = actor.state()
          return replica === undefined ? Stream.empty : Stream.succeed(replica.value as Value)
        }
      ),
      rejections: Stream.flatMap(actor.events, (event) =>
        event._tag === "Rejected" ? Stream.succeed({ from: event.from, failure: event.failure }) : Stream.empty
      )
    }
  })
