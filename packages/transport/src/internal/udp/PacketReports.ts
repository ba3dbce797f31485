/** What a node over UDP tells: the reports of a node, and counters of its packets. */
import type { NodeId } from "../../NodeId.ts"
import type { DropReason } from "../../Transport.ts"
import { Reports } from "../tcp/Reports.ts"

/**
 * What a node has done since it started. Bytes are those of whole packets; below them, each has 28 more for the headers of
 * UDP and IPv4, 48 with IPv6.
 */
export interface Counters {
  /** Messages that left in a packet, or went to the node itself. */
  sent: number
  /** Messages that were given to a handler. */
  received: number
  /** Messages that were not sent, or had no open channel. */
  dropped: number
  /** Messages and packets that were refused and told of, too large ones included. */
  rejected: number
  packetsSent: number
  bytesSent: number
  /** All that came, whatever it was. */
  packetsReceived: number
  bytesReceived: number
  /** Packets that end before their head and seal do. */
  packetsTruncated: number
  /** Packets of another format or version, or whose messages don't fit into them. */
  packetsMalformed: number
  /** Packets whose checksum or seal is not right: damaged, forged, or meant for another node or cluster. */
  packetsForged: number
  /** Packets that had been taken already, came too late to tell, or are of an earlier life of their sender. */
  packetsReplayed: number
  /** Packets of nodes that this one does not know and does not learn of. */
  packetsUnknown: number
}

export class PacketReports extends Reports {
  readonly packets: Counters = {
    sent: 0,
    received: 0,
    dropped: 0,
    rejected: 0,
    packetsSent: 0,
    bytesSent: 0,
    packetsReceived: 0,
    bytesReceived: 0,
    packetsTruncated: 0,
    packetsMalformed: 0,
    packetsForged: 0,
    packetsReplayed: 0,
    packetsUnknown: 0
  }

  override dropped(peer: NodeId, reason: DropReason, count: number): void {
    this.packets.dropped += count
    super.dropped(peer, reason, count)
  }

  override rejected(peer: NodeId, reason: string, known: boolean): void {
    this.packets.rejected++
    super.rejected(peer, reason, known)
  }
}
