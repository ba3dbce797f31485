/** One node, driven by hand: each input gives what the node asked for. */
import { Protocol } from "@troupe/actor"
import { nodesOf } from "./rounds.ts"

export class Hand<State, Message, Command, Event, Timer extends string, Options> {
  state: State
  now = 0
  random: () => number
  readonly self: Protocol.Self<Options>
  private readonly protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options>

  constructor(
    protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options>,
    id: string,
    options: Options,
    nodes: ReadonlyArray<string> = nodesOf(4),
    random: () => number = () => 0
  ) {
    this.random = random
    this.protocol = protocol
    this.self = Protocol.self(id, nodes, options)
    this.state = protocol.init(this.self)
    this.input({ _tag: "Start" })
  }

  readonly command = (command: Command) => this.input({ _tag: "Command", command })
  readonly hear = (from: string, message: Message) => this.input({ _tag: "Message", from, message })
  readonly timeout = (timer: Timer) => this.input({ _tag: "Timeout", timer })

  private input(input: Protocol.Input<Message, Command, Timer>) {
    const { actions, state } = Protocol.step(this.protocol, this.self, this.state, input, {
      monotonic: () => this.now,
      random: () => this.random()
    })
    this.state = state
    const of = <Tag extends Protocol.Action["_tag"]>(tag: Tag) =>
      actions.filter((action): action is Extract<typeof action, { readonly _tag: Tag }> => action._tag === tag)
    return {
      sent: of("Send").map(({ message, to }) => ({ to, ...message })),
      events: of("Emit").map(({ event }) => event),
      timers: Object.fromEntries(of("SetTimer").map(({ delayMillis, timer }) => [timer, delayMillis])) as Partial<
        Record<Timer, number>
      >
    }
  }
}

export const bytes = (...values: ReadonlyArray<number>): Uint8Array => Uint8Array.from(values)

/** An item of the first life that `random` of 0 draws. */
export const item = (origin: string, sequence: number, payload = bytes(sequence % 256)) => ({
  origin,
  life: 0,
  sequence,
  topic: "news",
  payload
})

export const publish = (payload = bytes(1)) => ({ _tag: "Publish", topic: "news", payload }) as const

export const known = (origin: string, heard: ReadonlyArray<number>, holds: number) => ({
  origin,
  life: 0,
  heard,
  holds
})
