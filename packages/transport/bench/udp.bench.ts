/**
 * What datagrams cost, beside the least that the same work can cost on the same machine in the same minute.
 *
 * Two sockets of one process exchange messages of 100 bytes over loopback. The floor is bare `node:dgram` with addresses that are not
 * looked up; it packs as the transport does, with a length before each message, or sends each in a datagram of its own.
 * It has no senders, channels, checksums or windows. Messages one way are acknowledged by the hundred, and 400 are under
 * way, which the sockets' buffers hold: nothing is lost.
 *
 * Floor and transport take turns; medians of the rounds, and the median of the rounds' ratios, once of the rates and once
 * of the processor's time, which other work on the machine disturbs less.
 *
 *     node --conditions=@troupe/source packages/transport/bench/udp.bench.ts [--json] [--rounds 7]
 */
import { Channel, Codec, type Send } from "@troupe/transport"
import * as Udp from "@troupe/transport/Udp"
import { Effect } from "effect"
import * as Dgram from "node:dgram"
import { parseArgs } from "node:util"

const args = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "7" }
  }
}).values

const rounds = Number(args.rounds)
const messageBytes = 100
const packetBytes = 1400
const ackEvery = 100
const windowMessages = 400
const bufferBytes = 1024 * 1024

// --------------------------------------------------------------------------------------------------------- measuring

const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

type Run = () => Promise<number>

/** How many a second, and how many a second of the processor's time. */
interface Measured {
  readonly perSecond: number
  readonly perCpuSecond: number
}

/** `run` returns how many messages or round trips it made. */
const measured = async (run: Run): Promise<Measured> => {
  const cpu = process.cpuUsage()
  const start = performance.now()
  const count = await run()
  const millis = performance.now() - start
  const { system, user } = process.cpuUsage(cpu)
  return { perSecond: (count / millis) * 1000, perCpuSecond: (count / (user + system)) * 1e6 }
}

/** The medians of the runs, and of the ratios of all to the one that is called floor. */
const compare = async (runs: Readonly<Record<string, Run>>) => {
  const results = new Map(Object.keys(runs).map((name) => [name, [] as Array<Measured>]))
  for (let round = -1; round < rounds; round++) {
    for (const [name, run] of Object.entries(runs)) {
      const value = await measured(run)
      if (round >= 0) results.get(name)!.push(value)
    }
  }
  const floors = results.get("floor")!
  const ratio = (values: ReadonlyArray<Measured>, of: (value: Measured) => number) =>
    median(values.map((value, round) => of(value) / of(floors[round]!)))
  return Object.fromEntries(
    [...results].map(([name, values]) => [
      name,
      {
        perSecond: Math.round(median(values.map(({ perSecond }) => perSecond))),
        ratio: ratio(values, ({ perSecond }) => perSecond),
        cpuRatio: ratio(values, ({ perCpuSecond }) => perCpuSecond)
      }
    ])
  )
}

/** Messages that are under way, and how many are still to be sent. */
class Flow {
  private left = 0
  private toSend = 0
  private resolve: () => void = () => {}

  run(depth: number, count: number, send: () => void): Promise<number> {
    this.left = count
    this.toSend = count - depth
    return new Promise<void>((resolve) => {
      this.resolve = resolve
      for (let sent = 0; sent < depth; sent++) send()
    }).then(() => count)
  }

  /** `count` messages have made it. Returns how many to send next. */
  made(count: number): number {
    this.left -= count
    if (this.left <= 0) this.resolve()
    const next = Math.max(0, Math.min(count, this.toSend))
    this.toSend -= next
    return next
  }
}

interface Client {
  /** Keeps `depth` messages in flight until `count` came back. */
  readonly echo: (depth: number, count: number) => Promise<number>
  /** Sends `count` messages; until the last is acknowledged. */
  readonly oneWay: (count: number) => Promise<number>
}

/** The first byte tells an echo from a message that goes one way. */
const echo = new Uint8Array(messageBytes)
const away = new Uint8Array(messageBytes).fill(1)
const ack = new Uint8Array([1])

/** What a server does with a message. */
const answering = () => {
  let received = 0
  return (message: Uint8Array, at: number, answer: (bytes: Uint8Array | undefined) => void): void => {
    if (message[at] === 0) answer(undefined)
    else if (++received % ackEvery === 0) answer(ack)
  }
}

const client = (flow: Flow, send: (message: Uint8Array) => void): Client => ({
  echo: (depth, count) => flow.run(depth, count, () => send(echo)),
  oneWay: (count) => flow.run(windowMessages, count, () => send(away))
})

// ------------------------------------------------------------------------------------------------------------- floor

type OnMessage = (bytes: Uint8Array, start: number, end: number, port: number) => void

/** Bare datagrams. When it packs, the messages of a turn share packets, for one receiver at a time. */
class Floor {
  readonly socket = Dgram.createSocket({
    type: "udp4",
    recvBufferSize: bufferBytes,
    lookup: (host, _options, done) => done(null, host, 4)
  })
  private readonly pack: boolean
  private buffer = Buffer.allocUnsafe(packetBytes)
  private length = 0
  private to = 0

