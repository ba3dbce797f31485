/** What a node adds to a store whose keys are replicated apart: what concerns all of them. */
import type { Replicated } from "@troupe/replication"
import { Effect } from "effect"
import { run } from "./commands/all.ts"
import * as Facts from "./Facts.ts"
import * as Reply from "./Reply.ts"
import type { Request, Response, Step } from "./Request.ts"
import { View } from "./View.ts"

type Store = Replicated.Replicated<Request, Response>

/** Keys that are removed together. */
const page = 1000

/** Serves `FLUSHDB`: each key that this node's copy has is removed, as by a `DEL`. */
export const flushing = (store: Store): Store => ({
  ...store,
  invoke: (request, options) => {
    const [first] = request.steps
    return first?._tag === "Run" && first.words[0] === "FLUSHDB"
      ? Effect.map(flush(store, first.words), (reply) => [reply])
      : store.invoke(request, options)
  }
})

const flush = (store: Store, words: ReadonlyArray<string>): Effect.Effect<Reply.Reply, Replicated.InvokeError> =>
  Effect.gen(function* () {
    const reply = run(new View(Facts.init, { now: 0, random: () => 0 }), words)
    if (reply._tag === "Failure") return reply
    let cursor = "0"
    do {
      const [found] = yield* store.invoke({ steps: [step("SCAN", cursor, "COUNT", String(page))] }, { read: "local" })
      const [next, keys] = found?._tag === "Multiple" ? found.items : []
      if (next?._tag !== "Bulk" || keys?._tag !== "Multiple") return found ?? Reply.syntaxError
      const names = keys.items.flatMap((key) => (key._tag === "Bulk" ? [key.bytes] : []))
      if (names.length > 0) yield* store.invoke({ steps: [step("DEL", ...names)] })
      cursor = next.bytes
    } while (cursor !== "0")
    return reply
  })

const step = (...words: ReadonlyArray<string>): Step => ({ _tag: "Run", words })
