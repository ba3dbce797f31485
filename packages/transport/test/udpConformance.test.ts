/** What holds of a transport that loses messages: of UDP, and of a memory network that is made to. */
import { type Channel, Memory, type Receive, type Send, type Transport } from "@troupe/transport"
import { conformance, RuleBroken, type TransportMaker, unreliable } from "@troupe/transport/testing"
import * as Udp from "@troupe/transport/Udp"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Logger, Stream } from "effect"
import { random } from "./support.ts"
import { key, network } from "./udpSupport.ts"

type Service = Transport["Service"]

/** A memory network whose nodes send and receive by way of these. */
const memory =
  (
    sending: (send: Send<any>, node: Service) => Send<any>,
    receiving: (receive: Receive<any>, node: Service) => Receive<any> = (receive) => receive,
    more: (node: Service) => Partial<Service> = () => ({})
  ): TransportMaker =>
  ({ holdMessages, nodes }) =>
    Effect.sync(() => {
      const network = Memory.network({ nodes, holdMessages, encode: "always" })
      return {
        join: (self) =>
          Effect.map(Memory.connect(network, self), (node) => ({
            self,
            nodes: node.nodes,
            links: node.links,
            open: <Message>(channel: Channel.Channel<Message>, receive: Receive<Message>) =>
              Effect.map(node.open(channel, receiving(receive, node)), (send): Send<Message> => sending(send, node)),
            ...more(node)
          }))
      }
    })

/** Loses, repeats and swaps. */
const lossy = (seed: number): TransportMaker => {
  const next = random(seed)
  return memory((send) => {
    let kept: (() => void) | undefined
    return (to, message) => {
      const chance = next()
      if (chance < 0.3) return
      if (chance < 0.5 && kept === undefined) return void (kept = () => send(to, message))
      send(to, message)
      if (chance > 0.8) send(to, message)
      kept?.()
      kept = undefined
    }
  })
}

const sealed: TransportMaker = (options) => Effect.flatMap(Udp.keyRing([key(1)]), (keys) => network({ keys })(options))

const makers: ReadonlyArray<[string, TransportMaker]> = [
  ["UDP", network()],
  ["UDP without packing", network({ pack: false })],
  ["UDP with keys", sealed],
  ["UDP over IPv6", network({ listen: "[::1]:0" })],
  ["a memory network that loses nothing", memory((send) => send)],
  ...[1, 2].map((seed): [string, TransportMaker] => [`a memory network that loses, seed ${seed}`, lossy(seed)])
]

for (const [name, make] of makers) {
  describe(`${name} keeps the rules of unreliable transports`, () => {
    for (const rule of unreliable) {
      it.live(rule.name, () => Effect.scoped(rule.run(make)).pipe(Effect.provide(Logger.layer([]))))
    }
  })
}

describe("UDP keeps more, where the network loses nothing", () => {
  const more = [
    "a message arrives at most once",
    "what one node sends another on a channel arrives in order",
    "channels are kept apart"
  ]
  for (const rule of conformance.filter(({ name }) => more.includes(name))) {
    it.live(rule.name, () => Effect.scoped(rule.run(network())))
  }
})

const impatient =
  (make: TransportMaker): TransportMaker =>
  (options) =>
    Effect.map(make(options), (network) => ({ ...network, patience: 400 }))

/** Each breaks the rule of that name. */
const broken: ReadonlyArray<[string, string, TransportMaker]> = [
  [
    "messages from the wrong node",
    "what arrives was sent, whole, by its sender, to this node and channel",
    memory(
      (send) => send,
      (receive) => (_, message) => receive("n1", message)
    )
  ],
  [
    "an altered message now and then",
    "what arrives was sent, whole, by its sender, to this node and channel",
    memory((send) => (to, message) => send(to, String(message).startsWith("3 ") ? `${message}!` : message))
  ],
  [
    "a way that never gets through",
    "what arrives was sent, whole, by its sender, to this node and channel",
    memory((send, { self }) => (to, message) => {
      if (self !== "n2" || to !== "n3") send(to, message)
    })
  ],
  [
    "messages to itself inside send",
    "a handler never runs inside send, nor inside another handler",
    ({ nodes }) =>
      Effect.sync(() => {
        const network = Memory.network({ nodes })
        return {
          join: (self) =>
            Effect.map(Memory.connect(network, self), (node) => ({
              ...node,
              open: <Message>(channel: Channel.Channel<Message>, receive: Receive<Message>) =>
                Effect.map(
                  node.open(channel, receive),
                  (send): Send<Message> =>
                    (to, message) =>
                      to === self ? receive(to, message) : send(to, message)
                )
            }))
        }
      })
  ],
  [
    "half of a large message",
    "a large message arrives whole, or is refused and told",
    memory((send) => (to, message) => send(to, message instanceof Uint8Array ? message.slice(0, 500) : message))
  ],
  [
    "no word of a large message that it drops",
    "a large message arrives whole, or is refused and told",
    memory((send) => (to, message) => {
      if (!(message instanceof Uint8Array)) send(to, message)
    })
  ],
  [
    "a stop after a message that came too early",
    "a message that comes too early harms no later one",
    memory((send, { self }) => (to, message) => {
      if (self !== "n1" || typeof message === "string") send(to, message)
    })
  ],
  [
    "no second life",
    "a node that comes again is spoken with again",
    memory(
      (send) => send,
      (receive) => (from, message) => {
        if (!String(message).startsWith("second")) receive(from, message)
      }
    )
  ],
  [
    "a stop after a handler has thrown",
    "a handler that throws costs its message and nothing else",
    memory(
      (send) => send,
      (receive) => {
        let dead = false
        return (from, message) => {
          if (dead) return
          dead = true
          receive(from, message)
          dead = false
        }
      }
    )
  ],
  [
    "no word of what it drops",
    "a message to an unknown node is dropped, and told",
    memory(
      (send) => send,
      (receive) => receive,
      ({ links }) => ({ links: Stream.filter(links, ({ _tag }) => _tag !== "Dropped") })
    )
  ]
]

describe("the unreliable suite finds a transport with", () => {
  for (const [what, name, make] of broken) {
    it.live(what, () =>
      Effect.gen(function* () {
        const found = unreliable.find((one) => one.name === name)!
        const error = yield* Effect.flip(Effect.scoped(found.run(impatient(make))))
        expect(error).toBeInstanceOf(RuleBroken)
        expect((error as RuleBroken).rule).toBe(name)
      }).pipe(Effect.provide(Logger.layer([])))
    )
  }

  it("as many names as cases", () => {
    expect(new Set(unreliable.map(({ name }) => name)).size).toBe(unreliable.length)
  })
})
