/** Common set-up: nodes, one lock on each, and a simulated world that is held against the card. */
import type { Protocol } from "@troupe/actor"
import { Mutex, RicartAgrawala } from "@troupe/mutex"
import { Simulation } from "@troupe/simulation"
import type { Transport } from "@troupe/transport"
import { Context, Duration, Effect, Layer, type Scope } from "effect"
import { type Explored, explore } from "@troupe/tools/explore"

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

type Machine = typeof RicartAgrawala.protocol

/** Who is in the group, one after the other, as every node hears it. */
type Views = ReadonlyArray<Protocol.View>

/** Every interleaving of nodes that each enter `entries` times and may withdraw up to `withdrawals` times. */
export const exhaust = (options: {
  readonly nodes: number
  readonly entries: number
  /** Default: all nodes. */
  readonly askers?: ReadonlyArray<string>
  readonly withdrawals?: number
  readonly order?: "any" | "fifo"
  readonly views?: Views
  readonly protocol?: Machine
  /** Looks for a break of this one first. */
  readonly only?: string
}): Explored => {
  const { entries, views = [], withdrawals = 0 } = options
  const nodes = nodesOf(options.nodes)
  const askers = options.askers ?? nodes
  const command = (_tag: "Acquire" | "Release") => ({ _tag: "Command", command: { _tag } }) as const
  return explore({
    protocol: options.protocol ?? RicartAgrawala.protocol,
    nodes,
    options: undefined,
    order: options.order ?? "any",
    memo: { asked: 0, withdrawn: 0, views: 0 },
    user: (node, state, memo) => [
      ...(memo.views < views.length
        ? [{ input: { _tag: "View", view: views[memo.views]! } as const, memo: { ...memo, views: memo.views + 1 } }]
        : []),
      ...(state.phase === "idle" && memo.asked < entries && askers.includes(node) && isMember(node, views, memo.views)
        ? [{ input: command("Acquire"), memo: { ...memo, asked: memo.asked + 1 } }]
        : []),
      ...(state.phase === "inside" ? [{ input: command("Release"), memo }] : []),
      ...(state.phase === "waiting" && memo.withdrawn < withdrawals
        ? [{ input: command("Release"), memo: { ...memo, withdrawn: memo.withdrawn + 1 } }]
        : [])
    ],
    history: 0,
    record: (last, { token }) =>
      token > last || (options.only ?? "tokens increase") !== "tokens increase" ? token : { broken: "tokens increase" },
    invariants: RicartAgrawala.card.guarantees.filter(
      ({ kind, name }) => kind === "always" && (options.only === undefined || options.only === name)
    ),
    atEnd: (ends) =>
      ends.every(
        ({ memo, state }, at) =>
          state.phase === "idle" &&
          state.deferred.length === 0 &&
          memo.asked === (askers.includes(nodes[at]!) ? entries : 0)
      )
  })
}

/** A node that is to join asks for nothing before a view has it. */
const isMember = (node: string, views: Views, installed: number): boolean =>
  installed === 0
    ? views[0] === undefined || views[0].members.includes(node)
    : views[installed - 1]!.members.includes(node)
