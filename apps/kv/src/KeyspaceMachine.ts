/**
 * The machine that is replicated: keys, their values, until when they last, and locks.
 *
 * A request is a batch of steps, executed one after the other, each seeing what those before it did; their changes are
 * safe together. So what arrives together costs one round. A step is a command, or a transaction of some. A key that has
 * expired is gone for every request from then on, by the time of the replica that executes, and is removed by a fact.
 */
import type { Machine } from "@troupe/replication"
import { commands, run } from "./commands/all.ts"
import * as Facts from "./Facts.ts"
import { due } from "./Housekeeping.ts"
import { keyed } from "./Keyed.ts"
import { layout } from "./Layout.ts"
import * as Reply from "./Reply.ts"
import { largestResponse, Request, Response, sizeOf, type Step, tooLarge } from "./Request.ts"
import { View } from "./View.ts"

export type { Request, Response, Step } from "./Request.ts"

const isReadCommand = (words: ReadonlyArray<string>): boolean => commands.get(words[0]!)?.writes === false

const isReadStep = (step: Step): boolean => {
  if (step._tag === "Transaction") return step.commands.every(isReadCommand)
  return step._tag === "Watch" || isReadCommand(step.words)
}

const runStep = (view: View, step: Step): Reply.Reply => {
  switch (step._tag) {
    case "Run":
      return run(view, step.words)
    case "Watch":
      return Reply.multiple(step.keys.map((key) => Reply.integer(view.get(key)?.version ?? 0)))
    case "Transaction": {
      const changed = step.watched.some(({ key, version }) => (view.get(key)?.version ?? 0) !== version)
      return changed ? Reply.noArray : Reply.multiple(step.commands.map((words) => run(view, words)))
    }
  }
}

const execute = (
  state: Facts.State,
  { steps }: Request,
  at: Machine.Moment
): Machine.Execution<Facts.Update, Response> => {
  const view = new View(state, at)
  const response: Array<Reply.Reply> = []
  let bytes = 0
  for (const step of steps) {
    const before = view.updates.length
    let reply = runStep(view, step)
    const size = sizeOf(reply)
    if (size > largestResponse || (bytes > 0 && bytes + size > largestResponse)) {
      if (view.updates.length > before) view.rollBack(before)
      if (size <= largestResponse) break
      reply = tooLarge
    }
    bytes += reply === tooLarge ? 128 : size
    response.push(reply)
  }
  return { response, updates: view.updates }
}

export const machine: Machine.Machine<Facts.State, Request, Facts.Update, Response> = {
  name: "keyspace",
  init: Facts.init,
  request: Request,
  update: Facts.Update,
  response: Response,
  isRead: ({ steps }) => steps.every(isReadStep),
  execute,
  apply: Facts.apply,
  applyAll: Facts.applyAll,
  dump: Facts.dump,
  housekeeping: { everyMillis: 100, due },
  sizeOf: (updates, response) => {
    let bytes = 0
    for (const update of updates) bytes += Facts.sizeOf(update)
    for (const reply of response ?? []) bytes += sizeOf(reply)
    return bytes
  },
  layout,
  keyed
}
