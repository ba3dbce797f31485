/**
 * Total order by a token: members take turns at deciding what comes next.
 *
 * A sender multicasts its message to all. Whoever has the token announces to all in which order the messages come that it
 * has and that no one has announced; the announcement passes the token on to the next member of the view. Without messages
 * the token rests, and costs nothing. So the work of announcing is everybody's, and a message is delivered two hops after
 * it was sent, as with a fixed sequencer, or more while the token is on its way.
 *
 * Who announces which part of the order is known, so an announcement that arrives before an earlier one waits for it, and a
 * lost token is a lost message: its sender or others who have it send it again.
 *
 * FIFO, causal and, with `atomic`, uniform as `Sequencer` is.
 *
 * Source: J.-M. Chang, N. F. Maxemchuk, "Reliable Broadcast Protocols", ACM TOCS 2(3), 1984. There the token also tells what
 * is stable; here the kernel does.
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
  title: "Total order by a moving sequencer",
  summary: "Whoever has the token announces in which order the messages come, and passes the token on with that.",
  paper: {
    authors: "Jo-Mei Chang, Nicholas F. Maxemchuk",
    title: "Reliable Broadcast Protocols",
    venue: "ACM TOCS 2(3)",
    year: 1984
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
      name: "waits for the token",
      description:
        "When the member that has it crashes nobody delivers anything new: among fixed nodes for good, in views until the next one.",
      faults: "crash",
      breaks: "everybody gets everything"
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
const order: Order<Announced, Numbers> = announced((turn, members) => turn % members)

export const protocol: Kernel.Kernel<Envelope.Payload, Announced> = Kernel.kernel({
  name: "group/total-token",
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
