/** Passive replication of one number as a system for the model checker, with what clients saw. */
import type { Protocol } from "@troupe/actor"
import { History, Linearizable } from "@troupe/consistency"
import { Checker, Property, System } from "@troupe/model-checker"
import { type Machine, Passive } from "@troupe/replication"
import { Effect, Schema } from "effect"
import { specification } from "../proof/worlds.ts"

/** A number that is added to; 0 reads it. */
export const sum: Machine.Machine<number, number, number, number> = {
  name: "sum",
  init: 0,
  request: Schema.Int,
  update: Schema.Int,
  response: Schema.Int,
  isRead: (amount) => amount === 0,
  execute: (state, amount) => ({ response: state + amount, updates: amount === 0 ? [] : [state + amount] }),
  apply: (_state, value) => value,
  dump: (state) => [state]
}

export const options: Passive.Options = { ...Passive.defaults, silentTicks: 1, pipeline: 1 }

type Seen = ReadonlyArray<History.Event>

/** What one client does: in each life one request, which it may ask twice. */
interface Memo {
  readonly life: number
  readonly again: boolean
}

export interface Given {
  readonly nodes: ReadonlyArray<string>
  /** Of each node's client: its request in the node's first life, and in later ones. */
  readonly requests: Readonly<Record<string, ReadonlyArray<number>>>
  readonly crashes?: number
  readonly views: number
  readonly flying: number
  /** How often each node's clock ticks in a life. */
  readonly ticks: Readonly<Record<string, number>>
  readonly protocol?: Passively
  readonly options?: Partial<Passive.Options>
  /** So many random walks, in place of all states. */
  readonly walks?: number
}

type Passively = Protocol.Protocol<Passive.State, any, Passive.Command, Passive.Event, any, any, any>

/** Whose clock stands still after so many ticks: each may be a false suspicion. */
const ticking = (protocol: Passively, ticks: Given["ticks"]): Passively => ({
  ...protocol,
  init: (self) => ({ ...protocol.init(self), left: ticks[self.id] ?? 0 }),
  onStart: (state, act) => {
    const started = protocol.onStart!(state, act)
    if ((ticks[act.self.id] ?? 0) === 0) act.clearTimer("tick")
    return started
  },
  onTimeout: (state, timer, act) => {
    const { left } = state as Passive.State & { readonly left: number }
    const next = { ...protocol.onTimeout!(state, timer, act), left: left - 1 }
    if (left === 1) act.clearTimer("tick")
    return next
  }
})

const verdicts = new Map<string, boolean>()
const isLinearizable = (seen: Seen): boolean => {
  const key = JSON.stringify(seen)
  let verdict = verdicts.get(key)
  if (verdict === undefined) {
    verdict = Linearizable.check(History.make(seen), specification)._tag === "Ok"
    verdicts.set(key, verdict)
  }
  return verdict
}

export const system = (given: Given) =>
  System.make({
    name: "passive replication",
    members: System.members(ticking(given.protocol ?? Passive.protocol(sum), given.ticks), given.nodes, {
      ...options,
      ...given.options
    }),
    user: {
      memo: { life: 0, again: false } as Memo,
      moves: ({ memo, node, state: { life, status } }): ReadonlyArray<System.Move<Passive.Command, Memo>> => {
        const request = given.requests[node]?.[life - 1]
        if (request === undefined || status === "changing" || (memo.life === life && memo.again)) return []
        const command = { _tag: "Ask", life, floor: 1, asked: [{ counter: 1, request }] } as const
        return [{ _tag: "Command", command, memo: { life, again: memo.life === life } }]
      }
    },
    network: { order: "fifo" },
    crashes: { max: given.crashes ?? 0, restart: true, aheadOfDisk: true },
    record: {
      init: [] as Seen,
      about: ({ _tag }) => _tag === "Commanded" || _tag === "Emitted",
      note: (seen, occurrence) => {
        if (occurrence._tag === "Commanded") {
          const { command, node } = occurrence
          if (command._tag !== "Ask") return seen
          const process = `${node}/${command.life}`
          if (seen.some((event) => event.process === process)) return seen
          const input = command.asked[0]!.request as number
          return [...seen, History.invoke(process, input === 0 ? "Get" : "Add", input)]
        }
        if (occurrence._tag !== "Emitted" || occurrence.event._tag !== "Answered") return seen
        const { event, node } = occurrence
        const { f, process, type } = seen.findLast((each) => String(each.process).startsWith(`${node}/`))!
        return type === "ok" ? seen : [...seen, History.ok(process, f, event.answers[0]!.response as number)]
      }
    },
    within: ({ messages, nodes }) =>
      messages.length <= given.flying && nodes.every(({ state }) => state.view <= given.views),
    properties: [
      ...System.guarantees<Passive.State>(Passive.card).filter(({ kind }) => kind !== "infinitely often"),
      Property.always("linearizable", ({ history }: System.View<Passive.State, Seen>) => isLinearizable(history)),
      Property.sometimes("all are answered", ({ history }: System.View<Passive.State, Seen>) =>
        Object.keys(given.requests).every((node) => history.some((e) => e.process === `${node}/1` && e.type === "ok"))
      ),
      Property.sometimes("a second view", ({ nodes }: System.View<Passive.State, Seen>) =>
        nodes.some(({ state }) => state.view > 1 && state.status === "normal")
      )
    ]
  })

export const check = (given: Given) =>
  Effect.runPromise(
    Checker.check(
      system(given),
      given.walks === undefined ? {} : { search: "random", walks: given.walks, maxDepth: 60 }
    )
  )
