/**
 * Single-decree Paxos: servers agree on one value, for ever, though a minority may crash and messages come late.
 *
 * A server that has a value to propose takes a ballot, a number that no other server has, and asks all to prepare for it:
 * who promises will take no part in a lower one, and tells what it last accepted. With the promises of a majority the server
 * knows of every value that can have been chosen in a lower ballot, for any two majorities have a server in common. It asks
 * all to accept the one of the highest such ballot, and only where there is none its own. What a majority accepts is chosen.
 *
 * In this model a value is what a client puts; a get is answered once its server knows what was chosen. A server proposes
 * once, so that two proposers may also block each other: Paxos is safe always, and live only when one is left alone.
 *
 * Source: L. Lamport, "The Part-Time Parliament", ACM TOCS 16(2), 1998; told again in "Paxos Made Simple", 2001.
 */
import type { Protocol } from "@troupe/actor"
import type { Model } from "@troupe/model-checker"
import { NodeId } from "@troupe/transport"
import { Schema } from "effect"
import * as Example from "./Example.ts"
import * as Register from "./Register.ts"

// --------------------------------------------------------------------------------------------------- messages and state

/** Ordered by round, then by server. */
const Ballot = Schema.Struct({ round: Schema.Int, server: NodeId.NodeId })
type Ballot = typeof Ballot.Type

/** A value, with the client's call that put it. */
const Proposal = Schema.Struct({ request: Schema.Int, client: NodeId.NodeId, value: Schema.String })
type Proposal = typeof Proposal.Type

const Accepted = Schema.Struct({ ballot: Ballot, proposal: Proposal })
type Accepted = typeof Accepted.Type

export const Message = Schema.Union([
  ...Register.Message.members,
  /** "Take no part in lower ballots; what did you accept?" */
  Schema.TaggedStruct("Prepare", { ballot: Ballot }),
  /** The promise. */
  Schema.TaggedStruct("Prepared", { ballot: Ballot, accepted: Schema.NullOr(Accepted) }),
  Schema.TaggedStruct("Accept", { ballot: Ballot, proposal: Proposal }),
  Schema.TaggedStruct("Accepted", { ballot: Ballot }),
  /** "This was chosen." */
  Schema.TaggedStruct("Decided", { ballot: Ballot, proposal: Proposal })
])
export type Message = typeof Message.Type

export interface State {
  // All servers.
  /** The highest that this server has heard of, and takes part in. */
  readonly ballot: Ballot

  // The proposer.
  /** What this server proposes: its client's, until it learns of one that may have been chosen. */
  readonly proposal: Proposal | null
  /** Who promised, and what each had accepted. Of this server's latest ballot. */
  readonly promises: Readonly<Record<NodeId.NodeId, Accepted | null>>
  /** Who accepted the proposal. */
  readonly acceptors: ReadonlySet<NodeId.NodeId>

  // The acceptor.
  /** Of the highest ballot in which this server accepted. */
  readonly accepted: Accepted | null

  // The learner.
  /** What is accepted was chosen. */
  readonly decided: boolean
}

type Act = Protocol.Actions<Message, never, never, Register.Servers>

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, never, never, never, Register.Servers> = {
  name: "example/paxos",
  message: Message,

  init: ({ options }) => ({
    ballot: { round: 0, server: options.servers[0]! },
    proposal: null,
    promises: {},
    acceptors: new Set(),
    accepted: null,
    decided: false
  }),

  onCommand: (state) => state,

  onMessage: (state, from, message, act) => {
    if (state.decided) return answer(state, from, message, act)
    switch (message._tag) {
      case "Put":
        return prepare(state, { request: message.request, client: from, value: message.value }, act)
      case "Prepare":
        if (compare(message.ballot, state.ballot) <= 0) return state
        act.send(from, { _tag: "Prepared", ballot: message.ballot, accepted: state.accepted })
        return { ...state, ballot: message.ballot }
      case "Prepared":
        return compare(message.ballot, state.ballot) === 0 ? onPromise(state, from, message.accepted, act) : state
      case "Accept": {
        const { ballot, proposal } = message
        if (compare(ballot, state.ballot) < 0) return state
        act.send(from, { _tag: "Accepted", ballot })
        return { ...state, ballot, accepted: { ballot, proposal } }
      }
      case "Accepted":
        return compare(message.ballot, state.ballot) === 0 ? onAcceptance(state, from, act) : state
      case "Decided": {
        const { ballot, proposal } = message
        return { ...state, ballot, accepted: { ballot, proposal }, decided: true }
      }
      default:
        return state
    }
  }
}

