/** Any election of this package: held against its card in simulation, and in every interleaving; and what it sends. */
import { Actor, type Card, Protocol } from "@troupe/actor"
import { Election } from "@troupe/election"
import { Checker, System } from "@troupe/model-checker"
import { Faults, Simulation } from "@troupe/simulation"
import type { Transport } from "@troupe/transport"
import { Context, Effect, Layer, type Scope } from "effect"

export const nodesOf = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `P${i + 1}`)

/** Of groups whose messages are counted: 2 to 25 nodes, and 49. */
export const sizes: ReadonlyArray<number> = [...Array.from({ length: 24 }, (_, at) => at + 2), 49]

type Command = { readonly _tag: "Campaign" } | { readonly _tag: "Resign" }

type Machine<State, Message, Timer extends string, Options> = Protocol.Protocol<
  State,
  Message,
  Command,
  { readonly _tag: "LeaderChanged"; readonly leader: { readonly id: string; readonly epoch: number } | undefined },
  Timer,
  Options
>

export interface Algorithm<State, Message, Timer extends string, Options> {
  readonly card: Card.Card<State>
  readonly protocol: Machine<State, Message, Timer, Options>
  readonly defaults: Options
}

export type TraceEvent = Parameters<NonNullable<Simulation.Options<unknown>["trace"]>>[0]

interface Simulated {
  readonly nodes: number
  readonly faults?: Card.Faults
  readonly change?: Partial<Faults.Faults>
  /** Of the card's guarantees; default: all. */
  readonly only?: ReadonlyArray<string>
}

interface Checked<Machine, Options> {
  readonly nodes: number
  readonly protocol?: Machine
  /** Of all nodes, or of each. */
  readonly options?: Options | ((node: string) => Options)
  readonly crashes?: System.Crashes
  readonly network?: System.Network
  /** Default: `synchronous`. */
  readonly timeouts?: "any" | "synchronous"
  readonly maxDepth?: number
  readonly only?: ReadonlyArray<string>
  /** Who may resign once, at any time, and then stand again. */
  readonly resign?: ReadonlyArray<string>
}

/** The epoch in which each node last followed a leader in this life: it must not fall. */
type Heard = { readonly [node: string]: { readonly epoch: number; readonly fell: boolean } }

const epochsGrow: System.Record<Heard> = {
  init: {},
  about: ({ _tag }) => _tag === "Emitted" || _tag === "Crashed",
  note: (heard, occurrence) => {
    if (occurrence._tag === "Crashed") return { ...heard, [occurrence.node]: { epoch: 0, fell: false } }
    if (occurrence._tag !== "Emitted" || occurrence.event.leader === undefined) return heard
    const { epoch } = occurrence.event.leader
    const before = heard[occurrence.node]
    const fell = (before?.fell ?? false) || epoch < (before?.epoch ?? 0)
    return { ...heard, [occurrence.node]: { epoch, fell } }
  }
}

