/** What is asked of the server rather than of the keys. */
import * as Glob from "../Glob.ts"
import * as Integers from "../Integers.ts"
import { commands } from "../commands/all.ts"
import * as Reply from "../Reply.ts"
import { type Action, answer, type Conversation } from "./Action.ts"

export interface OwnCommand {
  readonly arity: number
  readonly decide: (session: Conversation, words: ReadonlyArray<string>) => Action
}

const answers = (
  arity: number,
  reply: (session: Conversation, words: ReadonlyArray<string>) => Reply.Reply
): OwnCommand => ({ arity, decide: (session, words) => answer(reply(session, words)) })

const performs = (arity: number, what: "INFO" | "WAIT"): OwnCommand => ({
  arity,
  decide: (_, words) => ({ _tag: "Perform", what, words })
})

const wrongPassword = Reply.failure("WRONGPASS invalid username-password pair or user is disabled.")

const authenticate = (session: Conversation, user: string, password: string): Reply.Reply => {
  if (session.environment.password === undefined) {
    return Reply.failure(
      "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
    )
  }
  return user === "default" && session.authenticate(password) ? Reply.ok : wrongPassword
}

const auth = (session: Conversation, words: ReadonlyArray<string>): Reply.Reply => {
  if (words.length > 3) return Reply.syntaxError
  return words.length === 3 ? authenticate(session, words[1]!, words[2]!) : authenticate(session, "default", words[1]!)
}

const hello = (session: Conversation, words: ReadonlyArray<string>): Reply.Reply => {
  const version = words.length > 1 ? Integers.parse(words[1]!) : session.version
  if (version === undefined) return Reply.failure("ERR Protocol version is not an integer or out of range")
  if (version !== 2 && version !== 3) return Reply.failure("NOPROTO unsupported protocol version")
  let name: string | undefined
  for (let i = 2; i < words.length; i++) {
    const word = words[i]!.toUpperCase()
    if (word === "AUTH" && i + 2 < words.length) {
      const reply = authenticate(session, words[++i]!, words[++i]!)
      if (reply !== Reply.ok) return reply
    } else if (word === "SETNAME" && i + 1 < words.length) name = words[++i]!
    else return Reply.failure(`ERR Syntax error in HELLO option '${words[i]!}'`)
  }
  if (!session.isAuthenticated) {
    return Reply.failure(
      "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> " +
        "option can be used to authenticate the client and select the RESP protocol version at the same time"
    )
  }
  if (name !== undefined && !isName(name)) return badName
  if (name !== undefined) session.name = name
  session.version = version
  return Reply.mapping([
    ...pair("server", Reply.bulk("redis")),
    ...pair("version", Reply.bulk(redisVersion)),
    ...pair("proto", Reply.integer(version)),
    ...pair("id", Reply.integer(session.environment.id)),
    ...pair("mode", Reply.bulk("standalone")),
    ...pair("role", Reply.bulk("master")),
    ...pair("modules", Reply.multiple([]))
  ])
}

/** The version of Redis whose answers these are. Clients ask for it to know what they may do. */
export const redisVersion = "7.0.0"

const pair = (name: string, reply: Reply.Reply): ReadonlyArray<Reply.Reply> => [Reply.bulk(name), reply]

const badName = Reply.failure("ERR Client names cannot contain spaces, newlines or special characters.")
const isName = (name: string): boolean => /^[!-~]{0,256}$/.test(name)

const select = (_: Conversation, words: ReadonlyArray<string>): Reply.Reply => {
  const index = Integers.parse(words[1]!)
  if (index === undefined) return Reply.failure("ERR invalid DB index")
  return index === 0 ? Reply.ok : Reply.failure("ERR DB index is out of range")
}

const subcommand = (words: ReadonlyArray<string>): Reply.Reply =>
  Reply.failure(`ERR unknown subcommand '${words[1]!.slice(0, 128)}'. Try ${words[0]!} HELP.`)

const client = (session: Conversation, words: ReadonlyArray<string>): Reply.Reply => {
  switch (words[1]!.toUpperCase()) {
    case "ID":
      return Reply.integer(session.environment.id)
    case "GETNAME":
      return session.name === "" ? Reply.none : Reply.bulk(session.name)
    case "SETNAME":
      if (words.length !== 3) return wrongSubArity(words)
      if (!isName(words[2]!)) return badName
      session.name = words[2]!
      return Reply.ok
    case "SETINFO":
      return words.length === 4 ? Reply.ok : wrongSubArity(words)
    case "INFO":
      return Reply.bulk(`id=${session.environment.id} name=${session.name} db=0 resp=${session.version}\n`)
    default:
      return subcommand(words)
  }
}

