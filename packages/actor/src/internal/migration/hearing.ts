/** What the words of other nodes bring about, and that a connection breaks or is there again. */
import { Codec, type NodeId } from "@troupe/transport"
import { Cause } from "effect"
import type { Reason } from "../../ActorRef.ts"
import * as Living from "../system/Living.ts"
import type { Agent } from "./Agent.ts"
import * as Arriving from "./arriving.ts"
import * as Away from "./away.ts"
import * as Leaving from "./leaving.ts"
import type { Cause as BreakCause } from "./Link.ts"
import { refusals } from "./refusals.ts"
import type { Resident } from "./Resident.ts"
import type { Word } from "./words.ts"

/** What is said of one actor that is known here. */
type OfOne = Exclude<Word, { readonly _tag: "Offer" | "Commit" | "Answer" | "Request" | "Done" | "Failed" }>

export const onWord = (agent: Agent, from: NodeId.NodeId, word: Word): void => {
  switch (word._tag) {
    case "Offer":
      return Arriving.onOffer(agent, from, word)
    case "Commit":
      return Arriving.onCommit(agent, agent.residents.get(word.id), from, word)
    case "Answer":
      return agent.questions.onAnswer(word)
    case "Request":
      return agent.requests.onRequest(word)
    case "Done":
      return agent.requests.settle(word.number, { node: word.node, target: word.target })
    case "Failed":
      return agent.requests.settle(word.number, Codec.decode(refusals, word.refusal))
    default: {
      const resident = agent.residents.get(word.id)
      if (resident !== undefined) return onWordOf(agent, from, word, resident)
      if (word._tag === "Forward" || word._tag === "Where") agent.say(from, { _tag: "Unknown", id: word.id })
      else if (word._tag === "Abort") agent.say(from, { _tag: "Free", id: word.id, epoch: word.epoch })
    }
  }
}

const onWordOf = (agent: Agent, from: NodeId.NodeId, word: OfOne, resident: Resident): void => {
  const { phase } = resident
  switch (word._tag) {
    case "Refused":
      return Leaving.refused(agent, resident, word.epoch, Codec.decode(refusals, word.refusal))
    case "Abort":
      agent.say(from, { _tag: "Free", id: word.id, epoch: word.epoch })
      if (phase._tag === "Arriving" && phase.epoch === word.epoch) Arriving.discard(agent, resident, false)
      return
    case "Free":
      return word.epoch === resident.epoch || word.epoch + 1 === resident.epoch
        ? Leaving.free(resident, from)
        : undefined
    case "Alive":
      if (phase._tag === "Arriving" && phase.from === from && phase.epoch < word.epoch) {
        Arriving.discard(agent, resident, false)
      }
      return Leaving.onAlive(agent, resident, from, word.epoch, word.target)
    case "Forward":
      return agent.onParcel(resident, from, word.parcel)
    case "Opened":
      return Away.opened(resident, word.way)
    case "Moved":
      if (phase._tag === "Leaving" && phase.asks && phase.to === from && !resident.isOlder(word.epoch, word.place)) {
        return Leaving.abort(agent, resident, "that node does not have it")
      }
      return Away.learn(agent, resident, from, word.epoch, word.place)
    case "Where":
      return resident.isHere ? agent.sayAlive(resident, from) : agent.tellOf(resident, from)
    case "Unknown":
      return onUnknown(agent, resident, from)
    case "Ended":
      return Leaving.onEnded(agent, resident, reasonOf(word.failure))
  }
}

const onUnknown = (agent: Agent, resident: Resident, from: NodeId.NodeId): void => {
  const { phase } = resident
  if (phase._tag === "Leaving" && phase.to === from) Leaving.abort(agent, resident, "that node knows nothing of it")
  else if (phase._tag === "Away" && resident.place === from) Away.lose(agent, resident)
}

export const onBreak = (agent: Agent, node: NodeId.NodeId, cause: BreakCause): void => {
  for (const resident of [...agent.residents.values()]) {
    const { phase } = resident
    resident.told.delete(node)
    if (cause !== "given up") Leaving.free(resident, node)
    if (phase._tag === "Leaving" && phase.to === node) {
      if (cause === "given up") {
        phase.asks = true
        if (!phase.isCommitted) Leaving.mindDoubt(agent, resident, phase)
      } else Leaving.abort(agent, resident, "that node is down")
    } else if (phase._tag === "Arriving" && phase.from === node) {
      if (cause === "given up") Arriving.discard(agent, resident, true)
      else Arriving.takeOver(agent, resident)
    } else if (phase._tag === "Away" && resident.place === node) Away.lose(agent, resident)
    else if (phase._tag === "Away" || phase._tag === "Arriving") Away.skip(agent, resident, node)
  }
}

export const onUp = (agent: Agent, node: NodeId.NodeId): void => {
  for (const resident of [...agent.residents.values()]) {
    const { id, phase } = resident
    const asks = phase._tag === "Leaving" ? phase.asks && phase.to === node : phase._tag === "Lost"
    if (asks) agent.say(node, { _tag: "Where", id })
    else if (resident.isHere && resident.holders.has(node)) agent.sayAlive(resident, node)
    else if (resident.isHere && resident.places.has(node)) agent.tellOf(resident, node)
  }
}

const reasonOf = (failure: string): Reason =>
  failure === "" ? Living.stopped : { _tag: "Failed", cause: Cause.fail(failure) }
