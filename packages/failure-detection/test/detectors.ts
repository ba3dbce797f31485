/** All detectors, as tests that go for each of them see one; and worlds to put them in. */
import { Actor, type Card, Protocol } from "@troupe/actor"
import {
  type FailureDetector,
  GossipHeartbeat,
  Heartbeat,
  HeartbeatCounters,
  type Opinion,
  PhiAccrual,
  Ping,
  Swim
} from "@troupe/failure-detection"
import { Faults, Simulation } from "@troupe/simulation"
import type { Transport } from "@troupe/transport"
import { Clock, Effect, type Layer } from "effect"

type Machine = Protocol.Protocol<any, any, any, any, any, any>

export interface Detector {
  readonly name: string
  readonly card: Card.Card<any>
  readonly protocol: Machine
  readonly options: any
  readonly layer: () => Layer.Layer<FailureDetector, Error, Transport>
  readonly statusOf: (state: any, node: string) => Opinion["status"] | undefined
  /** How long it takes at the most, after a crash, until all others suspect the node; with the defaults, in groups of 5. */
  readonly noticedWithinMillis: number
  /** What it says of a node that it takes for dead: a suspicion of SWIM is a question yet. */
  readonly condemns: "suspected" | "down"
}

interface Module {
  readonly card: Card.Card<any>
  readonly protocol: { readonly name: string }
  readonly defaults: unknown
  readonly layer: (options?: never) => Layer.Layer<any, Error, Transport>
  readonly statusOf: (state: never, node: string) => Opinion["status"] | undefined
}

const detector = (
  module: Module,
  noticedWithinMillis: number,
  condemns: Detector["condemns"] = "suspected"
): Detector => ({
  name: module.protocol.name.split("/")[1]!,
  card: module.card,
  protocol: module.protocol as Machine,
  options: module.defaults,
  layer: () => module.layer(),
  statusOf: module.statusOf as Detector["statusOf"],
  noticedWithinMillis,
  condemns
})

const { cleanUpAfterMillis, failAfterMillis } = GossipHeartbeat
export { cleanUpAfterMillis, failAfterMillis }

export const detectors: ReadonlyArray<Detector> = [
  detector(Ping, 3_500),
  detector(Heartbeat, 3_020),
  detector(HeartbeatCounters, 4_020),
  detector(PhiAccrual, 3_100),
  // From when the last counter came to the last of them: by chance, after at most so many rounds.
  detector(GossipHeartbeat, failAfterMillis(GossipHeartbeat.defaults, 5) + 3_000),
  detector(Swim, 15_000, "down")
]

export const named = (name: string): Detector => detectors.find((each) => each.name === name)!

export const nodesOf = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, at) => `n${at + 1}`)

/** What a node said at a time of the run. */
export interface Said extends Opinion {
  readonly by: string
  readonly atMillis: number
}

export interface World {
  readonly nodes: number
  readonly seconds: number
  readonly seed?: number
  readonly faults?: Partial<Faults.Faults>
  readonly options?: object
  /** In place of the detector's. */
  readonly protocol?: Machine
  /** Options of one node. */
  readonly optionsOf?: (node: string) => object
  readonly scheduled?: NonNullable<Simulation.Options<unknown>["scheduled"]>
  readonly test?: (simulator: Simulation.Simulator) => Effect.Effect<unknown, unknown>
}

