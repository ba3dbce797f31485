import { Cause, Exit, Option, Schema } from "effect"
import type { AskError } from "../../ActorRef.ts"
import { type Ask, isAsk, type Messages } from "../../Messages.ts"
import { answersOf } from "./codecs.ts"
import { Refusal, refusals, type Unwritten } from "./frames.ts"

/** What is answered, as others are to read it; nothing where who asked has had enough by itself. */
export const answerOf = (
  messages: Messages<any>,
  tag: string,
  exit: Exit.Exit<any, any>
): { readonly kind: "Reply" | "Failure" | "Refusal"; readonly body: Unwritten } | undefined => {
  if (Exit.isSuccess(exit)) {
    return { kind: "Reply", body: { codec: answersOf(messages, tag).reply, message: exit.value } }
  }
  const failure = Option.getOrUndefined(Cause.findErrorOption(exit.cause)) as AskError | undefined
  if (failure?._tag === "AskTimeout") return undefined
  const refusal = isRefusal(failure) ? failure : undefined
  return refusal === undefined && isAsk(messages.definition[tag] as Ask)
    ? { kind: "Failure", body: { codec: answersOf(messages, tag).failure, message: failure } }
    : { kind: "Refusal", body: { codec: refusals, message: refusal } }
}

/** Not of the actor's own, but of what keeps it from answering. */
export const isRefusal = Schema.is(Refusal)
