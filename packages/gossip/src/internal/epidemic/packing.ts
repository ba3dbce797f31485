/** Divides what is to be sent into messages. */
import type { BaseOptions } from "./base.ts"
import { overhead } from "./items.ts"

/** `all` in order, in parts that fit into a message each; one that is larger by itself has a part of its own. */
export const packed = <A>(
  all: ReadonlyArray<A>,
  bytesOf: (each: A) => number,
  { itemsPerMessage, packetBytes }: Pick<BaseOptions, "itemsPerMessage" | "packetBytes">
): ReadonlyArray<ReadonlyArray<A>> => {
  const parts: Array<Array<A>> = []
  let part: Array<A> = []
  let room = 0
  for (const each of all) {
    const bytes = bytesOf(each)
    if (part.length === 0 || bytes > room || part.length === itemsPerMessage) {
      parts.push((part = []))
      room = packetBytes - overhead
    }
    part.push(each)
    room -= bytes
  }
  return parts
}
