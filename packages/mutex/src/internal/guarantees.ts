/** What every lock promises, as a card says it. */
import type { Card } from "@troupe/actor"

interface Phased {
  readonly phase: "idle" | "waiting" | "inside"
}

export const mutualExclusion: Card.Guarantee<Phased> = {
  name: "mutual exclusion",
  kind: "always",
  description: "At most one node is inside.",
  holds: (nodes) => nodes.filter(({ alive, state }) => alive && state.phase === "inside").length <= 1
}

export const noStarvation: Card.Guarantee<Phased> = {
  name: "no starvation",
  kind: "eventually",
  description: "Every request is granted.",
  holds: (nodes) => nodes.every(({ alive, state }) => !alive || state.phase !== "waiting")
}

export const aNodeEnters: Card.Guarantee<Phased> = {
  name: "a node enters",
  kind: "sometimes",
  description: "The run has seen an entry.",
  holds: (nodes) => nodes.some(({ state }) => state.phase === "inside")
}
