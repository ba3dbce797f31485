/** Common set-up: nodes, one lock on each, and a simulated world that is held against the card. */
import type { Protocol } from "@troupe/actor"
import { Checker, Property, System } from "@troupe/model-checker"
import { Mutex, RicartAgrawala } from "@troupe/mutex"
import { Simulation } from "@troupe/simulation"
import type { Transport } from "@troupe/transport"
import { Context, Duration, Effect, Layer, type Scope } from "effect"

export const nodesOf = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `n${i + 1}`)

export type Lock = Mutex["Service"]

/** The lock of this name, in the scope of the node: it goes on to answer when the program is done. */
export const lock = (resource = "orders"): Effect.Effect<Lock, unknown, Transport | Scope.Scope> =>
  Effect.map(Layer.build(RicartAgrawala.layer({ resource })), Context.get(Mutex))

/** What a node does with the lock. */
export const using =
  <A, E, R>(use: (mutex: Lock, node: string) => Effect.Effect<A, E, R>) =>
  (node: string) =>
    Effect.flatMap(lock(), (mutex) => use(mutex, node))

/** Enters `times` times, for so long each. */
export const enter = (mutex: Lock, times: number, millis: number): Effect.Effect<void> =>
  Effect.forEach(Array.from({ length: times }), () => mutex.withLock(() => Effect.sleep(Duration.millis(millis))), {
    discard: true
  })

export const guarantees = Simulation.fromCard(RicartAgrawala.card, `${RicartAgrawala.protocol.name}/orders`)

export const guarantee = (name: string) => guarantees.filter((each) => each.name === name)

export type Machine = typeof RicartAgrawala.protocol

/** Who is in the group, one after the other, as every node hears it. */
type Views = ReadonlyArray<Protocol.View>

interface Memo {
  readonly asked: number
  readonly withdrawn: number
  readonly views: number
}

export interface Exhausted {
  readonly nodes: number
  readonly entries: number
  /** Default: all nodes. */
  readonly askers?: ReadonlyArray<string>
  readonly withdrawals?: number
  readonly order?: "any" | "fifo"
  readonly views?: Views
  readonly crashes?: System.Crashes
  readonly protocol?: Machine
  /** Looks for a break of this one alone. */
  readonly only?: string
  readonly stopAtViolation?: boolean
}

/** Every interleaving of nodes that each enter `entries` times and may withdraw up to `withdrawals` times. */
export const exhaust = (options: Exhausted): Promise<Checker.Report> =>
  Effect.runPromise(Checker.check(system(options), { stopAtViolation: options.stopAtViolation ?? true }))

const system = ({ entries, only, views = [], withdrawals = 0, ...options }: Exhausted) => {
  const nodes = nodesOf(options.nodes)
  const askers = options.askers ?? nodes
  const hasTokens = only === undefined || only === tokensIncrease
  const move = (_tag: "Acquire" | "Release", memo: Memo) => ({ _tag: "Command", command: { _tag }, memo }) as const
  return System.make({
    name: "mutex",
    members: System.members(options.protocol ?? RicartAgrawala.protocol, nodes, undefined),
    network: { order: options.order ?? "any" },
    ...(options.crashes === undefined ? {} : { crashes: options.crashes }),
    user: {
      memo: { asked: 0, withdrawn: 0, views: 0 },
      moves: ({ memo, node, state }): ReadonlyArray<System.Move<RicartAgrawala.Command, Memo>> => [
        ...(memo.views < views.length
          ? [{ _tag: "View", view: views[memo.views]!, memo: { ...memo, views: memo.views + 1 } } as const]
          : []),
        ...(state.phase === "idle" && memo.asked < entries && askers.includes(node) && isMember(node, views, memo.views)
          ? [move("Acquire", { ...memo, asked: memo.asked + 1 })]
          : []),
        ...(state.phase === "inside" ? [move("Release", memo)] : []),
        ...(state.phase === "waiting" && memo.withdrawn < withdrawals
          ? [move("Release", { ...memo, withdrawn: memo.withdrawn + 1 })]
          : [])
      ]
    },
    // The last token, or NaN once one was not higher than the one before; 0 throughout where nobody looks.
    record: {
      init: 0,
      note: (last: number, occurrence: System.Occurrence<unknown, RicartAgrawala.Event>) => {
        if (occurrence._tag !== "Emitted" || !hasTokens) return last
        return occurrence.event.token > last ? occurrence.event.token : NaN
      }
    },
    properties: [
      ...System.guarantees(RicartAgrawala.card),
      Property.always(tokensIncrease, ({ history }: View) => !Number.isNaN(history)),
      // A user who has not entered often enough is not at its end.
      Property.atTheEnd("deadlock freedom", ({ nodes }: View) =>
        nodes.every(({ alive, state }) => !alive || (state.phase === "idle" && state.deferred.length === 0))
      )
    ].filter(({ name }) => only === undefined || only === name)
  })
}

const tokensIncrease = "tokens increase"

type View = System.View<RicartAgrawala.State, number>

/** What each property came to. */
export const verdicts = ({ properties }: Checker.Report): Readonly<Record<string, string>> =>
  Object.fromEntries(properties.map(({ name, verdict }) => [name, verdict]))

/** The way to what breaks the property. */
export const counterexample = ({ properties }: Checker.Report, property: string): ReadonlyArray<string> | undefined =>
  properties.find(({ name }) => name === property)?.counterexample?.steps

/** A node that is to join asks for nothing before a view has it. */
const isMember = (node: string, views: Views, installed: number): boolean =>
  installed === 0
    ? views[0] === undefined || views[0].members.includes(node)
    : views[installed - 1]!.members.includes(node)
