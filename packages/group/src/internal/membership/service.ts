/** The service `Membership`, over an actor that keeps the views. */
import type { Actor, Protocol } from "@troupe/actor"
import { Cause, Effect, Queue, Schema, Scope, Stream } from "effect"
import {
  AlreadyMember,
  type Group,
  GroupExists,
  InvalidGroupName,
  type Membership,
  NotAMember,
  TooManyGroups,
  UnknownGroup,
  type View
} from "../../Membership.ts"
import { GroupName, type Refusal } from "./messages.ts"
import type { Command, Event } from "./state.ts"

/** How many views a reader may be behind. */
const behindMax = 1_024

type Asked = Exclude<Command, { readonly _tag: "Coordinate" | "Suspect" }>
type Refused = GroupExists | UnknownGroup | TooManyGroups

/** One stay of this node in a group, from its asking on. */
class Stay {
  readonly group: string
  view: View | undefined
  isOver = false
  /** What nobody has read yet, until there is a reader: it hears of the view in which this node joined. */
  unread: Array<View> | undefined = []
  readonly listeners = new Set<(view: View | undefined) => void>()
  constructor(group: string) {
    this.group = group
  }

  see(view: View): void {
    this.view = view
    if (this.unread !== undefined && this.unread.push(view) > behindMax) this.unread.shift()
    // One that is woken may begin to read: it has this view already.
    for (const listener of [...this.listeners]) listener(view)
  }

  end(): void {
    this.isOver = true
    for (const listener of [...this.listeners]) listener(undefined)
  }
}

/**
 * Hand `onRestart` to the actor: what it was asked for, it has forgotten. `spawn` makes it.
 */
