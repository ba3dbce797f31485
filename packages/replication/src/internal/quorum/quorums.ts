/**
 * Who is enough: Gifford's weighted voting. A node has votes; a read asks for R of them, an update for W.
 */
import type { NodeId } from "@troupe/transport"

export interface Quorums {
  readonly readQuorum: number
  readonly writeQuorum: number
  /** By the ranks of the nodes. */
  readonly votes: ReadonlyArray<number>
}

export interface Given {
  readonly copies?: number | undefined
  readonly readQuorum?: number | undefined
  readonly writeQuorum?: number | undefined
  readonly votes?: Readonly<Record<NodeId.NodeId, number>> | undefined
}

/** What is given, with majorities of the votes where nothing is, and one vote a node. */
export const of = (nodes: ReadonlyArray<NodeId.NodeId>, given: Given): Quorums => {
  const votes = nodes.map((node) => given.votes?.[node] ?? 1)
  const majority = Math.floor((given.copies ?? total(votes)) / 2) + 1
  return { readQuorum: given.readQuorum ?? majority, writeQuorum: given.writeQuorum ?? majority, votes }
}

export const total = (votes: ReadonlyArray<number>): number => votes.reduce((sum, each) => sum + each, 0)

/** Which rule is broken, if any, with the numbers: `all` votes can be had of a key. */
export const broken = ({ readQuorum, writeQuorum }: Quorums, all: number): string | undefined => {
  const numbers = `N = ${all}, R = ${readQuorum}, W = ${writeQuorum}`
  if (readQuorum > all || writeQuorum > all) return `there are not so many votes: ${numbers}. Ask for N at the most.`
  if (readQuorum + writeQuorum <= all) {
    return `R + W > N is broken: ${numbers}. A read could miss the latest update; R + W must be ${all + 1} at least.`
  }
  if (2 * writeQuorum <= all) {
    const least = Math.floor(all / 2) + 1
    return `W > N/2 is broken: ${numbers}. Two updates could both succeed, each unseen by the other; W must be ${least} at least.`
  }
  return undefined
}
