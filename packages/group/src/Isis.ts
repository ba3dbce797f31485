/**
 * Total order by agreed timestamps: all members together decide each message's place, and nobody is in charge.
 *
 * A sender multicasts its message. Each member proposes a timestamp for it, higher than all that it knows of. The sender takes
 * the highest proposal, and multicasts it as the message's timestamp. Messages are delivered by their timestamps; one that
 * has none yet holds up those above what this member has proposed for it.
 *
 * A message is delivered three hops after it was sent. Proposals for all that has come from a sender meanwhile go together,
 * and so do timestamps. FIFO, causal and, with `atomic`, uniform as `Sequencer` is.
 *
 * Source: D. Skeen's protocol, as told by K. Birman, T. Joseph, "Reliable Communication in the Presence of Failures", ACM
 * TOCS 5(1), 1987 (ABCAST of ISIS).
 */
import type { Card, Membership } from "@troupe/actor"
import type { Transport } from "@troupe/transport"
import * as Envelope from "./internal/envelope.ts"
import { allDelivered, nothingForgotten, oneList, sameCut, someDelivered, stranger } from "./internal/guarantees.ts"
import * as Kernel from "./internal/kernel.ts"
import * as options from "./internal/options.ts"
import { agreed, type Agreed } from "./internal/orders/agreed.ts"
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
export type State = Kernels.State<Envelope.Payload, Agreed>
export type Options = options.Options

export const defaults: Options = options.defaults

export const card: Card.Card<State> = {
  title: "Total order by agreed timestamps",
  summary: "Everybody proposes a timestamp for a message; the highest is its place in the order.",
  paper: {
    authors: "Kenneth P. Birman, Thomas A. Joseph",
    title: "Reliable Communication in the Presence of Failures",
    venue: "ACM TOCS 5(1)",
    year: 1987
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
      name: "waits for everybody",
      description:
        "A message gets its timestamp when all have proposed. A member that is down holds up all: in views until the next one; among fixed nodes for good, and some may have delivered by then what others never will.",
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
    best: { text: "3(N−1)", of: (nodes) => 3 * (nodes - 1) },
    worst: { text: "3(N−1)", of: (nodes) => 3 * (nodes - 1) },
    background: ["Report", "Flush", "Offer", "Want", "Piece", "Have"]
  }
}

/** When messages may be delivered. */
const order: Order<Agreed, Numbers, Numbers> = agreed

export const protocol: Kernel.Kernel<Envelope.Payload, Agreed> = Kernel.kernel({
  name: "group/total-isis",
  card,
  order,
  payload: Envelope.schema
})

export type Guarantees = "best-effort" | "reliable" | "fifo" | "causal" | "total"

const made = layers<Guarantees>({ protocol, order }, ["best-effort", "reliable", "fifo", "causal", "total"])

/** Among the nodes of the transport, for good: guarantees what it does while none of them is down. */
export const layer: Made<Guarantees, Transport> = made.layer

/** The same, delivering what all members have: total and uniform. A member that is down holds up all deliveries. */
export const atomic: Made<Guarantees | "uniform", Transport> = made.uniform

/** Among the members of a `Membership`: goes on without members that are gone, and takes in new ones. */
export const viewSynchronous: Made<Guarantees | "view-synchronous", Transport | Membership> = made.viewSynchronous

/** The same, delivering what all members of the view have: total and uniform. */
export const viewSynchronousAtomic: Made<Guarantees | "uniform" | "view-synchronous", Transport | Membership> =
  made.viewSynchronousUniform
