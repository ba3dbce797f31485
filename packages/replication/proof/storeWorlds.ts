/**
 * A store in a simulated world, with a client on each node that gets, puts, deletes and compares and sets. What they saw must
 * be linearizable, and the versions of a key grow with each write, over its deletion too.
 */
import { History, Linearizable, type Specification } from "@troupe/consistency"
import { type KeyValue, Store } from "@troupe/replication"
import { type Faults, Simulation } from "@troupe/simulation"
import type { Storage } from "@troupe/storage"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import type { Transport } from "@troupe/transport"
import { Context, Duration, Effect, Exit, Layer, Random, References } from "effect"

const nodes = ["n1", "n2", "n3"]

/** A key: the number that it holds, and its latest version, of a deletion too. `exact`: not of a write that is in doubt. */
interface Key {
  readonly value: number | null
  readonly version: number
  readonly exact: boolean
}

type Output = Partial<Record<"version" | "conflict", number>> & { readonly value?: number | null }
type Input = Partial<Record<"value" | "expected", number>>

export const specification: Specification.Specification<Key> = {
  name: "versioned",
  description: "Numbers with versions.",
  functions: { get: "nothing", put: "a number", delete: "nothing", cas: "a number and a version" },
  init: { value: null, version: 0, exact: true },
  step: (state, { f, input, output }) => {
    const { expected = 0, value = null } = (input ?? {}) as Input
    const said = output as Output | undefined
    const found = state.value === null ? 0 : state.version
    const isVersion = (version: number): boolean =>
      state.exact || state.value === null ? version === found : version > state.version
    const write = (to: number | null): Key | undefined => {
      if (said === undefined) return { value: to, version: state.version, exact: false }
      return said.version! > state.version ? { value: to, version: said.version!, exact: true } : undefined
    }
    switch (f) {
      case "get":
        if (said === undefined) return state
        if (said.value !== state.value || !isVersion(said.version!)) return undefined
        return state.value === null ? state : { ...state, version: said.version!, exact: true }
      case "put":
        return write(value)
      case "delete": {
        const isThere = state.value !== null
        if (said !== undefined && said.value !== Number(isThere)) return undefined
        return isThere ? { value: null, version: state.version, exact: false } : state
      }
      default:
        if (said === undefined) return isVersion(expected) ? write(value) : state
        if (said.conflict === undefined) return isVersion(expected) ? write(value) : undefined
        return said.conflict !== expected && isVersion(said.conflict) ? state : undefined
    }
  }
}

const plannedMillis = 8_000
const durationMillis = 12_000

export interface Outcome {
  readonly violations: ReadonlyArray<string>
  readonly answered: number
  readonly conflicts: number
}

export const run = async (
  layer: Layer.Layer<KeyValue.KeyValue, any, Transport | Storage>,
  { faults, seed }: { readonly seed: number; readonly faults: Partial<Faults.Faults> }
): Promise<Outcome> => {
  const disks = SimulatedDisk.make({ seed })
  const events: Array<History.Event> = []
  const lives = new Map<string, number>()
  let [values, answered, conflicts] = [0, 0, 0]

  const ask = (store: Context.Service.Shape<typeof Store.Store>, key: string, seen: number) =>
    Effect.gen(function* () {
      const bytes = Store.bytes(String(++values))
      switch (yield* Random.nextIntBetween(0, 5)) {
        case 0:
          return {
            f: "put",
            input: { value: values },
            does: Effect.map(store.put(key, bytes), (version) => ({ version }))
          }
        case 1:
          return { f: "delete", input: {}, does: Effect.map(store.delete(key), (was) => ({ value: Number(was) })) }
        case 2:
          return {
            f: "cas",
            input: { value: values, expected: seen },
            does: store.compareAndSet(key, seen, bytes).pipe(
              Effect.map((version): Output => ({ version })),
              Effect.catchTag("VersionConflict", ({ found }) => Effect.succeed<Output>({ conflict: found }))
            )
          }
        default:
          return {
            f: "get",
            input: {},
            does: Effect.map(store.get(key), (entry) =>
              entry === undefined
                ? { value: null, version: 0 }
                : { value: Number(Store.text(entry.value)), version: entry.version }
            )
          }
      }
    })

  const client = (name: string, store: Context.Service.Shape<typeof Store.Store>) =>
    Effect.gen(function* () {
      let process = name
      const seen = new Map<string, number>()
      for (let count = 0; ; count++) {
        yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 100)))
        const key = (yield* Random.nextBoolean) ? "x" : "y"
        const { does, f, input } = yield* ask(store, key, seen.get(key) ?? 0)
        events.push({ process, type: "invoke", f, key, value: input })
        const exit = yield* Effect.exit<Output, unknown, never>(does)
        if (Exit.isSuccess(exit)) {
          answered++
          const { conflict, version = conflict } = exit.value
          if (conflict !== undefined) conflicts++
          seen.set(key, f === "delete" ? 0 : version!)
          events.push({ process, type: "ok", f, key, value: exit.value })
        } else if (String(exit.cause).includes("InDoubt")) {
          events.push({ process, type: "info", f, key, value: input })
          process = `${name}.${count}`
        } else events.push({ process, type: "fail", f, key, value: input })
      }
    })

  const { violations } = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes,
      faults,
      planned: Duration.millis(plannedMillis),
      duration: Duration.millis(durationMillis),
      program: (node) =>
        Effect.gen(function* () {
          const life = (lives.get(node) ?? 0) + 1
          lives.set(node, life)
          const context = yield* Layer.build(Store.layer.pipe(Layer.provide(layer), Layer.provide(disks.layer(node))))
          yield* client(`${node}.${life}`, Context.get(context, Store.Store))
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
    })
  )
  const verdict = Linearizable.check(History.make(events), specification)
  return {
    violations: [
      ...violations.map(({ detail, name }) => `${name}: ${detail ?? ""}`),
      ...(verdict._tag === "Ok" ? [] : [`linearizable: ${"reason" in verdict ? verdict.reason : ""}`])
    ],
    answered,
    conflicts
  }
}
