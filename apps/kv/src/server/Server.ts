/** The port that Redis clients talk to: listens, takes clients in, and sends them off when it stops. */
import type { Replicated } from "@troupe/replication"
import { Clock, Effect, type Exit, type Scope } from "effect"
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from "node:net"
import { createServer as createTlsServer } from "node:tls"
import type { Request, Response } from "../KeyspaceMachine.ts"
import { Batcher } from "./Batcher.ts"
import { Client, type Service } from "./Client.ts"
import * as Counters from "./Counters.ts"
import { Lines } from "./Lines.ts"
import { perform } from "./perform.ts"
import { Session } from "./Session.ts"
import { defaults, environmentOf, problemOf, ServerFailed, type Settings } from "./Settings.ts"

export interface Server {
  readonly host: string
  readonly port: number
  readonly counters: Readonly<Counters.Counters>
}

/** A server for as long as the scope lives. Closing it answers what was read before, within a bound. */
export const make = (
  replicated: Replicated.Replicated<Request, Response>,
  options: Partial<Settings> = {}
): Effect.Effect<Server, ServerFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const settings = { ...defaults, ...options }
    const problem = problemOf(settings)
    if (problem !== undefined) return yield* new ServerFailed({ reason: problem })
    const clock = yield* Clock.Clock
    const context = yield* Effect.context<never>()
    const fork = Effect.runForkWith(context)
    const run = <A, E>(effect: Effect.Effect<A, E>, onExit: (exit: Exit.Exit<A, E>) => void) => {
      fork(effect).addObserver(onExit)
    }
    const counters = Counters.make()
    const clients = new Set<Client>()
    const service: Service = {
      settings,
      counters,
      batcher: new Batcher(replicated, counters, run, settings),
      now: () => clock.currentTimeMillisUnsafe(),
      perform: perform({
        replicated,
        settings,
        counters,
        startedAt: clock.currentTimeMillisUnsafe(),
        lines: new Lines(),
        run
      }),
      onClosed: (client, why) => {
        clients.delete(client)
        counters.connected = clients.size
        if (why !== undefined)
          fork(Effect.logWarning("a client was closed", { client: client.session.environment.id, why }))
      }
    }
    let isStopping = false
    const accept = (socket: Socket): void => {
      counters.connections++
      if (isStopping || clients.size >= settings.maxClients) {
        counters.rejected++
        socket.on("error", () => {})
        socket.end("-ERR max number of clients reached\r\n")
        return
      }
      clients.add(
        new Client(socket, new Session(environmentOf(settings, replicated.self, counters.connections)), service)
      )
      counters.connected = clients.size
    }
    const listening = yield* Effect.acquireRelease(listen(settings, accept), (listener) =>
      Effect.suspend(() => {
        isStopping = true
        listener.close()
        return drain(clients, settings.drainMillis)
      })
    )
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.andThen(
          Effect.sleep(1000),
          Effect.sync(() => clients.forEach((client) => client.look()))
        )
      )
    )
    const { address, port } = listening.address() as AddressInfo
    yield* Effect.logInfo("listening for Redis clients", { host: address, port, tls: settings.tls !== undefined })
    return { host: address, port, counters }
  })

const listen = (settings: Settings, accept: (socket: Socket) => void): Effect.Effect<NetServer, ServerFailed> =>
  Effect.callback((resume) => {
    let server: NetServer
    try {
      server =
        settings.tls === undefined
          ? createServer({ allowHalfOpen: true }, accept)
          : createTlsServer({ ...settings.tls, handshakeTimeout: handshakeMillis }, accept)
    } catch (error) {
      const reason = `tls: ${(error as Error).message}. Give a certificate and its own key, in PEM`
      return resume(Effect.fail(new ServerFailed({ reason })))
    }
    // Who has not shaken hands yet counts too: beyond this nobody is even told.
    server.maxConnections = settings.maxClients + strangers
    server.once("error", (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === "EADDRINUSE" ? `${settings.host}:${settings.port} is in use. Choose another port` : error.message
      resume(Effect.fail(new ServerFailed({ reason })))
    })
    server.listen(settings.port, settings.host, () => resume(Effect.succeed(server)))
    return Effect.sync(() => server.close())
  })

/** Of TLS: who has not said who it is by then is closed. */
const handshakeMillis = 10_000
/** Connections besides those of clients, which are told that there is no room, or shake hands. */
const strangers = 256

/** How long who has been answered may take to hang up, before it is hung up on: a client that is idle may never. */
const farewellMillis = 200

const drain = (clients: ReadonlySet<Client>, millis: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const client of clients) client.end()
    for (let waited = 0, done = 0; clients.size > 0 && waited < millis && done < farewellMillis; waited += 20) {
      yield* Effect.sleep(20)
      if (Array.from(clients).every((client) => client.isAnswered)) done += 20
    }
    for (const client of clients) client.close(undefined)
  })
