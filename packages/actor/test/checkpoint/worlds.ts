/** Actors that give to each other, in a process that crashes, and what must be true when they come back. */
import { type ActorRef, ActorSystem, Behavior, Checkpoint, Messages } from "@troupe/actor"
import { Simulation } from "@troupe/simulation"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Context, Effect, Layer, Logger, Random, Schema } from "effect"

const Purse = Messages.make("purse", {
  Give: Messages.tell({ amount: Schema.Int, to: Schema.Int }),
  Take: Messages.tell({ amount: Schema.Int }),
  Sum: Messages.ask({}, { reply: Schema.Int })
})
type Purse = typeof Purse.definition

const first = 1_000

/** The others come to be known as they are spawned. */
const plain = (others: ReadonlyArray<ActorRef<Purse>>) =>
  Behavior.make(Purse, {
    init: () => first,
    on: {
      Give: (sum, { amount, to }) => {
        others[to]!.tell({ _tag: "Take", amount })
        return sum - amount
      },
      Take: (sum, { amount }) => sum + amount,
      Sum: (sum) => ({ state: sum, reply: sum })
    }
  })

/** The same, and its handlers take their time. */
const slow = (others: ReadonlyArray<ActorRef<Purse>>) =>
  Behavior.effect(Purse, {
    init: () => Effect.succeed(first),
    on: {
      Give: (sum, { amount, to }) =>
        Effect.as(
          Effect.andThen(
            Effect.sync(() => others[to]!.tell({ _tag: "Take", amount })),
            Effect.sleep("3 millis")
          ),
          sum - amount
        ),
      Take: (sum, { amount }) => Effect.as(Effect.sleep("2 millis"), sum + amount),
      Sum: (sum) => Effect.succeed({ state: sum, reply: sum })
    }
  })

const names = ["ann", "bob", "tim", "tom"]

/** `together`: in one checkpoint. `apart`: each in its own, at a time of its own. */
export type Way = "together" | "apart"

interface Seen {
  lives: number
  /** Of the latest checkpoint that was told to be on disk. */
  saved: number
}

const lossOf = "what was given is lost or doubled"

const live = (way: Way, seen: Seen, broken: Set<string>) =>
  Effect.gen(function* () {
    seen.lives++
    const others: Array<ActorRef<Purse>> = []
    const checkpoints: Array<Checkpoint.Checkpoint["Service"]> = []
    for (const [at, name] of names.entries()) {
      if (way === "apart" || at === 0) {
        const built = yield* Layer.build(Layer.fresh(Checkpoint.layer(way === "apart" ? name : "all")))
        checkpoints.push(Context.get(built, Checkpoint.Checkpoint))
      }
      const behavior = at < 2 ? plain(others) : slow(others)
      others.push(yield* checkpoints.at(-1)!.spawn(behavior, { name, state: Schema.Int }))
    }
    if (checkpoints[0]!.recovered.number < seen.saved) broken.add("a checkpoint is lost")
    // What was under way comes to its end.
    yield* Effect.sleep("300 millis")
    const sums = yield* Effect.forEach(others, (each) => each.ask({ _tag: "Sum" }))
    if (sums.reduce((all, sum) => all + sum) !== first * names.length) broken.add(lossOf)
    const saving = (checkpoint: Checkpoint.Checkpoint["Service"]) =>
      Effect.gen(function* () {
        for (;;) {
          yield* Effect.sleep(yield* Random.nextIntBetween(5, 40))
          const number = yield* checkpoint.save
          if (checkpoint === checkpoints[0]) seen.saved = number
        }
      })
    for (const checkpoint of checkpoints) yield* Effect.forkChild(saving(checkpoint))
    for (;;) {
      const [from, to, amount] = [
        yield* Random.nextIntBetween(0, 3),
        yield* Random.nextIntBetween(0, 3),
        yield* Random.nextIntBetween(1, 9)
      ]
      others[from]!.tell({ _tag: "Give", amount, to })
      yield* Effect.sleep(yield* Random.nextIntBetween(1, 6))
    }
  })

export const run = async (seed: number, way: Way = "together") => {
  const disks = SimulatedDisk.make({ seed, syncMillisMax: 10, segmentBytes: 8192 })
  const seen: Seen = { lives: 0, saved: 0 }
  const broken = new Set<string>()
  const result = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes: ["n1"],
      faults: { crashesPerMinute: 180, downMillisMin: 1, downMillisMax: 20 },
      duration: "4 seconds",
      program: (node) =>
        Effect.gen(function* () {
          const context = yield* Layer.build(Layer.fresh(Layer.merge(ActorSystem.layer(), disks.layer(node))))
          yield* Effect.provideContext(live(way, seen, broken), context)
        })
    }).pipe(Effect.provide(Logger.layer([])))
  )
  return {
    violations: [...result.violations.map(({ name, detail }) => `${name} ${detail ?? ""}`), ...broken],
    seen
  }
}
