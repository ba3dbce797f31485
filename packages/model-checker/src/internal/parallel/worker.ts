/** What a thread of a search runs. */
import { parentPort, workerData } from "node:worker_threads"
import { Check, flawOf } from "../../Checker.ts"
import type { Checkable } from "../../Model.ts"
import { Search, type SearchOptions } from "../Search.ts"
import type { Space } from "../Space.ts"
import { Board } from "./Ground.ts"
import { advance, type Answer, type Given } from "./Hand.ts"
import { Share } from "./Share.ts"
import { build } from "./Source.ts"

const share = (model: Checkable<unknown>, { ground, options, states, width, worker }: Given): Share<unknown> => {
  let made: { readonly space: Space<unknown>; readonly bounds: SearchOptions; readonly prefix: Search<unknown> }
  new Check(model, options, (space, bounds) => {
    const prefix = new Search(space, model.properties, bounds)
    made = { space, bounds, prefix }
    return prefix
  })
  const { bounds, prefix, space } = made!
  while (advance(prefix, 10_000, width));
  if (prefix.visited.size !== states) {
    throw new Error(
      `${model.name} is not deterministic: ${prefix.visited.size} states in one thread, ${states} in another`
    )
  }
  return new Share(worker, new Board(ground), space, model.properties, bounds, prefix)
}

const run = async (given: Given): Promise<Answer> => {
  const model = await build(given.source)
  try {
    const mine = share(model, given)
    mine.run()
    const { thrown } = mine
    return thrown === undefined || !mine.isTold
      ? { _tag: "Done" }
      : { _tag: "Threw", property: thrown.property, index: thrown.index, cause: thrown.cause }
  } catch (error) {
    const flaw = flawOf(model, error)
    if (flaw?._tag === "NotSerialisable") return { _tag: flaw._tag, path: flaw.path, what: flaw.what }
    if (flaw?._tag === "NotSymmetric") return { _tag: flaw._tag, nodes: flaw.nodes, reason: flaw.reason }
    throw error
  }
}

const answer = await run(workerData as Given)
try {
  parentPort!.postMessage(answer)
} catch {
  // What was thrown cannot be handed over as it is.
  parentPort!.postMessage({ ...answer, ...("cause" in answer ? { cause: String(answer.cause) } : {}) })
}
