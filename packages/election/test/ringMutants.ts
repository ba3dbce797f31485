/** Chang and Roberts' election with one rule broken at a time: what its tests must find out. */
import { ChangRoberts } from "@troupe/election"
import type { Machine } from "./rings.ts"

const protocol = ChangRoberts.protocol as Machine

/** Takes a lower id for its own come home. */
export const crossing: Machine = {
  ...protocol,
  onMessage: (state, from, message, act) => {
    const isLower = message._tag === "Candidate" && message.id < act.self.id
    return protocol.onMessage(state, from, isLower ? { ...message, id: act.self.id } : message, act)
  }
}

/** Knows whom it suspects, and goes on sending to them. */
export const deaf: Machine = {
  ...protocol,
  onCommand: (state, command, act) =>
    command._tag === "Suspect"
      ? { ...state, suspected: [...state.suspected, command.node] }
      : protocol.onCommand(state, command, act)
}

/** Does not notice of which elections those speak whom it suspects. */
export const unmindful: Machine = {
  ...protocol,
  onMessage: (state, from, message, act) => ({ ...protocol.onMessage(state, from, message, act), missed: 0 })
}
