/**
 * What was said in a room, on this node's disk: the posts of its own users, and copies of those of the others.
 *
 * Its state is made of events, so that it is there again after a crash. A post is answered and passed on when it is on disk
 * here. What a node lacks, because it was down or a message was lost, it is sent when it says what it has: each node's posts
 * are numbered without gaps, so that one number a node says it all (anti-entropy; Demers et al., PODC 1987).
 */
import { type ActorRef, EventSourced } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import { History, inOrder, Post, RoomFull } from "./Words.ts"

/** By nodes, how many of their posts: all from the first to this one. */
export type Have = Readonly<Record<NodeId.NodeId, number>>

export interface State {
  /** In the order in which all show them. */
  readonly posts: ReadonlyArray<Post>
  readonly have: Have
}

export const empty: State = { posts: [], have: {} }

export const add = ({ have, posts }: State, post: Post): State => {
  const at = posts.findLastIndex((other) => inOrder(other, post) < 0) + 1
  return { posts: posts.toSpliced(at, 0, post), have: { ...have, [post.node]: post.number } }
}

const countOf = (have: Have, node: NodeId.NodeId): number => (Object.hasOwn(have, node) ? have[node]! : 0)

/** What somebody lacks who has so much, as much as goes into one message. */
export const missing = ({ have, posts }: State, there: Have): ReadonlyArray<Post> =>
  Object.keys(have).every((node) => countOf(there, node) >= have[node]!)
    ? []
    : posts.filter(({ node, number }) => number > countOf(there, node)).slice(0, batch)

/** Of posts that came, those that are new here, and not ahead of others that are to come before. */
export const fresh = ({ have }: State, posts: ReadonlyArray<Post>): ReadonlyArray<Post> => {
  const counts: Record<NodeId.NodeId, number> = { ...have }
  return posts.filter(({ node, number }) => {
    const isNext = number === countOf(counts, node) + 1
    if (isNext) counts[node] = number
    return isNext
  })
}

/** Posts in one message. */
const batch = 200

/** Of a room. Its users' posts are refused then; copies of what others took at the same time are not. */
const mostPosts = 10_000

export interface Options {
  readonly room: string
  readonly node: NodeId.NodeId
  readonly others: ReadonlyMap<NodeId.NodeId, ActorRef<typeof History.definition>>
  /** Is told what is on disk from now on. */
  readonly kept: (posts: ReadonlyArray<Post>) => void
}

export const history = ({
  kept,
  node,
  others,
  room
}: Options): EventSourced.EventSourced<typeof History.definition, State, Post> =>
  EventSourced.make(History, {
    log: `room/${room}`,
    event: Post,
    init: () => empty,
    apply: add,
    on: {
      Add: ({ have, posts }, { text, user }) => {
        if (posts.length >= mostPosts) return { failure: new RoomFull({ room, posts: mostPosts }) }
        const post = { time: (posts.at(-1)?.time ?? 0) + 1, node, number: countOf(have, node) + 1, user, text }
        return {
          events: [post],
          reply: post,
          after: () => {
            kept([post])
            for (const other of others.values()) other.tell({ _tag: "Copies", from: node, posts: [post] })
          }
        }
      },

      Read: ({ posts }, { last }) => ({ reply: last < 1 ? [] : posts.slice(-last) }),

      Compare: ({ have }) => ({
        after: () => {
          for (const other of others.values()) other.tell({ _tag: "Have", from: node, have })
        }
      }),

      Have: (state, { from, have }) => {
        const posts = missing(state, have)
        // Not before they are on disk: in a crash their numbers would come to stand for other posts.
        return posts.length === 0 ? {} : { after: () => others.get(from)?.tell({ _tag: "Copies", from: node, posts }) }
      },

      Copies: (state, { from, posts }) => {
        const events = fresh(state, posts)
        const have: Have = { ...state.have, ...Object.fromEntries(events.map((post) => [post.node, post.number])) }
        const isMore = posts.length === batch || posts.some((post) => post.number > countOf(have, post.node))
        return {
          events,
          after: () => {
            if (events.length > 0) kept(events)
            if (isMore) others.get(from)?.tell({ _tag: "Have", from: node, have })
          }
        }
      }
    }
  })
