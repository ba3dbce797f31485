/**
 * What the models of registers share: clients that put and get, and a history that tells what they saw.
 *
 * A register holds one value. Each client puts a value of its own by one server and, when that is done, gets the value by
 * the next server, so that a server which does not know of a put is asked. What the clients see is recorded, call by call,
 * in a history that is part of the state: linearizable it must be, as though each call had taken effect at one moment
 * between its beginning and its end.
 *
 * Source: M. Herlihy, J. Wing, "Linearizability: A Correctness Condition for Concurrent Objects", ACM TOPLAS 12(3), 1990.
 */
import type { Protocol } from "@troupe/actor"
import { Specifications, Tester } from "@troupe/consistency"
import { type Model, Property, System } from "@troupe/model-checker"
import type { NodeId } from "@troupe/transport"
import { Schema } from "effect"

// ------------------------------------------------------------------------------------------------------------- messages

/** What is written: a text, `null` before the first. */
export const Value = Schema.NullOr(Schema.String)
export type Value = typeof Value.Type

/** What a client calls, and what it is answered; `request` tells the calls of all clients apart. */
export const Put = Schema.TaggedStruct("Put", { request: Schema.Int, value: Schema.String })
export const Get = Schema.TaggedStruct("Get", { request: Schema.Int })
export const PutOk = Schema.TaggedStruct("PutOk", { request: Schema.Int })
export const GetOk = Schema.TaggedStruct("GetOk", { request: Schema.Int, value: Value })

export const Message = Schema.Union([Put, Get, PutOk, GetOk])
export type Message = typeof Message.Type

/** What each server knows of the others. */
export interface Servers {
  /** In the order of their names. */
  readonly servers: ReadonlyArray<NodeId.NodeId>
}

/** More than half of so many. */
export const majority = (count: number): number => Math.floor(count / 2) + 1

// ------------------------------------------------------------------------------------------------------------ the client

interface ClientState {
  /** The request that is to be answered; `null` when the client is done. */
  readonly awaiting: number | null
  /** Calls that were made. */
  readonly calls: number
}

interface ClientOptions extends Servers {
  /** Counted from 0, after the servers. */
  readonly number: number
}

const client: Protocol.Protocol<ClientState, Message, never, never, never, ClientOptions> = {
  name: "example/client",
  message: Message,

  init: ({ options }) => ({ awaiting: options.number, calls: 1 }),

  onStart: (state, act) => {
    const { number, servers } = act.self.options
    const value = String.fromCharCode("A".charCodeAt(0) + number - servers.length)
    act.send(servers[number % servers.length]!, { _tag: "Put", request: number, value })
    return state
  },

  onCommand: (state) => state,

  // An answer to an earlier call is left where it is.
  onMessage: (state, _from, message, act) => {
    if (message.request !== state.awaiting) return state
    const calls = state.calls + 1
    if (message._tag === "GetOk") return { awaiting: null, calls }
    if (message._tag !== "PutOk") return state
    const { number, servers } = act.self.options
    const request = calls * number
    act.send(servers[(number + state.calls) % servers.length]!, { _tag: "Get", request })
    return { awaiting: request, calls }
  }
}

// ----------------------------------------------------------------------------------------------------------- the history

const isCall = ({ _tag }: Message): boolean => _tag === "Put" || _tag === "Get"
const isAnswer = ({ _tag }: Message): boolean => _tag === "PutOk" || _tag === "GetOk"

/** A call begins when it is sent, and ends when its answer is delivered. */
const record: System.Record<Tester.History, Message> = {
  init: Tester.empty,
  about: ({ _tag, ...rest }) => "message" in rest && (_tag === "Sent" ? isCall : isAnswer)(rest.message),
  note: (history, occurrence) => {
    if (occurrence._tag === "Sent") {
      const { from, message } = occurrence
      if (message._tag === "Put") return Tester.invoke(history, from, { f: "write", input: message.value })
      if (message._tag === "Get") return Tester.invoke(history, from, { f: "read" })
    } else if (occurrence._tag === "Delivered") {
      const { message, to } = occurrence
      if (message._tag === "PutOk") return Tester.complete(history, to, null)
      if (message._tag === "GetOk") return Tester.complete(history, to, message.value)
    }
    return history
  }
}

/** Many states share a history: each is looked at once. */
const once = (holds: (history: Tester.History) => boolean): ((history: Tester.History) => boolean) => {
  const known = new WeakMap<Tester.History, boolean>()
  return (history) => {
    let verdict = known.get(history)
    if (verdict === undefined) known.set(history, (verdict = holds(history)))
    return verdict
  }
}

/** What is asked of every register: that it is one, and that it is of use. */
const properties = (): ReadonlyArray<Property.Property<System.View<unknown, Tester.History>>> => {
  const register = Specifications.register()
  const isLinearizable = once((history) => Tester.isLinearizable(history, register))
  const isRead = once((history) =>
    history.some(({ completed }) => completed.some(({ f, output }) => f === "read" && output !== null))
  )
  return [
    Property.always("linearizable", ({ history }) => isLinearizable(history)),
    Property.sometimes("a value is read", ({ history }) => isRead(history))
  ]
}

// ------------------------------------------------------------------------------------------------------------ the system

export interface Sizes {
  readonly servers: number
  readonly clients: number
  /** 1: servers that no client calls are taken for interchangeable, where the protocol gives them one role. Default: 0. */
  readonly interchangeable?: number
}

/** For examples whose servers answer each other alike, whatever they are called. */
export const interchangeable = {
  name: "interchangeable",
  default: 0,
  minimum: 0,
  maximum: 1,
  description: "1: which is which of the servers that no client calls is left out of account"
} as const

/** Servers that run `protocol`, and their clients. No message is lost or repeated, any may overtake any other. */
export const system = <State, Own>(
  title: string,
  protocol: Protocol.Protocol<State, Own, never, never, never, Servers>,
  sizes: Sizes
): Model.Checkable<System.View<unknown, Tester.History>> => {
  const servers = Array.from({ length: sizes.servers }, (_, index) => `server${index + 1}`)
  const clients = Array.from({ length: sizes.clients }, (_, index) => `client${index + 1}`)
  return System.make<any, any, never, never, never, undefined, Tester.History>({
    name: `${title}, ${count(servers, "server")}, ${count(clients, "client")}`,
    members: [
      ...System.members(protocol, servers, { servers }),
      ...clients.map((node, index) => ({
        node,
        protocol: client,
        options: { servers, number: servers.length + index }
      }))
    ],
    record,
    // Client number i calls server i and the next, round and round.
    ...(sizes.interchangeable === 1 ? { symmetry: [servers.slice(sizes.clients + 1)] } : {}),
    properties: properties(),
    // They look at the history alone.
    visible: () => null
  })
}

const count = (nodes: ReadonlyArray<NodeId.NodeId>, what: string): string =>
  `${nodes.length} ${what}${nodes.length === 1 ? "" : "s"}`
