/** A node as the coordinator: it learns what was agreed, decides what is to follow, and has it accepted. */
import { NodeId } from "@troupe/transport"
import { comeAnew, isBehind, learn, onAccept, onPartial, onPrepare, report } from "./member.ts"
import type { Agreed, Ballot, Member, Message, Refusal, Tagged, Want } from "./messages.ts"
import * as States from "./state.ts"
import type { Act, Office, Report, State } from "./state.ts"

/** A coordinator that is told by nobody else does what it tells itself at once: no message. */
const withOffice = (state: State, change: (office: Office) => Partial<Office>): State =>
  state.office === undefined ? state : { ...state, office: { ...state.office, ...change(state.office) } }

const others = (nodes: ReadonlyArray<NodeId.NodeId>, act: Act): ReadonlyArray<NodeId.NodeId> =>
  nodes.filter((node) => node !== act.self.id)

// ------------------------------------------------------------------------------------------------------ taking office

/** Takes a ballot above all that it has heard of, and asks everybody what was accepted. */
export const takeOffice = (state: State, act: Act): State => {
  const ballot = { number: state.promised.number + 1, node: act.self.id, life: state.life }
  const office: Office = {
    ballot,
    beaten: false,
    promises: new Map(),
    found: new Map(),
    reports: state.office?.reports ?? new Map(),
    proposals: new Map(),
    vain: state.office?.vain ?? 0
  }
  act.sendAll(act.self.peers, { _tag: "Prepare", ballot })
  setRetry(act)
  let begun: State = { ...state, office }
  for (const name of state.groups.keys()) begun = keepUp(begun, name, act)
  const [promised, promise] = onPrepare(begun, { _tag: "Prepare", ballot })
  return onPromise(promised, act.self.id, promise as Tagged<"Promise">, act)
}

const setRetry = (act: Act): void => act.setTimer("retry", act.self.options.retryMillis * (1 + act.random() / 2))

export const onPromise = (before: State, from: NodeId.NodeId, message: Tagged<"Promise">, act: Act): State => {
  if (before.office === undefined || States.compare(message.ballot, before.office.ballot) !== 0) return before
  let state = before
  for (const { accepted, group, view } of message.groups) {
    state = hear(state, group, [view], act)
    if (accepted !== undefined) state = find(state, group, accepted)
  }
  state = withOffice(state, ({ promises }) => ({ promises: new Map(promises).set(from, message.life) }))
  return considerAll(state, act)
}

/** What was accepted may have been agreed on: of several, it can only be the one with the highest ballot. */
const find = (state: State, group: string, accepted: { readonly ballot: Ballot; readonly view: Agreed }): State => {
  const { view } = States.groupOf(state, group)
  if (accepted.view.number <= view.number) return state
  return withOffice(state, ({ found }) => {
    const other = found.get(group)
    const isBetter =
      other === undefined ||
      accepted.view.number > other.view.number ||
      (accepted.view.number === other.view.number && States.compare(accepted.ballot, other.ballot) > 0)
    return isBetter ? { found: new Map(found).set(group, accepted) } : {}
  })
}

export const onNack = (state: State, { ballot }: Tagged<"Nack">): State => {
  if (state.office === undefined || States.compare(ballot, state.office.ballot) <= 0) return state
  const promised = States.compare(ballot, state.promised) > 0 ? ballot : state.promised
  return withOffice({ ...state, promised }, () => ({ beaten: true }))
}

// ------------------------------------------------------------------------------------------------------------ deciding

/** Views are agreed on, by whomever: what was proposed in their place is void. */
export const hear = (before: State, group: string, views: ReadonlyArray<Agreed>, act: Act): State => {
  const learnt = keepUp(learn(before, group, views, act), group, act)
  if (learnt.office === undefined) return learnt
  const { number } = States.groupOf(learnt, group).view
  // It is not as cut off as it thought.
  const isNew = number > States.groupOf(before, group).view.number
  const state = isNew && learnt.office.vain > 0 ? withOffice(learnt, () => ({ vain: 0 })) : learnt
  const { found, proposals } = learnt.office
  const isVoid = (view: Agreed | undefined): boolean => view !== undefined && view.number <= number
  if (!isVoid(found.get(group)?.view) && !isVoid(proposals.get(group)?.view)) return state
  return withOffice(state, () => ({
    found: isVoid(found.get(group)?.view) ? without(found, group) : found,
    proposals: isVoid(proposals.get(group)?.view) ? without(proposals, group) : proposals
  }))
}

