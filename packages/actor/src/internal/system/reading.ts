/** Whose messages are written and read: what references to actors in them come to depends on it. */
import { Codec, Reader } from "@troupe/transport"
import { type Body, Understood } from "./frames.ts"
import type { Remote } from "./Remote.ts"

/** Whose messages are being read: references in them are of this system. */
let reading: Remote | undefined

/** Whose messages are being written: references in them are others' where they are of another system. */
let writing: Remote | undefined

/** Gives what `endWriting` is to be given. */
export const beginWriting = (remote: Remote): Remote | undefined => {
  const before = writing
  writing = remote
  return before
}

export const endWriting = (before: Remote | undefined): void => {
  writing = before
}

/** Whether a reference of this one may be part of what is being written or read. */
export const isForeign = (own: Remote): boolean =>
  writing === undefined ? reading !== undefined && reading.system.name !== own.system.name : writing !== own

export const readingRemote = (): Remote | undefined => reading

/** Throws what is wrong with it. */
export const read = (remote: Remote, codec: Codec.Codec<any>, body: Body): any => {
  if (body instanceof Understood) {
    if (body.error !== undefined) throw body.error
    if (body.by === codec) return body.message
    throw new RangeError("it was read as another's")
  }
  const bytes = "codec" in body ? handedOver(remote, body.codec, body.message) : body.bytes
  const found = understood(remote, codec, new Reader(bytes, 0, bytes.length))
  return read(remote, codec, found)
}

/** A transport may hand over what was sent as it is: references in it are still the sender's, and may be none for here. */
const handedOver = (remote: Remote, codec: Codec.Codec<any>, message: unknown): Uint8Array => {
  const before = reading
  reading = remote
  try {
    return Codec.encode(codec, message)
  } finally {
    reading = before
  }
}

/** As `codec` reads the rest of what has arrived. */
export const understood = (remote: Remote, codec: Codec.Codec<any>, { at, bytes, end }: Reader): Understood => {
  const before = reading
  reading = remote
  try {
    return new Understood(codec, codec.read(bytes, at, end), undefined)
  } catch (error) {
    return new Understood(codec, undefined, error ?? new RangeError("it can't be read"))
  } finally {
    reading = before
  }
}
