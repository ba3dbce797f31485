/**
 * Runs the run of a trace again, in the simulator: a counterexample of a model checker on the driver that runs in
 * production.
 *
 * The nodes are actors of the protocol on the simulated network. Each step of the trace takes one virtual millisecond: its
 * message is delivered then, its command told, its timer runs out, its node crashes. Nothing else happens: a message that
 * the trace never delivers does not arrive, and a timer that never runs out in it doesn't here. Each step is compared with
 * the trace, and properties are looked at after it.
 *
 * @example
 * import { Checker, System } from "@troupe/model-checker"
 * import { RicartAgrawala } from "@troupe/mutex"
 * import { Replay, Simulation } from "@troupe/simulation"
 * import { Effect } from "effect"
 *
 * const { card, protocol } = RicartAgrawala
 * const system = System.make({
 *   name: "two nodes, one of which may crash",
 *   members: System.members(protocol, ["n1", "n2"], undefined),
 *   user: {
 *     memo: 0,
 *     moves: ({ memo, state }): ReadonlyArray<System.Move<RicartAgrawala.Command, number>> =>
 *       state.phase === "inside"
 *         ? [{ _tag: "Command", command: { _tag: "Release" }, memo }]
 *         : state.phase === "idle" && memo === 0
 *           ? [{ _tag: "Command", command: { _tag: "Acquire" }, memo: 1 }]
 *           : []
 *   },
 *   crashes: { max: 1 },
 *   properties: System.guarantees(card)
 * })
 * const report = await Effect.runPromise(Checker.check(system))
 * const { counterexample } = report.properties.find(({ verdict }) => verdict === "violated")!
 *
 * const replayed = await Effect.runPromise(Replay.run({
 *   protocol,
 *   trace: counterexample!.trace,
 *   properties: Simulation.fromCard(card, protocol.name)
 * }))
 * console.log(replayed.broken) // [ 'no starvation' ]
 */
import { Actor, type Card, Membership, Observer, type Protocol } from "@troupe/actor"
import { Trace } from "@troupe/trace"
import { among as narrowed, type NodeId } from "@troupe/transport"
import { Clock, Effect, identity, Queue, Schema, Stream } from "effect"
import { type Difference, differenceOf, ReplayActor } from "./internal/ReplayActor.ts"
import { agree, written } from "./internal/ReplayAgreement.ts"
import * as Scripts from "./internal/ReplayScript.ts"
import type * as Property from "./Property.ts"
import * as Simulation from "./Simulation.ts"

interface Common {
  /** From its beginning, with all events. Its nodes are those of its header. */
  readonly trace: Trace.Trace
  /**
   * What a trace may break, for actors under the protocol's name. `always` is held against the state after each step;
   * others, where the trace says that they are broken, against the last.
   */
  readonly properties?: ReadonlyArray<Property.Property>
  /** What `act.random()` may give, where the trace was made with more than 0. */
  readonly random?: ReadonlyArray<number>
}

export interface Options<State, Message, Command, Event, Timer extends string, Settings> extends Common {
  /** As it was checked: the trace does not have it. */
  readonly protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Settings>
  /** What it was checked with. */
  readonly options?: NoInfer<Settings>
}

/** One node, and what it runs, as a system of the model checker has it. */
export interface Member<State = any, Message = any, Command = any, Event = any, Timer extends string = any> {
  readonly node: NodeId.NodeId
  readonly protocol: Protocol.Protocol<State, Message, Command, Event, Timer, any>
  readonly options: unknown
  /** Whom it takes for the nodes of its system. Default: all. */
  readonly among?: ReadonlyArray<NodeId.NodeId>
}

export interface SystemOptions<State, Message, Command, Event, Timer extends string> extends Common {
  readonly members: ReadonlyArray<Member<State, Message, Command, Event, Timer>>
  /** Of the actors, for properties. All members hear each other under it, whatever their protocols are called. */
  readonly name: string
}

export interface Result<State> {
  /** How many steps of actors there were; each came to the state of the trace. */
  readonly steps: number
  /** Of the replay: an event at n ms for the n-th of the original. */
  readonly trace: Trace.Trace
  /** At the end. */
  readonly snapshot: Card.Snapshot<State>
  /** The properties that do not hold, in the order given. */
  readonly broken: ReadonlyArray<string>
  /** The properties that the original says are broken. */
  readonly claimed: ReadonlyArray<string>
}

