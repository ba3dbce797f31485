import { spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { fileURLToPath } from "node:url"
import { freePort } from "./freePort.ts"
import { type Side, start } from "./Side.ts"

const file = fileURLToPath(new URL("./otp.escript", import.meta.url))

const notes = {
  call: "`gen_server:call`: a time limit and a monitor a question; at most once, in order; any term, unchecked; preempted.",
  bare: "A message to a `gen_server` and one back, told by a reference: nothing is given up on, and a death is not heard of."
}

export const otpNote = (way: keyof typeof notes): string => notes[way]

/**
 * Two nodes that need no port mapper: who asks is told the port of the other one, and listens to nobody. Undefined where
 * Erlang is not installed.
 */
export const otp = async (way: keyof typeof notes): Promise<readonly [answers: Side, asks: Side] | undefined> => {
  if (spawnSync("escript", { stdio: "ignore" }).error !== undefined) return undefined
  const port = await freePort()
  const cookie = randomBytes(16).toString("hex")
  // One scheduler each, as the others have one thread: on two cores that was as fast as two, or faster.
  const side = (args: ReadonlyArray<string>, name: string, flags: string) =>
    start("Erlang/OTP", "escript", [file, ...args], {
      ERL_AFLAGS: `+S 1:1 -name ${name}@127.0.0.1 -setcookie ${cookie} -start_epmd false -erl_epmd_port ${port} ${flags}`,
      ERL_CRASH_DUMP_BYTES: "0"
    })
  const answers = await side(["answer"], "there", "-kernel inet_dist_use_interface {127,0,0,1}")
  return [answers, await side(["ask", way], "here", "-dist_listen false")]
}
