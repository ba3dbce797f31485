/** What is run, and what a world answers: memory, simulated and processes are three of them. */
import type { Trace } from "@troupe/trace"
import type { NodeId } from "@troupe/transport"
import { Effect, Schema } from "effect"
import type { Demonstration } from "../Demonstration.ts"
import type { Tally } from "../Tally.ts"

/** That the holder of the lock, or the leader, is killed. */
export interface Staged {
  /** Whether each node has a failure detector. */
  readonly detector: boolean
}

/** The node that stays inside until it is killed. The lowest has parts to play in some locks. */
export const victimOf = (nodes: ReadonlyArray<NodeId.NodeId>): NodeId.NodeId => nodes.at(-1)!

export interface Run {
  readonly demonstration: Demonstration
  /** In `NodeId.Order`. */
  readonly nodes: ReadonlyArray<NodeId.NodeId>
  readonly entries: number
  readonly seed: number
  /** How long an operation takes, apart from its messages. */
  readonly workMillis: number
  /** Nodes that die for good at a time of the run. Not in one real process: nothing there dies alone. */
  readonly kill?: { readonly nodes: ReadonlyArray<NodeId.NodeId>; readonly afterMillis: number }
  readonly crash?: Staged
  /** Takes each event of a simulated run. */
  readonly trace?: (event: Trace.Event) => void
}

/** A node of the run could not start, died, or fell silent. */
export class NodeFailed extends Schema.TaggedError<NodeFailed>()("NodeFailed", {
  node: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Node "${this.node}" failed: ${this.reason}`
  }
}

/** `n1`, `n2` and so on. */
export const names = (count: number): ReadonlyArray<NodeId.NodeId> =>
  Array.from({ length: count }, (_, index) => `n${index + 1}`)

const stalledAfterMillis = 15_000

/** When all have everything, for so long they tell each other so, and forget what they kept for each other. */
const lingerMillis = 1_000

/** What has not arrived by then, when all else is done, is lost. */
const lostAfterMillis = 500

/**
 * Waits until every node is done and no message is under way. Gives up, and leaves it to the guarantees to say what is
 * missing, when nothing has happened for 15 seconds but what happens in the background. Where messages may be lost, those
 * that don't come are not waited for.
 */
export const settled = (tally: Tally, workMillis: number, mayLose = false): Effect.Effect<void> =>
  Effect.gen(function* () {
    let seen = -1
    let quietMillis = 0
    while (!tally.isOver) {
      if (mayLose && !tally.spreads && tally.isDone && quietMillis > lostAfterMillis) return
      if (quietMillis > stalledAfterMillis + workMillis) {
        const missing = tally.spreads ? "some have not come to all" : "messages are missing"
        const detail = tally.isDone ? missing : "some node waits, and nothing happens any more"
        tally.failures.push({ name: "the run ends", detail })
        return
      }
      yield* Effect.sleep(10)
      quietMillis = tally.progress === seen ? quietMillis + 10 : 0
      seen = tally.progress
    }
    if (tally.spreads) yield* Effect.sleep(lingerMillis)
  })
