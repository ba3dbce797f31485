/** Bytes, as a string of one byte a character; as bytes on the way and on disk. */
import { Schema, SchemaTransformation } from "effect"

export const Bytes: Schema.Codec<string, any> = Schema.Uint8Array.pipe(
  Schema.decodeTo(
    Schema.String,
    SchemaTransformation.transform({
      decode: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1"),
      encode: (text) => Buffer.from(text, "latin1")
    })
  )
)
