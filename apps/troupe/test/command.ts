/** The command as a user runs it: a process of its own. */
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const bin = fileURLToPath(new URL("../bin/troupe.js", import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export const start = (...args: ReadonlyArray<string>): ChildProcess =>
  spawn(process.execPath, [bin, ...args], { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NO_COLOR: "1" } })

export const ended = (child: ChildProcess): Promise<Ended> =>
  new Promise((resolve, reject) => {
    let stdout = ""
    let stderr = ""
    child.stdout!.on("data", (chunk) => (stdout += chunk))
    child.stderr!.on("data", (chunk) => (stderr += chunk))
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, stdout, stderr }))
  })

export const troupe = (...args: ReadonlyArray<string>): Promise<Ended> => ended(start(...args))

/** Runs with `--json`, and reads the one object that is printed. */
export const json = async (
  ...args: ReadonlyArray<string>
): Promise<{ readonly code: number | null; readonly value: any }> => {
  const { code, stderr, stdout } = await troupe(...args, "--json")
  if (stderr !== "") throw new Error(stderr)
  return { code, value: JSON.parse(stdout) }
}
