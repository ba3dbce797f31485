import type { NodeId } from "@troupe/transport"
import { Effect, Inspectable } from "effect"
import type { ActorRef, AskOptions, MessageTooLarge, Misunderstood } from "../../ActorRef.ts"
import type { Messages } from "../../Messages.ts"
import { messageOf } from "./codecs.ts"
import { traceHere } from "../observed/Spans.ts"
import { type Body, type Frame, type Target, unsendable } from "./frames.ts"
import type { Remote } from "./Remote.ts"
import type { Written } from "./spreading.ts"

/** An actor of another node, or of an earlier life of one. */
export class RemoteRef implements ActorRef<any> {
  readonly remote: Remote
  readonly messages: Messages<any>
  readonly node: NodeId.NodeId
  readonly target: Target
  readonly path: string

  constructor(remote: Remote, messages: Messages<any>, node: NodeId.NodeId, target: Target) {
    this.remote = remote
    this.messages = messages
    this.node = node
    this.target = target
    this.path = `${node}:${target.path}`
  }

  /** In traces and logs. */
  toJSON(): unknown {
    return { actor: this.path }
  }

  /** Where it is printed, instead of all that it holds. */
  [Inspectable.NodeInspectSymbol](): string {
    return `ActorRef(${this.path})`
  }

  tell(message: unknown): void {
    this.put(message, { codec: messageOf(this.messages), message })
  }

  /** The same, where others are told it too. */
  tellWritten(message: unknown, written: Written): void {
    let body: Body
    try {
      body = written(this)
    } catch (error) {
      throw this.unsendable(message, error)
    }
    this.put(message, body)
  }

  private put(message: unknown, body: Body): void {
    const { messages, remote, target } = this
    const frame: Frame = { kind: "Tell", target, name: messages.name, body }
    const trace = remote.system.observation?.spans === undefined ? undefined : traceHere()
    const unwritten = remote.send(this.node, trace === undefined ? frame : { ...frame, trace })
    if (unwritten !== undefined) throw this.unsendable(message, unwritten)
  }

  private unsendable(message: unknown, error: unknown): MessageTooLarge | Misunderstood {
    return unsendable(this.path, (message as { readonly _tag: string })._tag, error)
  }

  send(message: unknown): Effect.Effect<void, MessageTooLarge | Misunderstood> {
    return Effect.try({
      try: () => this.tell(message),
      catch: (error) => error as MessageTooLarge | Misunderstood
    })
  }

  ask(message: any, options?: AskOptions): Effect.Effect<any, any> {
    return this.remote.asking.ask(this, message, options)
  }
}
