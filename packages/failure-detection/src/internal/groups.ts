/** The service of groups that fail as one, from the actor that keeps them. */
import type { Actor } from "@troupe/actor"
import { NodeId } from "@troupe/transport"
import { Deferred, Effect, Queue, Random, Stream } from "effect"
import {
  CannotCreate,
  type FailureNotification,
  type GroupId,
  type Notification,
  type Reason
} from "../FailureNotification.ts"

type Command =
  | { readonly _tag: "Create"; readonly group: GroupId; readonly members: ReadonlyArray<NodeId.NodeId> }
  | { readonly _tag: "Signal"; readonly group: GroupId }

type Event =
  | { readonly _tag: "Created" | "Joined"; readonly group: GroupId }
  | ({ readonly _tag: "Failed" } & Notification)

export const serveGroups = <State, E>(
  actor: Actor.Actor<State, Command, E>,
  hearing: Hearing,
  given: {
    readonly nodes: ReadonlyArray<NodeId.NodeId>
    /** The groups that it is in. */
    readonly members: () => ReadonlyMap<GroupId, ReadonlyArray<NodeId.NodeId>>
    readonly groupsMax: number
  }
): FailureNotification["Service"] => {
  const { groupsMax, members, nodes } = given
  const self = actor.node
  const refusal = (all: ReadonlyArray<NodeId.NodeId>): string | undefined => {
    const stranger = all.find((member) => !nodes.includes(member))
    if (stranger !== undefined) return `"${stranger}" is none of its nodes`
    return members().size >= groupsMax ? `it is in ${groupsMax} already` : undefined
  }
  return {
    self,
    groups: Effect.sync(members),
    create: Effect.fnUntraced(function* (given) {
      const all = [...new Set([self, ...given])].sort(NodeId.Order)
      const reason = refusal(all)
      if (reason !== undefined) return yield* new CannotCreate({ self, reason })
      const group = `${self}/${(yield* Random.nextIntBetween(0, 2 ** 48)).toString(36)}`
      const created = hearing.ofCreation(group)
      const signal = Effect.sync(() => actor.tell({ _tag: "Signal", group }))
      actor.tell({ _tag: "Create", group, members: all })
      const failure = yield* Deferred.await(created).pipe(Effect.onInterrupt(() => signal))
      return failure === undefined ? group : yield* new CannotCreate({ self, reason: describe(failure) })
    }),
    failed: (group) =>
      Effect.suspend(() =>
        members().has(group) ? Deferred.await(hearing.ofFailure(group)) : Effect.succeed<Reason>({ _tag: "Unknown" })
      ),
    signal: (group) => Effect.sync(() => actor.tell({ _tag: "Signal", group })),
    notifications: Stream.callback<Notification>(
      (queue) =>
        Effect.acquireRelease(
          Effect.sync(() => hearing.subscribe((notification) => Queue.offerUnsafe(queue, notification))),
          (unsubscribe) => Effect.sync(unsubscribe)
        ),
      { bufferSize: 1_024, strategy: "sliding" }
    )
  }
}

const describe = (reason: Reason): string => {
  switch (reason._tag) {
    case "Silent":
      return `"${reason.node}" did not answer in time`
    case "Told":
      return `"${reason.by}" says that it has failed`
    case "Signalled":
      return "it was signalled to have failed"
    case "Unknown":
      return "this node has failed and started again"
  }
}

/** Who waits to hear what becomes of groups. */
export class Hearing {
  /** The groups that there are. */
  private readonly known = new Set<GroupId>()
  private readonly creations = new Map<GroupId, Deferred.Deferred<Reason | undefined>>()
  private readonly failures = new Map<GroupId, Deferred.Deferred<Reason>>()
  private readonly listeners = new Set<(notification: Notification) => void>()

  ofCreation(group: GroupId): Deferred.Deferred<Reason | undefined> {
    const created = Deferred.makeUnsafe<Reason | undefined>()
    this.known.add(group)
    this.creations.set(group, created)
    return created
  }

  ofFailure(group: GroupId): Deferred.Deferred<Reason> {
    let failed = this.failures.get(group)
    if (failed === undefined) this.failures.set(group, (failed = Deferred.makeUnsafe()))
    return failed
  }

  subscribe(listener: (notification: Notification) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  tell(event: Event): void {
    const { group } = event
    if (event._tag === "Joined") return void this.known.add(group)
    const created = this.creations.get(group)
    this.creations.delete(group)
    const reason = event._tag === "Failed" ? event.reason : undefined
    if (created !== undefined) Deferred.doneUnsafe(created, Effect.succeed(reason))
    if (reason === undefined) return
    this.known.delete(group)
    const failed = this.failures.get(group)
    this.failures.delete(group)
    if (failed !== undefined) Deferred.doneUnsafe(failed, Effect.succeed(reason))
    for (const listener of this.listeners) listener({ group, reason })
  }

  /** The protocol has started again, and has forgotten all groups. */
  endAll(): void {
    for (const group of this.known) this.tell({ _tag: "Failed", group, reason: { _tag: "Unknown" } })
  }
}
