/** What a SWIM node is set to. */
import { NodeId } from "@troupe/transport"
import { type Duration, type Effect, Schema } from "effect"
import type { InvalidOptions } from "../../FailureDetector.ts"
import { Millis, millis, settings } from "../service.ts"

export interface Options {
  /** The protocol period: one member is probed in each. */
  readonly probeIntervalMillis: number
  /** How long a direct ping may take, before others are asked. */
  readonly probeTimeoutMillis: number
  /** How many are asked to probe in one's place: k. */
  readonly indirectProbes: number
  /** The shortest suspicion is this many periods, times the decimal logarithm of N where that is above 1. */
  readonly suspicionMultiplier: number
  /** With `dynamicSuspicion`, an unconfirmed suspicion lasts this many times as long. */
  readonly suspicionMaxMultiplier: number
  /** λ: a rumour is sent λ⌈log₁₀(N+1)⌉ times. */
  readonly retransmitMultiplier: number
  /** How often rumours are sent on besides what probes carry. */
  readonly gossipIntervalMillis: number
  /** To how many each time. With 0 they travel on probes alone, as in the paper of 2002. */
  readonly gossipNodes: number
  /** How often all that is known is compared with another member. */
  readonly syncIntervalMillis: number
  /** How long the dead, and those who left, are remembered. */
  readonly reapAfterMillis: number
  /** No message is larger. */
  readonly packetBytes: number
  /** Health is below it. */
  readonly healthMax: number
  /** Lifeguard, 1: a node whose probes fail is slower to judge. */
  readonly healthAwareProbe: boolean
  /** Lifeguard, 2: suspicion is long at first, and shortened by each other node that confirms it. */
  readonly dynamicSuspicion: boolean
  /** Lifeguard, 3: who is suspected hears of it with the next ping. */
  readonly buddySystem: boolean
  /** Whom to join at the start. */
  readonly seeds: ReadonlyArray<NodeId.NodeId>
  /** What its `Alive` says of where it is; empty: nothing. */
  readonly address: string
}

/**
 * The settings that `layer` has by default, those of memberlist for a local network: of ten nodes, a crash is known to all
 * within some 6 seconds.
 */
export const defaults: Options = {
  probeIntervalMillis: 1_000,
  probeTimeoutMillis: 500,
  indirectProbes: 3,
  suspicionMultiplier: 4,
  suspicionMaxMultiplier: 6,
  retransmitMultiplier: 4,
  gossipIntervalMillis: 200,
  gossipNodes: 3,
  syncIntervalMillis: 30_000,
  reapAfterMillis: 24 * 60 * 60 * 1_000,
  packetBytes: 1_200,
  healthMax: 8,
  healthAwareProbe: true,
  dynamicSuspicion: true,
  buddySystem: true,
  seeds: [],
  address: ""
}

const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))
const Multiplier = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 255 }))

const Settings = Schema.Struct({
  probeIntervalMillis: Millis,
  probeTimeoutMillis: Millis,
  indirectProbes: Count,
  suspicionMultiplier: Multiplier,
  suspicionMaxMultiplier: Multiplier,
  retransmitMultiplier: Multiplier,
  gossipIntervalMillis: Millis,
  gossipNodes: Count,
  syncIntervalMillis: Millis,
  reapAfterMillis: Millis,
  packetBytes: Schema.Int.check(Schema.isBetween({ minimum: 256, maximum: 65_507 })),
  healthMax: Multiplier,
  healthAwareProbe: Schema.Boolean,
  dynamicSuspicion: Schema.Boolean,
  buddySystem: Schema.Boolean,
  seeds: Schema.Array(NodeId.NodeId),
  address: Schema.String.check(Schema.isMaxLength(64))
})

/** What is wrong with the options as a whole. */
const fit = ({ probeIntervalMillis, probeTimeoutMillis, reapAfterMillis, syncIntervalMillis }: Options) =>
  probeTimeoutMillis >= probeIntervalMillis
    ? `a probe timeout of ${probeTimeoutMillis} ms leaves no time to ask others within an interval of ${probeIntervalMillis} ms`
    : reapAfterMillis < syncIntervalMillis
      ? `the dead would be forgotten after ${reapAfterMillis} ms, before a node is synchronised, every ${syncIntervalMillis} ms`
      : undefined

