/** The same message for actors of several nodes: it is written once, however many they are. */
import { Codec } from "@troupe/transport"
import { messageOf } from "./codecs.ts"
import { type Body, unsendable } from "./frames.ts"
import { beginWriting, endWriting } from "./reading.ts"
import type { Remote } from "./Remote.ts"
import type { RemoteRef } from "./RemoteRef.ts"

/** Gives what it is to each of them: for those that understand the same, the same bytes. Throws what cannot be sent. */
export const writtenOnce = (message: unknown): ((ref: RemoteRef) => Body) => {
  let last: { readonly by: Remote; readonly codec: Codec.Codec<any>; readonly body: Body } | undefined
  return ({ messages, path, remote: by }) => {
    const codec = messageOf(messages)
    if (last?.by !== by || last.codec !== codec) {
      last = { by, codec, body: { bytes: written(by, codec, message, path) } }
    }
    return last.body
  }
}

/** Tells all of them. Throws what cannot be sent. */
export const tellAll = (refs: ReadonlyArray<RemoteRef>, message: unknown): void => {
  if (refs.length === 1) return refs[0]!.tell(message)
  const body = writtenOnce(message)
  for (const ref of refs) ref.put(message, body(ref))
}

const written = (by: Remote, codec: Codec.Codec<any>, message: unknown, path: string): Uint8Array => {
  const before = beginWriting(by)
  try {
    return Codec.encode(codec, message)
  } catch (error) {
    throw unsendable(path, (message as { readonly _tag: string })._tag, error)
  } finally {
    endWriting(before)
  }
}
