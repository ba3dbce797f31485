/** The bully algorithm with one rule broken at a time: what its tests must find out. */
import { Bully } from "@troupe/election"

const { protocol } = Bully
type Machine = typeof protocol

/** Leads as soon as it has claimed to. */
export const impatient: Machine = {
  ...protocol,
  onStart: (state, act) => leadAtOnce(protocol.onStart!(state, act), act),
  onMessage: (state, node, message, act) => leadAtOnce(protocol.onMessage(state, node, message, act), act),
  onTimeout: (state, timer, act) => leadAtOnce(protocol.onTimeout!(state, timer, act), act)
}

const leadAtOnce: NonNullable<Machine["onStart"]> = (state, act) =>
  state.role === "claiming" ? protocol.onTimeout!(state, "claim", act) : state

/** Does not bully: lets a lower leader lead. */
export const meek: Machine = {
  ...protocol,
  onMessage: (state, node, message, act) =>
    message._tag === "Coordinator" || message._tag === "Heartbeat"
      ? { ...state, role: "following", leader: { id: node, epoch: message.epoch } }
      : protocol.onMessage(state, node, message, act)
}

/** Never holds an election. */
export const idle: Machine = { ...protocol, onStart: (state) => state }

/** The bully algorithm with epochs that leave no rank when divided by N. */
export const sharingEpochs: Machine = {
  ...protocol,
  onStart: (state, act) => withoutRank(protocol.onStart!(state, blunt(act)), act),
  onMessage: (state, node, message, act) => withoutRank(protocol.onMessage(state, node, message, blunt(act)), act),
  onTimeout: (state, timer, act) => withoutRank(protocol.onTimeout!(state, timer, blunt(act)), act)
}

type Act = Parameters<typeof protocol.onMessage>[3]

const round = (value: number, act: Act): number => value - (value % act.self.nodes.length)

const withoutRank = (state: Bully.State, act: Act): Bully.State => ({
  ...state,
  seen: round(state.seen, act),
  claimed: round(state.claimed, act),
  leader: state.leader && { ...state.leader, epoch: round(state.leader.epoch, act) }
})

/** `act`, sending epochs without their rank. */
const blunt = (act: Act): Act => ({
  self: act.self,
  send: (to, message) => act.send(to, "epoch" in message ? { ...message, epoch: round(message.epoch, act) } : message),
  sendAll: (to, message) =>
    act.sendAll(to, "epoch" in message ? { ...message, epoch: round(message.epoch, act) } : message),
  setTimer: (timer, millis) => act.setTimer(timer, millis),
  clearTimer: (timer) => act.clearTimer(timer),
  emit: (event) => act.emit(event),
  now: () => act.now(),
  monotonic: () => act.monotonic(),
  random: () => act.random()
})
