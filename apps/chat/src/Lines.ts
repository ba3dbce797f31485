/** A connection as lines: those that come, one after the other, and those that go, of which so much may wait. */
import { Deferred, Effect, Latch } from "effect"
import type { Socket } from "effect/socket"
import { LineTooLong, SlowReader } from "./Door.ts"
import type { Screen } from "./Words.ts"

/** What is behind a socket. */
export interface Wire {
  /** Bytes that were written, and that the system has not taken. */
  readonly unsent: () => number
  /** Ends it at once: what was not sent is lost. */
  readonly cut: () => void
  readonly closed: Effect.Effect<void>
}

/**
 * As it may stand on a line of anybody's terminal: without what moves a cursor there, or turns the direction of writing; and
 * with letters in one form, so that names that look alike are alike.
 */
const shownOf = (line: string): string =>
  line
    .replace(/[\t\p{Zl}\p{Zp}]/gu, " ")
    .replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, "")
    .normalize("NFC")

/** Fails when there are no more, or one is too long. */
export const reading = (socket: Socket.Socket, most: number) =>
  Effect.gen(function* () {
    const { pull } = yield* socket.reader
    const decoder = new TextDecoder()
    let lines: Array<string> = []
    let at = 0
    let rest = ""
    const next: Effect.Effect<string, LineTooLong | Socket.SocketError> = Effect.suspend(() => {
      const line = lines[at]
      if ((line ?? rest).length > most) return Effect.fail(new LineTooLong({ characters: most }))
      if (line !== undefined) {
        at++
        return Effect.succeed(shownOf(line))
      }
      return Effect.flatMap(pull, (chunks) => {
        for (const chunk of chunks) rest += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true })
        lines = rest.split("\n")
        at = 0
        rest = lines.pop()!
        return next
      })
    })
    return { next }
  })

/** A screen, and what writes its lines: it ends when the screen has, and fails when too much waits. */
export const writing = (socket: Socket.Socket, wire: Wire, most: number) =>
  Effect.gen(function* () {
    const { write } = yield* socket.writer
    const slow = yield* Deferred.make<never, SlowReader>()
    const output = new Output(
      wire,
      most,
      () => void Deferred.doneUnsafe(slow, Effect.fail(new SlowReader({ bytes: most })))
    )
    const send = Effect.gen(function* () {
      while (!output.isOver) {
        yield* output.filled.await
        const text = output.take()
        if (text !== "") yield* write(text)
      }
    })
    return { screen: output as Screen, sending: Effect.raceFirst(send, Deferred.await(slow)) }
  })

class Output implements Screen {
  private readonly wire: Wire
  private readonly most: number
  private readonly overflow: () => void
  private texts: Array<string> = []
  private bytes = 0
  private isEnded = false
  private isFull = false
  /** Open when there is something to do. */
  readonly filled = Latch.makeUnsafe(false)

  constructor(wire: Wire, most: number, overflow: () => void) {
    this.wire = wire
    this.most = most
    this.overflow = overflow
  }

  /** All is taken, and no more comes. */
  get isOver(): boolean {
    return this.isEnded && this.texts.length === 0
  }

  take(): string {
    const text = this.texts.join("")
    this.texts = []
    this.bytes = 0
    this.filled.closeUnsafe()
    return text
  }

  readonly show = (lines: ReadonlyArray<string>): void => {
    if (this.isEnded || this.isFull || lines.length === 0) return
    const text = `${lines.join("\n")}\n`
    const bytes = Buffer.byteLength(text)
    // No fault of the reader's.
    if (bytes > this.most) return this.show([`! That is more than ${this.most} bytes. Ask for less`])
    if (bytes + this.bytes + this.wire.unsent() > this.most) {
      this.isFull = true
      this.texts = []
      return this.overflow()
    }
    this.texts.push(text)
    this.bytes += bytes
    this.filled.openUnsafe()
  }

  readonly end = (): void => {
    this.isEnded = true
    this.filled.openUnsafe()
  }
}
