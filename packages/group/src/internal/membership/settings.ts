/** The options of a membership's layer, decoded. */
import { Duration, Effect, Option, Schema } from "effect"
import { InvalidOptions } from "../../Membership.ts"

/** Of timers: above 0, and below 24 days. */
export const Millis = Schema.Number.check(Schema.isGreaterThan(0), Schema.isLessThan(2 ** 31))

export const Count = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100_000 }))

/** What is no duration stays as it is, for the schema to refuse. */
export const millis = (given: Duration.Input | undefined, otherwise: number): unknown =>
  given === undefined
    ? otherwise
    : Option.match(Duration.fromInput(given), { onNone: () => given, onSome: Duration.toMillis })

export const decode = <A>(schema: Schema.Decoder<A>, given: unknown): Effect.Effect<A, InvalidOptions> =>
  Schema.decodeUnknownEffect(schema)(given).pipe(
    Effect.mapError(({ message }) => new InvalidOptions({ reason: message }))
  )
