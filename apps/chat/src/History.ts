/**
 * What was said in a room, on this node's disk: the posts of its own users, and copies of those of the others.
 *
 * Its state is made of events, so that it is there again after a crash. A post is answered and passed on when it is on disk
 * here. What a node lacks, because it was down or a message was lost, it is sent when it says what it has: each node's posts
 * are numbered without gaps, so that one number a node says it all (anti-entropy; Demers et al., PODC 1987).
 */
import { type ActorRef, EventSourced } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import { type Have, History, inOrder, Post, RoomFull } from "./Words.ts"

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

export const withPosts = (have: Have, posts: ReadonlyArray<Post>): Have => ({
  ...have,
  ...Object.fromEntries(posts.map((post) => [post.node, post.number]))
})

/** What somebody lacks who has so much, as much as goes into one message. */
export const missing = ({ have, posts }: State, there: Have): ReadonlyArray<Post> =>
  Object.keys(have).every((node) => countOf(there, node) >= have[node]!)
    ? []
    : posts.filter(({ node, number }) => number > countOf(there, node)).slice(0, batch)

/** Of posts that came, those that are new here, and not ahead of others that are to come before. */
export const fresh = (have: Have, posts: ReadonlyArray<Post>): ReadonlyArray<Post> => {
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
  /** Is told of posts that are on disk now, and of all that are; of these also at the start. */
  readonly kept: (posts: ReadonlyArray<Post>, have: Have) => void
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
    onStart: ({ have }) => kept([], have),
    on: {
      Add: ({ have, posts }, { text, user }) => {
        if (posts.length >= mostPosts) return { failure: new RoomFull({ room, posts: mostPosts }) }
        const post = { time: (posts.at(-1)?.time ?? 0) + 1, node, number: countOf(have, node) + 1, user, text }
        return {
          events: [post],
          reply: post,
          after: () => {
            kept([post], { ...have, [node]: post.number })
            for (const other of others.values()) other.tell({ _tag: "Copies", from: node, posts: [post] })
          }
        }
      },

      Read: ({ posts }, { last }) => ({ reply: last < 1 ? [] : posts.slice(-last) }),

      Compare: (state, { shown }) => ({
        after: () => {
          const { have } = state
          // What came to the disk when that failed was not told.
          const unshown = missing(state, shown)
          if (unshown.length > 0) kept(unshown, have)
          for (const other of others.values()) other.tell({ _tag: "Have", from: node, have })
        }
      }),

      Have: (state, { from, have }) => {
        const posts = missing(state, have)
        // Not before they are on disk: in a crash their numbers would come to stand for other posts.
        return posts.length === 0 ? {} : { after: () => others.get(from)?.tell({ _tag: "Copies", from: node, posts }) }
      },

      Copies: (state, { from, posts }) => {
        const events = fresh(state.have, posts)
        const have = withPosts(state.have, events)
        const isMore = posts.length === batch || posts.some((post) => post.number > countOf(have, post.node))
        return {
          events,
          after: () => {
            if (events.length > 0) kept(events, have)
            if (isMore) others.get(from)?.tell({ _tag: "Have", from: node, have })
          }
        }
      }
    }
  })
