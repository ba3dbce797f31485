/** An actor that is registered with receptionists, and moves. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, Behavior, Messages, Migration, Receptionist, Topic } from "@troupe/actor"
import { Effect, Fiber, Layer, Schema, Stream } from "effect"
import { mostEntries } from "../../src/internal/receptionist/talk.ts"
import { Keeper, keeper, world, type World } from "./support.ts"

const { move, spawn } = Migration

const nodes = ["n1", "n2", "n3"]
const Keepers = Receptionist.key(Keeper)
const Others = Receptionist.key(Keeper, "others")

const both = () => Layer.merge(Migration.layer([keeper], { timeout: "1 second" }), Receptionist.layer())
const listing = { layer: both }

const register = <D extends Messages.Definition>(key: Receptionist.ServiceKey<D>, ref: ActorRef<D>) =>
  Effect.flatMap(Receptionist.Receptionist, (receptionist) => receptionist.register(key, ref))

const deregister = <D extends Messages.Definition>(key: Receptionist.ServiceKey<D>, ref: ActorRef<D>) =>
  Effect.flatMap(Receptionist.Receptionist, (receptionist) => receptionist.deregister(key, ref))

const find = <D extends Messages.Definition>({ on }: World, node: string, key: Receptionist.ServiceKey<D>) =>
  on(
    node,
    Effect.flatMap(Receptionist.Receptionist, (receptionist) => receptionist.find(key))
  )

/** The node of who is listed; the one that is asked, by its own name. */
const places = (at: World, key: Receptionist.ServiceKey<any> = Keepers, of: ReadonlyArray<string> = nodes) =>
  Effect.forEach(of, (node) => Effect.map(find(at, node, key), (refs) => refs.map((ref) => placeOf(node, ref)).join()))

const placeOf = (node: string, { path }: ActorRef<any>): string => (path.includes(":") ? path.split(":")[0]! : node)

/** Until all have heard what a node has said. */
const told = Effect.sleep("100 millis")

/** On n1, and registered there. */
const registered = ({ on }: World) =>
  on(
    "n1",
    Effect.tap(spawn(keeper), (ref) => register(Keepers, ref))
  )

