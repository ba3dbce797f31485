/** The socket of a node: a family of addresses, and packets that leave at once or wait within a bound. */
import type { Buffer } from "node:buffer"
import * as Dgram from "node:dgram"
import * as Dns from "node:dns"
import { isIP } from "node:net"
import type { Address } from "../tcp/address.ts"
import type { Place } from "./Peer.ts"

/** `dual`: IPv6, and IPv4 as addresses of IPv6 (RFC 4291, §2.5.5.2). */
type Family = 4 | 6 | "dual"

/** Addresses that are given to the socket are in figures already: they are not looked up again. */
const lookup =
  (family: 4 | 6) =>
  (host: string, _options: unknown, done: (error: null, address: string, family: number) => void): void =>
    done(null, host, family)

export type OnPacket = (bytes: Buffer, from: Dgram.RemoteInfo) => void

export class Socket {
  private readonly family: Family
  private readonly socket: Dgram.Socket

  private constructor(family: Family, recvBufferSize: number) {
    this.family = family
    const [type, version] = family === 4 ? (["udp4", 4] as const) : (["udp6", 6] as const)
    this.socket = Dgram.createSocket({ type, lookup: lookup(version), recvBufferSize })
  }

  /** Takes the port that is asked for. */
  static async bind({ host, port }: Address, receiveBufferBytes: number): Promise<Socket> {
    if (host !== "") {
      const { address, family } = await Dns.promises.lookup(host)
      return new Socket(family === 6 ? 6 : 4, receiveBufferBytes).bound(address, port)
    }
    try {
      return await new Socket("dual", receiveBufferBytes).bound("::", port)
    } catch (error) {
      // There is no IPv6 here.
      if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") throw error
      return new Socket(4, receiveBufferBytes).bound("0.0.0.0", port)
    }
  }

  private bound(ip: string, port: number): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const failed = (error: Error): void => {
        this.socket.close()
        reject(error)
      }
      this.socket.once("error", failed)
      this.socket.bind(port, ip, () => {
        this.socket.off("error", failed)
        resolve(this)
      })
    })
  }

  start(onPacket: OnPacket, onError: (error: Error) => void): void {
    this.socket.on("message", onPacket)
    this.socket.on("error", onError)
  }

  get address(): Address {
    const { address, port } = this.socket.address()
    return { host: address, port }
  }

  /** The place of an address, if it is in figures and of this family. */
  placeOf({ host, port }: Address): Place | undefined {
    const family = isIP(host)
    if (family === 0) return undefined
    return { ip: family === 4 && this.family === "dual" ? `::ffff:${host}` : host, port }
  }

  lookUp(name: string, done: (ip: string | undefined) => void): void {
    const family = this.family === "dual" ? 0 : this.family
    Dns.lookup(name, { family }, (error, ip) => done(error === null ? ip : undefined))
  }

  send(packet: Uint8Array, { ip, port }: Place, done: (error: Error | null) => void): void {
    this.socket.send(packet, port, ip, done)
  }

  close(done: () => void): void {
    this.socket.close(done)
  }
}
