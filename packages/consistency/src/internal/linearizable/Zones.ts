/**
 * Registers whose written values are distinct: each value has its time.
 *
 * A write and the reads of its value make a cluster. From its first end to its last beginning the register surely held
 * the value: two such times must not overlap. A cluster whose operations all overlap needs one moment of its own, from
 * its last beginning to its first end, which must not be within another's time. Nothing else is needed.
 *
 * Source: P. B. Gibbons, E. Korach, "Testing Shared Memories", SIAM Journal on Computing 26(4), 1997.
 */
import * as Explain from "../../Explain.ts"
import type { Operation, Value } from "../../History.ts"
import type { Pattern } from "./Pattern.ts"

/** A value's write, `undefined` of the initial one, and its reads. */
export interface Cluster {
  readonly value: Value
  readonly write: Operation | undefined
  readonly written: number
  readonly reads: ReadonlyArray<Operation>
}

interface Zone {
  readonly cluster: Cluster
  readonly first: Operation | undefined
  readonly last: Operation | undefined
  readonly from: number
  readonly to: number
}

/** The first end and the last beginning. */
const zoneOf = (cluster: Cluster): Zone => {
  let from = cluster.written
  let to = cluster.write?.invoked ?? -1
  let first = cluster.write
  let last = cluster.write
  for (const read of cluster.reads) {
    if (read.returned < from) {
      from = read.returned
      first = read
    }
    if (read.invoked > to) {
      to = read.invoked
      last = read
    }
  }
  return { cluster, first, last, from, to }
}

/** Two values that cannot both have had their time. */
export const conflict = (clusters: ReadonlyArray<Cluster>): Pattern | undefined => {
  const zones = clusters.map(zoneOf)
  const held = zones.filter(({ from, to }) => from < to).sort((a, b) => a.from - b.from)
  for (let at = 1; at < held.length; at++) {
    if (held[at]!.from < held[at - 1]!.to) return explain(held[at - 1]!, held[at]!)
  }
  for (const zone of zones) {
    // Here `to` is before `from`: the moment is between them.
    if (zone.from < zone.to) continue
    const around = lastBefore(held, zone.to)
    if (around !== undefined && around.from < zone.to && zone.from < around.to) return explain(around, zone)
  }
  return undefined
}

/** Of zones that do not overlap, the last that begins before. */
const lastBefore = (zones: ReadonlyArray<Zone>, time: number): Zone | undefined => {
  let low = 0
  let high = zones.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (zones[middle]!.from < time) low = middle + 1
    else high = middle
  }
  return zones[low - 1]
}

const explain = (one: Zone, other: Zone): Pattern => {
  const since = one.first === undefined ? "the beginning" : `the end of ${Explain.operation(one.first)}`
  const until = Explain.operation(one.last!)
  const shows = [other.first, other.last].filter((operation) => operation !== undefined)
  return {
    reason:
      `The register held ${Explain.value(one.cluster.value)} from ${since} until ${until} began, ` +
      `which leaves no time for ${Explain.value(other.cluster.value)}: ${[...new Set(shows)].map(Explain.operation).join(", ")}.`,
    operations: [one.cluster.write, one.first, one.last, other.cluster.write, ...shows].filter(
      (operation) => operation !== undefined
    )
  }
}
