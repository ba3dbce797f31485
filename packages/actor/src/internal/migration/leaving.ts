/** How an actor leaves a node: it stands still, is offered to another one and, when that holds it, handed over. */
import type { NodeId } from "@troupe/transport"
import { Cause } from "effect"
import type { Reason } from "../../ActorRef.ts"
import { messageOf } from "../system/codecs.ts"
import { Fault } from "../system/envelopes.ts"
import * as Moving from "../system/Moving.ts"
import type { Agent } from "./Agent.ts"
import * as Away from "./away.ts"
import { detach, entryOf, imageOf } from "./images.ts"
import type { Said } from "./Link.ts"
import { ImageMismatch, MigrationFailed, MigrationInDoubt, NotMovable, type Refusal } from "./refusals.ts"
import type { Leaving, Reply, Resident } from "./Resident.ts"
import type { Entry, Kind, Target } from "./words.ts"

export const start = (agent: Agent, resident: Resident, to: NodeId.NodeId, kind: Kind, reply: Reply): void => {
  const cell = resident.cell!
  if (resident.phase._tag !== "Live" || resident.onFree !== undefined) {
    return reply(notMovable(resident, "it is moving already"))
  }
  if (!agent.remote.nodes.includes(to)) {
    return reply(new MigrationFailed({ actor: cell.path, to, reason: "there is no node of this name" }))
  }
  if (resident.holders.size > 0) return startLater(agent, resident, to, kind, reply)
  resident.phase = { _tag: "Freezing" }
  resident.reply = reply
  Moving.freeze(cell, () => {
    resident.reply = undefined
    offer(agent, resident, to, kind, reply)
  })
}

/** When nobody could come alive with an older image of it. */
const startLater = (agent: Agent, resident: Resident, to: NodeId.NodeId, kind: Kind, reply: Reply): void => {
  const end = (): void => {
    resident.onFree = resident.reply = undefined
    agent.never(`offer ${resident.id}`)
  }
  resident.reply = (refusal) => {
    end()
    reply(refusal)
  }
  resident.onFree = () => {
    end()
    start(agent, resident, to, kind, reply)
  }
  agent.after(`offer ${resident.id}`, agent.options.timeoutMillis, () => {
    const others = [...resident.holders].join(", ")
    resident.reply?.(failed(resident, to, `${others} may hold a copy of it, and has not said that it does not`))
  })
}

/** That node has no copy that could come alive. */
export const free = (resident: Resident, node: NodeId.NodeId): void => {
  if (resident.holders.delete(node) && resident.holders.size === 0) resident.onFree?.()
}

const notMovable = (resident: Resident, reason: string): NotMovable =>
  new NotMovable({ actor: resident.cell?.path ?? resident.id, reason })

/** Why it cannot be taken out of where it is. */
const obstacle = (resident: Resident, still: Moving.Still, kind: Kind): string | undefined => {
  const cell = resident.cell!
  const rare = cell.rarely()
  if (cell.firstChild !== undefined) return `it has children: ${cell.children.map(({ name }) => name).join(", ")}`
  if (rare.links.size > 0 || (rare.farLinks?.size ?? 0) > 0) return "it is linked to others"
  if (cell.behavior.drained !== undefined) return "it is a server, which has requests under way"
  if (cell.behavior.whenWritten !== undefined) return "what it has become is on a disk of its node"
  if (kind === "strong" && rare.watched.size > 0) return "it watches others, which only a new start could take up again"
  return still.messages.some((message) => message instanceof Fault) ? "it is about to fail" : undefined
}

const offer = (agent: Agent, resident: Resident, to: NodeId.NodeId, kind: Kind, reply: Reply): void => {
  const cell = resident.cell!
  const still = Moving.still(cell)
  const epoch = resident.epoch + 1
  const phase: Leaving = {
    ...{ _tag: "Leaving", to, epoch, still, reply, isCommitted: false, entries: [], parcels: [], asks: false },
    stop: undefined
  }
  resident.phase = phase
  cell.rare!.away = {
    tell: () => {},
    stop: (drain) => void (phase.stop = drain && phase.stop !== "stop" ? "drain" : "stop")
  }
  const reason = obstacle(resident, still, kind)
  if (reason !== undefined) return goOn(agent, resident, phase, notMovable(resident, reason))
  try {
    const { id, movable, places, ways } = resident
    const image = imageOf(movable, cell, kind, still, (messages) => entriesOf(agent, resident, messages))
    ways!.begin(agent.node, resident.way)
    const word = { _tag: "Offer", id, epoch, behavior: movable.name, kind, image } as const
    const keys = agent.desk.keysOf(cell)
    const said = agent.trySay(to, { ...word, ways: ways!.all, places: [...places], keys })
    if (said === undefined) return goOn(agent, resident, phase, failed(resident, to, agent.silence(to)))
    agent.after(`offer ${id}`, agent.options.timeoutMillis, () => timedOut(agent, resident, phase, said))
  } catch (error) {
    const mismatch = { behavior: resident.movable.name, node: agent.node, reason: String(error) }
    return goOn(agent, resident, phase, new ImageMismatch(mismatch))
  }
}

const timedOut = (agent: Agent, resident: Resident, phase: Leaving, said: Said): void => {
  const reason = "that node has not answered"
  if (!agent.unsay(phase.to, said)) return abort(agent, resident, reason)
  // It has heard nothing.
  goOn(agent, resident, phase, failed(resident, phase.to, reason))
}

