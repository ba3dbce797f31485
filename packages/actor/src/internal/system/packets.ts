/**
 * Frames on their way. What is said to an actor has a number: a receiver takes none twice, and none after a later one, whatever
 * the transport doubles or lets overtake. What is answered has none, and is for the life that has asked.
 */
import { type Codec, type NodeId, Reader } from "@troupe/transport"
import type { Frame } from "./frames.ts"

export interface Packet {
  /** From 1 on in one life of a sender; 0: of an answer. */
  readonly number: number
  /** Of the sender; of an answer, of its receiver. */
  readonly life: number
  readonly frame: Frame
}

/** What tells a life from others of its node: the first 28 bits of 48, which are chance in any generator. */
export const lifeOf = (life: number): number => Math.floor(life / 2 ** 20)

/** How many earlier lives of a sender are known: what comes late from one is not taken. */
const pastLives = 8

export const packets = (frames: Codec.Codec<Frame>): Codec.Codec<Packet> => ({
  name: frames.name,
  write: ({ frame, life, number }, into) => {
    into.natural(number)
    into.natural(life)
    frames.write(frame, into)
  },
  read: (bytes, start, end) => {
    const reader = new Reader(bytes, start, end)
    const number = reader.natural()
    const life = reader.natural()
    return { number, life, frame: frames.read(bytes, reader.at, end) }
  }
})

interface Sender {
  life: number
  /** The number of the latest packet that was taken. */
  last: number
  past: ReadonlyArray<number>
}

/** What has come of each sender. */
export class Order {
  private readonly life: number
  private readonly senders = new Map<NodeId.NodeId, Sender>()

  constructor(life: number) {
    this.life = life
  }

  /** Whether this one is to be taken. */
  takes(from: NodeId.NodeId, { life, number }: Packet): boolean {
    if (number === 0) return life === this.life
    const sender = this.senders.get(from)
    if (sender === undefined) {
      this.senders.set(from, { life, last: number, past: [] })
      return true
    }
    if (sender.life !== life) {
      if (sender.past.includes(life)) return false
      sender.past = [sender.life, ...sender.past].slice(0, pastLives)
      sender.life = life
    } else if (number <= sender.last) return false
    sender.last = number
    return true
  }
}
