import * as Integers from "../Integers.ts"
import * as Reply from "../Reply.ts"
import type { View } from "../View.ts"

/** The instant that a time to live, in one of the units of `SET`, ends at; or why there is none. */
export const deadline = (
  view: View,
  unit: "EX" | "PX" | "EXAT" | "PXAT",
  digits: string,
  command: string
): number | Reply.Reply => {
  const amount = Integers.parse(digits)
  if (amount === undefined) return Reply.notAnInteger
  const expires = (unit.startsWith("EX") ? amount * 1000 : amount) + (unit.endsWith("AT") ? 0 : view.now)
  return amount > 0 && Number.isSafeInteger(expires) ? expires : invalidExpiry(command)
}

export const invalidExpiry = (command: string): Reply.Reply =>
  Reply.failure(`ERR invalid expire time in '${command}' command`)
