/** What the tests of replays share: systems to check, their counterexamples, and what is compared of two runs. */
import { expect } from "@effect/vitest"
import type { Protocol } from "@troupe/actor"
import { Bully } from "@troupe/election"
import { Checker, type Model, Property, System } from "@troupe/model-checker"
import { RicartAgrawala } from "@troupe/mutex"
import { Replay, Simulation } from "@troupe/simulation"
import { Trace } from "@troupe/trace"
import { Effect } from "effect"
import { three } from "./support.ts"

// ------------------------------------------------------------------------------------------------ what is checked first

export type Lock = typeof RicartAgrawala.protocol
export type Setting = Partial<System.System<any, any, any, any, any, any, any>>

export const untyped = (protocol: { readonly name: string }): Protocol.Any => protocol as Protocol.Any

const lockUser: System.User<RicartAgrawala.State, RicartAgrawala.Command, number> = {
  memo: 0,
  moves: ({ memo, state }) => {
    if (state.phase === "inside") return [{ _tag: "Command", command: { _tag: "Release" }, memo }]
    return state.phase === "idle" && memo === 0 ? [{ _tag: "Command", command: { _tag: "Acquire" }, memo: 1 }] : []
  }
}

/** Each node enters once. */
export const locks = (setting: Setting = {}, protocol: Lock = RicartAgrawala.protocol) =>
  System.make<any, any, any, any, any, any, any>({
    name: "locks",
    members: System.members(untyped(protocol), three, undefined),
    user: lockUser,
    properties: System.guarantees(RicartAgrawala.card),
    ...setting
  })

export const elections = (setting: Setting = {}) =>
  System.make<any, any, any, any, any, any, any>({
    name: "elections",
    members: System.members(untyped(Bully.protocol), three, Bully.defaults),
    timeouts: "synchronous",
    properties: System.guarantees(Bully.card),
    ...setting
  })

/** A system of the nodes n1 and n2. */
export const pair = <State, Message, Command, Event, Timer extends string>(
  protocol: Protocol.Protocol<State, Message, Command, Event, Timer>,
  { never, ...setting }: Setting & { readonly never: (states: ReadonlyArray<State>) => boolean }
) =>
  System.make<any, any, any, any, any, any, any>({
    name: "a pair",
    members: System.members(protocol, ["n1", "n2"], undefined),
    properties: [Property.always("never", ({ nodes }) => !never(nodes.map(({ state }) => state)))],
    ...setting
  })

/** The first counterexample that there is. */
export const counterexample = (model: Model.Checkable<any>, options: Checker.Options = {}) =>
  Effect.map(Checker.check(model, options), ({ properties }) => {
    const found = properties.find(({ counterexample }) => counterexample !== undefined)
    if (found === undefined) throw new Error(`${model.name}: nothing is broken`)
    return found.counterexample!.trace
  })

/** As `troupe check --trace` leaves it. */
export const filed = (trace: Trace.Trace) => Trace.decode(Trace.encode(trace))

const guarantees = {
  lock: Simulation.fromCard(RicartAgrawala.card, RicartAgrawala.protocol.name),
  election: Simulation.fromCard(Bully.card, Bully.protocol.name)
}

export const replayLocks = (trace: Trace.Trace, protocol: Lock = RicartAgrawala.protocol) =>
  Replay.run({ protocol, trace, properties: guarantees.lock })

export const replayElection = (trace: Trace.Trace, options = Bully.defaults) =>
  Replay.run({ protocol: Bully.protocol, options, trace, properties: guarantees.election })

// ------------------------------------------------------------------------------------------------------ what is compared

/** What each node knew last. */
export const finalStates = (trace: Trace.Trace): Readonly<Record<string, unknown>> =>
  Object.fromEntries(trace.events.flatMap((event) => (event._tag === "Step" ? [[event.node, event.state]] : [])))

export const statesOf = (snapshot: ReadonlyArray<{ readonly node: string; readonly state: unknown }>) =>
  Object.fromEntries(snapshot.map(({ node, state }) => [node, state]))

/** What happened, without what a checker and a simulator tell in ways of their own: actors' names, times, whys. */
export const told = ({ events }: Trace.Trace): ReadonlyArray<string> =>
  events.flatMap((event) => {
    if (event._tag === "Lost") return [`lost ${event.id}`]
    if (event._tag === "Note") return []
    const { atMillis: _, ...rest } = event
    return [Trace.encodeEvent(rest._tag === "Step" ? { ...rest, actor: "" } : rest)]
  })

export const tags = ({ events }: Trace.Trace): ReadonlySet<string> => new Set(events.map(({ _tag }) => _tag))

/** Replays it, as it is and as it is read from a file: the same steps and states. */
export const agree = <State>(
  original: Trace.Trace,
  replay: (trace: Trace.Trace) => Effect.Effect<Replay.Result<State>, unknown>
) =>
  Effect.gen(function* () {
    const replayed = yield* replay(yield* filed(original))
    expect((yield* replay(original)).trace).toEqual(replayed.trace)
    expect(replayed.steps).toBe(original.events.filter(({ _tag }) => _tag === "Step").length)
    expect(statesOf(replayed.snapshot)).toEqual(finalStates(original))
    expect(replayed.trace.header).toMatchObject({ source: "simulation", nodes: original.header.nodes })
    // What a split cuts off is lost when it is sent, which a checker tells after all that is sent.
    expect(told(replayed.trace).toSorted()).toEqual(told(original).toSorted())
    return replayed
  })
