import { type Command, hasArity } from "./Command.ts"
import { keyCommands } from "./keys.ts"
import { locks } from "./locks.ts"
import { scripts } from "./scripts.ts"
import { strings } from "./strings.ts"
import * as Reply from "../Reply.ts"
import type { View } from "../View.ts"

/** By their names, in capitals. */
export const commands: ReadonlyMap<string, Command> = new Map(
  Object.entries({ ...strings, ...keyCommands, ...locks, ...scripts })
)

/** The command that these words ask for; none where there is no such command, or not with so many words. */
export const commandOf = (words: ReadonlyArray<string>): Command | undefined => {
  const command = commands.get(words[0]!)
  return command !== undefined && hasArity(command.arity, words.length) ? command : undefined
}

export const run = (view: View, words: ReadonlyArray<string>): Reply.Reply => {
  const command = commandOf(words)
  if (command !== undefined) return command.execute(view, words.slice(1))
  return commands.has(words[0]!) ? wrongArity(words[0]!) : Reply.failure(`ERR unknown command '${words[0] ?? ""}'`)
}

export const wrongArity = (name: string): Reply.Reply =>
  Reply.failure(`ERR wrong number of arguments for '${name.toLowerCase()}' command`)
