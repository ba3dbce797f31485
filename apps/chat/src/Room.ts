/**
 * A room, as one node has it: who is in it, and what is shown to whom. It looks after its history, which is a child of it.
 *
 * Who is in a room is no fact on a disk, but what each node says of its own users, again and again, as long as it is up. Of
 * a node that is not, nobody is there: that takes as long as the failure detector takes to suspect it.
 */
import { type ActorRef, ActorSystem, Behavior, Supervision } from "@troupe/actor"
import { FailureDetector } from "@troupe/failure-detection"
import type { Storage } from "@troupe/storage"
import { NodeId, Transport } from "@troupe/transport"
import { Effect, Schedule } from "effect"
import { history } from "./History.ts"
import { History, type Person, Room, type Session } from "./Words.ts"

type SessionRef = ActorRef<typeof Session.definition>
type Self = Behavior.Self<typeof Room.definition>
type RoomRef = ActorRef<typeof Room.definition>

interface State {
  readonly history: ActorRef<typeof History.definition>
  /** The same room on the other nodes. */
  readonly others: ReadonlyArray<RoomRef>
  /** Those of this node's users who are in it. */
  readonly here: ReadonlyMap<string, SessionRef>
  /** Those of the other nodes, as each of them said last. */
  readonly there: ReadonlyMap<NodeId.NodeId, ReadonlyArray<string>>
  /** Who is in it, as those who are here have been told. */
  readonly told: ReadonlyArray<Person>
}

export interface Options {
  readonly name: string
  /** How often it says how things stand, in milliseconds. */
  readonly everyMillis: number
}

/** A disk that is full or fails may be well again. */
const patiently = Supervision.restart({ limit: 1000, backoff: Schedule.spaced("1 second") })

/** What `init` and the handlers know besides their state. */
const refs = (name: string) =>
  Effect.gen(function* () {
    const { nodes, self: node } = yield* Transport
    const system = yield* ActorSystem.ActorSystem
    const others = nodes.filter((other) => other !== node)
    return {
      node,
      rooms: yield* Effect.forEach(others, (other) => system.at(Room, `rooms/${name}`, other)),
      histories: yield* Effect.forEach(others, (other) =>
        Effect.map(system.at(History, `rooms/${name}/history`, other), (ref) => [other, ref] as const)
      )
    }
  }).pipe(Effect.orDie)

export const room = ({
  everyMillis,
  name
}: Options): Behavior.Behavior<
  typeof Room.definition,
  ActorSystem.ActorSystem | FailureDetector | Storage | Transport
> =>
  Behavior.effect(Room, {
    init: (self: Self) =>
      Effect.gen(function* () {
        const { histories, node, rooms } = yield* refs(name)
        const behavior = yield* Behavior.provide(
          history({
            room: name,
            node,
            others: new Map(histories),
            kept: (posts) => self.ref.tell({ _tag: "Kept", posts })
          })
        )
        self.setInterval("tick", everyMillis, { _tag: "Tick" })
        return {
          history: self.spawn(behavior, { name: "history", supervision: patiently }),
          others: rooms,
          here: new Map(),
          there: new Map(),
          told: []
        } satisfies State as State
      }),
    on: {
      Enter: (state, { session, user }, self) =>
        Effect.gen(function* () {
          self.watch(session, () => ({ _tag: "Leave", user, session }))
          const next = yield* changed(name, { ...state, here: new Map(state.here).set(user, session) })
          return { state: next, reply: state.history }
        }),

      Leave: (state, { session, user }, self) => {
        if (state.here.get(user) !== session) return Effect.succeed(state)
        self.unwatch(session)
        return changed(name, { ...state, here: new Map([...state.here].filter(([other]) => other !== user)) })
      },

      Who: (state) => Effect.map(present(state), (people) => ({ state, reply: people })),

      There: (state, { node, users }) => announced(name, { ...state, there: new Map(state.there).set(node, users) }),

      Kept: (state, { posts }) => {
        for (const session of state.here.values()) session.tell({ _tag: "Said", room: name, posts })
        return Effect.succeed(state)
      },

      Tick: (state) => {
        state.history.tell({ _tag: "Compare" })
        return changed(name, state)
      }
    }
  })

// ------------------------------------------------------------------------------------------------------------- presence

/** Who is in it: here, and on the nodes that are up. */
const present = ({ here, there }: State) =>
  Effect.gen(function* () {
    const { opinions, self } = yield* FailureDetector
    const found = yield* opinions
    const up = [...there].filter(([node]) => found.get(node)?.status === "up")
    return [[self, [...here.keys()]] as const, ...up]
      .toSorted(([a], [b]) => NodeId.Order(a, b))
      .flatMap(([node, users]) => users.toSorted().map((user): Person => ({ user, node })))
  })

/** Tells the others who is here, and those who are here who came and went. */
const changed = (name: string, state: State) =>
  Effect.flatMap(FailureDetector, ({ self: node }) => {
    for (const other of state.others) other.tell({ _tag: "There", node, users: [...state.here.keys()] })
    return announced(name, state)
  })

const announced = (name: string, state: State) =>
  Effect.map(present(state), (people): State => {
    const came = without(people, state.told)
    const gone = without(state.told, people)
    if (came.length === 0 && gone.length === 0) return state
    for (const session of state.here.values()) session.tell({ _tag: "Moved", room: name, came, gone })
    return { ...state, told: people }
  })

const without = (people: ReadonlyArray<Person>, others: ReadonlyArray<Person>): ReadonlyArray<Person> =>
  people.filter(({ node, user }) => !others.some((other) => other.node === node && other.user === user))
