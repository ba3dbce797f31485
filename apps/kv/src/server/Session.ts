/**
 * What a client is to the server: whether it has said the password, the protocol that it speaks, and the transaction that
 * it has begun. Decides what is to be done with each command, and does nothing itself.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import { hasArity } from "../commands/Command.ts"
import { commands, wrongArity } from "../commands/all.ts"
import * as Reply from "../Reply.ts"
import type { Version } from "../resp/Writer.ts"
import { type Action, answer, type Conversation, type Environment } from "./Action.ts"
import { own } from "./ownCommands.ts"
import { maxCommandBytes } from "./Settings.ts"

/** A command of a transaction: one on keys, or one that the server answers itself. */
type Queued = { readonly words: ReadonlyArray<string> } | { readonly reply: () => Reply.Reply }

interface Transaction {
  readonly queued: Array<Queued>
  bytes: number
  isAborted: boolean
}

export class Session implements Conversation {
  readonly environment: Environment
  version: Version = 2
  name = ""
  isAuthenticated: boolean
  private transaction: Transaction | undefined
  private watched: Array<{ readonly key: string; readonly version: number }> = []

  constructor(environment: Environment) {
    this.environment = environment
    this.isAuthenticated = environment.password === undefined
  }

  /** `words` are the session's from now on. */
  decide(words: Array<string>): Action {
    const name = nameOf(words[0]!)
    if (!this.isAuthenticated && !open.has(name)) return answer(Reply.failure("NOAUTH Authentication required."))
    const arity = commands.get(name)?.arity ?? own.get(name)?.arity
    if (arity === undefined) return this.refuse(unknown(words))
    if (!hasArity(arity, words.length)) return this.refuse(wrongArity(name))
    words[0] = name
    if (this.transaction !== undefined && !outOfTransaction.has(name)) return this.enqueue(this.transaction, words)
    if (name === "LOCK.ACQUIRE" && words.length > 3) return { _tag: "Perform", what: name, words }
    if (commands.has(name)) return { _tag: "Execute", step: { _tag: "Run", words }, answer: undefined, alone: false }
    return own.get(name)!.decide(this, words)
  }

  authenticate(given: string): boolean {
    const { password } = this.environment
    // Digests have one length, as the comparison wants it.
    const same = password !== undefined && timingSafeEqual(digest(given), digest(password))
    if (same) this.isAuthenticated = true
    return same
  }

  begin(): Reply.Reply {
    if (this.transaction !== undefined) return Reply.failure("ERR MULTI calls can not be nested")
    this.transaction = { queued: [], bytes: 0, isAborted: false }
    return Reply.ok
  }

  discard(): Reply.Reply {
    if (this.transaction === undefined) return Reply.failure("ERR DISCARD without MULTI")
    this.reset()
    return Reply.ok
  }

  /** As if the client had just come, but for its name, its protocol and the password. */
  reset(): void {
    this.transaction = undefined
    this.watched = []
  }

  unwatch(): Reply.Reply {
    this.watched = []
    return Reply.ok
  }

  watch(keys: ReadonlyArray<string>): Action {
    if (this.transaction !== undefined) return answer(Reply.failure("ERR WATCH inside MULTI is not allowed"))
    return {
      _tag: "Execute",
      step: { _tag: "Watch", keys },
      alone: true,
      answer: (reply) => {
        if (reply._tag !== "Multiple") return reply
        keys.forEach((key, index) => this.remember(key, reply.items[index]!))
        return Reply.ok
      }
    }
  }

  execute(): Action {
    const { transaction, watched } = this
    if (transaction === undefined) return answer(Reply.failure("ERR EXEC without MULTI"))
    this.reset()
    if (transaction.isAborted) {
      return answer(Reply.failure("EXECABORT Transaction discarded because of previous errors."))
    }
    const commands = transaction.queued.flatMap((queued) => ("words" in queued ? [queued.words] : []))
    if (commands.length === 0 && watched.length === 0) return answer(merge(transaction.queued, []))
    return {
      _tag: "Execute",
      step: { _tag: "Transaction", watched, commands },
      alone: false,
      answer: (reply) => (reply._tag === "Multiple" ? merge(transaction.queued, reply.items) : reply)
    }
  }

  /** The first version that was seen is what counts. */
  private remember(key: string, version: Reply.Reply): void {
    if (version._tag !== "Integer" || this.watched.some((each) => each.key === key)) return
    this.watched.push({ key, version: version.value })
  }

  private refuse(reply: Reply.Reply): Action {
    if (this.transaction !== undefined) this.transaction.isAborted = true
    return answer(reply)
  }

  private enqueue(transaction: Transaction, words: Array<string>): Action {
    const { maxPipeline } = this.environment
    for (const word of words) transaction.bytes += word.length
    if (transaction.queued.length >= maxPipeline || transaction.bytes > maxCommandBytes) {
      return this.refuse(
        Reply.failure(`ERR a transaction has up to ${maxPipeline} commands and ${maxCommandBytes} bytes`)
      )
    }
    if (commands.has(words[0]!)) transaction.queued.push({ words })
    else if (notInTransaction.has(words[0]!)) {
      return this.refuse(Reply.failure(`ERR ${words[0]!} is not allowed in transactions`))
    } else transaction.queued.push({ reply: () => answered(own.get(words[0]!)!.decide(this, words)) })
    return queuedReply
  }
}

const queuedReply = answer(Reply.simple("QUEUED"))

const merge = (queued: ReadonlyArray<Queued>, replies: ReadonlyArray<Reply.Reply>): Reply.Reply => {
  let next = 0
  return Reply.multiple(queued.map((each) => ("words" in each ? replies[next++]! : each.reply())))
}

const answered = (action: Action): Reply.Reply => (action._tag === "Answer" ? action.reply : Reply.syntaxError)

const digest = (text: string): Buffer => createHash("sha256").update(text, "latin1").digest()

/** Most clients write names in one way: what they write is looked up before it is changed. */
const nameOf = (word: string): string => (commands.has(word) ? word : word.toUpperCase())

/** What may be asked for before the password is said. */
const open = new Set(["AUTH", "HELLO", "QUIT", "RESET"])
/** What is done at once though a transaction was begun. */
const outOfTransaction = new Set(["MULTI", "EXEC", "DISCARD", "WATCH", "QUIT", "RESET"])
const notInTransaction = new Set(["AUTH", "HELLO", "INFO", "WAIT"])

const unknown = ([name, ...args]: ReadonlyArray<string>): Reply.Reply => {
  const shown = args.map((arg) => `'${arg.slice(0, 128)}' `).join("")
  return Reply.failure(`ERR unknown command '${name!.slice(0, 128)}', with args beginning with: ${shown.slice(0, 128)}`)
}
