/**
 * What the death of one node leaves to the others, of every lock and every election: what their cards say in words, for
 * programs to go by. `troupe run --kill` holds it against what processes do, and the bank chooses by it what befalls its
 * leader.
 */
import type { Demonstration } from "./Demonstration.ts"

/**
 * What lets the others go on when the holder of the lock, or the leader, has crashed: the algorithm alone, what a failure
 * detector says, views of who is in the group, or nothing.
 */
export type Remedy = "itself" | "detector" | "views" | "nothing"

export interface Crash {
  readonly remedy: Remedy
  /** The weakness of the card that speaks of it. */
  readonly weakness?: string
  /** Whether a node that has crashed may come back with an empty memory, in a group that went on by that remedy. */
  readonly takesBack: boolean | "but the lowest"
  /** Of an election that any node may win; the others are won by a high one. */
  readonly anyWins?: true
  /** The lowest node serves a register, where no other is provided: the others do not go on without it. */
  readonly restsOnLowest?: true
}

const rings: Crash = { remedy: "detector", weakness: "a crash starves", takesBack: true }

const crashes: Readonly<Record<string, Crash>> = {
  "mutex/ricart-agrawala": { remedy: "views", weakness: "one crash starves all", takesBack: true },
  "mutex/coordinator": { remedy: "detector", weakness: "a holder or a waiter crashes", takesBack: true },
  "mutex/token-ring": { remedy: "detector", weakness: "a node that stays down stops the ring", takesBack: true },
  "mutex/lamport-queue": { remedy: "detector", weakness: "one crash starves all", takesBack: false },
  "mutex/suzuki-kasami": { remedy: "detector", weakness: "a holder that crashes", takesBack: "but the lowest" },
  "mutex/maekawa": { remedy: "nothing", weakness: "a crash starves whose quorum it is in", takesBack: false },
  "mutex/raymond": { remedy: "nothing", weakness: "a crash cuts the tree", takesBack: false },
  "mutex/carvalho-roucairol": {
    remedy: "nothing",
    weakness: "a crash starves whoever lacks its permission",
    takesBack: false
  },
  "mutex/agrawal-el-abbadi": {
    remedy: "detector",
    weakness: "a crash that nobody detects starves",
    takesBack: false
  },
  "mutex/lease-lock": { remedy: "itself", takesBack: true, restsOnLowest: true },
  "election/bully": { remedy: "itself", takesBack: true },
  "election/next-in-line": { remedy: "itself", takesBack: true },
  "election/candidate-ordinary": { remedy: "itself", takesBack: true },
  "election/invitation": { remedy: "itself", takesBack: true, anyWins: true },
  "election/chang-roberts": rings,
  "election/dolev-klawe-rodeh": rings,
  "election/higham-przytycka": rings,
  "election/hirschberg-sinclair": rings,
  "election/le-lann": rings,
  "election/ring": rings,
  "election/lease": { remedy: "itself", takesBack: true, anyWins: true, restsOnLowest: true }
}

/** None of what is neither lock nor election. A variant fares as its default form. */
export const crashOf = ({ protocol }: Pick<Demonstration, "protocol">): Crash | undefined => crashes[protocol.name]

/** What the card says of it, in its words. */
export const cardSays = ({ card, protocol }: Pick<Demonstration, "card" | "protocol">): string => {
  const name = crashes[protocol.name]?.weakness
  const weakness = card.weaknesses.find((each) => each.name === name)
  if (weakness !== undefined) return `${weakness.name}: ${weakness.description}`
  const promise = card.guarantees.find(({ kind }) => kind === "eventually")
  return card.assumes.tolerates.includes("crash") && promise !== undefined
    ? `it bears crashes: ${promise.description}`
    : card.summary
}
