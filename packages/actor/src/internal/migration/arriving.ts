/** How an actor comes to a node: it is held, not alive, until the node that it leaves says so, or is dead. */
import { Codec, type NodeId } from "@troupe/transport"
import * as Living from "../system/Living.ts"
import * as Moving from "../system/Moving.ts"
import type { Agent } from "./Agent.ts"
import * as Away from "./away.ts"
import { type Arrival, arrivalOf } from "./images.ts"
import { missing } from "./Movable.ts"
import { ImageMismatch, MigrationFailed, MissingBindings, type Refusal, refusals, UnknownBehavior } from "./refusals.ts"
import { Resident } from "./Resident.ts"
import type { Entry, Way, Word } from "./words.ts"

type Offer = Extract<Word, { readonly _tag: "Offer" }>

export const onOffer = (agent: Agent, from: NodeId.NodeId, offer: Offer): void => {
  const { epoch, id } = offer
  const refuse = (refusal: Refusal): void =>
    void agent.say(from, { _tag: "Refused", id, epoch, refusal: Codec.encode(refusals, refusal) })
  const arrival = take(agent, offer)
  if ("_tag" in arrival) return refuse(arrival)
  let resident = agent.residents.get(id)
  if (resident === undefined) {
    resident = new Resident(id, agent.movables.get(offer.behavior)!, undefined, { _tag: "Away" }, epoch - 1, from)
    agent.residents.set(id, resident)
  } else {
    Away.learn(agent, resident, from, epoch - 1, from)
    if (resident.phase._tag !== "Away" || resident.place !== from) {
      return refuse(new MigrationFailed({ actor: id, to: agent.node, reason: "it is known to be elsewhere" }))
    }
  }
  // Nothing goes out by this way after the word that it is held.
  Away.send(agent, resident, { _tag: "Held", epoch })
  resident.phase = { _tag: "Arriving", from, epoch, arrival, tells: [], parcels: [] }
}

const take = (agent: Agent, { behavior, id, image, keys, kind, places, ways }: Offer): Arrival | Refusal => {
  const movable = agent.movables.get(behavior)
  const { node } = agent
  if (movable === undefined) return new UnknownBehavior({ behavior, node })
  const lacks = missing(movable, agent.context)
  if (lacks.length > 0) return new MissingBindings({ behavior, node, missing: lacks })
  if (agent.desk.room < keys.length) {
    const reason = "its receptionist there has no room for it. The actor goes on where it is"
    return new MigrationFailed({ actor: id, to: node, reason })
  }
  try {
    const answer = agent.questions.answering(movable.behavior.messages)
    return { ...arrivalOf(agent.remote, movable, kind, image, agent.context, answer), places, ways, keys }
  } catch (error) {
    return new ImageMismatch({ behavior, node, reason: String(error) })
  }
}

export const onCommit = (
  agent: Agent,
  resident: Resident | undefined,
  from: NodeId.NodeId,
  { entries, epoch, id, ways }: Extract<Word, { readonly _tag: "Commit" }>
): void => {
  const phase = resident?.phase
  if (phase?._tag !== "Arriving" || phase.from !== from || phase.epoch !== epoch) {
    return void agent.say(from, { _tag: "Unknown", id })
  }
  resident!.holders.add(from)
  comeAlive(agent, resident!, entries, ways, true)
  agent.sayAlive(resident!, from)
}

/** The node that it leaves is dead: what is held is the actor. */
export const takeOver = (agent: Agent, resident: Resident): void => {
  const { phase } = resident
  if (phase._tag !== "Arriving") return
  comeAlive(agent, resident, [], phase.arrival.ways, false)
  agent.tellOf(resident, phase.from)
}

/** It is not to come after all. */
export const discard = (agent: Agent, resident: Resident, isLost: boolean): void => {
  const { phase } = resident
  if (phase._tag !== "Arriving") return
  if (resident.cell === undefined) {
    agent.forget(resident)
    return
  }
  const { parcels, tells } = phase
  if (isLost) {
    Away.lose(agent, resident)
    Object.assign(resident.phase, { parcels, tells })
  } else {
    resident.phase = { _tag: "Away" }
    for (const message of tells) Away.tell(agent, resident, message)
    for (const parcel of parcels) Away.relay(agent, resident, parcel)
  }
  Away.heed(agent, resident)
}

const comeAlive = (
  agent: Agent,
  resident: Resident,
  entries: ReadonlyArray<Entry>,
  ways: ReadonlyArray<Way>,
  isCommitted: boolean
): void => {
  const { phase } = resident
  if (phase._tag !== "Arriving") return
  const { arrival, epoch, from, parcels, tells } = phase
  resident.phase = { _tag: "Live" }
  resident.epoch = epoch
  resident.place = agent.node
  resident.places = new Set([...arrival.places, from].filter((place) => place !== agent.node))
  resident.marks = []
  resident.ways = agent.waysOf(resident, ways)
  const cell = body(agent, resident, arrival)
  agent.desk.arrive(cell, { actor: resident.id, epoch }, arrival.keys)
  if (!isCommitted) startOver(agent, resident)
  const ticks = cell.rare?.ticks
  for (const entry of entries) {
    const message = agent.opened(cell, entry, (timer) => ticks?.get(timer)?.message)
    if (message !== undefined) Moving.admit(cell, message)
  }
  resident.passed.clear()
  for (const parcel of parcels) agent.onParcel(resident, parcel.origin, parcel)
  for (const message of tells) agent.tell(cell, message)
  if (cell.status === "frozen") cell.goOn()
  // Not where it was: if that node dies before it knows, the others know.
  for (const place of resident.places) if (place !== from) agent.tellOf(resident, place)
  Away.heed(agent, resident)
}

/** What was under way from here, or through here, when the other node died is lost: what is left of it comes too late. */
const startOver = (agent: Agent, resident: Resident): void => {
  resident.ways!.begin(agent.node, ++resident.way)
  for (const [origin, way] of resident.passed) resident.ways!.take(origin, way, { _tag: "Skip" })
}

/** The actor itself, with what it was told: a weak one starts, a strong one is yet to go on. */
const body = (agent: Agent, resident: Resident, { behavior, kind, state, still }: Arrival) => {
  const { system } = agent
  const isWeak = kind === "weak"
  let { cell } = resident
  if (cell === undefined) {
    const { supervision } = resident.movable
    // A state is what it starts from once. It starts again as any other does.
    const first = isWeak ? behavior : { ...behavior, kind: "plain" as const, init: () => state }
    cell = system.spawn(system.root, first, supervision === undefined ? {} : { supervision })
    if (!isWeak) cell.behavior = { ...cell.behavior, kind: behavior.kind, init: behavior.init }
    agent.host(resident, cell)
  } else {
    Moving.comeBack(cell, { ...cell.behavior, ...behavior, context: behavior.context })
    if (isWeak) Living.begin(cell)
  }
  const waiting = still(cell)
  if (isWeak) for (const message of waiting.messages) Moving.admit(cell, message)
  else {
    cell.state = state
    cell.status = "frozen"
    Moving.restore(cell, waiting)
  }
  return cell
}