/** A coordinator that has missed views itself has nobody to tell it. */
const keepUp = (state: State, group: string, act: Act): State =>
  state.office !== undefined && isBehind(state, group, act.self.id) ? comeAnew(state, group, act) : state

const without = <A>(map: ReadonlyMap<string, A>, key: string): ReadonlyMap<string, A> => {
  const rest = new Map(map)
  rest.delete(key)
  return rest
}

/** Looks at each group that is known, or asked for. */
export const considerAll = (before: State, act: Act): State => {
  if (before.office === undefined) return before
  const names = new Set(before.groups.keys())
  for (const { wants } of before.office.reports.values()) for (const { group } of wants) names.add(group)
  let state = before
  for (const name of names) state = consider(state, name, act)
  return state
}

/** Begins the next change of a group, where one is due and may begin. */
const consider = (state: State, name: string, act: Act): State => {
  const { office } = state
  if (office === undefined || office.beaten || office.proposals.has(name)) return state
  const { view } = States.groupOf(state, name)
  if (!States.isQuorum(view, act.self.nodes, office.promises)) return state
  // Nobody is passed over who may remember the group.
  if (view.number === 0 && silent(state, act).some((node) => !state.suspects.includes(node))) return state
  const found = office.found.get(name)?.view
  const next = found?.number === view.number + 1 ? found : nextView(state, office, name, view, act)
  return next === undefined ? answerAll(state, name, act) : propose(state, name, view, next, act)
}

/** What should follow `base`, by what nodes report and the failure detector suspects; nothing, if it may stay. */
const nextView = (state: State, office: Office, name: string, base: Agreed, act: Act): Agreed | undefined => {
  const number = base.number + 1
  const reports = [...office.reports]
  if (base.members.length > 0 && reports.some(([, { wants }]) => asks(wants, name, "destroy"))) {
    return { number, members: [], joined: [] }
  }
  const kept = base.members.filter((member) => {
    const heard = office.reports.get(member.node)
    return heard === undefined || (heard.life === member.life && States.isWanted(heard.wants, name))
  })
  const alive = kept.filter(({ node }) => !state.suspects.includes(node))
  const joining = joiners(state, reports, name, base, act)
  const members = [...alive, ...joining].sort((a, b) => NodeId.Order(a.node, b.node))
  const isSplit = reports.some(
    ([node, { views }]) =>
      alive.some((member) => member.node === node) &&
      views.some(({ group, number, partial }) => partial && group === name && number === base.number)
  )
  if (alive.length === base.members.length && joining.length === 0 && !isSplit) return undefined
  // Those who are only suspected do not end a group.
  if (members.length === 0 && kept.length > 0) return undefined
  return { number, members, joined: States.nodesOf(joining) }
}

const asks = (wants: ReadonlyArray<Want>, group: string, mode: Want["mode"]): boolean =>
  wants.some((want) => want.group === group && want.mode === mode)

/** Who comes in: not in the same view in which an earlier life of its node goes. */
const joiners = (
  state: State,
  reports: ReadonlyArray<readonly [NodeId.NodeId, Report]>,
  name: string,
  base: Agreed,
  act: Act
): ReadonlyArray<Member> => {
  const asking = reports
    .filter(([node, { wants }]) => States.isWanted(wants, name) && !state.suspects.includes(node))
    .filter(([node]) => !base.members.some((member) => member.node === node))
    .map(([node, { life, wants }]) => ({ node, life, wants }))
    .sort((a, b) => NodeId.Order(a.node, b.node))
  const isNew = base.members.length === 0
  if (isNew && base.number === 0 && state.groups.size >= act.self.options.maxGroups && !state.groups.has(name))
    return []
  const creators = asking.filter(({ wants }) => asks(wants, name, "create"))
  const entering = asking.filter(({ wants }) => asks(wants, name, "enter"))
  const chosen = !isNew
    ? asking.filter(({ wants }) => !asks(wants, name, "create"))
    : [...creators.slice(0, 1), ...entering]
  return chosen.map(({ life, node }) => ({ node, life }))
}

