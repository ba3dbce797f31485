/** Nodes on loopback, and bare sockets that send what no node would. */
import type { NodeId } from "@troupe/transport"
import type { TransportMaker } from "@troupe/transport/testing"
import * as Udp from "@troupe/transport/Udp"
import { Effect, type Scope } from "effect"
import * as Dgram from "node:dgram"
import * as Keys from "../src/internal/udp/Keys.ts"
import * as Packet from "../src/internal/udp/packet.ts"
import { Log } from "./support.ts"

type Bounds = Omit<Partial<Udp.Options>, "self">

export const key = (seed: number): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, index) => (seed * 37 + index) & 0xff)

/** A node on a port of its own, which knows the addresses of those that are given as nodes. */
export const node = (
  self: NodeId.NodeId,
  peers: ReadonlyArray<NodeId.NodeId | Udp.UdpTransport> = [],
  bounds: Bounds = {}
): Effect.Effect<Udp.UdpTransport, Udp.UdpError, Scope.Scope> =>
  Udp.make({
    self,
    listen: "127.0.0.1:0",
    peers: Object.fromEntries(peers.map((peer) => (typeof peer === "string" ? [peer, null] : [peer.self, at(peer)]))),
    ...bounds
  })

export const at = ({ address: { host, port } }: Udp.UdpTransport): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

/** Two nodes that know each other. */
export const pair = Effect.fnUntraced(function* (bounds1: Bounds = {}, bounds2: Bounds = bounds1) {
  const n1 = yield* node("n1", ["n2"], bounds1)
  const n2 = yield* node("n2", [n1], bounds2)
  yield* n1.introduce("n2", at(n2))
  return [n1, n2] as const
})

/** For the conformance suites: nodes are introduced to each other as they join. */
export const network =
  (bounds: Bounds = {}): TransportMaker =>
  ({ nodes }) =>
    Effect.sync(() => {
      const joined = new Map<NodeId.NodeId, Udp.UdpTransport>()
      return {
        join: (self) =>
          Effect.acquireRelease(
            Effect.gen(function* () {
              const others = nodes.filter((other) => other !== self)
              const one = yield* node(
                self,
                [...others.filter((other) => !joined.has(other)), ...joined.values()],
                bounds
              )
              for (const peer of joined.values()) yield* peer.introduce(self, at(one))
              joined.set(self, one)
              return one
            }),
            () => Effect.sync(() => joined.delete(self))
          )
      }
    })

/** A bare socket on loopback. */
export interface Raw {
  readonly address: string
  readonly packets: Log<Uint8Array>
  readonly send: (packet: Uint8Array, to: Udp.UdpTransport) => Effect.Effect<void>
}

export const raw: Effect.Effect<Raw, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.callback<Dgram.Socket>((resume) => {
      const socket = Dgram.createSocket("udp4")
      socket.bind(0, "127.0.0.1", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.close())
  ),
  (socket) => {
    const packets = new Log<Uint8Array>()
    socket.on("message", (packet) => packets.add(new Uint8Array(packet)))
    return {
      address: `127.0.0.1:${socket.address().port}`,
      packets,
      send: (packet, { address }) =>
        Effect.callback((resume) => {
          socket.send(packet, address.port, address.host, () => resume(Effect.void))
        })
    }
  }
)

/**
 * A wire that a test holds in its hands: what `from` sends to `to` arrives here, and goes on when the test says so.
 * `to` sees it come from this socket.
 */
export const wire = Effect.fnUntraced(function* (from: Udp.UdpTransport, to: Udp.UdpTransport) {
  const socket = yield* raw
  yield* from.introduce(to.self, socket.address)
  return {
    packets: socket.packets,
    pass: (packet: Uint8Array) => socket.send(packet, to),
    address: socket.address
  }
})

/** Waits until a node has taken, or refused, so many packets. */
export const received = (node: Udp.UdpTransport, count: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let look = 0; look < 3000 && node.counters.packetsReceived < count; look++) {
      yield* look < 1000 ? Effect.yieldNow : Effect.sleep(1)
    }
    if (node.counters.packetsReceived < count) {
      throw new Error(`waited in vain for ${count} packets; got ${node.counters.packetsReceived}`)
    }
  })

/** A packet as a node would make it, but for what is to be wrong with it. */
export interface Forgery {
  readonly kind?: number
  readonly cluster?: string
  readonly sender?: string
  readonly receiver?: string
  readonly incarnation?: Packet.Incarnation
  readonly number?: number
  readonly body?: Uint8Array
  /** Seals the packet. */
  readonly key?: Uint8Array
}

export const forge = (forgery: Forgery = {}): Uint8Array => {
  const { cluster = "troupe", number = 0, receiver = "n1", sender = "n2" } = forgery
  const { body = new Uint8Array(0), incarnation = { startedAt: 1, salt: 1 } } = forgery
  const sealed = forgery.key !== undefined
  const head = Packet.makeHead(forgery.kind ?? (sealed ? Packet.Kind.sealed : Packet.Kind.plain), sender, incarnation)
  Packet.writeNumber(head, head.length, number)
  const end = head.length + body.length
  const packet = new Uint8Array(end + (sealed ? Packet.tagBytes : Packet.checksumBytes))
  packet.set(head)
  packet.set(body, head.length)
  if (forgery.key === undefined) {
    const checksum = Packet.checksum(Packet.receiverChecksum(cluster, receiver), packet.subarray(0, end))
    Packet.writeUint32(packet, end, checksum)
  } else {
    const key = Keys.derive(Keys.makeKey(forgery.key), { cluster, incarnation, receiver, sender })
    Keys.seal(key, packet, head.length, end)
  }
  return packet
}

/** A message in a packet's body. */
export const message = (channel: string, codec: string, bytes: Uint8Array, length = bytes.length): Uint8Array => {
  const body = new Uint8Array(Packet.messageHeaderBytes + bytes.length)
  Packet.writeMessageHeader(body, 0, Packet.channelNumber(channel), Packet.codecNumber(codec), length)
  body.set(bytes, Packet.messageHeaderBytes)
  return body
}
