/** A server over a single copy, and a raw socket to talk to it with; a whole cluster. */
import { Single } from "@troupe/replication"
import * as Disk from "@troupe/storage/Disk"
import { Memory } from "@troupe/transport"
import { Context, Effect, Exit, Layer, Logger, Scope } from "effect"
import { mkdtempSync } from "node:fs"
import { rm } from "node:fs/promises"
import { connect, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Cluster from "../src/Cluster.ts"
import * as Node from "../src/Node.ts"
import * as Server from "../src/server/Server.ts"
import type { ServerFailed, Settings } from "../src/server/Settings.ts"
import { Store } from "../src/Store.ts"

export const single = Single.layer(Store, { self: "n1" })

export const quiet = Logger.layer([])

/** A server on a free port. */
export const serve = (
  options: Partial<Settings> = {},
  store: Layer.Layer<Store> = Layer.orDie(single)
): Effect.Effect<Server.Server, ServerFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Layer.build(Layer.merge(store, quiet))
    return yield* Effect.provide(
      Effect.suspend(() => Server.make(Context.get(context, Store), { port: 0, ...options })),
      context
    )
  })

/** What the server sends, byte for byte, a character each. */
export interface Talk {
  readonly socket: Socket
  readonly send: (text: string) => void
  /** Waits until so many bytes have come since the last time. */
  readonly read: (bytes: number) => Promise<string>
  /** Waits until the server has ended it, and gives what it said before. */
  readonly rest: () => Promise<string>
}

export const talk = async (port: number): Promise<Talk> => {
  const socket = connect({ port, host: "127.0.0.1" })
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject))
  let heard = ""
  let isOver = false
  let wake = (): void => {}
  socket.on("data", (chunk) => {
    heard += chunk.toString("latin1")
    wake()
  })
  const over = (): void => {
    isOver = true
    wake()
  }
  socket.on("end", over).on("close", over).on("error", over)
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds() && !isOver) await new Promise<void>((resolve) => (wake = resolve))
  }
  const take = (count: number): string => {
    const taken = heard.slice(0, count)
    heard = heard.slice(count)
    return taken
  }
  return {
    socket,
    send: (text) => socket.write(text, "latin1"),
    read: async (bytes) => {
      await until(() => heard.length >= bytes)
      return take(bytes)
    },
    rest: async () => {
      await until(() => false)
      return take(heard.length)
    }
  }
}

/** A command as clients write it. */
export const command = (...words: ReadonlyArray<string>): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`

/** Runs with a server, and stops it. */
export const withServer = <A>(
  use: (server: Server.Server) => Promise<A>,
  options: Partial<Settings> = {},
  store?: Layer.Layer<Store>
): Promise<A> =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(serve(options, store), (server) => Effect.promise(() => use(server)))))

export interface Started {
  readonly nodes: ReadonlyArray<Node.Node>
  readonly stop: () => Promise<void>
  readonly directory: string | undefined
  /** Starts the first node's store on its directory as somebody else's. */
  readonly startAs: (own: Parameters<typeof Node.layer>[0]) => Effect.Effect<unknown, Error>
  readonly remove: () => Promise<void>
}

/** A whole cluster on free ports, ready. */
export const startCluster = async (options: {
  readonly nodes: number
  readonly transport: "memory" | "tcp"
  readonly onDisk?: boolean
  readonly directory?: string
  readonly replication?: Node.Replication
}): Promise<Started> => {
  const scope = Scope.makeUnsafe()
  const directory = options.directory ?? (options.onDisk ? mkdtempSync(join(tmpdir(), "kv-")) : undefined)
  const { nodes, replication = "passive", transport } = options
  const data = directory === undefined ? {} : { data: directory }
  const started = await Effect.runPromise(
    Cluster.start({ replication, transport, nodes, port: 0, ...data }).pipe(Scope.provide(scope), Effect.provide(quiet))
  )
  return {
    nodes: started,
    directory,
    stop: () => Effect.runPromise(Scope.close(scope, Exit.void)),
    startAs: (own) => {
      const network = Memory.network({ nodes: [own.node] })
      const world = Layer.merge(Memory.layer(network, own.node), Disk.layer({ directory: join(directory!, own.node) }))
      return Effect.scoped(Layer.build(Layer.provide(Node.layer(own), world)))
    },
    remove: () => rm(directory!, { recursive: true })
  }
}
