/**
 * View synchrony: members that go from a view to the next together have delivered the same messages in it.
 *
 * A `Membership` agrees on the views. When it tells of a new one, members stop sending, find out what any of those who go on
 * has of the old view, give each other what is missing, deliver it, and enter the new view together; what was asked for
 * meanwhile is sent in the new one. So a change of members is one point in the stream of messages, the same for all: who
 * takes over from a node that is gone knows what the others know.
 *
 * That point is also where a member that joins comes in. Those who were there take a snapshot of their application there,
 * the joiner is given it, and then all that was delivered since: it misses nothing and gets nothing twice, under full load.
 *
 * Within a view it is `NakReliable`, with which it shares its options.
 *
 * Of the `Membership` it takes that every member is told of every view that it is in, one after the other, and that a node
 * which has lost its memory is listed under `joined`. One that is left out takes no part any more, until it is let in anew.
 *
 * Source: K. Birman, T. Joseph, "Exploiting Virtual Synchrony in Distributed Systems", SOSP 1987; the flush that holds also
 * for those who leave right after it follows the definitions of G. Chockler, I. Keidar, R. Vitenberg, "Group Communication
 * Specifications: A Comprehensive Study", ACM Computing Surveys 33(4), 2001.
 */
import type { Card, Membership } from "@troupe/actor"
import type { ChannelInUse, Transport } from "@troupe/transport"
import type { Layer } from "effect"
import * as Envelope from "./internal/envelope.ts"
import { fifo } from "./internal/fifo.ts"
import { allDelivered, nothingForgotten, oneList, sameCut, someDelivered } from "./internal/guarantees.ts"
import * as Kernel from "./internal/kernel.ts"
import { type KernelSettings, viewLayer } from "./internal/layers.ts"
import * as options from "./internal/options.ts"
import type * as Kernels from "./internal/state.ts"
import type * as Steps from "./internal/step.ts"
import type * as Wire from "./internal/wire.ts"
import type * as Multicast from "./Multicast.ts"

export type Message = Wire.Message<Envelope.Payload>
export type Command = Kernel.Command<Envelope.Payload>
export type Event = Steps.Event<Envelope.Payload>
export type State = Kernels.State<Envelope.Payload, null>
export type Options = options.Options

export const defaults: Options = { ...options.defaults, members: "views", transfers: true }

export const card: Card.Card<State> = {
  title: "View synchrony",
  summary:
    "Before a new view begins, all who go on to it have delivered the same in the old one; joiners get the state.",
  paper: {
    authors: "Kenneth P. Birman, Thomas A. Joseph",
    title: "Exploiting Virtual Synchrony in Distributed Systems",
    venue: "SOSP",
    year: 1987
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition", "chaos"]
  },
  guarantees: [oneList, sameCut, nothingForgotten, allDelivered, someDelivered],
  weaknesses: [
    {
      name: "waits for the membership",
      description:
        "While a member is down and the views still have it, nothing becomes stable, and a view that it is in does not begin.",
      faults: "crash",
      breaks: "everybody gets everything"
    },
    {
      name: "the state goes with its last holder",
      description:
        "Where all who have the state leave before a joiner has it, the joiner fails: the group has to be founded anew.",
      faults: "crash"
    },
    {
      name: "not uniform",
      description:
        "What a member delivered right before it crashed may be delivered by nobody else; `uniform` is the cure.",
      faults: "crash"
    }
  ],
  cost: {
    operation: "multicast",
    best: { text: "N−1", of: (nodes) => nodes - 1 },
    worst: { text: "N−1", of: (nodes) => nodes - 1 },
    background: ["Report", "Flush", "Offer", "Want", "Piece", "Have"]
  }
}

export const protocol: Kernel.Kernel<Envelope.Payload, null> = Kernel.kernel({
  name: "group/view-synchrony",
  card,
  order: fifo,
  payload: Envelope.schema
})

export type Guarantees = "best-effort" | "reliable" | "fifo" | "view-synchronous"

const guarantees: ReadonlyArray<Guarantees> = ["best-effort", "reliable", "fifo", "view-synchronous"]

/** A `Multicast` among the members of a `Membership`. A send waits for the first view. */
export const layer = (
  settings?: KernelSettings
): Layer.Layer<Multicast.Multicast<Guarantees>, ChannelInUse | Multicast.InvalidOptions, Transport | Membership> =>
  viewLayer({ protocol, order: fifo }, guarantees, settings)

/** The same, delivering what all members of the view have. */
export const uniform = (
  settings?: KernelSettings
): Layer.Layer<
  Multicast.Multicast<Guarantees | "uniform">,
  ChannelInUse | Multicast.InvalidOptions,
  Transport | Membership
> => viewLayer({ protocol, order: fifo }, [...guarantees, "uniform"], settings)
