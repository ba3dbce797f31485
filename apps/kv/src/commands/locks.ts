/**
 * Locks that fence: each acquisition has a larger token than any before, for ever, and what the lock guards refuses a
 * token that is smaller than one that it has seen. A lock ends by its release or by its time to live.
 */
import { Trie } from "@troupe/replication"
import type * as Keyspace from "../Keyspace.ts"
import * as Integers from "../Integers.ts"
import * as Reply from "../Reply.ts"
import type { View } from "../View.ts"
import { type Command, ofLock, writes } from "./Command.ts"
import { invalidExpiry } from "./deadline.ts"

const holder = (view: View, key: string): Keyspace.Entry | undefined => {
  const lock = Trie.get(view.settled().locks, key)
  return lock === undefined || view.isOver(lock) ? undefined : lock
}

/** `LOCK.ACQUIRE key ttl`: the token, or nothing when it is held. Who is ready to wait is the server's to ask again for. */
const acquire: Command["execute"] = (view, [key, digits, wait]) => {
  const millis = Integers.parse(digits!)
  if (millis === undefined || (wait !== undefined && (Integers.parse(wait) ?? -1) < 0)) return Reply.notAnInteger
  if (millis < 1 || !Number.isSafeInteger(view.now + millis)) return invalidExpiry("lock.acquire")
  if (holder(view, key!) !== undefined) return Reply.none
  const token = view.settled().token + 1
  view.do({ _tag: "Lock", key: key!, token, expires: view.now + millis })
  return Reply.integer(token)
}

const release: Command["execute"] = (view, [key, token]) => {
  if (holder(view, key!)?.value !== token) return Reply.zero
  view.do({ _tag: "Unlock", keys: [key!] })
  return Reply.one
}

export const locks: Readonly<Record<string, Command>> = {
  "LOCK.ACQUIRE": writes(-3, acquire, ofLock),
  "LOCK.RELEASE": writes(3, release, ofLock)
}
