/** A causal order with a message that is late, and more and more messages that wait for it. */
import type { Asks } from "../src/internal/order.ts"
import { causal, dependencyLists, vectorClocks } from "../src/internal/orders/causal.ts"
import type { Numbers } from "../src/internal/orders/numbers.ts"

const members = 5
const senders = [2, 3, 4]
const measured = 2_000

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const order = { "vector clocks": causal(vectorClocks), "dependency lists": causal(dependencyLists) }

/**
 * The message 1 of rank 1 is late; `waiting` messages of others follow it. Microseconds for each further message that
 * waits, and for each of those that are delivered once it is there.
 */
const run = (name: keyof typeof order, waiting: number): { readonly hold: number; readonly release: number } => {
  const { init, receive } = order[name]
  const stamps = new Map<number, Numbers>()
  const ask: Asks<Numbers, null> = {
    rank: 0,
    members: [],
    deliver: () => {},
    carried: (rank, sequence) => stamps.get(rank * 1e6 + sequence),
    multicast: () => {},
    note: () => {},
    later: () => {}
  }
  let state = init(0, members)
  const take = (rank: number, sequence: number, stamp: Numbers): void => {
    stamps.set(rank * 1e6 + sequence, stamp)
    state = receive(state, rank, { sequence, stamp }, false, ask)
  }
  const after = (rank: number, sequence: number): Numbers =>
    name === "vector clocks" ? [0, 1, 0, 0, 0].with(rank, sequence) : sequence === 1 ? [1, 1] : []
  const counts = new Array<number>(members).fill(0)
  const hold = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const rank = senders[i % senders.length]!
      counts[rank]!++
      take(rank, counts[rank]!, after(rank, counts[rank]!))
    }
  }
  hold(waiting)
  const start = performance.now()
  hold(measured)
  const held = performance.now()
  take(1, 1, name === "vector clocks" ? [0, 1, 0, 0, 0] : [])
  const released = performance.now()
  return { hold: ((held - start) * 1000) / measured, release: ((released - held) * 1000) / (waiting + measured) }
}

export const late = (rounds: number) =>
  Object.fromEntries(
    (["vector clocks", "dependency lists"] as const).flatMap((name) =>
      [10, 1_000, 10_000].map((waiting) => {
        for (let i = 0; i < 3; i++) run(name, waiting)
        const all = Array.from({ length: 3 * rounds }, () => run(name, waiting))
        return [
          `${name}, ${waiting} wait`,
          {
            "to hold one more, µs": Number(median(all.map(({ hold }) => hold)).toFixed(2)),
            "to deliver each, µs": Number(median(all.map(({ release }) => release)).toFixed(2))
          }
        ]
      })
    )
  )
