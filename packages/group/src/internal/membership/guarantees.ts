/** What the coordinated membership promises, as predicates over the states of its nodes. */
import type { Card } from "@troupe/actor"
import type { Agreed } from "./messages.ts"
import { includes, isWanted, type State } from "./state.ts"

type Guarantee = Card.Guarantee<State>

const isSame = (a: Agreed, b: Agreed): boolean =>
  a === b ||
  (a.members.length === b.members.length &&
    a.joined.length === b.joined.length &&
    a.members.every(({ life, node }, at) => b.members[at]!.node === node && b.members[at]!.life === life) &&
    a.joined.every((node, at) => b.joined[at] === node))

export const oneSequence: Guarantee = {
  name: "one sequence of views",
  kind: "always",
  description: "Of each number there is one view, whoever knows of it.",
  holds: (nodes) => {
    const known = new Map<string, Map<number, Agreed>>()
    for (const { state } of nodes) {
      for (const [name, { recent }] of state.groups) {
        const views = known.get(name) ?? new Map<number, Agreed>()
        known.set(name, views)
        for (const view of recent) {
          const other = views.get(view.number)
          if (other === undefined) views.set(view.number, view)
          else if (!isSame(view, other)) return false
        }
      }
    }
    return true
  }
}

export const isMember: Guarantee = {
  name: "a member installs views that it is in",
  kind: "always",
  description: "What a node has installed lists it, in its present life.",
  holds: (nodes) =>
    nodes.every(({ node, state }) =>
      [...state.groups.values()].every(
        ({ installed }) => installed === undefined || includes(installed, node, state.life)
      )
    )
}

export const grows: Guarantee = {
  name: "numbers grow",
  kind: "always",
  description: "What a node has installed is not older than what it has passed, nor newer than what it knows.",
  holds: (nodes) =>
    nodes.every(({ state }) =>
      [...state.groups.values()].every(
        ({ installed, passed, view }) =>
          passed <= view.number && (installed === undefined || installed.number === passed)
      )
    )
}

export const eventuallyTogether: Guarantee = {
  name: "everybody comes in",
  kind: "eventually",
  description: "Who is up and wants to be in a group is in its latest view, and so is nobody else.",
  holds: (nodes) => {
    const alive = nodes.filter((node) => node.alive)
    const names = new Set(alive.flatMap(({ state }) => state.wants.map(({ group }) => group)))
    return [...names].every((name) => {
      const wanting = alive.filter(({ state }) => isWanted(state.wants, name))
      const latest = Math.max(0, ...alive.map(({ state }) => state.groups.get(name)?.view.number ?? 0))
      return wanting.every(({ state }) => {
        const installed = state.groups.get(name)?.installed
        return installed?.number === latest && installed.members.length === wanting.length
      })
    })
  }
}

export const somebodyJoins: Guarantee = {
  name: "somebody joins",
  kind: "sometimes",
  description: "The run has seen a view of several members.",
  holds: (nodes) =>
    nodes.some(({ state }) => [...state.groups.values()].some(({ installed }) => (installed?.members.length ?? 0) > 1))
}
