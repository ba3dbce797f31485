/**
 * Receptionists in a simulated world: on each node actors are registered, taken off and stopped while nodes and links fail. Once
 * all is calm, every node must list exactly who is left.
 */
import { type ActorRef, ActorSystem, Behavior, Messages, Receptionist } from "@troupe/actor"
import { Faults, Simulation } from "@troupe/simulation"
import { Channel, Transport } from "@troupe/transport"
import { Context, Duration, Effect, Layer, Queue, Random, References, Schema, Stream } from "effect"

const nodes = ["n1", "n2", "n3", "n4"]

const Service = Messages.make("service", { Ping: Messages.tell({}) })
const service = Behavior.make(Service, { init: () => 0, on: { Ping: (count) => count + 1 } })
const keys = ["a", "b", "c"].map((name) => Receptionist.key(Service, name))

const plannedMillis = 8_000
const overMillis = plannedMillis * Faults.over
/** By then detectors have taken back what they thought of others. */
const calmMillis = overMillis + 200
const durationMillis = calmMillis + 3_000

/** One comparison, every second, and five messages in a row of 10 ms at the most; with the time that a look takes. */
export const boundMillis = 1_000 + 5 * 10 + 50

/** Who is not heard for half a second is down, until it is heard again. */
const detector = Effect.gen(function* () {
  const transport = yield* Transport
  const down = yield* Queue.unbounded<string>()
  const heard = new Map(nodes.map((node) => [node, 0]))
  const send = yield* transport.open(Channel.make("alive", Schema.Null), (from) => void heard.set(from, 5))
  const beat = Effect.sync(() => {
    for (const node of nodes) {
      if (node === transport.self) continue
      send(node, null)
      const left = heard.get(node)!
      heard.set(node, left - 1)
      if (left === 0) Queue.offerUnsafe(down, node)
    }
  })
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(beat, Effect.sleep("100 millis"))))
  return Stream.fromQueue(down)
})

export interface Outcome {
  readonly violations: ReadonlyArray<string>
  /** From the calm until all list the same. */
  readonly worstMillis: number
  readonly boundMillis: number
  readonly changes: number
}

type Listed = Map<string, () => ReadonlyArray<string>>

export const run = async (seed: number, faults: Partial<Faults.Faults>): Promise<Outcome> => {
  /** Who is registered, by nodes and keys, and what nodes list. */
  const truth = new Map<string, Map<string, Set<string>>>()
  const listed = new Map<string, Listed>()
  const followed = new Map<string, ReadonlyArray<string>>()
  const lives = new Map<string, number>()
  const violations = new Set<string>()
  let agreedMillis = Infinity
  let changes = 0
  let isOver = false

  const names = (refs: ReadonlyArray<{ readonly path: string }>) => refs.map(({ path }) => path.replace(/^n\d:/, ""))

  const program = (node: string) =>
    Effect.gen(function* () {
      const life = (lives.get(node) ?? 0) + 1
      lives.set(node, life)
      const mine = new Map(keys.map(({ name }) => [name, new Set<string>()]))
      truth.set(node, mine)
      const system = ActorSystem.remote({ down: yield* detector })
      const context = yield* Layer.build(Receptionist.layer().pipe(Layer.provideMerge(system)))
      const receptionist = Context.get(context, Receptionist.Receptionist)
      const actors = Context.get(context, ActorSystem.ActorSystem)
      listed.set(node, new Map(keys.map((key) => [key.name, () => names(receptionist.listing(key))])))
      for (const key of keys) {
        const told = Stream.runForEach(receptionist.subscribe(key), (listing) =>
          Effect.sync(() => followed.set(`${node} ${key.name}`, names(listing)))
        )
        yield* Effect.forkScoped(told)
      }
      const living = new Map<string, ActorRef<typeof Service.definition>>()
      for (let count = 0; ; count++) {
        yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(1, 250)))
        if (isOver) break
        const key = keys[yield* Random.nextIntBetween(0, keys.length - 1)]!
        const name = `${node}.${life}.${count}`
        const old = [...living.keys()][0]
        changes++
        if (old === undefined || (yield* Random.nextIntBetween(0, 5)) < 3) {
          const ref = yield* actors.spawn(service, { name })
          living.set(name, ref)
          yield* receptionist.register(key, ref)
          mine.get(key.name)!.add(name)
        } else if (yield* Random.nextBoolean) {
          for (const each of keys) {
            yield* receptionist.deregister(each, living.get(old)!)
            mine.get(each.name)!.delete(old)
          }
          living.delete(old)
        } else {
          yield* actors.stop(living.get(old)!)
          for (const each of keys) mine.get(each.name)!.delete(old)
          living.delete(old)
        }
      }
      yield* Effect.never
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

  const same = (one: ReadonlyArray<string>, other: Iterable<string>): boolean =>
    JSON.stringify([...one].sort()) === JSON.stringify([...other].sort())

  const isAgreed = (): boolean =>
    keys.every(({ name }) => {
      const all = [...truth.values()].flatMap((each) => [...each.get(name)!])
      return nodes.every((node) => {
        const now = listed.get(node)?.get(name)?.() ?? []
        return same(now, all) && same(followed.get(`${node} ${name}`) ?? [], now)
      })
    })

  const look = (): void => {
    for (const [node, each] of listed) {
      for (const [name, listing] of each) {
        const now = listing()
        if (new Set(now).size !== now.length) violations.add(`${node} lists one twice under ${name}`)
      }
    }
  }

  const result = await Effect.runPromise(
    Simulation.run({
      ...{ seed, nodes, faults, program },
      planned: Duration.millis(plannedMillis),
      duration: Duration.millis(durationMillis),
      test: (simulator) =>
        Effect.gen(function* () {
          while (simulator.world.nowMillis < durationMillis) {
            look()
            isOver = simulator.world.nowMillis >= overMillis
            if (simulator.world.nowMillis >= calmMillis && agreedMillis === Infinity && isAgreed()) {
              agreedMillis = simulator.world.nowMillis
            }
            yield* Effect.sleep("20 millis")
          }
          if (!isAgreed()) violations.add("in the end, all list who is registered")
        })
    })
  )
  for (const { detail, name } of result.violations) violations.add(`${name} ${detail ?? ""}`)
  const worstMillis = Math.max(0, agreedMillis - calmMillis)
  return { violations: [...violations], worstMillis, boundMillis, changes }
}
