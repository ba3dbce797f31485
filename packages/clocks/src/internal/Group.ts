/** Nodes that are numbered once, so that clocks are arrays of counts. */
import { NodeId } from "@troupe/transport"
import { Schema } from "effect"

/** The nodes whose events are counted. Two groups are the same if they have the same nodes in the same order. */
export interface Group {
  /** At least one, each once. */
  readonly nodes: ReadonlyArray<NodeId.NodeId>
  /** Where each node's count stands. */
  readonly places: ReadonlyMap<NodeId.NodeId, number>
}

/** These nodes make no group. */
export class InvalidGroup extends Schema.TaggedError<InvalidGroup>()("InvalidGroup", { reason: Schema.String }) {
  override get message(): string {
    return `No group of clocks: ${this.reason}`
  }
}

/** A node that the group does not have. */
export class UnknownNode extends Schema.TaggedError<UnknownNode>()("UnknownNode", {
  node: Schema.String,
  group: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `"${this.node}" is not in the clock's group: ${this.group.join(", ")}`
  }
}

/** Two clocks count the events of different nodes, or number them differently. */
export class DifferentGroups extends Schema.TaggedError<DifferentGroups>()("DifferentGroups", {
  first: Schema.Array(Schema.String),
  second: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `Clocks of different groups do not compare or merge: ${this.first.join(", ")} and ${this.second.join(", ")}`
  }
}

const isNodeId = Schema.is(NodeId.NodeId)

/** A group of these nodes. Throws `InvalidGroup` for none, for one that is named twice, and for what is no `NodeId`. */
export const group = (nodes: Iterable<NodeId.NodeId>): Group => {
  const list = [...nodes]
  if (list.length === 0) throw new InvalidGroup({ reason: "it has no nodes" })
  const places = new Map<NodeId.NodeId, number>()
  for (const [place, node] of list.entries()) {
    if (!isNodeId(node)) throw new InvalidGroup({ reason: `${JSON.stringify(node)}, at index ${place}, is no node id` })
    if (places.has(node)) throw new InvalidGroup({ reason: `"${node}" is named again at index ${place}` })
    places.set(node, place)
  }
  return { nodes: list, places }
}

/** Where the node's count stands. Throws `UnknownNode`. */
export const placeOf = (group: Group, node: NodeId.NodeId): number => {
  const place = group.places.get(node)
  if (place === undefined) throw new UnknownNode({ node, group: group.nodes })
  return place
}

export const isSameGroup = (first: Group, second: Group): boolean =>
  first === second ||
  (first.nodes.length === second.nodes.length && first.nodes.every((node, place) => node === second.nodes[place]))

/** Throws `DifferentGroups`. */
export const checkGroups = (first: Group, second: Group): void => {
  if (!isSameGroup(first, second)) throw new DifferentGroups({ first: first.nodes, second: second.nodes })
}
