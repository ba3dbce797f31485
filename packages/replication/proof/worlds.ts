/**
 * Replicas of numbers in a simulated world: clients on all nodes read, write and add while nodes, disks and links fail. What
 * they saw must be linearizable; the card's guarantees hold; in the end all replicas are the same.
 */
import type { Card } from "@troupe/actor"
import { History, Linearizable, type Specification } from "@troupe/consistency"
import type { Replicated } from "@troupe/replication"
import { Faults, Simulation } from "@troupe/simulation"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import type { Storage } from "@troupe/storage"
import type { Transport } from "@troupe/transport"
import { Context, Duration, Effect, Exit, Layer, Random, References } from "effect"
import { add, get, Numbers, put, type Request } from "../test/machines.ts"

export const nodes = ["n1", "n2", "n3"]

export interface Subject {
  readonly layer: Layer.Layer<Numbers, any, Transport | Storage>
  readonly card: Card.Card<any>
  readonly actor: string
  readonly properties?: ReadonlyArray<Parameters<typeof Simulation.always>>
  /** Every other number that is written is 0. */
  readonly zeros?: true
}

export interface World {
  readonly faults: Partial<Faults.Faults>
  readonly seed: number
  readonly read?: "linearizable" | "local"
}

export interface Outcome {
  readonly violations: ReadonlyArray<string>
  /** From the end of the faults to the first answer on each node. */
  readonly worstMillis: number
  readonly events: ReadonlyArray<History.Event>
  readonly answered: number
}

/** What a numbers machine is to one client. */
export const specification: Specification.Specification<number> = {
  name: "numbers",
  description: "Numbers that are read, written and added to.",
  functions: { Get: "nothing; the number", Put: "a number; the same", Add: "a number; the sum" },
  init: 0,
  step: (state, { f, input, output }) => {
    const next = f === "Get" ? state : f === "Put" ? (input as number) : state + (input as number)
    return output === undefined || output === next ? next : undefined
  },
  isRead: ({ f }) => f === "Get"
}

const plannedMillis = 12_000
const calmMillis = plannedMillis * Faults.over
const durationMillis = 20_000
export const boundMillis = 5_000

export const run = async (subject: Subject, world: World): Promise<Outcome> => {
  const { read = "linearizable", seed } = world
  const disks = SimulatedDisk.make({ seed })
  const events: Array<History.Event> = []
  const lives = new Map<string, number>()
  let firstPut = 1000
  let answered = 0
  const firstAfterCalm = new Map<string, number>()
  let virtual = 0

  const draw = Effect.gen(function* () {
    const key = (yield* Random.nextBoolean) ? "x" : "y"
    const kind = yield* Random.nextIntBetween(0, 4)
    if (kind < 2) return get(key)
    if (kind === 3) return add(key, 1)
    return put(key, subject.zeros && (yield* Random.nextBoolean) ? 0 : (firstPut += 1000))
  })

  const client = (process: string, node: string, service: Replicated.Replicated<Request, number>) =>
    Effect.gen(function* () {
      let name = process
      for (let count = 0; ; count++) {
        yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 300)))
        if (virtual >= durationMillis - boundMillis) return
        const request = yield* draw
        const input = request._tag === "Put" ? request.value : request._tag === "Add" ? request.amount : null
        events.push({ process: name, type: "invoke", f: request._tag, key: request.key, value: input })
        const exit = yield* Effect.exit(service.invoke(request, { read }))
        const end = (type: History.Event["type"], value?: number): void => {
          events.push({
            process: name,
            type,
            f: request._tag,
            key: request.key,
            ...(value === undefined ? {} : { value })
          })
        }
        if (Exit.isSuccess(exit)) {
          end("ok", exit.value)
          answered++
          if (virtual >= calmMillis && !firstAfterCalm.has(node)) firstAfterCalm.set(node, virtual - calmMillis)
        } else if (String(exit.cause).includes("Unavailable")) end("fail")
        else {
          end("info")
          name = `${process}.${count}`
        }
      }
    })

  const { violations } = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes,
      faults: world.faults,
      planned: Duration.millis(plannedMillis),
      duration: Duration.millis(durationMillis),
      properties: [
        ...Simulation.fromCard(subject.card, subject.actor),
        ...(subject.properties ?? []).map(([name, holds]) => Simulation.always(name, holds))
      ],
      program: (node) =>
        Effect.gen(function* () {
          const life = (lives.get(node) ?? 0) + 1
          lives.set(node, life)
          const context = yield* Layer.build(subject.layer.pipe(Layer.provide(disks.layer(node))))
          const service = Context.get(context, Numbers)
          yield* Effect.all(
            [1, 2].map((each) => client(`${node}.${life}.${each}`, node, service)),
            { concurrency: "unbounded", discard: true }
          )
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
      test: () =>
        Effect.gen(function* () {
          for (; virtual < durationMillis - 10; virtual += 10) yield* Effect.sleep("10 millis")
        })
    })
  )
  const verdict = Linearizable.check(History.make(events), specification)
  return {
    violations: [
      ...new Set(violations.map(({ detail, name }) => (detail === undefined ? name : `${name}: ${detail}`))),
      ...(verdict._tag === "Ok" ? [] : [`linearizable: ${"reason" in verdict ? verdict.reason : ""}`])
    ],
    worstMillis: nodes.reduce((worst, node) => Math.max(worst, firstAfterCalm.get(node) ?? durationMillis), 0),
    events,
    answered
  }
}
