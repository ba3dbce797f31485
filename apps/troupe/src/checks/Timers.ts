/** A protocol of whose timers few are set: those of the others are for what does not happen where it is checked. */
import type { Protocol } from "@troupe/actor"

type Act = Protocol.Actions<any, any, any, any>

export const onlyTimers = (protocol: Protocol.Any, timers: ReadonlyArray<string>): Protocol.Any => {
  const limited = (act: Act): Act => ({
    self: act.self,
    send: (to, message) => act.send(to, message),
    sendAll: (to, message) => act.sendAll(to, message),
    setTimer: (timer, millis) => (timers.includes(timer) ? act.setTimer(timer, millis) : undefined),
    clearTimer: (timer) => (timers.includes(timer) ? act.clearTimer(timer) : undefined),
    emit: (event) => act.emit(event),
    now: () => act.now(),
    monotonic: () => act.monotonic(),
    random: () => act.random()
  })
  const { onCommand, onMessage, onStart, onTimeout, onView } = protocol
  return {
    ...protocol,
    onCommand: (state, command, act) => onCommand(state, command, limited(act)),
    onMessage: (state, from, message, act) => onMessage(state, from, message, limited(act)),
    ...(onStart && { onStart: (state, act) => onStart(state, limited(act)) }),
    ...(onTimeout && { onTimeout: (state, timer, act) => onTimeout(state, timer, limited(act)) }),
    ...(onView && { onView: (state, view, act) => onView(state, view, limited(act)) })
  }
}
