/**
 * Who is in the group, drawn from who is alive: the leader hears every node and publishes numbered views.
 *
 * Each node tells the leader that it is alive, five times a second; the leader takes a node that is silent for long, or
 * comes back with a new incarnation, out of the view or into it. A view counts for a node only if it lists the node's
 * present incarnation: a node that has just come back takes no part until the others know that it is new.
 *
 * This is membership by opinion, not by agreement. A node wrongly taken for dead may still be inside a critical section
 * that the next view hands on; the fencing token is what makes that harmless.
 */
import { Actor, Membership, type Protocol } from "@troupe/actor"
import { Election } from "@troupe/election"
import { type ChannelInUse, NodeId, type Transport } from "@troupe/transport"
import { Effect, Layer, Option, Queue, Random, Schema, Stream } from "effect"

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

const Member = Schema.Struct({ node: NodeId.NodeId, incarnation: Natural })
type Member = typeof Member.Type

const Message = Schema.Union([
  /** To the leader. `view` is the latest that the node has heard of. */
  Schema.TaggedStruct("Alive", { incarnation: Natural, view: Natural }),
  /** From the leader. */
  Schema.TaggedStruct("View", { number: Natural, members: Schema.Array(Member) })
])
type Message = typeof Message.Type

type Command = { readonly _tag: "Leader"; readonly leader: NodeId.NodeId | undefined }

export interface State {
  readonly leader: NodeId.NodeId | undefined
  /** The latest view, and the highest number heard of. */
  readonly number: number
  readonly highest: number
  readonly members: ReadonlyArray<Member>
  /** On the leader: how many beats ago each node was heard, and what it said. */
  readonly heard: ReadonlyMap<
    NodeId.NodeId,
    { readonly beatsAgo: number; readonly incarnation: number; readonly view: number }
  >
  /** Beats since this node leads. */
  readonly beats: number
}

interface Options {
  readonly incarnation: number
}

export const beatMillis = 200
/** A node that is not heard for this many beats is taken for dead. */
const evictAfterBeats = 6
/** A new leader hears everybody before its first view. */
const settleBeats = 3

type Act = Protocol.Actions<Message, Protocol.View, "beat", Options>

export const protocol: Protocol.Protocol<State, Message, Command, Protocol.View, "beat", Options> = {
  name: "bank/roster",
  message: Message,

  init: () => ({ leader: undefined, number: 0, highest: 0, members: [], heard: new Map(), beats: 0 }),

  onStart: (state, act) => beat(state, act),

  onCommand: (state, { leader }) =>
    leader === state.leader ? state : { ...state, leader, beats: 0, heard: new Map() },

  onMessage: (state, from, message, act) => {
    if (message._tag === "Alive") {
      const { incarnation, view } = message
      const heard = new Map(state.heard).set(from, { beatsAgo: 0, incarnation, view })
      return { ...state, heard, highest: Math.max(state.highest, view) }
    }
    if (from !== state.leader || message.number <= state.number) return state
    return install({ ...state, highest: Math.max(state.highest, message.number) }, message, act)
  },

  onTimeout: (state, _beat, act) => beat(state, act)
}

const beat = (state: State, act: Act): State => {
  act.setTimer("beat", beatMillis)
  if (state.leader === undefined) return state
  if (state.leader !== act.self.id) {
    act.send(state.leader, { _tag: "Alive", incarnation: act.self.options.incarnation, view: state.highest })
    return state
  }
  const heard = new Map(
    [...state.heard].map(([node, said]) => [node, { ...said, beatsAgo: said.beatsAgo + 1 }] as const)
  ).set(act.self.id, { beatsAgo: 0, incarnation: act.self.options.incarnation, view: state.number })
  const next = { ...state, heard, beats: state.beats + 1 }
  return next.beats < settleBeats ? next : publish(next, act)
}

/** Publishes a new view when the members changed, and the present one to those who have not got it. */
const publish = (state: State, act: Act): State => {
  const members = act.self.nodes.flatMap((node): ReadonlyArray<Member> => {
    const said = state.heard.get(node)
    return said === undefined || said.beatsAgo > evictAfterBeats ? [] : [{ node, incarnation: said.incarnation }]
  })
  if (state.number === state.highest && state.number > 0 && sameMembers(members, state.members)) {
    for (const { node } of members) {
      if (state.heard.get(node)!.view < state.number) act.send(node, { _tag: "View", number: state.number, members })
    }
    return state
  }
  // Of two leaders that publish at the same time no two views have one number: divided by N it leaves the rank.
  const { id, nodes } = act.self
  const number = (Math.floor(state.highest / nodes.length) + 1) * nodes.length + nodes.indexOf(id)
  const view = { _tag: "View", number, members } as const
  act.sendAll(
    members.flatMap(({ node }) => (node === id ? [] : [node])),
    view
  )
  return install({ ...state, highest: number }, view, act)
}

const install = (
  state: State,
  view: { readonly number: number; readonly members: ReadonlyArray<Member> },
  act: Act
): State => {
  const isMember = view.members.some(
    ({ incarnation, node }) => node === act.self.id && incarnation === act.self.options.incarnation
  )
  if (!isMember) return state
  act.emit({ number: view.number, members: view.members.map(({ node }) => node) })
  return { ...state, number: view.number, members: view.members }
}

const sameMembers = (a: ReadonlyArray<Member>, b: ReadonlyArray<Member>): boolean =>
  a.length === b.length &&
  a.every(({ incarnation, node }, index) => node === b[index]!.node && incarnation === b[index]!.incarnation)

/** The `Membership` that the leader of the `Election` publishes. */
export const layer: Layer.Layer<Membership, ChannelInUse, Transport | Election> = Layer.effect(
  Membership,
  Effect.gen(function* () {
    const election = yield* Election
    const incarnation = yield* Random.nextIntBetween(1, Number.MAX_SAFE_INTEGER)
    const roster = yield* Actor.spawn(protocol, { options: { incarnation } })
    yield* Effect.forkScoped(
      Stream.runForEach(election.changes, (leader) =>
        Effect.sync(() =>
          roster.tell({ _tag: "Leader", leader: Option.getOrUndefined(Option.map(leader, ({ id }) => id)) })
        )
      )
    )
    return {
      views: Stream.callback<Protocol.View>(
        (queue) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              const { members, number } = roster.state()
              if (number > 0) Queue.offerUnsafe(queue, { number, members: members.map(({ node }) => node) })
              return roster.subscribe((view) => Queue.offerUnsafe(queue, view))
            }),
            (unsubscribe) => Effect.sync(unsubscribe)
          ),
        { bufferSize: 64, strategy: "sliding" }
      )
    }
  })
)
