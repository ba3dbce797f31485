/**
 * Who is up, as far as a node can tell from messages. Programs use this service; a detector is a layer for it.
 *
 * A node that is slow and one that is dead look alike until the slow one answers. So a detector errs, in one way or the
 * other, and its card says when: completeness (who has crashed is suspected, for good) and accuracy (who is up is not).
 *
 * @example
 * import { FailureDetector } from "@troupe/failure-detection"
 * import { Effect, Stream } from "effect"
 *
 * export const report = Effect.gen(function*() {
 *   const detector = yield* FailureDetector
 *   yield* Stream.runForEach(detector.changes, ({ node, status }) => Effect.log(`${node} is ${status}`))
 * })
 */
import type { NodeId } from "@troupe/transport"
import { Context, type Effect, Schema, Stream } from "effect"

/**
 * `up`: it was heard of lately. `suspected`: it was not, and may yet prove to be up. `down`: taken for dead; what bears
 * its name and is heard of later is a new life. `left`: it said goodbye.
 */
export type Status = "up" | "suspected" | "down" | "left"

/** What a node thinks of another. */
export interface Opinion {
  readonly node: NodeId.NodeId
  readonly status: Status
  /** How strong the suspicion is, from 0; the scale is the detector's own. 0 or 1 where it knows no degrees. */
  readonly level: number
}

export class FailureDetector extends Context.Service<
  FailureDetector,
  {
    /** This node. */
    readonly self: NodeId.NodeId
    /** What it thinks now, of every other node that it watches. */
    readonly opinions: Effect.Effect<ReadonlyMap<NodeId.NodeId, Opinion>>
    /** What it thinks now, of one. */
    readonly opinion: (node: NodeId.NodeId) => Effect.Effect<Opinion, UnknownNode>
    /**
     * Changes of status from now on. Whoever reads slowly holds nobody up: a reader that lags by more than 1,024 changes
     * misses the oldest.
     */
    readonly changes: Stream.Stream<Opinion>
  }
>()("@troupe/failure-detection/FailureDetector") {}

/**
 * The nodes that are taken for dead, and those that have left, each when it is so: what `ActorSystem.remote` asks for as `down`.
 * `Swim` and `GossipHeartbeat` say so. All others only suspect: with `suspected`, that is taken for it. It comes sooner, and errs
 * more often.
 *
 * @example
 * import { ActorSystem } from "@troupe/actor"
 * import { downNodes, Swim } from "@troupe/failure-detection"
 * import { Layer } from "effect"
 *
 * export const system = ActorSystem.remote({ down: downNodes() }).pipe(Layer.provide(Swim.layer()))
 */
export const downNodes = ({ suspected = false }: { readonly suspected?: boolean } = {}): Stream.Stream<
  NodeId.NodeId,
  never,
  FailureDetector
> =>
  Stream.unwrap(FailureDetector.useSync(({ changes }) => Stream.filter(changes, isDown(suspected)))).pipe(
    Stream.map(({ node }) => node)
  )

const isDown =
  (suspected: boolean) =>
  ({ status }: Opinion) =>
    status === "down" || status === "left" || (suspected && status === "suspected")

/** A node that the detector doesn't watch: its own, or one that it never heard of. */
export class UnknownNode extends Schema.TaggedError<UnknownNode>()("UnknownNode", {
  self: Schema.String,
  node: Schema.String
}) {
  override get message(): string {
    return `${this.self} does not watch "${this.node}": ${this.node === this.self ? "it is its own node" : "no such node is known to it"}`
  }
}

/** An option of a detector's layer is wrong. */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", {
  reason: Schema.String
}) {
  override get message(): string {
    return `The failure detector cannot start: ${this.reason}`
  }
}
