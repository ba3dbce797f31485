/**
 * What the transports cost, beside the least that the same work can cost on the same machine in the same minute.
 *
 * - memory: two nodes in one process play ping-pong; the floor is a queue of plain function calls.
 * - tcp: two processes exchange messages of 100 bytes; the floor is `node:net` with a length before each message, its
 *   answers to what arrived together written together.
 *
 * Floor and transport take turns; medians of the rounds, and the median of the rounds' ratios.
 *
 *     node --conditions=@troupe/source packages/transport/bench/transport.bench.ts [--json] [--rounds 7]
 */
import { Channel, Codec, Memory, type Send } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { Effect, Schema } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import * as Net from "node:net"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const args = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "7" },
    role: { type: "string", default: "main" },
    port: { type: "string", default: "0" }
  }
}).values

const file = fileURLToPath(import.meta.url)
const rounds = Number(args.rounds)
const messageBytes = 100

const Order = Schema.Struct({
  id: Schema.Int,
  customer: Schema.String,
  item: Schema.String,
  amount: Schema.Finite,
  urgent: Schema.Boolean
})
type Order = typeof Order.Type

const order: Order = {
  id: 4711,
  customer: "a customer of some name",
  item: "an item of this shop",
  amount: 12.5,
  urgent: false
}

const channels = {
  bytes: Channel.fromCodec<Uint8Array>("bytes", Codec.bytes),
  binary: Channel.make("binary", Order),
  json: Channel.make("json", Order, Codec.json),
  oneWay: Channel.fromCodec<Uint8Array>("one-way", Codec.bytes)
}

// --------------------------------------------------------------------------------------------------------- measuring

type Run = () => Promise<number>

interface Compared {
  readonly floor: number
  readonly troupe: number
  /** The median of the rounds' ratios, troupe to floor. */
  readonly ratio: number
}

const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const compare = async (floor: Run, troupe: Run): Promise<Compared> => {
  await floor()
  await troupe()
  const floors: Array<number> = []
  const troupes: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    floors.push(await floor())
    troupes.push(await troupe())
  }
  return {
    floor: median(floors),
    troupe: median(troupes),
    ratio: median(troupes.map((value, round) => value / floors[round]!))
  }
}

/** Times a second that something which happened `count` times since `start` happens. */
const rate = (count: number, start: number): number => (count / (performance.now() - start)) * 1000

// ------------------------------------------------------------------------------------------------------------ memory

const memoryFloor: Run = () => {
  const count = 2_000_000
  const queue: Array<(message: number) => void> = []
  let left = count
  const pong = (): void => void queue.push(ping)
  const ping = (): void => {
    if (--left > 0) queue.push(pong)
  }
  const start = performance.now()
  queue.push(pong)
  for (let at = 0; at < queue.length; at++) {
    queue[at]!(at)
    if (at === 4096) {
      queue.splice(0, at + 1)
      at = -1
    }
  }
  return Promise.resolve(rate(count, start))
}

const memoryTroupe: Run = () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const count = 1_000_000
        const network = Memory.network({ nodes: ["n1", "n2"] })
        const a = yield* Memory.connect(network, "n1")
        const b = yield* Memory.connect(network, "n2")
        const channel = Channel.make("ping", Schema.Int)
        const back: Send<number> = yield* b.open(channel, (from, message) => back(from, message))
        let left = count
        let done = (): void => {}
        const there = yield* a.open(channel, (from, message) => {
          if (--left > 0) there(from, message)
          else done()
        })
        const start = performance.now()
        yield* Effect.promise(
          () =>
            new Promise<void>((resolve) => {
              done = resolve
              there("n2", 1)
            })
        )
        return rate(count, start)
      })
    )
  )

// --------------------------------------------------------------------------------------------------------- tcp floor

/** Calls `onFrame` for every message; then `onBatch`, once for what arrived together. */
const frames = (
  socket: Net.Socket,
  onFrame: (chunk: Buffer, start: number, end: number) => void,
  onBatch: () => void
): void => {
  let rest: Buffer | undefined
  socket.on("data", (data: Buffer) => {
    const chunk = rest === undefined ? data : Buffer.concat([rest, data])
    let at = 0
    while (chunk.length - at >= 4) {
      const end = at + 4 + chunk.readUInt32BE(at)
      if (end > chunk.length) break
      onFrame(chunk, at + 4, end)
      at = end
    }
    rest = at < chunk.length ? chunk.subarray(at) : undefined
    onBatch()
  })
}

