import { ActorSystem } from "@troupe/actor"
import { Effect } from "effect"
import { Adder, adder, asking, onNode } from "../asking.ts"
import type { Connection, RemotePeer } from "./RemotePeer.ts"

/** A node that lives as long as its process. Resolves with what it begins with. */
const node = <A>(
  self: string,
  peers: Readonly<Record<string, string | null>>,
  begin: (port: number, awaitUp: (peer: string) => Effect.Effect<void>) => Effect.Effect<A, unknown, any>
): Promise<A> =>
  new Promise((resolve, reject) => {
    onNode(self, peers, ({ address, awaitUp }) =>
      Effect.andThen(
        Effect.tap(begin(address.port, awaitUp), (begun) => Effect.sync(() => resolve(begun))),
        Effect.never
      )
    ).catch(reject)
  })

export const troupe: RemotePeer = {
  note: "At most once, in order; typed messages, checked on both sides; a time limit a question; a supervised actor.",
  answer: () => node("there", { here: null }, (port) => Effect.as(ActorSystem.spawn(adder, { name: "adder" }), port)),
  connect: (port: number): Promise<Connection> =>
    node("here", { there: `127.0.0.1:${port}` }, (_, awaitUp) =>
      Effect.gen(function* () {
        yield* awaitUp("there")
        const ref = yield* (yield* ActorSystem.ActorSystem).at(Adder, "adder", "there")
        return { ask: (depth, count) => Effect.runPromise(asking(ref, depth, count)) }
      })
    )
}