/** What a test does with an algorithm. */
export const testing = <State, Message, Timer extends string, Options>(
  algorithm: Algorithm<State, Message, Timer, Options>
) => {
  const { card, protocol } = algorithm
  const optionsOf = (node: string, options: Options | ((node: string) => Options) = algorithm.defaults): Options =>
    typeof options === "function" ? (options as (node: string) => Options)(node) : options
  type Given = Simulated & {
    readonly options?: Options | ((node: string) => Options)
    readonly protocol?: typeof protocol
  }

  const world = ({ change, faults = "none", nodes, only, options, ...given }: Given) => ({
    nodes: nodesOf(nodes),
    faults: { ...Faults.presets[faults], ...change },
    properties: Simulation.fromCard(card, protocol.name).filter(
      ({ name }) => only === undefined || only.includes(name)
    ),
    program: (node: string): Effect.Effect<void, unknown, Transport | Scope.Scope> =>
      Effect.asVoid(Actor.spawn(given.protocol ?? protocol, { options: optionsOf(node, options) }))
  })

  /** Broken guarantees over the seeds 1..`seeds`. */
  const search = (given: Given & { readonly seeds: number }) =>
    Effect.map(
      Simulation.search({ ...world(given), seeds: { first: 1, last: given.seeds } }),
      ({ broken, failures }) => ({ broken, first: failures[0] })
    )

  const run = <A = void>(
    given: Given & {
      readonly seed?: number
      readonly trace?: (event: TraceEvent) => void
      readonly test: (simulator: Simulation.Simulator, state: (node: string) => State) => Effect.Effect<A, unknown>
    }
  ) =>
    Simulation.run<unknown, A>({
      ...world(given),
      seed: given.seed ?? 1,
      duration: "1 hour",
      test: (simulator) =>
        given.test(
          simulator,
          (node) => simulator.world.snapshot(protocol.name).find((each) => each.node === node)!.state as State
        ),
      ...(given.trace === undefined ? {} : { trace: given.trace })
    })

  /** `memo`: how often the user has changed its mind. */
  const user = (who: ReadonlyArray<string>): System.User<State, Command, number> => ({
    memo: 0,
    moves: ({ memo, node }) =>
      who.includes(node) && memo < 2
        ? [{ _tag: "Command", command: { _tag: memo === 0 ? "Resign" : "Campaign" }, memo: memo + 1 }]
        : []
  })

  /** Every interleaving; besides the card's guarantees, that no node follows a leader of an epoch that is not later. */
  const exhaust = ({ maxDepth, nodes, only, options, resign = [], ...given }: Checked<typeof protocol, Options>) =>
    Effect.runPromise(
      Checker.check(
        System.make({
          name: protocol.name,
          user: user(resign),
          members: nodesOf(nodes).map((node) => ({
            node,
            protocol: given.protocol ?? protocol,
            options: optionsOf(node, options)
          })),
          ...(given.crashes === undefined ? {} : { crashes: given.crashes }),
          ...(given.network === undefined ? {} : { network: given.network }),
          timeouts: given.timeouts ?? "synchronous",
          record: epochsGrow,
          properties: [
            ...System.guarantees(card),
            {
              name: "epochs grow",
              kind: "always" as const,
              holds: ({ history }: { readonly history: Heard }) => Object.values(history).every(({ fell }) => !fell)
            }
          ].filter(({ name }) => only === undefined || only.includes(name))
        }),
        maxDepth === undefined ? {} : { maxDepth }
      )
    )

  const verdicts = ({ properties }: Checker.Report): Readonly<Record<string, string>> =>
    Object.fromEntries(properties.map(({ name, verdict }) => [name, verdict]))

  /** What `verdicts` gives when all is well. */
  const allHold = Object.fromEntries(
    [...card.guarantees.map(({ name }) => name), "epochs grow"].map((n) => [n, "holds"])
  )

  /** Sent after a moment, by tag, without what the card calls background. */
  const sent = (trace: ReadonlyArray<TraceEvent>, after = 0): Readonly<Record<string, number>> => {
    const counts: Record<string, number> = {}
    for (const event of trace) {
      if (event._tag !== "Step" || event.atMillis! < after) continue
      for (const action of event.actions) {
        if (action._tag !== "Send") continue
        const { _tag } = action.message as { readonly _tag: string }
        if (card.cost.background?.includes(_tag) !== true) counts[_tag] = (counts[_tag] ?? 0) + 1
      }
    }
    return counts
  }

  return { allHold, exhaust, run, search, sent, verdicts }
}

export const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

/** A process of `nodes` that has been through `inputs`: its state, and what it asked for in the last step. */
export const processOf =
  <State, Message, Timer extends string, Options>(
    protocol: Machine<State, Message, Timer, Options>,
    nodes: ReadonlyArray<string>,
    options: Options
  ) =>
  (id: string, ...inputs: ReadonlyArray<Protocol.Input<Message, Command, Timer>>) => {
    const self = Protocol.self(id, nodes, options)
    let state = protocol.init(self)
    let actions: ReadonlyArray<Protocol.Action<Message, unknown, Timer>> = []
    for (const input of inputs) ({ actions, state } = Protocol.step(protocol, self, state, input))
    return {
      state,
      sent: actions.flatMap((action) => (action._tag === "Send" ? [[action.to, action.message] as const] : [])),
      timers: Object.fromEntries(
        actions.flatMap((action) => (action._tag === "SetTimer" ? [[action.timer, action.delayMillis]] : []))
      )
    }
  }

/** The election, in the scope of the node: it goes on when the program is done. */
export const built = <E>(layer: Layer.Layer<Election, E, Transport>) =>
  Effect.map(Layer.build(layer), Context.get(Election))
