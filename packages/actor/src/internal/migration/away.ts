/** A place where an actor has been: what comes there goes on to where it is. */
import { Codec, type NodeId } from "@troupe/transport"
import { Cause, Exit } from "effect"
import { MailboxFull, Misunderstood, type Reason, Unreachable } from "../../ActorRef.ts"
import { bare } from "../observed/Told.ts"
import { messageOf } from "../system/codecs.ts"
import { Envelope, Poison, Question } from "../system/envelopes.ts"
import * as Moving from "../system/Moving.ts"
import type { Agent } from "./Agent.ts"
import { detach, entryOf } from "./images.ts"
import { capacity } from "./Link.ts"
import { MigrationFailed } from "./refusals.ts"
import type { Resident } from "./Resident.ts"
import { type Entry, type Parcel, parcels } from "./words.ts"

/** Through so many places at the most: two that take each other for where it is would never have an end. */
const mostHops = 16

/** From now on it is elsewhere. */
export const become = (agent: Agent, resident: Resident, epoch: number, place: NodeId.NodeId): void => {
  const cell = resident.cell!
  resident.phase = { _tag: "Away" }
  resident.epoch = epoch
  resident.place = place
  resident.ways = undefined
  resident.holders.clear()
  resident.reply?.(new MigrationFailed({ actor: cell.path, to: place, reason: "it lives there already" }))
  for (const timer of ["offer", "held"]) agent.never(`${timer} ${resident.id}`)
  agent.desk.depart(cell)
  Moving.depart(cell, {
    tell: (message) => tell(agent, resident, message),
    stop: (drain) => {
      if (resident.phase._tag === "Away") send(agent, resident, { _tag: drain ? "Drain" : "Stop" })
      else tell(agent, resident, new Poison())
    }
  })
}

/** What goes out for a message of somebody here: none, if nobody would understand it. */
export const entry = (agent: Agent, resident: Resident, message: unknown): ReadonlyArray<Entry> => {
  try {
    const codec = messageOf(resident.movable.behavior.messages)
    const made = entryOf(agent.system, codec, message, (question) => agent.questions.name(question, resident))
    return made === undefined ? [] : [made]
  } catch (error) {
    const cell = resident.cell!
    if (message instanceof Question) {
      message.end(Exit.fail(new Misunderstood({ actor: cell.path, reason: String(error) })))
    }
    agent.system.deadLetters.add(cell, letterOf(message), "not understood")
    return []
  }
}

/** Somebody here tells it something. */
export const tell = (agent: Agent, resident: Resident, message: unknown): void => {
  const { phase } = resident
  if (phase._tag === "Away") {
    for (const each of entry(agent, resident, message)) {
      if (send(agent, resident, each) || !(message instanceof Question)) continue
      message.end(Exit.fail(new MailboxFull({ actor: resident.cell!.path, capacity })))
    }
    detach(message)
  } else if (phase._tag === "Arriving" || phase._tag === "Lost") {
    if (phase.tells.length < resident.cell!.behavior.capacity) phase.tells.push(message)
    else lost(agent, resident, message, "mailbox full")
  }
}

/** It goes nowhere. */
const lost = (agent: Agent, resident: Resident, message: unknown, reason: "stopped" | "mailbox full"): void => {
  const actor = resident.cell ?? { path: resident.id }
  if (message instanceof Question) {
    message.end(Exit.fail(new Unreachable({ actor: actor.path, node: resident.place })))
  }
  const letter = letterOf(message)
  if (!(letter instanceof Envelope)) agent.system.deadLetters.add(actor, letter, reason)
}

const letterOf = (taken: unknown): unknown => (taken instanceof Question ? taken.message : bare(taken))

/** `what`: innermost. Returns whether it goes out. */
export const send = (
  agent: Agent,
  resident: Resident,
  entry: Entry,
  hops = 0,
  way = resident.way,
  what: Entry = entry
): boolean => {
  const { id, place } = resident
  const word = { _tag: "Forward", id, parcel: { origin: agent.node, way, hops, entry } } as const
  const isTold = what._tag === "Message" || what._tag === "Question"
  const said = isTold ? agent.trySay(place, word) : agent.say(place, word)
  if (said === undefined) agent.system.deadLetters.add(resident.cell ?? { path: id }, undefined, "mailbox full")
  return said !== undefined
}

/** Sends on what another place has sent. */
export const relay = (agent: Agent, resident: Resident, parcel: Parcel): void => {
  const hops = parcel.hops + 1
  if (hops > mostHops) return agent.system.deadLetters.add({ path: resident.id }, undefined, "stopped")
  const what = pass(resident, parcel)
  send(agent, resident, { _tag: "Relayed", parcel: Codec.encode(parcels, parcel) }, hops, resident.way, what)
}

/** Of each origin: up to which of its ways all that came before has gone through here. Returns what is innermost. */
const pass = (resident: Resident, { entry, origin, way }: Parcel): Entry => {
  if (entry._tag === "Relayed") return pass(resident, Codec.decode(parcels, entry.parcel))
  const opened = entry._tag === "Mark" ? way + 1 : entry._tag === "Skip" ? way : 0
  if (opened > (resident.passed.get(origin) ?? 0)) resident.passed.set(origin, opened)
  return entry
}

