/**
 * What quorums assume, promise, and where they break.
 */
import type { Card } from "@troupe/actor"
import * as Trie from "../../Trie.ts"
import { isBelow } from "./ballots.ts"
import { updatesOf } from "./registers.ts"
import type { State } from "./state.ts"

export const assumes: Card.Card["assumes"] = {
  timing: "asynchronous",
  failures: "crash-recovery",
  channels: { loss: true, duplication: true, order: "any" },
  tolerates: ["none", "lossy", "crash", "partition", "chaos"]
}

export const guarantees: Card.Card<State>["guarantees"] = [
  {
    name: "one value a version",
    kind: "always",
    description: "Two replicas that hold the same version of a key hold the same value.",
    holds: (nodes) => {
      const values = new Map<string, string>()
      for (const { state } of nodes) {
        for (const { copy, key } of Trie.from(state.registers.byKey)) {
          const { counter, life, node } = copy.version
          const version = JSON.stringify([key, counter, node, life])
          const value = JSON.stringify(updatesOf(copy))
          if ((values.get(version) ?? value) !== value) return false
          values.set(version, value)
        }
      }
      return true
    }
  },
  {
    name: "promises are kept",
    kind: "always",
    description: "No replica holds a version above what it has promised.",
    holds: (nodes) =>
      nodes.every(({ state }) => {
        for (const { copy, promised } of Trie.from(state.registers.byKey)) {
          if (isBelow(promised, copy.version)) return false
        }
        return true
      })
  },
  {
    name: "an update is accepted",
    kind: "sometimes",
    description: "The run has seen one.",
    holds: (nodes) => nodes.some(({ state }) => state.registers.accepted > 0)
  }
]

export const weaknesses: Card.Card<State>["weaknesses"] = [
  {
    name: "a majority is down",
    description: "Without a quorum nothing is answered, not even a read.",
    faults: "partition"
  },
  {
    name: "coordinators get into each other's way",
    description: "Several nodes that update one key at once refuse each other's ballots, and wait for random times.",
    faults: "none"
  },
  {
    name: "no write-back: new, then old",
    description:
      "With `writeBack: false`, of two reads one after the other, the first may be answered the newer value.",
    faults: "none"
  },
  {
    name: "sloppy quorums miss each other",
    description:
      "With `sloppy: true`, both sides of a split answer, and of two updates that were acknowledged one is lost.",
    faults: "partition"
  },
  {
    name: "times of day differ",
    description:
      "What a request makes of the time is decided by its coordinator's clock: what expires may be seen again elsewhere.",
    faults: "none"
  },
  {
    name: "a disk that is lost",
    description:
      "A node that comes back with an empty disk has forgotten its promises, and what it was one of a quorum for.",
    faults: "crash"
  }
]
