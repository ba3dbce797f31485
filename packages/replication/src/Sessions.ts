/**
 * Sessions: what a client may rely on from one of its requests to the next, though it moves between replicas that know
 * different things.
 *
 * - **read your writes**: a read is answered by a copy that holds what the session has written;
 * - **monotonic reads**: by a copy that holds what its earlier reads had seen;
 * - **monotonic writes**: a copy that has an update of the session has those before it;
 * - **writes follow reads**: a copy that has an update of the session has what its reads before it had seen.
 *
 * A session remembers two positions: what it has written, and what it has seen. A request says which of them must be held
 * before it; a copy that is behind waits, and in the end fails with `Behind`. The client carries the positions along as a
 * token, from node to node, and opens the session there again. Sessions are for reads that may be behind: those of Passive
 * and LocalWrite from the node's own copy, all of Naive. Over Quorum a session reads by quorums, and finds all there, unless
 * `writeBack` is off: then it cannot be had. An update that is in doubt is not remembered.
 *
 * The guarantees are about which updates a copy holds, and which it has applied before which. Updates that know nothing of
 * each other Naive applies in any order: a machine makes copies agree all the same, if it takes care to, as `KeyValue` does.
 *
 * An update counts as a write alone, also where its response tells of the state: a read after it is as monotonic as ever,
 * the response itself may be behind.
 *
 * Source: D. B. Terry, A. J. Demers, K. Petersen, M. J. Spreitzer, M. M. Theimer, B. B. Welch, "Session Guarantees for Weakly
 * Consistent Replicated Data", PDIS 1994.
 *
 * @example
 * import { KeyValue, Sessions, Single } from "@troupe/replication"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const session = yield* Sessions.open(KeyValue.KeyValue)
 *   yield* session.invoke({ _tag: "Put", key: "a", value: new Uint8Array([1]) })
 *   console.log(Sessions.format(yield* session.token))
 *   // {"format":1,"of":"replication/single/key-value","wrote":{"n1":1},"read":{}}
 * })
 * await Effect.runPromise(Effect.provide(program, Single.layer(KeyValue.KeyValue, { self: "n1" })))
 */

import { VersionVector } from "@troupe/clocks"
import type { Codec } from "@troupe/transport"
import { Duration, Effect, Option, Schema } from "effect"
import type * as Machine from "./Machine.ts"
import {
  type Behind,
  InvalidOptions,
  type InvokeError,
  type Position,
  type Positions,
  type Replicated,
  type Tag
} from "./Replicated.ts"

/** Each may be switched off; all are on by default. */
export interface Guarantees {
  readonly readYourWrites?: boolean
  readonly monotonicReads?: boolean
  readonly monotonicWrites?: boolean
  readonly writesFollowReads?: boolean
}

export interface Options extends Guarantees {
  /** Of the session that goes on, from this node or another. None: a new one. */
  readonly token?: Token
  /** How long a request may wait for a copy that is behind: below 24 days. Default: 5 seconds. */
  readonly patience?: Duration.Input
}

export interface Session<in Request, out Response> {
  /** One request after another; those that are open together know nothing of each other. */
  readonly invoke: (request: Request) => Effect.Effect<Response, InvokeError | Behind>
  /** What the session knows now. */
  readonly token: Effect.Effect<Token>
}

// -------------------------------------------------------------------------------------------------------------- the token

/** What a client carries from node to node. Its size is that of two numbers, or of two for each replica that is naive. */
export interface Token {
  readonly format: 1
  /** The layer and the machine. Of another cluster with the same ones nobody can tell: a client knows where it was. */
  readonly of: string
  readonly wrote: Position
  readonly read: Position
}

export const Token: Codec.MessageSchema<Token> = Schema.Struct({
  format: Schema.Literal(1),
  of: Schema.String,
  wrote: VersionVector.VersionVector,
  read: VersionVector.VersionVector
})

/** This is no token that the session could go on from. */
export class InvalidToken extends Schema.TaggedError<InvalidToken>()("InvalidToken", {
  reason: Schema.String
}) {
  override get message(): string {
    return `The session cannot go on: ${this.reason}. Begin a new one without a token, or bring the one that was given here.`
  }
}

/** In characters. */
export const longestToken = 65_536

/** A token as text, for a cookie, a header or a file. */
export const format = (token: Token): string => JSON.stringify(encode(token))
const encode = Schema.encodeSync(Token)

