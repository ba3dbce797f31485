/** What is removed because it has expired. Until then it is gone for requests all the same. */
import { type Machine, Trie } from "@troupe/replication"
import type * as Facts from "./Facts.ts"
import type * as Keyspace from "./Keyspace.ts"

/** How many keys with a time to live are looked at each time, from a random one on. */
const sample = 200

/** As Redis does it: a sample of the keys that expire. */
export const due = ({ expiring, locks }: Facts.State, { now, random }: Machine.Moment): ReadonlyArray<Facts.Update> => {
  const over = (keyspace: Keyspace.Keyspace): ReadonlyArray<string> => {
    const keys: Array<string> = []
    if (keyspace.size === 0) return keys
    const start = keyspace.size <= sample ? 0 : Math.floor(random() * 2 ** 32)
    let seen = 0
    for (const entry of Trie.from(keyspace, start)) {
      if (seen++ === sample) break
      if (entry.expires <= now) keys.push(entry.key)
    }
    return keys
  }
  const update: Facts.Update = { _tag: "Expired", keys: over(expiring), locks: over(locks), by: now }
  return update.keys.length + update.locks.length > 0 ? [update] : []
}
