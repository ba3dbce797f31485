/** Nodes on loopback, and peers made of a bare socket that say what no node would. */
import { type NodeId, Writer } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { Effect, type Scope } from "effect"
import { readFileSync } from "node:fs"
import * as Net from "node:net"
import * as Frames from "../src/internal/frames.ts"
import { Log } from "./support.ts"

type Bounds = Omit<Partial<Tcp.Options>, "self" | "peers">

/** A node on a port of its own, which knows the addresses of those that are given as nodes. */
export const node = (
  self: NodeId.NodeId,
  peers: ReadonlyArray<NodeId.NodeId | Tcp.TcpTransport>,
  bounds: Bounds = {}
): Effect.Effect<Tcp.TcpTransport, Tcp.TcpError, Scope.Scope> =>
  Tcp.make({
    self,
    listen: "127.0.0.1:0",
    backoffMin: 5,
    backoffMax: 100,
    peers: Object.fromEntries(
      peers.map((peer) => (typeof peer === "string" ? [peer, null] : [peer.self, `127.0.0.1:${peer.address.port}`]))
    ),
    ...bounds
  })

/** Two nodes with a link. */
export const pair = Effect.fnUntraced(function* (bounds1: Bounds = {}, bounds2: Bounds = bounds1) {
  const n1 = yield* node("n1", ["n2"], bounds1)
  const n2 = yield* node("n2", [n1], bounds2)
  yield* n1.awaitUp("n2")
  yield* n2.awaitUp("n1")
  return [n1, n2] as const
})

export const pem = (name: string): string => readFileSync(new URL(`fixtures/${name}.pem`, import.meta.url), "utf8")

export const tls = (name: string): Tcp.TlsOptions => ({
  cert: pem(`${name}.cert`),
  key: pem(`${name}.key`),
  ca: pem("ca")
})

export interface Frame {
  readonly type: number
  readonly body: Uint8Array
}

/** The other end of a connection, without a node behind it. */
export interface Raw {
  readonly socket: Net.Socket
  /** The port that a node sees it come from. */
  readonly port: number
  readonly frames: Log<Frame>
  readonly closed: Effect.Effect<void>
  readonly write: (bytes: Uint8Array | string) => void
}

/** Connects a bare socket to a node. */
export const raw = (port: number): Effect.Effect<Raw, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Raw>((resume) => {
      const socket = Net.connect(port, "127.0.0.1")
      socket.on("error", () => {})
      socket.on("connect", () => resume(Effect.succeed(rawOf(socket))))
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

const rawOf = (socket: Net.Socket): Raw => {
  const frames = new Log<Frame>()
  const ended = new Log<void>()
  const decoder = new Frames.FrameDecoder(1 << 24, (type, bytes, start, end) =>
    frames.add({ type, body: bytes.slice(start, end) })
  )
  socket.setNoDelay(true)
  socket.on("data", (chunk: Buffer) => decoder.push(new Uint8Array(chunk)))
  socket.on("close", () => ended.add())
  return {
    socket,
    port: socket.localPort!,
    frames,
    closed: ended.until((items) => items.length > 0),
    write: (bytes) => void socket.write(bytes)
  }
}

/** Where nodes may dial to, without a node behind it: `onDialed` has each connection once somebody has said hello. */
export const rawListener = (onDialed: (peer: Raw) => void): Effect.Effect<number, never, Scope.Scope> => {
  const sockets: Array<Net.Socket> = []
  const server = Net.createServer((socket) => {
    sockets.push(socket)
    socket.on("error", () => {})
    const peer = rawOf(socket)
    socket.once("data", () => onDialed(peer))
  })
  return Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as Net.AddressInfo).port)))
    }),
    () =>
      Effect.sync(() => {
        server.close()
        sockets.forEach((socket) => socket.destroy())
      })
  )
}

export const introduction: Frames.Introduction = {
  version: Frames.version,
  incarnation: "00000000000000aa",
  handshake: 0,
  node: "n2",
  cluster: "troupe",
  target: "n1"
}

export const bytesOf = (write: (into: Writer) => void): Uint8Array => {
  const writer = new Writer(64)
  write(writer)
  return writer.take()
}

export const hello = (change: Partial<Frames.Introduction> = {}): Uint8Array =>
  bytesOf((into) => Frames.writeIntroduction(into, Frames.Type.hello, { ...introduction, ...change }))

export const empty = (type: number): Uint8Array => bytesOf((into) => Frames.writeEmpty(into, type))

export const welcome = (change: Partial<Frames.Introduction> = {}): Uint8Array =>
  bytesOf((into) => Frames.writeIntroduction(into, Frames.Type.welcome, { ...introduction, ...change }))

export const refusal = (code: number, reason: string): Uint8Array =>
  bytesOf((into) => Frames.writeRefusal(into, { code, reason }))

/** A frame with any body. */
export const frame = (type: number, body: ReadonlyArray<number> | Uint8Array): Uint8Array =>
  bytesOf((into) => {
    const at = Frames.beginFrame(into, type)
    into.bytes(Uint8Array.from(body))
    Frames.endFrame(into, at)
  })

export const declare = (number: number, name: string, codec: string): Uint8Array =>
  bytesOf((into) => Frames.writeDeclaration(into, { number, name, codec }))

/** A bare socket that has shaken hands as `n2` with a node `n1`. */
export const rawPeer = Effect.fnUntraced(function* (port: number, change: Partial<Frames.Introduction> = {}) {
  const peer = yield* raw(port)
  peer.write(hello(change))
  yield* peer.frames.until((frames) => frames.some(({ type }) => type === Frames.Type.welcome))
  return peer
})

export const ofType = (frames: ReadonlyArray<Frame>, type: number): ReadonlyArray<Frame> =>
  frames.filter((frame) => frame.type === type)

/** A line between two ports that can be cut without either end being told. */
export const proxy = (
  port: number
): Effect.Effect<{ readonly port: number; readonly blackHole: () => void }, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly blackHole: () => void; readonly close: () => void }>((resume) => {
      const sockets: Array<Net.Socket> = []
      let silent = false
      const server = Net.createServer((near) => {
        const far = Net.connect(port, "127.0.0.1")
        for (const [from, to] of [
          [near, far],
          [far, near]
        ] as const) {
          sockets.push(from)
          from.on("data", (chunk) => {
            if (!silent) to.write(chunk)
          })
          from.on("error", () => {})
          from.on("close", () => {
            if (!silent) to.destroy()
          })
        }
      })
      server.listen(0, "127.0.0.1", () =>
        resume(
          Effect.succeed({
            port: (server.address() as Net.AddressInfo).port,
            blackHole: () => void (silent = true),
            close: () => {
              server.close()
              sockets.forEach((socket) => socket.destroy())
            }
          })
        )
      )
    }),
    ({ close }) => Effect.sync(close)
  )
