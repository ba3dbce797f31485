/** Updates in parts that fit a message, and back. */
import type { NodeId } from "@troupe/transport"

export interface Part {
  readonly number: number
  readonly part: number
  readonly parts: number
  readonly bytes: Uint8Array
}

export const split = (update: Uint8Array, bytes: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.max(1, Math.ceil(update.length / bytes)) }, (_, i) =>
    update.subarray(i * bytes, (i + 1) * bytes)
  )

const partsMax = 65_536

interface Gathering {
  readonly number: number
  readonly parts: Array<Uint8Array | undefined>
  missing: number
  bytes: number
}

/** What arrives in parts: of each peer one update at a time, the latest. */
export class Incoming {
  private readonly byPeer = new Map<NodeId.NodeId, Gathering>()
  private readonly bytesMax: number

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** The update whose last missing part this is; `undefined` while some are missing. Throws a `RangeError`. */
  take(from: NodeId.NodeId, { bytes, number, part, parts }: Part): Uint8Array | undefined {
    if (!(parts >= 1 && parts <= partsMax && part >= 0 && part < parts)) {
      throw new RangeError(`there is no part ${part} of ${parts}`)
    }
    if (bytes.length > this.bytesMax)
      throw new RangeError(`an update of ${bytes.length} bytes is above ${this.bytesMax}`)
    if (parts === 1) return bytes
    let gathering = this.byPeer.get(from)
    if (gathering === undefined || gathering.number !== number || gathering.parts.length !== parts) {
      gathering = { number, parts: new Array(parts).fill(undefined), missing: parts, bytes: 0 }
      this.byPeer.set(from, gathering)
    }
    if (gathering.parts[part] !== undefined) return undefined
    gathering.parts[part] = bytes
    gathering.missing--
    gathering.bytes += bytes.length
    if (gathering.bytes > this.bytesMax) {
      this.byPeer.delete(from)
      throw new RangeError(`an update of more than ${this.bytesMax} bytes is not taken`)
    }
    if (gathering.missing > 0) return undefined
    this.byPeer.delete(from)
    return joined(gathering)
  }
}

const joined = ({ bytes, parts }: Gathering): Uint8Array => {
  const update = new Uint8Array(bytes)
  let at = 0
  for (const part of parts as ReadonlyArray<Uint8Array>) {
    update.set(part, at)
    at += part.length
  }
  return update
}
