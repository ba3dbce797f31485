/** The keys of a cluster, as who runs it changes them: while packets flow, without one being lost. */
import { Effect, Schema } from "effect"
import { type Key, keyBytes, Keys, makeKey, maxKeys } from "./Keys.ts"

export class KeyRefused extends Schema.TaggedError<KeyRefused>()("KeyRefused", { reason: Schema.String }) {
  override get message(): string {
    return `The key ring refuses a key: ${this.reason}`
  }
}

/**
 * The keys that packets are sealed and opened with, 1 to 16 of 32 random bytes. To change the key of a cluster without a
 * packet lost: `install` the new one on every node, then `use` it on every node, then `remove` the old one from each.
 *
 * Several nodes of a process may share a ring.
 */
export class KeyRing {
  /** @internal */
  readonly keys: Keys

  /** @internal */
  constructor(keys: Keys) {
    this.keys = keys
  }

  /** How many keys open packets. */
  get size(): number {
    return this.keys.all.length
  }

  /** From now on the key opens packets. Installing it twice is no error. */
  install(bytes: Uint8Array): Effect.Effect<void, KeyRefused> {
    return Effect.flatMap(check(bytes), (key) => {
      if (this.keys.find(key) !== undefined) return Effect.void
      if (this.size >= maxKeys) return refuse(`it has ${maxKeys} keys already. Remove one that is no longer used.`)
      return Effect.sync(() => void (this.keys.all = [...this.keys.all, key]))
    })
  }

  /** From now on the key, which must be installed, seals packets. */
  use(bytes: Uint8Array): Effect.Effect<void, KeyRefused> {
    return Effect.flatMap(this.installed(bytes), (key) =>
      Effect.sync(() => void (this.keys.all = [key, ...this.keys.all.filter((one) => one !== key)]))
    )
  }

  /** From now on the key opens nothing. */
  remove(bytes: Uint8Array): Effect.Effect<void, KeyRefused> {
    return Effect.flatMap(this.installed(bytes), (key) =>
      key === this.keys.first
        ? refuse("it is in use. Use another one first.")
        : Effect.sync(() => void (this.keys.all = this.keys.all.filter((one) => one !== key)))
    )
  }

  private installed(bytes: Uint8Array): Effect.Effect<Key, KeyRefused> {
    return Effect.flatMap(check(bytes), (key) => {
      const own = this.keys.find(key)
      return own === undefined ? refuse("it is not installed. Install it on every node first.") : Effect.succeed(own)
    })
  }
}

/** A ring of keys: the first seals packets, each opens them. */
export const keyRing = (keys: ReadonlyArray<Uint8Array>): Effect.Effect<KeyRing, KeyRefused> =>
  Effect.gen(function* () {
    const [first, ...others] = yield* Effect.forEach(keys, check)
    if (first === undefined) return yield* refuse("there is none. Give at least one.")
    const ring = new KeyRing(new Keys([first]))
    for (const key of others) yield* ring.install(key.export())
    return ring
  })

const refuse = (reason: string): Effect.Effect<never, KeyRefused> => Effect.fail(new KeyRefused({ reason }))

const check = (bytes: Uint8Array): Effect.Effect<Key, KeyRefused> =>
  bytes instanceof Uint8Array && bytes.length === keyBytes
    ? Effect.sync(() => makeKey(bytes))
    : refuse(`a key has ${keyBytes} bytes, this one ${bytes instanceof Uint8Array ? bytes.length : "is no Uint8Array"}`)
