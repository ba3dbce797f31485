/** Keys: which there are, and until when. */
import { Trie } from "@troupe/replication"
import * as Glob from "../Glob.ts"
import * as Integers from "../Integers.ts"
import * as Reply from "../Reply.ts"
import type { View } from "../View.ts"
import { type Command, type List, lists, reads, type Scope, writes } from "./Command.ts"
import { invalidExpiry } from "./deadline.ts"

const del: Command["execute"] = (view, keys) => {
  const found = [...new Set(keys)].filter((key) => view.get(key) !== undefined)
  if (found.length > 0) view.remove(found)
  return Reply.integer(found.length)
}

/** A time to live that has passed already removes the key. */
const expire =
  (command: string, factor: number): Command["execute"] =>
  (view, [key, digits, ...words]) => {
    const amount = Integers.parse(digits!)
    if (amount === undefined) return Reply.notAnInteger
    const expires = view.now + amount * factor
    if (!Number.isSafeInteger(expires)) return invalidExpiry(command)
    const conditions = words.map((word) => word.toUpperCase())
    const unknown = conditions.findIndex((word) => !["NX", "XX", "GT", "LT"].includes(word))
    if (unknown >= 0) return Reply.failure(`ERR Unsupported option ${words[unknown]!}`)
    if (clash(conditions)) {
      return Reply.failure("ERR NX and XX, GT or LT options at the same time are not compatible")
    }
    const entry = view.get(key!)
    if (entry === undefined || !conditions.every((word) => holds(word, entry.expires, expires))) return Reply.zero
    if (expires <= view.now) view.remove([key!])
    else view.put(key!, entry.value, expires)
    return Reply.one
  }

const clash = (words: ReadonlyArray<string>): boolean =>
  (words.includes("NX") && words.some((word) => word !== "NX")) || (words.includes("GT") && words.includes("LT"))

const holds = (condition: string, before: number, after: number): boolean => {
  const forever = before === 0
  if (condition === "NX") return forever
  if (condition === "XX") return !forever
  return condition === "GT" ? !forever && after > before : forever || after < before
}

const timeToLive =
  (unitMillis: number): Command["execute"] =>
  (view, [key]) => {
    const entry = view.get(key!)
    if (entry === undefined) return Reply.integer(-2)
    return Reply.integer(entry.expires === 0 ? -1 : Math.round((entry.expires - view.now) / unitMillis))
  }

const persist: Command["execute"] = (view, [key]) => {
  const entry = view.get(key!)
  if (entry === undefined || entry.expires === 0) return Reply.zero
  view.put(key!, entry.value, 0)
  return Reply.one
}

/** The cursor is the hash to go on from, so that no change in between moves it. */
const scan: List = (listing, [digits, ...words]) => {
  if (!/^[0-9]{1,10}$/.test(digits!) || Number(digits) >= 2 ** 32) return Reply.failure("ERR invalid cursor")
  const options = parseScanOptions(words)
  if ("_tag" in options) return options
  const found: Array<Reply.Reply> = []
  let seen = 0
  let last = -1
  for (const entry of listing.from(Number(digits))) {
    const hash = Trie.hash(entry.key)
    if (seen >= options.count && hash !== last) return page(last + 1, found)
    seen++
    last = hash
    if (options.any && !listing.isOver(entry) && Glob.matches(options.pattern, entry.key))
      found.push(Reply.bulk(entry.key))
  }
  return page(0, found)
}

const page = (cursor: number, found: ReadonlyArray<Reply.Reply>): Reply.Reply =>
  Reply.multiple([Reply.bulk(String(cursor)), Reply.multiple(found)])

const parseScanOptions = (
  words: ReadonlyArray<string>
): { readonly pattern: string; readonly count: number; readonly any: boolean } | Reply.Reply => {
  let pattern = "*"
  let count = 10
  let any = true
  for (let i = 0; i < words.length; i += 2) {
    const value = words[i + 1]
    if (value === undefined) return Reply.syntaxError
    const word = words[i]!.toUpperCase()
    if (word === "MATCH") pattern = value
    else if (word === "TYPE") any = value.toLowerCase() === "string"
    else if (word === "COUNT") {
      const number = Integers.parse(value)
      if (number === undefined) return Reply.notAnInteger
      if (number < 1) return Reply.syntaxError
      count = number
    } else return Reply.syntaxError
  }
  return { pattern, count: Math.min(count, largestPage), any }
}

/** A page is a request's work, and one that is executed while others wait. */
const largestPage = 10_000

const keys: List = (listing, [pattern]) => {
  const found: Array<Reply.Reply> = []
  for (const entry of listing.from(0)) {
    if (!listing.isOver(entry) && Glob.matches(pattern!, entry.key)) found.push(Reply.bulk(entry.key))
  }
  return Reply.multiple(found)
}

const flush: Command["execute"] = (view, words) => {
  if (words.length > 1 || !words.every((word) => /^a?sync$/i.test(word))) return Reply.syntaxError
  view.do({ _tag: "Flush" })
  return Reply.ok
}

const count = (view: View, keys: ReadonlyArray<string>): number =>
  keys.reduce((sum, key) => (view.get(key) === undefined ? sum : sum + 1), 0)

/** How many of them, each of which is asked of alone. */
const counted: Scope = {
  _tag: "Each",
  width: 1,
  join: (replies) =>
    Reply.integer(replies.reduce((sum, reply) => sum + (reply._tag === "Integer" ? reply.value : 0), 0))
}

export const keyCommands: Readonly<Record<string, Command>> = {
  DEL: writes(-2, del, counted),
  EXISTS: reads(-2, (view, keys) => Reply.integer(count(view, keys)), counted),
  TYPE: reads(2, (view, [key]) => Reply.simple(view.get(key!) === undefined ? "none" : "string")),
  EXPIRE: writes(-3, expire("expire", 1000)),
  PEXPIRE: writes(-3, expire("pexpire", 1)),
  TTL: reads(2, timeToLive(1000)),
  PTTL: reads(2, timeToLive(1)),
  PERSIST: writes(2, persist),
  DBSIZE: lists(1, (listing) => Reply.integer(listing.size)),
  SCAN: lists(-2, scan),
  KEYS: lists(2, keys),
  FLUSHDB: writes(-1, flush, { _tag: "All", list: undefined })
}
