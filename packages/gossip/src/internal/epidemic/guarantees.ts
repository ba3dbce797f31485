/** What cards of gossip promise. */
import type { Card } from "@troupe/actor"
import type { Base } from "./base.ts"
import * as Intervals from "./intervals.ts"

/** Everybody hears in the end. */
export const convergence: Card.Guarantee<Base> = {
  name: "everybody hears",
  kind: "eventually",
  description: "What one node that is up has heard, all that are up have heard, as far as it is kept.",
  holds: (nodes) => {
    const up = nodes.filter(({ alive }) => alive)
    return up.every(({ state: { store } }) =>
      store.logs.every(({ items, key }) =>
        items.every(({ sequence }) =>
          up.every(({ state }) => {
            const log = state.store.logs.find((each) => each.key === key)
            return log !== undefined && Intervals.has(log.known.heard, sequence)
          })
        )
      )
    )
  }
}

/** Nothing is made up on the way. */
export const integrity: Card.Guarantee<Base> = {
  name: "nothing is made up",
  kind: "always",
  description: "Of a node that is up, the others have heard no item that it has not published.",
  holds: (nodes) =>
    nodes.every(({ alive, node, state: { life, sequence } }) => {
      if (!alive) return true
      const key = `${node} ${life}`
      return nodes.every(({ state }) => {
        const log = state.store.logs.find((each) => each.key === key)
        return log === undefined || Intervals.last(log.known.heard) <= sequence
      })
    })
}

export const anItemIsHeard: Card.Guarantee<Base> = {
  name: "an item is heard",
  kind: "sometimes",
  description: "A node has heard an item of another.",
  holds: (nodes) => nodes.some(({ node, state }) => state.store.logs.some(({ known }) => known.origin !== node))
}
