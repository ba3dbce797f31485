/**
 * Actors of other nodes that are watched from here, and actors here that are watched from there. A watch is said again every
 * so often, and when a link comes up: so neither a lost message nor a node that is back at once leaves it unanswered.
 */
import type { NodeId } from "@troupe/transport"
import { Cause, Duration, Effect, type Fiber } from "effect"
import type { Reason } from "../../ActorRef.ts"
import type { Cell } from "./Cell.ts"
import type { Target } from "./frames.ts"
import type { Remote } from "./Remote.ts"
import type { RemoteRef } from "./RemoteRef.ts"

interface Watching {
  readonly node: NodeId.NodeId
  /** Of one by its path: who was found there, from the first answer on. */
  target: Target
  readonly told: (reason: Reason) => void
}

interface Watched {
  readonly cell: Cell
  readonly told: (reason: Reason) => void
}

/** Of one life of a node. */
interface Watchers {
  readonly life: number
  readonly watched: Map<number, Watched>
}

const againMillis = 10_000

export class Watches {
  private readonly remote: Remote
  private lastId = 0
  private readonly watching = new Map<number, Watching>()
  private readonly watchers = new Map<NodeId.NodeId, Watchers>()
  private sleeper: Fiber.Fiber<void> | undefined = undefined

  constructor(remote: Remote) {
    this.remote = remote
  }

  // -------------------------------------------------------------------------------------------------- who watches here

  /** Returns how not to be told. */
  watch({ node, target }: RemoteRef, told: (reason: Reason) => void): () => void {
    const id = ++this.lastId
    this.watching.set(id, { node, target, told })
    this.remote.send(node, { kind: "Watch", id, target })
    this.sleepOn()
    return () => {
      if (this.forget(id) !== undefined) this.remote.send(node, { kind: "Unwatch", id })
    }
  }

  /** Who was found at the path that is watched. */
  found(id: number, target: Target): void {
    const watching = this.watching.get(id)
    if (watching !== undefined) watching.target = target
  }

  ended(id: number, failure: string): void {
    this.forget(id)?.told(failure === "" ? { _tag: "Stopped" } : { _tag: "Failed", cause: Cause.fail(failure) })
  }

  private forget(id: number): Watching | undefined {
    const watching = this.watching.get(id)
    this.watching.delete(id)
    if (this.watching.size === 0) {
      this.sleeper?.interruptUnsafe()
      this.sleeper = undefined
    }
    return watching
  }

  private sleepOn(): void {
    if (this.sleeper !== undefined || this.watching.size === 0) return
    const { clock, fork } = this.remote.system
    this.sleeper = fork(
      Effect.andThen(
        clock.sleep(Duration.millis(againMillis)),
        Effect.sync(() => {
          this.sleeper = undefined
          this.again()
          this.sleepOn()
        })
      )
    )
  }

  /** Says once more who is watched, at all nodes or at one. */
  again(node?: NodeId.NodeId): void {
    for (const [id, { node: other, target }] of this.watching) {
      if (node === undefined || node === other) this.remote.send(other, { kind: "Watch", id, target })
    }
  }

  // --------------------------------------------------------------------------------------------- who is watched here

  onWatch(from: NodeId.NodeId, life: number, id: number, target: Target): void {
    const watched = this.watchedOf(from, life)
    const cell = watched.get(id)?.cell ?? this.remote.find(target)
    if (cell === undefined) return void this.remote.reply(from, life, { kind: "Ended", id, failure: "" })
    if (target.serial === 0) this.remote.reply(from, life, { kind: "Found", id, target: this.remote.export(cell) })
    if (watched.has(id)) return
    const told = (reason: Reason): void => {
      watched.delete(id)
      const failure = reason._tag === "Failed" ? String(Cause.squash(reason.cause)) || "it failed" : ""
      this.remote.reply(from, life, { kind: "Ended", id, failure })
    }
    watched.set(id, { cell, told })
    cell.onEnd(told)
  }

  onUnwatch(from: NodeId.NodeId, life: number, id: number): void {
    const watched = this.watchedOf(from, life)
    const found = watched.get(id)
    watched.delete(id)
    found?.cell.untold(found.told)
  }

  /** Those of a life before are nobody's any more. */
  private watchedOf(from: NodeId.NodeId, life: number): Map<number, Watched> {
    const watchers = this.watchers.get(from)
    if (watchers?.life === life) return watchers.watched
    this.forgetWatchers(from)
    const watched = new Map<number, Watched>()
    this.watchers.set(from, { life, watched })
    return watched
  }

  private forgetWatchers(node: NodeId.NodeId): void {
    for (const { cell, told } of this.watchers.get(node)?.watched.values() ?? []) cell.untold(told)
    this.watchers.delete(node)
  }

  // ------------------------------------------------------------------------------------------------------------- down

  /** The node may live, and is then to forget who watches there. */
  down(node: NodeId.NodeId): void {
    for (const [id, { node: other, told }] of [...this.watching]) {
      if (other !== node) continue
      this.forget(id)
      this.remote.send(node, { kind: "Unwatch", id })
      told({ _tag: "Unreachable", node })
    }
    this.forgetWatchers(node)
  }
}
