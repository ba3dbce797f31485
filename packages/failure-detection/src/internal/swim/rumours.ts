/**
 * The rumours that a node still spreads, by how often it has sent each: those sent least go first (SWIM, §4.1).
 *
 * A rumour is dropped when it has been sent often enough, or when it is no longer what its node holds of the member.
 */
import { type Rumour, rumourBytes } from "./messages.ts"

export interface Rumours {
  readonly count: number
  /** At index n: what was sent n times, the newest last. */
  readonly sent: ReadonlyArray<ReadonlyArray<Rumour>>
}

export const none: Rumours = { count: 0, sent: [] }

/** How many a node keeps; one more, and one that was sent most is dropped. */
export const limit = 2_048

export const add = (rumours: Rumours, rumour: Rumour): Rumours => {
  const { count, sent } = rumours.count < limit ? rumours : withoutOne(rumours)
  const [unsent = [], ...others] = sent
  return { count: count + 1, sent: [[...unsent, rumour], ...others] }
}

const withoutOne = ({ count, sent }: Rumours): Rumours => {
  const last = sent.findLastIndex((bucket) => bucket.length > 0)
  return { count: count - 1, sent: sent.map((bucket, times) => (times === last ? bucket.slice(1) : bucket)) }
}

/** Up to `bytes` of them, one at least, those sent least first and of these the newest; and what stays. */
export const take = (
  { sent }: Rumours,
  options: { readonly bytes: number; readonly times: number; readonly isCurrent: (rumour: Rumour) => boolean }
): { readonly taken: ReadonlyArray<Rumour>; readonly rest: Rumours } => {
  const taken: Array<Rumour> = []
  // What was sent often enough before the group grew smaller goes.
  const rest = sent.slice(0, options.times)
  let room = options.bytes
  for (let times = 0; times < Math.min(sent.length, options.times) && room > 0; times++) {
    const bucket = sent[times]!
    const before = taken.length
    let at = bucket.length - 1
    for (; at >= 0; at--) {
      const rumour = bucket[at]!
      if (!options.isCurrent(rumour)) continue
      const bytes = rumourBytes(rumour)
      if (bytes > room && taken.length > 0) {
        room = 0
        break
      }
      room -= bytes
      taken.push(rumour)
    }
    // Those taken from the bucket before may be in this one by now, behind its own.
    rest[times] = [...bucket.slice(0, at + 1), ...rest[times]!.slice(bucket.length)]
    if (taken.length > before && times + 1 < options.times) {
      rest[times + 1] = [...(rest[times + 1] ?? []), ...taken.slice(before).reverse()]
    }
  }
  const count = rest.reduce((sum, bucket) => sum + bucket.length, 0)
  return { taken, rest: count === 0 ? none : { count, sent: rest } }
}
