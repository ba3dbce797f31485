/**
 * Attiya, Bar-Noy and Dolev's register: copies on several servers that behave as one, though a minority may crash.
 *
 * Every value bears a sequence number and the server that gave it. A server that is asked to put or get first queries the
 * others, until it knows the copies of a majority; the greatest is the latest, since any two majorities have a server in
 * common. A put takes the next number for its value. Then the server has a majority record the value, and answers. So does
 * a get: what it is about to return must not be forgotten by a later one, so readers write too.
 *
 * No consensus is needed for that, and no timing assumed; but neither can it compare and set.
 *
 * Source: H. Attiya, A. Bar-Noy, D. Dolev, "Sharing Memory Robustly in Message-Passing Systems", Journal of the ACM 42(1),
 * 1995; with many writers as in N. Lynch, A. Shvartsman, FTCS 1997.
 */
import type { Protocol } from "@troupe/actor"
import type { Model } from "@troupe/model-checker"
import { NodeId } from "@troupe/transport"
import { Schema } from "effect"
import * as Example from "./Example.ts"
import * as Register from "./Register.ts"

// --------------------------------------------------------------------------------------------------- messages and state

/** The order of puts: by number, then by server. */
const Sequencer = Schema.Struct({ number: Schema.Int, server: NodeId.NodeId })
type Sequencer = typeof Sequencer.Type

const Copy = Schema.Struct({ sequencer: Sequencer, value: Register.Value })
type Copy = typeof Copy.Type

export const Message = Schema.Union([
  ...Register.Message.members,
  /** "What is your copy?" */
  Schema.TaggedStruct("Query", { request: Schema.Int }),
  Schema.TaggedStruct("QueryOk", { request: Schema.Int, copy: Copy }),
  /** "Let your copy be no older than this." */
  Schema.TaggedStruct("Record", { request: Schema.Int, copy: Copy }),
  Schema.TaggedStruct("RecordOk", { request: Schema.Int })
])
export type Message = typeof Message.Type

interface Call {
  readonly request: number
  readonly client: NodeId.NodeId
}

/** Before the copies of a majority are known. */
interface Querying extends Call {
  readonly _tag: "Querying"
  /** What is to be put; `null`: it is a get. */
  readonly put: string | null
  /** By server; this one's own as it was at the beginning. Fewer than a majority. */
  readonly copies: Readonly<Record<NodeId.NodeId, Copy>>
}

/** Before a majority has recorded the value. */
interface Recording extends Call {
  readonly _tag: "Recording"
  /** The answer. */
  readonly answer: Message
  /** Who has recorded it, this server among them. Fewer than a majority. */
  readonly recorded: ReadonlySet<NodeId.NodeId>
}

export interface State {
  /** Never replaced by an older one. */
  readonly copy: Copy
  /** The client's call that is being served: one at a time, others wait. */
  readonly call: Querying | Recording | null
}

type Act = Protocol.Actions<Message, never, never, Register.Servers>

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, never, never, never, Register.Servers> = {
  name: "example/abd-register",
  message: Message,

  init: ({ id }) => ({ copy: { sequencer: { number: 0, server: id }, value: null }, call: null }),

  onCommand: (state) => state,

  onMessage: (state, from, message, act) => {
    switch (message._tag) {
      case "Put":
        return query(state, { request: message.request, client: from, put: message.value }, act)
      case "Get":
        return query(state, { request: message.request, client: from, put: null }, act)
      case "Query":
        act.send(from, { _tag: "QueryOk", request: message.request, copy: state.copy })
        return state
      case "QueryOk":
        return onCopy(state, from, message.request, message.copy, act)
      case "Record":
        act.send(from, { _tag: "RecordOk", request: message.request })
        return keep(state, message.copy)
      case "RecordOk":
        return onRecorded(state, from, message.request, act)
      default:
        return state
    }
  }
}

/** A client calls: first to find out what a majority has. */
const query = (state: State, call: Omit<Querying, "_tag" | "copies">, act: Act): State => {
  if (state.call !== null) return state
  const { id } = act.self
  act.sendAll(others(act), { _tag: "Query", request: call.request })
  return { ...state, call: { _tag: "Querying", ...call, copies: { [id]: state.copy } } }
}

const onCopy = (state: State, from: NodeId.NodeId, request: number, copy: Copy, act: Act): State => {
  const { call } = state
  if (call?._tag !== "Querying" || call.request !== request) return state
  const copies = { ...call.copies, [from]: copy }
  const known = Object.values(copies)
  if (known.length < Register.majority(act.self.options.servers.length)) return { ...state, call: { ...call, copies } }
  const latest = known.reduce((a, b) => (isLater(b, a) ? b : a))
  return recordByMajority(state, call, latest, act)
}

const recordByMajority = (state: State, call: Querying, latest: Copy, act: Act): State => {
  const { client, put, request } = call
  const { id } = act.self
  const copy = put === null ? latest : { sequencer: { number: latest.sequencer.number + 1, server: id }, value: put }
  const answer: Message = put === null ? { _tag: "GetOk", request, value: copy.value } : { _tag: "PutOk", request }
  act.sendAll(others(act), { _tag: "Record", request, copy })
  return { ...keep(state, copy), call: { _tag: "Recording", request, client, answer, recorded: new Set([id]) } }
}

const onRecorded = (state: State, from: NodeId.NodeId, request: number, act: Act): State => {
  const { call } = state
  if (call?._tag !== "Recording" || call.request !== request || call.recorded.has(from)) return state
  const recorded = new Set([...call.recorded, from])
  if (recorded.size < Register.majority(act.self.options.servers.length)) {
    return { ...state, call: { ...call, recorded } }
  }
  act.send(call.client, call.answer)
  return { ...state, call: null }
}

const keep = (state: State, copy: Copy): State => (isLater(copy, state.copy) ? { ...state, copy } : state)

const isLater = ({ sequencer: a }: Copy, { sequencer: b }: Copy): boolean =>
  a.number > b.number || (a.number === b.number && NodeId.Order(a.server, b.server) > 0)

const others = ({ self }: Act): ReadonlyArray<NodeId.NodeId> => self.options.servers.filter((each) => each !== self.id)

// ------------------------------------------------------------------------------------------------------------ the model

export const model = (sizes: Register.Sizes): Model.Checkable<any> => Register.system("ABD register", protocol, sizes)

export const example = Example.make({
  name: "abd-register",
  title: "Attiya–Bar-Noy–Dolev register",
  summary: "Copies on several servers that behave as one: each call asks a majority, then tells a majority.",
  paper: {
    authors: "Hagit Attiya, Amotz Bar-Noy, Danny Dolev",
    title: "Sharing Memory Robustly in Message-Passing Systems",
    venue: "Journal of the ACM 42(1)",
    year: 1995
  },
  flags: [
    { name: "servers", default: 2, minimum: 2, maximum: 9, description: "servers, of which a majority must answer" },
    { name: "clients", default: 2, minimum: 1, maximum: 9, description: "clients, each with a put and a get" },
    Register.interchangeable
  ],
  model,
  knownCounts: [{ values: { servers: 2, clients: 2, interchangeable: 0 }, uniqueStates: 544 }]
})
