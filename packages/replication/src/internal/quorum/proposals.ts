/**
 * Updates, by ballots: a majority promises and says what it holds, the requests are executed on the newest of it, and what
 * comes of them is accepted by a write quorum. (CASPaxos)
 */
import type * as Machine from "../../Machine.ts"
import * as Trie from "../../Trie.ts"
import { after, type Ballot, highest, isSame, none, make } from "./ballots.ts"
import type { Held, Vote } from "./messages.ts"
import * as Registers from "./registers.ts"
import { holders, type Pending, possible, type Proposal, voters } from "./state.ts"
import type { Turn } from "./turn.ts"

/** Has requests of a key executed, with those that wait already. */
export const propose = (turn: Turn, key: string, requests: ReadonlyArray<Pending>): void => {
  const open = Trie.get(turn.proposals, key)
  if (open !== undefined) return put(turn, { ...open, waiting: [...open.waiting, ...requests] })
  prepare(turn, begun(turn, key, requests))
}

/** Has reads of a key executed that were refused: after a while, since another proposal is under way. */
export const proposeLater = (turn: Turn, key: string, requests: ReadonlyArray<Pending>, above: Ballot): void => {
  const open = Trie.get(turn.proposals, key)
  if (open !== undefined) return propose(turn, key, requests)
  backOff(turn, { ...begun(turn, key, requests), above })
}

const begun = (turn: Turn, key: string, waiting: ReadonlyArray<Pending>): Proposal => ({
  key,
  phase: "prepare",
  waiting,
  attempts: [],
  round: 0,
  ballot: none,
  sinceMillis: 0,
  newest: Registers.get(turn.registers, key).copy,
  votes: [],
  above: none,
  refusals: 0,
  isFresh: true
})

const put = (turn: Turn, proposal: Proposal): void => {
  turn.proposals = Trie.set(turn.proposals, proposal)
}

/** So many keys are looked at each time. */
const housekept = 256

/** What is due without anybody's asking, of the keys whose latest update was this node's. */
export const keepHouse = (turn: Turn): void => {
  const { act, machine } = turn
  const now = act.now()
  let left = housekept
  for (const { copy, key } of Trie.from(turn.registers.byKey, turn.kept)) {
    if (left-- === 0) return
    turn.kept = Trie.hash(key) + 1
    if (!turn.isInCharge(key, copy) || Registers.isNothing(copy)) continue
    const at = { now: Math.max(now, copy.now), random: () => act.random() }
    if (machine.housekeeping!.due(stateOf(machine, copy), at).length === 0) continue
    if (Trie.get(turn.proposals, key) === undefined)
      propose(turn, key, [{ id: 0, request: undefined, isKeeping: true }])
  }
  turn.kept = 0
}

/** Sees to it that a quorum holds what this node does: by a ballot that changes nothing, but for what is due anyway. */
export const confirm = (turn: Turn, key: string): void => {
  if (Trie.get(turn.proposals, key) === undefined) propose(turn, key, [{ id: 0, request: undefined, isKeeping: true }])
}

// -------------------------------------------------------------------------------------------------------- first round

/** As a power of two: nobody makes so many changes in a round. */
const furthest = 16

const prepare = (turn: Turn, proposal: Proposal): void => {
  const { key } = proposal
  const { copy, promised } = Registers.get(turn.registers, key)
  const lease = Trie.get(turn.leases, key)
  if (lease !== undefined) {
    turn.leases = Trie.remove(turn.leases, key)
    if (isSame(lease.ballot, promised) && isSame(lease.version, copy.version)) {
      const { ballot } = lease
      return accept(turn, { ...proposal, ballot, newest: copy }, execute(turn, copy, proposal.waiting))
    }
  }
  const least = copy.version.counter === 0 ? turn.least : 0
  // Another's changes may follow each other so fast that a ballot is too low when it arrives: who was refused aims higher.
  const ahead = 2 ** Math.min(Math.max(0, proposal.refusals - 1), furthest)
  const counter = Math.max(highest(promised, proposal.above).counter, least) + ahead
  const ballot = make(counter, turn.rank, turn.life)
  const round = ++turn.round
  const votes = turn.noVotes(key)
  put(turn, { ...proposal, phase: "prepare", round, ballot, newest: copy, votes, isFresh: true })
  turn.ask(votes, { _tag: "Prepare", round, key, ballot, have: copy.version })
}

export const onPromised = (turn: Turn, rank: number, vote: Held): void => {
  const proposal = Trie.get(turn.proposals, vote.key)
  if (proposal === undefined || proposal.round !== vote.round || proposal.phase !== "prepare") return
  const newest = vote.copy === undefined ? proposal.newest : Registers.newer(proposal.newest, vote.copy)
  const voted = { ...proposal, newest, votes: proposal.votes.with(rank, vote.version) }
  if (voters(voted.votes, turn.self.options) < turn.self.options.readQuorum) put(turn, voted)
  else decide(turn, voted)
}