/** What a layer may be given. */
export interface LayerOptions {
  /** The protocol period. Shorter finds crashes earlier and sends more. Default: 1 second. */
  readonly probeInterval?: Duration.Input
  /** How long a ping may take before others are asked; 99 % of round trips should be shorter. Default: 500 ms. */
  readonly probeTimeout?: Duration.Input
  /** How many are asked, 0 to 255. Default: 3. */
  readonly indirectProbes?: number
  /** The shortest suspicion, in periods, times log₁₀ N from ten nodes up. Default: 4. */
  readonly suspicionMultiplier?: number
  /** How many times as long a suspicion is that nobody confirms. Default: 6. */
  readonly suspicionMaxMultiplier?: number
  /** λ: each rumour is sent λ⌈log₁₀(N+1)⌉ times by each node. Default: 4. */
  readonly retransmitMultiplier?: number
  /** How often rumours are sent besides what probes carry. Default: 200 ms. */
  readonly gossipInterval?: Duration.Input
  /** To how many nodes. 0: rumours travel on probes alone. Default: 3. */
  readonly gossipNodes?: number
  /** How often all that is known is compared with one member, and one of the dead. Default: 30 seconds. */
  readonly syncInterval?: Duration.Input
  /** How long the dead are remembered. Then they are strangers. Default: 1 day. */
  readonly reapAfter?: Duration.Input
  /**
   * The largest message, 256 to 65,507 bytes; more goes into several. One rumour is sent even where the names in it
   * are longer. Default: 1,200, which fits a packet of any network.
   */
  readonly packetBytes?: number
  /** Lifeguard's parts. Default: all. */
  readonly lifeguard?: {
    readonly healthAwareProbe?: boolean
    readonly dynamicSuspicion?: boolean
    readonly buddySystem?: boolean
    /** How many times as long a probe takes at the worst. Default: 8. */
    readonly healthMax?: number
  }
  /** Whom to join at the start. Default: nobody. */
  readonly seeds?: ReadonlyArray<NodeId.NodeId>
  /**
   * For a transport that must be told where newcomers are, such as UDP: `own`, at most 64 characters, travels with the
   * word that this node lives, and `learn` hears of the others'. Default: addresses are known to the transport.
   */
  readonly addresses?: { readonly own: string; readonly learn: (node: NodeId.NodeId, address: string) => void }
}

/** Options as a node has them. */
export const settle = ({ lifeguard = {}, ...given }: LayerOptions): Effect.Effect<Options, InvalidOptions> =>
  settings<Options>(
    Settings,
    {
      ...defaults,
      ...lifeguard,
      probeIntervalMillis: millis(given.probeInterval, defaults.probeIntervalMillis),
      probeTimeoutMillis: millis(given.probeTimeout, defaults.probeTimeoutMillis),
      indirectProbes: given.indirectProbes ?? defaults.indirectProbes,
      suspicionMultiplier: given.suspicionMultiplier ?? defaults.suspicionMultiplier,
      suspicionMaxMultiplier: given.suspicionMaxMultiplier ?? defaults.suspicionMaxMultiplier,
      retransmitMultiplier: given.retransmitMultiplier ?? defaults.retransmitMultiplier,
      gossipIntervalMillis: millis(given.gossipInterval, defaults.gossipIntervalMillis),
      gossipNodes: given.gossipNodes ?? defaults.gossipNodes,
      syncIntervalMillis: millis(given.syncInterval, defaults.syncIntervalMillis),
      reapAfterMillis: millis(given.reapAfter, defaults.reapAfterMillis),
      packetBytes: given.packetBytes ?? defaults.packetBytes,
      seeds: given.seeds ?? defaults.seeds,
      address: given.addresses?.own ?? defaults.address
    },
    fit
  )
