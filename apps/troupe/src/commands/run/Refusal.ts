/** What cannot be run, or shows nothing, in words. */
import { Option } from "effect"
import { crashOf } from "../../Crashes.ts"
import { type Demonstration, spreads } from "../../Demonstration.ts"
import { maximumNodes } from "../arguments.ts"
import { lanesMax } from "./Pictures.ts"
import type { Transport } from "./Report.ts"

export const maximumProcesses = 64

export const isRole = (text: string): text is "holder" | "leader" => text === "holder" || text === "leader"

/** What was asked of a run. */
interface Asked {
  readonly kill: string
  readonly nodes: number
  readonly seconds: Option.Option<number>
  readonly transport: Transport
  readonly detector: boolean
  readonly svg: Option.Option<string>
}

export const refuse = (demonstration: Demonstration, given: Asked): string | undefined =>
  refuseNodes(demonstration, given) ??
  refuseTransport(demonstration, given.transport, given.nodes) ??
  refusePicture(demonstration, given) ??
  (isRole(given.kill) ? refuseCrash(demonstration, given, given.kill) : refuseKilling(demonstration, given))

const refuseNodes = ({ name, service }: Demonstration, { nodes, transport }: Asked): string | undefined => {
  if (nodes <= maximumNodes || (service === "gossip" && transport === "sim")) return undefined
  return service === "gossip"
    ? `--nodes ${nodes}: expected a number of nodes from 1 to ${maximumNodes}, unless with --transport sim.`
    : `--nodes ${nodes}: expected a number of nodes from 1 to ${maximumNodes}. Of ${name} there can be no more.`
}

const refusePicture = (demonstration: Demonstration, { nodes, svg, transport }: Asked): string | undefined => {
  if (Option.isNone(svg)) return undefined
  if (nodes > lanesMax) {
    return spreads(demonstration)
      ? undefined
      : `--svg: a picture has ${lanesMax} lanes at the most, and ${nodes} nodes need as many. Give fewer --nodes.`
  }
  return transport === "sim" ? undefined : "--svg: of a simulated run each message is known. Add --transport sim."
}

/** Why an algorithm cannot run on that transport. */
const refuseTransport = ({ card, name }: Demonstration, transport: Transport, nodes: number): string | undefined => {
  if (transport !== "tcp" && transport !== "udp") return undefined
  if (nodes > maximumProcesses) {
    return `With --transport ${transport} each node is a process: ${maximumProcesses} nodes at the most, not ${nodes}.`
  }
  const { loss, order } = card.assumes.channels
  if (transport === "tcp" || (loss && order === "any")) return undefined
  const assumed = loss ? "that keep messages in order" : "that lose no message"
  return `The card of ${name} assumes channels ${assumed}, and UDP does not. Take --transport tcp.`
}

/** Whether a failure detector makes a difference to it. */
export const listens = (demonstration: Demonstration): boolean => crashOf(demonstration)?.remedy === "detector"

const refuseCrash = (
  demonstration: Demonstration,
  { detector, nodes, seconds, transport }: Asked,
  role: "holder" | "leader"
): string | undefined => {
  const { name, service } = demonstration
  if (service !== (role === "holder" ? "mutex" : "election")) {
    return `--kill ${role}: ${name} has no ${role}. ${role === "holder" ? "Locks have" : "Elections have"}.`
  }
  if (Option.isSome(seconds)) return `--seconds: the run ends when it is clear what comes of the death.`
  if (nodes < 3) return `--kill ${role}: too few would be left to show anything. Give --nodes 3 or more.`
  if (transport === "memory") return `--kill ${role}: in memory no node dies alone. Take --transport sim or tcp.`
  return detector || listens(demonstration) ? undefined : `--no-detector: ${name} listens to no failure detector.`
}

const refuseKilling = ({ isOngoing, name }: Demonstration, given: Asked): string | undefined => {
  const { nodes, seconds, transport } = given
  const kill = Number(given.kill)
  if (!given.detector) return "--no-detector: nobody is killed. Add --kill holder, or leader."
  if (!isOngoing && (kill > 0 || Option.isSome(seconds))) {
    return kill > 0
      ? `--kill ${kill}: ${name} detects no failures. Those of failure-detection do; of locks kill the holder, of elections the leader.`
      : `--seconds: ${name} detects no failures. Those of failure-detection do.`
  }
  if (kill > 0 && kill >= nodes)
    return `--kill ${kill}: one of ${nodes} must be left to notice, so ${nodes - 1} at the most.`
  return kill > 0 && transport === "memory"
    ? `--kill ${kill}: in memory no node dies alone. Take --transport sim, tcp or udp.`
    : undefined
}