describe("it is listed where it is", () => {
  it.live("by every node, at every moment once", () =>
    world(
      (at) =>
        Effect.gen(function* () {
          const seen: Array<ReadonlyArray<string>> = []
          for (const node of nodes) {
            const follow = Effect.flatMap(Receptionist.Receptionist, (receptionist) =>
              Stream.runForEach(receptionist.subscribe(Keepers), (refs) =>
                Effect.sync(() => seen.push(refs.map((ref) => placeOf(node, ref))))
              )
            )
            yield* Effect.forkChild(at.on(node, follow))
          }
          yield* told
          const ref = yield* registered(at)
          yield* told
          for (const to of ["n2", "n3", "n1", "n3", "n2"]) {
            yield* at.on("n1", move(ref, { to, kind: "strong" }))
            yield* told
            expect(yield* places(at)).toEqual([to, to, to])
          }
          yield* Effect.sleep("5 seconds")
          expect(yield* places(at)).toEqual(["n2", "n2", "n2"])
          // Before it was registered, nobody was.
          expect(seen.filter((each) => each.length !== 1)).toEqual([[], [], []])
          expect(seen.length).toBeGreaterThan(15)
          const [direct] = yield* find(at, "n3", Keepers)
          expect(yield* direct!.ask({ _tag: "Sum" })).toBe(0)
        }),
      { ...listing, faults: { delayMillisMin: 1, delayMillisMax: 30 } }
    )
  )

  it.live("also by one that misses word of its new place: it goes on listing the old one until it hears", () =>
    world(
      (at) =>
        Effect.gen(function* () {
          const ref = yield* registered(at)
          yield* told
          const heal = yield* at.simulator.cut(["n2"], ["n3"])
          yield* at.on("n1", move(ref, { to: "n2", kind: "strong" }))
          yield* told
          expect(yield* places(at)).toEqual(["n2", "n2", "n1"])
          yield* Effect.sleep("500 millis")
          yield* heal
          expect(yield* places(at)).toEqual(["n2", "n2", "n1"])
          yield* Effect.sleep("1200 millis")
          expect(yield* places(at)).toEqual(["n2", "n2", "n2"])
        }),
      listing
    )
  )

  it.live("and where it was no more, after three comparisons", () =>
    world(
      (at) =>
        Effect.gen(function* () {
          const ref = yield* registered(at)
          yield* at.on("n1", move(ref, { to: "n2", kind: "strong" }))
          yield* at.simulator.cut(["n2"], ["n3"])
          yield* Effect.sleep("4 seconds")
          yield* at.simulator.crash("n3")
          yield* at.simulator.restart("n3")
          yield* Effect.sleep("2 seconds")
          expect(yield* places(at)).toEqual(["n2", "n2", ""])
        }),
      listing
    )
  )

  it.live("also when where it was is no more, and by a node that comes later", () =>
    world(
      (at) =>
        Effect.gen(function* () {
          const ref = yield* registered(at)
          yield* at.on("n1", move(ref, { to: "n2", kind: "weak" }))
          yield* at.simulator.crash("n3")
          yield* Effect.sleep("4 seconds")
          yield* at.simulator.restart("n3")
          yield* told
          expect(yield* places(at)).toEqual(["n2", "n2", "n2"])
          yield* at.simulator.crash("n1")
          for (const node of ["n2", "n3"]) yield* at.down(node, "n1")
          yield* told
          expect(yield* places(at, Keepers, ["n2", "n3"])).toEqual(["n2", "n2"])
        }),
      listing
    )
  )

  it.live("under all that it was registered as, also by what it does when it starts there: once", () => {
    const Own = Messages.make("own", { Ok: Messages.ask({}, { reply: Schema.Int }) })
    const [first, second] = ["first", "second"].map((name) => Receptionist.key(Own, name))
    const enlisting = Migration.movable("own", {
      behavior: Behavior.effect(Own, {
        init: (self) =>
          Effect.gen(function* () {
            yield* (yield* Receptionist.Receptionist).register(first!, self.ref)
            return 0
          }),
        on: { Ok: (count) => Effect.succeed({ state: count + 1, reply: count }) }
      }),
      state: Schema.Int,
      bindings: [Migration.byType(Receptionist.Receptionist)]
    })
    return world(
      (at) =>
        Effect.gen(function* () {
          const ref = yield* at.on("n1", spawn(enlisting))
          yield* at.on("n1", register(second!, ref))
          for (const to of ["n2", "n3", "n2"]) {
            yield* at.on("n1", move(ref, { to, kind: "weak" }))
            for (const pause of ["100 millis", "5 seconds"] as const) {
              yield* Effect.sleep(pause)
              for (const key of [first!, second!]) expect(yield* places(at, key)).toEqual([to, to, to])
            }
          }
        }),
      { layer: () => Migration.layer([enlisting]).pipe(Layer.provideMerge(Receptionist.layer())) }
    )
  })

  it.live("until it ends or is taken off there: then nobody lists where it was", () =>
    Effect.forEach(["end", "deregister"], (how) =>
      world(
        (at) =>
          Effect.gen(function* () {
            const ref = yield* registered(at)
            yield* told
            yield* at.on("n1", move(ref, { to: "n2", kind: "strong" }))
            yield* told
            const [there] = yield* find(at, "n2", Keepers)
            if (how === "end") there!.tell({ _tag: "End" })
            else yield* at.on("n2", deregister(Keepers, there!))
            yield* told
            expect(yield* places(at)).toEqual(["", "", ""])
            yield* Effect.sleep("5 seconds")
            expect(yield* places(at)).toEqual(["", "", ""])
          }),
        listing
      )
    )
  )
})

describe("who knows it by an earlier place", () => {
  it.live("registers it, and takes it off, where it is, in the order of what else it is told", () =>
    world(
      (at) =>
        Effect.gen(function* () {
          const ref = yield* registered(at)
          yield* at.on("n1", move(ref, { to: "n2", kind: "strong" }))
          yield* at.on("n1", move(ref, { to: "n3", kind: "strong" }))
          yield* at.on("n1", register(Others, ref))
          yield* told
          expect(yield* places(at, Others)).toEqual(["n3", "n3", "n3"])
          yield* at.on("n1", deregister(Keepers, ref))
          yield* told
          expect(yield* places(at)).toEqual(["", "", ""])
          yield* at.on(
            "n1",
            Effect.flatMap(Receptionist.Receptionist, () => Effect.void)
          )
        }),
      listing
    )
  )

  it.live("subscribes it to topics there", () =>
    world(
      (at) =>
        Effect.gen(function* () {
          const ref = yield* registered(at)
          yield* at.on("n1", move(ref, { to: "n2", kind: "strong" }))
          const topics = yield* Effect.forEach(["n1", "n3"], (node) => at.on(node, Topic.make(Keeper)))
          topics[0]!.subscribe(ref)
          yield* told
          for (const topic of topics) topic.publish({ _tag: "Add", amount: 1 })
          yield* told
          expect(yield* ref.ask({ _tag: "Sum" })).toBe(2)
        }),
      listing
    )
  )

  it.live("also while it is under way, whether it gets there or goes on where it was", () =>
    Effect.forEach(["n2", "n1"], (place) =>
      world(
        (at) =>
          Effect.gen(function* () {
            const ref = yield* registered(at)
            if (place === "n1") yield* at.simulator.cut(["n1"], ["n2"])
            const moving = yield* Effect.forkChild(Effect.exit(at.on("n1", move(ref, { to: "n2", kind: "strong" }))))
            const [resident] = at.agent("n1").residents.values()
            while (resident!.phase._tag !== "Leaving") yield* Effect.sleep("10 micros")
            yield* at.on("n1", register(Others, ref))
            yield* at.on("n1", deregister(Keepers, ref))
            yield* Fiber.join(moving)
            yield* Effect.sleep("2 seconds")
            expect(yield* places(at, Others, ["n1", place])).toEqual([place, place])
            expect(yield* places(at)).toEqual(["", "", ""])
          }),
        listing
      )
    )
  )
})

