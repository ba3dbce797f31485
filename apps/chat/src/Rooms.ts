/**
 * The rooms of a node. One that somebody opens is opened on all nodes, so that each of them keeps its history; a node that was
 * away is told which there are. Nobody has to write them down: a room is read from its log when it is opened.
 */
import { type ActorRef, ActorSystem, Behavior, type Receptionist, Supervision } from "@troupe/actor"
import type { Storage } from "@troupe/storage"
import { Transport } from "@troupe/transport"
import { Effect } from "effect"
import { room } from "./Room.ts"
import { isName, type Room, RoomRefused, Rooms } from "./Words.ts"

type Self = Behavior.Self<typeof Rooms.definition>
type RoomsRef = ActorRef<typeof Rooms.definition>
type RoomRef = ActorRef<typeof Room.definition>

interface State {
  readonly others: ReadonlyArray<RoomsRef>
  readonly open: ReadonlyMap<string, RoomRef>
}

/** Of a node. */
const mostRooms = 1_000

export const rooms = (
  everyMillis: number
): Behavior.Behavior<
  typeof Rooms.definition,
  ActorSystem.ActorSystem | Receptionist.Receptionist | Storage | Transport
> => {
  const open = (state: State, name: string, self: Self) =>
    Effect.gen(function* () {
      if (state.open.has(name)) return state
      if (!isName(name)) return yield* new RoomRefused({ reason: `"${name}" is no name of a room` })
      if (state.open.size >= mostRooms)
        return yield* new RoomRefused({ reason: `There are ${mostRooms} rooms already` })
      const behavior = yield* Behavior.provide(room({ name, everyMillis }))
      const opened = self.spawn(behavior, { name, supervision: Supervision.restart({ state: "kept" }) })
      return { ...state, open: new Map(state.open).set(name, opened) }
    })

  const tell = (state: State): void => {
    const rooms = [...state.open.keys()]
    for (const other of state.others) other.tell({ _tag: "AreOpen", rooms })
  }

  return Behavior.effect(Rooms, {
    init: (self: Self) =>
      Effect.gen(function* () {
        const { nodes, self: node } = yield* Transport
        const system = yield* ActorSystem.ActorSystem
        self.setInterval("tick", everyMillis, { _tag: "Tick" })
        const others = nodes.filter((other) => other !== node)
        return {
          others: yield* Effect.forEach(others, (other) => system.at(Rooms, "rooms", other)),
          open: new Map()
        } satisfies State as State
      }),
    on: {
      Open: (state, { room: name }, self) =>
        Effect.map(open(state, name, self), (next) => {
          if (next !== state) tell(next)
          return { state: next, reply: next.open.get(name)! }
        }),

      AreOpen: (state, { rooms: names }, self) =>
        Effect.reduce(
          names,
          () => state,
          (now: State, name) => Effect.orElseSucceed(open(now, name, self), () => now)
        ),

      Tick: (state) =>
        Effect.as(
          Effect.sync(() => tell(state)),
          state
        )
    }
  })
}
