/**
 * The keys of a cluster, and the sealing of packets with them.
 *
 * No key of the ring seals a packet itself. From it, each (sender's incarnation, receiver) has a key of its own, by
 * HKDF-SHA-256 (RFC 5869) over cluster, sender, receiver and incarnation. Under that key the packet's number is the nonce
 * of AES-256-GCM, so that no nonce is used twice as long as no two lives of a node share their time of start and 32
 * random bits. The packet's head is authenticated with the messages.
 */
import { Buffer } from "node:buffer"
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomInt } from "node:crypto"
import { type Incarnation, tagBytes } from "./packet.ts"

export const keyBytes = 32

/** How many keys a ring has at the most: an unknown packet is tried with each. */
export const maxKeys = 16

const cipher = "aes-256-gcm"
const options = { authTagLength: tagBytes }

/** 32 bits that nobody can foresee. */
export const salt = (): number => randomInt(0x1_0000_0000)

/** A key of a ring. Two of the same bytes are the same value. */
export type Key = KeyObject

export const makeKey = (bytes: Uint8Array): Key => createSecretKey(bytes)

/** The keys of a ring: the first seals, each opens. */
export class Keys {
  all: ReadonlyArray<Key>

  constructor(all: ReadonlyArray<Key>) {
    this.all = all
  }

  get first(): Key {
    return this.all[0]!
  }

  find(key: Key): Key | undefined {
    return this.all.find((one) => one.equals(key))
  }
}

/** Who speaks to whom. */
export interface Line {
  readonly cluster: string
  readonly sender: string
  readonly receiver: string
  readonly incarnation: Incarnation
}

/** The key of a line. */
export const derive = (key: Key, { cluster, incarnation, receiver, sender }: Line): KeyObject => {
  const salt = Buffer.alloc(10)
  salt.writeUIntBE(incarnation.startedAt, 0, 6)
  salt.writeUInt32BE(incarnation.salt, 6)
  // No id has a NUL; a cluster may, and is last.
  const info = `troupe udp 1\0${sender}\0${receiver}\0${cluster}`
  return createSecretKey(Buffer.from(hkdfSync("sha256", key, salt, info, keyBytes)))
}

const nonce = Buffer.alloc(12)

const nonceOf = (bytes: Uint8Array, headEnd: number): Buffer => {
  nonce.set(bytes.subarray(headEnd - 6, headEnd), 6)
  return nonce
}

/** Encrypts the messages of a packet where they are, from `headEnd` to `end`, and puts the tag behind them. */
export const seal = (key: KeyObject, packet: Uint8Array, headEnd: number, end: number): void => {
  const sealing = createCipheriv(cipher, key, nonceOf(packet, headEnd), options)
  sealing.setAAD(packet.subarray(0, headEnd))
  packet.set(sealing.update(packet.subarray(headEnd, end)), headEnd)
  sealing.final()
  packet.set(sealing.getAuthTag(), end)
}

/** The messages of a packet; `undefined` when it was not sealed with this key. */
export const open = (key: KeyObject, packet: Uint8Array, headEnd: number): Buffer | undefined => {
  const end = packet.length - tagBytes
  const opening = createDecipheriv(cipher, key, nonceOf(packet, headEnd), options)
  opening.setAAD(packet.subarray(0, headEnd))
  opening.setAuthTag(packet.subarray(end))
  const messages = opening.update(packet.subarray(headEnd, end))
  try {
    opening.final()
    return messages
  } catch {
    return undefined
  }
}

/** The keys of a line, one for each key of the ring, derived when needed. */
export class LineKeys {
  private readonly line: Line
  private derived = new Map<Key, KeyObject>()
  /** The key of the ring that opened a packet last. */
  private last: Key | undefined = undefined

  constructor(line: Line) {
    this.line = line
  }

  of(key: Key): KeyObject {
    let own = this.derived.get(key)
    if (own === undefined) {
      // Those of keys that were removed from the ring are not kept for ever.
      if (this.derived.size >= maxKeys) this.derived.clear()
      this.derived.set(key, (own = derive(key, this.line)))
    }
    return own
  }

  /** Tries the keys of the ring, beginning with the one that fitted last. */
  open({ all }: Keys, packet: Uint8Array, headEnd: number): Buffer | undefined {
    const last = this.last
    if (last !== undefined && all.includes(last)) {
      const messages = open(this.of(last), packet, headEnd)
      if (messages !== undefined) return messages
    }
    for (const key of all) {
      if (key === last) continue
      const messages = open(this.of(key), packet, headEnd)
      if (messages !== undefined) {
        this.last = key
        return messages
      }
    }
    return undefined
  }
}
