/**
 * Reliable multicast with negative acknowledgements, under any order.
 *
 * Each member numbers its messages. A receiver that sees a gap asks for what is missing; all members report from time to
 * time what they have, and keep what others may still ask for. A message that all have is stable, and forgotten. An `Order`
 * says when a message may be delivered.
 */
import type { Card, Protocol } from "@troupe/actor"
import type { Codec, NodeId } from "@troupe/transport"
import type * as Multicast from "../Multicast.ts"
import * as Log from "./log.ts"
import type { Options } from "./options.ts"
import type { Order } from "./order.ts"
import { begin, declareAgain, goOn, isStraggler, onFlush, onInstalled, onView } from "./flush.ts"
import {
  onAskTimeout,
  onGone,
  onLag,
  onMissing,
  onNumbered,
  onRepair,
  onReport,
  onTick,
  reportDue,
  reportMuch
} from "./repair.ts"
import { initial, type State } from "./state.ts"
import { type Event, room, Step, type Timer } from "./step.ts"
import { onHave, onOffer, onPiece, onSnapshot, onWant } from "./transfer.ts"
import { type Message, messageSchema } from "./wire.ts"

export type Command<Payload> = Multicast.Command<Payload> | Multicast.Lag | Multicast.Snapshot

export interface Settings<Payload, OrderState> {
  readonly name: string
  readonly card?: Card.Card<State<any, any>>
  readonly order: Order<OrderState, any, any>
  readonly payload: Codec.MessageSchema<Payload>
}

export type Kernel<Payload, OrderState = unknown> = Protocol.Protocol<
  State<Payload, OrderState>,
  Message<Payload>,
  Command<Payload>,
  Event<Payload>,
  Timer,
  Options
>

export const kernel = <Payload, OrderState>({
  card,
  name,
  order,
  payload
}: Settings<Payload, OrderState>): Kernel<Payload, OrderState> => {
  type Act = Protocol.Actions<Message<Payload>, Event<Payload>, Timer, Options>
  type Each = State<Payload, OrderState>
  const step = (state: Each, act: Act, run: (step: Step<Payload>) => void): Each => {
    const now = new Step<Payload>(order, state, act)
    run(now)
    reportMuch(now)
    return now.end()
  }
  return {
    name,
    ...(card === undefined ? {} : { card }),
    message: messageSchema(order, payload),
    init: () => initial as State<any, any>,
    onStart: (state, act) =>
      step(state, act, (step) => {
        if (step.options.members === "static") begin(step, { number: 0, members: act.self.nodes })
      }),
    onView: (state, view, act) =>
      step(state, act, (step) => {
        if (step.options.members === "static") return
        onView(step, view)
        receiveHeld(step)
      }),
    onCommand: (state, command, act) =>
      state.failed !== undefined
        ? state
        : step(state, act, (step) => {
            if (command._tag === "Multicast") multicast(step, command.payload)
            else if (command._tag === "Snapshot") onSnapshot(step, command.view, command.state)
            else onLag(step, command.count)
          }),
    onMessage: (state, from, message, act) =>
      state.failed !== undefined && state.view !== undefined
        ? state
        : step(state, act, (step) => {
            receive(step, from, message)
            if (step.s.view !== state.view) receiveHeld(step)
          }),
    onTimeout: (state, timer, act) =>
      state.failed !== undefined || state.view === undefined
        ? state
        : step(state, act, (step) => {
            if (timer === "report") reportDue(step)
            else if (timer === "ask") onAskTimeout(step)
            else if (timer === "order") askOrder(step)
            else onTick(step, declareAgain)
          })
  }
}

const multicast = <P>(step: Step<P>, payload: P): void => {
  const { options, s } = step
  if (room(s, options) === 0) {
    s.full = true
    return
  }
  if (step.mayUse()) step.send(payload)
  else s.queue = [...s.queue, payload]
  if (room(s, options) === 0) s.full = true
}

const receive = <P>(step: Step<P>, from: NodeId.NodeId, message: Message<P>): void => {
  const { s } = step
  switch (message._tag) {
    case "Offer":
      return onOffer(step, from, message)
    case "Want":
      return onWant(step, from, message)
    case "Piece":
      return onPiece(step, from, message)
    case "Have":
      return onHave(step, from, message)
  }
  const now = s.view?.number ?? s.since - 1
  if (message.view > now) return hold(step, from, message)
  if (s.view === undefined || message.view < now) {
    if (message._tag === "Flush" && isStraggler(step, from, message)) {
      return step.act.send(from, { _tag: "Installed", view: message.view })
    }
    s.refused = { ...s.refused, past: s.refused.past + 1 }
    return
  }
  const rank = s.view.members.indexOf(from)
  if (rank < 0) {
    s.refused = { ...s.refused, strangers: s.refused.strangers + 1 }
    return
  }
  switch (message._tag) {
    case "Data":
    case "Control":
      onNumbered(step, rank, message, false)
      return goOn(step)
    case "Report":
      return onReport(step, rank, message)
    case "Missing":
      return onMissing(step, rank, message)
    case "Repair":
      onRepair(step, message)
      return goOn(step)
    case "Gone":
      return onGone(step, rank, message)
    case "Stranger":
      if (message.life !== s.life) return
      return step.fail(`${from} knows an earlier life of this node as the member of its view. Let it join anew.`)
    case "Flush":
      return onFlush(step, rank, message)
    case "Installed":
      return onInstalled(step, message)
    case "Note":
      if (!step.mayUse()) return
      s.order = step.orders.receiveNote?.(s.order, rank, message.note, step) ?? s.order
      return step.sendControls()
  }
}

const askOrder = (step: Step<any>): void => {
  const { orders, s } = step
  if (!step.mayUse()) return
  s.order = orders.later?.(s.order, step) ?? s.order
  step.sendControls()
}

/** What came too early for the view before, as often as there is a next one. */
const receiveHeld = (step: Step<any>): void => {
  const { s } = step
  let now: number | undefined
  while (s.view !== undefined && s.view.number !== now && Log.size(s.held) > 0) {
    now = s.view.number
    const held = Log.items(s.held)
    s.held = Log.empty(0)
    for (const { from, message } of held) receive(step, from, message)
  }
}

const hold = <P>(step: Step<P>, from: NodeId.NodeId, message: Message<P>): void => {
  const { options, s } = step
  if (Log.size(s.held) < options.maxEarly) s.held = Log.append(s.held, { from, message })
  else s.refused = { ...s.refused, overflow: s.refused.overflow + 1 }
}
