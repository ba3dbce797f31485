/**
 * Total order by a fixed sequencer: one member decides what comes next, and says so.
 *
 * A sender multicasts its message to all. The first member of the view is the sequencer: it announces to all in which order
 * messages come, once for all that have come to it meanwhile, and together with a message of its own where it has one to
 * send. A message is delivered two hops after it was sent, one where the sequencer sent it.
 *
 * The order is FIFO and causal as well: what a member has been delivered before it sends is announced before it. With
 * `atomic` it is uniform: what any member delivers, all have, with all that its place was decided by.
 *
 * When the view changes, survivors deliver first what was announced, and then the rest in an order that they compute alike.
 *
 * Source: M. F. Kaashoek, A. S. Tanenbaum, "Group Communication in the Amoeba Distributed Operating System", ICDCS 1991 (the
 * method BB); X. Défago, A. Schiper, P. Urbán, "Total Order Broadcast and Multicast Algorithms: Taxonomy and Survey", ACM
 * Computing Surveys 36(4), 2004, §3.1 and §4.1 (unicast–broadcast and broadcast–broadcast).
 */
import type { Card, Membership } from "@troupe/actor"
import type { Transport } from "@troupe/transport"
import * as Envelope from "./internal/envelope.ts"
import { allDelivered, nothingForgotten, oneList, sameCut, someDelivered, stranger } from "./internal/guarantees.ts"
import * as Kernel from "./internal/kernel.ts"
import * as options from "./internal/options.ts"
import { type Announced, announced } from "./internal/orders/announced.ts"
import { oneOrder } from "./internal/orders/guarantees.ts"
import { type Made, layers } from "./internal/orders/layers.ts"
import type { Numbers } from "./internal/orders/numbers.ts"
import type { Order } from "./internal/order.ts"
import type * as Kernels from "./internal/state.ts"
import type * as Steps from "./internal/step.ts"
import type * as Wire from "./internal/wire.ts"

export type Message = Wire.Message<Envelope.Payload>
export type Command = Kernel.Command<Envelope.Payload>
export type Event = Steps.Event<Envelope.Payload>
export type State = Kernels.State<Envelope.Payload, Announced>
export type Options = options.Options

export const defaults: Options = options.defaults

export const card: Card.Card<State> = {
  title: "Total order by a fixed sequencer",
  summary: "Everybody multicasts; one member announces in which order the messages come, for all that came meanwhile.",
  paper: {
    authors: "M. Frans Kaashoek, Andrew S. Tanenbaum",
    title: "Group Communication in the Amoeba Distributed Operating System",
    venue: "ICDCS",
    year: 1991
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-stop",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "partition"]
  },
  guarantees: [oneList, nothingForgotten, sameCut, oneOrder, allDelivered, someDelivered],
  weaknesses: [
    {
      name: "waits for the sequencer",
      description:
        "Without it nobody delivers anything but what it has announced: among fixed nodes for good, in views until the next one.",
      faults: "crash",
      breaks: "everybody gets everything"
    },
    {
      name: "the sequencer has the most to do",
      description: "It sends an announcement for each batch, whoever sends: `Token` lets members take turns.",
      faults: "none"
    },
    stranger,
    {
      name: "one group at a time",
      description:
        "Of two groups that share members each has its own order. Where they have to agree, let them be topics of one group.",
      faults: "none"
    }
  ],
  cost: {
    operation: "multicast",
    best: { text: "N−1", of: (nodes) => nodes - 1 },
    worst: { text: "2(N−1)", of: (nodes) => 2 * (nodes - 1) },
    background: ["Report", "Flush", "Offer", "Want", "Piece", "Have"]
  }
}

/** When messages may be delivered. */
const order: Order<Announced, Numbers> = announced(() => 0)

export const protocol: Kernel.Kernel<Envelope.Payload, Announced> = Kernel.kernel({
  name: "group/total-sequencer",
  card,
  order,
  payload: Envelope.schema
})

export type Guarantees = "best-effort" | "reliable" | "fifo" | "causal" | "total"

const made = layers<Guarantees>({ protocol, order }, ["best-effort", "reliable", "fifo", "causal", "total"])

/** Among the nodes of the transport, for good. */
export const layer: Made<Guarantees, Transport> = made.layer

/** The same, delivering what all members have: total and uniform. A member that is down holds up all deliveries. */
export const atomic: Made<Guarantees | "uniform", Transport> = made.uniform

/** Among the members of a `Membership`: goes on without members that are gone, and takes in new ones. */
export const viewSynchronous: Made<Guarantees | "view-synchronous", Transport | Membership> = made.viewSynchronous

/** The same, delivering what all members of the view have: total and uniform. */
export const viewSynchronousAtomic: Made<Guarantees | "uniform" | "view-synchronous", Transport | Membership> =
  made.viewSynchronousUniform
