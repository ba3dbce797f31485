/** Questions of actors here to actors of other nodes. */
import type { Codec, NodeId } from "@troupe/transport"
import { Effect, Exit } from "effect"
import { ActorStopped, type AskOptions, MailboxFull, Misunderstood, Unreachable } from "../../ActorRef.ts"
import { traceOf } from "../observed/Spans.ts"
import { answersOf, messageOf } from "./codecs.ts"
import { patienceOf } from "./envelopes.ts"
import { type Body, type Frame, refusals, type Trace, unsendable } from "./frames.ts"
import { Open, RemoteQuestion } from "./Open.ts"
import { read } from "./reading.ts"
import type { Remote } from "./Remote.ts"
import type { RemoteRef } from "./RemoteRef.ts"
import type { Written } from "./spreading.ts"

type Message = { readonly _tag: string }

type AnswerKind = "Reply" | "Failure" | "Refusal"

export class Asking {
  private readonly remote: Remote
  private readonly open = new Open()

  constructor(remote: Remote) {
    this.remote = remote
  }

  /** `body`: where others are asked the same. */
  ask(ref: RemoteRef, message: Message, options?: AskOptions, body?: Written): Effect.Effect<any, any> {
    const spans = this.remote.system.observation?.spans
    if (spans === undefined) return this.put(ref, message, options, body)
    return spans.client(ref.messages.name, ref.path, message, (span) =>
      this.put(ref, message, options, body, traceOf(span))
    )
  }

  private put(
    ref: RemoteRef,
    message: Message,
    options: AskOptions | undefined,
    body: Written | undefined,
    trace?: Trace
  ): Effect.Effect<any, any> {
    return Effect.callback((resume) => {
      const { limit, system } = this.remote
      const millis = patienceOf(options)
      if (this.open.size >= limit) return resume(Effect.fail(new MailboxFull({ actor: ref.path, capacity: limit })))
      const question = new RemoteQuestion(message, ref, this.open)
      question.resume = resume
      const error = this.pose(question, millis, body, trace)
      if (error !== undefined) {
        this.open.delete(question.id)
        return resume(Effect.fail(unsendable(ref.path, message._tag, error)))
      }
      if (millis < Infinity && !question.isOver) system.patience(millis).add(question)
      return Effect.sync(() => question.end(Exit.interrupt()))
    })
  }

  /** Returns why it could not be written. */
  private pose(
    question: RemoteQuestion,
    millis: number,
    given: Written | undefined,
    trace: Trace | undefined
  ): unknown {
    const { id, message, ref } = question
    const { messages, node, target } = ref
    // None is for as long as it takes.
    const most = Number.isFinite(millis) ? Math.max(1, Math.ceil(millis)) : 0
    try {
      const body = given === undefined ? { codec: messageOf(messages), message } : given(ref)
      const frame: Frame = { kind: "Ask", id, millis: most, target, name: messages.name, body }
      return this.remote.send(node, trace === undefined ? frame : { ...frame, trace })
    } catch (error) {
      return error
    }
  }

  /** By which an answer is read: of a question that is open. */
  codecOf(id: number, kind: AnswerKind): Codec.Codec<any> | undefined {
    const question = this.open.get(id)
    return question && codecOf(question, kind)
  }

  answered(id: number, kind: AnswerKind, body: Body): void {
    const question = this.open.get(id)
    if (question === undefined) return
    let answer: unknown
    try {
      answer = read(this.remote, codecOf(question, kind), body)
    } catch (error) {
      const reason = `its answer: ${String(error)}`
      return question.end(Exit.fail(new Misunderstood({ actor: question.ref.path, reason })))
    }
    question.end(kind === "Reply" ? Exit.succeed(answer) : Exit.fail(isNobody(answer) ? stopped(question) : answer))
  }

  /** Nobody at that node answers any more. */
  unanswered(node: NodeId.NodeId): void {
    for (const question of this.open.all()) {
      const { ref } = question
      if (ref.node === node) question.end(Exit.fail(new Unreachable({ actor: ref.path, node })))
    }
  }
}

/** There was no actor to give itself a name. */
const isNobody = (answer: unknown): boolean => answer instanceof ActorStopped && answer.actor === ""

const stopped = ({ ref }: RemoteQuestion): ActorStopped => new ActorStopped({ actor: ref.path })

const codecOf = ({ message, ref }: RemoteQuestion, kind: AnswerKind): Codec.Codec<any> => {
  if (kind === "Refusal") return refusals
  const { failure, reply } = answersOf(ref.messages, message._tag)
  return kind === "Reply" ? reply : failure
}
