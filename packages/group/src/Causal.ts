/**
 * Causal multicast by vector clocks: nobody reads an answer before its question.
 *
 * A message carries the vector clock of its sender: how many messages of each member it had been delivered, and this one.
 * A receiver holds it back until it has delivered as many itself. Messages that know nothing of each other are delivered as
 * they come, so different members may see them in different orders: `Sequencer`, `Token` and `Isis` give one order.
 *
 * A message is delivered one hop after it was sent, unless it has overtaken its past, and costs N−1 messages; each carries N
 * numbers. `CausalDependencies` carries less where few members speak at a time.
 *
 * Source: K. Birman, A. Schiper, P. Stephenson, "Lightweight Causal and Atomic Group Multicast", ACM TOCS 9(3), 1991, §5.1.
 */
import type { Card, Membership } from "@troupe/actor"
import type { Transport } from "@troupe/transport"
import * as Envelope from "./internal/envelope.ts"
import { allDelivered, nothingForgotten, oneList, sameCut, someDelivered, stranger } from "./internal/guarantees.ts"
import * as Kernel from "./internal/kernel.ts"
import * as options from "./internal/options.ts"
import { type Causal as Causals, causal, vectorClocks } from "./internal/orders/causal.ts"
import { pastDelivered } from "./internal/orders/guarantees.ts"
import { type Made, layers } from "./internal/orders/layers.ts"
import type { Numbers } from "./internal/orders/numbers.ts"
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
  title: "Causal multicast by vector clocks",
  summary: "A message waits until all is delivered that its sender had been delivered before it, by their clocks.",
  paper: {
    authors: "Kenneth P. Birman, André Schiper, Pat Stephenson",
    title: "Lightweight Causal and Atomic Group Multicast",
    venue: "ACM TOCS 9(3)",
    year: 1991
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-stop",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "partition"]
  },
  guarantees: [
    oneList,
    nothingForgotten,
    sameCut,
    pastDelivered((clock) => [...clock.entries()]),
    allDelivered,
    someDelivered
  ],
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
const order: Order<Causals, Numbers> = causal(vectorClocks)

export const protocol: Kernel.Kernel<Envelope.Payload, Causals> = Kernel.kernel({
  name: "group/causal",
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
