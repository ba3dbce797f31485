/**
 * Interpretation: from how long a node has been silent to how sure one may be that it is dead.
 *
 * φ = −log₁₀ of the chance that a heartbeat comes later than now. Intervals are taken for normally distributed, with the
 * logistic approximation of the distribution function that is common among implementations of φ:
 * P(later) = 1 / (1 + e^x), where x = y (1.5976 + 0.070566 y²) and y is the silence in deviations from the mean. So φ is
 * log₁₀(1 + e^x), which is computed without ever forming a probability: nothing is lost in the tail, however long the silence.
 */

const linear = 1.5976
const cubic = 0.070566

const exponent = (deviations: number): number => deviations * (linear + cubic * deviations * deviations)

/** ln(1 + e^x), for any x. */
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))

/**
 * How strong the suspicion is after a silence, from 0: at φ the chance that it is wrong is 10^−φ. Grows with the silence,
 * without bound; finite for all finite input.
 *
 * @example
 * import { PhiAccrual } from "@troupe/failure-detection"
 *
 * const { phi } = PhiAccrual
 * console.log([500, 1_000, 1_200, 1_600].map((silence) => phi(silence, 1_000, 100).toFixed(1))) // [ '0.0', '0.3', '1.6', '10.8' ]
 */
export const phi = (silenceMillis: number, meanMillis: number, deviationMillis: number): number =>
  Math.min(Number.MAX_VALUE, softplus(exponent((silenceMillis - meanMillis) / deviationMillis)) / Math.LN10)

/** By how many deviations a silence exceeds the mean when φ comes to `threshold`, which is above 0: the inverse of `phi`. */
export const deviationsAt = (threshold: number): number => {
  // ln(10^threshold − 1), and then the only real root of the cubic, by hyperbolic functions.
  const log = threshold * Math.LN10
  const x = log > 1 ? log + Math.log1p(-Math.exp(-log)) : Math.log(Math.expm1(log))
  const slope = Math.sqrt(linear / cubic / 3)
  return 2 * slope * Math.sinh(Math.asinh(x / (2 * cubic * slope ** 3)) / 3)
}
