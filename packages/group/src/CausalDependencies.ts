/**
 * Causal multicast by dependency lists: the same order as `Causal`, said in fewer words where few members speak at a time.
 *
 * In place of a clock of all members a message names the messages right before it: those that its sender had been delivered
 * and that nothing else it had been delivered follows. What is before those is implied. In a group where one answers the
 * other that is one pair of numbers, however many members there are; where everybody speaks at once it is up to N−1 pairs.
 *
 * Source: L. Peterson, N. Buchholz, R. Schlichting, "Preserving and Using Context Information in Interprocess
 * Communication", ACM TOCS 7(3), 1989, for messages that name those before them; R. Prakash, M. Raynal, M. Singhal, "An
 * Adaptive Causal Ordering Algorithm Suited to Mobile Computing Environments", JPDC 41(2), 1997, for direct predecessors
 * being enough.
 */
import type { Card, Membership } from "@troupe/actor"
import type { Transport } from "@troupe/transport"
import * as Envelope from "./internal/envelope.ts"
import { allDelivered, nothingForgotten, oneList, sameCut, someDelivered, stranger } from "./internal/guarantees.ts"
import * as Kernel from "./internal/kernel.ts"
import * as options from "./internal/options.ts"
import { type Causal as Causals, causal, dependencyLists } from "./internal/orders/causal.ts"
import { pastDelivered } from "./internal/orders/guarantees.ts"
import { type Made, layers } from "./internal/orders/layers.ts"
import { type Numbers, pairs } from "./internal/orders/numbers.ts"
import type { Order } from "./internal/order.ts"
import type * as Kernels from "./internal/state.ts"
import type * as Steps from "./internal/step.ts"
import type * as Wire from "./internal/wire.ts"

export type Message = Wire.Message<Envelope.Payload>
export type Command = Kernel.Command<Envelope.Payload>
export type Event = Steps.Event<Envelope.Payload>
export type State = Kernels.State<Envelope.Payload, Causals>
export type Options = options.Options

export const defaults: Options = options.defaults

export const card: Card.Card<State> = {
  title: "Causal multicast by dependency lists",
  summary: "A message names those right before it, and waits until they are delivered.",
  paper: {
    authors: "Ravi Prakash, Michel Raynal, Mukesh Singhal",
    title: "An Adaptive Causal Ordering Algorithm Suited to Mobile Computing Environments",
    venue: "JPDC 41(2)",
    year: 1997
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-stop",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "partition"]
  },
  guarantees: [oneList, nothingForgotten, sameCut, pastDelivered(pairs), allDelivered, someDelivered],
  weaknesses: [
    {
      name: "a crash fills the windows",
      description:
        "Among fixed nodes, what a crashed one lacks never becomes stable: senders stop once their windows are full. In views they go on.",
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
    worst: { text: "N−1", of: (nodes) => nodes - 1 },
    background: ["Report", "Flush", "Offer", "Want", "Piece", "Have"]
  }
}

/** When messages may be delivered. */
const order: Order<Causals, Numbers> = causal(dependencyLists)

export const protocol: Kernel.Kernel<Envelope.Payload, Causals> = Kernel.kernel({
  name: "group/causal-dependencies",
  card,
  order,
  payload: Envelope.schema
})

export type Guarantees = "best-effort" | "reliable" | "fifo" | "causal"

const made = layers<Guarantees>({ protocol, order }, ["best-effort", "reliable", "fifo", "causal"])

/** Among the nodes of the transport, for good. */
export const layer: Made<Guarantees, Transport> = made.layer

/** The same, delivering what all members have. A member that is down holds up all deliveries. */
export const uniform: Made<Guarantees | "uniform", Transport> = made.uniform

/** Among the members of a `Membership`: goes on without members that are gone, and takes in new ones. */
export const viewSynchronous: Made<Guarantees | "view-synchronous", Transport | Membership> = made.viewSynchronous

/** The same, delivering what all members of the view have. */
export const viewSynchronousUniform: Made<Guarantees | "uniform" | "view-synchronous", Transport | Membership> =
  made.viewSynchronousUniform
