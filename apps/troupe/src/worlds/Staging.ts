/** A crash that is staged: the holder of the lock, or the leader, is killed, and the others are left to go on. */
import type { NodeId } from "@troupe/transport"
import { Clock, Effect } from "effect"
import type { Aftermath } from "../Aftermath.ts"
import type { Tally } from "../Tally.ts"
import { type Run, victimOf } from "./World.ts"

/** How long nobody changes their mind before an election counts as over. */
const quietMillis = 1_000

/** How long it may take until there is somebody to kill. */
const openingMillis = 60_000

/** How long after the death a node may starve, or be without a leader, before it is taken for good. */
export const patienceMillis = 15_000

/** Kills the one, waits for what comes of it, and leaves it to `tally.aftermath` to tell. */
export const staged = (
  { demonstration: { service }, entries, nodes }: Run,
  tally: Tally,
  kill: (node: NodeId.NodeId) => Effect.Effect<void>
) =>
  Effect.gen(function* () {
    const { aftermath } = tally
    let now = 0
    let latest: { readonly of: Aftermath["agreed"]; readonly atMillis: number } | undefined
    /** Whom all have followed for so long. */
    const settledLeader = (): NodeId.NodeId | undefined => {
      const { agreed } = aftermath
      if (latest?.of !== agreed) latest = { of: agreed, atMillis: now }
      return latest !== undefined && now - latest.atMillis >= quietMillis ? agreed?.leader.id : undefined
    }
    const until = Effect.fnUntraced(function* <A>(look: () => A | undefined, withinMillis: number) {
      const start = Number(yield* Clock.monotonicTimeNanos) / 1e6
      for (now = start; now - start <= withinMillis; now = Number(yield* Clock.monotonicTimeNanos) / 1e6) {
        const found = look()
        if (found !== undefined) return found
        yield* Effect.sleep(10)
      }
      return undefined
    })

    const target = (): NodeId.NodeId | undefined => {
      if (service === "election") return settledLeader()
      const victim = victimOf(nodes)
      return aftermath.isSettledInside(victim) ? victim : undefined
    }
    const victim = yield* until(target, openingMillis)
    if (victim === undefined) {
      const what = service === "election" ? "no leader is agreed upon" : `${victimOf(nodes)} does not enter twice`
      tally.failures.push({ name: "the crash is staged", detail: `${what} in ${openingMillis / 1000} s` })
      return
    }
    yield* kill(victim)
    const outcome = (): unknown => {
      // The word of its death may still be on the way.
      if (aftermath.killed === undefined) return undefined
      return service === "election" ? settledLeader() : haveEntered(aftermath, entries)
    }
    yield* until(outcome, patienceMillis)
  })

/** All others, and so often together; not until then. */
const haveEntered = (aftermath: Aftermath, entries: number): true | undefined =>
  aftermath.starving.length === 0 && aftermath.entries >= entries ? true : undefined
