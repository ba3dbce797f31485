/**
 * What stands for an entry of a keyed store where stores are compared: 96 bits, from its key and its version.
 *
 * `position` is the hash of the key alone: where on the ring of 2³² positions the entry lies, whatever its version. The
 * other 64 bits are of key and version together, so that two entries have the same ones only if nothing differs, up to
 * chance: among a million different entries that two agree at all has a probability below 3·10⁻⁸, and what then stays
 * different is different until either is written again.
 *
 * The hash is HalfSipHash-2-4 with a secret key that replicas share: who may write keys, but does not know the secret,
 * can neither make entries collide nor crowd one place of the ring.
 *
 * Source: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012; HalfSipHash is the
 * authors' variant for 32-bit words.
 *
 * @example
 * import { Fingerprint } from "@troupe/gossip"
 *
 * const secret = [1, 2] as const
 * const first = Fingerprint.of(secret, "cart/7", "v1")
 * const second = Fingerprint.of(secret, "cart/7", "v2")
 * console.log(first.position === second.position, Fingerprint.equals(first, second)) // true false
 */
import * as Hash from "./internal/antiEntropy/hash.ts"

/** Two whole numbers of 32 bits. */
export type HashKey = readonly [number, number]

/** Each a whole number of 32 bits with a sign, as JavaScript computes with them. */
export interface Fingerprint {
  /** As an unsigned number, the place on the ring. */
  readonly position: number
  readonly hi: number
  readonly lo: number
}

/** The fingerprint of an entry. `version` is any text that two entries of a key share if and only if they are the same. */
export const of = ([k0, k1]: HashKey, key: string, version: string): Fingerprint => {
  const { hi: position, lo: second } = Hash.text(k0, k1, key)
  const { hi, lo } = Hash.textAfter(k0, k1, position, second, version)
  return { position, hi, lo }
}

export const equals = (a: Fingerprint, b: Fingerprint): boolean =>
  a.lo === b.lo && a.hi === b.hi && a.position === b.position
