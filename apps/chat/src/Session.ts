/**
 * A user's session: takes the lines that the user types, and shows what happens in the room that the user is in.
 *
 * It is an actor, so that lines are taken one after the other, and what the room tells comes in between, never within. When
 * its connection ends it is stopped, and whoever watches it, such as its room, is told.
 */
import { type ActorRef, ActorSystem, type AskError, Behavior } from "@troupe/actor"
import { Effect } from "effect"
import {
  type History,
  isName,
  type Person,
  type Post,
  type Room,
  type RoomFull,
  Rooms,
  type Screen,
  Session,
  troubleOf
} from "./Words.ts"

interface Entered {
  readonly name: string
  readonly room: ActorRef<typeof Room.definition>
  readonly history: ActorRef<typeof History.definition>
  /** Why what was said in it last could not be kept here, if it could not. */
  readonly trouble: string | undefined
}

interface State {
  readonly entered: Entered | undefined
}

type Self = Behavior.Self<typeof Session.definition>

const help = [
  "* /join <room>   enter a room, and leave the one before",
  "* /who           who is in it, and on which node",
  "* /history [n]   the last n posts of it, 20 by default",
  "* /leave, /quit",
  "* Anything else is a post. It is shown, with its number, when it is on disk."
]

/** Characters of a post. */
const longest = 2_000

/** Lines that wait for it; of more, the oldest are left out. */
const capacity = 10_000

const postLine = ({ node, text, time, user }: Post): string => `[${time} ${node}] ${user}: ${text}`

const personLine = ({ node, user }: Person): string => `${user}@${node}`

/** What a history does not answer, while its disk does not do as it should. */
const inTrouble = (
  lines: Effect.Effect<ReadonlyArray<string>, RoomFull | AskError>,
  what: string,
  trouble: string | undefined
) => {
  const tell = (why: string) => Effect.succeed([`! That ${what}: ${why}`])
  return lines.pipe(
    Effect.catchTag("HandlerFailed", ({ cause }) => tell(troubleOf(cause))),
    Effect.catchTag("AskTimeout", (late) => tell(trouble ?? late.message))
  )
}

export const session = (
  user: string,
  screen: Screen
): Behavior.Behavior<typeof Session.definition, ActorSystem.ActorSystem> => {
  const { show } = screen

  const join = (state: State, name: string, self: Self) =>
    Effect.gen(function* () {
      if (!isName(name)) {
        show([`! "${name}" is no name of a room: up to 32 letters, digits, - and _`])
        return state
      }
      const system = yield* ActorSystem.ActorSystem
      const rooms = yield* system.at(Rooms, "rooms")
      const room = yield* rooms.ask({ _tag: "Open", room: name })
      const history = yield* room.ask({ _tag: "Enter", session: self.ref })
      // Who is refused there stays here.
      if (state.entered?.name !== name) state.entered?.room.tell({ _tag: "Leave", session: self.ref })
      show([`* You are in ${name}. /help tells what you can do.`])
      const next = { entered: { name, room, history, trouble: undefined } }
      return yield* orElse(next, who(next))
    })

  /** What a user asked for in vain ends nothing. What was not answered in time may have been done. */
  const orElse = <R>(state: State, asked: Effect.Effect<State, { readonly message: string }, R>) =>
    Effect.catch(asked, ({ message }) => Effect.sync(() => (show([`! ${message}`]), state)))

  const leave = (state: State, self: Self) =>
    inRoom(state, ({ name, room }) => {
      room.tell({ _tag: "Leave", session: self.ref })
      return Effect.succeed([`* You have left ${name}`])
    }).pipe(Effect.as<State>({ entered: undefined }))

  const inRoom = <E, R>(state: State, then: (entered: Entered) => Effect.Effect<ReadonlyArray<string>, E, R>) =>
    Effect.gen(function* () {
      show(state.entered === undefined ? ["! You are in no room. /join one"] : yield* then(state.entered))
      return state
    })

  const who = (state: State) =>
    inRoom(state, ({ name, room }) =>
      Effect.map(room.ask({ _tag: "Who" }), (people) => [`* In ${name}: ${people.map(personLine).join(", ")}`])
    )

  const read = (state: State, words: string) =>
    inRoom(state, ({ history, name, trouble }) => {
      const last = words === "" ? 20 : Number(words)
      if (!Number.isSafeInteger(last) || last < 1) return Effect.succeed([`! /history takes a number, not "${words}"`])
      const posts = Effect.map(history.ask({ _tag: "Read", last }), (posts) => [
        ...posts.map(postLine),
        `* ${posts.length} posts of ${name}`
      ])
      return inTrouble(posts, "cannot be read", trouble)
    })

  /** Its room shows it, once it is on disk. */
  const say = (state: State, text: string) =>
    inRoom(state, ({ history, trouble }) => {
      if (text.length > longest) return Effect.succeed([`! A post has up to ${longest} characters`])
      return inTrouble(Effect.as(history.ask({ _tag: "Add", user, text }), []), "may be lost", trouble)
    })

  const obey = (
    state: State,
    line: string,
    self: Self
  ): Effect.Effect<State, { readonly message: string }, ActorSystem.ActorSystem> => {
    const [, command, words = ""] = /^\/(\S+)\s*(.*)$/.exec(line) ?? []
    switch (command) {
      case undefined:
        return line === "" ? Effect.succeed(state) : say(state, line)
      case "join":
        return join(state, words.trim(), self)
      case "who":
        return who(state)
      case "history":
        return read(state, words.trim())
      case "leave":
        return leave(state, self)
      case "quit":
        return Effect.sync(() => (self.stop(), state))
      case "help":
        return Effect.sync(() => (show(help), state))
      default:
        return Effect.sync(() => (show([`! There is no /${command}. /help tells what there is`]), state))
    }
  }

  return Behavior.effect(Session, {
    mailbox: { capacity, onFull: "drop-oldest" },
    init: () => Effect.succeed<State>({ entered: undefined }),
    on: {
      Typed: (state, { line }, self) =>
        Effect.map(orElse(state, obey(state, line.trim(), self)), (next) => ({ state: next, reply: undefined })),

      Said: (state, { posts, room }) =>
        Effect.sync(() => {
          if (state.entered?.name === room) show(posts.map(postLine))
          return state
        }),

      Moved: (state, { came, gone, room }) =>
        Effect.sync(() => {
          if (state.entered?.name !== room) return state
          show([
            ...came.map((person) => `* ${personLine(person)} is here`),
            ...gone.map((person) => `* ${personLine(person)} is gone`)
          ])
          return state
        }),

      Unkept: (state, { room, why }) =>
        Effect.sync(() => {
          const { entered } = state
          if (entered?.name !== room) return state
          if (why === undefined) show([`* What is said in ${room} is kept again`])
          else show([`! What was said in ${room} could not be kept here: ${why}. It goes on when that is done`])
          return { entered: { ...entered, trouble: why } }
        })
    },
    onStop: () => screen.end()
  })
}
