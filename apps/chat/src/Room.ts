/**
 * A room, as one node has it: who is in it, and what is shown to whom. It looks after its history, which is a child of it.
 *
 * Who is in a room is no fact on a disk: each session that is in it is registered with the receptionist of its node, and the
 * receptionists tell each other. A session that ends is off the list; those of a node that the failure detector suspects are,
 * too, until it is heard of again.
 */
import { type ActorRef, ActorSystem, Behavior, Receptionist, Supervision } from "@troupe/actor"
import type { Storage } from "@troupe/storage"
import { NodeId, Transport } from "@troupe/transport"
import { Cause, Effect, Schedule } from "effect"
import { fresh, history, withPosts } from "./History.ts"
import { type Have, History, type Person, type Post, Room, RoomRefused, Session, troubleOf } from "./Words.ts"

type Self = Behavior.Self<typeof Room.definition>
type SessionRef = ActorRef<typeof Session.definition>

interface State {
  readonly node: NodeId.NodeId
  readonly history: ActorRef<typeof History.definition>
  /** Who is in it, on all nodes. */
  readonly sessions: ReadonlyArray<SessionRef>
  /** Posts that were there when its history was first read, or that those of this node were shown since. */
  readonly shown: Have | undefined
  /** Why what was said last could not be kept here, if it could not. */
  readonly trouble: string | undefined
}

export interface Options {
  readonly name: string
  /** How often its history is compared with those of the other nodes, in milliseconds. */
  readonly everyMillis: number
}

/** A disk that is full or fails may be well again: it is tried once a second. Meanwhile users are told what is wrong. */
const patiently = (self: Self) => {
  const again = Supervision.restart({ limit: 1000, backoff: Schedule.spaced("1 second") })
  return Supervision.decide((cause) => {
    self.ref.tell({ _tag: "Failed", why: troubleOf(Cause.squash(cause)) })
    return again
  })
}

/** The histories of the room on the other nodes. */
const othersOf = (name: string) =>
  Effect.gen(function* () {
    const { nodes, self } = yield* Transport
    const system = yield* ActorSystem.ActorSystem
    const others = nodes.filter((node) => node !== self)
    const refs = yield* Effect.forEach(others, (node) => system.at(History, `rooms/${name}/history`, node))
    return new Map(others.map((node, index) => [node, refs[index]!]))
  }).pipe(Effect.orDie)

export const room = ({
  everyMillis,
  name
}: Options): Behavior.Behavior<
  typeof Room.definition,
  ActorSystem.ActorSystem | Receptionist.Receptionist | Storage | Transport
> => {
  const inRoom = Receptionist.key(Session, `room/${name}`)

  return Behavior.effect(Room, {
    init: (self: Self) =>
      Effect.gen(function* () {
        const { self: node } = yield* Transport
        const { subscribeActor } = yield* Receptionist.Receptionist
        const others = yield* othersOf(name)
        const kept = (posts: ReadonlyArray<Post>, have: Have) => self.ref.tell({ _tag: "Kept", posts, have })
        const behavior = yield* Behavior.provide(history({ room: name, node, others, kept }))
        subscribeActor(inRoom, self.ref, (sessions) => ({ _tag: "Present", sessions }))
        self.setInterval("tick", everyMillis, { _tag: "Tick" })
        const log = self.spawn(behavior, { name: "history", supervision: patiently(self) })
        return { node, history: log, sessions: [], shown: undefined, trouble: undefined } satisfies State as State
      }),
    on: {
      Enter: (state, { session }) =>
        Effect.gen(function* () {
          const { register } = yield* Receptionist.Receptionist
          yield* Effect.mapError(register(inRoom, session), ({ reason }) => new RoomRefused({ reason }))
          const { trouble } = state
          if (trouble !== undefined) session.tell({ _tag: "Unkept", room: name, why: trouble })
          return { state, reply: state.history }
        }),

      Leave: (state, { session }) =>
        Effect.gen(function* () {
          const { deregister } = yield* Receptionist.Receptionist
          yield* deregister(inRoom, session)
          return state
        }),

      /** Told by the receptionist, now and after each change. */
      Present: (state, { sessions }) =>
        Effect.sync(() => {
          const [before, now] = [peopleOf(state), peopleOf({ ...state, sessions })]
          const moved = { came: without(now, before), gone: without(before, now) }
          // Who has just come asks who is here.
          const staying = sessions.filter((session) => isHere(session) && state.sessions.includes(session))
          if (moved.came.length + moved.gone.length > 0) {
            for (const session of staying) session.tell({ _tag: "Moved", room: name, ...moved })
          }
          return { ...state, sessions }
        }),

      Who: (state) => Effect.succeed({ state, reply: peopleOf(state) }),

      /** Told by its history. */
      Kept: (state, { have, posts: kept }) =>
        Effect.sync(() => {
          const { shown } = state
          const posts = shown === undefined ? kept : fresh(shown, kept)
          if (posts.length > 0) {
            if (state.trouble !== undefined) tellAll(state, { _tag: "Unkept", room: name, why: undefined })
            tellAll(state, { _tag: "Said", room: name, posts })
          }
          return {
            ...state,
            shown: shown === undefined ? have : withPosts(shown, posts),
            trouble: posts.length > 0 ? undefined : state.trouble
          }
        }),

      Failed: (state, { why }) =>
        Effect.sync(() => {
          if (state.trouble !== why) tellAll(state, { _tag: "Unkept", room: name, why })
          return { ...state, trouble: why }
        }),

      Tick: (state) =>
        Effect.sync(() => {
          const { history, shown } = state
          if (shown !== undefined) history.tell({ _tag: "Compare", shown })
          return state
        })
    }
  })
}

// --------------------------------------------------------------------------------------------------------------- people

/** Where sessions stand, on every node: each is named after its user. */
const users = "users/"

const isHere = ({ path }: SessionRef): boolean => path.startsWith(users)

/** Those of this node. */
const tellAll = ({ sessions }: State, message: Parameters<SessionRef["tell"]>[0]): void => {
  for (const session of sessions.filter(isHere)) session.tell(message)
}

/** By node, and by name. Of another node a path is `node:path`. */
const peopleOf = ({ node, sessions }: State): ReadonlyArray<Person> =>
  sessions
    .map(({ path }): Person => {
      const at = path.lastIndexOf(users)
      return { user: path.slice(at + users.length), node: at === 0 ? node : path.slice(0, at - 1) }
    })
    .toSorted((a, b) => NodeId.Order(a.node, b.node) || (a.user < b.user ? -1 : 1))

const without = (people: ReadonlyArray<Person>, others: ReadonlyArray<Person>): ReadonlyArray<Person> =>
  people.filter(({ node, user }) => !others.some((other) => other.node === node && other.user === user))
