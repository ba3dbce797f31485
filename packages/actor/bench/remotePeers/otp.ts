import { spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { fileURLToPath } from "node:url"
import { freePort } from "./freePort.ts"
import { type Side, start } from "./Side.ts"

const file = fileURLToPath(new URL("./otp.escript", import.meta.url))

/**
 * Two nodes that need no port mapper: who asks is told the port of the other one, and listens to nobody. Undefined where
 * Erlang is not installed.
 */
export const otp = async (): Promise<readonly [answers: Side, asks: Side] | undefined> => {
  if (spawnSync("escript", { stdio: "ignore" }).error !== undefined) return undefined
  const port = await freePort()
  const cookie = randomBytes(16).toString("hex")
  const side = (what: string, name: string, flags: string) =>
    start("Erlang/OTP", "escript", [file, what], {
      ERL_AFLAGS: `+sbwt none +sbwtdcpu none +sbwtdio none -name ${name}@127.0.0.1 -setcookie ${cookie} -start_epmd false -erl_epmd_port ${port} ${flags}`,
      ERL_CRASH_DUMP_BYTES: "0"
    })
  const answers = await side("answer", "there", "-kernel inet_dist_use_interface {127,0,0,1}")
  return [answers, await side("ask", "here", "-dist_listen false")]
}

export const otpNote =
  "`gen_server:call`: a time limit and a monitor a question; at most once, in order; any term, unchecked; parallel, preempted."
