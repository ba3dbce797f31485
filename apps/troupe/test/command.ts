/** The command as a user runs it: in a process of its own, or in this one. */
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { format } from "node:util"
import { Effect, Runtime } from "effect"

const bin = fileURLToPath(new URL("../bin/troupe.js", import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export const start = (...args: ReadonlyArray<string>): ChildProcess =>
  spawn(process.execPath, [bin, ...args], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: { ...process.env, NO_COLOR: "1" }
  })

export const ended = (child: ChildProcess): Promise<Ended> =>
  new Promise((resolve, reject) => {
    let stdout = ""
    let stderr = ""
    child.stdout!.on("data", (chunk) => (stdout += chunk))
    child.stderr!.on("data", (chunk) => (stderr += chunk))
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, stdout, stderr }))
  })

/** One at a time: they have one output. */
let turn: Promise<unknown> = Promise.resolve()

/** In this process, which spares its start: what it prints, and the code that it would end with. */
export const troupe = (...args: ReadonlyArray<string>): Promise<Ended> => {
  const run = turn.then(() => here(args))
  turn = run.catch(() => {})
  return run
}

const here = async (args: ReadonlyArray<string>): Promise<Ended> => {
  const { cli } = await import("../src/cli.ts")
  const printed = { stdout: "", stderr: "" }
  const restore = [
    taken(process.stdout, (text) => (printed.stdout += text)),
    taken(process.stderr, (text) => (printed.stderr += text))
  ]
  const before = { ...console }
  console.log = (...all: ReadonlyArray<unknown>) => (printed.stdout += `${format(...all)}\n`)
  console.error = (...all: ReadonlyArray<unknown>) => (printed.stderr += `${format(...all)}\n`)
  try {
    const exit = await Effect.runPromiseExit(cli(args) as Effect.Effect<void, unknown>)
    const code = await new Promise<number>((resolve) => Runtime.defaultTeardown(exit, resolve))
    return { code, ...printed }
  } finally {
    Object.assign(console, before)
    for (const each of restore) each()
  }
}

/** What is written to it, until that is undone. */
const taken = (stream: NodeJS.WriteStream, take: (text: string) => void): (() => void) => {
  const { write } = stream
  stream.write = ((chunk: string | Uint8Array, ...rest: ReadonlyArray<unknown>) => {
    take(typeof chunk === "string" ? chunk : Buffer.from(chunk).toString())
    const done = rest.at(-1)
    if (typeof done === "function") done()
    return true
  }) as typeof stream.write
  return () => {
    stream.write = write
  }
}

interface Printed {
  readonly code: number | null
  readonly value: any
}

const read = ({ code, stderr, stdout }: Ended): Printed => {
  if (stderr !== "") throw new Error(stderr)
  return { code, value: JSON.parse(stdout) }
}

/** Runs with `--json`, and reads the one object that is printed. */
export const json = async (...args: ReadonlyArray<string>): Promise<Printed> => read(await troupe(...args, "--json"))

/** The same in a process of its own: for several that wait for long, side by side. */
export const jsonApart = async (...args: ReadonlyArray<string>): Promise<Printed> =>
  read(await ended(start(...args, "--json")))
