/** Common set-up: what clients of registers see, and what a register with versions may show them. */
import { History, type Specification } from "@troupe/consistency"
import { Register } from "@troupe/register"
import { Duration, Effect, Random } from "effect"

export const nodesOf = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `n${i + 1}`)

type State = readonly [version: number, value: History.Value]

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** One register. What a call found is [version, value]; a compare-and-set that succeeds returns the version alone. */
export const versioned: Specification.Specification<State> = {
  name: "versioned-register",
  description: "A register with a version, which is set by who knows that.",
  functions: { read: "no argument", cas: "the argument is [expected, value]" },
  init: [0, null],
  step: (state, { f, input, output }) => {
    const found = output === undefined || same(output, state)
    if (f === "read") return found ? state : undefined
    const [expected, value] = input as readonly [number, History.Value]
    if (expected !== state[0]) return found ? state : undefined
    return output === undefined || output === expected + 1 ? [expected + 1, value] : undefined
  }
}

/** Calls of the `Register` in the context, written down as they begin and end. */
export const recording = (events: Array<History.Event>, process: string) => {
  const recorded = <E, R>(f: string, key: string, input: History.Value, call: Effect.Effect<History.Value, E, R>) =>
    Effect.suspend(() => {
      events.push(History.invoke(process, f, input, key))
      return Effect.matchEffect(call, {
        onSuccess: (output) => Effect.sync(() => void events.push(History.ok(process, f, output, key))),
        onFailure: () => Effect.sync(() => void events.push(History.info(process, f, undefined, key)))
      })
    })
  const read = (name: string) =>
    Effect.gen(function* () {
      const register = yield* Register
      let version = 0
      const call = Effect.map(register.read(name), (found): History.Value => {
        version = found.version
        return [found.version, found.value]
      })
      yield* recorded("read", name, null, call)
      return version
    })
  const compareAndSet = (name: string, expected: number, value: History.Value) =>
    Effect.gen(function* () {
      const register = yield* Register
      const call = Effect.map(register.compareAndSet(name, expected, value), (outcome): History.Value =>
        outcome._tag === "Set" ? outcome.version : [outcome.current.version, outcome.current.value]
      )
      yield* recorded("cas", name, [expected, value], call)
    })
  return { read, compareAndSet }
}

/** Reads, and sets what it has read, now and then; goes by a version that is old, or not there yet, at times. */
export const busy = (events: Array<History.Event>, process: string, calls: number) =>
  Effect.gen(function* () {
    const { compareAndSet, read } = recording(events, process)
    const versions = new Map<string, number>()
    for (let i = 0; i < calls; i++) {
      const name = (yield* Random.nextBoolean) ? "x" : "y"
      if ((yield* Random.nextIntBetween(0, 3)) === 0) versions.set(name, yield* read(name))
      const off = (yield* Random.nextIntBetween(0, 8)) === 0 ? 1 : 0
      const expected = (versions.get(name) ?? 0) + off
      yield* compareAndSet(name, expected, `${process}.${i}`)
      versions.set(name, expected + 1)
      yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 400)))
    }
  })