/** Frames that leave together. */
class Batch {
  private buffer = Buffer.allocUnsafe(256 * 1024)
  private length = 0
  private readonly socket: Net.Socket

  constructor(socket: Net.Socket) {
    this.socket = socket
  }

  add(source: Uint8Array, start: number, end: number): void {
    const count = end - start
    if (this.length + 4 + count > this.buffer.length) this.write()
    this.buffer.writeUInt32BE(count, this.length)
    this.buffer.set(start === 0 && end === source.length ? source : source.subarray(start, end), this.length + 4)
    this.length += 4 + count
  }

  write(): void {
    if (this.length === 0) return
    const full = this.buffer.subarray(0, this.length)
    // The socket owns what it has been given.
    this.buffer = this.buffer.subarray(this.length)
    this.length = 0
    if (this.buffer.length < 64 * 1024) this.buffer = Buffer.allocUnsafe(256 * 1024)
    this.socket.write(full)
  }
}

const ackEvery = 1000
const windowMessages = 20_000
const ack = new Uint8Array([1])

const floorServer = (): Net.Server =>
  Net.createServer((socket) => {
    socket.setNoDelay(true)
    const batch = new Batch(socket)
    let oneWay = 0
    frames(
      socket,
      (chunk, start, end) => {
        // The first byte tells an echo from a message that goes one way.
        if (chunk[start] === 0) batch.add(chunk, start, end)
        else if (++oneWay % ackEvery === 0) batch.add(ack, 0, 1)
      },
      () => batch.write()
    )
    socket.on("error", () => {})
  })

interface Client {
  /** Keeps `depth` messages in flight until `count` came back. */
  readonly echo: (depth: number, count: number) => Promise<number>
  /** Sends `count` messages; times until the last is acknowledged. */
  readonly oneWay: (count: number) => Promise<number>
}

/** The flow of a run, the same for the floor and for the transport. */
class Flow {
  private left = 0
  private toSend = 0
  private resolve: () => void = () => {}

