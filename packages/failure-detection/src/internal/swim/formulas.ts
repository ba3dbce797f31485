/**
 * The arithmetic of SWIM and Lifeguard, apart from the protocol.
 *
 * Sources: A. Das, I. Gupta, A. Motivala, "SWIM", DSN 2002, §3–5; A. Dadgar, J. Phillips, J. Currey, "Lifeguard", DSN-W
 * 2018, §IV. The constants are those of HashiCorp's memberlist, so that the two can be compared.
 */

/** How often a rumour is sent by a node of a group of `nodes`: λ⌈log₁₀(N+1)⌉ times. */
export const retransmitLimit = (multiplier: number, nodes: number): number =>
  multiplier * Math.ceil(Math.log10(nodes + 1))

/** The shortest suspicion, in milliseconds: `multiplier` periods, more from ten nodes up. */
export const suspicionTimeoutMillis = (multiplier: number, nodes: number, intervalMillis: number): number =>
  multiplier * Math.floor(Math.max(1, Math.log10(Math.max(1, nodes))) * 1_000) * (intervalMillis / 1_000)

/** How many other nodes are expected to confirm a suspicion: none where too few are left to do so. */
export const expectedConfirmations = (multiplier: number, nodes: number): number =>
  nodes - 2 < multiplier - 2 ? 0 : Math.max(0, multiplier - 2)

/**
 * What is left of a suspicion that has lasted for `elapsed`, in seconds: it starts at `max` and falls to `min` with the
 * logarithm of the confirmations (Lifeguard, §IV-B). Not above 0: it is over.
 */
export const remainingSuspicionSeconds = (
  confirmations: number,
  expected: number,
  elapsed: number,
  min: number,
  max: number
): number => {
  const share = expected === 0 ? 1 : Math.log(confirmations + 1) / Math.log(expected + 1)
  const timeout = Math.floor((max - share * (max - min)) * 1_000) / 1_000
  return Math.max(min, timeout) - elapsed
}

/** The local health after a change: from 0, well, to `max` − 1 (Lifeguard, §IV-A). */
export const health = (score: number, change: number, max: number): number =>
  Math.min(max - 1, Math.max(0, score + change))

/** A timeout, stretched by bad health. */
export const scaled = (millis: number, score: number): number => millis * (score + 1)