// ------------------------------------------------------------------------------------------------- agreeing (two phases)

const propose = (before: State, name: string, base: Agreed, view: Agreed, act: Act): State => {
  const state = withOffice(before, ({ proposals }) => ({
    proposals: new Map(proposals).set(name, { base, view, accepted: new Map() })
  }))
  const accept: Tagged<"Accept"> = { _tag: "Accept", ballot: state.office!.ballot, group: name, base, view }
  const acceptors = States.acceptorsOf(base, view, act.self.nodes)
  act.sendAll(others(acceptors, act), accept)
  if (!acceptors.includes(act.self.id)) return state
  const [accepted, answer] = onAccept(state, accept, act)
  if (answer._tag === "Nack") return onNack(accepted, answer)
  return answer._tag === "Accepted" ? onAccepted(accepted, act.self.id, answer, act) : accepted
}

export const onAccepted = (state: State, from: NodeId.NodeId, message: Tagged<"Accepted">, act: Act): State => {
  const { office } = state
  const proposal = office?.proposals.get(message.group)
  if (office === undefined || proposal === undefined) return state
  if (States.compare(message.ballot, office.ballot) !== 0 || proposal.view.number !== message.number) return state
  const accepted = { ...proposal, accepted: new Map(proposal.accepted).set(from, message.life) }
  if (States.isAgreed(accepted, act.self.nodes)) return commit(state, message.group, accepted, act)
  return withOffice(state, ({ proposals }) => ({ proposals: new Map(proposals).set(message.group, accepted) }))
}

const commit = (before: State, name: string, { base, view }: States.Proposal, act: Act): State => {
  const concerned = new Set([...States.nodesOf(base.members), ...States.nodesOf(view.members)])
  if (view.members.length === 0) {
    for (const [node, { wants }] of before.office!.reports) if (asks(wants, name, "destroy")) concerned.add(node)
  }
  act.sendAll(others([...concerned], act), { _tag: "Commit", group: name, views: [view], forgotten: false })
  const state = settle(hear(before, name, [view], act), name, base, view, act)
  return consider(
    withOffice(state, () => ({ vain: 0 })),
    name,
    act
  )
}

/** What was asked for is done: what the coordinator holds of it must not ask for it again. */
const settle = (state: State, name: string, base: Agreed, view: Agreed, act: Act): State => {
  const own = report(state, act)
  return withOffice(state, ({ reports }) => ({
    reports: new Map(
      Array.from(reports, ([node, heard]) => [
        node,
        node === act.self.id
          ? { ...own, sequence: heard.sequence }
          : {
              ...heard,
              wants: heard.wants.flatMap((want) =>
                want.group === name ? settled(want, { node, life: heard.life }, base, view) : want
              )
            }
      ])
    )
  }))
}

/** What is left of a want. */
const settled = (want: Want, { life, node }: Member, base: Agreed, view: Agreed): ReadonlyArray<Want> => {
  if (want.mode === "look") return [want]
  if (view.members.length === 0) return want.mode === "destroy" || States.includes(base, node, life) ? [] : [want]
  return want.mode === "create" && States.includes(view, node, life) ? [{ ...want, mode: "join" }] : [want]
}

// -------------------------------------------------------------------------------------------------------------- answering

export const onReport = (before: State, from: NodeId.NodeId, heard: Report, act: Act): State => {
  const { office } = before
  // Others may share the network, and take no part.
  if (office === undefined || !act.self.nodes.includes(from)) return before
  const earlier = office.reports.get(from)
  if (earlier !== undefined && earlier.life === heard.life && earlier.sequence >= heard.sequence) return before
  const state = withOffice(before, ({ reports }) => ({ reports: new Map(reports).set(from, heard) }))
  if (from !== act.self.id) {
    if (office.promises.get(from) !== heard.life) act.send(from, { _tag: "Prepare", ballot: office.ballot })
    bringUpToDate(state, from, heard, act)
  }
  return earlier !== undefined && isRepeated(earlier, heard) ? state : considerAll(state, act)
}

const isRepeated = (a: Report, b: Report): boolean =>
  a.life === b.life &&
  a.wants.length === b.wants.length &&
  a.views.length === b.views.length &&
  a.wants.every(({ group, mode }, at) => group === b.wants[at]!.group && mode === b.wants[at]!.mode) &&
  a.views.every(({ group, partial }, at) => group === b.views[at]!.group && partial === b.views[at]!.partial)