export const serving = Effect.fnUntraced(function* <State, A extends Actor.Actor<State, Asked, Event>, E, R>(
  self: string,
  spawn: (hooks: { readonly onRestart: () => void }) => Effect.Effect<A, E, R>,
  viewNow: (state: State, group: string) => Protocol.View | undefined,
  isPrimary = true
) {
  const stays = new Map<string, Stay>()
  /** Those who wait for an answer: about a stay, a destruction, a look. */
  const refusals = new Map<Stay, (refused: Refused) => void>()
  const destroying = new Map<string, Set<(refused: UnknownGroup | undefined) => void>>()
  const looking = new Map<string, Set<(answer: View | UnknownGroup) => void>>()

  const onRestart = (): void => {
    for (const { group, isOver, view } of stays.values()) {
      if (!isOver) actor.tell({ _tag: "Enter", group, mode: view === undefined ? "enter" : "join" })
    }
    for (const group of destroying.keys()) actor.tell({ _tag: "Destroy", group })
    for (const group of looking.keys()) actor.tell({ _tag: "Look", group })
  }

  const actor: A = yield* spawn({ onRestart })

  const end = (stay: Stay): void => {
    stays.delete(stay.group)
    stay.end()
  }

  const answer = <A>(waiting: Map<string, Set<(answer: A) => void>>, group: string, with_: A): void => {
    const all = waiting.get(group)
    waiting.delete(group)
    for (const each of all ?? []) each(with_)
  }

  const onEvent = (event: Event): void => {
    const stay = stays.get(event.group)
    switch (event._tag) {
      case "View":
        return stay?.see(seen(event.view, isPrimary))
      case "Partial":
        return stay?.see(seen(event.view, false))
      case "Left":
        return event.why === "destroyed" && stay !== undefined ? end(stay) : undefined
      case "Known":
        return answer(looking, event.group, seen(event.view, isPrimary))
      case "Destroyed":
        return answer(destroying, event.group, undefined)
      case "Refused": {
        const unknown = new UnknownGroup({ group: event.group })
        if (event.mode === "look") return answer(looking, event.group, unknown)
        if (event.mode === "destroy") return answer(destroying, event.group, unknown)
        if (stay === undefined) return
        const refuse = refusals.get(stay)
        if (refuse === undefined) return end(stay)
        stays.delete(event.group)
        return refuse(refusalOf(event.group, event.refusal))
      }
    }
  }
  actor.subscribe(onEvent)

  const ask = <A>(waiting: Map<string, Set<(answer: A) => void>>, group: string, command: Asked) =>
    Effect.callback<A>((resume) => {
      const listener = (with_: A): void => resume(Effect.succeed(with_))
      const all = waiting.get(group) ?? new Set()
      waiting.set(group, all.add(listener))
      actor.tell(command)
      return Effect.sync(() => all.delete(listener))
    }).pipe(orFailed(actor))

  const enter = Effect.fnUntraced(function* (group: string, mode: "create" | "join" | "enter") {
    yield* named(group)
    if (stays.has(group)) return yield* new AlreadyMember({ group, node: self })
    const stay = new Stay(group)
    const leave = Effect.suspend(() => {
      if (stays.get(group) !== stay) return Effect.fail(new NotAMember({ group, node: self }))
      end(stay)
      actor.tell({ _tag: "Leave", group })
      return Effect.void
    })
    stays.set(group, stay)
    yield* Effect.addFinalizer(() => Effect.ignore(leave))
    yield* Effect.callback<void, Refused>((resume) => {
      const listener = (view: View | undefined): void => resume(view === undefined ? Effect.interrupt : Effect.void)
      stay.listeners.add(listener)
      refusals.set(stay, (refused) => resume(Effect.fail(refused)))
      actor.tell({ _tag: "Enter", group, mode })
      return Effect.sync(() => {})
    }).pipe(
      orFailed(actor),
      Effect.onInterrupt(() => Effect.ignore(leave)),
      Effect.ensuring(
        Effect.sync(() => {
          refusals.delete(stay)
          stay.listeners.clear()
        })
      )
    )
    const handle: Group = { name: group, view: Effect.sync(() => stay.view!), views: viewsOf(stay), leave }
    return handle
  })

  const scope = yield* Effect.scope
  yield* Scope.addFinalizer(
    scope,
    Effect.sync(() => [...stays.values()].forEach(end))
  )

  const service: Membership["Service"] = {
    self,
    // What a group is asked for decides which refusals there are.
    create: (group) => enter(group, "create").pipe(Effect.catchTag("UnknownGroup", Effect.die)),
    join: (group, { create = false } = {}) =>
      enter(group, create ? "enter" : "join").pipe(Effect.catchTag("GroupExists", Effect.die)),
    destroy: (group) =>
      Effect.gen(function* () {
        yield* named(group)
        const refused = yield* ask(destroying, group, { _tag: "Destroy", group })
        if (refused !== undefined) return yield* refused
      }),
    members: (group) =>
      Effect.gen(function* () {
        yield* named(group)
        const view = viewNow(actor.state(), group)
        if (view !== undefined) return seen(view, isPrimary)
        const found = yield* ask(looking, group, { _tag: "Look", group })
        return found instanceof UnknownGroup ? yield* found : found
      })
  }
  return { actor, service }
})

const orFailed =
  (actor: Actor.Actor<any, any, any>) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.raceFirst(effect, Effect.orDie(actor.failed))

export const named = (group: string): Effect.Effect<void, InvalidGroupName> =>
  Schema.is(GroupName)(group) ? Effect.void : Effect.fail(new InvalidGroupName({ group }))

const seen = (view: Protocol.View, primary: boolean): View => ({ ...view, joined: view.joined ?? [], primary })

const refusalOf = (group: string, refusal: Refusal): Refused => {
  if (refusal === "exists") return new GroupExists({ group })
  return refusal === "unknown" ? new UnknownGroup({ group }) : new TooManyGroups({ group })
}

/** To the first reader all views, to others the latest and each later one. */
const viewsOf = (stay: Stay): Stream.Stream<View> =>
  Stream.callback<View>(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const listener = (view: View | undefined): void => {
            if (view === undefined) Queue.endUnsafe(queue)
            else if (!Queue.offerUnsafe(queue, view)) {
              const why = `The reader of group "${stay.group}" is more than ${behindMax} views behind.`
              Queue.failCauseUnsafe(queue, Cause.die(new RangeError(why)))
            }
          }
          for (const view of stay.unread ?? (stay.view === undefined ? [] : [stay.view])) listener(view)
          stay.unread = undefined
          if (stay.isOver) listener(undefined)
          else stay.listeners.add(listener)
          return listener
        }),
        (listener) => Effect.sync(() => stay.listeners.delete(listener))
      ),
    { bufferSize: behindMax, strategy: "dropping" }
  )
