/**
 * The network between the nodes, in this process: a proxy for each ordered pair of them, by which the one dials the other.
 *
 * A link carries bytes one way, whoever dialed. One that is cut holds them back, as a network does that sends again what got
 * lost; so it does with what a connection's end would tell. A new connection waits as long as either way is cut.
 */
import { Effect, type Scope } from "effect"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"
import type { Cut } from "./Plan.ts"

/** Bytes that a link holds of a connection before it takes no more. */
const heldBytesMax = 4 * 1024 * 1024

class Link {
  readonly changed = new Set<() => void>()
  delayMillis = 0
  /** Partitions may overlap: it is open again when all have ended. */
  private cuts = 0

  get isCut(): boolean {
    return this.cuts > 0
  }

  cut(): void {
    this.cuts++
    this.tell()
  }

  heal(): void {
    this.cuts--
    this.tell()
  }

  private tell(): void {
    for (const each of [...this.changed]) each()
  }
}

/** What goes one way over a connection. */
class Pipe {
  private readonly source: Socket
  private readonly sink: Socket
  private readonly link: Link
  private held: Array<{ readonly due: number; readonly chunk: Buffer | undefined }> = []
  private heldBytes = 0
  private timer: NodeJS.Timeout | undefined

  constructor(source: Socket, sink: Socket, link: Link) {
    this.source = source
    this.sink = sink
    this.link = link
    link.changed.add(this.move)
    source.on("data", (chunk) => this.take(chunk)).once("end", () => this.take(undefined))
    sink.on("drain", this.move)
  }

  close(): void {
    clearTimeout(this.timer)
    this.link.changed.delete(this.move)
  }

  private take(chunk: Buffer | undefined): void {
    this.held.push({ due: performance.now() + this.link.delayMillis, chunk })
    this.heldBytes += chunk?.length ?? 0
    if (this.heldBytes > heldBytesMax) this.source.pause()
    this.move()
  }

  private readonly move = (): void => {
    clearTimeout(this.timer)
    while (this.held.length > 0 && !this.link.isCut && !this.sink.writableNeedDrain) {
      const { chunk, due } = this.held[0]!
      const wait = due - performance.now()
      if (wait > 0) {
        this.timer = setTimeout(this.move, wait)
        return
      }
      this.held.shift()
      this.heldBytes -= chunk?.length ?? 0
      if (chunk === undefined) this.sink.end()
      else this.sink.write(chunk)
    }
    if (this.heldBytes <= heldBytesMax && this.source.isPaused()) this.source.resume()
  }
}

/** A connection by way of a proxy; `far` once both ways were open. */
class Connection {
  private readonly near: Socket
  private readonly port: number
  private readonly there: Link
  private readonly back: Link
  private readonly onEnd: () => void
  private far: Socket | undefined
  private pipes: ReadonlyArray<Pipe> = []

  constructor(near: Socket, port: number, there: Link, back: Link, onEnd: () => void) {
    this.near = near
    this.port = port
    this.there = there
    this.back = back
    this.onEnd = onEnd
    near.pause().on("error", this.end).once("close", this.end)
    there.changed.add(this.dial)
    back.changed.add(this.dial)
    this.dial()
  }

  private readonly dial = (): void => {
    if (this.there.isCut || this.back.isCut || this.far !== undefined) return
    this.forget()
    const far = connect({ port: this.port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
    this.far = far
    far.on("error", this.end).once("close", this.end)
    this.pipes = [new Pipe(this.near, far, this.there), new Pipe(far, this.near, this.back)]
    this.near.resume()
  }

  private forget(): void {
    this.there.changed.delete(this.dial)
    this.back.changed.delete(this.dial)
  }

  /** What one side says by closing, the other hears when it gets through. */
  readonly end = (): void => {
    if ((this.there.isCut || this.back.isCut) && this.far !== undefined) {
      const later = (): void => {
        if (this.there.isCut || this.back.isCut) return
        this.there.changed.delete(later)
        this.back.changed.delete(later)
        this.destroy()
      }
      this.there.changed.add(later)
      this.back.changed.add(later)
    } else this.destroy()
  }

  readonly destroy = (): void => {
    this.forget()
    for (const pipe of this.pipes) pipe.close()
    this.near.destroy()
    this.far?.destroy()
    this.onEnd()
  }
}

export class Links {
  private readonly links = new Map<string, Link>()
  private readonly connections = new Map<string, Set<Connection>>()
  private readonly addresses = new Map<string, string>()
  readonly servers: Array<Server> = []

  /** Where the one reaches the other. */
  address(from: string, to: string): string {
    return this.addresses.get(pair(from, to))!
  }

  async listen(from: string, to: string, port: number): Promise<void> {
    const own = new Set<Connection>()
    this.connections.set(pair(from, to), own)
    const [there, back] = [this.link(from, to), this.link(to, from)]
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
      const connection: Connection = new Connection(near, port, there, back, () => own.delete(connection))
      own.add(connection)
    })
    this.servers.push(server)
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve))
    this.addresses.set(pair(from, to), `127.0.0.1:${(server.address() as AddressInfo).port}`)
  }

  cut(cuts: ReadonlyArray<Cut>, resets: boolean): void {
    for (const [from, to] of cuts) {
      this.link(from, to).cut()
      if (!resets) continue
      for (const key of [pair(from, to), pair(to, from)]) {
        for (const connection of [...this.connections.get(key)!]) connection.destroy()
      }
    }
  }

  heal(cuts: ReadonlyArray<Cut>): void {
    for (const [from, to] of cuts) this.link(from, to).heal()
  }

  /** Both ways between this node and the others. */
  delay(node: string, others: ReadonlyArray<string>, millis: number): void {
    for (const other of others) {
      for (const link of [this.link(node, other), this.link(other, node)]) link.delayMillis = millis
    }
  }

  close(): void {
    for (const server of this.servers) server.close()
    for (const own of this.connections.values()) for (const connection of [...own]) connection.destroy()
  }

  private link(from: string, to: string): Link {
    const key = pair(from, to)
    let link = this.links.get(key)
    if (link === undefined) this.links.set(key, (link = new Link()))
    return link
  }
}

const pair = (from: string, to: string): string => `${from}>${to}`

/** Proxies for these nodes, by the ports that they listen on for each other. */
export const open = (ports: ReadonlyMap<string, number>): Effect.Effect<Links, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const links = new Links()
      for (const from of ports.keys()) {
        for (const [to, port] of ports) if (from !== to) await links.listen(from, to, port)
      }
      return links
    }),
    (links) => Effect.sync(() => links.close())
  )