/** What was chosen stays so: there is nothing left to do but to tell. */
const answer = (state: State, from: NodeId.NodeId, message: Message, act: Act): State => {
  if (message._tag === "Get") {
    act.send(from, { _tag: "GetOk", request: message.request, value: state.accepted!.proposal.value })
  }
  return state
}

/** Phase 1: a ballot higher than any that this server has heard of. */
const prepare = (state: State, proposal: Proposal, act: Act): State => {
  if (state.proposal !== null) return state
  const { id } = act.self
  const ballot = { round: state.ballot.round + 1, server: id }
  act.sendAll(others(act), { _tag: "Prepare", ballot })
  return { ...state, ballot, proposal, promises: { [id]: state.accepted }, acceptors: new Set() }
}

const onPromise = (state: State, from: NodeId.NodeId, accepted: Accepted | null, act: Act): State => {
  const promises = { ...state.promises, [from]: accepted }
  const promised = { ...state, promises }
  // Later promises change nothing: the proposal is made.
  return Object.keys(promises).length === majority(act) ? propose(promised, act) : promised
}

/** Phase 2: what may have been chosen, or else this server's own. */
const propose = (state: State, act: Act): State => {
  const { ballot, promises } = state
  const { id } = act.self
  const highest = Object.values(promises).reduce((a, b) =>
    a === null || (b !== null && compare(b.ballot, a.ballot) > 0) ? b : a
  )
  const proposal = highest === null ? state.proposal! : highest.proposal
  act.sendAll(others(act), { _tag: "Accept", ballot, proposal })
  return { ...state, proposal, accepted: { ballot, proposal }, acceptors: new Set([id]) }
}

const onAcceptance = (state: State, from: NodeId.NodeId, act: Act): State => {
  const acceptors = new Set([...state.acceptors, from])
  if (acceptors.size < majority(act)) return { ...state, acceptors }
  const proposal = state.proposal!
  act.sendAll(others(act), { _tag: "Decided", ballot: state.ballot, proposal })
  act.send(proposal.client, { _tag: "PutOk", request: proposal.request })
  return { ...state, acceptors, decided: true }
}

const compare = (a: Ballot, b: Ballot): number => a.round - b.round || NodeId.Order(a.server, b.server)

const majority = ({ self }: Act): number => Register.majority(self.options.servers.length)

const others = ({ self }: Act): ReadonlyArray<NodeId.NodeId> => self.options.servers.filter((each) => each !== self.id)

// ------------------------------------------------------------------------------------------------------------ the model

export const model = (sizes: Register.Sizes): Model.Checkable<any> => Register.system("Paxos", protocol, sizes)

export const example = Example.make({
  name: "paxos",
  title: "Single-decree Paxos",
  summary: "Servers agree on one value for ever: a majority promises to a ballot, then a majority accepts.",
  paper: { authors: "Leslie Lamport", title: "The Part-Time Parliament", venue: "ACM TOCS 16(2)", year: 1998 },
  flags: [
    { name: "servers", default: 3, minimum: 2, maximum: 9, description: "servers, of which a majority must answer" },
    { name: "clients", default: 2, minimum: 1, maximum: 9, description: "clients, each with a put and a get" },
    Register.interchangeable
  ],
  model,
  knownCounts: [{ values: { servers: 3, clients: 2, interchangeable: 0 }, uniqueStates: 16_668 }]
})
