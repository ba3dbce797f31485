/** Views, and what they cut. */
import type { Verdict } from "./Trace.ts"
import { type Life, nobody, ok, type Run } from "./Run.ts"

const rule = "view synchrony"

export const viewSynchronous = (run: Run): Verdict => {
  for (const check of [membership, sendingView, sameSets]) {
    const verdict = check(run)
    if (verdict !== ok) return verdict
  }
  return ok
}

/** One list of members a view; whoever is told of it is in it; numbers grow; nobody skips one that it is in. */
const membership = (run: Run): Verdict => {
  const views = [...run.members.keys()].sort((a, b) => a - b)
  const installers = new Map<number, ReadonlySet<number>>()
  for (const view of views) installers.set(view, new Set())
  run.lives.forEach((life, index) => {
    for (const { number } of life.views) (installers.get(number) as Set<number>).add(index)
  })
  for (const life of run.lives) {
    for (let i = 0; i < life.views.length; i++) {
      const { at, number } = life.views[i]!
      const before = life.views[i - 1]
      const event = run.event(life, at)
      if (event._tag !== "View") continue
      const members = run.members.get(number)!
      const wrong =
        event.members.length !== members.size || event.members.some((member) => !members.has(member))
          ? `is told of view ${number} with members ${event.members.join(", ")}, another with ${[...members].join(", ")}.`
          : !members.has(life.node)
            ? `is told of view ${number}, of which it is no member: ${[...members].join(", ")}.`
            : before !== undefined && before.number >= number
              ? `is told of view ${number} after view ${before.number}.`
              : before !== undefined
                ? skipped(run, life, before.number, number, views, installers)
                : undefined
      if (wrong !== undefined) return run.violated(rule, life, at, `${life.node} ${wrong}`)
    }
  }
  return ok
}

const skipped = (
  run: Run,
  life: Life,
  from: number,
  to: number,
  views: ReadonlyArray<number>,
  installers: ReadonlyMap<number, ReadonlySet<number>>
): string | undefined => {
  for (let i = views.indexOf(from) + 1; views[i]! < to; i++) {
    const view = views[i]!
    // A view without it has been: it was left behind, and is let in again.
    if (!run.isIn(life, view)) return undefined
    for (const other of installers.get(view)!) {
      if (run.lives[other]!.views.some(({ number }) => number === from)) {
        return `goes from view ${from} to ${to} past view ${view}, of which it is a member and to which ${run.node(other)} went on.`
      }
    }
  }
  return undefined
}

/** A message is delivered in one view, in which its sender was too, and was no earlier view than it was asked for in. */
const sendingView = (run: Run): Verdict => {
  for (const life of run.lives) {
    for (let i = 0; i < life.delivered.length; i++) {
      const number = life.delivered[i]!
      if (number === nobody) continue
      const wrong = misplaced(run, life, i)
      if (wrong !== undefined) return run.violated(rule, life, life.deliveredAt[i]!, `${life.node} ${wrong}`)
    }
  }
  return ok
}

const misplaced = (run: Run, life: Life, i: number): string | undefined => {
  const message = run.messages[life.delivered[i]!]!
  const view = life.deliveredIn[i]!
  const event = run.event(life, life.deliveredAt[i]!)
  const sender = run.lives[message.sender]!
  const delivers = `delivers ${message.name} of ${sender.node} in view ${view}`
  if (event._tag === "Deliver" && event.view !== undefined && run.hasViews && event.view !== view) {
    return `${delivers}, though it was sent in view ${event.view}.`
  }
  if (view !== message.view) return `${delivers}, another in view ${message.view}.`
  if (!run.hasViews) return undefined
  const asked = sender.views.findLast(({ at }) => at < message.at)?.number
  if (asked !== undefined && asked > view) return `${delivers}, though it was sent in view ${asked}.`
  if (!run.isIn(sender, view)) return `${delivers}, of which ${sender.node} is no member.`
  return undefined
}

/** Who goes from a view to the next together has delivered the same in it. */
const sameSets = (run: Run): Verdict => {
  const cuts = new Map<string, Cut>()
  for (const life of run.lives) {
    let i = 0
    for (let v = 0; v + 1 < life.views.length; v++) {
      const [view, next] = [life.views[v]!, life.views[v + 1]!]
      const set = new Set<number>()
      for (; i < life.delivered.length && life.deliveredAt[i]! < next.at; i++) {
        if (life.deliveredAt[i]! > view.at) set.add(life.delivered[i]!)
      }
      const key = `${view.number} ${next.number}`
      const cut = { life, set, view: view.number, next }
      const other = cuts.get(key)
      if (other === undefined) cuts.set(key, cut)
      else if (lacks(cut, other) !== undefined) return differs(run, cut, other)
      else if (lacks(other, cut) !== undefined) return differs(run, other, cut)
    }
  }
  return ok
}

/** What a life has delivered in a view from which it went on. */
interface Cut {
  readonly life: Life
  readonly set: ReadonlySet<number>
  readonly view: number
  readonly next: { readonly number: number; readonly at: number }
}

/** What the other has and this one not. */
const lacks = ({ set }: Cut, other: Cut): number | undefined => {
  for (const message of other.set) if (message !== nobody && !set.has(message)) return message
  return undefined
}

const differs = (run: Run, cut: Cut, other: Cut): Verdict => {
  const message = lacks(cut, other)!
  const { life, next, view } = cut
  return run.violated(
    rule,
    life,
    next.at,
    `${life.node} goes from view ${view} to ${next.number} without ${run.name(message)} of ${run.sender(message)}, which ${other.life.node} delivered before it went.`
  )
}
