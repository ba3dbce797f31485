/** Which of several servers to believe: intervals, and where most of them overlap. */

/** What a server says, and how far it may be off. */
export interface Candidate<out Id = unknown> {
  readonly id: Id
  readonly offsetMillis: number
  /** The root distance λ: the correct offset is no further away, if the server is right. */
  readonly distanceMillis: number
}

export interface Span {
  readonly lowMillis: number
  readonly highMillis: number
}

const lowOf = (candidate: Candidate): number => candidate.offsetMillis - candidate.distanceMillis
const highOf = (candidate: Candidate): number => candidate.offsetMillis + candidate.distanceMillis

/**
 * From the lowest to the highest offset that at least `count` candidates hold possible; none if there is no such. When at
 * most N − `count` of N candidates are wrong, the correct offset is in it (Marzullo 1984).
 */
export const overlap = (candidates: ReadonlyArray<Candidate>, count: number): Span | undefined => {
  const edges = candidates
    .flatMap((candidate) => [
      { at: lowOf(candidate), by: 1 },
      { at: highOf(candidate), by: -1 }
    ])
    // At one point, those that begin there count together with those that end there.
    .sort((a, b) => a.at - b.at || b.by - a.by)
  let lowMillis: number | undefined
  let highMillis: number | undefined
  let covering = 0
  for (const { at, by } of edges) {
    if (by > 0 && ++covering >= count) lowMillis ??= at
    if (by < 0 && covering-- >= count) highMillis = at
  }
  return lowMillis === undefined || highMillis === undefined ? undefined : { lowMillis, highMillis }
}

/**
 * The intersection algorithm (RFC 5905, section 11.2.1): with the fewest falsetickers that explain it, fewer than half, all
 * others overlap. These are returned; none when there is no such majority. That their offsets lie where they overlap is
 * not asked for: where delays vary much, servers that are right don't show it.
 */
export const truechimers = <Id>(candidates: ReadonlyArray<Candidate<Id>>): ReadonlyArray<Candidate<Id>> => {
  for (let falsetickers = 0; 2 * falsetickers < candidates.length; falsetickers++) {
    const span = overlap(candidates, candidates.length - falsetickers)
    if (span === undefined) continue
    return candidates.filter((candidate) => lowOf(candidate) <= span.highMillis && highOf(candidate) >= span.lowMillis)
  }
  return []
}

/** Their average, each weighted by how near it is to be right (RFC 5905, section 11.2.3). */
export const combined = (candidates: ReadonlyArray<Candidate>): number => {
  let sum = 0
  let weights = 0
  for (const { distanceMillis, offsetMillis } of candidates) {
    const weight = 1 / distanceMillis
    sum += weight * offsetMillis
    weights += weight
  }
  return sum / weights
}
