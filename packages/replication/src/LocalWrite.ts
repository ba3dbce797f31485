/**
 * Local-write replication: passive replication whose primary migrates to the node that writes.
 *
 * A node that updates becomes the primary, so that its next updates find it at home. A primary that gets updates from
 * another node executes them, takes no more, waits until all it has is safe, and hands its office over: it votes for the
 * writer in a view whose primary that is, and so do the others. Views have one primary each, and who has voted for the next
 * takes part in no earlier one: there is one at a time, and it goes on exactly where the last one stopped. A holder that
 * crashes is replaced as any primary is.
 *
 * The machine moves as a whole. Where two nodes write by turns the office goes back and forth, a change of view each time:
 * `migrateAfter` lets it stay until one node alone has written so often.
 *
 * Source: A. S. Tanenbaum, M. van Steen, "Distributed Systems", 3rd ed., 2017, §7.5 (primary-backup protocols); the change of
 * view is that of `Passive`.
 */
import type { Card, Protocol } from "@troupe/actor"
import type { Storage, StorageError } from "@troupe/storage"
import type { ChannelInUse, Transport } from "@troupe/transport"
import { Layer } from "effect"
import * as Claims from "./internal/passive/claims.ts"
import {
  defaultSettings,
  type LayerOptions as PrimaryOptions,
  replicated,
  type Settings
} from "./internal/passive/layer.ts"
import type { Message, Record } from "./internal/passive/messages.ts"
import { replicating } from "./internal/passive/protocol.ts"
import type { Command, Event, Options, State, Timer } from "./internal/passive/state.ts"
import type * as Machine from "./Machine.ts"
import type { InvalidOptions, Tag } from "./Replicated.ts"

export type { Message } from "./internal/passive/messages.ts"
export type { Command, Event, Options, State } from "./internal/passive/state.ts"

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Local-write replication",
  summary: "Passive replication whose primary migrates to the node that writes: its next updates find it at home.",
  paper: {
    authors: "Andrew S. Tanenbaum, Maarten van Steen",
    title: "Distributed Systems",
    venue: "3rd edition",
    year: 2017
  },
  assumes: Claims.assumes,
  guarantees: Claims.guarantees,
  weaknesses: [
    ...Claims.weaknesses,
    {
      name: "writers by turns",
      description: "Two nodes that write by turns make a change of view each time, unless `migrateAfter` is larger.",
      faults: "none"
    }
  ],
  cost: {
    operation: "update",
    best: { text: "2(N−1), alone or shared by many", of: (nodes) => 2 * (nodes - 1) },
    worst: { text: "9N, with a migration", of: (nodes) => 9 * nodes },
    background: ["Prepare", "Ack"]
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

/** The protocol, for a machine. */
export const protocol = (
  machine: Machine.Any
): Protocol.Protocol<State, Message, Command, Event, Timer, Options, Record> =>
  replicating(machine, `replication/local-write/${machine.name}`, card)

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default: those of `Passive`, and the first update of another node moves the primary. */
export const defaults: Options & Settings = { ...defaultSettings, migrateAfter: 1 }

export interface LayerOptions extends PrimaryOptions {
  /** After so many updates in a row from one other node, that becomes the primary: 1 to 65,536. Default: 1. */
  readonly migrateAfter?: number
}

/** As `Passive.layer`, with a primary that migrates. */
export const layer = <Self, S, Q, U, R>(
  tag: Tag<Self, S, Q, U, R>,
  { migrateAfter = defaults.migrateAfter, ...options }: LayerOptions = {}
): Layer.Layer<Self, ChannelInUse | StorageError | InvalidOptions, Transport | Storage> =>
  Layer.effect(tag, replicated(tag, protocol(tag.machine), { ...defaults, migrateAfter }, options))
