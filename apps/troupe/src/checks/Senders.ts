/** What users of multicasts, of gossip and of replicas do where an algorithm is checked: the first two nodes send. */
import type { Protocol } from "@troupe/actor"
import { GCounter, Replicated } from "@troupe/gossip"
import type { System } from "@troupe/model-checker"

type User = System.User<any, any, number>

const senders = 2

const isSender = (nodes: ReadonlyArray<string>, node: string): boolean => nodes.indexOf(node) < senders

const empty = new Uint8Array(0)

const sending = (
  nodes: ReadonlyArray<string>,
  times: number,
  command: (node: string, count: number) => unknown
): User => ({
  memo: 0,
  moves: ({ memo, node }) =>
    memo >= times || !isSender(nodes, node)
      ? []
      : [{ _tag: "Command", command: command(node, memo + 1), memo: memo + 1 }]
})

/** Where there are views: all nodes, then all but the first, each node at any time. What was told is worth this much. */
const told = 1_000

const viewsOf = (nodes: ReadonlyArray<string>) => [
  { number: 1, members: nodes, joined: nodes },
  { number: 2, members: nodes.slice(1), joined: [] }
]

const inViews = (nodes: ReadonlyArray<string>, times: number): User => ({
  memo: 0,
  moves: ({ memo, node, state }) => {
    const moves: Array<System.Move<any, number>> = []
    const view = viewsOf(nodes)[Math.floor(memo / told)]
    const sent = memo % told
    if (view !== undefined) moves.push({ _tag: "View", view, memo: memo + told })
    if (sent < times && isSender(nodes, node) && state.view !== undefined) {
      moves.push({ _tag: "Command", command: { _tag: "Multicast", payload: `${node}.${sent + 1}` }, memo: memo + 1 })
    }
    return moves
  }
})

export const multicast = (nodes: ReadonlyArray<string>, times: number, hasViews: boolean): User =>
  hasViews
    ? inViews(nodes, times)
    : sending(nodes, times, (node, count) => ({ _tag: "Multicast", payload: `${node}.${count}` }))

export const gossip = (nodes: ReadonlyArray<string>, times: number): User =>
  sending(nodes, times, () => ({ _tag: "Publish", topic: "news", payload: empty }))

const replicas: Readonly<Record<string, (node: string, count: number) => unknown>> = {
  "gossip/replicated": () => ({ _tag: "Increment" }),
  "gossip/anti-entropy": (node, count) => ({
    _tag: "Changed",
    changes: [{ key: `${node}.${count}`, version: "1" }]
  }),
  "gossip/architecture": (node, count) => ({
    _tag: "Update",
    operation: count,
    update: { id: `${node}.${count}`, author: node, text: "" },
    order: "causal"
  })
}

const increment = (state: GCounter.GCounter, replica: string) => GCounter.increment(state, replica)

const counter = Replicated.protocolOf(GCounter.crdt)

/** Of a counter, whose commands are plain data. */
export const replicated: Protocol.Any = {
  ...(counter as Protocol.Any),
  onCommand: (state, _increment, act) => counter.onCommand(state, { _tag: "Update", mutate: increment }, act)
}

export const replica = (name: string, nodes: ReadonlyArray<string>, times: number): User =>
  sending(nodes, times, replicas[name]!)
