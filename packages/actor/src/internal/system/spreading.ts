/** The same message for actors of several nodes: it is written once, however many they are. */
import { Codec } from "@troupe/transport"
import { messageOf } from "./codecs.ts"
import type { Body } from "./frames.ts"
import { beginWriting, endWriting } from "./reading.ts"
import type { Remote } from "./Remote.ts"
import type { RemoteRef } from "./RemoteRef.ts"

/** What it is to an actor. Throws where it is none of those that the actor understands. */
export type Written = (ref: RemoteRef) => Body

/** For those that understand the same, the same bytes. */
export const writtenOnce = (message: unknown): Written => {
  let last: { readonly by: Remote; readonly codec: Codec.Codec<any>; readonly body: Body } | undefined
  return ({ messages, remote: by }) => {
    const codec = messageOf(messages)
    if (last?.by !== by || last.codec !== codec) {
      last = { by, codec, body: { bytes: written(by, codec, message) } }
    }
    return last.body
  }
}

/** Tells all of them. Throws what cannot be sent. */
export const tellAll = (refs: ReadonlyArray<RemoteRef>, message: unknown): void => {
  if (refs.length === 1) return refs[0]!.tell(message)
  const body = writtenOnce(message)
  for (const ref of refs) ref.tellWritten(message, body)
}

const written = (by: Remote, codec: Codec.Codec<any>, message: unknown): Uint8Array => {
  const before = beginWriting(by)
  try {
    return Codec.encode(codec, message)
  } finally {
    endWriting(before)
  }
}
