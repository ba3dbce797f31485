/**
 * Two-phase commit: several managers of resources commit a transaction all together, or abort it all together.
 *
 * A transaction has touched several databases. In the first phase each says that it is prepared, and from then on leaves
 * the decision to the transaction manager; until then it may abort by itself. In the second phase the transaction manager,
 * once all have said so, tells everyone to commit; or, at any time before, to abort.
 *
 * What it cannot bear is a transaction manager that crashes: those who are prepared wait for it. That is not in this
 * model, which is about safety: messages may be lost, repeated and overtaken, and still no two managers decide otherwise.
 * So what is on its way is simply the set of all messages ever sent, of which any can be read at any time.
 *
 * Sources: J. Gray, "Notes on Data Base Operating Systems", 1978. J. Gray, L. Lamport, "Consensus on Transaction Commit",
 * ACM TODS 31(1), 2006, whose specification in TLA+ this follows, step by step and state by state.
 */
import { Model, Property } from "@troupe/model-checker"
import * as Example from "./Example.ts"

// ------------------------------------------------------------------------------------------------- messages and state

export interface State {
  /** Of each resource manager. `committed` and `aborted` are for ever. */
  readonly managers: ReadonlyArray<"working" | "prepared" | "committed" | "aborted">
  /** The transaction manager has decided, or not. */
  readonly decision: "open" | "commit" | "abort"
  /** Whom the transaction manager knows to be prepared: a bit each. Each of them has sent so. */
  readonly noted: number
  /** All messages ever sent: Prepared, a bit for each resource manager; the decision says whether Commit or Abort was. */
  readonly sent: number
}

export type Action =
  | { readonly _tag: "Prepare" | "Abort" | "Note" | "ObeyCommit" | "ObeyAbort"; readonly manager: number }
  | { readonly _tag: "DecideCommit" | "DecideAbort" }

// ------------------------------------------------------------------------------------------------------------ the steps

/** In the order in which a run meets them. */
const actionsOf = ({ decision, managers, noted, sent }: State): ReadonlyArray<Action> => {
  const actions: Array<Action> = []
  for (let manager = 0; manager < managers.length; manager++) {
    if (managers[manager] === "working") actions.push({ _tag: "Prepare", manager }, { _tag: "Abort", manager })
    if (decision === "open" && (sent & ~noted & (1 << manager)) !== 0) actions.push({ _tag: "Note", manager })
    if (decision === "commit" && managers[manager] !== "committed") actions.push({ _tag: "ObeyCommit", manager })
    if (decision === "abort" && managers[manager] !== "aborted") actions.push({ _tag: "ObeyAbort", manager })
  }
  if (decision === "open") {
    if (noted === (1 << managers.length) - 1) actions.push({ _tag: "DecideCommit" })
    actions.push({ _tag: "DecideAbort" })
  }
  return actions
}

const next = (state: State, action: Action): State => {
  switch (action._tag) {
    case "Prepare":
      return {
        ...state,
        managers: state.managers.with(action.manager, "prepared"),
        sent: state.sent | (1 << action.manager)
      }
    case "Abort":
    case "ObeyAbort":
      return { ...state, managers: state.managers.with(action.manager, "aborted") }
    case "ObeyCommit":
      return { ...state, managers: state.managers.with(action.manager, "committed") }
    case "Note":
      return { ...state, noted: state.noted | (1 << action.manager) }
    case "DecideCommit":
      return { ...state, decision: "commit" }
    case "DecideAbort":
      return { ...state, decision: "abort" }
  }
}

const describe = (action: Action): string => {
  switch (action._tag) {
    case "Prepare":
      return `manager ${action.manager} is prepared`
    case "Abort":
      return `manager ${action.manager} aborts by itself`
    case "Note":
      return `the transaction manager hears that manager ${action.manager} is prepared`
    case "ObeyCommit":
      return `manager ${action.manager} is told to commit`
    case "ObeyAbort":
      return `manager ${action.manager} is told to abort`
    case "DecideCommit":
      return "the transaction manager decides to commit"
    case "DecideAbort":
      return "the transaction manager decides to abort"
  }
}

// ------------------------------------------------------------------------------------------------------------ the model

export const model = ({ managers }: { readonly managers: number }): Model.Checkable<State> =>
  Model.make<State, Action>({
    name: `two-phase commit, ${managers} managers`,
    init: [{ managers: new Array<"working">(managers).fill("working"), decision: "open", noted: 0, sent: 0 }],
    actions: actionsOf,
    next,
    describe,
    properties: [
      Property.always(
        "all decide alike",
        (state) => !(state.managers.includes("committed") && state.managers.includes("aborted"))
      ),
      Property.sometimes("all commit", (state) => state.managers.every((manager) => manager === "committed")),
      Property.sometimes("all abort", (state) => state.managers.every((manager) => manager === "aborted"))
    ]
  })

export const example = Example.make({
  name: "two-phase-commit",
  title: "Two-phase commit",
  summary:
    "Resource managers commit a transaction all together, or abort it; the transaction manager asks, then decides.",
  paper: {
    authors: "Jim Gray, Leslie Lamport",
    title: "Consensus on Transaction Commit",
    venue: "ACM TODS 31(1)",
    year: 2006
  },
  flags: [{ name: "managers", default: 3, minimum: 1, maximum: 12, description: "resource managers" }],
  model,
  knownCounts: [
    { values: { managers: 3 }, uniqueStates: 288 },
    { values: { managers: 5 }, uniqueStates: 8_832 }
  ]
})
