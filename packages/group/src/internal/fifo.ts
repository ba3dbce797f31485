/** First in, first out: what the kernel gives anyway. A message may be delivered as soon as it is received. */
import { Schema } from "effect"
import type { Order } from "./order.ts"

export const fifo: Order<null, null> = {
  stamp: Schema.Null,
  codec: { name: "none", write: () => {}, read: () => null },
  init: () => null,
  send: () => ({ state: null, stamp: null }),
  receive: (_state, rank, { sequence }, isControl, ask) => {
    if (!isControl) ask.deliver(rank, sequence)
    return null
  },
  flush: () => {},
  waiting: () => 0
}
