/**
 * A user's connection, over TCP or from a browser: lines in, lines out. The first line is the user's name.
 *
 * A line that is too long ends it, and so does a reader that leaves too many lines unread: both have their bound.
 */
import { type Cause, Effect, Queue } from "effect"
import type { Socket } from "effect/socket"
import { Chat } from "./Chat.ts"
import { longest } from "./Session.ts"
import { type Screen, UserRefused } from "./Words.ts"

/** Characters of a line. */
const longestLine = longest + 100

/** Lines that were not sent yet. */
const mostUnsent = 20_000

/** Runs until either side ends it. */
export const talk = (socket: Socket.Socket): Effect.Effect<void, never, Chat> =>
  Effect.gen(function* () {
    const { connect, node } = yield* Chat
    const lines = yield* reading(socket)
    const { screen, sending } = yield* writing(socket)
    const converse = Effect.gen(function* () {
      screen.show([`* This is ${node}. Who are you?`])
      const session = yield* Effect.retry(
        Effect.tapError(
          Effect.flatMap(lines.next, (name) => connect(name.trim(), screen)),
          ({ message }) => Effect.sync(() => screen.show([`! ${message}`]))
        ),
        { while: (error) => error instanceof UserRefused }
      )
      screen.show(["* Welcome. /join a room"])
      // One after the other: of a user who types faster than that, no more is read.
      for (;;) yield* session.ask({ _tag: "Typed", line: yield* lines.next }, { timeout: Infinity })
    })
    yield* Effect.raceFirst(converse, sending)
  }).pipe(Effect.scoped, Effect.ignore)

/** Lines of a socket, one after the other. It fails when there are no more, or one is too long. */
const reading = (socket: Socket.Socket) =>
  Effect.gen(function* () {
    const { pull } = yield* socket.reader
    const decoder = new TextDecoder()
    const lines: Array<string> = []
    let rest = ""
    const next: Effect.Effect<string, Error | Socket.SocketError> = Effect.suspend(() => {
      const line = lines.shift()
      if ((line ?? rest).length > longestLine) return Effect.fail(new Error("the line is too long"))
      // What moves a cursor on one user's terminal is not for those of the others.
      if (line !== undefined) return Effect.succeed(line.replace(/\p{Cc}/gu, ""))
      return Effect.flatMap(pull, (chunks) => {
        for (const chunk of chunks) rest += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true })
        lines.push(...rest.split("\n"))
        rest = lines.pop()!
        return next
      })
    })
    return { next }
  })

/** A screen whose lines `sending` writes: it ends when the screen does, or when too many lines wait. */
const writing = (socket: Socket.Socket) =>
  Effect.gen(function* () {
    const { write } = yield* socket.writer
    const unsent = yield* Queue.dropping<string, Cause.Done>(mostUnsent)
    const end = (): void => void Queue.endUnsafe(unsent)
    const screen: Screen = {
      show: (lines) => {
        if (lines.some((line) => !Queue.offerUnsafe(unsent, line))) end()
      },
      end
    }
    const sending = Effect.forever(Effect.flatMap(Queue.takeAll(unsent), (lines) => write(`${lines.join("\n")}\n`)))
    return { screen, sending }
  })
