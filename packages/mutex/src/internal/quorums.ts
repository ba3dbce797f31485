/**
 * Quorums: for each node, whose permission it takes to enter. Any two have a node in common.
 *
 * A quorum of K nodes of which each is in K quorums meets at most K(K−1) others, so N nodes need K(K−1) + 1 ≥ N (Maekawa
 * 1985). Where N = q²+q+1 and q is a power of a prime, the lines of a projective plane reach that with K = q+1.
 */
import type { NodeId } from "@troupe/transport"

/** The quorum of each node. */
export type Quorums = Readonly<Record<NodeId.NodeId, ReadonlyArray<NodeId.NodeId>>>

/** Each node with all others of its row and its column, in a square that is as good as full. */
export const grid = (nodes: ReadonlyArray<NodeId.NodeId>): Quorums =>
  each(nodes, (rank) => gridQuorum(nodes.length, rank))

/**
 * A line of the smallest projective plane with so many points, for each node one that it lies on. Points beyond the last
 * node are stood in for by others, so that any number of nodes has quorums of q+1.
 */
export const plane = (nodes: ReadonlyArray<NodeId.NodeId>): Quorums => {
  const lines = linesOfPlane(nodes.length)
  return each(nodes, (rank) => lines(rank))
}

/** The quorum of one node, as `grid` or `plane` has it. */
export const quorumOf = (
  shape: "grid" | "plane",
  nodes: ReadonlyArray<NodeId.NodeId>,
  node: NodeId.NodeId
): ReadonlyArray<NodeId.NodeId> => {
  const rank = nodes.indexOf(node)
  const ranks = shape === "grid" ? gridQuorum(nodes.length, rank) : linesOfPlane(nodes.length)(rank)
  return ranks.map((rank) => nodes[rank]!)
}

/** How many quorums there are of each size. */
export const sizesOf = (quorums: ReadonlyArray<ReadonlyArray<NodeId.NodeId>>): Readonly<Record<number, number>> => {
  const sizes: Record<number, number> = {}
  for (const { length } of quorums) sizes[length] = (sizes[length] ?? 0) + 1
  return sizes
}

/** How many nodes a quorum of `plane` has. */
export const planeSize = (nodes: number): number => (nodes === 1 ? 1 : planeOrder(nodes) + 1)

/** How many nodes the largest quorum of `grid` has. */
export const gridSize = (nodes: number): number => {
  const width = gridWidth(nodes)
  return Math.min(nodes, width) + Math.ceil(nodes / width) - 1
}

/** What is wrong with quorums that were given, if anything: whose, and which two don't meet. */
export const problemOf = (quorums: Quorums, nodes: ReadonlyArray<NodeId.NodeId>): string | undefined => {
  const stranger = Object.keys(quorums).find((node) => !nodes.includes(node))
  if (stranger !== undefined) return `there is a quorum for "${stranger}", which is not among the nodes`
  for (const node of nodes) {
    const problem = problemOfOne(quorums[node], node, nodes)
    if (problem !== undefined) return problem
  }
  for (const [at, one] of nodes.entries()) {
    const members = new Set(quorums[one])
    const other = nodes.slice(at + 1).find((other) => !quorums[other]!.some((member) => members.has(member)))
    if (other !== undefined) {
      return `the quorums of "${one}" and "${other}" have no node in common, so both could enter. Give them one`
    }
  }
  return undefined
}

const problemOfOne = (
  quorum: ReadonlyArray<NodeId.NodeId> | undefined,
  node: NodeId.NodeId,
  nodes: ReadonlyArray<NodeId.NodeId>
): string | undefined => {
  if (quorum === undefined) return `"${node}" has no quorum`
  const stranger = quorum.find((member) => !nodes.includes(member))
  if (stranger !== undefined) return `the quorum of "${node}" has "${stranger}", which is not among the nodes`
  if (new Set(quorum).size < quorum.length) return `the quorum of "${node}" names a node twice`
  return quorum.includes(node) ? undefined : `"${node}" is not in its own quorum`
}

const each = (
  nodes: ReadonlyArray<NodeId.NodeId>,
  quorum: (rank: number) => ReadonlyArray<number>
): Record<NodeId.NodeId, ReadonlyArray<NodeId.NodeId>> =>
  Object.fromEntries(nodes.map((node, rank) => [node, quorum(rank).map((member) => nodes[member]!)]))

// ------------------------------------------------------------------------------------------------------------- the grid

const gridWidth = (nodes: number): number => Math.ceil(Math.sqrt(nodes))

/**
 * Only the last row may be short. Of two nodes one is in a full row, or both are in the last one; a full row meets every
 * column.
 */