/** The run is not the one of the trace: another protocol, other options, or a trace that was changed. */
export class Diverged extends Schema.TaggedError<Diverged>()("Diverged", {
  /** The number of the event in the trace, from 1: its line less the header. */
  step: Schema.Int,
  node: Schema.String,
  /** `step`: whether there is one. */
  what: Schema.Literals(["step", "input", "state", "actions"]),
  /** As in the trace. */
  expected: Schema.Unknown,
  found: Schema.Unknown
}) {
  override get message(): string {
    const [expected, found] = [this.expected, this.found].map((value) =>
      value === undefined ? "nothing" : text(value)
    )
    const is = this.what === "actions" ? "are" : "is"
    const said =
      this.what === "step"
        ? `what happens is ${found}; in the trace it is ${expected}`
        : `its ${this.what} ${is} ${found}; in the trace ${expected}`
    return `The replay leaves the trace at step ${this.step}, on node "${this.node}": ${said}`
  }
}

const text = (value: unknown): string => {
  const whole = JSON.stringify(written(value))
  return whole.length > 500 ? `${whole.slice(0, 500)}…` : whole
}

type ReplayError = Trace.MalformedTrace | Diverged | Simulation.SimulationError

/**
 * Replays a trace of nodes that run one protocol. Fails where it cannot be one, and at the first step that comes out
 * otherwise.
 */
export const run = <State, Message, Command, Event, Timer extends string, Settings = void>({
  options,
  protocol,
  ...common
}: Options<State, Message, Command, Event, Timer, Settings>): Effect.Effect<Result<State>, ReplayError> =>
  runSystem({
    ...common,
    name: protocol.name,
    members: common.trace.header.nodes.map((node) => ({ node, protocol, options }))
  })

/** Replays a trace of nodes that differ: clients and servers, say. */
export const runSystem = Effect.fnUntraced(function* <State, Message, Command, Event, Timer extends string>(
  options: SystemOptions<State, Message, Command, Event, Timer>
): Effect.fn.Return<Result<State>, ReplayError> {
  const script = yield* Effect.fromResult(Scripts.make(options.trace))
  const stranger = script.nodes.find((node) => options.members.every((member) => member.node !== node))
  if (stranger !== undefined) {
    return yield* new Trace.MalformedTrace({ line: 1, reason: `it names node "${stranger}", which is no member` })
  }
  const replaying = new Replaying(script, options)
  const events: Array<Trace.Event> = []
  const { claims, nodes } = script
  const result = yield* Simulation.run<unknown, Card.Snapshot<State>>({
    seed: 0,
    nodes,
    program: replaying.program,
    test: replaying.test,
    carry: replaying.carry,
    yieldProbability: 0,
    // A step a millisecond, and one in which the last comes to its end.
    duration: script.events.length + 2,
    properties: (options.properties ?? [])
      .filter(({ kind, name }) => kind === "always" || claims.includes(name))
      .map(replaying.afterSteps),
    stopAtViolation: false,
    trace: (event) => events.push(event)
  })
  const { difference } = replaying
  if (difference !== undefined) return yield* new Diverged(difference)
  const { source: _, title, ...header } = options.trace.header
  const failed = result.violations.find(({ detail, name }) => name === "a program failed" && detail !== undefined)
  if (failed !== undefined) return yield* replaying.unfinished(failed.detail)
  return {
    steps: replaying.steps,
    trace: { header: { ...header, title: `${title}, replayed`, source: "simulation" }, events },
    snapshot: result.value!,
    broken: result.verdicts.flatMap(({ holds, name }) => (holds ? [] : [name])),
    claimed: claims
  }
})

/** One replay under way. A step is at the millisecond of its number. */
class Replaying {
  difference: Difference | undefined
  steps = 0
  private readonly script: Scripts.Script
  private readonly options: SystemOptions<any, any, any, any, any>
  /** Which steps were taken, of those that actors take. */
  private readonly taken: Uint8Array
  private readonly actors = new Map<string, Actor.Actor<unknown, unknown, unknown>>()
  private readonly views = new Map<string, Queue.Queue<Protocol.View>>()
  /** By the ids of the trace: what was sent, and is not lost. */
  private readonly messages = new Map<number, Simulation.Carried>()
  /** Of the step under way: what is about to be sent, in order. */
  private sending: Array<Trace.Sending> = []

  constructor(script: Scripts.Script, options: SystemOptions<any, any, any, any, any>) {
    this.script = script
    this.options = options
    this.taken = new Uint8Array(script.events.length)
  }

