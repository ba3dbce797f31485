/** Ways to watch a run: silently, by its title, in lines, or as a picture that moves. */
import { Effect } from "effect"
import { CannotRun } from "../../Problem.ts"
import type { Sighting } from "../../Sighting.ts"
import { type Outcome, Tally } from "../../Tally.ts"
import { picture, summary } from "../../terminal/Picture.ts"
import { count, cut, number, print, type Screen, whileDrawing } from "../../terminal/Screen.ts"
import { inMemory } from "../../worlds/memory.ts"
import { processes } from "../../worlds/processes.ts"
import { simulated } from "../../worlds/simulated.ts"
import type { Run } from "../../worlds/World.ts"
import { andMessages, type Transport, type Watched } from "./Report.ts"

/** Is handed the tally of a run that begins. */
type Begin = (tally: Tally) => void

const perform = (plan: Run, transport: Transport, tally: Tally, begin: Begin): Effect.Effect<Watched, CannotRun> =>
  Effect.gen(function* () {
    begin(tally)
    const start = performance.now()
    const outcome: Outcome & { readonly virtualMillis?: number } = yield* {
      memory: inMemory,
      tcp: processes("tcp"),
      udp: processes("udp"),
      sim: simulated
    }[transport](plan, tally)
    const { virtualMillis } = outcome
    const elapsedMillis = Math.round(performance.now() - start)
    return { outcome, tally, elapsedMillis, ...(virtualMillis === undefined ? {} : { virtualMillis }) }
  }).pipe(Effect.mapError((error) => new CannotRun({ reason: error.message })))

const tallyOf = (
  { demonstration, nodes }: Run,
  transport: Transport,
  onSighting?: (tally: Tally, sighting: Sighting) => void
) =>
  new Tally(demonstration, nodes, {
    checks: transport !== "sim",
    ...(onSighting === undefined ? {} : { onSighting })
  })

export const titled = (plan: Run, transport: Transport, _screen: Screen, begin: Begin) =>
  Effect.andThen(print([title(plan, transport)]), perform(plan, transport, tallyOf(plan, transport), begin))

export const silently = (plan: Run, transport: Transport, _screen: Screen, begin: Begin) =>
  perform(plan, transport, tallyOf(plan, transport), begin)

/** A line for each tenth of the run. */
export const inLines = (plan: Run, transport: Transport, _screen: Screen, begin: Begin) => {
  const { demonstration, entries, nodes } = plan
  const total = demonstration.operations(entries)
  let next = Math.min(total, Math.ceil(total / 10))
  const tally = tallyOf(plan, transport, (tally, { _tag }) => {
    if ((_tag !== "Finished" && _tag !== "Got") || tally.operations < next) return
    next += Math.ceil(total / 10)
    const { operation } = demonstration
    const done = `${number(tally.operations)} of ${count(total, operation)}`
    process.stdout.write(`  ${done}${andMessages(operation, tally)}: ${summary(nodes, tally)}\n`)
  })
  return Effect.andThen(print([title(plan, transport), ""]), perform(plan, transport, tally, begin))
}

export const live = (plan: Run, transport: Transport, screen: Screen, begin: Begin) => {
  if (transport === "sim") return film(plan, screen, begin)
  const tally = tallyOf(plan, transport)
  const heading = title(plan, transport, screen)
  const starting =
    transport === "tcp" || transport === "udp"
      ? `  starting ${count(plan.nodes.length, "process").replace("ss", "sse")}`
      : ""
  return whileDrawing(perform(plan, transport, tally, begin), process.stdout, () =>
    tally.steps === 0 ? [heading, "", starting] : picture(plan, tally, heading, screen)
  )
}

/** How much of a run is kept to be shown. */
const filmSightings = 200_000

/** A simulated run is over at once, so what was seen is shown afterwards, at a speed that can be followed. */
const film = (plan: Run, screen: Screen, begin: Begin) =>
  Effect.gen(function* () {
    const seen: Array<Sighting> = []
    const watched = yield* perform(
      plan,
      "sim",
      tallyOf(plan, "sim", (_, sighting) => {
        if (seen.length < filmSightings) seen.push(sighting)
      }),
      begin
    )
    const endNanos = seen.at(-1)?.atNanos ?? 0
    const lastsMillis = Math.min(10_000, Math.max(4_000, endNanos / 1e6))
    const shown = tallyOf(plan, "sim")
    const start = performance.now()
    let next = 0
    const frame = (): ReadonlyArray<string> => {
      const nowNanos = Math.min(1, (performance.now() - start) / lastsMillis) * endNanos
      while (next < seen.length && seen[next]!.atNanos <= nowNanos) shown.see(seen[next++]!)
      const heading = title(plan, "sim", screen, `, ${(nowNanos / 1e9).toFixed(1)} s of virtual time`)
      return picture(plan, shown, heading, screen)
    }
    yield* whileDrawing(Effect.sleep(lastsMillis), process.stdout, frame)
    return watched
  })

/** The name of the algorithm, and what it runs on; where there is a screen, in a line of it. */
const title = ({ demonstration, nodes, seed }: Run, transport: Transport, screen?: Screen, more = ""): string => {
  const world = {
    memory: "in memory",
    tcp: "over TCP, each a process",
    udp: "over UDP, each a process",
    sim: `simulated, seed ${seed}`
  }[transport]
  const name = demonstration.card.title
  const rest = `  ${count(nodes.length, "node")} ${world}${more}`
  return screen === undefined ? name + rest : screen.style.bold(name) + cut(rest, screen.width - 1 - name.length)
}