/** What came from another place for it. */
export const onParcel = (agent: Agent, resident: Resident, from: NodeId.NodeId, parcel: Parcel): void => {
  const { phase } = resident
  switch (phase._tag) {
    case "Away":
      if ((resident.told.get(from) ?? -1) < resident.epoch) {
        resident.told.set(from, resident.epoch)
        agent.tellOf(resident, from)
      }
      return relay(agent, resident, parcel)
    case "Leaving":
    case "Arriving":
    case "Lost":
      // As many as wait here for any other reason: their senders have bounds of their own.
      if (phase.parcels.length < resident.movable.behavior.capacity) phase.parcels.push(parcel)
      else agent.system.deadLetters.add({ path: resident.id }, undefined, "mailbox full")
      return
    default:
      throw new Error("it is here")
  }
}

/** Somebody says where it is. */
export const learn = (
  agent: Agent,
  resident: Resident,
  from: NodeId.NodeId,
  epoch: number,
  place: NodeId.NodeId
): void => {
  const { phase } = resident
  if (epoch === resident.epoch && place === resident.place) {
    if (phase._tag === "Lost") turnTo(agent, resident, epoch, place)
    return
  }
  if (!resident.isOlder(epoch, place)) return agent.tellOf(resident, from)
  switch (phase._tag) {
    case "Away":
    case "Lost":
      return turnTo(agent, resident, epoch, place)
    case "Live":
      return giveWay(agent, resident, epoch, place)
    default:
      resident.rumour = { epoch, place }
  }
}

/** What was heard while it was under way. */
export const heed = (agent: Agent, resident: Resident): void => {
  const { rumour } = resident
  resident.rumour = undefined
  if (rumour !== undefined) learn(agent, resident, rumour.place, rumour.epoch, rumour.place)
}

/** What goes out from now on goes there. */
const turnTo = (agent: Agent, resident: Resident, epoch: number, place: NodeId.NodeId): void => {
  const { phase, place: before } = resident
  resident.epoch = epoch
  if (agent.isDown(place)) {
    // Others hear that node. What goes out waits until this one does.
    resident.place = place
    if (phase._tag !== "Lost") lose(agent, resident)
  } else if (phase._tag === "Lost") {
    agent.never(`lost ${resident.id}`)
    resident.place = place
    resident.way++
    resident.phase = { _tag: "Away" }
    send(agent, resident, { _tag: "Skip" })
    skipPassed(agent, resident)
    for (const message of phase.tells) tell(agent, resident, message)
    for (const parcel of phase.parcels) relay(agent, resident, parcel)
  } else if (place !== before) {
    send(agent, resident, { _tag: "Mark" })
    resident.place = place
    resident.way++
    resident.marks.push({ way: resident.way, via: before })
  }
}

export const opened = (resident: Resident, way: number): void => {
  resident.marks = resident.marks.filter((mark) => mark.way > way)
}

/** What was under way through that node may be lost: who waits for it need not. */
export const skip = (agent: Agent, resident: Resident, via: NodeId.NodeId): void => {
  const lost = resident.marks.filter((mark) => mark.via === via)
  resident.marks = resident.marks.filter((mark) => mark.via !== via)
  for (const { way } of lost) send(agent, resident, { _tag: "Skip" }, 0, way)
  skipPassed(agent, resident)
}

/** The same for others, whose marks went through here: nothing of theirs that did is still to come after this. */
const skipPassed = (agent: Agent, resident: Resident): void => {
  for (const [origin, way] of resident.passed) {
    relay(agent, resident, { origin, way, hops: 0, entry: { _tag: "Skip" } })
  }
}

/** Where it was is not heard of: it may have come alive elsewhere, or be heard of again. */
export const lose = (agent: Agent, resident: Resident): void => {
  resident.phase = { _tag: "Lost", tells: [], parcels: [] }
  agent.after(`lost ${resident.id}`, agent.options.graceMillis, () =>
    finish(agent, resident, { _tag: "Unreachable", node: resident.place })
  )
}

/** It is no more. */
export const finish = (agent: Agent, resident: Resident, reason: Reason): void => {
  const { cell, phase } = resident
  agent.forget(resident)
  if (phase._tag === "Lost" || phase._tag === "Arriving") {
    for (const message of phase.tells) lost(agent, resident, message, "stopped")
  }
  agent.questions.endAll(resident, reason)
  if (cell !== undefined) Moving.end(cell, reason)
}

/** Another one, which has moved more often, is the actor: this one was taken for dead, and ends. What it was told goes on. */
const giveWay = (agent: Agent, resident: Resident, epoch: number, place: NodeId.NodeId): void => {
  const cell = resident.cell!
  resident.phase = { _tag: "Freezing" }
  Moving.freeze(cell, () => {
    const { messages, stash } = Moving.still(cell)
    const ways = resident.ways!.all
    become(agent, resident, epoch, place)
    cell.log(`"${cell.path}" lives at ${place}, too, and has moved more often there: this one ends`, Cause.empty)
    resident.way++
    send(agent, resident, { _tag: "Skip" })
    for (const message of [...stash, ...messages]) tell(agent, resident, message)
    for (const { held, open, origin } of ways) {
      // The marks that came here will not come there.
      relay(agent, resident, { origin, way: open, hops: 0, entry: { _tag: "Skip" } })
      for (const { entry, way } of held) relay(agent, resident, { origin, way, hops: 0, entry })
    }
    heed(agent, resident)
  })
}
