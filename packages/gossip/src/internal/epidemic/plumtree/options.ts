/** What a Plumtree node is set to. */
import { type Duration, type Effect, Schema } from "effect"
import type { InvalidOptions } from "../../../Gossip.ts"
import type { BaseOptions } from "../base.ts"
import * as Settings from "../settings.ts"

export interface Options extends BaseOptions {
  /** One tree for all, or one for each publisher. */
  readonly trees: "shared" | "per-publisher"
  /** How long what is to be pushed is gathered. 0: it is pushed at once. */
  readonly batchMillis: number
  /** How long word of items is gathered for lazy links. 0: none is. */
  readonly announceMillis: number
  /** How long an item may take on the tree after the first word of it, and each who is asked for it. */
  readonly graftMillis: number
  /** By how many hops a lazy link must be shorter to be changed over to. 0: never. */
  readonly threshold: number
  /** How often all that was heard is compared with one neighbour. The budget is for as long. */
  readonly repairMillis: number
}

/** The settings that `layer` has by default. */
export const defaults: Options = {
  ...Settings.baseDefaults,
  messagesPerRound: 1_024,
  trees: "shared",
  batchMillis: 0,
  announceMillis: 100,
  graftMillis: 500,
  threshold: 0,
  repairMillis: 10_000
}

/** What the layer may be given, besides the bounds and budgets of all gossip. */
export interface LayerOptions extends Settings.BaseLayerOptions {
  /** How many messages with items a node answers with in a round; what it pushes is not among them. Default: 1,024. */
  readonly messagesPerRound?: number
  /** One tree for all, or one for each publisher: quicker when many publish. Default: `"shared"`. */
  readonly trees?: "shared" | "per-publisher"
  /** How long what is to be pushed is gathered: fewer messages, and later ones. Default: 0, it is pushed at once. */
  readonly batch?: Duration.Input
  /** How long word of items is gathered for lazy links; 0: none is sent, and what breaks waits for `repair`. Default: 100 ms. */
  readonly announce?: Duration.Input
  /** How long an item may take after the first word of it, before it is asked for. Default: 500 ms. */
  readonly graft?: Duration.Input
  /** By how many hops a lazy link must be shorter to be changed over to; 0: never. Default: 0. */
  readonly threshold?: number
  /** How often all that was heard is compared with one neighbour, and how long a round's budget is for. Default: 10 seconds. */
  readonly repair?: Duration.Input
}

const Fields = Schema.Struct({
  ...Settings.baseFields,
  trees: Schema.Literals(["shared", "per-publisher"]),
  batchMillis: Settings.MillisOrNone,
  announceMillis: Settings.MillisOrNone,
  graftMillis: Settings.Millis,
  threshold: Settings.CountOrNone,
  repairMillis: Settings.Millis
})

/** Options as a node has them. */
export const settle = (given: LayerOptions): Effect.Effect<Options, InvalidOptions> =>
  Settings.settle<Options>(
    Fields,
    {
      ...Settings.base(given),
      messagesPerRound: given.messagesPerRound ?? defaults.messagesPerRound,
      trees: given.trees ?? defaults.trees,
      batchMillis: Settings.millis(given.batch, defaults.batchMillis),
      announceMillis: Settings.millis(given.announce, defaults.announceMillis),
      graftMillis: Settings.millis(given.graft, defaults.graftMillis),
      threshold: given.threshold ?? defaults.threshold,
      repairMillis: Settings.millis(given.repair, defaults.repairMillis)
    },
    Settings.fit
  )
