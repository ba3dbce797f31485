/**
 * A topic in a simulated world: on each node readers come and go, and one publishes numbers, while nodes and links fail. No
 * reader hears a number twice, or after a later one of its publisher; once all is calm, each hears all.
 */
import { type ActorRef, ActorSystem, Behavior, Messages, Receptionist, Topic } from "@troupe/actor"
import { Faults, Simulation } from "@troupe/simulation"
import { Context, Duration, Effect, Layer, Random, References, Schema } from "effect"

const nodes = ["n1", "n2", "n3"]

const News = Messages.make("news", { Item: Messages.tell({ from: Schema.String, number: Schema.Int }) })

const plannedMillis = 6_000
const overMillis = plannedMillis * Faults.over
/** By then all have heard who subscribes where. */
export const boundMillis = 1_000 + 5 * 10 + 50
const durationMillis = overMillis + boundMillis + 500

interface Outcome {
  readonly violations: ReadonlyArray<string>
  readonly worstMillis: number
  readonly boundMillis: number
  readonly heard: number
}

export const run = async (seed: number, faults: Partial<Faults.Faults>): Promise<Outcome> => {
  const violations = new Set<string>()
  const lives = new Map<string, number>()
  /** The latest of each publisher, by reader. */
  const readers = new Map<string, Map<string, number>>()
  const last = new Map<string, number>()
  let millis = 0
  let heard = 0

  const reader = (name: string) => {
    const latest = new Map<string, number>()
    return Behavior.make(News, {
      init: () => void readers.set(name, latest),
      on: {
        Item: (_, { from, number }) => {
          heard++
          const before = latest.get(from) ?? -1
          if (number <= before) violations.add("each number once, in the order of its publisher")
          if (millis > overMillis + boundMillis && number !== before + 1) violations.add("in the end, each hears all")
          latest.set(from, number)
        }
      },
      onStop: () => void readers.delete(name)
    })
  }

  const program = (node: string) =>
    Effect.gen(function* () {
      const life = (lives.get(node) ?? 0) + 1
      const from = `${node}.${life}`
      lives.set(node, life)
      for (const name of readers.keys()) if (name.startsWith(`${node}.`)) readers.delete(name)
      for (const publisher of last.keys()) if (publisher.startsWith(`${node}.`)) last.delete(publisher)
      const layer = Receptionist.layer().pipe(Layer.provideMerge(ActorSystem.remote()))
      const context = yield* Layer.build(layer)
      const system = Context.get(context, ActorSystem.ActorSystem)
      const topic = yield* Effect.provide(Topic.make(News), context)
      const here: Array<ActorRef<typeof News.definition>> = []
      for (let number = 0; ; number++) {
        yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(1, 60)))
        topic.publish({ _tag: "Item", from, number })
        last.set(from, number)
        const chance = yield* Random.nextIntBetween(0, 7)
        if (millis > overMillis || chance > 1) continue
        if (here.length < 2) {
          const ref = yield* system.spawn(reader(`${from}.${number}`))
          topic.subscribe(ref)
          here.push(ref)
        } else if (chance === 0) yield* system.stop(here.shift()!)
        else here.forEach((ref) => topic.subscribe(ref))
      }
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

  const result = await Effect.runPromise(
    Simulation.run({
      ...{ seed, nodes, faults, program },
      planned: Duration.millis(plannedMillis),
      duration: Duration.millis(durationMillis),
      test: (simulator) =>
        Effect.gen(function* () {
          while ((millis = simulator.world.nowMillis) < durationMillis) yield* Effect.sleep("10 millis")
          for (const latest of readers.values()) {
            for (const [publisher, number] of last) {
              if ((latest.get(publisher) ?? -1) < number - 30) violations.add("in the end, each hears all")
            }
          }
        })
    })
  )
  for (const { detail, name } of result.violations) violations.add(`${name} ${detail ?? ""}`)
  return { violations: [...violations], worstMillis: 0, boundMillis, heard }
}
