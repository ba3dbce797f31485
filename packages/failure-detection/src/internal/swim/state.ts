/** What a SWIM node knows, is set to, and may ask for. */
import type { Protocol } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import type { Opinion } from "../../FailureDetector.ts"
import type { Members, Round } from "./members.ts"
import type { Message } from "./messages.ts"
import type { Rumours } from "./rumours.ts"

export interface State {
  // This node itself.
  /** `left`: it has said goodbye, and takes no part until it joins again. */
  readonly phase: "up" | "left"
  /** Of its own life: raised by this node alone, each time that it refutes. */
  readonly incarnation: number
  /** How badly its own probes fare, from 0: the local health multiplier less one (Lifeguard, §IV-A). */
  readonly health: number

  // The others.
  readonly members: Members
  /** Whom it has been told to join, and who have not answered yet. */
  readonly seeds: ReadonlyArray<NodeId.NodeId>

  // Probing.
  readonly round: Round
  /** Of the period under way. */
  readonly probe: Probe | undefined
  /** Of the latest ping, its own or for others. */
  readonly sequence: number
  /** What it probes for others. */
  readonly relays: ReadonlyArray<Relay>
  /** The next probe is a synchronisation: it asks for all that the member knows, and an answer is one to the probe too. */
  readonly syncDue: boolean

  // Dissemination.
  readonly rumours: Rumours
  /** Whether the timer of gossip runs: it does while there are rumours. */
  readonly gossiping: boolean
}

export interface Probe {
  readonly target: NodeId.NodeId
  readonly sequence: number
  readonly acked: boolean
  /** Who was asked to probe it too. */
  readonly helpers: ReadonlyArray<NodeId.NodeId>
  /** Helpers that owe a nack. */
  readonly nacksMissing: ReadonlyArray<NodeId.NodeId>
}

/** A ping for another node. */
export interface Relay {
  readonly sequence: number
  /** Who asked, and by which sequence number. */
  readonly asker: NodeId.NodeId
  readonly asked: number
  readonly nack: boolean
}

/** How many relays a node keeps: requests past it are ignored. */
export const relaysMax = 256

export interface Options {
  /** The protocol period: one member is probed in each. */
  readonly probeIntervalMillis: number
  /** How long a direct ping may take, before others are asked. */
  readonly probeTimeoutMillis: number
  /** How many are asked to probe in one's place: k. */
  readonly indirectProbes: number
  /** The shortest suspicion is this many periods, times the decimal logarithm of N where that is above 1. */
  readonly suspicionMultiplier: number
  /** With `dynamicSuspicion`, an unconfirmed suspicion lasts this many times as long. */
  readonly suspicionMaxMultiplier: number
  /** λ: a rumour is sent λ⌈log₁₀(N+1)⌉ times. */
  readonly retransmitMultiplier: number
  /** How often rumours are sent on besides what probes carry. */
  readonly gossipIntervalMillis: number
  /** To how many each time. With 0 they travel on probes alone, as in the paper of 2002. */
  readonly gossipNodes: number
  /** How often all that is known is compared with another member. */
  readonly syncIntervalMillis: number
  /** How long the dead, and those who left, are remembered. */
  readonly reapAfterMillis: number
  /** No message is larger. */
  readonly packetBytes: number
  /** Health is below it. */
  readonly healthMax: number
  /** Lifeguard, 1: a node whose probes fail is slower to judge. */
  readonly healthAwareProbe: boolean
  /** Lifeguard, 2: suspicion is long at first, and shortened by each other node that confirms it. */
  readonly dynamicSuspicion: boolean
  /** Lifeguard, 3: who is suspected hears of it with the next ping. */
  readonly buddySystem: boolean
  /** Whom to join at the start. */
  readonly seeds: ReadonlyArray<NodeId.NodeId>
}

export type Timer = "probe" | "timeout" | "gossip" | "sync" | `suspicion ${NodeId.NodeId}` | `relay ${number}`

export type Act = Protocol.Actions<Message, Opinion, Timer, Options>
