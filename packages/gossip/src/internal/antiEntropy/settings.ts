/** What a replica that compares its store is set to, as the layer is given it. */
import { type Duration, type Effect, Schema } from "effect"
import type { InvalidOptions } from "../../Gossip.ts"
import * as MerkleTree from "../../MerkleTree.ts"
import * as Settings from "../epidemic/settings.ts"
import * as Hash from "./hash.ts"
import { overhead } from "./messages.ts"
import { groupBytes } from "./packed.ts"
import { layoutOf, type Options } from "./state.ts"

/** The settings that `layer` has by default. */
export const defaults: Options = {
  intervalMillis: 1_000,
  fanOut: 16,
  depth: 4,
  hashKey: [0, 0],
  sketchCells: 2_048,
  messagesPerRound: 64,
  packetBytes: 1_200,
  entriesPerRound: 1_024,
  entryBytes: 1_100
}

export interface LayerOptions {
  /**
   * The length of a round; longer than the messages of a comparison take to go to and fro, or it is broken off. Default:
   * 1 second.
   */
  readonly interval?: Duration.Input
  /** The layout of the tree, the same on all replicas. Default: 16 and 4, for some millions of keys at the most. */
  readonly fanOut?: number
  readonly depth?: number
  /**
   * A text that all replicas share, and nobody else who may write knows: it keys the hash. Default: empty, which is for
   * writers that are trusted.
   */
  readonly secret?: string
  /**
   * The most cells of a sketch, 0 to 1,048,576, each 20 bytes of memory: about 0.7 differences each, and a key that has two
   * versions is two. More differences are found by the tree. 0: all are. Default: 2,048.
   */
  readonly sketchCells?: number
  /** How many messages a node sends in a round to compare, from `depth` + 2, and as many again with entries. Default: 64. */
  readonly messagesPerRound?: number
  /** The largest message, 512 bytes to 16 MiB. Over TCP more is better. Default: 1,200, which fits a packet of any network. */
  readonly packetBytes?: number
  /** How many entries the store is asked for in a round, 1 to 1,000,000. Default: 1,024. */
  readonly entriesPerRound?: number
  /** The largest entry, with its key, 64 bytes to 16 MiB. It travels alone if it is larger than a packet. Default: 1,100. */
  readonly entryBytes?: number
}

const bytesMax = 16 * 1024 * 1024
const Word = Schema.Int.check(Schema.isBetween({ minimum: -(2 ** 31), maximum: 2 ** 31 - 1 }))

const Fields = Schema.Struct({
  intervalMillis: Settings.Millis,
  fanOut: Schema.Int,
  depth: Schema.Int,
  hashKey: Schema.Tuple([Word, Word]),
  sketchCells: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 20 })),
  messagesPerRound: Settings.Count,
  packetBytes: Schema.Int.check(Schema.isBetween({ minimum: 512, maximum: bytesMax })),
  entriesPerRound: Settings.Count,
  entryBytes: Schema.Int.check(Schema.isBetween({ minimum: 64, maximum: bytesMax }))
})

export const settle = (given: LayerOptions): Effect.Effect<Options, InvalidOptions> => {
  const { hi, lo } = Hash.text(0, 0, given.secret ?? "")
  return Settings.settle<Options>(
    Fields,
    {
      intervalMillis: Settings.millis(given.interval, defaults.intervalMillis),
      fanOut: given.fanOut ?? defaults.fanOut,
      depth: given.depth ?? defaults.depth,
      hashKey: given.secret === undefined ? defaults.hashKey : [hi, lo],
      sketchCells: given.sketchCells ?? defaults.sketchCells,
      messagesPerRound: given.messagesPerRound ?? defaults.messagesPerRound,
      packetBytes: given.packetBytes ?? defaults.packetBytes,
      entriesPerRound: given.entriesPerRound ?? defaults.entriesPerRound,
      entryBytes: given.entryBytes ?? defaults.entryBytes
    },
    together
  )
}

const together = (options: Options): string | undefined => {
  const reason = MerkleTree.fault(layoutOf(options))
  if (reason !== undefined) return reason
  const least = overhead + groupBytes(options.fanOut)
  if (options.messagesPerRound < options.depth + 2) {
    return `${options.messagesPerRound} messages a round don't reach the leaves of a tree of depth ${options.depth}: ${options.depth + 2} do`
  }
  return options.packetBytes < least
    ? `a packet of ${options.packetBytes} bytes has no room for the ${options.fanOut} children of a node: ${least} are needed`
    : undefined
}
