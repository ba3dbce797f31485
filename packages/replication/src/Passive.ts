/**
 * Passive replication, also called primary–backup or remote-write: one replica executes, the others follow.
 *
 * A request takes five phases. Its front end sends it to the primary, under an id of its own (request). The primary orders
 * what it gets (coordination), executes each once, and remembers the response under the id (execution). It sends the
 * updates and responses, many in a message, to all backups while its own disk writes them; backups write and acknowledge
 * (agreement). Then the front end has its answer (response). A request that is asked again is answered from the table of
 * responses, by whichever replica is primary then.
 *
 * When an update is safe is the textbook's question. Its answer: when every backup that is not suspected has it. Then f+1
 * replicas survive f crashes, if nobody is ever suspected wrongly (`safety: "perfect-detector"`). Here, by default, a
 * majority must have it on disk besides: whoever errs, nothing that was acknowledged is lost.
 *
 * Views say who is primary: the nodes take turns. When a majority misses the primary, its nodes vote for the next view, and
 * take part in no earlier one; the new primary collects the most advanced log among the votes, and so goes on exactly where
 * the last one stopped. Who was deposed is refused by everybody who has voted, can make nothing safe, and follows.
 * A replica that was away fetches what it missed, or a snapshot in pieces, while the others go on.
 *
 * Reads are not logged. The primary answers them when a round of acknowledgements, begun after they came, shows that it
 * still is the primary; all that wait share one. A read that may be behind is answered by any replica from what it knows to
 * be safe.
 *
 * Sources: N. Budhiraja, K. Marzullo, F. B. Schneider, S. Toueg, "The Primary-Backup Approach", Distributed Systems, 2nd
 * ed., 1993; B. Oki, B. Liskov, "Viewstamped Replication", PODC 1988; B. Liskov, J. Cowling, "Viewstamped Replication
 * Revisited", MIT-CSAIL-TR-2012-021. Logs are compared by the view of their latest batch, as in D. Ongaro, J. Ousterhout,
 * "In Search of an Understandable Consensus Algorithm", USENIX ATC 2014.
 */
import type { Card, Protocol } from "@troupe/actor"
import type { Storage, StorageError } from "@troupe/storage"
import type { ChannelInUse, Transport } from "@troupe/transport"
import { Layer } from "effect"
import * as Claims from "./internal/passive/claims.ts"
import { defaultSettings, type LayerOptions, replicated, type Settings } from "./internal/passive/layer.ts"
import type { Message, Record } from "./internal/passive/messages.ts"
import { replicating } from "./internal/passive/protocol.ts"
import type { Command, Event, Options, State, Timer } from "./internal/passive/state.ts"
import type * as Machine from "./Machine.ts"
import type { InvalidOptions, Tag } from "./Replicated.ts"

export type { LayerOptions } from "./internal/passive/layer.ts"
export type { Message } from "./internal/passive/messages.ts"
export type { Command, Event, Options, State } from "./internal/passive/state.ts"

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Passive replication",
  summary: "A primary executes each request once; backups have its updates on disk before the client has its answer.",
  paper: {
    authors: "Barbara Liskov, James Cowling",
    title: "Viewstamped Replication Revisited",
    venue: "MIT-CSAIL-TR-2012-021",
    year: 2012
  },
  assumes: Claims.assumes,
  guarantees: Claims.guarantees,
  weaknesses: Claims.weaknesses,
  cost: {
    operation: "update",
    best: { text: "2(N−1), alone or shared by many", of: (nodes) => 2 * (nodes - 1) },
    worst: { text: "2N, from another node, with the acknowledgement to itself", of: (nodes) => 2 * nodes + 1 },
    background: ["Prepare", "Ack"]
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

/** The protocol, for a machine: messages in `internal/passive/messages.ts`, the rules beside it. */
export const protocol = (
  machine: Machine.Any
): Protocol.Protocol<State, Message, Command, Event, Timer, Options, Record> =>
  replicating(machine, `replication/passive/${machine.name}`, card)

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default: a primary that crashes is replaced within a second. */
export const defaults: Options & Settings = defaultSettings

/**
 * Replicates a machine over all nodes of the transport, each with a `Storage` of its own that outlives it. Every node must
 * build the layer, with the same options. Fails with `InvalidOptions` where one is out of its range.
 */
export const layer = <Self, S, Q, U, R>(
  tag: Tag<Self, S, Q, U, R>,
  options: LayerOptions = {}
): Layer.Layer<Self, ChannelInUse | StorageError | InvalidOptions, Transport | Storage> =>
  Layer.effect(tag, replicated(tag, protocol(tag.machine), defaults, options))
