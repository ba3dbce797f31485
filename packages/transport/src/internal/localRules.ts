/** The rules that are about one node: no message travels. They hold for every transport. */
import { Effect, Exit, Scope } from "effect"
import { type Case, ignore, Numbers, rule, same, show, within, Words } from "./rules.ts"

export const localRules: ReadonlyArray<Case> = [
  rule("a node knows itself and every other, in the order of NodeId", ["n10", "n9", "n1"], ({ demand, join }) =>
    Effect.gen(function* () {
      const node = yield* join("n9")
      yield* demand(node.self === "n9", `self is "${node.self}"`)
      yield* demand(same(node.nodes, ["n1", "n9", "n10"]), `nodes are ${show(node.nodes)}`)
    })
  ),

  rule("a channel is open once on a node, and free again when it closes", ["n1"], ({ demand, join }) =>
    Effect.gen(function* () {
      const node = yield* join("n1")
      const scope = yield* within
      yield* Scope.provide(node.open(Numbers, ignore), scope)
      const second = yield* Effect.exit(Effect.scoped(node.open(Numbers, ignore)))
      yield* demand(Exit.isFailure(second) && String(second.cause).includes("ChannelInUse"), `opening twice: ${second}`)
      yield* Effect.scoped(node.open(Words, ignore))
      yield* Scope.close(scope, Exit.void)
      yield* node.open(Numbers, ignore)
    })
  ),

  rule("a message to an unknown node is dropped, and told", ["n1"], ({ demand, join, until, watch }) =>
    Effect.gen(function* () {
      const node = yield* join("n1")
      const links = yield* watch(node)
      const send = yield* node.open(Numbers, ignore)
      send("n9", 1)
      const events = yield* until(links, "an event", (items) => items.length > 0)
      const [event] = events
      yield* demand(
        event?._tag === "Dropped" && event.peer === "n9" && event.count === 1 && event.reason === "unknown-node",
        `told ${show(events)}`
      )
    })
  )
]
