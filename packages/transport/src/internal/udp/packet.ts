/**
 * The wire format of `Udp`, pure: what is before and behind the messages of a packet.
 *
 * | bytes | what |
 * |---|---|
 * | 1 | kind: plain or sealed, of this version |
 * | 1 + 1 to 255 | the sender's id in UTF-8, after its length |
 * | 6 + 4 | the sender's incarnation: when it started (32nds of a millisecond since 1970), and random bits |
 * | 6 | the packet's number, counted from 0 for each receiver of an incarnation |
 * | any | messages: channel (4), codec (1), length (2), the message in the channel's codec |
 * | 4 or 16 | plain: CRC-32. Sealed: the tag of AES-256-GCM |
 *
 * Numbers are big endian. A channel is the CRC-32 of its name, a codec the lowest byte of that of its name. Cluster and
 * receiver are not sent: the checksum and the keys are made with them, so that a packet which strays to another node or
 * cluster is refused.
 */
import { Buffer } from "node:buffer"
import { crc32 } from "node:zlib"
import { readUint16, readUint32 } from "../frames.ts"

export const Kind = { plain: 0xd1, sealed: 0xd2 } as const

export const checksumBytes = 4
export const tagBytes = 16

/** What comes before each message. */
export const messageHeaderBytes = 7

/** The longest id of a node, in UTF-8. */
export const maxIdBytes = 255

/** One life of a node. Times order the lives of one node, the random bits tell two that began together apart. */
export interface Incarnation {
  /** In 32nds of a millisecond since 1970: with 48 bits until 2248, and fine enough for a node that starts again at once. */
  readonly startedAt: number
  readonly salt: number
}

export interface Head {
  readonly kind: number
  readonly sender: string
  readonly incarnation: Incarnation
  readonly number: number
  /** Where the messages begin. */
  readonly end: number
}

export const incarnation = (nanos: bigint, salt: number): Incarnation => ({
  startedAt: Number(nanos > 0n ? (nanos / 31_250n) & 0xffff_ffff_ffffn : 0n),
  salt
})

export const compare = (a: Incarnation, b: Incarnation): number => a.startedAt - b.startedAt || a.salt - b.salt

/** How many bytes come before the messages of this sender. */
export const headBytes = (idBytes: number): number => 2 + idBytes + 16

/** All of a head but the packet's number, which has the last 6 bytes. */
export const makeHead = (kind: number, sender: string, { salt, startedAt }: Incarnation): Buffer => {
  const id = Buffer.from(sender)
  const head = Buffer.alloc(headBytes(id.length))
  head[0] = kind
  head[1] = id.length
  head.set(id, 2)
  head.writeUIntBE(startedAt, 2 + id.length, 6)
  head.writeUInt32BE(salt, 8 + id.length)
  return head
}

/** Writes a packet's number in the 6 bytes before `end`. */
export const writeNumber = (into: Uint8Array, end: number, number: number): void => {
  writeUint16(into, end - 6, Math.floor(number / 0x1_0000_0000))
  writeUint32(into, end - 4, number)
}

/** The head of a packet, or what is wrong with it. */
export const readHead = (bytes: Buffer): Head | "truncated" | "malformed" => {
  if (bytes.length < 2) return "truncated"
  const kind = bytes[0]!
  const idBytes = bytes[1]!
  if ((kind !== Kind.plain && kind !== Kind.sealed) || idBytes === 0) return "malformed"
  const end = headBytes(idBytes)
  if (bytes.length < end + (kind === Kind.sealed ? tagBytes : checksumBytes)) return "truncated"
  const at = 2 + idBytes
  const sender = bytes.toString("utf8", 2, at)
  const incarnation = { startedAt: readUint48(bytes, at), salt: readUint32(bytes, at + 6) }
  return { kind, sender, incarnation, number: readUint48(bytes, at + 10), end }
}

/** The checksum of a packet, which begins where that of its receiver ends. */
export const checksum = (receiver: number, bytes: Uint8Array): number => crc32(bytes, receiver)

/** What the checksums of packets to a node begin with. */
export const receiverChecksum = (cluster: string, receiver: string): number => crc32(`${cluster}\0${receiver}`)

export const channelNumber = (name: string): number => crc32(name)

export const codecNumber = (name: string): number => crc32(name) & 0xff

export const writeMessageHeader = (into: Uint8Array, at: number, channel: number, codec: number, length: number) => {
  writeUint32(into, at, channel)
  into[at + 4] = codec
  writeUint16(into, at + 5, length)
}

export const writeUint32 = (into: Uint8Array, at: number, value: number): void => {
  into[at] = value >>> 24
  into[at + 1] = value >>> 16
  into[at + 2] = value >>> 8
  into[at + 3] = value
}

const writeUint16 = (into: Uint8Array, at: number, value: number): void => {
  into[at] = value >>> 8
  into[at + 1] = value
}

const readUint48 = (bytes: Uint8Array, at: number): number =>
  readUint16(bytes, at) * 0x1_0000_0000 + readUint32(bytes, at + 2)
