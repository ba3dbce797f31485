import { type ActorRef, ActorSystem, Behavior, Messages } from "@troupe/actor"
import { Context, Effect, Layer, Schema, Scope } from "effect"
import { burst, type Peer } from "./Peer.ts"

const Counter = Messages.make("counter", {
  Add: Messages.tell({ amount: Schema.Int }),
  Sum: Messages.ask({}, { reply: Schema.Int })
})
const Player = Messages.make("player", { Ball: Messages.tell({ left: Schema.Int }) })
type Playing = ActorRef<typeof Player.definition>
const Parent = Messages.make("parent", { Spawn: Messages.ask({ count: Schema.Int }, { reply: Schema.Int }) })

const counters = {
  plain: Behavior.make(Counter, {
    init: () => 0,
    on: { Add: (sum, { amount }) => sum + amount, Sum: (sum) => ({ state: sum, reply: sum }) }
  }),
  Effect: Behavior.effect(Counter, {
    init: () => Effect.succeed(0),
    on: {
      Add: (sum, { amount }) => Effect.sync(() => sum + amount),
      Sum: (sum) => Effect.sync(() => ({ state: sum, reply: sum }))
    }
  })
}

const players = (hit: (at: number, left: number) => void) => ({
  plain: (at: number) =>
    Behavior.make(Player, {
      init: () => at,
      on: {
        Ball: (state, { left }) => {
          hit(at, left)
          return state
        }
      }
    }),
  Effect: (at: number) =>
    Behavior.effect(Player, {
      init: () => Effect.succeed(at),
      on: { Ball: (state, { left }) => Effect.sync(() => (hit(at, left), state)) }
    })
})

/** Its children are what it keeps. */
const parent = (child: Behavior.Behavior<typeof Counter.definition>) =>
  Behavior.make(Parent, {
    init: (): ReadonlyArray<unknown> => [],
    on: {
      Spawn: (_, { count }, self) => {
        const state = Array.from({ length: count }, () => self.spawn(child))
        return { state, reply: state.length }
      }
    }
  })

const run = <A>(program: Effect.Effect<A, unknown>): Promise<A> => Effect.runPromise(program)

export const troupe = async (kind: "plain" | "Effect"): Promise<Peer> => {
  const scope = Scope.makeUnsafe()
  const context = await run(Scope.provide(Layer.build(ActorSystem.layer()), scope))
  const system = Context.get(context, ActorSystem.ActorSystem)
  const counter = await run(system.spawn(counters[kind]))
  const [tells, trips, asks, actors] = [1_000_000, 300_000, 200_000, 200_000]

  let [hits, done] = [0, (_: number): void => {}]
  const game: Array<Playing> = []
  const { [kind]: player } = players((at, left) => {
    hits++
    if (left === 0) done(hits / 2)
    else game[1 - at]!.tell({ _tag: "Ball", left: left - 1 })
  })
  for (const at of [0, 1]) game.push(await run(system.spawn(player(at))))

  let release = (): unknown => undefined
  const sum = counter.ask({ _tag: "Sum" })
  return {
    note: "A bound, supervision, one message at a time; each turn is a later one.",
    tell: {
      count: tells,
      run: () =>
        run(
          Effect.gen(function* () {
            const before = yield* sum
            for (let told = 0; told < tells; told += burst) {
              for (let i = 0; i < burst; i++) counter.tell({ _tag: "Add", amount: 1 })
              yield* sum
            }
            return (yield* sum) - before
          })
        )
    },
    pingPong: {
      count: trips,
      run: () =>
        new Promise((resolve) => {
          ;[hits, done] = [0, resolve]
          game[0]!.tell({ _tag: "Ball", left: 2 * trips - 1 })
        })
    },
    ask: {
      count: asks,
      run: () =>
        run(
          Effect.gen(function* () {
            let answered = 0
            for (; answered < asks; answered++) yield* counter.ask({ _tag: "Sum" })
            return answered
          })
        )
    },
    spawn: {
      count: actors,
      run: () =>
        run(
          Effect.flatMap(system.spawn(parent(counters[kind])), (ref) => {
            release = () => Effect.runFork(system.stop(ref))
            return ref.ask({ _tag: "Spawn", count: actors })
          })
        )
    },
    release: () => release()
  }
}