const entriesOf = (agent: Agent, resident: Resident, messages: ReadonlyArray<unknown>): ReadonlyArray<Entry> => {
  const codec = messageOf(resident.movable.behavior.messages)
  return messages.flatMap((message) => {
    const entry = entryOf(agent.system, codec, message, (question) => agent.questions.name(question, resident))
    return entry === undefined ? [] : [entry]
  })
}

const failed = (resident: Resident, to: string, reason: string): MigrationFailed =>
  new MigrationFailed({ actor: resident.cell!.path, to, reason: `${reason}. The actor goes on where it is` })

/** It goes on here, and the other node is to forget it. */
export const abort = (agent: Agent, resident: Resident, reason: string): void => {
  const { id, phase } = resident
  if (phase._tag !== "Leaving") return
  if (agent.say(phase.to, { _tag: "Abort", id, epoch: phase.epoch }) !== undefined) resident.holders.add(phase.to)
  outlive(agent, resident, phase.epoch)
  goOn(agent, resident, phase, failed(resident, phase.to, reason))
}

export const refused = (agent: Agent, resident: Resident, epoch: number, refusal: Refusal): void => {
  const { phase } = resident
  if (phase._tag !== "Leaving" || phase.epoch !== epoch) return
  outlive(agent, resident, epoch)
  goOn(agent, resident, phase, refusal)
}

/** One that lives there nevertheless, by that epoch, is older. */
const outlive = ({ desk }: Agent, resident: Resident, epoch: number): void => {
  const { id: actor } = resident
  const cell = resident.cell!
  resident.epoch = epoch + 1
  desk.arrive(cell, { actor, epoch: epoch + 1 }, desk.keysOf(cell))
}

const goOn = (agent: Agent, resident: Resident, phase: Leaving, refusal: Refusal): void => {
  const cell = resident.cell!
  const { entries, parcels, reply, still, stop } = phase
  agent.never(`offer ${resident.id}`)
  resident.phase = { _tag: "Live" }
  Moving.thaw(cell, { ...still, messages: [...still.messages, ...entries] })
  for (const parcel of parcels) agent.onParcel(resident, parcel.origin, parcel)
  reply(refusal)
  if (stop !== undefined) agent.stop(cell, stop === "drain")
  Away.heed(agent, resident)
}

/** The other node holds it, and all that came from there before has come. */
export const onHeld = (agent: Agent, resident: Resident, from: NodeId.NodeId, epoch: number): void => {
  const { id, phase } = resident
  if (phase._tag !== "Leaving" || phase.isCommitted || phase.to !== from || phase.epoch !== epoch) return
  phase.isCommitted = true
  mindDoubt(agent, resident, phase)
  phase.entries = Moving.drain(resident.cell!)
  const entries = phase.entries.flatMap((message) => Away.entry(agent, resident, message))
  agent.say(from, { _tag: "Commit", id, epoch, entries, ways: resident.ways!.all })
}

/**
 * From now on it may live there. Whether it does only that node knows, and this one cannot go on with it before it is known:
 * so who waits is told, after a time, that it is in doubt.
 */
export const mindDoubt = (agent: Agent, { cell, id }: Resident, { reply, to }: Leaving): void =>
  agent.after(`offer ${id}`, agent.options.timeoutMillis, () => {
    const actor = cell!.path
    const reason = `it was handed over, and "${to}" has not said that it lives there. Until it does, or is named by \`down\`, the actor stands still`
    const doubt = new MigrationInDoubt({ actor, to, reason })
    cell!.log(doubt.message, Cause.empty)
    reply(doubt)
  })

/** It lives there, and not here. */
export const onAlive = (agent: Agent, resident: Resident, from: NodeId.NodeId, epoch: number, target: Target): void => {
  const { id, phase } = resident
  if (phase._tag !== "Leaving" || phase.to !== from || phase.epoch !== epoch) {
    agent.say(from, { _tag: "Free", id, epoch })
    return Away.learn(agent, resident, from, epoch, from)
  }
  agent.say(from, { _tag: "Free", id, epoch })
  const cell = resident.cell!
  const { parcels, reply, still, stop } = phase
  for (const message of [...still.messages, ...still.stash, ...phase.entries]) detach(message)
  const since = Moving.drain(cell)
  Away.become(agent, resident, epoch, from)
  for (const message of since) Away.tell(agent, resident, message)
  for (const parcel of parcels) Away.relay(agent, resident, parcel)
  if (stop !== undefined) Away.send(agent, resident, { _tag: stop === "drain" ? "Drain" : "Stop" })
  reply({ node: from, target })
  Away.heed(agent, resident)
}

/** It has ended elsewhere. */
export const onEnded = (agent: Agent, resident: Resident, reason: Reason): void => {
  const { phase } = resident
  if (phase._tag === "Leaving" && phase.isCommitted) {
    Away.become(agent, resident, phase.epoch, phase.to)
    phase.reply(notMovable(resident, "it has stopped"))
  }
  if (!resident.isHere) Away.finish(agent, resident, reason)
}

/** It ends, or its node does, before it has left. */
export const ended = (agent: Agent, resident: Resident, phase: Leaving): void => {
  const { cell, id } = resident
  agent.never(`offer ${id}`)
  if (!phase.isCommitted) agent.say(phase.to, { _tag: "Abort", id, epoch: phase.epoch })
  for (const message of [...phase.still.messages, ...phase.still.stash, ...phase.entries])
    cell!.dead(message, "stopped")
  phase.reply(notMovable(resident, "it has stopped"))
}
