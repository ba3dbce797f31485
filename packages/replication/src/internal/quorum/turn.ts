/**
 * One step of a node: what changes, and what is to be said, gathered. In the end each peer is sent one message of a kind,
 * and the disk one record.
 */
import type { NodeId } from "@troupe/transport"
import type * as Machine from "../../Machine.ts"
import * as Trie from "../../Trie.ts"
import * as Homes from "./homes.ts"
import { bundles } from "./bundles.ts"
import type { Ask, Vote } from "./messages.ts"
import * as Registers from "./registers.ts"
import { vote } from "./replica.ts"
import type { Act, Answer, Burial, Hint, Lease, Proposal, Reading, Self, State, Votes } from "./state.ts"

export class Turn {
  readonly machine: Machine.Any
  readonly act: Act
  readonly self: Self
  /** This node's. */
  readonly rank: number
  readonly life: number
  registers: Registers.Registers
  proposals: Trie.Trie<Proposal>
  readings: Trie.Trie<Reading>
  leases: Trie.Trie<Lease>
  burials: Trie.Trie<Burial>
  hints: Trie.Trie<Hint>
  handed: number
  kept: number
  hollow: State["hollow"]
  cursor: number
  least: number
  round: number
  backOffs: number
  roundMillis: number
  readonly before: State
  private readonly entries: Array<Registers.Entry> = []
  private readonly toAll: Array<Ask> = []
  private readonly toSome = new Map<number, Array<Ask>>()
  /** Of this node, to itself as the coordinator. */
  private readonly ownVotes: Array<Vote> = []
  private readonly answers: Array<Answer> = []
  private readonly withdrawn: Array<number> = []
  private readonly lost: Array<number> = []

  constructor(machine: Machine.Any, state: State, act: Act) {
    this.machine = machine
    this.act = act
    this.self = act.self
    this.rank = act.self.nodes.indexOf(act.self.id)
    this.before = state
    this.life = state.registers.life
    this.registers = state.registers
    this.proposals = state.proposals
    this.readings = state.readings
    this.leases = state.leases
    this.burials = state.burials
    this.hints = state.hints
    this.handed = state.handed
    this.kept = state.kept
    this.hollow = state.hollow
    this.cursor = state.cursor
    this.least = state.least
    this.round = state.round
    this.backOffs = state.backOffs
    this.roundMillis = state.roundMillis
  }

  /** Something that the replica is to remember. */
  keep(entry: Registers.Entry): void {
    this.registers = Registers.apply(this.registers, entry)
    this.entries.push(entry)
    if (Homes.isWhole(this.self)) return
    if (entry._tag === "Forgotten") for (const key of entry.keys) this.hints = Trie.remove(this.hints, key)
    else if (entry._tag === "Accepted" && !Homes.isHome(entry.key, this.rank, this.self)) {
      const { key } = entry
      if (Trie.get(this.hints, key) === undefined) this.hints = Trie.set(this.hints, { key, since: this.act.now() })
    }
  }

  /** Asks all whose vote is missing. */
  ask(votes: Votes, ask: Ask): void {
    if (Homes.isWhole(this.self)) {
      this.toAll.push(ask)
      this.askOwn(ask)
    } else {
      for (let rank = 0; rank < votes.length; rank++) if (votes[rank] === null) this.askOne(rank, ask)
    }
  }

  /** As `ask`, but for this node. */
  askOthers(votes: Votes, ask: Ask): void {
    if (Homes.isWhole(this.self)) this.toAll.push(ask)
    else {
      for (let rank = 0; rank < votes.length; rank++) {
        if (votes[rank] === null && rank !== this.rank) this.askOne(rank, ask)
      }
    }
  }

  askOne(rank: number, ask: Ask): void {
    if (rank === this.rank) return this.askOwn(ask)
    const asks = this.toSome.get(rank)
    if (asks === undefined) this.toSome.set(rank, [ask])
    else asks.push(ask)
  }

  private askOwn(ask: Ask): void {
    const own = vote(this, ask)
    if (own !== undefined) this.ownVotes.push(own)
  }

  answer(id: number, response: unknown): void {
    this.answers.push({ id, response })
  }

  withdraw(id: number): void {
    this.withdrawn.push(id)
  }

  lose(id: number): void {
    this.lost.push(id)
  }

  /** Of a round that asks for all that there are of a key, before any came. */
  noVotes(key: string): Votes {
    const { nodes } = this.self
    if (Homes.isWhole(this.self)) return nodes.map(() => null)
    const asked = Homes.asked(key, (rank) => this.isSilent(rank), this.self)
    return nodes.map((_, rank) => (asked.includes(rank) ? null : "unasked"))
  }

  /** A round has waited: where quorums are sloppy, others stand in for those whose vote is missing. */
  invite(key: string, votes: Votes): Votes {
    if (!this.self.options.sloppy || Homes.isWhole(this.self)) return votes
    const asked = Homes.asked(key, (rank) => votes[rank] === null || this.isSilent(rank), this.self)
    return votes.map((vote, rank) => (vote === "unasked" && asked.includes(rank) ? null : vote))
  }

  /** Whether it is for this node to keep house of a key, and to have it forgotten. */
  isInCharge(key: string, { version }: Registers.Copy): boolean {
    return Homes.isWhole(this.self) ? version.node === this.rank : Homes.preference(key, this.self)[0] === this.rank
  }

  isSilent(rank: number): boolean {
    return this.before.silent[rank]! >= this.self.options.silentTicks
  }

  /** Says what is to be said; `votes` are for who asked this replica. */
  end(votes?: { readonly to: NodeId.NodeId; readonly life: number; readonly votes: ReadonlyArray<Vote> }): State {
    const { act, entries, life } = this
    // It asks for promises and gives none: who counts the votes has this node's own from its disk, like any other.
    if (this.toAll.length > 0) {
      for (const asks of bundles(this.toAll)) {
        const message = { _tag: "Asks", life, asks } as const
        for (const peer of this.self.peers) act.sendNow(peer, message)
      }
    }
    for (const [rank, all] of this.toSome) {
      for (const asks of bundles(all)) act.sendNow(this.self.nodes[rank]!, { _tag: "Asks", life, asks })
    }
    if (entries.length > 0) act.persist(entries)
    if (entries.length > 0 && this.self.options.isCompared) this.tell()
    if (votes !== undefined) {
      for (const each of bundles(votes.votes)) act.send(votes.to, { _tag: "Votes", life: votes.life, votes: each })
    }
    if (this.ownVotes.length > 0) act.send(this.self.id, { _tag: "Votes", life, votes: this.ownVotes })
    // A quorum has it on disk.
    if (this.answers.length > 0) act.emitNow({ _tag: "Answered", answers: this.answers })
    if (this.withdrawn.length > 0) act.emitNow({ _tag: "Withdrawn", ids: this.withdrawn })
    if (this.lost.length > 0) act.emitNow({ _tag: "Lost", ids: this.lost })
    const { backOffs, burials, cursor, handed, hints, hollow, kept, least, leases, proposals, readings } = this
    const { registers, round, roundMillis } = this
    const { silent } = this.before
    return {
      ...{ registers, round, proposals, readings, leases, burials, hints },
      ...{ handed, kept, hollow, cursor, least, backOffs, roundMillis, silent }
    }
  }

  private tell(): void {
    const keys = new Set<string>()
    for (const entry of this.entries) {
      if (entry._tag === "Accepted") keys.add(entry.key)
      else if (entry._tag === "Forgotten") entry.keys.forEach((key) => keys.add(key))
    }
    if (keys.size > 0) this.act.emit({ _tag: "Took", keys: [...keys] })
  }
}
