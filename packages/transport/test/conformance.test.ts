/** The suite can fail: each transport here breaks a rule, and the case that holds it finds out. */
import { type Channel, Memory, type NodeId, type Receive, type Send, type Transport } from "@troupe/transport"
import { conformance, RuleBroken, type TransportMaker } from "@troupe/transport/testing"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Logger, Scope, Stream } from "effect"

type Service = Transport["Service"]

/** A memory network whose nodes are spoilt. */
const spoilt =
  (spoil: (node: Service, holdMessages: number) => Partial<Service>): TransportMaker =>
  ({ holdMessages, nodes }) =>
    Effect.sync(() => {
      const network = Memory.network({ nodes, holdMessages })
      return {
        patience: 200,
        join: (self) =>
          Effect.map(Memory.connect(network, self), (node) => ({
            self,
            nodes: node.nodes,
            links: node.links,
            open: node.open,
            ...spoil(node, holdMessages)
          }))
      }
    })

/** Every message that is sent goes through `spoil`, every one that arrives through `receive`. */
const spoiltChannels = (
  spoil: (send: Send<any>, receive: Receive<any>, self: NodeId.NodeId) => Send<any>,
  receiving: (receive: Receive<any>) => Receive<any> = (receive) => receive
): TransportMaker =>
  spoilt((node) => ({
    open: <Message>(channel: Channel.Channel<Message>, receive: Receive<Message>) => {
      const heard = receiving(receive)
      return Effect.map(node.open(channel, heard), (send): Send<Message> => spoil(send, heard, node.self))
    }
  }))

const broken: ReadonlyArray<[string, string, TransportMaker]> = [
  [
    "twice what was sent",
    "a message arrives at most once",
    spoiltChannels((send) => (to, message) => {
      send(to, message)
      send(to, message)
    })
  ],
  [
    "two messages in the wrong order",
    "what one node sends another on a channel arrives in order",
    spoiltChannels((send) => {
      let kept: unknown
      return (to, message) => {
        if (message === 7) kept = message
        else send(to, message)
        if (message === 8) send(to, kept)
      }
    })
  ],
  [
    "nothing now and then",
    "what one node sends another on a channel arrives in order",
    spoiltChannels((send) => (to, message) => {
      if (message !== 1234) send(to, message)
    })
  ],
  [
    "messages to itself inside send",
    "a handler never runs inside send, nor inside another handler",
    spoiltChannels((send, receive, self) => (to, message) => (to === self ? receive(to, message) : send(to, message)))
  ],
  [
    "nothing to itself",
    "a node may send to itself",
    spoiltChannels((send, _, self) => (to, message) => {
      if (to !== self) send(to, message)
    })
  ],
  [
    "messages from the wrong node",
    "a message arrives where it was sent, with its sender",
    spoiltChannels(
      (send) => send,
      (receive) => (_, message) => receive("n1", message)
    )
  ],
  [
    "a stop after a handler has thrown",
    "a handler that throws costs its message and nothing else",
    spoiltChannels(
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
  ["no word of its links", "links tell when a peer comes and when it goes", spoilt(() => ({ links: Stream.never }))],
  [
    "no word of what it drops",
    "a message to an unknown node is dropped, and told",
    spoilt((node) => ({ links: Stream.filter(node.links, (event) => event._tag !== "Dropped") }))
  ],
  [
    "its nodes in the order of text",
    "a node knows itself and every other, in the order of NodeId",
    spoilt((node) => ({ nodes: node.nodes.toSorted() }))
  ],
  [
    "one handler for all channels",
    "channels are kept apart",
    spoilt((node) => {
      let first: Receive<any> | undefined
      return { open: (channel, receive) => node.open(channel, (first ??= receive)) }
    })
  ],
  [
    "messages after a channel has closed",
    "a handler gets nothing once its channel has closed",
    spoilt((node) => {
      const endless = Scope.makeUnsafe()
      return { open: (channel, receive) => Scope.provide(node.open(channel, receive), endless) }
    })
  ],
  [
    "no wait for a channel that is not open",
    "messages wait for a channel that is not open, and come before later ones",
    ({ nodes }) =>
      Effect.sync(() => {
        const network = Memory.network({ nodes, holdMessages: 3 })
        return { patience: 200, join: (self) => Memory.connect(network, self) }
      })
  ],
  [
    "a wait without a bound",
    "no more than the bound waits for a channel; the newest is dropped, and told",
    ({ nodes }) =>
      Effect.sync(() => {
        const network = Memory.network({ nodes, holdMessages: 1_000_000 })
        return { patience: 200, join: (self) => Memory.connect(network, self) }
      })
  ]
]

describe("the conformance suite finds a transport with", () => {
  for (const [what, name, make] of broken) {
    it.live(what, () =>
      Effect.gen(function* () {
        const found = conformance.find((one) => one.name === name)!
        const error = yield* Effect.flip(Effect.scoped(found.run(make)))
        expect(error).toBeInstanceOf(RuleBroken)
        expect((error as RuleBroken).rule).toBe(name)
      }).pipe(Effect.provide(Logger.layer([])))
    )
  }

  it("as many names as cases", () => {
    expect(new Set(conformance.map(({ name }) => name)).size).toBe(conformance.length)
  })
})
