/** The wires between nodes on the loopback interface, which can be cut: each connection goes through a relay. */
import { Effect, type Scope } from "effect"
import * as Net from "node:net"

export interface Wires {
  /** Where `from` dials to reach `to`, of which only the port is known. */
  readonly dial: (from: string, to: string, port: number) => Effect.Effect<string>
  /** Cuts every connection between `node` and the others, and refuses new ones, until `mend`. */
  readonly cut: (node: string) => Effect.Effect<void>
  readonly mend: Effect.Effect<void>
}

/** Relays that live as long as the scope. */
export const make: Effect.Effect<Wires, never, Scope.Scope> = Effect.gen(function* () {
  const servers: Array<Net.Server> = []
  const connections = new Map<Net.Socket, readonly [string, string]>()
  let alone: string | undefined
  const isCut = (ends: readonly [string, string]): boolean => alone !== undefined && ends.includes(alone)
  const destroy = (which: (ends: readonly [string, string]) => boolean): void => {
    for (const [socket, ends] of connections) if (which(ends)) socket.destroy()
  }

  const relay = (ends: readonly [string, string], port: number) =>
    Net.createServer((near) => {
      if (isCut(ends)) {
        near.destroy()
        return
      }
      const far = Net.connect(port, "127.0.0.1")
      for (const [socket, other] of [
        [near, far],
        [far, near]
      ] as const) {
        connections.set(socket, ends)
        socket.setNoDelay(true)
        socket.on("error", () => {})
        socket.on("close", () => {
          connections.delete(socket)
          other.destroy()
        })
        socket.pipe(other)
      }
    })

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const server of servers) server.close()
      destroy(() => true)
    })
  )
  return {
    dial: (from, to, port) =>
      Effect.callback((resume) => {
        const server = relay([from, to], port)
        servers.push(server)
        server.listen(0, "127.0.0.1", () =>
          resume(Effect.succeed(`127.0.0.1:${(server.address() as Net.AddressInfo).port}`))
        )
      }),
    cut: (node) =>
      Effect.sync(() => {
        alone = node
        destroy(isCut)
      }),
    mend: Effect.sync(() => {
      alone = undefined
    })
  }
})
