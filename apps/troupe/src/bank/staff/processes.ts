/** Tellers that are operating system processes, over TCP on the loopback interface. */
import * as Tcp from "@troupe/transport/Tcp"
import { Deferred, Effect, Layer, Schema } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import * as Net from "node:net"
import { Staff, StaffFailed } from "../Bank.ts"
import type { Crew } from "../Crew.ts"
import { bankNode } from "../Office.ts"

/** What a teller's process is told, as its argument. */
export const Assignment = Schema.fromJsonString(
  Schema.Struct({
    self: Schema.String,
    tellers: Schema.Array(Schema.String),
    addresses: Schema.Record(Schema.String, Schema.String),
    crew: Schema.Struct({ mutex: Schema.String, election: Schema.String })
  })
)

/** What a teller's process runs: a source when this is one. */
const isSource = import.meta.url.endsWith(".ts")
const script = new URL(isSource ? "process.ts" : "process.js", import.meta.url)

/** The bank's own transport, and its staff. */
export const layer = (tellers: ReadonlyArray<string>, crew: Crew) =>
  Layer.unwrap(
    Effect.map(addressesOf([...tellers, bankNode]), (addresses) =>
      Layer.merge(
        Tcp.layer({ self: bankNode, listen: addresses[bankNode]!, peers: addresses, cluster: "bank" }),
        staff(tellers, addresses, crew)
      )
    )
  )

const staff = (tellers: ReadonlyArray<string>, addresses: Readonly<Record<string, string>>, crew: Crew) =>
  Layer.effect(
    Staff,
    Effect.gen(function* () {
      const running = new Map<string, ChildProcess>()
      const failed = yield* Deferred.make<never, StaffFailed>()
      yield* Effect.addFinalizer(() => Effect.sync(() => running.forEach((child) => child.kill("SIGKILL"))))
      return {
        tellers,
        start: (name) =>
          Effect.sync(() => {
            const assignment = Schema.encodeSync(Assignment)({ self: name, tellers, addresses, crew })
            const child = fork(script, [assignment], {
              execArgv: isSource ? ["--conditions=@troupe/source"] : [],
              stdio: ["ignore", "inherit", "inherit", "ipc"]
            })
            running.set(name, child)
            const fail = (reason: string): void => {
              // One that is not ours any more was killed, or taken down at the end.
              if (running.get(name) !== child) return
              Deferred.doneUnsafe(failed, Effect.fail(new StaffFailed({ teller: name, reason })))
            }
            child.on("error", (error) => fail(error.message))
            child.on("exit", (code, signal) => fail(`its process ended, ${signal ?? `exit code ${code}`}`))
          }),
        kill: (name) =>
          Effect.callback<void>((resume) => {
            const child = running.get(name)!
            running.delete(name)
            child.once("exit", () => resume(Effect.void))
            child.kill("SIGKILL")
          }),
        failed: Deferred.await(failed)
      }
    })
  )

/**
 * A free loopback port for each name, held until all are found. None is of the range that the system hands to outgoing
 * connections: a teller that is down for a while finds its port free.
 */
const addressesOf = (names: ReadonlyArray<string>): Effect.Effect<Readonly<Record<string, string>>> =>
  Effect.promise(async () => {
    const held: Array<Net.Server> = []
    const addresses: Record<string, string> = {}
    let port = 10_000 + ((process.pid * 16) % 20_000)
    for (const name of names) {
      let server: Net.Server | undefined
      while (server === undefined) server = await listening(++port)
      held.push(server)
      addresses[name] = `127.0.0.1:${port}`
    }
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))))
    return addresses
  })

const listening = (port: number): Promise<Net.Server | undefined> =>
  new Promise((resolve) => {
    const server = Net.createServer()
    server.once("error", () => resolve(undefined))
    server.listen(port, "127.0.0.1", () => resolve(server))
  })
