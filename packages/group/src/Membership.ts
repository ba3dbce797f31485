/**
 * Who is in a group now, and who was before: groups of nodes by name. Programs use this service; how much members agree on
 * is the business of the layer.
 *
 * A *view* is a numbered list of the members of a group. Where views are agreed on, those of one group are one sequence, the
 * same at every member. So a list of members at a number is something that members can refer to: who is the first of view 7
 * is no question of time.
 *
 * @example
 * import { Membership } from "@troupe/group"
 * import { Effect, Stream } from "effect"
 *
 * export const program = Effect.gen(function*() {
 *   const membership = yield* Membership.Membership
 *   const orders = yield* membership.join("orders", { create: true })
 *   yield* Stream.runForEach(orders.views, ({ members, number }) => Effect.log(`view ${number}: ${members.join(" ")}`))
 * }).pipe(Effect.scoped)
 */
import { Membership as Views, type Protocol } from "@troupe/actor"
import { type Channel, type ChannelInUse, type NodeId, type Receive, Transport } from "@troupe/transport"
import { Context, Effect, Layer, Schema, type Scope, Stream } from "effect"

export interface View extends Protocol.View {
  /**
   * Whether it is one of the sequence that all members share. One that is not is this node's own picture, or lists whom this
   * part of a split group can reach: its number is then that of the primary view before it.
   */
  readonly primary: boolean
  /** Those who were not in the view before, or in an earlier life. */
  readonly joined: ReadonlyArray<NodeId.NodeId>
}

/** This node's membership of a group. */
export interface Group {
  readonly name: string
  /** The latest view. */
  readonly view: Effect.Effect<View>
  /**
   * The latest view first, to its first reader also those before it since this node came in; then each later one, partial
   * ones included. Ends when this node is no member any more, or the group is gone. A member that was evicted though it is
   * up goes on with the view in which it is `joined`. A reader that is more than 1,024 views behind dies, for no view is ever
   * left out.
   */
  readonly views: Stream.Stream<View>
  /** Leaves; does not wait until the others know. Leaving twice, or a group that is gone, is an error. */
  readonly leave: Effect.Effect<void, NotAMember>
}

export class Membership extends Context.Service<
  Membership,
  {
    readonly self: NodeId.NodeId
    /** Founds a group, of which this node is the first member. It leaves with the scope. */
    readonly create: (group: string) => Effect.Effect<Group, CreateError, Scope.Scope>
    /**
     * Becomes a member of a group; with `create` also of one that there is not yet. Waits until it is in a view. It leaves
     * with the scope.
     */
    readonly join: (
      group: string,
      options?: { readonly create?: boolean }
    ) => Effect.Effect<Group, JoinError, Scope.Scope>
    /** Ends a group: it has no members any more, and its name may be used again. */
    readonly destroy: (group: string) => Effect.Effect<void, UnknownGroup | InvalidGroupName | FixedGroups>
    /**
     * The view of a group now, for members and others: the expansion of its address. A member answers by itself, by the latest
     * view that it knows; others ask.
     */
    readonly members: (group: string) => Effect.Effect<View, UnknownGroup | InvalidGroupName>
  }
>()("@troupe/group/Membership") {}

// -------------------------------------------------------------------------------------------------------------- errors

export type CreateError = GroupExists | AlreadyMember | TooManyGroups | InvalidGroupName | FixedGroups
export type JoinError = UnknownGroup | AlreadyMember | TooManyGroups | InvalidGroupName | FixedGroups

/** A group of that name has members. */
export class GroupExists extends Schema.TaggedError<GroupExists>()("GroupExists", { group: Schema.String }) {
  override get message(): string {
    return `There is a group "${this.group}" already. Join it, or take another name.`
  }
}

/** No group of that name has members. */
export class UnknownGroup extends Schema.TaggedError<UnknownGroup>()("UnknownGroup", { group: Schema.String }) {
  override get message(): string {
    return `There is no group "${this.group}". Create it, or join it with \`{ create: true }\`.`
  }
}

