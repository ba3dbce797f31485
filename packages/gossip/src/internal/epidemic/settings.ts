/** What gossip is set to, as layers are given it, and as nodes have it. */
import { Duration, Effect, Option, Schema } from "effect"
import { InvalidOptions } from "../../Gossip.ts"
import type { BaseOptions } from "./base.ts"
import { listMax } from "./exchange.ts"

/** The bounds and budgets that all kinds of gossip have. */
export const baseDefaults: BaseOptions = {
  keptItems: 16_384,
  keptBytes: 16 * 1024 * 1024,
  keepMillis: 60_000,
  sources: 1_024,
  forgetMillis: 600_000,
  itemBytes: 1_100,
  packetBytes: 1_200,
  itemsPerMessage: 64,
  messagesPerRound: 32,
  sourcesPerDigest: 64
}

/** What every layer may be given. */
export interface BaseLayerOptions {
  /** How many items are kept to be handed on, and how many bytes of them; the oldest go first. Default: 16,384 and 16 MiB. */
  readonly keptItems?: number
  readonly keptBytes?: number
  /**
   * How long an item is kept, and how long a missing one is waited for before it is given up and told of as missed.
   * Default: 1 minute.
   */
  readonly keep?: Duration.Input
  /** How many publishers are remembered, each life of a node one; the one that was silent longest goes first. Default: 1,024. */
  readonly sources?: number
  /** How long a publisher is remembered that is silent: an item that comes back later is heard again. Default: 10 minutes. */
  readonly forget?: Duration.Input
  /** The largest item, with its names, 64 bytes to 16 MiB. Default: 1,100. */
  readonly itemBytes?: number
  /**
   * The largest message, 256 bytes to 16 MiB, unless one item is larger. Over UDP no more than its packets hold; over TCP
   * more is better. Default: 1,200, which fits a packet of any network.
   */
  readonly packetBytes?: number
  /** How many items go into a message, 1 to 4,096. Default: 64. */
  readonly itemsPerMessage?: number
  /** How many messages with items a node answers with in a round; the rest waits for the next. Default: 32. */
  readonly messagesPerRound?: number
  /** How many publishers a digest names, 1 to 4,096; of more, those that follow one that is drawn. Default: 64. */
  readonly sourcesPerDigest?: number
}

/** More than nothing, and a delay that a timer can have. */
export const Millis = Schema.Number.check(Schema.isGreaterThan(0), Schema.isLessThan(2 ** 31))
/** 0: never, or at once. */
export const MillisOrNone = Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))
export const Count = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 }))
export const CountOrNone = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 }))

const Listed = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: listMax }))
const bytesMax = 16 * 1024 * 1024

export const baseFields = {
  keptItems: Count,
  keptBytes: Schema.Int.check(Schema.isBetween({ minimum: 1_024, maximum: 2 ** 40 })),
  keepMillis: Millis,
  sources: Count,
  forgetMillis: Millis,
  itemBytes: Schema.Int.check(Schema.isBetween({ minimum: 64, maximum: bytesMax })),
  packetBytes: Schema.Int.check(Schema.isBetween({ minimum: 256, maximum: bytesMax })),
  itemsPerMessage: Listed,
  messagesPerRound: Count,
  sourcesPerDigest: Listed
}

/** What is no duration stays as it is, for the schema to refuse. */
export const millis = (given: Duration.Input | undefined, otherwise: number): unknown =>
  given === undefined
    ? otherwise
    : Option.match(Duration.fromInput(given), { onNone: () => given, onSome: Duration.toMillis })

export const base = (given: BaseLayerOptions): { readonly [Key in keyof BaseOptions]: unknown } => ({
  keptItems: given.keptItems ?? baseDefaults.keptItems,
  keptBytes: given.keptBytes ?? baseDefaults.keptBytes,
  keepMillis: millis(given.keep, baseDefaults.keepMillis),
  sources: given.sources ?? baseDefaults.sources,
  forgetMillis: millis(given.forget, baseDefaults.forgetMillis),
  itemBytes: given.itemBytes ?? baseDefaults.itemBytes,
  packetBytes: given.packetBytes ?? baseDefaults.packetBytes,
  itemsPerMessage: given.itemsPerMessage ?? baseDefaults.itemsPerMessage,
  messagesPerRound: given.messagesPerRound ?? baseDefaults.messagesPerRound,
  sourcesPerDigest: given.sourcesPerDigest ?? baseDefaults.sourcesPerDigest
})

/** Options as a schema has them; `together` says what is wrong with them as a whole, if anything. */
export const settle = <Options>(
  schema: Schema.Codec<Options, any>,
  given: { readonly [Key in keyof Options]: unknown },
  together: (options: Options) => string | undefined = () => undefined
): Effect.Effect<Options, InvalidOptions> =>
  Schema.decodeUnknownEffect(schema)(given).pipe(
    Effect.mapError(({ message }) => new InvalidOptions({ reason: message })),
    Effect.flatMap((options) => {
      const reason = together(options)
      return reason === undefined ? Effect.succeed(options) : Effect.fail(new InvalidOptions({ reason }))
    })
  )

/** What is wrong with the bounds as a whole. */
export const fit = ({ forgetMillis, keepMillis }: BaseOptions): string | undefined =>
  forgetMillis < keepMillis
    ? `publishers would be forgotten after ${forgetMillis} ms, before their items are, after ${keepMillis} ms`
    : undefined
