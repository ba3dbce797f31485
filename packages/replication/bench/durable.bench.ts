/**
 * Updates a second through passive replication over TCP, three processes, each with a disk that syncs before it acknowledges;
 * asked for at the primary's process, with 64 open and with one. The floor is a log on the same disk in the same process, without replication.
 *
 *     node --conditions=@troupe/source packages/replication/bench/durable.bench.ts [--json]
 */
import { type Machine, Passive, Replicated } from "@troupe/replication"
import { Storage } from "@troupe/storage"
import * as Disk from "@troupe/storage/Disk"
import * as Tcp from "@troupe/transport/Tcp"
import { Context, Effect, Layer, Schema } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const nodes = ["n1", "n2", "n3"]

/** A text that is replaced: 100 bytes an update. */
const register: Machine.Machine<string, string, string, number> = {
  name: "text",
  init: "",
  request: Schema.String,
  update: Schema.String,
  response: Schema.Int,
  isRead: (text) => text === "",
  execute: (state, text) => ({
    response: text === "" ? state.length : text.length,
    updates: text === "" ? [] : [text]
  }),
  apply: (_state, text) => text,
  dump: (state) => [state]
}

class Text extends Replicated.Service<Text>()("bench/Text", register) {}

/** So many requests, each of so many clients with one open: how many a second, and the times of each in milliseconds. */
const load = (service: Replicated.Replicated<string, number>, request: string, count: number, clients: number) =>
  Effect.gen(function* () {
    const times: Array<number> = []
    let left = count
    const client = Effect.gen(function* () {
      while (left-- > 0) {
        const begun = performance.now()
        yield* service.invoke(request)
        times.push(performance.now() - begun)
      }
    })
    const start = performance.now()
    yield* Effect.all(
      Array.from({ length: clients }, () => client),
      { concurrency: "unbounded", discard: true }
    )
    const perSecond = Math.round((count / (performance.now() - start)) * 1000)
    times.sort((a, b) => a - b)
    const at = (part: number): number => Number(times[Math.floor(part * (times.length - 1))]!.toFixed(2))
    return { perSecond, medianMillis: at(0.5), p99Millis: at(0.99) }
  })

const replica = (self: string, ports: ReadonlyArray<number>, directory: string) =>
  Effect.gen(function* () {
    const address = (port: number): string => `127.0.0.1:${port}`
    const peers = Object.fromEntries(nodes.flatMap((node, i) => (node === self ? [] : [[node, address(ports[i]!)]])))
    const context = yield* Layer.build(
      Passive.layer(Text).pipe(
        Layer.provide(Tcp.layer({ self, listen: address(ports[nodes.indexOf(self)]!), peers })),
        Layer.provideMerge(Disk.layer({ directory: join(directory, self) }))
      )
    )
    const service = Context.get(context, Text)
    if (self !== nodes[0]) return yield* Effect.never
    const update = "x".repeat(100)
    yield* Effect.retry(service.invoke(update), { times: 20 })
    yield* load(service, update, 5_000, 64)
    const log = yield* Effect.provide(
      Effect.flatMap(Storage, (storage) => storage.log("floor")),
      context
    )
    const bytes = new Uint8Array(150)
    const floor: Replicated.Replicated<string, number> = {
      ...service,
      invoke: () => Effect.suspend(() => (log.append(bytes), Effect.as(Effect.orDie(log.flushed), 1)))
    }
    const results = [
      { name: "floor: appended and synced at one node, 64 open", ...(yield* load(floor, update, 30_000, 64)) },
      { name: "floor: appended and synced at one node, one open", ...(yield* load(floor, update, 1_000, 1)) },
      { name: "updates, 64 open", ...(yield* load(service, update, 30_000, 64)) },
      { name: "updates, one open", ...(yield* load(service, update, 1_000, 1)) },
      { name: "linearizable reads, 64 open", ...(yield* load(service, "", 30_000, 64)) }
    ]
    process.send!(results)
    return yield* Effect.never
  })

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number }
      server.close(() => resolve(port))
    })
  })

const [self, ports, directory] = process.argv.slice(2)
if (process.send !== undefined) {
  await Effect.runPromise(Effect.scoped(replica(self!, JSON.parse(ports!) as ReadonlyArray<number>, directory!)))
} else {
  const { json } = parseArgs({ options: { json: { type: "boolean", default: false } }, strict: false }).values
  const free = JSON.stringify(await Promise.all(nodes.map(freePort)))
  const root = mkdtempSync(join(tmpdir(), "troupe-replication-"))
  const children = nodes.map((node): ChildProcess => fork(fileURLToPath(import.meta.url), [node, free, root]))
  const results = await new Promise((resolve) => children[0]!.once("message", resolve))
  for (const child of children) child.kill()
  rmSync(root, { recursive: true, force: true })
  if (json === true) console.log(JSON.stringify(results))
  else console.table(results)
}
