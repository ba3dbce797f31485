/** What systems of actors say to each other. */
import { Codec, Reader, type Writer } from "@troupe/transport"
import { Schema } from "effect"
import {
  ActorStopped,
  HandlerFailed,
  MailboxFull,
  MessageTooLarge,
  Misunderstood,
  Unreachable
} from "../../ActorRef.ts"
import { readText, writeText } from "./texts.ts"

/** Where an actor is: by its number in one life of a system or, where that is 0, by its path. */
export interface Target {
  readonly life: number
  readonly serial: number
  readonly path: string
}

/** In which span something is told or asked. Of a question both names are empty where its chain is not traced. */
export interface Trace {
  readonly traceId: string
  readonly spanId: string
  /** So many spans stand above each other by now. */
  readonly depth: number
}

export const pathOf = ({ path, serial }: Target): string => (serial === 0 ? path : `$${serial.toString(36)}`)

export type Frame =
  /** `name`: of what the teller takes it to understand. */
  | {
      readonly kind: "Tell"
      readonly target: Target
      readonly name: string
      readonly body: Body
      /** Where it is told within a span that is traced. */
      readonly trace?: Trace
    }
  | {
      readonly kind: "Ask"
      readonly id: number
      readonly millis: number
      readonly target: Target
      readonly name: string
      readonly body: Body
      /** Where it was decided whether the chain is traced. */
      readonly trace?: Trace
    }
  | { readonly kind: "Reply"; readonly id: number; readonly body: Body }
  | { readonly kind: "Failure"; readonly id: number; readonly body: Body }
  | { readonly kind: "Refusal"; readonly id: number; readonly body: Body }
  | { readonly kind: "Watch"; readonly id: number; readonly target: Target }
  | { readonly kind: "Unwatch"; readonly id: number }
  /** The same as to watch, and who is watched is linked to `by`. */
  | { readonly kind: "Link"; readonly id: number; readonly target: Target; readonly by: Target }
  | { readonly kind: "Unlink"; readonly id: number }
  /** Who was found at the path that is watched. */
  | { readonly kind: "Found"; readonly id: number; readonly target: Target }
  /** What was watched is no more; `failure`: why, or empty where it has stopped. */
  | { readonly kind: "Ended"; readonly id: number; readonly failure: string }

/** To be written, or as it was read: kept for later, or understood at once. */
export type Body = Unwritten | { readonly bytes: Uint8Array } | Understood

export interface Unwritten {
  readonly codec: Codec.Codec<any>
  readonly message: unknown
}

/** As `codec` has read it, which may have failed. */
export class Understood {
  readonly by: Codec.Codec<any>
  readonly message: unknown
  readonly error: unknown

  constructor(by: Codec.Codec<any>, message: unknown, error?: unknown) {
    this.by = by
    this.message = message
    this.error = error
  }
}

/** Finds out what the rest of a frame is, which is there while it is read. */
export interface Understanding {
  readonly message: (rest: Reader, target: Target, name: string) => Body
  readonly answer: (rest: Reader, id: number, kind: "Reply" | "Failure" | "Refusal") => Body
}

export const Refusal = Schema.Union([
  ActorStopped,
  HandlerFailed,
  MailboxFull,
  MessageTooLarge,
  Misunderstood,
  Unreachable
])
export const refusals = Codec.binary(Refusal as unknown as Codec.MessageSchema<typeof Refusal.Type>)

/** `Tell` and `Ask` stand at two places: the second has a trace before the body. */
const kinds = [
  "Tell",
  "Ask",
  "Reply",
  "Failure",
  "Refusal",
  "Watch",
  "Unwatch",
  "Ended",
  "Ask",
  "Found",
  "Link",
  "Unlink",
  "Tell"
] as const
const tracedAsk = 8
const tracedTell = 12
const places = Object.fromEntries(kinds.map((kind) => [kind, kinds.indexOf(kind)])) as Record<Frame["kind"], number>

const placeOf = (frame: Frame): number => {
  if (frame.kind === "Tell" && frame.trace !== undefined) return tracedTell
  return frame.kind === "Ask" && frame.trace !== undefined ? tracedAsk : places[frame.kind]
}

const writeTarget = ({ life, path, serial }: Target, into: Writer): void => {
  into.natural(serial)
  if (serial === 0) writeText(path, into)
  else into.natural(life)
}

const readTarget = (reader: Reader): Target => {
  const serial = reader.natural()
  return serial === 0 ? { serial, life: 0, path: readText(reader) } : { serial, life: reader.natural(), path: "" }
}

const writeTrace = ({ depth, spanId, traceId }: Trace, into: Writer): void => {
  writeText(traceId, into)
  writeText(spanId, into)
  if (traceId !== "") into.natural(depth)
}

