/**
 * Reliable FIFO multicast by negative acknowledgements: who misses something says so, and who does not says little.
 *
 * A sender numbers its messages, and sends each to every member once. A receiver delivers them in that order. Where it sees
 * a gap it asks for what is missing: the sender first, then others who have it, so that a message survives its sender. All
 * members report from time to time what they have received. By these reports the loss of a last message is found; and a
 * message that all have is *stable*: nobody will ask for it, and it is forgotten.
 *
 * Nobody has more than `window` messages of its own under way, that is, not stable yet, so that what is kept is bounded. A
 * member whose application lags reports later, and so slows the senders down.
 *
 * The group is the nodes of the transport, for good. One that crashes stops nothing at once, but from then on nothing
 * becomes stable, and senders stop when their windows are full: `ViewSynchrony` goes on without it.
 *
 * Uniform (`uniform`): delivers what is stable. Then what any member delivers, all members have.
 *
 * Source: J.-M. Chang, N. F. Maxemchuk, "Reliable Broadcast Protocols", ACM TOCS 2(3), 1984, for asking in place of
 * acknowledging; K. Birman, A. Schiper, P. Stephenson, "Lightweight Causal and Atomic Group Multicast", ACM TOCS 9(3), 1991,
 * for stability.
 */
import type { Card } from "@troupe/actor"
import type { ChannelInUse, Transport } from "@troupe/transport"
import type { Layer } from "effect"
import * as Envelope from "./internal/envelope.ts"
import { fifo } from "./internal/fifo.ts"
import { allDelivered, nothingForgotten, oneList, someDelivered, stranger } from "./internal/guarantees.ts"
import * as Kernel from "./internal/kernel.ts"
import { type KernelSettings, staticLayer } from "./internal/layers.ts"
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

export const defaults: Options = options.defaults

export const card: Card.Card<State> = {
  title: "Reliable multicast by negative acknowledgements",
  summary: "Who misses a message asks for it; who has it reports now and then, so that what all have is forgotten.",
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
  guarantees: [oneList, nothingForgotten, allDelivered, someDelivered],
  weaknesses: [
    {
      name: "a crash fills the windows",
      description: "What a crashed member lacks never becomes stable: senders stop once their windows are full.",
      faults: "crash",
      breaks: "everybody gets everything"
    },
    stranger
  ],
  cost: {
    operation: "multicast",
    best: { text: "N−1", of: (nodes) => nodes - 1 },
    worst: { text: "N−1", of: (nodes) => nodes - 1 },
    background: ["Report"]
  }
}

export const protocol: Kernel.Kernel<Envelope.Payload, null> = Kernel.kernel({
  name: "group/nak-reliable",
  card,
  order: fifo,
  payload: Envelope.schema
})

export type Guarantees = "best-effort" | "reliable" | "fifo"

const guarantees: ReadonlyArray<Guarantees> = ["best-effort", "reliable", "fifo"]

/** A `Multicast` among the nodes of the transport, which may lose, double and reorder messages. */
export const layer = (
  settings?: KernelSettings
): Layer.Layer<Multicast.Multicast<Guarantees>, ChannelInUse | Multicast.InvalidOptions, Transport> =>
  staticLayer({ protocol, order: fifo }, guarantees, settings)

/** The same, delivering what is stable. A member that is down holds up all deliveries. */
export const uniform = (
  settings?: KernelSettings
): Layer.Layer<Multicast.Multicast<Guarantees | "uniform">, ChannelInUse | Multicast.InvalidOptions, Transport> =>
  staticLayer({ protocol, order: fifo }, [...guarantees, "uniform"], settings)
