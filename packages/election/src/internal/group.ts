/**
 * Whom an election can be held among.
 */
import { Transport } from "@troupe/transport"
import { Effect } from "effect"
import { InvalidOptions } from "../Election.ts"

/** Refuses a node outside its group, for it has no rank there and nobody hears it, and a group that has a node twice. */
export const inGroup: Effect.Effect<void, InvalidOptions, Transport> = Effect.flatMap(Transport, ({ nodes, self }) => {
  const refuse = (reason: string) => Effect.fail(new InvalidOptions({ reason }))
  if (!nodes.includes(self)) {
    return refuse(`node "${self}" is not in its group, which is ${nodes.join(", ") || "empty"}.`)
  }
  const twice = nodes.find((node, at) => nodes.indexOf(node) !== at)
  return twice === undefined ? Effect.void : refuse(`its group names node "${twice}" twice.`)
})