/** This node is in the group, or is about to be. */
export class AlreadyMember extends Schema.TaggedError<AlreadyMember>()("AlreadyMember", {
  group: Schema.String,
  node: Schema.String
}) {
  override get message(): string {
    return `${this.node} is in group "${this.group}", or joins it already. Share that membership, or leave first.`
  }
}

/** This node has left the group, or the group is gone. */
export class NotAMember extends Schema.TaggedError<NotAMember>()("NotAMember", {
  group: Schema.String,
  node: Schema.String
}) {
  override get message(): string {
    return `${this.node} is in group "${this.group}" no more: it has left, or the group is gone.`
  }
}

/** As many names are in use, or remembered, as the layer allows. */
export class TooManyGroups extends Schema.TaggedError<TooManyGroups>()("TooManyGroups", { group: Schema.String }) {
  override get message(): string {
    return `Group "${this.group}" is one too many. Use the name of one that is gone, or raise \`maxGroups\` on all nodes.`
  }
}

export class InvalidGroupName extends Schema.TaggedError<InvalidGroupName>()("InvalidGroupName", {
  group: Schema.String
}) {
  override get message(): string {
    return `"${this.group}" cannot name a group: a name has 1 to 255 characters, none of them a space or control character.`
  }
}

/** The layer has a fixed list of groups, and of their members. */
export class FixedGroups extends Schema.TaggedError<FixedGroups>()("FixedGroups", {
  group: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Group "${this.group}" is as the list of static groups has it: ${this.reason}`
  }
}

/** An option of a membership's layer is wrong. */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", { reason: Schema.String }) {
  override get message(): string {
    return `The membership cannot start: ${this.reason}`
  }
}

// ----------------------------------------------------------------------------------------------------- living in a group

/**
 * What lets any protocol live in a group: its node joins, creating the group where there is none, and the protocol is told
 * of the primary views. It leaves when the layer closes. With `local` it is told of views that are no more than this node's
 * picture, too: for protocols that bear it when members see different views of one number, as most do not. Partial views are
 * never among them.
 *
 * @example
 * import { Membership, ViewSynchrony } from "@troupe/group"
 * import { Layer } from "effect"
 *
 * // A multicast among those who are in the group.
 * export const multicast = ViewSynchrony.layer().pipe(Layer.provide(Membership.ofGroup("orders")))
 */
export const ofGroup = (
  group: string,
  { create = true, local = false }: { readonly create?: boolean; readonly local?: boolean } = {}
): Layer.Layer<Views, JoinError, Membership> =>
  Layer.effect(
    Views,
    Effect.gen(function* () {
      const membership = yield* Membership
      const { views } = yield* membership.join(group, { create })
      // The number of a partial view is that of the view before.
      const rising = Stream.mapAccum(
        views,
        () => 0,
        (last, view) => (view.number > last ? ([view.number, [view]] as const) : ([last, []] as const))
      )
      return { views: local ? rising : Stream.filter(views, ({ primary }) => primary) }
    })
  )

/**
 * Sends to a group, not to its members: opens a channel, and gives back what sends to all who are in the group then, this
 * node included where it is one of them, and says how many they were. Whoever is to receive opens it too.
 */
export const toGroup = <Message>(
  group: string,
  channel: Channel.Channel<Message>,
  receive: Receive<Message> = () => {}
): Effect.Effect<
  (message: Message) => Effect.Effect<number, UnknownGroup | InvalidGroupName>,
  ChannelInUse,
  Membership | Transport | Scope.Scope
> =>
  Effect.gen(function* () {
    const membership = yield* Membership
    const transport = yield* Transport
    const send = yield* transport.open(channel, receive)
    return (message: Message) =>
      Effect.map(membership.members(group), ({ members }) => {
        for (const member of members) send(member, message)
        return members.length
      })
  })
