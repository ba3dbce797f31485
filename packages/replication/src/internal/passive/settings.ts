/**
 * The options of a layer, decoded.
 */
import { Duration, Effect, Option, Schema } from "effect"
import { InvalidOptions } from "../../Replicated.ts"

/** Of timers: above 0, and below 24 days. */
export const Millis = Schema.Number.check(Schema.isGreaterThan(0), Schema.isLessThan(2 ** 31))

/** What is no duration stays as it is, for the schema to refuse. */
export const millis = (given: Duration.Input | undefined, otherwise: number): unknown =>
  given === undefined
    ? otherwise
    : Option.match(Duration.fromInput(given), { onNone: () => given, onSome: Duration.toMillis })

const Count = Schema.Int.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(65_536))

export const Settings = Schema.Struct({
  tickMillis: Millis,
  silentTicks: Count.check(Schema.isGreaterThan(1)),
  detector: Schema.Literals(["silence", "given"]),
  safety: Schema.Literals(["majority", "perfect-detector"]),
  pipeline: Count,
  batch: Count,
  queue: Count,
  kept: Count,
  migrateAfter: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_536 })),
  timeoutMillis: Millis,
  retryMillis: Millis,
  open: Count
})

export const decode = <A>(schema: Schema.Decoder<A>, given: unknown): Effect.Effect<A, InvalidOptions> =>
  Schema.decodeUnknownEffect(schema)(given).pipe(
    Effect.mapError(({ message }) => new InvalidOptions({ reason: message }))
  )