const gridQuorum = (nodes: number, rank: number): ReadonlyArray<number> => {
  const width = gridWidth(nodes)
  const row = Math.floor(rank / width)
  const members: Array<number> = []
  for (let other = 0; other < nodes; other++) {
    if (Math.floor(other / width) === row || other % width === rank % width) members.push(other)
  }
  return members
}

// ------------------------------------------------------------------------------------------------------------ the plane

/** The least q, a power of a prime or 0 or 1, with q²+q+1 ≥ N. Of 1 the plane is a triangle, of 0 a point. */
const planeOrder = (nodes: number): number => {
  for (let q = 0; ; q++) if (q * q + q + 1 >= nodes && (q < 2 || primeOf(q) !== undefined)) return q
}

/**
 * Points are numbers modulo v = q²+q+1, and the lines are the translates of one: a difference set, in which each
 * difference but 0 occurs once. It has 0, so that the line of each node goes through the node.
 *
 * A point beyond the last node has a line too, which is nobody's quorum: whoever stands in for the point is on that line.
 * No other goes through both, so that no quorum has a stand-in twice, and all stay of one size.
 */
const linesOfPlane = (nodes: number): ((rank: number) => ReadonlyArray<number>) => {
  const q = planeOrder(nodes)
  const v = q * q + q + 1
  const line = differenceSet(q)
  const standIns: Array<number> = []
  for (let point = nodes; point < v; point++) {
    const onLine = line.map((step) => (point + step) % v).filter((other) => other < nodes)
    standIns.push(onLine.find((other) => !standIns.includes(other)) ?? onLine[0]!)
  }
  return (rank) => {
    const members = line.map((step) => (rank + step) % v).map((at) => (at < nodes ? at : standIns[at - nodes]!))
    return [...new Set(members)].toSorted((a, b) => a - b)
  }
}

/** The prime of which q is a power. */
const primeOf = (q: number): number | undefined => {
  let prime = 2
  while (q % prime !== 0) prime++
  let rest = q
  while (rest % prime === 0) rest /= prime
  return rest === 1 ? prime : undefined
}

/**
 * q+1 numbers modulo q²+q+1 whose differences are all numbers but 0, each once. The points of the plane are the powers of
 * a generator α of the field of q³ elements, up to factors of the field of q; a line is what 1 and α span.
 *
 * Source: J. Singer, "A Theorem in Finite Projective Geometry and Some Applications to Number Theory", Transactions of
 * the AMS 43(3), 1938.
 */
const differenceSet = (q: number): ReadonlyArray<number> => {
  if (q < 2) return q === 0 ? [0] : [0, 1]
  const prime = primeOf(q)!
  const { logs, powers } = powersOfGenerator(prime, q ** 3)
  const v = q * q + q + 1
  // 1, α, and α + c for each c of the smaller field, whose elements are the powers of α by multiples of v.
  const sums = Array.from({ length: q - 1 }, (_, i) => logs[add(prime, prime, powers[i * v]!)]! % v)
  return [0, 1, ...sums].toSorted((a, b) => a - b)
}

/**
 * The elements of a field of `size` = pᵐ, as numbers whose digits to the base of `prime` are the coefficients of a
 * polynomial in α: so 1 is 1 and α is p. Looks for a polynomial of which α is a root and generates all elements but 0.
 */
const powersOfGenerator = (
  prime: number,
  size: number
): { readonly powers: ReadonlyArray<number>; readonly logs: ArrayLike<number> } => {
  // α to the power of m is written in the lower powers: no more than one choice in so many.
  for (let highest = 1; ; highest++) {
    const logs = new Int32Array(size).fill(-1)
    const powers: Array<number> = []
    for (let power = 1; logs[power] === -1; power = timesAlpha(prime, size, highest, power)) {
      logs[power] = powers.length
      powers.push(power)
    }
    if (powers.length === size - 1) return { powers, logs }
  }
}

const timesAlpha = (prime: number, size: number, highest: number, element: number): number => {
  const top = Math.floor((element * prime) / size)
  return add(prime, (element * prime) % size, times(prime, top, highest))
}

/** Digit by digit, without carrying. */
const add = (prime: number, a: number, b: number): number => {
  let sum = 0
  for (let place = 1; place <= a || place <= b; place *= prime) {
    sum += ((Math.floor(a / place) + Math.floor(b / place)) % prime) * place
  }
  return sum
}

const times = (prime: number, digit: number, element: number): number => {
  let product = 0
  for (let place = 1; place <= element; place *= prime) {
    product += ((digit * Math.floor(element / place)) % prime) * place
  }
  return product
}
