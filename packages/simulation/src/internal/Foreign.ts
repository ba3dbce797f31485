/**
 * Finds what would make a simulated run depend on the real world: promises, real timers, I/O. They are named by their
 * kind and by the place that made them, as far as the runtime can tell (Node's async_hooks; nothing in a browser).
 */
export interface Foreign {
  /** Such as `PROMISE` or `Timeout`. */
  readonly kind: string
  /** `file:line:column`, outside of libraries where possible. */
  readonly madeAt: string
}

export interface Tracker {
  readonly found: ReadonlyArray<Foreign>
  readonly stop: () => void
}

interface AsyncHooks {
  readonly createHook: (callbacks: { readonly init: (id: number, kind: string) => void }) => {
    readonly enable: () => void
    readonly disable: () => void
  }
}

const limit = 16

/** Notes what is made while `isRunning()`. */
export const track = (isRunning: () => boolean): Tracker => {
  const found: Array<Foreign> = []
  const hooks = (globalThis as any).process?.getBuiltinModule?.("node:async_hooks") as AsyncHooks | undefined
  const hook = hooks?.createHook({
    init: (_id, kind) => {
      if (kind !== "effect/Fiber" && found.length < limit && isRunning()) found.push({ kind, madeAt: callSite() })
    }
  })
  hook?.enable()
  return { found, stop: () => hook?.disable() }
}

const callSite = (): string => {
  const before = Error.stackTraceLimit
  Error.stackTraceLimit = 40
  const lines = (new Error().stack ?? "").split("\n").slice(3).map((line) => line.trim())
  Error.stackTraceLimit = before
  const ours = /node:|\/effect\/(src|dist)\/|\/simulation\/(src|dist)\/(?!.*test)|\/actor\/(src|dist)\/|async_hooks/
  const line = lines.find((line) => line.startsWith("at ") && !ours.test(line)) ?? lines[0] ?? ""
  return line.replace(/^at /, "").replace(/file:\/\//, "")
}