/** What comes of the requests that wait. An attempt that has been adopted is not executed again. */
const decide = (turn: Turn, proposal: Proposal): void => {
  const { attempts, newest, votes, waiting } = proposal
  const adopted = attempts.find((attempt) => Registers.contains(newest, attempt.ballot))
  if (adopted === undefined && attempts.some((attempt) => Registers.mayContain(newest, attempt.ballot))) {
    return lose(turn, proposal)
  }
  const outcome =
    adopted === undefined
      ? execute(turn, newest, waiting)
      : { responses: adopted.responses, now: newest.now, isChanged: false, dump: newest }
  if (!outcome.isChanged && holders(votes, newest.version, turn.self) >= turn.self.options.writeQuorum) {
    answer(turn, proposal, outcome.responses)
  } else accept(turn, proposal, outcome)
}

interface Outcome {
  readonly now: number
  readonly responses: ReadonlyArray<unknown>
  readonly isChanged: boolean
  readonly dump: Registers.Dump
}

const accept = (turn: Turn, proposal: Proposal, { dump, now, responses }: Outcome): void => {
  const { attempts, ballot, key, newest } = proposal
  const { first, rest } = dump
  const copy = { version: ballot, past: Registers.pastOf(newest, ballot), now, first, rest }
  const round = ++turn.round
  const votes = turn.noVotes(key)
  put(turn, {
    ...proposal,
    phase: "accept",
    round,
    sinceMillis: turn.act.monotonic(),
    newest: copy,
    attempts: [...attempts, { ballot, responses }],
    votes,
    isFresh: true
  })
  turn.ask(votes, { _tag: "Accept", round, key, copy, ahead: true })
}

const execute = (turn: Turn, newest: Registers.Copy, waiting: ReadonlyArray<Pending>): Outcome => {
  const { act, machine } = turn
  const at = { now: Math.max(newest.now, act.now()), random: () => act.random() }
  let state = stateOf(machine, newest)
  let isChanged = false
  const responses: Array<unknown> = []
  for (const { isKeeping, request } of waiting) {
    const { response, updates } = isKeeping
      ? { response: undefined, updates: machine.housekeeping?.due(state, at) ?? [] }
      : machine.execute(state, request, at)
    responses.push(response)
    for (const update of updates) state = machine.apply(state, update)
    isChanged ||= updates.length > 0
  }
  return { responses, now: at.now, isChanged, dump: isChanged ? Registers.dumpOf([...machine.dump(state)]) : newest }
}

/** The state of a key's machine. */
export const stateOf = (machine: Machine.Any, { first, rest }: Registers.Dump): unknown => {
  if (first === undefined) return machine.init
  let state = machine.apply(machine.init, first)
  for (let i = 0; i < rest.length; i++) state = machine.apply(state, rest[i])
  return state
}

// ------------------------------------------------------------------------------------------------------- second round

export const onAccepted = (turn: Turn, rank: number, { key, round }: Vote): boolean => {
  const proposal = Trie.get(turn.proposals, key)
  if (proposal === undefined || proposal.round !== round || proposal.phase !== "accept") return false
  const votes = proposal.votes.with(rank, proposal.ballot)
  const count = voters(votes, turn.self.options)
  if (count < turn.self.options.writeQuorum) put(turn, { ...proposal, votes })
  else {
    if (count >= turn.self.options.readQuorum) lease(turn, proposal)
    measure(turn, proposal)
    answer(turn, proposal, proposal.attempts.at(-1)!.responses)
  }
  return true
}

/** Of the latest rounds, those before them count ever less. */
const measure = (turn: Turn, { sinceMillis }: Proposal): void => {
  const took = turn.act.monotonic() - sinceMillis
  turn.roundMillis = turn.roundMillis === 0 ? took : 0.875 * turn.roundMillis + 0.125 * took
}

/** So many are remembered. When there are more, all are forgotten: the next update of each has two rounds again. */
const leasesMax = 16_384

const lease = (turn: Turn, { ballot, key }: Proposal): void => {
  const others = turn.leases.size < leasesMax ? turn.leases : Trie.empty
  turn.leases = Trie.set(others, { key, ballot: after(ballot), version: ballot })
}

/** The first of those that wait have their responses; the others go on. */
const answer = (turn: Turn, proposal: Proposal, responses: ReadonlyArray<unknown>): void => {
  const { waiting } = proposal
  for (let i = 0; i < responses.length; i++) turn.answer(waiting[i]!.id, responses[i])
  goOn(turn, proposal, responses.length)
}

