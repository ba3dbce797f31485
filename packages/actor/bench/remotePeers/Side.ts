/** One of the two processes of a peer: takes a command a line, and answers each with a line of JSON. */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { cpuMicros } from "../asking.ts"
import type { Connection } from "./RemotePeer.ts"

export interface Side {
  /** What it said when it was ready. */
  readonly begun: any
  readonly say: (command: string) => Promise<any>
  /** It ends when it hears no more. */
  readonly end: () => void
}

/** Rejects where it ends before it is ready. */
export const start = async (
  name: string,
  program: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): Promise<Side> => {
  const child: ChildProcess = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "inherit"]
  })
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const heard = async (): Promise<any> => {
    const line = await lines.next()
    if (line.done === true) throw new Error(`A process of "${name}" has ended with ${child.exitCode}`)
    return JSON.parse(line.value)
  }
  child.stdin!.on("error", () => {})
  return {
    begun: await heard(),
    say: (command) => {
      child.stdin!.write(`${command}\n`)
      return heard()
    },
    end: () => child.stdin!.end()
  }
}

/** In such a process: says that it is ready, and does what it is told until there is no more. */
export const obey = async (begun: unknown, connection?: Connection): Promise<void> => {
  const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`)
  say(begun)
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, ...numbers] = line.split(" ")
    if (command === "cpu") {
      say(cpuMicros() + ((await connection?.cpuElsewhere?.()) ?? 0))
      continue
    }
    const [depth, count] = numbers.map(Number)
    globalThis.gc?.()
    const start = performance.now()
    const right = await connection!.ask(depth!, count!)
    say({ right, seconds: (performance.now() - start) / 1000 })
  }
  await connection?.close?.()
}
