/**
 * What the actors of the chat say to each other.
 *
 * Those of several nodes speak with their counterparts, in messages that say how things stand: each is sent again and
 * again, so that it does no harm when one is lost, and a node that comes back learns all that it missed.
 */
import { ActorSystem, Messages } from "@troupe/actor"
import { StorageFailed, StorageFull } from "@troupe/storage"
import { NodeId } from "@troupe/transport"
import { Order, Schema } from "effect"

/** Of rooms and users. */
export const Name = Schema.String.check(Schema.isPattern(/^[\p{L}\p{N}][\p{L}\p{M}\p{N}_-]{0,31}$/u))

export const isName = Schema.is(Name)

// ----------------------------------------------------------------------------------------------------- posts and people

export const Post = Schema.Struct({
  /** Later than all that its node had of the room when it was made (Lamport 1978). */
  time: Schema.Int,
  /** Whose user said it. */
  node: NodeId.NodeId,
  /** Its place among the posts of its node in the room: from 1, without gaps. */
  number: Schema.Int,
  user: Schema.String,
  text: Schema.String
})
export type Post = typeof Post.Type

/** The order in which all nodes show them: an answer comes after what it answers. */
export const inOrder: Order.Order<Post> = (a, b) => Order.Number(a.time, b.time) || NodeId.Order(a.node, b.node)

/** By nodes, how many of their posts in a room: all from the first to this one. */
export const Have = Schema.Record(Schema.String, Schema.Int)
export type Have = typeof Have.Type

/** A user in a room. */
export const Person = Schema.Struct({ user: Schema.String, node: NodeId.NodeId })
export type Person = typeof Person.Type

// ------------------------------------------------------------------------------------------------------------ a session

export const Session = Messages.make("session", {
  /** By its user. Answered when it is done, whatever came of it. */
  Typed: Messages.ask({ line: Schema.String }, { reply: Schema.Void }),
  /** In its room, and on disk here. */
  Said: Messages.tell({ room: Schema.String, posts: Schema.Array(Post) }),
  /** Who came into its room and who went, as far as is known here. */
  Moved: Messages.tell({ room: Schema.String, came: Schema.Array(Person), gone: Schema.Array(Person) }),
  /** What was said in its room could not be kept here; without a reason, it can again. */
  Unkept: Messages.tell({ room: Schema.String, why: Schema.UndefinedOr(Schema.String) })
})

/** Where a session shows its lines. It is of this process, and never leaves it. */
export interface Screen {
  readonly show: (lines: ReadonlyArray<string>) => void
  /** The session is over. */
  readonly end: () => void
}

const Screen: Schema.Codec<Screen> = Schema.declare(
  (given: unknown): given is Screen => typeof given === "object" && given !== null
)

/** Somebody cannot come in. */
export class UserRefused extends Schema.TaggedError<UserRefused>()("UserRefused", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

export const Users = Messages.make("users", {
  Connect: Messages.ask(
    { user: Schema.String, screen: Screen },
    { reply: ActorSystem.Ref(Session), failure: UserRefused }
  ),
  Gone: Messages.tell({ user: Schema.String })
})

/** What is wrong with a disk, and what to do. */
export const troubleOf = (failure: unknown): string => {
  if (failure instanceof StorageFull) return `the disk of this node is full (${failure.detail}). Make room on it`
  if (failure instanceof StorageFailed) return `the disk of this node fails (${failure.detail}). Mend it`
  return failure instanceof Error ? failure.message.replace(/\.$/, "") : String(failure)
}

// --------------------------------------------------------------------------------------------------------------- a room

/** A room has as many posts as it can have. */
export class RoomFull extends Schema.TaggedError<RoomFull>()("RoomFull", {
  room: Schema.String,
  posts: Schema.Int
}) {
  override get message(): string {
    return `${this.room} is full: it has ${this.posts} posts. Go on in another room`
  }
}

/** What was said in a room: each node has all of it on its own disk. */
export const History = Messages.make("history", {
  /** Answered when it is on disk here. */
  Add: Messages.ask({ user: Schema.String, text: Schema.String }, { reply: Post, failure: RoomFull }),
  /** The last ones, in order. */
  Read: Messages.ask({ last: Schema.Int }, { reply: Schema.Array(Post) }),
  /** It is time to compare with the others, and with what its room has shown. */
  Compare: Messages.tell({ shown: Have }),
  /** That node has as many posts of each node. */
  Have: Messages.tell({ from: NodeId.NodeId, have: Have }),
  /** Posts that this node may lack, those of each node in the order of their numbers. */
  Copies: Messages.tell({ from: NodeId.NodeId, posts: Schema.Array(Post) })
})

/** A room cannot be opened, or entered. */
export class RoomRefused extends Schema.TaggedError<RoomRefused>()("RoomRefused", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

export const Room = Messages.make("room", {
  Enter: Messages.ask({ session: ActorSystem.Ref(Session) }, { reply: ActorSystem.Ref(History), failure: RoomRefused }),
  Leave: Messages.tell({ session: ActorSystem.Ref(Session) }),
  Who: Messages.ask({}, { reply: Schema.Array(Person) }),
  /** Who is in it, on all nodes. */
  Present: Messages.tell({ sessions: Schema.Array(ActorSystem.Ref(Session)) }),
  /** Posts that are on disk here by now, and all that are. */
  Kept: Messages.tell({ posts: Schema.Array(Post), have: Have }),
  /** Its history has failed, and begins again. */
  Failed: Messages.tell({ why: Schema.String }),
  Tick: Messages.tell({})
})

export const Rooms = Messages.make("rooms", {
  Open: Messages.ask({ room: Schema.String }, { reply: ActorSystem.Ref(Room), failure: RoomRefused }),
  /** By another node: these are open there. */
  AreOpen: Messages.tell({ rooms: Schema.Array(Schema.String) }),
  Tick: Messages.tell({})
})
