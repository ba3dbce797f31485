/** Updates and responses of the keyspace as bytes: what most commands bring by hand, and the rest as its schema says. */
import type { Machine } from "@troupe/replication"
import { Codec, Reader, type Writer } from "@troupe/transport"
import * as Facts from "./Facts.ts"
import * as Reply from "./Reply.ts"
import { Response } from "./Request.ts"

/** Raised with each change of what follows it. */
const version = 1

const otherUpdates = Codec.binary(Facts.Update)
const otherReplies = Codec.binary(Response)

const sized = <A>(codec: Codec.Codec<A>, value: A, into: Writer): void => {
  const begun = into.beginSized()
  codec.write(value, into)
  into.endSized(begun)
}

const writeBytes = (text: string, into: Writer): void => {
  into.natural(text.length)
  into.latin1(text)
}

const readBytes = (from: Reader): string => from.latin1(from.natural())

/** A list, each member with its kind first. */
const listOf = <A>(
  name: string,
  write: (value: A, into: Writer) => void,
  read: (kind: number, from: Reader) => A
): Codec.Codec<ReadonlyArray<A>> => ({
  name: `${name}-${version}`,
  write: (list, into) => {
    into.natural(list.length)
    for (let i = 0; i < list.length; i++) write(list[i]!, into)
  },
  read: (bytes, start, end) => {
    const from = new Reader(bytes, start, end)
    const count = from.natural()
    // Where keys are kept each for itself, there is such a list for each: one that grows has room to spare.
    const list = count > 0 ? [read(from.byte(), from)] : []
    for (let left = count - 1; left > 0; left--) list.push(read(from.byte(), from))
    from.finish()
    return list
  }
})

const updates = listOf<Facts.Update>(
  "facts",
  (update, into) => {
    if (update._tag !== "Put" || update.expires < 0) {
      into.natural(0)
      return sized(otherUpdates, update, into)
    }
    into.natural(1)
    writeBytes(update.key, into)
    writeBytes(update.value, into)
    into.natural(update.expires)
    into.natural(update.version)
  },
  (kind, from) => {
    if (kind === 0) return from.sized(otherUpdates)
    if (kind !== 1) throw new RangeError(`there are no facts of kind ${kind}`)
    const key = readBytes(from)
    const value = readBytes(from)
    return { _tag: "Put", key, value, expires: from.natural(), version: from.natural() }
  }
)

const response = listOf<Reply.Reply>(
  "replies",
  (reply, into) => {
    if (reply._tag === "Simple" && reply.text === "OK") return into.natural(1)
    if (reply._tag === "Null") return into.natural(2)
    if (reply._tag === "Integer" && reply.value >= 0) {
      into.natural(3)
      return into.natural(reply.value)
    }
    if (reply._tag === "Bulk") {
      into.natural(4)
      return writeBytes(reply.bytes, into)
    }
    into.natural(0)
    sized(otherReplies, [reply], into)
  },
  (kind, from) => {
    switch (kind) {
      case 0:
        return from.sized(otherReplies)[0]!
      case 1:
        return Reply.ok
      case 2:
        return Reply.none
      case 3:
        return Reply.integer(from.natural())
      case 4:
        return Reply.bulk(readBytes(from))
      default:
        throw new RangeError(`there are no replies of kind ${kind}`)
    }
  }
)

export const layout: Machine.Layout<Facts.Update, Response> = { updates, response }
