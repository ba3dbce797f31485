/** Another node, as seen from this one: where it is, the packet that is being filled for it, and what was heard of it. */
import type { NodeId } from "../../NodeId.ts"
import type { Writer } from "../../Writer.ts"
import type { LineKeys } from "./Keys.ts"
import type { Incarnation } from "./packet.ts"
import type { Window } from "./Window.ts"

/** Where packets go: an address in figures. */
export interface Place {
  readonly ip: string
  readonly port: number
}

/** A life of a peer, from its first packet on. */
export interface Session {
  readonly incarnation: Incarnation
  readonly window: Window
  /** `undefined` without keys. */
  readonly keys: LineKeys | undefined
}

export interface Peer {
  readonly id: NodeId
  /** `undefined`: not known (yet). */
  place: Place | undefined
  /** The name to look up for a place, or that was looked up for it. */
  host: { readonly name: string; readonly port: number } | undefined
  isLookingUp: boolean
  /** When the host may be looked up again. */
  lookUpAtMillis: number
  /** The packet that is being filled, and how many messages are in it. */
  out: Writer | undefined
  outMessages: number
  /** The number of the next packet to it. Never the same twice in a life of this node: it is the nonce of a seal. */
  next: number
  /** The keys of what this node sends to it, made when needed. */
  sealing: LineKeys | undefined
  /** What the checksums of packets to it begin with. */
  readonly checksum: number
  session: Session | undefined
}

export const makePeer = (id: NodeId, checksum: number, next: number): Peer => ({
  id,
  place: undefined,
  host: undefined,
  isLookingUp: false,
  lookUpAtMillis: 0,
  out: undefined,
  outMessages: 0,
  next,
  sealing: undefined,
  checksum,
  session: undefined
})
