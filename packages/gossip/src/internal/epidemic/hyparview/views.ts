/** What HyParView's nodes say to each other and know: their views, and how these change. */
import type { Protocol } from "@troupe/actor"
import { NodeId } from "@troupe/transport"
import { Schema } from "effect"
import { isMember, pick } from "../roster.ts"
import type { Options } from "./options.ts"

const Ttl = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 64 }))
const Names = Schema.Array(NodeId.NodeId).check(Schema.isMaxLength(256))

export const Message = Schema.Union([
  /** "I am new: take me in." */
  Schema.TaggedStruct("Join", {}),
  /** "`node` is new", on a walk of `ttl` more steps. */
  Schema.TaggedStruct("ForwardJoin", { node: NodeId.NodeId, ttl: Ttl }),
  /** "Be my neighbour." Of high priority: "I have no other". */
  Schema.TaggedStruct("Neighbour", { priority: Schema.Literals(["high", "low"]) }),
  /** "I am", or "I have enough". */
  Schema.TaggedStruct("Answer", { accepted: Schema.Boolean }),
  /** "I am your neighbour no more." */
  Schema.TaggedStruct("Disconnect", {}),
  /** "Here are some names, of `origin`'s", on a walk of `ttl` more steps. */
  Schema.TaggedStruct("Shuffle", { origin: NodeId.NodeId, ttl: Ttl, nodes: Names }),
  /** "And here are some of mine." */
  Schema.TaggedStruct("ShuffleReply", { nodes: Names }),
  /** "I am here." */
  Schema.TaggedStruct("KeepAlive", {})
])
export type Message = typeof Message.Type

/** The neighbours are these now. */
export interface Event {
  readonly _tag: "Neighbours"
  readonly nodes: ReadonlyArray<NodeId.NodeId>
}

export interface Neighbour {
  readonly node: NodeId.NodeId
  /** When it was last heard of, by the monotonic clock. */
  readonly heardMillis: number
}

export interface State {
  /** At most `activeSize`. */
  readonly active: ReadonlyArray<Neighbour>
  /** At most `passiveSize`, none of them active. */
  readonly passive: ReadonlyArray<NodeId.NodeId>
  /** Who was asked to be a neighbour, and has not answered. */
  readonly asked: NodeId.NodeId | undefined
  /** What the last shuffle said: it goes first where room is needed for its reply. */
  readonly shuffled: ReadonlyArray<NodeId.NodeId>
}

export type Timer = "keepAlive" | "shuffle" | "answer" | "mix"

export type Act = Protocol.Actions<Message, Event, Timer, Options>

export const isActive = ({ active }: State, node: NodeId.NodeId): boolean => active.some((each) => each.node === node)

export const heardOf = (state: State, from: NodeId.NodeId, act: Act): State => {
  const at = state.active.findIndex(({ node }) => node === from)
  return at < 0 ? state : { ...state, active: state.active.with(at, { node: from, heardMillis: act.monotonic() }) }
}

const told = (state: State, act: Act): State => {
  act.emit({ _tag: "Neighbours", nodes: state.active.map(({ node }) => node) })
  return state
}

/** With one more neighbour. Where the view is full, a random one of it goes. */
export const withActive = (state: State, node: NodeId.NodeId, act: Act): State => {
  if (node === act.self.id || isActive(state, node) || !isMember(act.self, node)) return state
  const next = state.active.length >= act.self.options.activeSize ? dropOne(state, act) : state
  return told(
    {
      ...next,
      active: [...next.active, { node, heardMillis: act.monotonic() }],
      passive: next.passive.filter((each) => each !== node)
    },
    act
  )
}

const dropOne = (state: State, act: Act): State => {
  const { node } = state.active[Math.floor(act.random() * state.active.length)]!
  act.send(node, { _tag: "Disconnect" })
  return withPassive({ ...state, active: state.active.filter((each) => each.node !== node) }, [node], [], act)
}

export const without = (state: State, node: NodeId.NodeId, act: Act): State =>
  told({ ...state, active: state.active.filter((each) => each.node !== node) }, act)

/** With these names too. Where there is no room, `first` go, and then any. */
export const withPassive = (
  state: State,
  nodes: ReadonlyArray<NodeId.NodeId>,
  first: ReadonlyArray<NodeId.NodeId>,
  act: Act
): State => {
  const { id, options } = act.self
  const passive = state.passive.slice()
  for (const node of nodes) {
    if (node === id || passive.includes(node) || isActive(state, node) || !isMember(act.self, node)) continue
    if (passive.length >= options.passiveSize) {
      const told = passive.findIndex((each) => first.includes(each))
      passive.splice(told >= 0 ? told : Math.floor(act.random() * passive.length), 1)
    }
    passive.push(node)
  }
  return { ...state, passive }
}

/** Up to `count` neighbours, but for `except`, at random. */
export const some = (state: State, count: number, except: NodeId.NodeId | undefined, act: Act) =>
  pick(
    state.active.map(({ node }) => node),
    count,
    (node) => node === except,
    () => act.random()
  )