  /** What a node runs: an actor that starts at its step. */
  readonly program = (node: NodeId.NodeId) =>
    Effect.gen({ self: this }, function* () {
      const clock = yield* Clock.Clock
      const now = (): number => Math.floor(Number(clock.monotonicTimeNanosUnsafe()) / 1e6)
      const start = this.script.starts.get(node)?.find((step) => step > now())
      if (start === undefined) return yield* Effect.never
      yield* Effect.sleep(start - now())
      const { members, name, random = [0] } = this.options
      const { among, options, protocol } = members.find((member) => member.node === node)!
      const replayed = new ReplayActor(this.script, random, now)
      const observer = (yield* Observer)!
      const views = yield* Queue.unbounded<Protocol.View>()
      this.views.set(node, views)
      const spawned = Actor.spawn(replayed.protocol(protocol), { name, options }).pipe(
        among === undefined ? identity : Effect.provide(narrowed(among)),
        Effect.provideService(
          Observer,
          replayed.observer(observer, (step) => this.compare(now(), step))
        )
      )
      this.actors.set(
        node,
        yield* this.script.hasViews
          ? Effect.provideService(spawned, Membership, { views: Stream.fromQueue(views) })
          : spawned
      )
    })

  /** Brings each step about, and ends when one comes out otherwise. */
  readonly test = (simulator: Simulation.Simulator) =>
    Effect.gen({ self: this }, function* () {
      const { events } = this.script
      for (let step = 1; step <= events.length; step++) {
        yield* Effect.sleep(1)
        this.complete(step - 1)
        if (this.difference !== undefined) break
        yield* this.perform(events[step - 1]!, simulator)
      }
      yield* Effect.sleep(1)
      this.complete(events.length)
      return simulator.world.snapshot(this.options.name).map((entry) => ({ ...entry }))
    })

  /** Messages wait for their steps. */
  readonly carry = (message: Simulation.Carried): void => {
    // What the network cut off, and what is for no node, comes here not at all.
    for (;;) {
      const next = this.sending.shift()
      if (next === undefined) return
      if (next.to !== message.to || !agree(next.message, message.message)) continue
      return void this.messages.set(next.id, message)
    }
  }

  /** Not before all have started, nor amid a step: the states of a trace are those between its steps. */
  readonly afterSteps = (property: Property.Property): Property.Property => ({
    ...property,
    // A look that comes amid a step is made up for after it, though no state has changed since.
    ofSnapshots: false,
    holds: (world) => {
      const step = Math.floor(world.nowMillis)
      const event = this.script.events[step - 1]
      const isAmid = event?._tag === "Restart" || (event?._tag === "Step" && this.taken[step - 1] === 0)
      return step < this.script.begun || isAmid || property.holds(world)
    }
  })

  /** What a failure of a node's program keeps from happening. */
  unfinished(found: string | undefined): Diverged {
    const index = this.script.events.findIndex((event, at) => event._tag === "Step" && this.taken[at] === 0)
    const event = this.script.events[index]
    const [node, expected] = event?._tag === "Step" ? [event.node, event.input] : ["", undefined]
    return new Diverged({ step: index + 1, node, what: "step", expected, found })
  }

  /** Starts and timeouts come by themselves, each at its time. */
  private perform(event: Trace.Event, { crash, restart, split }: Simulation.Simulator): Effect.Effect<void> {
    switch (event._tag) {
      case "Crash":
        return crash(event.node)
      case "Restart":
        return restart(event.node)
      case "Split":
        return split(event.parts)
      case "Lost":
        return Effect.sync(() => {
          this.messages.get(event.id)?.lose(event.reason)
          this.messages.delete(event.id)
        })
      case "Step":
        return Effect.sync(() => this.hand(event.node, event.input))
      default:
        return Effect.void
    }
  }

  private hand(node: string, input: Trace.Input): void {
    if (input._tag === "Command") this.actors.get(node)?.tell(input.command)
    else if (input._tag === "View") Queue.offerUnsafe(this.views.get(node)!, input.view)
    else if (input._tag === "Message") this.messages.get(input.id!)?.arrive()
  }

  private compare(step: number, found: Parameters<Observer["onStep"]>[0]): void {
    const expected = this.script.events[step - 1]
    const { node } = found
    if (expected?._tag !== "Step" || expected.node !== node || this.taken[step - 1] === 1) {
      const { _tag } = expected ?? {}
      return this.differ({ step, node, what: "step", expected: expected && { _tag }, found: found.input })
    }
    this.taken[step - 1] = 1
    this.steps++
    this.sending = expected.actions.filter((action) => action._tag === "Send")
    if (found.failure !== undefined) {
      const thrown = `a handler that threw ${String(found.failure)}`
      return this.differ({ step, node, what: "step", expected: expected.input, found: thrown })
    }
    const difference = differenceOf(expected, found)
    if (difference !== undefined) this.differ({ step, node, ...difference })
  }

  /** A step that is over must have been taken. */
  private complete(step: number): void {
    const event = this.script.events[step - 1]
    if (event?._tag !== "Step" || this.taken[step - 1] === 1) return
    this.differ({ step, node: event.node, what: "step", expected: event.input, found: undefined })
  }

  /** The earliest counts: others come of it. */
  private differ(difference: Difference): void {
    if (this.difference === undefined || difference.step < this.difference.step) this.difference = difference
  }
}
