/**
 * A register of which each server has a copy, and no server tells another: the least that can go wrong, and does.
 *
 * With one server it is linearizable: that server does one thing after the other. With two it is not, and the model checker
 * says so in four messages: a client puts by one server, is told that it is done, gets by the other, and is given nothing.
 * To keep copies alike takes an algorithm: Attiya, Bar-Noy and Dolev's, or consensus.
 *
 * Source: M. Herlihy, J. Wing, "Linearizability: A Correctness Condition for Concurrent Objects", ACM TOPLAS 12(3), 1990.
 */
import type { Protocol } from "@troupe/actor"
import type { Model } from "@troupe/model-checker"
import * as Example from "./Example.ts"
import * as Register from "./Register.ts"

export interface State {
  /** Put last, of what this server was told. */
  readonly value: Register.Value
}

export const protocol: Protocol.Protocol<State, Register.Message, never, never, never, Register.Servers> = {
  name: "example/single-copy-register",
  message: Register.Message,

  init: () => ({ value: null }),

  onCommand: (state) => state,

  onMessage: (state, from, message, act) => {
    switch (message._tag) {
      case "Put":
        act.send(from, { _tag: "PutOk", request: message.request })
        return { value: message.value }
      case "Get":
        act.send(from, { _tag: "GetOk", request: message.request, value: state.value })
        return state
      default:
        return state
    }
  }
}

export const model = (sizes: Register.Sizes): Model.Checkable<any> =>
  Register.system("single-copy register", protocol, sizes)

export const example = Example.make({
  name: "single-copy-register",
  title: "Single-copy register",
  summary: "Each server keeps its own copy and tells no other: linearizable with one server, and not with two.",
  paper: {
    authors: "Maurice Herlihy, Jeannette Wing",
    title: "Linearizability: A Correctness Condition for Concurrent Objects",
    venue: "ACM TOPLAS 12(3)",
    year: 1990
  },
  flags: [
    { name: "servers", default: 1, minimum: 1, maximum: 9, description: "servers, each with a copy of its own" },
    { name: "clients", default: 2, minimum: 1, maximum: 9, description: "clients, each with a put and a get" }
  ],
  model,
  knownCounts: [
    { values: { servers: 1, clients: 2 }, uniqueStates: 93 },
    { values: { servers: 1, clients: 3 }, uniqueStates: 4_243 }
  ]
})
