/** Quorums of one register as a system for the model checker, with what clients saw. */
import type { Protocol } from "@troupe/actor"
import { History, Linearizable } from "@troupe/consistency"
import { Checker, Property, System } from "@troupe/model-checker"
import { type Machine, Quorum, Trie } from "@troupe/replication"
import { Effect } from "effect"
import { specification } from "../proof/worlds.ts"
import { sum } from "./passiveSystem.ts"

/** A number that is added to; 0 reads it. */
export const register: Machine.Machine<number, number, number, number> = {
  ...sum,
  dump: (state) => (state === 0 ? [] : [state]),
  keyed: {
    split: (request) => [{ key: "x", request }],
    join: (_request, [response]) => response!
  }
}

type Seen = ReadonlyArray<History.Event>

export interface Given {
  readonly nodes: ReadonlyArray<string>
  /** Of each node's client: what it asks for, one after the other. */
  readonly requests: Readonly<Record<string, ReadonlyArray<number>>>
  readonly crashes?: System.Crashes
  readonly loss?: number
  /** Ballots beyond are not gone on from. */
  readonly counters: number
  readonly flying?: number
  /** How often each node's clock ticks in a life. Default: 0. */
  readonly ticks?: Readonly<Record<string, number>>
  readonly protocol?: Quorums
  readonly options?: Quorum.LayerOptions
  /** So many random walks, in place of all states. */
  readonly walks?: number
}

export type Quorums = Protocol.Protocol<Quorum.State, any, Quorum.Command, Quorum.Event, any, any, any>

/** Whose clock stands still after so many ticks. */
const ticking = (protocol: Quorums, ticks: Readonly<Record<string, number>>): Quorums => ({
  ...protocol,
  init: (self) => ({ ...protocol.init(self), left: ticks[self.id] ?? 0 }),
  onStart: (state, act) => {
    const started = protocol.onStart!(state, act)
    if ((ticks[act.self.id] ?? 0) === 0) act.clearTimer("tick")
    return started
  },
  onTimeout: (state, timer, act) => {
    const next = protocol.onTimeout!(state, timer, act)
    if (timer !== "tick") return next
    const { left } = state as Quorum.State & { readonly left: number }
    if (left === 1) act.clearTimer("tick")
    return { ...next, left: left - 1 } as Quorum.State
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

type View = System.View<Quorum.State, Seen>

export const system = (given: Given) =>
  System.make({
    name: "quorums",
    members: System.members(
      ticking(given.protocol ?? Quorum.protocol(register), given.ticks ?? {}),
      given.nodes,
      Effect.runSync(Quorum.optionsOf(given.nodes, given.options))
    ),
    user: {
      /** How many of its requests it has asked for; one of an earlier life has no answer. */
      memo: 0,
      moves: ({ memo, node, state }): ReadonlyArray<System.Move<Quorum.Command, number>> => {
        const request = given.requests[node]?.[memo]
        if (request === undefined || state.proposals.size > 0 || state.readings.size > 0) return []
        const command = { _tag: "Ask", life: state.registers.life, parts: [{ id: memo, key: "x", request }] } as const
        return [{ _tag: "Command", command, memo: memo + 1 }]
      }
    },
    ...(given.loss === undefined ? {} : { network: { loss: given.loss } }),
    ...(given.crashes === undefined ? {} : { crashes: given.crashes }),
    record: {
      init: [] as Seen,
      about: ({ _tag }) => _tag === "Commanded" || _tag === "Emitted",
      note: (seen, occurrence) => {
        if (occurrence._tag === "Commanded") {
          const { command, node } = occurrence
          if (command._tag !== "Ask") return seen
          const { id, request } = command.parts[0]!
          return [...seen, History.invoke(`${node}/${id}`, request === 0 ? "Get" : "Add", request as number)]
        }
        if (occurrence._tag !== "Emitted" || occurrence.event._tag !== "Answered") return seen
        const { event, node } = occurrence
        let next = seen
        for (const { id, response } of event.answers) {
          const process = `${node}/${id}`
          const asked = seen.find((each) => each.process === process)!
          next = [...next, History.ok(process, asked.f, response as number)]
        }
        return next
      }
    },
    within: ({ messages, nodes }) =>
      messages.length <= (given.flying ?? 100) &&
      nodes.every(({ state }) => (Trie.get(state.registers.byKey, "x")?.promised.counter ?? 0) <= given.counters),
    properties: [
      ...System.guarantees<Quorum.State>(Quorum.card).filter(({ kind }) => kind === "always"),
      Property.always("linearizable", ({ history }: View) => isLinearizable(history)),
      Property.sometimes("all are answered", ({ history }: View) => {
        const count = Object.values(given.requests).reduce((all, { length }) => all + length, 0)
        return history.filter(({ type }) => type === "ok").length === count
      })
    ]
  })

export const check = (given: Given, options: Checker.Options = {}) =>
  Effect.runPromise(
    Checker.check(
      system(given),
      given.walks === undefined ? options : { search: "random", walks: given.walks, maxDepth: 60, ...options }
    )
  )