describe("when it does not come through", () => {
  it.live("whoever goes on with it lists it: where it was, if the other node crashes; else there", () =>
    Effect.forEach(["n2", "n1"], (crashing) =>
      world(
        (at) =>
          Effect.gen(function* () {
            const ref = yield* registered(at)
            yield* told
            yield* Effect.forkChild(Effect.exit(at.on("n1", move(ref, { to: "n2", kind: "strong" }))))
            while ([...at.agent("n2").residents.values()][0]?.phase._tag !== "Arriving")
              yield* Effect.sleep("10 micros")
            yield* at.simulator.crash(crashing)
            const [left] = ["n1", "n2"].filter((node) => node !== crashing)
            for (const node of [left!, "n3"]) yield* at.down(node, crashing)
            yield* told
            expect(yield* places(at, Keepers, [left!, "n3"])).toEqual([left, left])
          }),
        listing
      )
    )
  )

  it.live("of two that live, since each node took the other for dead, the one that goes on is listed", () =>
    world(
      (at) =>
        Effect.gen(function* () {
          const ref = yield* registered(at)
          yield* told
          yield* Effect.forkChild(Effect.exit(at.on("n1", move(ref, { to: "n2", kind: "strong" }))))
          const phases = () => ["n1", "n2"].map((node) => [...at.agent(node).residents.values()][0]?.phase._tag).join()
          while (phases() !== "Leaving,Arriving") yield* Effect.sleep("10 micros")
          yield* at.down("n1", "n2")
          yield* at.down("n2", "n1")
          yield* Effect.sleep("100 micros")
          expect(phases()).toBe("Live,Live")
          yield* Effect.sleep("6 seconds")
          expect(phases()).toBe("Live,Away")
          expect(yield* places(at)).toEqual(["n1", "n1", "n1"])
        }),
      listing
    )
  )

  it.live("a node whose receptionist has no room for it does not take it; one that has left makes room", () =>
    world(
      (at) =>
        Effect.gen(function* () {
          const other = yield* at.on("n2", spawn(keeper))
          const ref = yield* registered(at)
          for (let i = 1; i < mostEntries; i++) yield* at.on("n2", register(Receptionist.key(Keeper, `${i}`), other))
          for (const to of ["n2", "n3"]) yield* at.on("n1", move(ref, { to, kind: "strong" }))
          yield* at.on("n2", register(Others, other))
          const failure = yield* Effect.flip(at.on("n1", move(ref, { to: "n2", kind: "strong" })))
          expect(failure.message).toContain("no room for it. The actor goes on where it is")
          yield* told
          expect(yield* places(at)).toEqual(["n3", "n3", "n3"])
          expect(yield* places(at, Others)).toEqual(["n2", "n2", "n2"])
          // It is none the worse for that.
          yield* at.on("n1", move(ref, { to: "n1", kind: "strong" }))
          yield* told
          expect(yield* places(at)).toEqual(["n1", "n1", "n1"])
        }),
      listing
    )
  )

  it.live("a node without a receptionist passes on what it was registered as", () =>
    world(
      (at) =>
        Effect.gen(function* () {
          const ref = yield* registered(at)
          yield* at.on("n1", move(ref, { to: "n2", kind: "strong" }))
          yield* at.on("n1", register(Others, ref))
          yield* at.on("n1", move(ref, { to: "n3", kind: "strong" }))
          yield* told
          for (const key of [Keepers, Others]) expect(yield* places(at, key, ["n1", "n3"])).toEqual(["n3", "n3"])
        }),
      { layer: (node) => (node === "n2" ? Migration.layer([keeper]) : both()) }
    )
  )
})