  run(depth: number, count: number, send: () => void): Promise<number> {
    const start = performance.now()
    this.left = count
    this.toSend = count
    return new Promise<void>((resolve) => {
      this.resolve = resolve
      for (let i = 0; i < depth; i++, this.toSend--) send()
    }).then(() => rate(count, start))
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

const floorClient = async (port: number): Promise<Client> => {
  const socket = Net.connect(port, "127.0.0.1")
  socket.setNoDelay(true)
  await once(socket, "connect")
  const batch = new Batch(socket)
  const echo = new Uint8Array(messageBytes)
  const away = new Uint8Array(messageBytes).fill(1)
  const flow = new Flow()
  frames(
    socket,
    (chunk, start) => {
      const one = chunk[start] === 0
      for (let next = flow.made(one ? 1 : ackEvery); next > 0; next--) batch.add(one ? echo : away, 0, messageBytes)
    },
    () => batch.write()
  )
  const run = (depth: number, count: number, message: Uint8Array): Promise<number> => {
    const done = flow.run(depth, count, () => batch.add(message, 0, messageBytes))
    batch.write()
    return done
  }
  return { echo: (depth, count) => run(depth, count, echo), oneWay: (count) => run(windowMessages, count, away) }
}

// -------------------------------------------------------------------------------------------------------- tcp troupe

const troupeServer = Effect.gen(function* () {
  const node = yield* Tcp.make({ self: "server", listen: "127.0.0.1:0", peers: { client: null } })
  for (const channel of [channels.bytes, channels.binary, channels.json] as ReadonlyArray<Channel.Channel<any>>) {
    const send: Send<any> = yield* node.open(channel, (from, message) => send(from, message))
  }
  let received = 0
  const acknowledge: Send<Uint8Array> = yield* node.open(channels.oneWay, (from) => {
    if (++received % ackEvery === 0) acknowledge(from, ack)
  })
  return node.address.port
})

const troupeClient = Effect.fnUntraced(function* (port: number) {
  const node = yield* Tcp.make({ self: "client", listen: "127.0.0.1:0", peers: { server: `127.0.0.1:${port}` } })
  const client = Effect.fnUntraced(function* <A>(channel: Channel.Channel<A>, message: A, step: number) {
    const flow = new Flow()
    const send: Send<A> = yield* node.open(channel, () => {
      for (let next = flow.made(step); next > 0; next--) send("server", message)
    })
    return (depth: number, count: number) => flow.run(depth, count, () => send("server", message))
  })
  yield* node.awaitUp("server")
  const payload = new Uint8Array(messageBytes)
  const bytes = yield* client(channels.bytes, payload, 1)
  const binary = yield* client(channels.binary, order, 1)
  const json = yield* client(channels.json, order, 1)
  const oneWay = yield* client(channels.oneWay, payload, ackEvery)
  return {
    bytes: { echo: bytes, oneWay: (count: number) => oneWay(windowMessages, count) },
    binary: { echo: binary },
    json: { echo: json }
  }
})

/** The other process: serves the floor and the transport, and says where. */
const serve = Effect.gen(function* () {
  const server = floorServer()
  yield* Effect.promise(() => once(server.listen(0, "127.0.0.1"), "listening"))
  const port = yield* troupeServer
  console.log(JSON.stringify({ floor: (server.address() as Net.AddressInfo).port, troupe: port }))
  yield* Effect.promise(() => once(process.stdin.resume(), "end"))
  process.exit(0)
})

/** One process of the pair: starts the other and measures. */
const measure = Effect.gen(function* () {
  const other = spawn(process.execPath, [...process.execArgv, file, "--role", "serve"], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  const line = yield* Effect.promise(() => once(createInterface(other.stdout), "line"))
  const ports = JSON.parse(line[0]) as { readonly floor: number; readonly troupe: number }
  const floor = yield* Effect.promise(() => floorClient(ports.floor))
  const { binary, bytes, json } = yield* troupeClient(ports.troupe)
  const figures = yield* Effect.promise(async () => ({
    depth1: await compare(
      () => floor.echo(1, 5000),
      () => bytes.echo(1, 5000)
    ),
    depth100: await compare(
      () => floor.echo(100, 100_000),
      () => bytes.echo(100, 100_000)
    ),
    oneWay: await compare(
      () => floor.oneWay(400_000),
      () => bytes.oneWay(400_000)
    ),
    binaryDepth100: await compare(
      () => floor.echo(100, 50_000),
      () => binary.echo(100, 50_000)
    ),
    jsonDepth100: await compare(
      () => floor.echo(100, 50_000),
      () => json.echo(100, 50_000)
    )
  }))
  console.log(JSON.stringify(figures))
  process.exit(0)
})

// -------------------------------------------------------------------------------------------------------------- main

type Figures = Readonly<Record<string, Compared>>

const measureIn = async (prefix: ReadonlyArray<string>): Promise<Figures> => {
  const command = [...prefix, process.execPath, ...process.execArgv, file, "--role", "measure", "--rounds", `${rounds}`]
  const child = spawn(command[0]!, command.slice(1), { stdio: ["ignore", "pipe", "inherit"] })
  const [line] = await once(createInterface(child.stdout), "line")
  return JSON.parse(line) as Figures
}

const main = async (): Promise<void> => {
  const canPin = process.platform === "linux" && spawnSync("taskset", ["-c", "0", "true"]).status === 0
  const memory = await compare(memoryFloor, memoryTroupe)
  const free = await measureIn([])
  const pinned = canPin ? await measureIn(["taskset", "-c", "0"]) : undefined
  const report = {
    node: process.version,
    messageBytes,
    rounds,
    unit: "round trips or messages a second",
    memory: { pingPong: memory, goal: "at least 2,000,000 round trips/s" },
    tcp: { free, pinned, goals: { depth1: "at least 0.87 (1.15 times the time)", depth100: 0.6, oneWay: 0.5 } }
  }
  if (args.json) return console.log(JSON.stringify(report))
  const row = (name: string, { floor, ratio, troupe }: Compared) => ({
    name,
    floor: Math.round(floor),
    troupe: Math.round(troupe),
    ratio: Number(ratio.toFixed(2))
  })
  console.table([
    row("memory ping-pong", memory),
    ...Object.entries(free).map(([name, compared]) => row(`tcp ${name}`, compared)),
    ...Object.entries(pinned ?? {}).map(([name, compared]) => row(`tcp ${name}, one core`, compared))
  ])
}

if (args.role === "serve") await Effect.runPromise(Effect.scoped(serve))
else if (args.role === "measure") await Effect.runPromise(Effect.scoped(measure))
else await main()
