/**
 * A client of the store: commands go in, replies come out. Over a socket, as any Redis client, or to a replica in this
 * process, without one: what a simulated world needs.
 */
import type { Replicated } from "@troupe/replication"
import { Clock, Effect, Schema, type Scope } from "effect"
import { connect, type Socket } from "node:net"
import type { Request, Response } from "./KeyspaceMachine.ts"
import type * as Reply from "./Reply.ts"
import { ReplyReader } from "./resp/ReplyReader.ts"
import { explain } from "./server/Batcher.ts"
import * as Counters from "./server/Counters.ts"
import { Lines } from "./server/Lines.ts"
import { performed } from "./server/perform.ts"
import { Session } from "./server/Session.ts"
import { defaults, environmentOf } from "./server/Settings.ts"

/** Asks one command, given as its words, after the other. An error of the store is a reply too. */
export type Ask = (...words: ReadonlyArray<string>) => Effect.Effect<Reply.Reply, Hangup>

/** The connection is gone. What was asked may have been executed if it was `sent`. */
export class Hangup extends Schema.TaggedError<Hangup>()("Hangup", {
  isSent: Schema.Boolean,
  reason: Schema.String
}) {
  override get message(): string {
    return `The connection is gone: ${this.reason}. ${this.isSent ? "It may have been executed" : "It was not executed"}.`
  }
}

/** To a server, for as long as the scope lives. Words are bytes, a character each. */
export const open = (address: {
  readonly host: string
  readonly port: number
}): Effect.Effect<Ask, Hangup, Scope.Scope> =>
  Effect.map(Effect.acquireRelease(dial(address), hangUp), (socket) => {
    const waiting: Array<(reply: Effect.Effect<Reply.Reply, Hangup>) => void> = []
    let gone: string | undefined
    const end = (reason: string): void => {
      gone ??= reason
      socket.destroy()
      for (const resume of waiting.splice(0)) resume(Effect.fail(new Hangup({ isSent: true, reason })))
    }
    const reader = new ReplyReader()
    socket.on("data", (chunk) => {
      try {
        reader.push(chunk, (reply) => waiting.shift()?.(Effect.succeed(reply)))
      } catch (error) {
        end((error as Error).message)
      }
    })
    socket.on("error", (error) => end(error.message))
    socket.on("close", () => end("it was closed"))
    return (...words) =>
      Effect.callback((resume) => {
        if (gone !== undefined) return resume(Effect.fail(new Hangup({ isSent: false, reason: gone })))
        waiting.push(resume)
        socket.write(encode(words), "latin1")
        // Replies come in the order of asking: who gives one up gives up the connection.
        return Effect.sync(() => end("a command was given up"))
      })
  })

const dial = ({ host, port }: { readonly host: string; readonly port: number }): Effect.Effect<Socket, Hangup> =>
  Effect.callback((resume) => {
    const socket = connect({ host, port, noDelay: true })
    const refuse = (error: Error): void =>
      resume(Effect.fail(new Hangup({ isSent: false, reason: `${host}:${port}, ${error.message}` })))
    socket.once("error", refuse)
    socket.once("connect", () => {
      socket.off("error", refuse)
      resume(Effect.succeed(socket))
    })
    return hangUp(socket)
  })

const hangUp = (socket: Socket): Effect.Effect<void> => Effect.sync(() => socket.destroy())

const encode = (words: ReadonlyArray<string>): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`

/** To a replica of this process, with a conversation of its own. It never hangs up. */
export const local = (replicated: Replicated.Replicated<Request, Response>): Effect.Effect<Ask> =>
  Effect.map(Clock.currentTimeMillis, (startedAt): Ask => {
    const session = new Session(environmentOf(defaults, replicated.self, 1))
    const means = { replicated, settings: defaults, counters: Counters.make(), startedAt, lines: new Lines() }
    return (...words) =>
      Effect.suspend(() => {
        const action = session.decide([...words])
        switch (action._tag) {
          case "Answer":
            return Effect.succeed(action.reply)
          case "Quit":
            return Effect.succeed<Reply.Reply>({ _tag: "Simple", text: "OK" })
          case "Perform":
            return performed(means, action)
          case "Execute":
            return Effect.map(replicated.invoke({ steps: [action.step] }), ([reply]) =>
              action.answer === undefined ? reply! : action.answer(reply!)
            )
        }
      }).pipe(Effect.catchCause((cause) => Effect.succeed(explain(cause))))
  })
