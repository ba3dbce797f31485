/** Values: to get, to set, to count in. */
import * as Integers from "../Integers.ts"
import type { Entry } from "../Keyspace.ts"
import * as Reply from "../Reply.ts"
import type { View } from "../View.ts"
import { type Command, maximumValueBytes, reads, writes } from "./Command.ts"
import { deadline } from "./deadline.ts"

const valueOf = (entry: Entry | undefined): Reply.Reply => (entry === undefined ? Reply.none : Reply.bulk(entry.value))

interface SetOptions {
  condition: "NX" | "XX" | undefined
  get: boolean
  keep: boolean
  expires: number
}

const set: Command["execute"] = (view, args) => {
  const key = args[0]!
  const value = args[1]!
  const options = args.length === 2 ? plain : parseSetOptions(view, args)
  if ("_tag" in options) return options
  const { condition, expires, get, keep } = options
  if (condition === undefined && !get && !keep) {
    view.put(key, value, expires)
    return Reply.ok
  }
  const old = view.get(key)
  const refused = condition !== undefined && (condition === "NX") === (old !== undefined)
  if (!refused) view.put(key, value, keep ? (old?.expires ?? 0) : expires)
  if (get) return valueOf(old)
  return refused ? Reply.none : Reply.ok
}

const plain: SetOptions = { condition: undefined, get: false, keep: false, expires: 0 }

const parseSetOptions = (view: View, args: ReadonlyArray<string>): SetOptions | Reply.Reply => {
  const options: SetOptions = { ...plain }
  let timed = false
  for (let i = 2; i < args.length; i++) {
    const word = args[i]!.toUpperCase()
    if (word === "NX" || word === "XX") {
      if (options.condition !== undefined && options.condition !== word) return Reply.syntaxError
      options.condition = word
    } else if (word === "GET") options.get = true
    else if (word === "KEEPTTL") options.keep = true
    else if (word === "EX" || word === "PX" || word === "EXAT" || word === "PXAT") {
      if (timed || i + 1 === args.length) return Reply.syntaxError
      timed = true
      const expires = deadline(view, word, args[++i]!, "set")
      if (typeof expires !== "number") return expires
      options.expires = expires
    } else return Reply.syntaxError
  }
  return timed && options.keep ? Reply.syntaxError : options
}

const mset: Command["execute"] = (view, args) => {
  if (args.length % 2 !== 0) return Reply.failure("ERR wrong number of arguments for 'mset' command")
  for (let i = 0; i < args.length; i += 2) view.put(args[i]!, args[i + 1]!, 0)
  return Reply.ok
}

const setnx: Command["execute"] = (view, [key, value]) => {
  if (view.get(key!) !== undefined) return Reply.zero
  view.put(key!, value!, 0)
  return Reply.one
}

const overflow = Reply.failure("ERR increment or decrement would overflow")

/** With a number where it is safe, for speed, and with 64 bits else. */
const add = (view: View, key: string, amount: bigint): Reply.Reply => {
  const entry = view.get(key)
  const held = entry?.value ?? "0"
  const number = Integers.parse(held)
  const sum = number === undefined ? undefined : number + Number(amount)
  if (sum !== undefined && Number.isSafeInteger(sum) && Number.isSafeInteger(Number(amount))) {
    view.put(key, String(sum), entry?.expires ?? 0)
    return Reply.integer(sum)
  }
  const long = Integers.parseLong(held)
  if (long === undefined) return Reply.notAnInteger
  const total = long + amount
  if (!Integers.isLong(total)) return overflow
  view.put(key, String(total), entry?.expires ?? 0)
  return { _tag: "Long", digits: String(total) }
}

const addBy =
  (sign: 1n | -1n): Command["execute"] =>
  (view, [key, digits]) => {
    const amount = Integers.parseLong(digits!)
    if (amount === undefined) return Reply.notAnInteger
    if (!Integers.isLong(sign * amount)) return Reply.failure("ERR decrement would overflow")
    return add(view, key!, sign * amount)
  }

const append: Command["execute"] = (view, [key, suffix]) => {
  const entry = view.get(key!)
  const value = (entry?.value ?? "") + suffix!
  if (value.length > maximumValueBytes) {
    return Reply.failure("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
  }
  view.put(key!, value, entry?.expires ?? 0)
  return Reply.integer(value.length)
}

export const strings: Readonly<Record<string, Command>> = {
  GET: reads(2, (view, [key]) => valueOf(view.get(key!))),
  SET: writes(-3, set),
  SETNX: writes(3, setnx),
  MGET: reads(-2, (view, keys) => Reply.multiple(keys.map((key) => valueOf(view.get(key)))), {
    _tag: "Each",
    width: 1,
    join: (replies) => Reply.multiple(replies.flatMap((reply) => (reply._tag === "Multiple" ? reply.items : [reply])))
  }),
  MSET: writes(-3, mset, { _tag: "Each", width: 2, join: (replies) => replies[0]! }),
  INCR: writes(2, (view, [key]) => add(view, key!, 1n)),
  DECR: writes(2, (view, [key]) => add(view, key!, -1n)),
  INCRBY: writes(3, addBy(1n)),
  DECRBY: writes(3, addBy(-1n)),
  APPEND: writes(3, append),
  STRLEN: reads(2, (view, [key]) => Reply.integer(view.get(key!)?.value.length ?? 0))
}
