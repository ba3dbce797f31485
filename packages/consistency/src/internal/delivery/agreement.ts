/** Who delivers, and that it was sent: what has nothing to do with order. */
import type { Verdict } from "./Trace.ts"
import { type Life, nobody, ok, type Run, unknown } from "./Run.ts"

export const noDuplication = (run: Run): Verdict => {
  for (const life of run.lives) {
    const seen = new Set<number>()
    for (let i = 0; i < life.delivered.length; i++) {
      const message = life.delivered[i]!
      if (message === nobody) continue
      if (seen.has(message)) {
        const reason = `${life.node} delivers ${run.name(message)} of ${run.sender(message)} a second time.`
        return run.violated("no duplication", life, life.deliveredAt[i]!, reason)
      }
      seen.add(message)
    }
  }
  return ok
}

export const noCreation = (run: Run): Verdict => {
  for (const life of run.lives) {
    for (let i = 0; i < life.delivered.length; i++) {
      const wrong = created(run, life, i)
      if (wrong !== undefined) return run.violated("no creation", life, life.deliveredAt[i]!, wrong)
    }
  }
  return ok
}

const created = (run: Run, life: Life, i: number): string | undefined => {
  const number = life.delivered[i]!
  const event = run.event(life, life.deliveredAt[i]!)
  if (event._tag !== "Deliver") return undefined
  if (number === nobody) {
    const { id } = event
    return `${life.node} delivers ${typeof id === "string" ? id : JSON.stringify(id)}, which nobody sent.`
  }
  const message = run.messages[number]!
  const sender = run.lives[message.sender]!
  if (event.from !== undefined && event.from !== sender.node) {
    return `${life.node} delivers ${message.name} as from ${event.from}, but ${sender.node} sent it.`
  }
  if (sender.node === life.node && message.at > life.deliveredAt[i]!) {
    return `${life.node} delivers ${message.name} before it sends it.`
  }
  return undefined
}

export const selfDelivery = (run: Run): Verdict => {
  for (let i = 0; i < run.lives.length; i++) {
    const life = run.lives[i]!
    if (!run.isCorrect(life)) continue
    for (const message of life.sent) {
      const { view } = run.messages[message]!
      if (run.hasViews && view !== unknown && !run.survived(life, view)) continue
      if (!run.hasDelivered(i, message)) {
        const reason = `${life.node} sent ${run.name(message)} and never delivers it itself.`
        return run.violated("self-delivery", life, life.end, reason)
      }
    }
  }
  return ok
}

export const validity = (run: Run): Verdict => {
  for (const sender of run.lives) {
    if (!run.isCorrect(sender)) continue
    for (const message of sender.sent) {
      const { view } = run.messages[message]!
      if (!run.survived(sender, view)) continue
      const verdict = delivered(run, message, "validity", `${sender.node}, which is correct, sent it`)
      if (verdict !== ok) return verdict
    }
  }
  return ok
}

/** `uniformly`: deliveries of those count too that did not survive. */
export const agreement = (run: Run, uniformly: boolean): Verdict => {
  const rule = uniformly ? "uniform agreement" : "agreement"
  const agreed = new Set<number>()
  for (const life of run.lives) {
    if (!uniformly && !run.isCorrect(life)) continue
    for (let i = 0; i < life.delivered.length; i++) {
      const message = life.delivered[i]!
      if (message === nobody || agreed.has(message)) continue
      if (!uniformly && !run.survived(life, life.deliveredIn[i]!)) continue
      agreed.add(message)
      const who = run.isCorrect(life) ? "" : ", which is not correct,"
      const verdict = delivered(run, message, rule, `${life.node}${who} delivered it`)
      if (verdict !== ok) return verdict
    }
  }
  return ok
}

/** Whether all who are asked for this message have delivered it. */
const delivered = (run: Run, message: number, rule: string, why: string): Verdict => {
  const { view } = run.messages[message]!
  for (let i = 0; i < run.lives.length; i++) {
    if (run.hasDelivered(i, message)) continue
    const life = run.lives[i]!
    if (!run.isObliged(life, view)) continue
    return run.violated(rule, life, life.end, `${life.node} never delivers ${run.name(message)}, though ${why}.`)
  }
  return ok
}
