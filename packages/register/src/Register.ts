/**
 * Named registers that behave as one copy, whoever asks and however many ask at once (linearizability). Each has a version
 * that counts its changes, and is set by who knows the version: compare-and-set. That is what a lease, a leader or a
 * configuration needs of the world; who provides it, one node or a quorum, is a layer.
 *
 * @example
 * import { MemoryRegister, Register } from "@troupe/register"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const register = yield* Register
 *   const { version } = yield* register.read("limit")
 *   yield* register.compareAndSet("limit", version, 10)
 *   // Somebody who still goes by the old version changes nothing, and is told what there is.
 *   return yield* register.compareAndSet("limit", version, 99)
 * })
 * console.log(await Effect.runPromise(Effect.provide(program, MemoryRegister.layer(MemoryRegister.make()))))
 * // { _tag: 'Conflict', current: { version: 1, value: 10 } }
 */
import { Context, Effect, Schema } from "effect"

/** A value, and how often the register has been set up to it: 0 before the first time, when the value is `null`. */
export interface Versioned<out Value = Schema.Json> {
  readonly version: number
  readonly value: Value
}

/** What came of a compare-and-set. */
export type Outcome<Value = Schema.Json> =
  /** It is set; the version is one more than was expected. */
  | { readonly _tag: "Set"; readonly version: number }
  /** It had another version, and was left as it is. */
  | { readonly _tag: "Conflict"; readonly current: Versioned<Value> }

export class Register extends Context.Service<
  Register,
  {
    readonly read: (name: string) => Effect.Effect<Versioned, Unavailable | Refused>
    /**
     * Sets the register if its version is `expected`. After `Unavailable` it may have been set, or may yet be: read it again.
     * Of all that expect one version, at most one succeeds.
     */
    readonly compareAndSet: (
      name: string,
      expected: number,
      value: Schema.Json
    ) => Effect.Effect<Outcome, Unavailable | Refused>
  }
>()("@troupe/register/Register") {}

/** No answer came in time. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", {
  register: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return (
      `Register "${this.register}" did not answer: ${this.reason}. ` +
      `A compareAndSet may have taken effect nevertheless, or yet will: read the register before the next.`
    )
  }
}

/** The call cannot be done, now or later; nothing was changed. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  register: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Register ${JSON.stringify(this.register.slice(0, 300))} refuses the call: ${this.reason}.`
  }
}

/** The register holds something else than its reader expects. */
export class WrongValue extends Schema.TaggedError<WrongValue>()("WrongValue", {
  register: Schema.String,
  version: Schema.Int,
  reason: Schema.String
}) {
  override get message(): string {
    return (
      `Register "${this.register}" at version ${this.version} holds a value of another kind: ${this.reason}. ` +
      `Use another name, or the schema of who set it.`
    )
  }
}

/** An option of a register's layer is wrong. */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", {
  reason: Schema.String
}) {
  override get message(): string {
    return `The register cannot start: ${this.reason}.`
  }
}

/** One register whose values are of a schema. */
export interface Typed<in out Value> {
  /** `undefined` before it is set for the first time. */
  readonly read: Effect.Effect<Versioned<Value | undefined>, Unavailable | Refused | WrongValue>
  readonly compareAndSet: (
    expected: number,
    value: Value
  ) => Effect.Effect<Outcome<Value | undefined>, Unavailable | Refused | WrongValue>
}

/** The register of this name, whose values are of `schema`, as JSON. */
export const typed = <Value>(
  register: Register["Service"],
  name: string,
  schema: Schema.Codec<Value, any, never, never>
): Typed<Value> => {
  const codec = Schema.toCodecJson(schema)
  const encode = Schema.encodeEffect(codec)
  const decode = Schema.decodeUnknownEffect(codec)
  const wrong = (version: number) => (error: Schema.SchemaError) =>
    new WrongValue({ register: name, version, reason: error.message })
  const open = ({ value, version }: Versioned): Effect.Effect<Versioned<Value | undefined>, WrongValue> =>
    version === 0
      ? Effect.succeed({ version, value: undefined })
      : Effect.mapBoth(decode(value), { onSuccess: (value) => ({ version, value }), onFailure: wrong(version) })
  return {
    read: Effect.flatMap(register.read(name), open),
    compareAndSet: Effect.fnUntraced(function* (expected, value) {
      const json = yield* Effect.mapError(encode(value), wrong(expected))
      const outcome = yield* register.compareAndSet(name, expected, json as Schema.Json)
      return outcome._tag === "Set" ? outcome : { _tag: "Conflict" as const, current: yield* open(outcome.current) }
    })
  }
}
