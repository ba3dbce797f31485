/**
 * A lock in every interleaving, where nodes may die, and a failure detector says so to everybody else: never wrongly,
 * after any time, in any order with what the dead have sent.
 */
import type { Card, Protocol } from "@troupe/actor"
import { Checker, Property, System } from "@troupe/model-checker"
import { Effect } from "effect"
import { nodesOf } from "./system.ts"

type Phased = { readonly phase: "idle" | "waiting" | "inside" }

export interface Dying<State extends Phased, Options> {
  readonly protocol: { readonly name: string }
  readonly options: Options
  readonly card: Card.Card<State>
}

interface Memo {
  readonly asked: number
  readonly withdrawn: number
  readonly told: number
}

export interface Bounds<State> {
  readonly nodes: number
  readonly entries: number
  /** Default: all nodes. */
  readonly askers?: ReadonlyArray<string>
  readonly withdrawals?: number
  /** Who may die. */
  readonly mortal?: ReadonlyArray<string>
  /** Crashes that no failure detector tells of. */
  readonly crashes?: System.Crashes
  readonly network?: System.Network
  readonly timeouts?: "any" | "synchronous" | "never"
  /** What the node hears besides, in that order, at any time. */
  readonly commands?: (node: string) => ReadonlyArray<unknown>
  readonly within?: (state: State) => boolean
  readonly only?: string
  /** Whether runs come to an end, so that whoever waits then is stuck. Default: true. */
  readonly ends?: boolean
}

interface Mortal<State> {
  readonly dead: boolean
  readonly lock: State
}

const oracle = "oracle"

/** Dies of "Die", and then hears and says nothing; suspects whom the oracle tells of. */
const mortal = (protocol: Protocol.Any): Protocol.Protocol<Mortal<any>, any, any, any, any, any> => {
  const living = (state: Mortal<any>, step: (lock: any) => any): Mortal<any> => {
    if (state.dead) return state
    const lock = step(state.lock)
    return lock === state.lock ? state : { dead: false, lock }
  }
  return {
    ...protocol,
    init: (self) => ({ dead: false, lock: protocol.init(self) }),
    onStart: (state, act) => living(state, (lock) => protocol.onStart?.(lock, act) ?? lock),
    onCommand: (state, command, act) => {
      if (command._tag !== "Die") return living(state, (lock) => protocol.onCommand(lock, command, act))
      act.send(oracle, { _tag: "Obituary", node: act.self.id })
      return { ...state, dead: true }
    },
    onMessage: (state, from, message, act) =>
      living(state, (lock) =>
        message._tag === "Obituary"
          ? protocol.onCommand(lock, { _tag: "Suspect", node: message.node }, act)
          : protocol.onMessage(lock, from, message, act)
      ),
    onTimeout: (state, timer, act) => living(state, (lock) => protocol.onTimeout!(lock, timer, act))
  }
}

/** Passes on who died. */
const messenger = (protocol: Protocol.Any): Protocol.Any => ({
  name: protocol.name,
  message: protocol.message,
  init: () => ({ dead: false, lock: undefined }),
  onCommand: (state) => state,
  onMessage: (state, _from, message, act) => {
    act.sendAll(
      act.self.peers.filter((node) => node !== message.node),
      message
    )
    return state
  }
})

/** Adds "tokens increase" and "deadlock freedom" to the card. */
export const exhaustDying = <State extends Phased, Options>(
  { card, options, protocol }: Dying<State, Options>,
  bounds: Bounds<State>
): Promise<Checker.Report> => {
  type View = System.View<Mortal<State>, number>
  const nodes = nodesOf(bounds.nodes)
  const { askers = nodes, commands = () => [], ends = true, entries, only, within, withdrawals = 0 } = bounds
  const wrapped = mortal(protocol as Protocol.Any)
  const locks = (view: View): Card.Snapshot<State> =>
    view.nodes
      .filter(({ node }) => node !== oracle)
      .map(({ alive, node, state }) => ({ node, alive: alive && !state.dead, state: state.lock }))
  const hasTokens = only === undefined || only === "tokens increase"
  const tell = (command: unknown, memo: Memo) => ({ _tag: "Command", command, memo }) as const
  const system = System.make<Mortal<State>, any, any, any, any, Memo, number>({
    name: protocol.name,
    members: [
      ...nodes.map((node) => ({ node, protocol: wrapped, options, among: nodes })),
      { node: oracle, protocol: messenger(protocol as Protocol.Any), options }
    ],
    ...(bounds.network === undefined ? {} : { network: bounds.network }),
    ...(bounds.crashes === undefined ? {} : { crashes: bounds.crashes }),
    ...(bounds.timeouts === undefined ? {} : { timeouts: bounds.timeouts }),
    ...(within === undefined ? {} : { within: (view) => locks(view).every(({ state }) => within(state)) }),
    user: {
      memo: { asked: 0, withdrawn: 0, told: 0 },
      moves: ({ memo, node, state: { dead, lock } }) => {
        if (dead || node === oracle) return []
        const heard = commands(node)
        return [
          ...(bounds.mortal?.includes(node) === true ? [tell({ _tag: "Die" }, memo)] : []),
          ...(memo.told < heard.length ? [tell(heard[memo.told], { ...memo, told: memo.told + 1 })] : []),
          ...(lock.phase === "idle" && memo.asked < entries && askers.includes(node)
            ? [tell({ _tag: "Acquire" }, { ...memo, asked: memo.asked + 1 })]
            : []),
          ...(lock.phase === "inside" ? [tell({ _tag: "Release" }, memo)] : []),
          ...(lock.phase === "waiting" && memo.withdrawn < withdrawals
            ? [tell({ _tag: "Release" }, { ...memo, withdrawn: memo.withdrawn + 1 })]
            : [])
        ]
      }
    },
    record: {
      init: 0,
      note: (last, occurrence) => {
        if (occurrence._tag !== "Emitted" || !hasTokens) return last
        return occurrence.event.token > last ? occurrence.event.token : NaN
      }
    },
    properties: [
      ...System.guarantees(card).map((property) => ({
        ...property,
        holds: (view: View) => property.holds({ nodes: locks(view), history: undefined, messages: [] })
      })),
      Property.always("tokens increase", ({ history }: View) => !Number.isNaN(history)),
      ...(ends
        ? [
            Property.atTheEnd("deadlock freedom", (view: View) =>
              locks(view).every(({ alive, state }) => !alive || state.phase === "idle")
            )
          ]
        : [])
    ].filter(({ kind, name }) => (only === undefined ? within === undefined || isSafety(kind) : only === name))
  })
  return Effect.runPromise(Checker.check(system, { stopAtViolation: true }))
}

/** What can be told where not all states are gone on from. */
const isSafety = (kind: Property.Kind): boolean => kind === "always" || kind === "sometimes"
