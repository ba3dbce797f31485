/** Who has an actor move, from wherever, and is told what became of that. */
import { Codec, type NodeId } from "@troupe/transport"
import { Effect } from "effect"
import type { ActorRef } from "../../ActorRef.ts"
import type { Cell } from "../system/Cell.ts"
import type { RemoteRef } from "../system/RemoteRef.ts"
import type { Agent } from "./Agent.ts"
import * as Leaving from "./leaving.ts"
import { MigrationFailed, MigrationInDoubt, NotMovable, type Refusal, refusals } from "./refusals.ts"
import type { Place, Reply, Resident } from "./Resident.ts"
import type { Kind, Word } from "./words.ts"

/** Through so many nodes at the most. */
const mostHops = 16

interface Open {
  readonly asked: NodeId.NodeId
  readonly reply: Reply
  readonly doubt: (reason: string) => void
}

export class Requests {
  private readonly agent: Agent
  private lastNumber = 0
  private readonly open = new Map<number, Open>()

  constructor(agent: Agent) {
    this.agent = agent
  }

  /** Has an actor move that is here, or elsewhere. */
  move(ref: ActorRef<any>, to: NodeId.NodeId, kind: Kind): Effect.Effect<ActorRef<any>, Refusal> {
    return Effect.callback((resume) => {
      const number = ++this.lastNumber
      const resident = this.agent.residentOf(ref as Cell)
      const { messages } = resident?.movable.behavior ?? (ref as RemoteRef)
      const timer = `request ${number}`
      const reply: Reply = (moved) => {
        this.open.delete(number)
        this.agent.never(timer)
        if ("_tag" in moved) resume(Effect.fail(moved))
        else resume(Effect.succeed(this.agent.remote.refer(messages, moved.node, moved.target)))
      }
      if (messages === undefined) {
        return reply(new NotMovable({ actor: ref.path, reason: "it is none of those that `Migration.spawn` made" }))
      }
      const doubt = (reason: string): void => reply(new MigrationInDoubt({ actor: ref.path, to, reason }))
      this.open.set(number, { asked: resident?.place ?? (ref as RemoteRef).node, reply, doubt })
      this.agent.after(timer, 2 * this.agent.options.timeoutMillis, () =>
        doubt("nobody has answered, and it may yet move")
      )
      const request = { _tag: "Request", node: this.agent.node, number, to, kind, hops: 0 } as const
      if (resident !== undefined) return this.request(resident, { ...request, actor: resident.id })
      const { node, target } = ref as RemoteRef
      this.request(undefined, { ...request, actor: target }, node)
    })
  }

  onRequest(request: Extract<Word, { readonly _tag: "Request" }>): void {
    const { actor } = request
    if (typeof actor === "string") return this.request(this.agent.residents.get(actor), request)
    const cell = this.agent.remote.find(actor)
    const resident = cell && this.agent.residentOf(cell)
    this.request(resident, resident === undefined ? request : { ...request, actor: resident.id })
  }

  private request(
    resident: Resident | undefined,
    request: Extract<Word, { readonly _tag: "Request" }>,
    at?: NodeId.NodeId
  ): void {
    const { hops, kind, node, number, to } = request
    const reply: Reply = (moved) => {
      if (node === this.agent.node) this.settle(number, moved)
      else if ("_tag" in moved) this.agent.say(node, { _tag: "Failed", number, refusal: Codec.encode(refusals, moved) })
      else this.agent.say(node, { _tag: "Done", number, ...moved })
    }
    const next = at ?? (resident?.phase._tag === "Away" ? resident.place : undefined)
    const actor = resident?.cell?.path ?? resident?.id ?? "it"
    if (next !== undefined) {
      if (hops >= mostHops) return reply(new MigrationFailed({ actor, to, reason: "nobody knows where it is" }))
      if (this.agent.trySay(next, { ...request, hops: hops + 1 }) !== undefined) return
      return reply(new MigrationFailed({ actor, to, reason: this.agent.silence(next) }))
    }
    if (resident === undefined) {
      const reason = "there is none at that address, or none that `Migration.spawn` made"
      return reply(new NotMovable({ actor, reason }))
    }
    if (resident.phase._tag !== "Live" || to !== this.agent.node)
      return Leaving.start(this.agent, resident, to, kind, reply)
    reply({ node: this.agent.node, target: this.agent.addressOf(resident.cell!) })
  }

  settle(number: number, moved: Place | Refusal): void {
    this.open.get(number)?.reply(moved)
  }

  /** That node may never answer. */
  onBreak(node: NodeId.NodeId): void {
    for (const { asked, doubt } of [...this.open.values()]) {
      if (asked === node) doubt(`the connection to "${node}", which was asked, has broken`)
    }
  }
}
