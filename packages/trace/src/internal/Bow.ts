/**
 * Bends arrows round the marks of lanes that they only pass. What one node sends to all is often received row by row: straight
 * arrows would then lie on each other, and look like one message that is handed on from node to node.
 */
import type { Arrow, Mark } from "./Layout.ts"

/** Space that is left to a mark. */
const clearance = 8

/** How far the middle of an arrow may be bent down, or up where that is less than 0: the first that clears all marks. */
const bends = [12, -12, 18, -18, 24, -24]

/** Says, for an arrow that is received, how far its middle is to be bent; 0: not at all. */
export const bending = (marks: ReadonlyArray<Mark>, y: (row: number) => number): ((arrow: Arrow) => number) => {
  const rows = new Map<number, Array<number>>()
  for (const { lane, row } of marks) {
    const known = rows.get(lane)
    if (known === undefined) rows.set(lane, [row])
    else known.push(row)
  }
  return ({ from, to }) => {
    if (from === undefined || Math.abs(to.lane - from.lane) < 2) return 0
    const passed: Array<{ readonly t: number; readonly y: number }> = []
    const side = to.lane < from.lane ? -1 : 1
    for (let lane = from.lane + side; lane !== to.lane; lane += side) {
      const t = (lane - from.lane) / (to.lane - from.lane)
      for (const row of rows.get(lane) ?? []) if (row >= from.row && row <= to.row) passed.push({ t, y: y(row) })
    }
    const [start, end] = [y(from.row), y(to.row)]
    const clears = (bend: number): boolean =>
      passed.every((mark) => {
        const at = start + (end - start) * mark.t + 4 * bend * mark.t * (1 - mark.t)
        return Math.abs(at - mark.y) >= clearance
      })
    return clears(0) ? 0 : (bends.find(clears) ?? 0)
  }
}