  constructor(pack: boolean, onMessage: OnMessage) {
    this.pack = pack
    this.socket.on("message", (packet, { port }) => {
      if (!pack) return onMessage(packet, 0, packet.length, port)
      let at = 0
      while (at < packet.length) {
        const end = at + 2 + packet.readUInt16BE(at)
        onMessage(packet, at + 2, end, port)
        at = end
      }
    })
  }

  send(bytes: Uint8Array, start: number, end: number, port: number): void {
    const message = bytes.subarray(start, end)
    if (!this.pack) return this.socket.send(message, port, "127.0.0.1")
    if (this.length + 2 + message.length > packetBytes) this.flush()
    if (this.length === 0) queueMicrotask(this.flush)
    this.to = port
    this.buffer.writeUInt16BE(message.length, this.length)
    this.buffer.set(message, this.length + 2)
    this.length += 2 + message.length
  }

  private readonly flush = (): void => {
    if (this.length === 0) return
    this.socket.send(this.buffer.subarray(0, this.length), this.to, "127.0.0.1")
    // The socket owns what it has been given.
    this.buffer = Buffer.allocUnsafe(packetBytes)
    this.length = 0
  }
}

const bound = (floor: Floor): Promise<number> =>
  new Promise((resolve) => {
    floor.socket.bind(0, "127.0.0.1", () => resolve(floor.socket.address().port))
  })

const floorServer = (pack: boolean): Promise<number> => {
  const answer = answering()
  const floor: Floor = new Floor(pack, (bytes, start, end, port) =>
    answer(bytes, start, (other) => {
      if (other === undefined) floor.send(bytes, start, end, port)
      else floor.send(other, 0, other.length, port)
    })
  )
  return bound(floor)
}

const floorClient = async (pack: boolean, port: number): Promise<Client> => {
  const flow = new Flow()
  const floor: Floor = new Floor(pack, (bytes, start) => {
    const one = bytes[start] === 0
    for (let next = flow.made(one ? 1 : ackEvery); next > 0; next--)
      floor.send(one ? echo : away, 0, messageBytes, port)
  })
  await bound(floor)
  return client(flow, (message) => floor.send(message, 0, messageBytes, port))
}

// ------------------------------------------------------------------------------------------------------------ troupe

const Bytes = Channel.fromCodec<Uint8Array>("bytes", Codec.bytes)

const variants = { packed: {}, single: { pack: false }, sealed: {} } as const
type Variant = keyof typeof variants

const made = (self: string, variant: Variant, peers: Record<string, string>) =>
  Effect.gen(function* () {
    const keys = yield* Udp.keyRing([new Uint8Array(32).fill(7)])
    return yield* Udp.make({
      self,
      listen: "127.0.0.1:0",
      peers,
      learn: true,
      ...variants[variant],
      ...(variant === "sealed" ? { keys } : {})
    })
  })

const troupeServer = Effect.fnUntraced(function* (variant: Variant) {
  const node = yield* made("server", variant, {})
  const answer = answering()
  const send: Send<Uint8Array> = yield* node.open(Bytes, (from, message) =>
    answer(message, 0, (other) => send(from, other ?? message))
  )
  return node.address.port
})

const troupeClient = Effect.fnUntraced(function* (variant: Variant, port: number) {
  const node = yield* made("client", variant, { server: `127.0.0.1:${port}` })
  const flow = new Flow()
  const send: Send<Uint8Array> = yield* node.open(Bytes, (_, message) => {
    const one = message[0] === 0
    for (let next = flow.made(one ? 1 : ackEvery); next > 0; next--) send("server", one ? echo : away)
  })
  return client(flow, (message) => send("server", message))
})

// -------------------------------------------------------------------------------------------------------------- main

const main = Effect.gen(function* () {
  const floor = yield* Effect.promise(async () => floorClient(true, await floorServer(true)))
  const floorSingle = yield* Effect.promise(async () => floorClient(false, await floorServer(false)))
  const packed = yield* troupeClient("packed", yield* troupeServer("packed"))
  const single = yield* troupeClient("single", yield* troupeServer("single"))
  const sealed = yield* troupeClient("sealed", yield* troupeServer("sealed"))
  const measure = (clients: Readonly<Record<string, Client>>, run: (client: Client) => Promise<number>) =>
    compare(Object.fromEntries(Object.entries(clients).map(([name, client]) => [name, () => run(client)])))
  const all = { floor, packed, sealed }
  const figures = yield* Effect.promise(async () => ({
    "round trips, one at a time": await measure(all, ({ echo }) => echo(1, 5000)),
    "round trips, 100 in flight": await measure(all, ({ echo }) => echo(100, 50_000)),
    "one way": await measure(all, ({ oneWay }) => oneWay(100_000)),
    "one way, a packet each": await measure({ floor: floorSingle, single }, ({ oneWay }) => oneWay(30_000))
  }))
  const unit = "messages or round trips a second"
  const report = { node: process.version, messageBytes, packetBytes, rounds, unit, figures }
  if (args.json) console.log(JSON.stringify(report))
  else {
    console.table(
      Object.entries(figures).flatMap(([what, runs]) =>
        Object.entries(runs).map(([name, { cpuRatio, perSecond, ratio }]) => ({
          what,
          name,
          perSecond,
          ratio: ratio.toFixed(2),
          cpuRatio: cpuRatio.toFixed(2)
        }))
      )
    )
  }
  process.exit(0)
})

await Effect.runPromise(Effect.scoped(main))
