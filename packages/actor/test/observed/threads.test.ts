/** Spans in threads of a server: below the one of the question, as where there are no threads. */
import * as NodeWorker from "@effect/platform-node/NodeWorker"
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Server } from "@troupe/actor"
import { Effect } from "effect"
import { Worker } from "node:worker_threads"
import { Desk, handlers } from "./desk.ts"
import { watched } from "./recorded.ts"

const spawn = (): Worker =>
  new Worker(new URL("./desk.worker.ts", import.meta.url), { execArgv: ["--conditions=@troupe/source"] })

const behaviors = {
  "this thread": Server.make(Desk, { on: handlers }),
  "a thread of its own": Server.make(Desk, { dispatcher: Server.multiThreaded({ threads: 1, spawn }) })
}

describe.each(Object.keys(behaviors) as Array<keyof typeof behaviors>)("a handler that runs in %s", (where) => {
  it.live("begins its spans below that of its question, if that is traced; otherwise they are not either", () =>
    watched({ sample: 1 }, (spans) =>
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(behaviors[where])
        const asking = ref.ask({ _tag: "Sign" }, { timeout: Infinity })
        const traced = yield* asking
        const { spanId, traceId } = spans.find(({ kind }) => kind === "server")!
        expect(traced).toEqual({ trace: traceId, parent: spanId, isSampled: true })
        expect(yield* Effect.withSpan(asking, "asking", { sampled: false })).toMatchObject({ isSampled: false })
      }).pipe(Effect.provide(NodeWorker.layerPlatform))
    )
  )
})
