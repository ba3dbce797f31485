/**
 * A store of keys and values, on any replication of the `KeyValue` machine.
 *
 * Each value has a version, by which `compareAndSet` replaces what was read and nothing else. What the operations guarantee
 * is what the layer below guarantees: linearizable on `Passive` and `LocalWrite`. A `session` reads this node's copy, and
 * keeps what `Sessions` says.
 *
 * @example
 * import { KeyValue, Single, Store } from "@troupe/replication"
 * import { Effect, Layer } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const store = yield* Store.Store
 *   const version = yield* store.put("greeting", Store.bytes("hello"))
 *   yield* store.compareAndSet("greeting", version, Store.bytes("good day"))
 *   const entry = yield* store.get("greeting")
 *   console.log(entry?.version, Store.text(entry!.value)) // 2 good day
 * })
 * const one = Single.layer(KeyValue.KeyValue, { self: "n1" })
 * await Effect.runPromise(program.pipe(Effect.provide(Store.layer.pipe(Layer.provide(one)))))
 */
import { Context, Effect, Layer, Schema } from "effect"
import * as KeyValue from "./KeyValue.ts"
import type { Behind, InvalidOptions, InvokeError } from "./Replicated.ts"
import * as Sessions from "./Sessions.ts"

/** A value, and the version of the update that it comes from. */
export interface Entry {
  readonly value: Uint8Array
  readonly version: number
}

/** What may be asked of a store, and of a session with it. Keys have 1 to 1,024 characters, values 1 MiB at the most. */
export interface Operations<out E> {
  /** Nothing, where the key is not there. */
  readonly get: (key: string) => Effect.Effect<Entry | undefined, E | KeyValue.InvalidRequest>
  /** Its version. */
  readonly put: (key: string, value: Uint8Array) => Effect.Effect<number, E | KeyValue.InvalidRequest>
  /** Whether it was there. */
  readonly delete: (key: string) => Effect.Effect<boolean, E | KeyValue.InvalidRequest>
  /** Puts where the key has that version still; 0: where it is not there. The new version. */
  readonly compareAndSet: (
    key: string,
    expected: number,
    value: Uint8Array
  ) => Effect.Effect<number, E | KeyValue.InvalidRequest | VersionConflict>
}

export interface Session extends Operations<InvokeError | Behind> {
  /** What a client carries to go on at another node. */
  readonly token: Effect.Effect<Sessions.Token>
}

export class Store extends Context.Service<
  Store,
  Operations<InvokeError> & {
    readonly session: (options?: Sessions.Options) => Effect.Effect<Session, Sessions.InvalidToken | InvalidOptions>
  }
>()("@troupe/replication/Store") {}

/** The key has been written since, or is gone. */
export class VersionConflict extends Schema.TaggedError<VersionConflict>()("VersionConflict", {
  key: Schema.String,
  expected: Schema.Int,
  found: Schema.Int
}) {
  override get message(): string {
    const found = this.found === 0 ? "is not there" : `has version ${this.found}`
    return `"${this.key}" was not set: it ${found}, and ${this.expected} was expected. Get it, decide anew, and try again.`
  }
}

/** Text as a value. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The text that a value is in UTF-8. */
export const text = (value: Uint8Array): string => new TextDecoder().decode(value)

type Invoke<E> = (request: KeyValue.Request) => Effect.Effect<KeyValue.Response, E>

/** Values are copied on their way in and out: what replicas hold nobody changes. */
const operations = <E>(invoke: Invoke<E>): Operations<E> => {
  const ask = (request: KeyValue.Request): Effect.Effect<KeyValue.Response, E | KeyValue.InvalidRequest> =>
    Effect.suspend((): Effect.Effect<KeyValue.Response, E | KeyValue.InvalidRequest> => {
      const invalid = KeyValue.invalid(request)
      return invalid === undefined ? invoke(request) : Effect.fail(invalid)
    })
  return {
    get: (key) =>
      Effect.map(ask({ _tag: "Get", key }), (response) =>
        response._tag === "Found" ? { value: response.value.slice(), version: response.version } : undefined
      ),
    put: (key, value) => Effect.map(ask({ _tag: "Put", key, value: value.slice() }), versionOf),
    delete: (key) => Effect.map(ask({ _tag: "Delete", key }), ({ _tag }) => _tag === "Written"),
    compareAndSet: (key, expected, value) =>
      Effect.flatMap(ask({ _tag: "CompareAndSet", key, expected, value: value.slice() }), (response) =>
        response._tag === "Conflict"
          ? Effect.fail(new VersionConflict({ key, expected, found: response.version }))
          : Effect.succeed(versionOf(response))
      )
  }
}

const versionOf = (response: KeyValue.Response): number => ("version" in response ? response.version : 0)

/** The store of this node, on its replica. */
export const layer: Layer.Layer<Store, never, KeyValue.KeyValue> = Layer.effect(
  Store,
  Effect.gen(function* () {
    const replicated = yield* KeyValue.KeyValue
    return Store.of({
      ...operations((request) => replicated.invoke(request)),
      session: (options) =>
        Effect.map(Sessions.make(KeyValue.machine, replicated, options), ({ invoke, token }) => ({
          ...operations(invoke),
          token
        }))
    })
  })
)
