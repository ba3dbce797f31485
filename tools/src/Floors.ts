/**
 * The house as data: which package is on which floor, and what an algorithm may use.
 */

/** From the ground up. A package imports from lower floors only; apps, above all of them, from any. */
export const floors: ReadonlyArray<ReadonlyArray<string>> = [
  ["transport", "storage", "trace"],
  ["actor"],
  // Verification stands here, but only tests, benchmarks and apps go in.
  ["consistency"],
  ["simulation", "model-checker"],
  ["failure-detection", "clocks", "register"],
  ["mutex", "election"],
  ["group"],
  ["gossip", "consensus"],
  ["replication", "messaging"]
]

/** Apps that others start, above all packages and below the other apps. */
export const startedApps: ReadonlySet<string> = new Set(["kv", "chat"])

/** Imported by tests, benchmarks and apps alone; so is every `@troupe/x/testing`. */
export const verification: ReadonlySet<string> = new Set(["consistency", "simulation", "model-checker"])

/** Verification stands on it, and tries whole systems of it. */
export const beneathVerification = "actor"

/** What an algorithm takes of `@troupe/transport`: the seam, not what carries the messages. */
export const transportSeam: ReadonlySet<string> = new Set([
  "Channel",
  "ChannelInUse",
  "Codec",
  "DropReason",
  "LinkEvent",
  "NodeId",
  "Receive",
  "Send",
  "Transport"
])

/** Globals that bring in the outside world, and what to use instead. */
export const impureGlobals: ReadonlyMap<string, string> = new Map([
  ["Date", "take the time from act.now()"],
  ["performance", "take the time from act.monotonic()"],
  ["setTimeout", "set a timer with act.setTimer()"],
  ["setInterval", "set a timer with act.setTimer()"],
  ["setImmediate", "let act.send() or act.setTimer() end the step"],
  ["queueMicrotask", "let act.send() or act.setTimer() end the step"],
  ["crypto", "take randomness from act.random()"],
  ["Math.random", "take randomness from act.random()"],
  ["process", "put what differs between nodes into the protocol's options"],
  ["globalThis", "put what differs between nodes into the protocol's options"],
  ["console", "emit an event, or watch with an Observer"],
  ["fetch", "send a message"]
])

/** Modules of effect that tell the time or draw lots. */
export const impureModules: ReadonlySet<string> = new Set(["Clock", "Random"])

/** Functions of effect that do so. */
export const impureFunctions: ReadonlySet<string> = new Set([
  "DateTime.now",
  "DateTime.nowUnsafe",
  "DateTime.nowAsDate",
  "Hash.random",
  "Effect.clockWith",
  "Effect.sleep"
])

/** What a handler may use of effect: data and pure functions. */
export const pureModules: ReadonlySet<string> = new Set(
  (
    "Array BigDecimal BigInt Boolean Brand Chunk Data DateTime Duration Equal Equivalence Function Graph Hash HashMap " +
    "HashRing HashSet Iterable Match Number Option Order Ordering Predicate Record RegExp Result Schema String Struct " +
    "Trie Tuple absurd flow identity pipe"
  ).split(" ")
)
