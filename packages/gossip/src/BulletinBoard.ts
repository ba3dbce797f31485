/**
 * A bulletin board, as an application of the gossip architecture: posts, and replies to posts.
 *
 * Who replies has read the post, so the reply depends on it, and no replica shows a reply before its post. Posts that
 * nobody had read of each other come in different orders at different replicas.
 *
 * @example
 * import { BulletinBoard } from "@troupe/gossip"
 *
 * const { application } = BulletinBoard
 * const board = [
 *   { id: "1", author: "ann", text: "Is the bridge open?" },
 *   { id: "2", author: "bob", text: "Since noon.", replyTo: "1" }
 * ].reduce(application.apply, application.empty)
 * console.log(BulletinBoard.repliesWithoutPost(board)) // []
 * console.log(application.query(board, { after: 1 }).map(({ text }) => text)) // [ 'Since noon.' ]
 */
import { Schema } from "effect"
import type { Application } from "./internal/architecture/application.ts"

export const Post = Schema.Struct({
  /** Who writes a post names it, as no other is named. */
  id: Schema.String,
  author: Schema.String,
  text: Schema.String,
  /** The post that it answers. */
  replyTo: Schema.optionalKey(Schema.String)
})
export type Post = typeof Post.Type

/** In the order in which they came to this replica. */
export type Board = ReadonlyArray<Post>

/** The posts that came after the first `after`. */
export const Read = Schema.Struct({ after: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)) })
export type Read = typeof Read.Type

const byId = (board: Board): ReadonlyArray<Post> => board.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))

/** Whether two boards have the same posts. */
const equals = (first: Board, second: Board): boolean => {
  if (first.length !== second.length) return false
  const others = byId(second)
  return byId(first).every(({ id, text }, i) => id === others[i]!.id && text === others[i]!.text)
}

export const application: Application<Board, Post, Read, Board> = {
  name: "board",
  empty: [],
  values: Schema.Array(Post),
  updates: Post,
  queries: Read,
  answers: Schema.Array(Post),
  apply: (board, post) => [...board, post],
  query: (board, { after }) => board.slice(after),
  equals
}

/** Replies that come before their post, or without it: none, on any replica, at any time. */
export const repliesWithoutPost = (board: Board): ReadonlyArray<Post> => {
  const seen = new Set<string>()
  return board.filter(({ id, replyTo }) => {
    seen.add(id)
    return replyTo !== undefined && !seen.has(replyTo)
  })
}
