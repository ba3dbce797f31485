/**
 * Chang–Roberts: nodes in a ring, each of which can send to the next only, elect the one with the smallest identity.
 *
 * Whoever wants an election sends its identity round. A node that wants one itself lets smaller identities pass, after which
 * it has lost, and swallows larger ones; a node that does not lets all pass. So only one identity comes back to where it
 * started: the smallest of those that were sent. On average that takes O(N log N) messages, at worst O(N²).
 *
 * Messages may overtake each other, and any number of nodes, or none, may want the election.
 *
 * Source: E. Chang, R. Roberts, "An Improved Algorithm for Decentralized Extrema-Finding in Circular Configurations of
 * Processes", CACM 22(5), 1979 (there the largest wins).
 */
import { Model, Property } from "@troupe/model-checker"
import * as Example from "./Example.ts"

// ---------------------------------------------------------------------------------------------------------------- state

/** Nodes are numbered from 0; the number is also the identity. */
export interface Node {
  readonly initiator: boolean
  readonly started: boolean
  /** A candidate until a smaller identity passes, or its own comes back. */
  readonly role: "candidate" | "lost" | "won"
  /** Identities that have come and wait to be looked at: a bit each. */
  readonly waiting: number
}

export type State = ReadonlyArray<Node>

export type Action =
  | { readonly _tag: "Start"; readonly node: number }
  | { readonly _tag: "Receive"; readonly node: number; readonly identity: number }

// ------------------------------------------------------------------------------------------------------------ the steps

const actionsOf = (state: State): ReadonlyArray<Action> =>
  state.flatMap(({ started, waiting }, node): ReadonlyArray<Action> => {
    if (!started) return [{ _tag: "Start", node }]
    const actions: Array<Action> = []
    for (let identity = 0; identity < state.length; identity++) {
      if ((waiting & (1 << identity)) !== 0) actions.push({ _tag: "Receive", node, identity })
    }
    return actions
  })

const next = (state: State, action: Action): State =>
  action._tag === "Start" ? start(state, action.node) : receive(state, action.node, action.identity)

const start = (state: State, at: number): State => {
  const node = state[at]!
  const started = state.with(at, { ...node, started: true })
  return node.initiator ? send(started, at, at) : started
}

const receive = (state: State, at: number, identity: number): State => {
  const node = state[at]!
  const taken = { ...node, waiting: node.waiting & ~(1 << identity) }
  if (node.role === "lost") return send(state.with(at, taken), at, identity)
  if (identity < at) return send(state.with(at, { ...taken, role: "lost" }), at, identity)
  return state.with(at, identity === at ? { ...taken, role: "won" } : taken)
}

/** Hands an identity to the next node in the ring. */
const send = (state: State, from: number, identity: number): State => {
  const to = (from + 1) % state.length
  const node = state[to]!
  return state.with(to, { ...node, waiting: node.waiting | (1 << identity) })
}

const describe = (action: Action): string =>
  action._tag === "Start" ? `node ${action.node + 1} starts` : `node ${action.node + 1} takes ${action.identity + 1}`

// ------------------------------------------------------------------------------------------------------------ the model

/** Every set of nodes may be those that want the election. */
const firstStates = (nodes: number): ReadonlyArray<State> =>
  Array.from({ length: 2 ** nodes }, (_, initiators) =>
    Array.from({ length: nodes }, (_, node): Node => {
      const initiator = (initiators & (1 << node)) !== 0
      return { initiator, started: false, role: initiator ? "candidate" : "lost", waiting: 0 }
    })
  )

export const model = ({ nodes }: { readonly nodes: number }): Model.Checkable<State> =>
  Model.make<State, Action>({
    name: `Chang–Roberts, ${nodes} nodes`,
    init: firstStates(nodes),
    actions: actionsOf,
    next,
    describe,
    properties: [
      Property.always("the smallest wins", (state) =>
        state.every(({ role }, node) => role !== "won" || state.findIndex((each) => each.initiator) === node)
      ),
      Property.sometimes("a node wins", (state) => state.some(({ role }) => role === "won"))
    ]
  })

export const example = Example.make({
  name: "chang-roberts",
  title: "Chang–Roberts",
  summary: "Nodes in a ring elect the smallest of those that ask: identities go round, and larger ones are swallowed.",
  paper: {
    authors: "Ernest Chang, Rosemary Roberts",
    title: "An Improved Algorithm for Decentralized Extrema-Finding in Circular Configurations of Processes",
    venue: "CACM 22(5)",
    year: 1979
  },
  flags: [{ name: "nodes", default: 3, minimum: 1, maximum: 12, description: "nodes in the ring" }],
  model,
  knownCounts: [
    { values: { nodes: 3 }, uniqueStates: 137 },
    { values: { nodes: 4 }, uniqueStates: 823 },
    { values: { nodes: 5 }, uniqueStates: 5_455 }
  ]
})
