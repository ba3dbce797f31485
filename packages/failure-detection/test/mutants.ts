/** Detectors with one rule broken at a time: what the tests of their cards must find out. */
import { GossipHeartbeat, Heartbeat, HeartbeatCounters, PhiAccrual, Ping } from "@troupe/failure-detection"
import type { Protocol } from "@troupe/actor"

/** Which messages it has is nobody's concern here. */
const machine = <A extends { readonly name: string }>(protocol: A) =>
  protocol as { readonly name: string } as Protocol.Any

export const mutants: ReadonlyArray<{
  readonly detector: string
  readonly does: string
  readonly breaks: string
  readonly protocol: Protocol.Any
}> = [
  {
    ...{ detector: "ping", does: "judges nobody", breaks: "completeness" },
    protocol: machine({
      ...Ping.protocol,
      onTimeout: (state, timer, act) => (timer === "timeout" ? state : Ping.protocol.onTimeout!(state, timer, act))
    } satisfies typeof Ping.protocol)
  },
  {
    ...{ detector: "ping", does: "takes no answer of the suspected", breaks: "accuracy" },
    protocol: machine({
      ...Ping.protocol,
      onMessage: (state, from, message, act) =>
        message._tag === "Pong" && Ping.statusOf(state, from) === "suspected"
          ? state
          : Ping.protocol.onMessage(state, from, message, act)
    } satisfies typeof Ping.protocol)
  },
  {
    ...{ detector: "heartbeat", does: "expects nobody from the start", breaks: "completeness" },
    protocol: machine({
      ...Heartbeat.protocol,
      onTimeout: (state, timer, act) => (timer === "beat" ? Heartbeat.protocol.onTimeout!(state, timer, act) : state)
    } satisfies typeof Heartbeat.protocol)
  },
  {
    ...{ detector: "heartbeat-counters", does: "counts no beats of its own", breaks: "completeness" },
    protocol: machine({
      ...HeartbeatCounters.protocol,
      onTimeout: (state, timer, act) => ({
        ...HeartbeatCounters.protocol.onTimeout!(state, timer, act),
        beats: 0
      })
    } satisfies typeof HeartbeatCounters.protocol)
  },
  {
    ...{ detector: "phi-accrual", does: "starts without a first heartbeat", breaks: "completeness" },
    protocol: machine({
      ...PhiAccrual.protocol,
      onTimeout: (state, timer, act) => (timer === "beat" ? PhiAccrual.protocol.onTimeout!(state, timer, act) : state)
    } satisfies typeof PhiAccrual.protocol)
  },
  {
    ...{ detector: "gossip-heartbeat", does: "hears nobody before it in rank", breaks: "accuracy" },
    protocol: machine({
      ...GossipHeartbeat.protocol,
      onMessage: (state, from, { counters }, act) =>
        from < act.self.id ? state : GossipHeartbeat.protocol.onMessage(state, from, { counters }, act)
    } satisfies typeof GossipHeartbeat.protocol)
  }
]
