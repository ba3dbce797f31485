/**
 * Static membership: groups and their members as a list says, for good.
 *
 * For systems whose nodes are known when they are set up, and for tests: nothing is sent, nobody is evicted, and each group
 * has one view, of number 1. A node that is down is a member all the same; what lives in the group has to bear it.
 *
 * @example
 * import { Membership, StaticMembership } from "@troupe/group"
 * import { Memory } from "@troupe/transport"
 * import { Effect, Layer } from "effect"
 *
 * const groups = StaticMembership.layer({ groups: { orders: ["n1", "n2"], stock: ["n2", "n3"] } })
 * const network = Memory.network({ nodes: ["n1", "n2", "n3"] })
 *
 * const program = Effect.gen(function*() {
 *   const membership = yield* Membership.Membership
 *   const stock = yield* membership.members("stock")
 *   return stock.members
 * })
 * const run = program.pipe(Effect.provide(groups.pipe(Layer.provide(Memory.layer(network, "n1")))))
 * console.log(await Effect.runPromise(run)) // [ 'n2', 'n3' ]
 */
import { NodeId, Transport } from "@troupe/transport"
import { Deferred, Effect, Layer, Schema, Stream } from "effect"
import { GroupName } from "./internal/membership/messages.ts"
import { named } from "./internal/membership/service.ts"
import {
  AlreadyMember,
  FixedGroups,
  type Group,
  GroupExists,
  InvalidOptions,
  Membership,
  NotAMember,
  UnknownGroup,
  type View
} from "./Membership.ts"

/**
 * A `Membership` of fixed groups: the list must be the same on all nodes. To create or destroy a group fails with
 * `FixedGroups`, and so does joining one that does not list the node. Fails with `InvalidOptions` when a name can name no
 * group, or a group has no members, or one twice.
 */
export const layer = (options: {
  readonly groups: Readonly<Record<string, ReadonlyArray<NodeId.NodeId>>>
}): Layer.Layer<Membership, InvalidOptions, Transport> =>
  Layer.effect(
    Membership,
    Effect.gen(function* () {
      const { self } = yield* Transport
      const views = new Map<string, View>()
      for (const [group, nodes] of Object.entries(options.groups)) {
        const members = [...nodes].sort(NodeId.Order)
        const wrong = refusalOf(group, members)
        if (wrong !== undefined) return yield* new InvalidOptions({ reason: wrong })
        views.set(group, { number: 1, members, joined: members, primary: true })
      }
      const fixed = (group: string, reason: string) => Effect.fail(new FixedGroups({ group, reason }))
      const viewOf = (group: string) =>
        Effect.suspend(() => {
          const view = views.get(group)
          return view === undefined ? Effect.fail(new UnknownGroup({ group })) : Effect.succeed(view)
        })
      const stays = new Set<string>()
      const stay = (group: string, view: View) =>
        Effect.gen(function* () {
          if (!view.members.includes(self)) return yield* fixed(group, `${self} is none of its members.`)
          if (stays.has(group)) return yield* new AlreadyMember({ group, node: self })
          const left = yield* Deferred.make<void>()
          const leave = Effect.suspend(() => {
            if (Deferred.isDoneUnsafe(left)) return Effect.fail(new NotAMember({ group, node: self }))
            stays.delete(group)
            return Effect.asVoid(Deferred.succeed(left, undefined))
          })
          stays.add(group)
          yield* Effect.addFinalizer(() => Effect.ignore(leave))
          const later = Stream.drain(Stream.fromEffect(Deferred.await(left)))
          const handle: Group = {
            name: group,
            view: Effect.succeed(view),
            views: Stream.concat(Stream.make(view), later),
            leave
          }
          return handle
        })
      return {
        self,
        create: (group) =>
          Effect.andThen(
            named(group),
            Effect.suspend((): Effect.Effect<never, GroupExists | FixedGroups> =>
              views.has(group) ? Effect.fail(new GroupExists({ group })) : fixed(group, "none can be added.")
            )
          ),
        join: (group, { create = false } = {}) =>
          Effect.andThen(
            named(group),
            create && !views.has(group)
              ? fixed(group, "none can be added.")
              : Effect.flatMap(viewOf(group), (view) => stay(group, view))
          ),
        destroy: (group) =>
          Effect.andThen(
            named(group),
            Effect.flatMap(viewOf(group), () => fixed(group, "none can be taken away."))
          ),
        members: (group) => Effect.andThen(named(group), viewOf(group))
      }
    })
  )

const refusalOf = (group: string, members: ReadonlyArray<NodeId.NodeId>): string | undefined => {
  if (!Schema.is(GroupName)(group)) return `"${group}" cannot name a group.`
  if (members.length === 0) return `group "${group}" has no members.`
  const wrong = members.find((node) => !Schema.is(NodeId.NodeId)(node))
  if (wrong !== undefined) return `group "${group}" has a member "${wrong}", which cannot name a node.`
  const twice = members.find((node, at) => node === members[at + 1])
  return twice === undefined ? undefined : `group "${group}" has ${twice} twice.`
}
