/**
 * What a node has learned of the true time: the service that protocols such as Cristian's and NTP's are layers for.
 */
import type { NodeId } from "@troupe/transport"
import { Context, type Effect, type Option, type Stream } from "effect"

/** That it was `timeMillis`, within `errorMillis`, when this node's monotonic clock read `monotonicMillis`. */
export interface Estimate {
  /** Milliseconds, with fractions, by this node's monotonic clock. */
  readonly monotonicMillis: number
  /** Milliseconds since 1970, with fractions. */
  readonly timeMillis: number
  /** The true time is at most this far away, as long as what the card assumes holds. */
  readonly errorMillis: number
}

export class TimeSource extends Context.Service<
  TimeSource,
  {
    /** This node. */
    readonly self: NodeId.NodeId
    /** None before the first answer of a server. */
    readonly latest: Effect.Effect<Option.Option<Estimate>>
    /** The latest, then each that follows. A reader that lags by more than 64 misses the oldest. */
    readonly changes: Stream.Stream<Estimate>
  }
>()("@troupe/clocks/TimeSource") {}
