/** One machine for all tests of the driver: it writes down what it is given, and does what its commands and messages say. */
import { Memory, type Transport } from "@troupe/transport"
import { Actor, type Protocol } from "@troupe/actor"
import { Cause, Effect, Layer, Logger, Schema } from "effect"

type Timer = string

/** What a handler is to do. */
export type Order =
  | { readonly do: "send"; readonly to: string; readonly message: string }
  | { readonly do: "set"; readonly timer: Timer; readonly millis: number }
  | { readonly do: "clear"; readonly timer: Timer }
  | { readonly do: "emit"; readonly event: string }
  | { readonly do: "throw"; readonly error: string }

export const send = (to: string, message: string): Order => ({ do: "send", to, message })
export const set = (timer: Timer, millis: number): Order => ({ do: "set", timer, millis })
export const clear = (timer: Timer): Order => ({ do: "clear", timer })
export const emit = (event: string): Order => ({ do: "emit", event })
export const fail = (error: string): Order => ({ do: "throw", error })

export interface Script {
  readonly onStart?: ReadonlyArray<Order>
  readonly onMessage?: (message: string) => ReadonlyArray<Order>
  readonly onTimeout?: (timer: Timer) => ReadonlyArray<Order>
  readonly onView?: (view: Protocol.View) => ReadonlyArray<Order>
  readonly init?: () => ReadonlyArray<string>
}

type Act = Protocol.Actions<string, string, Timer, void>

/** Its state is the list of its inputs since it started. */
export type Recorder = Protocol.Protocol<ReadonlyArray<string>, string, ReadonlyArray<Order>, string, Timer>

export const recorder = (script: Script = {}): Recorder => {
  const obey = (state: ReadonlyArray<string>, input: string, orders: ReadonlyArray<Order>, act: Act) => {
    for (const order of orders) {
      if (order.do === "send") act.send(order.to, order.message)
      else if (order.do === "set") act.setTimer(order.timer, order.millis)
      else if (order.do === "clear") act.clearTimer(order.timer)
      else if (order.do === "emit") act.emit(order.event)
      else throw new Error(order.error)
    }
    return [...state, input]
  }
  return {
    name: "test/recorder",
    message: Schema.String,
    init: script.init ?? (() => []),
    onStart: (state, act) => obey(state, "start", script.onStart ?? [], act),
    onCommand: (state, orders, act) => obey(state, "command", orders, act),
    onMessage: (state, from, message, act) =>
      obey(state, `${from}: ${message}`, script.onMessage?.(message) ?? [], act),
    onTimeout: (state, timer, act) => obey(state, `timeout ${timer}`, script.onTimeout?.(timer) ?? [], act),
    onView: (state, view, act) => obey(state, `view ${view.number}`, script.onView?.(view) ?? [], act)
  }
}

/** A recorder on `n1` of a network of `n1` and `n2`. */
export const spawn = (script: Script = {}, options: Actor.SpawnOptions<ReadonlyArray<string>> = {}) =>
  Actor.spawn(recorder(script), options)

/** The transport of `n1` in a network of two. */
export const alone = (): Layer.Layer<Transport> =>
  Layer.orDie(Memory.layer(Memory.network({ nodes: ["n1", "n2"] }), "n1"))

/** Lets everything happen that needs no time. */
export const settle = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

/** Collects what is logged instead of printing it. */
export const logged = (lines: Array<string>): Layer.Layer<never> =>
  Logger.layer([
    Logger.make(({ cause, message }) => {
      lines.push([message].flat().join(" ") + (cause.reasons.length === 0 ? "" : ` (${String(Cause.squash(cause))})`))
    })
  ])