const readTrace = (reader: Reader): Trace => {
  // No two are the same: they would drive names that come again out of those that are known.
  const [traceId, spanId] = [reader.text(reader.size()), reader.text(reader.size())]
  if ((traceId === "") !== (spanId === "")) throw new RangeError("a trace has two names, or none")
  return { traceId, spanId, depth: traceId === "" ? 0 : reader.natural() }
}

const writeBody = (body: Body, into: Writer): void => {
  if ("codec" in body) body.codec.write(body.message, into)
  else if ("bytes" in body) into.bytes(body.bytes)
  else body.by.write(body.message, into)
}

/** The rest, for later. It is copied: the bytes may be others' then. */
export const kept = ({ at, bytes, end }: Reader): Body => ({ bytes: Codec.bytes.read(bytes, at, end) })

const readTell = (reader: Reader, isTraced: boolean, { message }: Understanding): Frame => {
  const target = readTarget(reader)
  const name = readText(reader)
  if (!isTraced) return { kind: "Tell", target, name, body: message(reader, target, name) }
  const trace = readTrace(reader)
  if (trace.traceId === "") throw new RangeError("what is told in a trace has its names")
  return { kind: "Tell", target, name, trace, body: message(reader, target, name) }
}

const readAsk = (reader: Reader, isTraced: boolean, { message }: Understanding): Frame => {
  const id = reader.natural()
  const millis = reader.natural()
  const target = readTarget(reader)
  const name = readText(reader)
  if (!isTraced) return { kind: "Ask", id, millis, target, name, body: message(reader, target, name) }
  const trace = readTrace(reader)
  return { kind: "Ask", id, millis, target, name, trace, body: message(reader, target, name) }
}

export const frames = (understanding: Understanding = { message: kept, answer: kept }): Codec.Codec<Frame> => ({
  name: "actors",
  write: (frame, into) => {
    into.natural(placeOf(frame))
    switch (frame.kind) {
      case "Tell":
        writeTarget(frame.target, into)
        writeText(frame.name, into)
        if (frame.trace !== undefined) writeTrace(frame.trace, into)
        return writeBody(frame.body, into)
      case "Ask":
        into.natural(frame.id)
        into.natural(frame.millis)
        writeTarget(frame.target, into)
        writeText(frame.name, into)
        if (frame.trace !== undefined) writeTrace(frame.trace, into)
        return writeBody(frame.body, into)
      case "Reply":
      case "Failure":
      case "Refusal":
        into.natural(frame.id)
        return writeBody(frame.body, into)
      case "Watch":
      case "Found":
        into.natural(frame.id)
        return writeTarget(frame.target, into)
      case "Unwatch":
      case "Unlink":
        return into.natural(frame.id)
      case "Link":
        into.natural(frame.id)
        writeTarget(frame.target, into)
        return writeTarget(frame.by, into)
      case "Ended":
        into.natural(frame.id)
        return writeText(frame.failure, into)
    }
  },
  read: (bytes, start, end) => {
    const reader = new Reader(bytes, start, end)
    const number = reader.natural()
    const kind = kinds[number]
    switch (kind) {
      case "Tell":
        return readTell(reader, number === tracedTell, understanding)
      case "Ask":
        return readAsk(reader, number === tracedAsk, understanding)
      case "Reply":
      case "Failure":
      case "Refusal": {
        const id = reader.natural()
        return { kind, id, body: understanding.answer(reader, id, kind) }
      }
      case "Watch":
      case "Found":
        return { kind, id: reader.natural(), target: readTarget(reader) }
      case "Unwatch":
      case "Unlink":
        return { kind, id: reader.natural() }
      case "Link":
        return { kind, id: reader.natural(), target: readTarget(reader), by: readTarget(reader) }
      case "Ended":
        return { kind, id: reader.natural(), failure: readText(reader) }
      default:
        throw new RangeError("there is no such kind of frame")
    }
  }
})

/** More than the transport carries. */
export class TooLarge extends RangeError {
  readonly bytes: number
  readonly maxBytes: number

  constructor(bytes: number, maxBytes: number) {
    super(`${bytes} bytes, of ${maxBytes} at the most`)
    this.bytes = bytes
    this.maxBytes = maxBytes
  }
}

/** Why a message, or an answer, was not sent. */
export const unsendable = (actor: string, what: string, error: unknown): MessageTooLarge | Misunderstood => {
  if (!(error instanceof TooLarge)) return new Misunderstood({ actor, reason: `${what}: ${String(error)}` })
  return new MessageTooLarge({ actor, what, bytes: error.bytes, maxBytes: error.maxBytes })
}

/** The codec; `unwritten` hears what a transport, which never fails, keeps to itself. */
export const guarded = <A>(
  codec: Codec.Codec<A>,
  maxBytes: number,
  unwritten: (error: unknown) => void
): Codec.Codec<A> => ({
  ...codec,
  write: (message, into) => {
    const start = into.length
    try {
      codec.write(message, into)
      if (into.length - start > maxBytes) throw new TooLarge(into.length - start, maxBytes)
    } catch (error) {
      unwritten(error)
      throw error
    }
  }
})
