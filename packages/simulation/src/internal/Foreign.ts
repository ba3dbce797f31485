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

/** Notes what is made while `isRunning()`, but for what the console makes: it tells of the run and takes no part. */
export const track = (isRunning: () => boolean): Tracker => {
  const found: Array<Foreign> = []
  const hooks = (globalThis as any).process?.getBuiltinModule?.("node:async_hooks") as AsyncHooks | undefined
  const hook = hooks?.createHook({
    init: (_id, kind) => {
      if (kind === "effect/Fiber" || found.length >= limit || !isRunning()) return
      const stack = callStack()
      if (!stack.some((line) => line.includes("node:internal/console"))) found.push({ kind, madeAt: callSite(stack) })
    }
  })
  hook?.enable()
  return { found, stop: () => hook?.disable() }
}

const callStack = (): ReadonlyArray<string> => {
  const before = Error.stackTraceLimit
  Error.stackTraceLimit = 60
  const stack = new Error().stack ?? ""
  Error.stackTraceLimit = before
  // Without the message, this function and the hook.
  return stack
    .split("\n")
    .slice(3)
    .map((line) => line.trim())
}

/** Frames that are not the user's. */
const library =
  /node:|<anonymous>\)?$|[\\/]node_modules[\\/]|[\\/]packages[\\/](simulation|actor|transport)[\\/](src|dist)[\\/]/

const callSite = (stack: ReadonlyArray<string>): string => {
  const line = stack.find((line) => line.startsWith("at ") && !library.test(line)) ?? stack[0] ?? "a place unknown"
  return line.replace(/^at /, "").replace(/file:\/\//, "")
}
