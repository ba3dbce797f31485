/**
 * Actors of other nodes that are watched from here, and actors here that are watched from there. A watch is said again every
 * so often, and when a link comes up: so neither a lost message nor a node that is back at once leaves it unanswered.
 */
import type { NodeId } from "@troupe/transport"
import { Cause, Duration, Effect, type Fiber } from "effect"
import type { Reason } from "../../ActorRef.ts"
import type { Cell } from "./Cell.ts"
import * as Facilities from "./Facilities.ts"
import type { Target } from "./frames.ts"
import type { Remote } from "./Remote.ts"
import type { RemoteRef } from "./RemoteRef.ts"

interface Watching {
  readonly node: NodeId.NodeId
  /** Of one by its path: who was found there, from the first answer on. */
  target: Target
  readonly told: (reason: Reason) => void
  /** Of a link: whom the other one is linked to. */
  readonly by: Target | undefined
  /** How many times it was said again, in turn, and not answered. */
  unanswered: number
}

interface Watched {
  readonly cell: Cell
  readonly by: Target | undefined
  readonly told: (reason: Reason) => void
}

/** Of one life of a node. */
interface Watchers {
  readonly life: number
  readonly watched: Map<number, Watched>
}

const againMillis = 10_000

/** Who asks later how one ended is told that it has stopped. */
const mostFailures = 4_096

/** The latest: who begins to watch at one that was named before these waits until it is named again. */
const mostSilent = 4_096

export class Watches {
  private readonly remote: Remote
  private lastId = 0
  private readonly watching = new Map<number, Watching>()
  /** How many are watched on each node. */
  private readonly counts = new Map<NodeId.NodeId, number>()
  private readonly watchers = new Map<NodeId.NodeId, Watchers>()
  /** Nodes that were taken for dead, and have answered no watch since. */
  private readonly silent = new Set<NodeId.NodeId>()
  /** The latest, by serial numbers. */
  private readonly failures = new Map<number, string>()
  private sleeper: Fiber.Fiber<void> | undefined = undefined

  constructor(remote: Remote) {
    this.remote = remote
  }

  // -------------------------------------------------------------------------------------------------- who watches here

  /** `by`: it is a link, to that actor of this node. Returns how not to be told. */
  watch(
    { node, target }: Pick<RemoteRef, "node" | "target">,
    told: (reason: Reason) => void,
    by?: Target
  ): (how?: "Unwatch" | "Unlink") => void {
    const id = ++this.lastId
    const watching = { node, target, told, by, unanswered: 0 }
    this.watching.set(id, watching)
    this.counts.set(node, this.countOf(node) + 1)
    this.say(id, watching)
    this.sleepOn()
    return (how = "Unwatch") => {
      if (this.forget(id) !== undefined) this.remote.send(node, { kind: how, id })
    }
  }

  private say(id: number, { by, node, target }: Watching): void {
    this.remote.send(node, by === undefined ? { kind: "Watch", id, target } : { kind: "Link", id, target, by })
  }

  private countOf(node: NodeId.NodeId): number {
    return this.counts.get(node) ?? 0
  }

  /** Who is watched, as it was found. */
  found(id: number, target: Target): void {
    const watching = this.watching.get(id)
    if (watching === undefined) return
    watching.target = target
    this.silent.delete(watching.node)
  }

  ended(id: number, failure: string): void {
    const watching = this.forget(id)
    if (watching === undefined) return
    this.silent.delete(watching.node)
    watching.told(failure === "" ? { _tag: "Stopped" } : { _tag: "Failed", cause: Cause.fail(failure) })
  }

  private forget(id: number): Watching | undefined {
    const watching = this.watching.get(id)
    if (watching === undefined) return undefined
    this.watching.delete(id)
    const left = this.countOf(watching.node) - 1
    if (left > 0) this.counts.set(watching.node, left)
    else this.counts.delete(watching.node)
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
          this.giveUp()
          this.again()
          this.sleepOn()
        })
      )
    )
  }

  /** A node that was named before a watch began is not named again: it has had time to answer. */
  private giveUp(): void {
    if (this.silent.size === 0) return
    for (const [id, watching] of [...this.watching]) {
      if (this.silent.has(watching.node) && ++watching.unanswered === 2) this.lost(id, watching)
    }
  }

  /** The node may live, and is then to forget who watches there. */
  private lost(id: number, { node, told }: Watching): void {
    this.forget(id)
    this.remote.send(node, { kind: "Unwatch", id })
    told({ _tag: "Unreachable", node })
  }

  /** Says once more who is watched, at all nodes or at one. */
  again(node?: NodeId.NodeId): void {
    for (const [id, watching] of this.watching) {
      if (node === undefined || node === watching.node) this.say(id, watching)
    }
  }

  // --------------------------------------------------------------------------------------------- who is watched here

  onWatch(from: NodeId.NodeId, life: number, id: number, target: Target, by?: Target): void {
    const watched = this.watchedOf(from, life)
    const cell = watched.get(id)?.cell ?? this.remote.find(target)
    if (cell === undefined) {
      return void this.remote.reply(from, life, {
        kind: "Ended",
        id,
        failure: this.failureOf(target, by !== undefined)
      })
    }
    this.remote.reply(from, life, { kind: "Found", id, target: this.remote.export(cell) })
    if (watched.has(id)) return
    const { limit } = this.remote
    if (watched.size >= limit || (by !== undefined && this.countOf(from) >= limit)) {
      const failure = `${limit} of ${this.remote.node} are watched there, which is as many as may be`
      return void this.remote.reply(from, life, { kind: "Ended", id, failure })
    }
    const told = (reason: Reason): void => {
      watched.delete(id)
      this.remote.reply(from, life, { kind: "Ended", id, failure: failureIn(reason) })
    }
    watched.set(id, { cell, told, by })
    cell.onEnd(told)
    if (by !== undefined && cell.ending === undefined) Facilities.linkFar(cell, this.remote, from, by)
  }

  /** How one that is none any more has ended, as far as is known. */
  private failureOf({ life, serial }: Target, isLinked: boolean): string {
    if (serial === 0) return ""
    if (life === this.remote.life) return this.failures.get(serial) ?? ""
    // Who is linked there was linked to one that its node took along.
    return isLinked ? "its node has started again" : ""
  }

  /** One that others know is no more. What they were told of that may be lost. */
  over({ ending, id }: Cell): void {
    if (ending?._tag !== "Failed") return
    this.failures.set(id, failureIn(ending))
    if (this.failures.size > mostFailures) this.failures.delete(this.failures.keys().next().value!)
  }

  onUnwatch(from: NodeId.NodeId, life: number, id: number): Watched | undefined {
    const watched = this.watchedOf(from, life)
    const found = watched.get(id)
    watched.delete(id)
    found?.cell.untold(found.told)
    return found
  }

  onUnlink(from: NodeId.NodeId, life: number, id: number): void {
    const found = this.onUnwatch(from, life, id)
    if (found?.by !== undefined) Facilities.unlinkFar(found.cell, from, found.by)
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

  down(node: NodeId.NodeId): void {
    this.silent.delete(node)
    this.silent.add(node)
    if (this.silent.size > mostSilent) this.silent.delete(this.silent.keys().next().value!)
    this.nobodyAt(node)
  }

  nobodyAt(node: NodeId.NodeId): void {
    for (const [id, watching] of [...this.watching]) if (watching.node === node) this.lost(id, watching)
    this.forgetWatchers(node)
  }
}

const failureIn = (reason: Reason): string =>
  reason._tag === "Failed" ? String(Cause.squash(reason.cause)) || "it failed" : ""
