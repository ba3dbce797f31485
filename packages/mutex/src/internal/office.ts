/** What a coordinator knows: who is inside, and who waits. */
import type { Protocol } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"

/** A request of a node, which counts its own. */
export interface Claim {
  readonly node: NodeId.NodeId
  readonly number: number
}

export interface Office {
  /** Whose report is missing: until then nothing is granted. */
  readonly awaiting: ReadonlyArray<NodeId.NodeId>
  /** The claim that is granted. */
  readonly holder: Claim | undefined
  /** Claims in the order of their arrival, at most one of a node. */
  readonly queue: ReadonlyArray<Claim>
  /** Of each node, by rank, the number of its latest request that is over. */
  readonly over: ReadonlyArray<number>
  /** How many grants there were. */
  readonly grants: number
}

export const newOffice = (nodes: ReadonlyArray<NodeId.NodeId>, awaiting: ReadonlyArray<NodeId.NodeId>): Office => ({
  awaiting,
  holder: undefined,
  queue: [],
  over: nodes.map(() => 0),
  grants: 0
})

/** A request says as well that all earlier ones of its node are over. One that is over already came twice, or late. */
export const enqueue = (office: Office, claim: Claim, self: Protocol.Self): Office => {
  const { node, number } = claim
  const isKnown = (other: Claim): boolean => other.node === node && other.number >= number
  if (number <= office.over[self.nodes.indexOf(node)]! || office.queue.some(isKnown)) return office
  if (office.holder !== undefined && isKnown(office.holder)) return office
  const ended = end(office, { node, number: number - 1 }, self)
  return { ...ended, queue: [...ended.queue, claim] }
}

/** All requests of the node up to this one are over. */
export const end = (office: Office, { node, number }: Claim, self: Protocol.Self): Office => {
  const rank = self.nodes.indexOf(node)
  if (number <= office.over[rank]!) return office
  const isOver = (claim: Claim): boolean => claim.node === node && claim.number <= number
  return {
    ...office,
    over: office.over.with(rank, number),
    holder: office.holder !== undefined && isOver(office.holder) ? undefined : office.holder,
    queue: office.queue.filter((claim) => !isOver(claim))
  }
}

/** The highest number that is known of the node, where that says that the claim is of the past. */
export const laterThan = (
  { holder, over, queue }: Office,
  { node, number }: Claim,
  { nodes }: Protocol.Self
): number | undefined => {
  const ended = over[nodes.indexOf(node)]!
  const current = holder?.node === node ? holder : queue.find((claim) => claim.node === node)
  const known = Math.max(ended, current?.number ?? 0)
  return number <= ended || number < known ? known : undefined
}
