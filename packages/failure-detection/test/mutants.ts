/** Detectors with one rule broken at a time: what the tests of their cards must find out. */
import { GossipHeartbeat, Heartbeat, HeartbeatCounters, PhiAccrual, Ping } from "@troupe/failure-detection"
import type { Protocol } from "@troupe/actor"

export const mutants: ReadonlyArray<{
  readonly detector: string
  readonly does: string
  readonly breaks: string
  readonly protocol: Protocol.Any
}> = [
  {
    ...{ detector: "ping", does: "judges nobody", breaks: "completeness" },
    protocol: {
      ...Ping.protocol,
      onTimeout: (state, timer, act) => (timer === "timeout" ? state : Ping.protocol.onTimeout!(state, timer, act))
    } as typeof Ping.protocol
  },
  {
    ...{ detector: "ping", does: "takes no answer of the suspected", breaks: "accuracy" },
    protocol: {
      ...Ping.protocol,
      onMessage: (state, from, message, act) =>
        message._tag === "Pong" && Ping.statusOf(state, from) === "suspected"
          ? state
          : Ping.protocol.onMessage(state, from, message, act)
    } as typeof Ping.protocol
  },
  {
    ...{ detector: "heartbeat", does: "expects nobody from the start", breaks: "completeness" },
    protocol: {
      ...Heartbeat.protocol,
      onTimeout: (state, timer, act) => (timer === "beat" ? Heartbeat.protocol.onTimeout!(state, timer, act) : state)
    } as typeof Heartbeat.protocol
  },
  {
    ...{ detector: "heartbeat-counters", does: "counts no beats of its own", breaks: "completeness" },
    protocol: {
      ...HeartbeatCounters.protocol,
      onTimeout: (state, timer, act) => ({
        ...HeartbeatCounters.protocol.onTimeout!(state, timer, act),
        beats: 0
      })
    } as typeof HeartbeatCounters.protocol
  },
  {
    ...{ detector: "phi-accrual", does: "starts without a first heartbeat", breaks: "completeness" },
    protocol: {
      ...PhiAccrual.protocol,
      onTimeout: (state, timer, act) => (timer === "beat" ? PhiAccrual.protocol.onTimeout!(state, timer, act) : state)
    } as typeof PhiAccrual.protocol
  },
  {
    ...{ detector: "gossip-heartbeat", does: "hears nobody before it in rank", breaks: "accuracy" },
    protocol: {
      ...GossipHeartbeat.protocol,
      onMessage: (state, from, { counters }, act) =>
        from < act.self.id ? state : GossipHeartbeat.protocol.onMessage(state, from, { counters }, act)
    } as typeof GossipHeartbeat.protocol
  }
]
