/**
 * Scripts, of which the server knows by their digests what they do: those that the clients of the Redlock algorithm lock
 * with. It runs no others: a script could do anything, and what is replicated here are facts.
 */
import { createHash } from "node:crypto"
import * as Integers from "../Integers.ts"
import * as Reply from "../Reply.ts"
import type { View } from "../View.ts"
import { type Command, ofCounted, writes } from "./Command.ts"
import { deadline } from "./deadline.ts"

type Script = (view: View, keys: ReadonlyArray<string>, args: ReadonlyArray<string>) => Reply.Reply

/** Sets all keys to the value with a time to live, if `may` lets it; answers how many. */
const setAll =
  (may: (view: View, key: string, value: string) => boolean): Script =>
  (view, keys, [value, millis]) => {
    if (value === undefined || millis === undefined) return Reply.syntaxError
    if (!keys.every((key) => may(view, key, value))) return Reply.zero
    const expires = deadline(view, "PX", millis, "set")
    if (typeof expires !== "number") return expires
    for (const key of keys) view.put(key, value, expires)
    return Reply.integer(keys.length)
  }

const removeEqual: Script = (view, keys, [value]) => {
  const own = [...new Set(keys)].filter((key) => view.get(key)?.value === value)
  if (own.length > 0) view.remove(own)
  return Reply.integer(own.length)
}

/** By SHA-1. */
const known: ReadonlyMap<string, Script> = new Map([
  // The npm package redlock, 4.x: to lock, to unlock, to extend.
  ["e5a322e2634ef59a516e8ea150cb085afafee684", setAll((view, key) => view.get(key) === undefined)],
  ["0f0f23b9048b36752b5be114f357ba083449f908", removeEqual],
  ["ce46f80993d5dac20dd066eb301a4e37994bdbed", setAll((view, key, value) => view.get(key)?.value === value)]
])

const run = (view: View, script: Script, [digits, ...words]: ReadonlyArray<string>): Reply.Reply => {
  const count = Integers.parse(digits!)
  if (count === undefined) return Reply.notAnInteger
  if (count < 0) return Reply.failure("ERR Number of keys can't be negative")
  if (count > words.length) return Reply.failure("ERR Number of keys can't be greater than number of args")
  return script(view, words.slice(0, count), words.slice(count))
}

const evaluate: Command["execute"] = (view, [text, ...words]) => {
  const script = known.get(createHash("sha1").update(text!, "latin1").digest("hex"))
  if (script === undefined) return Reply.failure("ERR this server knows a few scripts, and runs no others")
  return run(view, script, words)
}

const evaluateKnown: Command["execute"] = (view, [digest, ...words]) => {
  const script = known.get(digest!.toLowerCase())
  if (script === undefined) return Reply.failure("NOSCRIPT No matching script. Please use EVAL.")
  return run(view, script, words)
}

export const scripts: Readonly<Record<string, Command>> = {
  EVAL: writes(-3, evaluate, ofCounted),
  EVALSHA: writes(-3, evaluateKnown, ofCounted)
}
