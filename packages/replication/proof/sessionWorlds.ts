/**
 * A store in a simulated world, and clients that ask another node each time, with a session that they carry along. What
 * each of them saw is judged by the four session guarantees.
 */
import type { Card } from "@troupe/actor"
import { History, Sessions as Guaranteed, type Verdict } from "@troupe/consistency"
import { type KeyValue, type Sessions, Store } from "@troupe/replication"
import { Faults, Simulation } from "@troupe/simulation"
import type { Storage } from "@troupe/storage"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import type { Transport } from "@troupe/transport"
import { Context, Duration, Effect, Exit, Layer, Option, Random, References } from "effect"

const nodes = ["n1", "n2", "n3"]
const keys = ["x", "y"]

export interface Subject {
  readonly layer: Layer.Layer<KeyValue.KeyValue, any, Transport | Storage>
  readonly card: Card.Card<any>
  readonly actor: string
}

export interface World {
  readonly seed: number
  readonly faults: Partial<Faults.Faults>
  /** All by default. */
  readonly guarantees?: Required<Sessions.Guarantees>
}

export interface Outcome {
  /** What the card guarantees, and what the session guarantees, and was broken. */
  readonly violations: ReadonlyArray<string>
  /** All session guarantees that did not hold, whether they were asked for or not. */
  readonly broken: ReadonlyArray<Name>
  /** From the end of the faults to the first answer that some client had. */
  readonly worstMillis: number
  readonly answered: number
  /** Requests that ended because a copy was behind. */
  readonly behind: number
  readonly events: ReadonlyArray<History.Event>
}

export type Name = keyof Sessions.Guarantees

const checks: Readonly<Record<Name, (history: History.History) => Verdict>> = {
  readYourWrites: Guaranteed.checkReadYourWrites,
  monotonicReads: Guaranteed.checkMonotonicReads,
  monotonicWrites: Guaranteed.checkMonotonicWrites,
  writesFollowReads: Guaranteed.checkWritesFollowReads
}

export const names = Object.keys(checks) as ReadonlyArray<Name>

export const all: Required<Sessions.Guarantees> = {
  readYourWrites: true,
  monotonicReads: true,
  monotonicWrites: true,
  writesFollowReads: true
}

/** What n1 says to n3 is overtaken by what n2 makes of it; n3 is far from both. */
const linkDelays: Readonly<Record<string, Readonly<Record<string, Simulation.LinkDelay>>>> = {
  n1: { n2: { minMillis: 1, maxMillis: 10 }, n3: { minMillis: 100, maxMillis: 400 } },
  n3: { n1: { minMillis: 50, maxMillis: 200 }, n2: { minMillis: 50, maxMillis: 200 } }
}

const plannedMillis = 8_000
const calmMillis = plannedMillis * Faults.over
const durationMillis = 14_000
const lastAskMillis = 9_000
export const boundMillis = lastAskMillis - calmMillis

export const run = async (subject: Subject, world: World): Promise<Outcome> => {
  const { guarantees = all, seed } = world
  const disks = SimulatedDisk.make({ seed })
  const stores = new Map<string, Context.Service.Shape<typeof Store.Store>>()
  const events: Array<History.Event> = []
  const firstAfterCalm = new Map<string, number>()
  let [values, answered, behind, virtual] = [0, 0, 0, 0]

  const client = (name: string) =>
    Effect.gen(function* () {
      let process = name
      let token: Sessions.Token | undefined
      for (let count = 0; virtual < lastAskMillis; count++) {
        yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 50)))
        const store = stores.get(nodes[yield* Random.nextIntBetween(0, nodes.length)]!)
        if (store === undefined) continue
        const options = { ...guarantees, patience: "1 second" } as const
        const session = yield* store.session(token === undefined ? options : { ...options, token })
        const key = keys[yield* Random.nextIntBetween(0, keys.length)]!
        const isRead = (yield* Random.nextIntBetween(0, 3)) > 0
        const value = isRead ? null : ++values
        const f = isRead ? "read" : "write"
        events.push({ process, type: "invoke", f, key, value })
        const asked = isRead
          ? Effect.map(session.get(key), (entry) => (entry === undefined ? null : Number(Store.text(entry.value))))
          : Effect.as(session.put(key, Store.bytes(String(value))), value)
        // Of a node that crashes no answer comes.
        const exit = yield* Effect.exit(Effect.timeoutOption(asked, "3 seconds"))
        token = yield* session.token
        if (Exit.isSuccess(exit) && Option.isSome(exit.value)) {
          answered++
          if (virtual >= calmMillis && !firstAfterCalm.has(name)) firstAfterCalm.set(name, virtual - calmMillis)
          events.push({ process, type: "ok", f, key, value: exit.value.value })
        } else if (isRead || (Exit.isFailure(exit) && !String(exit.cause).includes("InDoubt"))) {
          if (String(exit).includes("Behind")) behind++
          events.push({ process, type: "fail", f, key, value })
        } else {
          events.push({ process, type: "info", f, key, value })
          process = `${name}.${count}`
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
      delays: (from, to) => linkDelays[from]?.[to],
      properties: Simulation.fromCard(subject.card, subject.actor),
      program: (node) =>
        Effect.gen(function* () {
          stores.delete(node)
          const context = yield* Layer.build(
            Store.layer.pipe(Layer.provide(subject.layer), Layer.provide(disks.layer(node)))
          )
          stores.set(node, Context.get(context, Store.Store))
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
      test: () =>
        Effect.all(
          [
            Effect.gen(function* () {
              for (; virtual < durationMillis - 10; virtual += 10) yield* Effect.sleep("10 millis")
            }),
            ...["a", "b", "c", "d"].map(client)
          ],
          { concurrency: "unbounded", discard: true }
        )
    })
  )
  const history = History.make(events)
  const broken = names.filter((name) => checks[name](history)._tag !== "Ok")
  return {
    violations: [
      ...new Set(violations.map(({ detail, name }) => (detail === undefined ? name : `${name}: ${detail}`))),
      ...broken.filter((name) => guarantees[name])
    ],
    broken,
    worstMillis: firstAfterCalm.size === 0 ? durationMillis : Math.min(...firstAfterCalm.values()),
    answered,
    behind,
    events
  }
}
