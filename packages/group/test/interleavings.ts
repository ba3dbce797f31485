/** The orders in every interleaving of three members: what is sent twice, who crashes in the midst of a step, and views. */
import type { Protocol } from "@troupe/actor"
import { Schema } from "effect"
import { type Kernel, kernel } from "../src/internal/kernel.ts"
import { defaults } from "../src/internal/options.ts"
import type { Order } from "../src/internal/order.ts"
import { agreed } from "../src/internal/orders/agreed.ts"
import { announced } from "../src/internal/orders/announced.ts"
import { causal, dependencyLists, vectorClocks } from "../src/internal/orders/causal.ts"
import { type Bounds, exhaust } from "./exhaust.ts"
import { guaranteesOf, type Name } from "./orders.ts"

export const rules: Readonly<Record<Name, Order<any, any, any>>> = {
  "vector clocks": causal(vectorClocks),
  "dependency lists": causal(dependencyLists),
  sequencer: announced(() => 0),
  token: announced((turn, members) => turn % members),
  timestamps: agreed
}

/** A kernel with this order that carries text. */
export const texts = (order: Order<any, any, any>): Kernel<string, any> =>
  kernel({ name: "test/order", order, payload: Schema.String })

const all = ["n1", "n2", "n3"]
export const first: Protocol.View = { number: 1, members: all, joined: all }
/** The view after the first, without this one. */
export const without = (node: string): Protocol.View => ({
  number: 2,
  members: all.filter((each) => each !== node),
  joined: []
})

/** Every run of an order, of which no timers run out but those by which orders answer what has come in a crowd. */
export const interleave = (name: Name, bounds: Bounds, order: Order<any, any, any> = rules[name]) =>
  exhaust(
    withOrderTimers(texts(order)),
    { ...defaults, members: bounds.views === undefined ? "static" : "views" },
    [...guaranteesOf(name), ...(bounds.views === undefined ? [] : (["view-synchronous"] as const))],
    { timeouts: "any", network: { order: "fifo" }, ...bounds }
  )

type Act = Protocol.Actions<any, any, any, any>

/** Messages are not lost here, so nobody need report or ask. */
const withOrderTimers = (protocol: Kernel<string, any>): Kernel<string, any> => {
  const onlyOrder = (act: Act): Act => ({
    self: act.self,
    send: (to, message) => act.send(to, message),
    sendAll: (to, message) => act.sendAll(to, message),
    setTimer: (timer, millis) => (timer === "order" ? act.setTimer(timer, millis) : undefined),
    clearTimer: (timer) => (timer === "order" ? act.clearTimer(timer) : undefined),
    emit: (event) => act.emit(event),
    now: () => act.now(),
    monotonic: () => act.monotonic(),
    random: () => act.random()
  })
  return {
    ...protocol,
    onStart: (state, act) => protocol.onStart!(state, onlyOrder(act)),
    onView: (state, view, act) => protocol.onView!(state, view, onlyOrder(act)),
    onCommand: (state, command, act) => protocol.onCommand(state, command, onlyOrder(act)),
    onMessage: (state, from, message, act) => protocol.onMessage(state, from, message, onlyOrder(act)),
    onTimeout: (state, timer, act) => protocol.onTimeout!(state, timer, onlyOrder(act))
  }
}
