/**
 * Replication by quorums: no node leads. Each key is a register of its own; any node takes requests, and asks the others.
 *
 * A read asks all for their versions, and takes the newest that a read quorum of R votes knows of. An update has a ballot:
 * R votes promise to take nothing of a lower one and say what they hold; the node executes what it was asked on the newest
 * of it; when W votes have accepted what comes of it, it is answered. Since R + W > N, one who was asked has heard of the
 * latest update; since W > N/2, no two updates go past each other. All requests for a key that wait at a node are executed
 * in one ballot.
 *
 * Two things are subtle. A read of what only some hold yet must see to it that a write quorum holds it, before it is
 * answered: otherwise a later read could miss it (`writeBack`). And an update that is refused half-way may have been
 * adopted by another node's ballot: copies tell which changes they build on, so that it is not executed again.
 *
 * Nothing waits for who is slow or down, as long as there is a quorum; and nothing has to be noticed or agreed on when a
 * node dies. Several nodes that update one key at once hinder each other; where that is common, a primary does better.
 *
 * Sources: D. K. Gifford, "Weighted Voting for Replicated Data", SOSP 1979; H. Attiya, A. Bar-Noy, D. Dolev, "Sharing Memory
 * Robustly in Message-Passing Systems", JACM 42(1), 1995; D. Rystsov, "CASPaxos: Replicated State Machines without Logs",
 * arXiv:1802.07000, 2018.
 */
import type { Card, Protocol } from "@troupe/actor"
import type { Storage, StorageError } from "@troupe/storage"
import type { ChannelInUse, Transport } from "@troupe/transport"
import { Layer } from "effect"
import * as Claims from "./internal/quorum/claims.ts"
import { type LayerOptions, replicated } from "./internal/quorum/layer.ts"
import type { Message, Record } from "./internal/quorum/messages.ts"
import { replicating } from "./internal/quorum/protocol.ts"
import type { Command, Event, Options, State, Timer } from "./internal/quorum/state.ts"
import type * as Machine from "./Machine.ts"
import type { InvalidOptions, Tag } from "./Replicated.ts"

export { type LayerOptions, optionsOf } from "./internal/quorum/layer.ts"
export type { Message } from "./internal/quorum/messages.ts"
export type { Command, Event, Options, State } from "./internal/quorum/state.ts"

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Quorum replication",
  summary: "Each key is a register: a read hears a read quorum, an update is accepted by a write quorum.",
  paper: {
    authors: "David K. Gifford",
    title: "Weighted Voting for Replicated Data",
    venue: "SOSP",
    year: 1979
  },
  assumes: Claims.assumes,
  guarantees: Claims.guarantees,
  weaknesses: Claims.weaknesses,
  cost: {
    operation: "read, or update",
    best: { text: "2(N−1)+1, with the vote to itself", of: (nodes) => 2 * nodes - 1 },
    worst: { text: "4(N−1)+2, with the votes to itself", of: (nodes) => 4 * nodes - 2 }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

/** The protocol, for a machine: messages in `internal/quorum/messages.ts`, the rules beside it. */
export const protocol = (
  machine: Machine.Any
): Protocol.Protocol<State, Message, Command, Event, Timer, Options, Record> =>
  replicating(machine, `replication/quorum/${machine.name}`, card)

// ------------------------------------------------------------------------------------------------------------ the layer

/**
 * Replicates a machine that is `keyed` over all nodes of the transport, each with a `Storage` of its own that outlives it.
 * Every node must build the layer, with the same options. Fails with `InvalidOptions` where one is out of its range, or
 * breaks one of Gifford's rules, R + W > N and W > N/2.
 */
export const layer = <Self, S, Q, U, R>(
  tag: Tag<Self, S, Q, U, R>,
  options: LayerOptions = {}
): Layer.Layer<Self, ChannelInUse | StorageError | InvalidOptions, Transport | Storage> =>
  Layer.effect(tag, replicated(tag, protocol(tag.machine), options))
