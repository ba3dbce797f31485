/** Questions that are answered at another node than that of who asks. */
import { Codec } from "@troupe/transport"
import { Exit } from "effect"
import { ActorStopped, Misunderstood, type Reason, Unreachable } from "../../ActorRef.ts"
import { answersOf } from "../system/codecs.ts"
import type { Question } from "../system/envelopes.ts"
import { refusals as answerRefusals } from "../system/frames.ts"
import { answerOf } from "../system/answers.ts"
import { read } from "../system/reading.ts"
import type { Agent } from "./Agent.ts"
import { type Answering, askerOf } from "./images.ts"
import type { Movable } from "./Movable.ts"
import type { Resident } from "./Resident.ts"
import type { Word } from "./words.ts"

export class Questions {
  private readonly agent: Agent
  private lastNumber = 0
  /** Of this node, gone along with an actor, or on to it. */
  private readonly asked = new Map<number, { readonly question: Question; readonly resident: Resident }>()
  private readonly numbers = new WeakMap<Question, number>()

  constructor(agent: Agent) {
    this.agent = agent
  }

  /** Who asks, as other nodes name it. */
  name(question: Question, resident: Resident): { readonly node: string; readonly number: number } {
    const asker = askerOf(question)
    if (asker !== undefined) return asker
    let number = this.numbers.get(question)
    if (number === undefined) {
      number = ++this.lastNumber
      this.numbers.set(question, number)
      this.asked.set(number, { question, resident })
      const { onOver } = question
      question.onOver = () => {
        this.asked.delete(number!)
        onOver?.()
      }
    }
    return { node: this.agent.node, number }
  }

  /** How questions of other nodes are answered. */
  answering(messages: Movable["behavior"]["messages"]): Answering {
    return (node, number, tag, exit) => {
      if (node === this.agent.node) return this.asked.get(number)?.question.end(exit)
      const answer = answerOf(messages, tag, exit)
      if (answer !== undefined) this.sayAnswer(node, number, answer)
    }
  }

  private sayAnswer(node: string, number: number, { body, kind }: NonNullable<ReturnType<typeof answerOf>>): void {
    const bytes = Codec.encode(body.codec, body.message)
    this.agent.say(node, { _tag: "Answer", number, kind, bytes })
  }

  onAnswer({ bytes, kind, number }: Extract<Word, { readonly _tag: "Answer" }>): void {
    const asked = this.asked.get(number)
    if (asked === undefined) return
    const { question, resident } = asked
    const { messages } = resident.movable.behavior
    try {
      const codecs = answersOf(messages, question.message._tag)
      if (kind === "Reply") question.end(Exit.succeed(read(this.agent.remote, codecs.reply, { bytes })))
      else
        question.end(
          Exit.fail(read(this.agent.remote, kind === "Failure" ? codecs.failure : answerRefusals, { bytes }))
        )
    } catch (error) {
      const reason = `its answer: ${String(error)}`
      question.end(Exit.fail(new Misunderstood({ actor: question.actor.path, reason })))
    }
  }

  /** It is no more, and answers none of them. */
  endAll(resident: Resident, reason: Reason): void {
    for (const { question, resident: of } of [...this.asked.values()]) {
      if (of !== resident) continue
      const actor = question.actor.path
      const isLost = reason._tag === "Unreachable"
      question.end(Exit.fail(isLost ? new Unreachable({ actor, node: reason.node }) : new ActorStopped({ actor })))
    }
  }
}
