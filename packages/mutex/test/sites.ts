/** One node of a lock, step by step. */
import { Protocol } from "@troupe/actor"

/** A node that has been through `inputs` after its start: its state, and what it asked for in the last step. */
export const siteOf =
  <State, Message, Command, Event, Timer extends string, Options>(
    protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options>,
    options: NoInfer<Options>
  ) =>
  (
    id: string,
    nodes: ReadonlyArray<string>,
    ...inputs: ReadonlyArray<Protocol.Input<Message, Command, Timer>>
  ): { readonly state: State; readonly actions: ReadonlyArray<Protocol.Action<Message, Event, Timer>> } => {
    const self = Protocol.self(id, nodes, options)
    const started = Protocol.step(protocol, self, protocol.init(self), { _tag: "Start" })
    return inputs.reduce(({ state }, input) => Protocol.step(protocol, self, state, input), started)
  }

export const command = <const Command>(command: Command) => ({ _tag: "Command", command }) as const
export const acquire = command({ _tag: "Acquire" })
export const release = command({ _tag: "Release" })
export const suspect = (node: string) => command({ _tag: "Suspect", node })
export const trust = (node: string) => command({ _tag: "Trust", node })
export const from = <const Message>(from: string, message: Message) => ({ _tag: "Message", from, message }) as const
export const timeout = <const Timer extends string>(timer: Timer) => ({ _tag: "Timeout", timer }) as const
export const send = <const Message>(to: string, message: Message) => ({ _tag: "Send", to, message })
export const enters = (token: number) => ({ _tag: "Emit", event: { _tag: "Acquired", token } })
