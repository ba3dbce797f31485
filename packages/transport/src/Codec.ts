/**
 * How the messages of a channel become bytes, derived once from their schema.
 *
 * `json` can be read by a person and by other languages; `binary` is smaller by a third or more; `bytes` is for payloads that are
 * bytes already. Both ends of a channel must use the same codec: the handshake of a channel says so.
 *
 * @example
 * import { Codec } from "@troupe/transport"
 * import { Schema } from "effect"
 *
 * const Vote = Schema.Struct({ term: Schema.Int, granted: Schema.Boolean })
 * const codec = Codec.binary(Vote)
 * const bytes = Codec.encode(codec, { term: 3, granted: true })
 * console.log(Codec.decode(codec, bytes)) // { term: 3, granted: true }
 */
import { Schema } from "effect"
import { compile, foreign } from "./internal/binary/compile.ts"
import { enable } from "./internal/binary/enable.ts"
import { TooDeep } from "./internal/binary/recursion.ts"
import { Reader } from "./Reader.ts"
import { Writer } from "./Writer.ts"

export interface Codec<in out Message> {
  /** 1 to 255 characters. Named in the handshake of a channel, so that two ends that disagree say so. */
  readonly name: string
  /** Appends one message. Throws a `SchemaError` when the message is not of the schema; nothing is appended then. */
  readonly write: (message: Message, into: Writer) => void
  /**
   * Reads the message that fills `bytes` from `start` to `end`. Throws when it is not one.
   * `bytes` may be reused afterwards: a codec copies what it keeps.
   */
  readonly read: (bytes: Uint8Array, start: number, end: number) => Message
}

/** A schema that needs no services: what a message must have. */
export type MessageSchema<Message> = Schema.Codec<Message, any, never, never>

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Node's way to read text without a view of its bytes, where there is one. It replaces what is not UTF-8. */
const utf8Slice = (
  globalThis as {
    readonly Buffer?: { readonly prototype: { utf8Slice(this: Uint8Array, start: number, end: number): string } }
  }
).Buffer?.prototype.utf8Slice

/** The text that these bytes are in UTF-8. Throws when they are none. */
const text = (bytes: Uint8Array, start: number, end: number): string => {
  if (utf8Slice !== undefined) {
    const value = utf8Slice.call(bytes, start, end)
    if (!value.includes("\ufffd")) return value
  }
  return decoder.decode(bytes.subarray(start, end))
}

/** Bytes of their own: what `slice` gives of a Buffer is a view. */
const copy = (bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.prototype.slice.call(bytes, start, end) as Uint8Array<ArrayBuffer>

const slabBytes = 16 * 1024
let slab = new Uint8Array(0)
let slabUsed = 0

/** A copy that shares its memory with others, never its bytes: an allocation for each small message costs more than it. */
const pooledCopy = (bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> => {
  const count = end - start
  if (count > slabBytes / 16) return copy(bytes, start, end)
  if (slabUsed + count > slab.length) {
    slab = new Uint8Array(slabBytes)
    slabUsed = 0
  }
  const at = slabUsed
  slabUsed = at + count
  slab.set(bytes.subarray(start, end), at)
  return new Uint8Array(slab.buffer, at, count)
}

/** JSON in UTF-8. */
export const json = <Message>(schema: MessageSchema<Message>): Codec<Message> => {
  const wire = Schema.toCodecJson(schema)
  enable(wire.ast)
  const encodeMessage = Schema.encodeSync(wire)
  const decodeMessage = Schema.decodeUnknownSync(wire)
  return {
    name: "json",
    write: (message, into) => into.text(JSON.stringify(encodeMessage(message))),
    read: (bytes, start, end) => decodeMessage(JSON.parse(text(bytes, start, end)))
  }
}

export { TooDeep }

/** Bytes that were written by `binary` for values of another layout: with other fields, or in another order. */
export class OtherSchema extends Schema.TaggedError<OtherSchema>()("OtherSchema", {
  /** The marks of the two layouts. */
  here: Schema.Int,
  there: Schema.Int
}) {
  override get message(): string {
    const [here, there] = [this.here, this.there].map((mark) => mark.toString(16).padStart(8, "0"))
    return `it is of another schema, of layout ${there} instead of ${here}. Give both ends the same version of the schema, or a channel to each`
  }
}

/**
 * Positional fields without names. Both ends need the same schema: another layout is refused (`OtherSchema`), never misread.
 * What differs in checks alone, or in what is made of the same parts (a class and its fields), has the same layout. Values of
 * schemas that hold themselves may be 512 levels deep (`TooDeep`).
 */
export const binary = <Message>(schema: MessageSchema<Message>): Codec<Message> => {
  const part = compile(schema.ast) ?? foreign(schema.ast)
  const mark = hashOf(part.layout)
  return {
    name: "binary",
    write: (message, into) => {
      const start = into.length
      let error: unknown
      try {
        into.uint32(mark)
        if (part.write(message, into)) return
      } catch (thrown) {
        // What a schema is given of others, its checks and transformations, may throw.
        error = thrown
      }
      into.length = start
      throw error instanceof TooDeep ? error : refusalOf(schema, message)
    },
    read: (bytes, start, end) => {
      const reader = new Reader(bytes, start, end)
      const there = reader.uint32()
      if (there !== mark) throw new OtherSchema({ here: mark, there })
      const message: Message = part.read(reader)
      reader.finish()
      return message
    }
  }
}

/** Why it is none of the schema: the same schema finds that out once more, to tell it. */
const refusalOf = <Message>(schema: MessageSchema<Message>, message: Message): unknown => {
  try {
    Schema.encodeSync(schema)(message)
    return new TypeError("it has parts that are no data, such as a function")
  } catch (error) {
    return error
  }
}

/** FNV-1a. */
const hashOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/**
 * Bytes as they are, up to the transport's frame limit. Small ones that arrive share an `ArrayBuffer`, as Node's buffers
 * do: copy those few of many that are kept for long.
 */
export const bytes: Codec<Uint8Array> = {
  name: "bytes",
  write: (message, into) => into.bytes(message),
  read: pooledCopy
}

/** Where messages are written that are then copied; not there while it is in use, since codecs may use codecs. */
let scratch: Writer | undefined = new Writer(slabBytes)

/** One message as bytes of its own, which may share their memory with others when they are few. */
export const encode = <Message>(codec: Codec<Message>, message: Message): Uint8Array => {
  const writer = scratch ?? new Writer(256)
  scratch = undefined
  try {
    codec.write(message, writer)
    return pooledCopy(writer.buffer, 0, writer.length)
  } finally {
    writer.length = 0
    if (writer.buffer.length <= 64 * slabBytes) scratch = writer
  }
}

/** The message that these bytes are. Throws when they are none. */
export const decode = <Message>(codec: Codec<Message>, source: Uint8Array): Message =>
  codec.read(source, 0, source.length)
