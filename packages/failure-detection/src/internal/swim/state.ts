/** What a SWIM node knows, and may ask for. */
import type { Protocol } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import type { Opinion } from "../../FailureDetector.ts"
import type { Members, Round } from "./members.ts"
import type { Message } from "./messages.ts"
import type { Options } from "./options.ts"
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

export type Timer = "probe" | "timeout" | "gossip" | "sync" | `suspicion ${NodeId.NodeId}` | `relay ${number}`

/** What the local user is told: what is held of a node now and, when it says so for the first time, where it is. */
export interface Event extends Opinion {
  readonly address?: string
}

export type Act = Protocol.Actions<Message, Event, Timer, Options>
