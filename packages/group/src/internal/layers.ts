/** A kernel as the service `Multicast`. */
import { Membership } from "@troupe/actor"
import type { ChannelInUse, Transport } from "@troupe/transport"
import { Effect, Layer } from "effect"
import type * as Multicast from "../Multicast.ts"
import { kernelCodec } from "./codec.ts"
import { codec, type Payload, schema } from "./envelope.ts"
import type { Kernel } from "./kernel.ts"
import { layer as multicasting, type Settings } from "./multicasting.ts"
import { defaults, type Options, refusal } from "./options.ts"
import type { Order } from "./order.ts"
import type { State } from "./state.ts"
import { room } from "./step.ts"

type Fixed = "members" | "uniform" | "transfers"

/** What a layer on the kernel may be told. */
export type KernelSettings = Settings & Partial<Omit<Options, Fixed>>

/** A protocol, and the order that it is the kernel with. */
export interface Ordered {
  readonly protocol: Kernel<Payload, any>
  readonly order: Order<any, any, any>
}

type Provided<G extends Multicast.Guarantee, R> = Layer.Layer<
  Multicast.Multicast<G>,
  ChannelInUse | Multicast.InvalidOptions,
  R
>

/** Among all nodes of the transport, for good. */
export const staticLayer = <G extends Multicast.Guarantee>(
  ordered: Ordered,
  guarantees: ReadonlyArray<G>,
  settings: KernelSettings = {}
): Provided<G, Transport> =>
  made(ordered, guarantees, { members: "static", uniform: isUniform(guarantees), transfers: false }, settings)

/** Among the members of a `Membership`, whose views are agreed on. */
export const viewLayer = <G extends Multicast.Guarantee>(
  ordered: Ordered,
  guarantees: ReadonlyArray<G>,
  settings: KernelSettings = {}
): Provided<G, Transport | Membership> =>
  Layer.unwrap(
    Effect.map(Membership, (membership) =>
      Layer.provide(
        made(ordered, guarantees, { members: "views", uniform: isUniform(guarantees), transfers: true }, settings),
        Layer.succeed(Membership, membership)
      )
    )
  )

const isUniform = (guarantees: ReadonlyArray<Multicast.Guarantee>): boolean => guarantees.includes("uniform")

const made = <G extends Multicast.Guarantee>(
  { order, protocol }: Ordered,
  guarantees: ReadonlyArray<G>,
  fixed: Pick<Options, Fixed>,
  { group, maxBacklog, maxHeld, maxMessageBytes, ...given }: KernelSettings
): Provided<G, Transport> => {
  const options: Options = { ...defaults, ...(fixed.uniform ? { reportMillis: 0 } : {}), ...given, ...fixed }
  const wrong = refusal(options)
  if (wrong !== undefined) return Layer.effectContext(Effect.fail(wrong))
  const settings: Settings = {
    ...(group !== undefined && { group }),
    ...(maxBacklog !== undefined && { maxBacklog }),
    ...(maxHeld !== undefined && { maxHeld }),
    ...(maxMessageBytes !== undefined && { maxMessageBytes })
  }
  return multicasting(
    {
      protocol,
      options,
      guarantees,
      codec: () => kernelCodec(order, codec, schema),
      hasFlowControl: true,
      reading: {
        room: (state: State<Payload>, self) => room(state, self.options),
        view: ({ joining, view }) => (joining === undefined ? view : undefined)
      }
    },
    settings
  )
}
