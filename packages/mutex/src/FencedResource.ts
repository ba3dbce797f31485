/**
 * What a lock guards, refusing whoever comes with an old token.
 *
 * A lock alone cannot keep a slow holder from acting late: it stood still, its lease ran out, another entered, and now it
 * goes on as if it were still inside. The resource can: it has seen a higher token by then.
 *
 * Source: M. Burrows, "The Chubby Lock Service for Loosely-Coupled Distributed Systems", OSDI 2006 (there: sequencers).
 *
 * @example
 * import { FencedResource } from "@troupe/mutex"
 * import { Effect } from "effect"
 *
 * const file = { text: "" }
 * const fenced = FencedResource.make({ name: "report.txt", resource: file })
 * const write = (token: number, text: string) => fenced.use(token, (file) => Effect.sync(() => (file.text = text)))
 *
 * const program = Effect.gen(function*() {
 *   yield* write(34, "by the second holder")
 *   return yield* Effect.flip(write(33, "by the first, late"))
 * })
 * console.log((await Effect.runPromise(program)).message)
 * // report.txt has been used under token 34: token 33 is stale, its holder is not inside any more.
 */
import { Effect, Schema } from "effect"
import type { FencingToken } from "./Mutex.ts"

/** The token is lower than one that the resource has seen. */
export class StaleToken extends Schema.TaggedError<StaleToken>()("StaleToken", {
  resource: Schema.String,
  token: Schema.Number,
  latest: Schema.Number
}) {
  override get message(): string {
    return `${this.resource} has been used under token ${this.latest}: token ${this.token} is stale, its holder is not inside any more.`
  }
}

/** The token is no whole number from 0: no lock of this package gave it. */
export class NotAToken extends Schema.TaggedError<NotAToken>()("NotAToken", {
  resource: Schema.String,
  token: Schema.Any
}) {
  override get message(): string {
    return `${this.resource} is used under ${String(this.token)}, which no lock gives as a token.`
  }
}

export interface FencedResource<out Resource> {
  /** Hands the resource to `body`, unless a higher token has been here. The same token may come again. */
  readonly use: <A, E, R>(
    token: FencingToken,
    body: (resource: Resource) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | StaleToken | NotAToken, R>
  /** The highest token so far; -1 before the first. Keep it with the resource when that outlives the process. */
  readonly latest: Effect.Effect<FencingToken>
}

/**
 * Guards `resource` by the tokens of one lock. `latest`: what it was in an earlier life.
 *
 * Tokens are numbers, and do not say of which lock they are. One of another lock is refused where it is lower than those
 * seen; where it is higher it cannot be told, and the tokens of the right lock are refused from then on.
 */
export const make = <Resource>(options: {
  /** For errors. */
  readonly name: string
  readonly resource: Resource
  readonly latest?: FencingToken
}): FencedResource<Resource> => {
  const { name, resource } = options
  let latest = options.latest ?? -1
  return {
    use: Effect.fnUntraced(function* (token, body) {
      if (!Number.isSafeInteger(token) || token < 0) return yield* new NotAToken({ resource: name, token })
      if (token < latest) return yield* new StaleToken({ resource: name, token, latest })
      latest = token
      return yield* body(resource)
    }),
    latest: Effect.sync(() => latest)
  }
}
