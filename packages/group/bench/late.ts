/** A member with a message that is late, and more and more messages that wait for it. */
import type { Protocol } from "@troupe/actor"
import { Schema } from "effect"
import { kernel } from "../src/internal/kernel.ts"
import { defaults, type Options } from "../src/internal/options.ts"
import { causal, dependencyLists, vectorClocks } from "../src/internal/orders/causal.ts"
import type { Numbers } from "../src/internal/orders/numbers.ts"

const nodes = ["n1", "n2", "n3", "n4", "n5"]
const senders = ["n3", "n4", "n5"]
const measured = 2_000

const pasts = { "vector clocks": vectorClocks, "dependency lists": dependencyLists }
type Name = keyof typeof pasts

/** What a message carries that follows the first of n2, which is late, and nothing else but its sender's. */
const stampOf = (name: Name, sender: string, sequence: number): Numbers => {
  if (name === "dependency lists") return sequence === 1 ? [1, 1] : []
  return [0, 1, 0, 0, 0].with(nodes.indexOf(sender), sequence)
}

/**
 * While so many messages wait already: microseconds for each further one that comes to wait, and for each of them all when
 * the late one comes and lets them go, the whole of a member's step with it.
 */
const run = (name: Name, waiting: number): { readonly hold: number; readonly release: number } => {
  const protocol = kernel({ name: "bench/late", order: causal(pasts[name]), payload: Schema.String })
  let delivered = 0
  const act: Protocol.Actions<any, any, any, Options> = {
    self: { id: "n1", nodes, others: nodes.slice(1), options: defaults } as never,
    send: () => {},
    sendAll: () => {},
    setTimer: () => {},
    clearTimer: () => {},
    emit: ({ _tag }) => void (_tag === "Delivered" && delivered++),
    now: () => 0,
    monotonic: () => 0,
    random: () => 0.5
  }
  let state = protocol.onStart!(protocol.init(act.self), act)
  const take = (sender: string, sequence: number, stamp: Numbers): void => {
    const message = { _tag: "Data", view: 0, life: 1, sequence, stamp, payload: "" } as const
    state = protocol.onMessage(state, sender, message, act)
  }
  const counts = new Map<string, number>()
  const hold = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const sender = senders[i % senders.length]!
      const sequence = (counts.get(sender) ?? 0) + 1
      counts.set(sender, sequence)
      take(sender, sequence, stampOf(name, sender, sequence))
    }
  }
  hold(waiting)
  const start = performance.now()
  hold(measured)
  const held = performance.now()
  take("n2", 1, name === "vector clocks" ? [0, 1, 0, 0, 0] : [])
  const released = performance.now()
  if (delivered !== waiting + measured + 1) throw new Error(`${delivered} messages were delivered`)
  return { hold: ((held - start) * 1000) / measured, release: ((released - held) * 1000) / delivered }
}

export const late = (rounds: number) =>
  Object.fromEntries(
    (["vector clocks", "dependency lists"] as const).flatMap((name) =>
      [10, 1_000, 10_000].map((waiting) => {
        for (let i = 0; i < 5; i++) run(name, waiting)
        // The least: what other work on the machine adds is none of theirs.
        const all = Array.from({ length: 6 * rounds }, () => run(name, waiting))
        return [
          `${name}, ${waiting} wait`,
          {
            "to hold one more, µs": Number(Math.min(...all.map(({ hold }) => hold)).toFixed(2)),
            "to deliver each, µs": Number(Math.min(...all.map(({ release }) => release)).toFixed(2))
          }
        ]
      })
    )
  )
