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

/** Up to `bytes` of them, one at least, those sent least first and of these the newest, and what stays. */
export const take = (
  rumours: Rumours,
  options: { readonly bytes: number; readonly times: number; readonly isCurrent: (rumour: Rumour) => boolean }
): { readonly taken: ReadonlyArray<Rumour>; readonly rest: Rumours } => {
  const taken: Array<Rumour> = []
  const rest: Array<Array<Rumour>> = rumours.sent.map(() => [])
  let room = options.bytes
  let count = 0
  const keep = (times: number, rumour: Rumour): void => {
    if (times >= options.times) return
    count++
    ;(rest[times] ??= []).push(rumour)
  }
  rumours.sent.forEach((bucket, times) => {
    for (let at = bucket.length - 1; at >= 0; at--) {
      const rumour = bucket[at]!
      const bytes = room > 0 ? rumourBytes(rumour) : 1
      if (bytes > room && taken.length > 0) keep(times, rumour)
      else if (options.isCurrent(rumour)) {
        room -= bytes
        taken.push(rumour)
        keep(times + 1, rumour)
      }
    }
  })
  // Each was read from its newest on.
  for (const bucket of rest) bucket?.reverse()
  return { taken, rest: count === 0 ? none : { count, sent: Array.from(rest, (bucket) => bucket ?? []) } }
}
