/** An order as layers of the service: among all nodes or in views, delivering at once or what is stable. */
import type { Membership } from "@troupe/actor"
import type { ChannelInUse, Transport } from "@troupe/transport"
import type { Layer } from "effect"
import type * as Multicast from "../../Multicast.ts"
import { type KernelSettings, type Ordered, staticLayer, viewLayer } from "../layers.ts"

export type Made<G extends Multicast.Guarantee, R> = (
  settings?: KernelSettings
) => Layer.Layer<Multicast.Multicast<G>, ChannelInUse | Multicast.InvalidOptions, R>

export interface Layers<G extends Multicast.Guarantee> {
  readonly layer: Made<G, Transport>
  readonly uniform: Made<G | "uniform", Transport>
  readonly viewSynchronous: Made<G | "view-synchronous", Transport | Membership>
  readonly viewSynchronousUniform: Made<G | "uniform" | "view-synchronous", Transport | Membership>
}

export const layers = <const G extends Multicast.Guarantee>(
  ordered: Ordered,
  guarantees: ReadonlyArray<G>
): Layers<G> => ({
  layer: (settings) => staticLayer(ordered, guarantees, settings),
  uniform: (settings) => staticLayer(ordered, [...guarantees, "uniform"], settings),
  viewSynchronous: (settings) => viewLayer(ordered, [...guarantees, "view-synchronous"], settings),
  viewSynchronousUniform: (settings) => viewLayer(ordered, [...guarantees, "uniform", "view-synchronous"], settings)
})
