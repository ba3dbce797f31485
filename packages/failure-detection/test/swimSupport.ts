/** Common set-up of the tests of SWIM: a node by itself, and a simulated world. */
import { type Card, Protocol } from "@troupe/actor"
import { type Opinion, Swim } from "@troupe/failure-detection"
import { Faults, Simulation } from "@troupe/simulation"
import { Effect, Layer } from "effect"

export const { protocol } = Swim

/** Padded, so that the order of names is that of numbers. */
export const nodesOf = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, at) => `n${at + 1}`)

export type Input = Protocol.Input<Swim.Message, Swim.Command, Swim.Timer>
export type Action = Protocol.Action<Swim.Message, Opinion, Swim.Timer>

/** A node that is driven by hand, with a clock and chance that the test sets. */
export class Hand {
  state: Swim.State
  millis = 0
  random = 0
  private readonly self: Protocol.Self<Swim.Options>

  constructor(id: string, nodes: ReadonlyArray<string>, options: Partial<Swim.Options> = {}) {
    this.self = Protocol.self(id, nodes, { ...Swim.defaults, ...options })
    this.state = protocol.init(this.self)
  }

  input(input: Input): ReadonlyArray<Action> {
    const from = { monotonic: () => this.millis, random: () => this.random }
    const { actions, state } = Protocol.step(protocol, this.self, this.state, input, from)
    this.state = state
    return actions
  }

  hear(from: string, message: Swim.Message): ReadonlyArray<Action> {
    return this.input({ _tag: "Message", from, message })
  }

  timeout(timer: Swim.Timer): ReadonlyArray<Action> {
    return this.input({ _tag: "Timeout", timer })
  }

  tell(command: Swim.Command): ReadonlyArray<Action> {
    return this.input({ _tag: "Command", command })
  }

  gossip(...rumours: ReadonlyArray<Swim.Rumour>): ReadonlyArray<Action> {
    return this.hear(this.self.peers[0]!, { _tag: "Gossip", rumours })
  }

  status(node: string): string | undefined {
    return Swim.statusOf(this.state, node)
  }
}

export const sent = (actions: ReadonlyArray<Action>) =>
  actions.flatMap((action) => (action._tag === "Send" ? [{ to: action.to, ...action.message }] : []))

export const timers = (actions: ReadonlyArray<Action>): Readonly<Record<string, number>> =>
  Object.fromEntries(
    actions.flatMap((action) => (action._tag === "SetTimer" ? [[action.timer, Math.round(action.delayMillis)]] : []))
  )

export const emitted = (actions: ReadonlyArray<Action>): ReadonlyArray<string> =>
  actions.flatMap((action) => (action._tag === "Emit" ? [`${action.event.node} ${action.event.status}`] : []))

export const alive = (node: string, incarnation: number): Swim.Rumour => ({ _tag: "Alive", node, incarnation })
export const suspect = (node: string, incarnation: number, by = "n9"): Swim.Rumour => ({
  ...{ _tag: "Suspect", node, incarnation, by }
})
export const confirm = (node: string, incarnation: number): Swim.Rumour => ({ _tag: "Confirm", node, incarnation })
export const gone = (node: string, incarnation: number): Swim.Rumour => ({ _tag: "Leave", node, incarnation })

// ------------------------------------------------------------------------------------------------------ in simulation

export interface World<A> {
  readonly nodes: number | ReadonlyArray<string>
  readonly faults?: Card.Faults
  readonly change?: Partial<Faults.Faults>
  readonly options?: Parameters<typeof Swim.layer>[0]
  readonly seconds: number
  readonly seed?: number
  readonly guarantees?: boolean
  /** In place of the program that only builds the layer. */
  readonly program?: Simulation.Options<unknown>["program"]
  readonly test?: (simulator: Simulation.Simulator) => Effect.Effect<A, unknown>
}

/** Times of tests are virtual. */
export const simulate = <A = void>(world: World<A>) => {
  const layer = Swim.layer(world.options)
  return Simulation.run<unknown, A>({
    seed: world.seed ?? 1,
    nodes: typeof world.nodes === "number" ? nodesOf(world.nodes) : world.nodes,
    faults: { ...Faults.presets[world.faults ?? "none"], ...world.change },
    duration: `${world.seconds} seconds`,
    properties: world.guarantees === true ? Simulation.fromCard(Swim.card, protocol.name) : [],
    program: world.program ?? (() => Layer.build(layer)),
    ...(world.test === undefined ? {} : { test: world.test })
  })
}

/** What each node that is up holds of `node`, but for itself. */
export const views = ({ world }: Simulation.Simulator, node: string): ReadonlyArray<string | undefined> =>
  (world.snapshot(protocol.name) as Card.Snapshot<Swim.State>)
    .filter((other) => other.alive && other.node !== node)
    .map(({ state }) => Swim.statusOf(state, node))

export const stateOf = ({ world }: Simulation.Simulator, node: string): Swim.State =>
  world.snapshot(protocol.name).find((other) => other.node === node)!.state

/** Looks again and again until `holds`, and says after how many milliseconds it did. */
export const until = (every: number, holds: () => boolean): Effect.Effect<number> =>
  Effect.gen(function* () {
    let millis = 0
    for (; !holds(); millis += every) yield* Effect.sleep(every)
    return millis
  })
