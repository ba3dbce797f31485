/** Nodes on loopback, and bare sockets that send what no node would. */
import type { NodeId } from "@troupe/transport"
import type { TransportMaker } from "@troupe/transport/testing"
import * as Udp from "@troupe/transport/Udp"
import { Effect, type Scope } from "effect"
import * as Dgram from "node:dgram"
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
    for (let left = 2000; left > 0 && node.counters.packetsReceived < count; left--) yield* Effect.sleep(1)
    if (node.counters.packetsReceived < count) {
      throw new Error(`waited in vain for ${count} packets; got ${node.counters.packetsReceived}`)
    }
  })