const wrongSubArity = (words: ReadonlyArray<string>): Reply.Reply =>
  Reply.failure(`ERR wrong number of arguments for '${words[0]!.toLowerCase()}|${words[1]!.toLowerCase()}' command`)

const config = ({ environment }: Conversation, words: ReadonlyArray<string>): Reply.Reply => {
  if (words[1]!.toUpperCase() !== "GET") return subcommand(words)
  if (words.length < 3) return wrongSubArity(words)
  const patterns = words.slice(2).map((pattern) => pattern.toLowerCase())
  return Reply.mapping(
    Object.entries(environment.configuration)
      .filter(([name]) => patterns.some((pattern) => Glob.matches(pattern, name)))
      .flatMap(([name, value]) => pair(name, Reply.bulk(value)))
  )
}

/** First key, last key, and the step between keys. */
const positionsOf = (name: string): ReadonlyArray<number> => {
  const scope = commands.get(name)?.scope
  if (name === "WATCH") return [1, -1, 1]
  if (scope?._tag === "Each") return [1, -1, scope.width]
  return scope?._tag === "Key" || scope?._tag === "Lock" ? [1, 1, 1] : [0, 0, 0]
}

const describe = (name: string): Reply.Reply => {
  const onKeys = commands.get(name)
  const arity = onKeys?.arity ?? own.get(name)?.arity
  if (arity === undefined) return Reply.noArray
  const flags = onKeys === undefined ? [] : [Reply.simple(onKeys.writes ? "write" : "readonly")]
  return Reply.multiple([
    Reply.bulk(name.toLowerCase()),
    Reply.integer(arity),
    Reply.multiple(flags),
    ...positionsOf(name).map(Reply.integer)
  ])
}

const names = (): ReadonlyArray<string> => [...commands.keys(), ...own.keys()]

const command = (_: Conversation, words: ReadonlyArray<string>): Reply.Reply => {
  switch (words[1]?.toUpperCase()) {
    case undefined:
      return Reply.multiple(names().map(describe))
    case "INFO":
      return Reply.multiple(
        (words.length > 2 ? words.slice(2).map((name) => name.toUpperCase()) : names()).map(describe)
      )
    case "COUNT":
      return Reply.integer(names().length)
    case "LIST":
      return Reply.multiple(names().map((name) => Reply.bulk(name.toLowerCase())))
    case "DOCS":
      return Reply.mapping([])
    default:
      return subcommand(words)
  }
}

const ping = (_: Conversation, words: ReadonlyArray<string>): Reply.Reply => {
  if (words.length > 2) return Reply.failure("ERR wrong number of arguments for 'ping' command")
  return words.length === 2 ? Reply.bulk(words[1]!) : Reply.simple("PONG")
}

export const own: ReadonlyMap<string, OwnCommand> = new Map(
  Object.entries({
    PING: answers(-1, ping),
    ECHO: answers(2, (_, words) => Reply.bulk(words[1]!)),
    HELLO: answers(-1, hello),
    AUTH: answers(-2, auth),
    SELECT: answers(2, select),
    CLIENT: answers(-2, client),
    CONFIG: answers(-2, config),
    COMMAND: answers(-1, command),
    INFO: performs(-1, "INFO"),
    WAIT: performs(3, "WAIT"),
    MULTI: answers(1, (session) => session.begin()),
    DISCARD: answers(1, (session) => session.discard()),
    EXEC: { arity: 1, decide: (session) => session.execute() },
    WATCH: { arity: -2, decide: (session, words) => session.watch(words.slice(1)) },
    UNWATCH: answers(1, (session) => session.unwatch()),
    RESET: answers(1, (session) => {
      session.reset()
      session.version = 2
      session.name = ""
      session.isAuthenticated = session.environment.password === undefined
      return Reply.simple("RESET")
    }),
    QUIT: { arity: -1, decide: (): Action => ({ _tag: "Quit" }) }
  } satisfies Record<string, OwnCommand>)
)
