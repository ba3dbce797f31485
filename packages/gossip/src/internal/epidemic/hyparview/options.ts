/** What a HyParView node is set to. */
import { NodeId } from "@troupe/transport"
import { type Duration, type Effect, Schema } from "effect"
import type { InvalidOptions } from "../../../Gossip.ts"
import * as Settings from "../settings.ts"

export interface Options {
  /** The size of the active view: the fan-out of gossip, and one more. */
  readonly activeSize: number
  readonly passiveSize: number
  /** The length of a newcomer's walks (ARWL), and how long before its end it is entered in a passive view (PRWL). */
  readonly walkLength: number
  readonly passiveWalkLength: number
  readonly shuffleMillis: number
  /** How many names of each view a shuffle says. */
  readonly shuffleActive: number
  readonly shufflePassive: number
  /** How often a node links with one that it is given or draws of all. */
  readonly mixMillis: number
  readonly keepAliveMillis: number
  readonly failAfterMillis: number
  /** Whom a node asks that knows nobody. Where there are none, any nodes of the system. */
  readonly contacts: ReadonlyArray<NodeId.NodeId>
}

/** The settings that `layer` has by default: sizes and walks are those of the paper for 10,000 nodes. */
export const defaults: Options = {
  activeSize: 5,
  passiveSize: 30,
  walkLength: 6,
  passiveWalkLength: 3,
  shuffleMillis: 10_000,
  shuffleActive: 3,
  shufflePassive: 4,
  mixMillis: 60_000,
  keepAliveMillis: 1_000,
  failAfterMillis: 5_000,
  contacts: []
}

/** What the layer may be given. */
export interface LayerOptions {
  /** Neighbours, 1 to 255: the fan-out of gossip, and one more. Default: 5. */
  readonly activeSize?: number
  /** Names, 1 to 255. Default: 30. */
  readonly passiveSize?: number
  /** The length of random walks, 1 to 64. Default: 6. */
  readonly walkLength?: number
  /** How many steps before its end a newcomer's walk enters it in a passive view; less than `walkLength`. Default: 3. */
  readonly passiveWalkLength?: number
  /** How often a node exchanges names. Default: 10 seconds. */
  readonly shuffleInterval?: Duration.Input
  /** How many names of each view it says, 0 to 100. Default: 3 and 4. */
  readonly shuffleActive?: number
  readonly shufflePassive?: number
  /** How often a node asks a contact, or any node, for a link: what a split has parted finds together. Default: 1 minute. */
  readonly mixInterval?: Duration.Input
  /** How often neighbours say that they are there. Default: 1 second. */
  readonly keepAlive?: Duration.Input
  /** After which silence a neighbour has failed; longer than `keepAlive`. Default: 5 seconds. */
  readonly failAfter?: Duration.Input
  /** Whom a node asks that knows nobody. Default: any node of the transport. */
  readonly contacts?: ReadonlyArray<NodeId.NodeId>
}

const Size = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 255 }))
const Sample = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 }))
const Steps = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 64 }))

const Fields = Schema.Struct({
  activeSize: Size,
  passiveSize: Size,
  walkLength: Steps,
  passiveWalkLength: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 64 })),
  shuffleMillis: Settings.Millis,
  shuffleActive: Sample,
  shufflePassive: Sample,
  mixMillis: Settings.Millis,
  keepAliveMillis: Settings.Millis,
  failAfterMillis: Settings.Millis,
  contacts: Schema.Array(NodeId.NodeId)
})

const fit = ({ failAfterMillis, keepAliveMillis, passiveWalkLength, walkLength }: Options): string | undefined =>
  failAfterMillis <= keepAliveMillis
    ? `a neighbour would fail after ${failAfterMillis} ms, before it says that it is there, every ${keepAliveMillis} ms`
    : passiveWalkLength >= walkLength
      ? `a walk of ${walkLength} steps has none that is ${passiveWalkLength} before its end`
      : undefined

/** Options as a node has them. */
export const settle = (given: LayerOptions): Effect.Effect<Options, InvalidOptions> =>
  Settings.settle<Options>(
    Fields,
    {
      activeSize: given.activeSize ?? defaults.activeSize,
      passiveSize: given.passiveSize ?? defaults.passiveSize,
      walkLength: given.walkLength ?? defaults.walkLength,
      passiveWalkLength: given.passiveWalkLength ?? defaults.passiveWalkLength,
      shuffleMillis: Settings.millis(given.shuffleInterval, defaults.shuffleMillis),
      shuffleActive: given.shuffleActive ?? defaults.shuffleActive,
      shufflePassive: given.shufflePassive ?? defaults.shufflePassive,
      mixMillis: Settings.millis(given.mixInterval, defaults.mixMillis),
      keepAliveMillis: Settings.millis(given.keepAlive, defaults.keepAliveMillis),
      failAfterMillis: Settings.millis(given.failAfter, defaults.failAfterMillis),
      contacts: given.contacts ?? defaults.contacts
    },
    fit
  )
