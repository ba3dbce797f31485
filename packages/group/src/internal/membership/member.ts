/** A node as a member, and as one that accepts: what it does whoever coordinates. */
import type { NodeId } from "@troupe/transport"
import type { Agreed, Message, Refusal, Tagged, Want } from "./messages.ts"
import * as States from "./state.ts"
import type { Act, Command, State, Wanted } from "./state.ts"

// --------------------------------------------------------------------------------------------------- what the user wants

export const onEnter = (
  state: State,
  { group, mode }: Extract<Command, { readonly _tag: "Enter" }>,
  act: Act
): State => {
  if (States.isWanted(state.wants, group)) return state
  const waits = States.includes(States.groupOf(state, group).view, act.self.id, state.life)
  return { ...state, wants: [...state.wants, { group, mode, waits }] }
}

/** It takes no part from now on, though it is listed until a view is agreed on without it. */
export const onLeave = (state: State, name: string): State => {
  const wants = state.wants.filter((want) => !States.isWanted([want], name))
  const group = state.groups.get(name)
  const left = { ...state, wants }
  return group === undefined
    ? left
    : States.withGroup(left, name, { ...group, installed: undefined, partial: undefined })
}

export const onAsk = (state: State, group: string, mode: "destroy" | "look"): State =>
  state.wants.some((want) => want.group === group && want.mode === mode)
    ? state
    : { ...state, wants: [...state.wants, { group, mode, waits: false }] }

/** What it tells the coordinator. */
export const report = (state: State, act: Act): Tagged<"Report"> => ({
  _tag: "Report",
  life: state.life,
  sequence: state.sequence,
  wants: state.wants.filter(({ waits }) => !waits).map(({ group, mode }) => ({ group, mode })),
  views: [...state.groups].flatMap(([group, { installed, partial, passed, view }]) =>
    installed !== undefined || States.includes(view, act.self.id, state.life)
      ? [{ group, number: passed, partial: partial !== undefined }]
      : []
  )
})

/** The answer to a want, or to one that is not wanted any more. */
export const onRefused = (state: State, group: string, mode: Want["mode"], refusal: Refusal, act: Act): State => {
  const asked = state.wants.find((want) => want.group === group && want.mode === mode && !want.waits)
  if (asked === undefined) return state
  // It came late: this node has been let in since.
  const isIn = States.includes(States.groupOf(state, group).view, act.self.id, state.life)
  if (isIn && States.isWanted([asked], group)) return state
  act.emit({ _tag: "Refused", group, mode, refusal })
  return { ...state, wants: state.wants.filter((want) => want !== asked) }
}

export const onKnown = (state: State, { group, view }: Tagged<"Known">, act: Act): State => {
  const asked = state.wants.find((want) => want.group === group && want.mode === "look")
  if (asked === undefined) return state
  act.emit({ _tag: "Known", group, view: States.shown(view) })
  return { ...state, wants: state.wants.filter((want) => want !== asked) }
}

// --------------------------------------------------------------------------------------------------------------- accepting

export const onPrepare = (state: State, { ballot }: Tagged<"Prepare">): readonly [State, Message] => {
  if (States.compare(ballot, state.promised) < 0) return [state, { _tag: "Nack", ballot: state.promised }]
  return [
    { ...state, promised: ballot },
    {
      _tag: "Promise",
      ballot,
      life: state.life,
      groups: Array.from(state.groups, ([group, { accepted, view }]) => ({
        group,
        view,
        ...(accepted !== undefined && { accepted })
      }))
    }
  ]
}

export const onAccept = (before: State, message: Tagged<"Accept">, act: Act): readonly [State, Message] => {
  const { ballot, base, group: name, view } = message
  if (States.compare(ballot, before.promised) < 0) return [before, { _tag: "Nack", ballot: before.promised }]
  const state = learn({ ...before, promised: ballot }, name, [base], act)
  const group = States.groupOf(state, name)
  // It is decided what follows `base`.
  if (group.view.number > base.number) {
    return [state, { _tag: "Commit", group: name, views: group.recent, forgotten: false }]
  }
  const accepted = States.withGroup(state, name, { ...group, accepted: { ballot, view } })
  return [accepted, { _tag: "Accepted", ballot, group: name, number: view.number, life: state.life }]
}

// --------------------------------------------------------------------------------------------------------- views

