/** Actors that move, and worlds of nodes that they move between. */
import { expect } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages, Migration, type Receptionist } from "@troupe/actor"
import { type Faults, Simulation } from "@troupe/simulation"
import type { Transport } from "@troupe/transport"
import { type Agent, agents } from "../../src/internal/migration/Agent.ts"
import { Context, Effect, Layer, Queue, Schema, Stream } from "effect"

/** It counts, remembers who told it what, keeps time, and lets questions wait. */
export const Keeper = Messages.make("keeper", {
  Add: Messages.tell({ amount: Schema.Int }),
  Note: Messages.tell({ from: Schema.String, number: Schema.Int }),
  Sum: Messages.ask({}, { reply: Schema.Int }),
  Notes: Messages.ask({}, { reply: Schema.Array(Schema.String) }),
  /** Answered when it is opened. */
  WhenOpen: Messages.ask({}, { reply: Schema.Int }),
  Open: Messages.tell({}),
  Every: Messages.tell({ millis: Schema.Number }),
  After: Messages.tell({ millis: Schema.Number, note: Schema.String }),
  Quiet: Messages.tell({ millis: Schema.Number }),
  Family: Messages.tell({}),
  Break: Messages.tell({}),
  End: Messages.tell({})
})

export interface Kept {
  readonly sum: number
  readonly isOpen: boolean
  readonly notes: ReadonlyArray<string>
}

export const Kept = Schema.Struct({ sum: Schema.Int, isOpen: Schema.Boolean, notes: Schema.Array(Schema.String) })

const first: Kept = { sum: 0, isOpen: false, notes: [] }

export const keeping = Behavior.make(Keeper, {
  init: (): Kept => first,
  on: {
    Add: (kept, { amount }) => ({ ...kept, sum: kept.sum + amount }),
    Note: (kept, { from, number }) => ({ ...kept, notes: [...kept.notes, `${from}${number}`] }),
    Sum: (kept) => ({ state: kept, reply: kept.sum }),
    Notes: (kept) => ({ state: kept, reply: kept.notes }),
    WhenOpen: (kept, _, self) =>
      kept.isOpen ? { state: kept, reply: kept.sum } : { state: kept, later: self.stash() },
    Open: (kept, _, self) => {
      self.unstash()
      return { ...kept, isOpen: true }
    },
    Every: (kept, { millis }, self) => {
      self.setInterval("every", millis, { _tag: "Add", amount: 1 })
      return kept
    },
    After: (kept, { millis, note }, self) => {
      self.setTimer(note, millis, { _tag: "Note", from: note, number: self.now() })
      return kept
    },
    Quiet: (kept, { millis }, self) => {
      self.setReceiveTimeout(millis, { _tag: "Note", from: "quiet", number: 0 })
      return kept
    },
    Family: (kept, _, self) => {
      self.spawn(keeping, { name: "child" })
      return kept
    },
    Break: () => {
      throw new Error("broken")
    },
    End: (kept, _, self) => {
      self.stop()
      return kept
    }
  }
})

export const keeper = Migration.movable("keeper", { behavior: keeping, state: Kept })

/** What there is at a node, a receptionist where its layer has one. */
type Services = ActorSystem.ActorSystem | Migration.Migration | Receptionist.Receptionist

export type On = <A, E>(node: string, effect: Effect.Effect<A, E, Services>) => Effect.Effect<A, E>

export interface World {
  readonly on: On
  readonly simulator: Simulation.Simulator
  /** Tells a node that another one is dead. */
  readonly down: (at: string, node: string) => Effect.Effect<void>
  /** What a node knows of actors that move. */
  readonly agent: (node: string) => Agent
  readonly system: (node: string) => ActorSystem.ActorSystem["Service"]
}

export interface WorldOptions {
  readonly nodes?: ReadonlyArray<string>
  readonly seed?: number
  readonly faults?: Partial<Faults.Faults>
  readonly migration?: Migration.Options
  readonly duration?: number
  /** What each node knows, and has. Default: the keeper, nothing. */
  readonly layer?: (node: string) => Layer.Layer<Migration.Migration, unknown, ActorSystem.ActorSystem>
  /** Nodes without any. */
  readonly without?: ReadonlyArray<string>
}

/** What the body returns, in a world on virtual time. */
export const inWorld = <A>(
  body: (world: World) => Effect.Effect<A, unknown>,
  options: WorldOptions = {}
): Effect.Effect<Simulation.Result<A>, Simulation.SimulationError> =>
  Effect.suspend(() => {
    const { nodes = ["n1", "n2", "n3"], seed = 1 } = options
    const contexts = new Map<string, Context.Context<Services>>()
    const downs = new Map<string, Queue.Queue<string>>()
    const program = (node: string) =>
      Effect.gen(function* () {
        const down = yield* Queue.unbounded<string>()
        downs.set(node, down)
        const made = options.layer?.(node) ?? Migration.layer([keeper], options.migration)
        const system: Layer.Layer<ActorSystem.ActorSystem, unknown, Transport> = ActorSystem.remote({
          down: Stream.fromQueue(down)
        })
        const layer = options.without?.includes(node) ? system : Layer.provideMerge(made, system)
        contexts.set(node, (yield* Layer.build(layer)) as never)
      })
    return Simulation.run<unknown, A>({
      ...{ seed, nodes, program },
      ...(options.faults === undefined ? {} : { faults: options.faults }),
      duration: options.duration ?? 120_000,
      test: (simulator) =>
        Effect.andThen(
          Effect.sleep("1 millis"),
          Effect.suspend(() =>
            body({
              simulator,
              on: (node, effect) => Effect.suspend(() => Effect.provide(effect, contexts.get(node)!)),
              down: (at, node) => Effect.suspend(() => Effect.asVoid(Queue.offer(downs.get(at)!, node))),
              agent: (node) => agents.get(Context.get(contexts.get(node)!, Migration.Migration))!,
              system: (node) => Context.get(contexts.get(node)!, ActorSystem.ActorSystem)
            })
          )
        )
    })
  })

/** What the body returns, in a world in which nothing is wrong. */
export const world = <A>(body: (world: World) => Effect.Effect<A, unknown>, options?: WorldOptions) =>
  Effect.gen(function* () {
    const { value, violations } = yield* inWorld(body, options)
    expect(violations).toEqual([])
    return value as A
  })

export type Ref = ActorRef<typeof Keeper.definition>

export const note = (ref: Ref, from: string, number: number): void => ref.tell({ _tag: "Note", from, number })
