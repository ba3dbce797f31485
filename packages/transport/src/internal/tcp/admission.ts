/** Whether a node lets another one in: the rules of the handshake, as a pure function. */
import { type NodeId, Order } from "../../NodeId.ts"
import { type Introduction, RefusalCode, type Refusal, version } from "../frames.ts"

/** What a node knows when somebody introduces itself. */
export interface Knowledge {
  readonly self: NodeId
  readonly cluster: string
  readonly known: (node: NodeId) => boolean
  /** The live link to that node, if there is one. */
  readonly live: (node: NodeId) => { readonly incarnation: string; readonly handshake: number } | undefined
  /** Whether this node has introduced itself to that one, on a connection of its own, and has no answer yet. */
  readonly dialing: (node: NodeId) => boolean
}

/**
 * Lets a node in (`undefined`) or says why not.
 *
 * When two nodes dial each other at once, the connection of the higher one wins, and both know that without a word. An
 * id that is live is `taken` for anybody but the incarnation that has it, which dials again only after it has lost the
 * link.
 */
export const judge = (them: Introduction, us: Knowledge): Refusal | undefined => {
  if (them.version !== version) return refused(`protocol version ${them.version}, this node speaks ${version}`)
  if (them.cluster !== us.cluster) return refused(`cluster "${them.cluster}", this node is of "${us.cluster}"`)
  if (them.node === us.self) return refused(`node id "${them.node}" is this node's own`)
  if (!us.known(them.node)) return refused(`node id "${them.node}" is not among the peers of "${us.self}"`)
  if (them.target !== us.self) return refused(`it looks for node "${them.target}", this is "${us.self}"`)
  const live = us.live(them.node)
  if (live !== undefined) {
    if (them.incarnation !== live.incarnation) return taken
    return them.handshake > live.handshake ? undefined : duplicate
  }
  return us.dialing(them.node) && Order(us.self, them.node) > 0 ? duplicate : undefined
}

/** Whether who answers is who was dialed. */
export const judgeAnswer = (them: Introduction, peer: NodeId, us: Knowledge): Refusal | undefined => {
  if (them.version !== version) return refused(`protocol version ${them.version}, this node speaks ${version}`)
  if (them.cluster !== us.cluster) return refused(`cluster "${them.cluster}", this node is of "${us.cluster}"`)
  if (them.node !== peer) return refused(`node id "${them.node}" answered where "${peer}" was expected`)
  return undefined
}

const refused = (reason: string): Refusal => ({ code: RefusalCode.refused, reason })

const duplicate: Refusal = { code: RefusalCode.duplicate, reason: "another connection of these two nodes has won" }

/** Another incarnation has the id. Whether its link still lives must be found out: a node that crashed says no goodbye. */
export const taken: Refusal = { code: RefusalCode.refused, reason: "this node id is connected already" }

/** The names that a certificate gives its owner: its common name and its DNS names. */
export const certificateNames = (certificate: {
  readonly subject?: { readonly CN?: string | Array<string> }
  readonly subjectaltname?: string
}): ReadonlyArray<string> => {
  const common = certificate.subject?.CN ?? []
  const alternatives = (certificate.subjectaltname ?? "").split(", ").flatMap((name) =>
    // A name with a comma or a quote in it is given in quotes, and is none that can be trusted here.
    name.startsWith("DNS:") && !name.includes('"') ? [name.slice(4)] : []
  )
  return [...(typeof common === "string" ? [common] : common), ...alternatives]
}