/** What was adopted, and forgotten since, cannot be told from what was not. */
const lose = (turn: Turn, proposal: Proposal): void => {
  const count = covered(proposal)
  for (let i = 0; i < count; i++) turn.lose(proposal.waiting[i]!.id)
  goOn(turn, proposal, count)
}

const goOn = (turn: Turn, { key, waiting }: Proposal, done: number): void => {
  if (done === waiting.length) turn.proposals = Trie.remove(turn.proposals, key)
  else prepare(turn, begun(turn, key, waiting.slice(done)))
}

/** How many of those that wait belong to an attempt. */
const covered = ({ attempts }: Proposal): number =>
  attempts.reduce((most, { responses }) => Math.max(most, responses.length), 0)

// ---------------------------------------------------------------------------------------------------------- contention

export const onRefused = (turn: Turn, rank: number, vote: Extract<Vote, { readonly _tag: "Refused" }>): boolean => {
  const proposal = Trie.get(turn.proposals, vote.key)
  if (proposal === undefined || proposal.round !== vote.round) return false
  const votes = proposal.votes.with(rank, "refused")
  if (proposal.newest.version.counter === 0) turn.least = Math.max(turn.least, vote.promised.counter)
  const next = { ...proposal, votes, above: highest(proposal.above, vote.promised) }
  const { options } = turn.self
  const quorum = proposal.phase === "prepare" ? options.readQuorum : options.writeQuorum
  if (possible(votes, options) >= quorum) put(turn, next)
  // Who knew nothing of the key has learnt how high to aim, and need not have met anybody.
  else if (next.phase === "prepare" && next.refusals === 0 && next.newest.version.counter === 0) {
    prepare(turn, { ...next, refusals: 1 })
  } else backOff(turn, next)
  return true
}

/** What was refused equally often waits together. A key has one proposal a node: as long as all of them take is long enough. */
const levelOf = ({ refusals }: Proposal, { nodes }: Turn["self"]): number =>
  Math.min(refusals, 33 - Math.clz32(nodes.length - 1))

/** Tries again with a higher ballot, after a random time that doubles, a round at first: so that of several one gets through. */
const backOff = (turn: Turn, proposal: Proposal): void => {
  const next: Proposal = { ...proposal, phase: "back-off", round: 0, votes: [], refusals: proposal.refusals + 1 }
  const level = levelOf(next, turn.self)
  put(turn, next)
  if ((turn.backOffs & (1 << level)) !== 0) return
  turn.backOffs |= 1 << level
  const { backOffMillis } = turn.self.options
  const firstMillis = turn.roundMillis === 0 ? backOffMillis : Math.min(backOffMillis, turn.roundMillis)
  const delayMillis = (0.5 + turn.act.random()) * firstMillis * 2 ** (level - 1)
  turn.act.setTimer(`back-off ${level}`, delayMillis)
}

export const onBackOff = (turn: Turn, level: number): void => {
  turn.backOffs &= ~(1 << level)
  for (const proposal of Trie.from(turn.proposals)) {
    if (proposal.phase === "back-off" && levelOf(proposal, turn.self) === level) prepare(turn, proposal)
  }
}

// ------------------------------------------------------------------------------------------------- patience and its end

/** Asks again who has not answered; where somebody refused, and the others are silent, with a higher ballot. */
export const onTick = (turn: Turn): void => {
  for (const proposal of Trie.from(turn.proposals)) {
    const { ballot, isFresh, key, newest, phase, round, votes } = proposal
    if (phase === "back-off") continue
    if (isFresh) put(turn, { ...proposal, isFresh: false })
    else if (votes.includes("refused")) backOff(turn, proposal)
    else {
      const ask =
        phase === "prepare"
          ? ({ _tag: "Prepare", round, key, ballot, have: newest.version } as const)
          : ({ _tag: "Accept", round, key, copy: newest, ahead: true } as const)
      const invited = turn.invite(key, votes)
      if (invited !== votes) put(turn, { ...proposal, votes: invited })
      for (let rank = 0; rank < votes.length; rank++) if (invited[rank] === null) turn.askOne(rank, ask)
    }
  }
}

/** Nobody waits for that one any more. It is withdrawn, unless a replica may have accepted it. */
export const drop = (turn: Turn, { id, key }: { readonly id: number; readonly key: string }): void => {
  const proposal = Trie.get(turn.proposals, key)
  const at = proposal?.waiting.findIndex((each) => each.id === id) ?? -1
  if (proposal === undefined || at < 0) return
  const { waiting } = proposal
  const isCovered = at < covered(proposal)
  if (!isCovered) turn.withdraw(id)
  const left = isCovered ? waiting.with(at, { ...waiting[at]!, isDropped: true }) : waiting.toSpliced(at, 1)
  if (left.every(({ isDropped }) => isDropped)) turn.proposals = Trie.remove(turn.proposals, key)
  else put(turn, { ...proposal, waiting: left })
}