/** These views are agreed on. */
export const learn = (state: State, name: string, views: ReadonlyArray<Agreed>, act: Act): State => {
  const group = States.groupOf(state, name)
  const oldest = group.recent[0]!.number
  if (views.every(({ number }) => number >= oldest && number <= group.view.number)) return state
  const recent = States.joinChains(group.recent, views)
  const view = recent.at(-1)!
  const isNew = view.number > group.view.number
  if (!isNew && recent.length === group.recent.length) return state
  const learnt = { ...group, view, recent, accepted: isNew ? undefined : group.accepted }
  return told(advance(States.withGroup(state, name, learnt), name, act), name, view, act)
}

/** Who wanted the group destroyed has what it wanted. */
const told = (state: State, group: string, view: Agreed, act: Act): State => {
  if (view.members.length > 0 || !state.wants.some((want) => want.group === group && want.mode === "destroy"))
    return state
  act.emit({ _tag: "Destroyed", group })
  return { ...state, wants: state.wants.filter((want) => want.group !== group || want.mode !== "destroy") }
}

/** Installs, one after the other, those views that it is in; leaves where it is in one no more. */
const advance = (state: State, name: string, act: Act): State => {
  const group = state.groups.get(name)!
  const self = act.self.id
  let { installed, partial, passed } = group
  let { wants } = state
  for (const view of group.recent) {
    if (view.number <= passed) continue
    if (!States.includes(view, self, state.life)) {
      if (installed !== undefined) {
        const isGone = view.members.length === 0
        act.emit({ _tag: "Left", group: name, why: isGone ? "destroyed" : "evicted" })
        if (isGone) wants = wants.filter((want) => !States.isWanted([want], name))
      }
      installed = undefined
      partial = undefined
      // What it asked for meanwhile can be asked for.
      wants = wants.map((want) => (want.group === name && want.waits ? { ...want, waits: false } : want))
    } else if (isStaying(wants, name)) {
      const follows = installed !== undefined && view.number === passed + 1
      if (!follows && !view.joined.includes(self)) break
      installed = view
      partial = undefined
      wants = joined(wants, name)
      act.emit({ _tag: "View", group: name, view: States.shown(view) })
    }
    passed = view.number
  }
  return passed === group.passed
    ? state
    : States.withGroup({ ...state, wants }, name, { ...group, installed, partial, passed })
}

/** Once it is a member, it wants to be in the group that there is. */
const joined = (wants: ReadonlyArray<Wanted>, group: string): ReadonlyArray<Wanted> =>
  wants.map((want) =>
    want.group === group && !want.waits && want.mode === "create" ? { ...want, mode: "join" } : want
  )

/** Whether it takes part. Who has left, and waits to be let out, hears nothing of the group. */
const isStaying = (wants: ReadonlyArray<Wanted>, group: string): boolean =>
  wants.some((want) => !want.waits && States.isWanted([want], group))

/** Whether it cannot go on to a view, for it lacks one before that it may be in. */
export const isBehind = (state: State, name: string, self: NodeId.NodeId): boolean => {
  const { installed, passed, view } = States.groupOf(state, name)
  const isListed = installed !== undefined || States.includes(view, self, state.life)
  return passed < view.number && isListed && isStaying(state.wants, name)
}

/** Nobody can tell it of the views that it missed: it leaves, and comes in again, as one that knows nothing. */
export const comeAnew = (state: State, name: string, act: Act): State => {
  const group = States.groupOf(state, name)
  if (group.installed !== undefined) act.emit({ _tag: "Left", group: name, why: "evicted" })
  const wants = state.wants.map((want) =>
    States.isWanted([want], name) ? { ...want, mode: "enter" as const, waits: true } : want
  )
  const left = { ...group, installed: undefined, partial: undefined }
  return advance(States.withGroup({ ...state, wants }, name, left), name, act)
}

/** Two lives of a node are the same once in 2^48 times. */
export const drawLife = (act: Act): number => 1 + Math.floor(act.random() * 2 ** 48)

/** A partial view of those who can be reached. */
export const onPartial = (state: State, { ballot, group: name, members, of }: Tagged<"Partial">, act: Act): State => {
  const group = States.groupOf(state, name)
  const { installed, partial } = group
  if (installed?.number !== of || group.view.number !== of || States.compare(ballot, state.promised) < 0) return state
  if (!members.some((member) => member.node === act.self.id && member.life === state.life)) return state
  const isKnown =
    partial !== undefined &&
    partial.members.length === members.length &&
    partial.members.every(({ life, node }, at) => members[at]!.node === node && members[at]!.life === life)
  if (isKnown) return state
  const view = { number: of, members: States.nodesOf(members), joined: [] }
  act.emit({ _tag: "Partial", group: name, view })
  return States.withGroup(state, name, { ...group, partial: { ballot, of, members } })
}