/** Tells a node of the views that it missed. */
const bringUpToDate = (state: State, to: NodeId.NodeId, { life, views }: Report, act: Act): void => {
  for (const [name, { recent, view }] of state.groups) {
    const entry = views.find(({ group }) => group === name)
    const number = entry?.number ?? 0
    if ((entry === undefined && !States.includes(view, to, life)) || number >= view.number) continue
    const missed = recent.filter((each) => each.number > number)
    act.send(to, { _tag: "Commit", group: name, views: missed, forgotten: missed[0]!.number > number + 1 })
  }
}

/** Answers those who ask for what there is not, or what is there already; each once. */
const answerAll = (before: State, name: string, act: Act): State => {
  let state = before
  for (const [node, { life, wants }] of before.office!.reports) {
    for (const want of wants) {
      if (want.group === name && !state.suspects.includes(node)) state = answer(state, node, life, want, act)
    }
  }
  return state
}

const answer = (state: State, node: NodeId.NodeId, life: number, want: Want, act: Act): State => {
  const { group, mode } = want
  const { view } = States.groupOf(state, group)
  const refusal = refusalOf(want, view, States.includes(view, node, life))
  if (mode !== "look" && refusal === undefined) return state
  const message: Message =
    refusal === undefined ? { _tag: "Known", group, view } : { _tag: "Refused", group, mode, refusal }
  act.send(node, message)
  return withOffice(state, ({ reports }) => {
    const heard = reports.get(node)!
    const rest = heard.wants.filter((other) => other.group !== group || other.mode !== mode)
    return { reports: new Map(reports).set(node, { ...heard, wants: rest }) }
  })
}

const refusalOf = ({ mode }: Want, view: Agreed, isMember: boolean): Refusal | undefined => {
  if (view.members.length > 0) return mode === "create" && !isMember ? "exists" : undefined
  return mode === "create" || mode === "enter" ? "too many" : "unknown"
}

// ----------------------------------------------------------------------------------------------------------------- retries

/** Asks again whoever has not answered. */
export const retry = (before: State, act: Act): State => {
  const { office } = before
  if (office === undefined) return before
  if (office.beaten) return takeOffice(before, act)
  setRetry(act)
  const isStuck = [...before.groups.values()].some(
    ({ view }) => !States.isQuorum(view, act.self.nodes, office.promises)
  )
  const asked = silent(before, act).filter((node) => isStuck || !before.suspects.includes(node))
  act.sendAll(asked, { _tag: "Prepare", ballot: office.ballot })
  for (const [group, { accepted, base, view }] of office.proposals) {
    const missing = States.acceptorsOf(base, view, act.self.nodes).filter((node) => !accepted.has(node))
    act.sendAll(others(missing, act), { _tag: "Accept", ballot: office.ballot, group, base, view })
  }
  const isVain = isStuck || office.proposals.size > 0
  const state = withOffice(before, ({ vain }) => ({ vain: isVain ? vain + 1 : 0 }))
  return act.self.options.minority === "partial" && state.office!.vain >= act.self.options.partialAfter
    ? goOnPartially(state, act)
    : state
}

/** Who has not promised. */
const silent = ({ office }: State, act: Act): ReadonlyArray<NodeId.NodeId> =>
  act.self.nodes.filter((node) => !office!.promises.has(node))

/** Gives those who answer a view of their own, that says what it is. */
const goOnPartially = (before: State, act: Act): State => {
  const { ballot, promises, proposals } = before.office!
  let state = before
  for (const [group, { view }] of before.groups) {
    if (view.members.length === 0) continue
    if (!proposals.has(group) && States.isQuorum(view, act.self.nodes, promises)) continue
    const members = view.members.filter(
      ({ life, node }) => promises.get(node) === life && !before.suspects.includes(node)
    )
    if (members.length === view.members.length) continue
    const partial: Tagged<"Partial"> = { _tag: "Partial", ballot, group, of: view.number, members }
    act.sendAll(others(States.nodesOf(members), act), partial)
    state = onPartial(state, partial, act)
  }
  return state
}
