/**
 * A user's connection, over TCP or from a browser: lines in, lines out. The first line is the user's name.
 *
 * Until it has come, the connection has a place in the node's door. Who is refused is told why, and hung up on; who does not
 * even read that is cut off.
 */
import { Effect } from "effect"
import type { Socket } from "effect/socket"
import { Chat } from "./Chat.ts"
import { Crowded, Door, Nameless, type Place, type Refusal } from "./Door.ts"
import { reading, type Wire, writing } from "./Lines.ts"
import { type Screen, UserRefused } from "./Words.ts"

/** For the last words. */
const farewell = "1 second"

/** For what was written, when no more comes. */
const linger = "5 seconds"

/** Runs until either side ends it. */
export const talk = (socket: Socket.Socket, wire: Wire): Effect.Effect<void, never, Chat | Door> =>
  Effect.gen(function* () {
    const { come, limits } = yield* Door
    const place = yield* come
    const gone = Effect.andThen(
      Effect.timeoutOption(wire.closed, linger),
      Effect.sync(() => {
        wire.cut()
        place.leave()
      })
    )
    yield* Effect.addFinalizer(() => Effect.forkDetach(gone))
    // So many are being refused that there are no words left for this one.
    if (place.before >= 2 * limits.maxUnnamed) return wire.cut()
    const lines = yield* reading(socket, limits.maxLine)
    const { screen, sending } = yield* writing(socket, wire, limits.maxOutputBytes)
    const { write } = yield* socket.writer
    const conversation = Effect.tapErrorTag(converse(lines.next, screen, place), refusals, ({ message }) =>
      Effect.sync(() => screen.show([`! ${message}`]))
    )
    // The session ends with that; the last words come after it.
    yield* Effect.scoped(Effect.raceFirst(conversation, sending)).pipe(
      Effect.catchTag(refusals, () => Effect.andThen(Effect.sync(screen.end), Effect.timeoutOption(sending, farewell))),
      // What was to be shown is in the way of that: it is left out.
      Effect.catchTag("SlowReader", ({ message }) => Effect.timeoutOption(write(`! ${message}\n`), farewell))
    )
  }).pipe(Effect.scoped, Effect.ignore)

/** Of what somebody typed, or did not. */
const refusals = ["Crowded", "Nameless", "LineTooLong"] as const satisfies ReadonlyArray<Refusal["_tag"]>

const converse = <E>(next: Effect.Effect<string, E>, screen: Screen, place: Place) =>
  Effect.gen(function* () {
    const { connect, node } = yield* Chat
    const { maxUnnamed, nameMillis } = (yield* Door).limits
    if (place.before >= maxUnnamed) return yield* new Crowded({ unnamed: maxUnnamed })
    screen.show([`* This is ${node}. Who are you?`])
    const named = Effect.retry(
      Effect.tapError(
        Effect.flatMap(next, (name) => connect(name.trim(), screen)),
        (error) => Effect.sync(() => error instanceof UserRefused && screen.show([`! ${error.message}`]))
      ),
      { while: (error) => error instanceof UserRefused }
    )
    const session = yield* Effect.timeoutOrElse(named, {
      duration: nameMillis,
      orElse: () => Effect.fail(new Nameless({ millis: nameMillis }))
    })
    place.leave()
    screen.show(["* Welcome. /join a room"])
    // One after the other: of a user who types faster than that, no more is read.
    for (;;) yield* session.ask({ _tag: "Typed", line: yield* next }, { timeout: Infinity })
  })
