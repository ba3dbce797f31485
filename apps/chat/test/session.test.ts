/** In which room a user is, whatever the rooms answer. */
import { expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior } from "@troupe/actor"
import { Effect } from "effect"
import { session } from "../src/Session.ts"
import { Room, RoomRefused, Rooms } from "../src/Words.ts"

/** The room "full" takes nobody; nobody can say who is in "dark". */
const world = Effect.gen(function* () {
  const system = yield* ActorSystem.ActorSystem
  const left: Array<string> = []
  const room = (name: string) =>
    Behavior.make(Room, {
      init: () => undefined,
      on: {
        Enter: (state, _, self) =>
          name === "full"
            ? { state, failure: new RoomRefused({ reason: "it is full" }) }
            : { state, reply: self.ref as unknown as ActorRef<any> },
        Leave: () => void left.push(name),
        Who: (state) => {
          if (name === "dark") throw new Error("it is dark")
          return { state, reply: [] }
        },
        ...{ Present: () => undefined, Kept: () => undefined, Failed: () => undefined, Tick: () => undefined }
      }
    })
  const rooms = Behavior.make(Rooms, {
    init: () => undefined,
    on: {
      Open: (state, { room: name }, self) => ({ state, reply: self.spawn(room(name)) }),
      ...{ AreOpen: () => undefined, Tick: () => undefined }
    }
  })
  yield* system.spawn(rooms, { name: "rooms" })
  const shown: Array<string> = []
  const screen = { show: (lines: ReadonlyArray<string>) => void shown.push(...lines), end: () => {} }
  const user = yield* system.spawn(yield* Behavior.provide(session("ann", screen)))
  const types = (line: string) =>
    Effect.map(user.ask({ _tag: "Typed", line }), () => shown.splice(0).filter((each) => !each.endsWith("can do.")))
  return { left, types }
})

it.effect("who is refused by a room stays in the one before", () =>
  Effect.gen(function* () {
    const { left, types } = yield* world
    yield* types("/join garden")
    expect(yield* types("/join full")).toEqual(["! it is full"])
    expect(left).toEqual([])
    expect(yield* types("/who")).toEqual(["* In garden: "])
    yield* types("/join garden")
    expect(left).toEqual([])
    yield* types("/join kitchen")
    expect(left).toEqual(["garden"])
  }).pipe(Effect.provide(ActorSystem.layer()))
)

it.effect("who has entered a room is in it, also where it does not say who is", () =>
  Effect.gen(function* () {
    const { left, types } = yield* world
    yield* types("/join garden")
    yield* types("/join dark")
    expect(left).toEqual(["garden"])
    expect(yield* types("/leave")).toEqual(["* You have left dark"])
  }).pipe(Effect.provide(ActorSystem.layer()))
)