/** Reads a token back. */
export const parse = (text: string): Effect.Effect<Token, InvalidToken> =>
  Effect.suspend(() => {
    if (text.length > longestToken) {
      return invalid(`the token has ${text.length} characters, and may have ${longestToken}`)
    }
    return decodeJson(text).pipe(
      Effect.mapError(() => new InvalidToken({ reason: "the token is no JSON" })),
      Effect.flatMap((given) => {
        const newer = formatOf(given)
        if (newer !== 1) return invalid(newer === undefined ? "it is no token" : `the token has format ${newer}, not 1`)
        return decode(given).pipe(
          Effect.mapError(({ message }) => new InvalidToken({ reason: `the token is malformed, ${message}` }))
        )
      })
    )
  })

const decodeJson = Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Unknown))
const decode = Schema.decodeUnknownEffect(Token)

const formatOf = (given: unknown): number | undefined =>
  typeof given === "object" && given !== null && "format" in given && typeof given.format === "number"
    ? given.format
    : undefined

const invalid = (reason: string): Effect.Effect<never, InvalidToken> => Effect.fail(new InvalidToken({ reason }))

// ------------------------------------------------------------------------------------------------------------ the session

/** A session at this node's replica: a new one, or one that goes on. */
export const open = <Self, S, Q, U, R>(
  tag: Tag<Self, S, Q, U, R>,
  options: Options = {}
): Effect.Effect<Session<Q, R>, InvalidToken | InvalidOptions, Self> =>
  Effect.flatMap(tag, (replicated) => make(tag.machine, replicated, options))

/** As `open`, of a service that is at hand. */
export const make = <S, Q, U, R>(
  machine: Machine.Machine<S, Q, U, R>,
  replicated: Replicated<Q, R>,
  options: Options = {}
): Effect.Effect<Session<Q, R>, InvalidToken | InvalidOptions> =>
  Effect.gen(function* () {
    const { positions } = replicated
    if (positions === undefined)
      return yield* new InvalidOptions({ reason: "with this layer and its options no session can keep its guarantees" })
    const patienceMillis = Option.match(Duration.fromInput(options.patience ?? "5 seconds"), {
      onNone: () => Number.NaN,
      onSome: Duration.toMillis
    })
    if (!(patienceMillis >= 0 && patienceMillis < 2 ** 31)) {
      return yield* new InvalidOptions({ reason: "the patience of a session is a time below 24 days" })
    }
    const { of } = positions
    const token = options.token ?? { format: 1, of, wrote: VersionVector.empty, read: VersionVector.empty }
    if (token.of !== of) return yield* invalid(`the token is of ${token.of}, and this is ${of}`)
    return session(machine, positions, token, { ...all, ...options }, patienceMillis)
  })

const all: Required<Guarantees> = {
  readYourWrites: true,
  monotonicReads: true,
  monotonicWrites: true,
  writesFollowReads: true
}

const session = <Q, R>(
  { isRead }: { readonly isRead: (request: Q) => boolean },
  positions: Positions<Q, R>,
  begin: Token,
  guarantees: Required<Guarantees>,
  patienceMillis: number
): Session<Q, R> => {
  let token = begin
  const read = (request: Q): Effect.Effect<R, InvokeError | Behind> =>
    Effect.map(positions.invoke(request, neededToRead(token, guarantees), patienceMillis), ({ at, response }) => {
      token = { ...token, read: VersionVector.merge(token.read, at) }
      return response
    })
  const write = (request: Q): Effect.Effect<R, InvokeError | Behind> =>
    Effect.map(positions.invoke(request, neededToWrite(token, guarantees), patienceMillis), ({ at, response }) => {
      token = { ...token, wrote: VersionVector.merge(token.wrote, at) }
      return response
    })
  return {
    invoke: (request) => Effect.suspend(() => (isRead(request) ? read(request) : write(request))),
    token: Effect.sync(() => token)
  }
}

const neededToRead = (token: Token, { monotonicReads, readYourWrites }: Required<Guarantees>): Position =>
  VersionVector.merge(
    readYourWrites ? token.wrote : VersionVector.empty,
    monotonicReads ? token.read : VersionVector.empty
  )

const neededToWrite = (token: Token, { monotonicWrites, writesFollowReads }: Required<Guarantees>): Position =>
  VersionVector.merge(
    monotonicWrites ? token.wrote : VersionVector.empty,
    writesFollowReads ? token.read : VersionVector.empty
  )