/** Runs a detector on nodes, and notes what each says. */
export const watch = (detector: Detector, world: World) => {
  const said: Array<Said> = []
  const options = (node: string) => ({ ...detector.options, ...world.options, ...world.optionsOf?.(node) })
  return Effect.map(
    Simulation.run({
      seed: world.seed ?? 1,
      nodes: nodesOf(world.nodes),
      faults: { ...Faults.none, ...world.faults },
      duration: `${world.seconds} seconds`,
      // What the seed draws goes on to the end of the run.
      planned: `${Math.ceil(world.seconds / 0.6)} seconds`,
      ...(world.scheduled === undefined ? {} : { scheduled: world.scheduled }),
      ...(world.test === undefined ? {} : { test: world.test }),
      program: Effect.fnUntraced(function* (node: string) {
        const clock = yield* Clock.Clock
        const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
        const actor = yield* Actor.spawn(world.protocol ?? detector.protocol, { options: options(node) })
        actor.subscribe((opinion: Opinion) => said.push({ by: node, atMillis: now(), ...opinion }))
      })
    }),
    (result) => {
      if (result.violations.length > 0) throw new Error(JSON.stringify(result.violations))
      return { said, counts: result.counts, value: result.value }
    }
  )
}

export const crash = (node: string, atMillis: number, forMillis = 1e9) => ({
  ...{ _tag: "Crash" as const, node, atMillis, forMillis }
})

export const pause = (node: string, atMillis: number, forMillis: number) => ({
  ...{ _tag: "Pause" as const, node, atMillis, forMillis }
})

/** After how many milliseconds each of the others held `node` for anything but up. */
export const noticed = (said: ReadonlyArray<Said>, node: string, atMillis: number): ReadonlyMap<string, number> => {
  const first = new Map<string, number>()
  for (const each of said) {
    if (each.node !== node || each.status === "up" || each.atMillis < atMillis || first.has(each.by)) continue
    first.set(each.by, each.atMillis - atMillis)
  }
  return first
}

/** How often a node that was well was taken for dead by one that was. */
export const wrong = (
  said: ReadonlyArray<Said>,
  ill: ReadonlyArray<string> = [],
  condemns: Detector["condemns"] = "suspected"
): number =>
  said.filter(({ by, node, status }) => status === condemns && !ill.includes(node) && !ill.includes(by)).length

// --------------------------------------------------------------------------------------------------------- one by hand

/** A node that is driven by hand, with a clock and chance that the test sets. */
export class Hand<State, Message, Command, Event, Timer extends string, Options> {
  state: State
  millis = 0
  random = 0
  private readonly protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options>
  private readonly self: Protocol.Self<Options>

  constructor(
    protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options>,
    options: Options,
    nodes: number | ReadonlyArray<string> = 3,
    id = "n1"
  ) {
    this.protocol = protocol
    this.self = Protocol.self(id, typeof nodes === "number" ? nodesOf(nodes) : nodes, options)
    this.state = protocol.init(this.self)
  }

  input(input: Protocol.Input<Message, Command, Timer>): ReadonlyArray<Protocol.Action<Message, Event, Timer>> {
    const from = { monotonic: () => this.millis, random: () => this.random }
    const { actions, state } = Protocol.step(this.protocol, this.self, this.state, input, from)
    this.state = state
    return actions
  }

  start() {
    return this.input({ _tag: "Start" })
  }

  hear(from: string, message: Message) {
    return this.input({ _tag: "Message", from, message })
  }

  timeout(timer: Timer) {
    return this.input({ _tag: "Timeout", timer })
  }

  tell(command: Command) {
    return this.input({ _tag: "Command", command })
  }
}

type Actions = ReadonlyArray<Protocol.Action<any, any, string>>

/** "n2 Ping" for each message sent. */
export const sent = (actions: Actions): ReadonlyArray<string> =>
  actions.flatMap((action) =>
    action._tag === "Send" ? [`${action.to} ${action.message._tag ?? JSON.stringify(action.message)}`] : []
  )

export const emitted = (actions: Actions): ReadonlyArray<string> =>
  actions.flatMap((action) => (action._tag === "Emit" ? [`${action.event.node} ${action.event.status}`] : []))

export const timers = (actions: Actions): Readonly<Record<string, number>> =>
  Object.fromEntries(
    actions.flatMap((action) => (action._tag === "SetTimer" ? [[action.timer, action.delayMillis]] : []))
  )
