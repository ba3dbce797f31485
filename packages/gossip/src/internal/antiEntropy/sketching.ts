/** Comparing by sketch: one asks, the other sends cells of its sketch, and the first decodes them, or asks for more. */
import * as MerkleTree from "../../MerkleTree.ts"
import * as SetSketch from "../../SetSketch.ts"
import { descend, listMax, onRoot } from "./descending.ts"
import { fetch, keysOf, readable, want } from "./entries.ts"
import { type Cells, type Hello, type More, overhead } from "./messages.ts"
import { type Act, type Chunk, Malformed, refuse, say, type Session, type State } from "./state.ts"

/** The share of an interval after which cells that have not come are asked for again, and how often. */
const retryAfter = 1 / 4
const retriesMax = 2

/** How many gaps between cells are asked for at once. */
const gapsMax = 8

/** The sketch takes in what has changed, once for all that read it. */
const settled = (state: State): State =>
  state.sketch.pending === undefined ? state : { ...state, sketch: SetSketch.settled(state.sketch) }

/** Begins to compare with a peer; a comparison that is under way ends. */
export const begin = (state: State, peer: string, act: Act): State => {
  const next = settled(state)
  const { layout, root } = next.tree
  const id = Math.floor(act.random() * 2 ** 48)
  act.send(peer, {
    _tag: "Hello",
    session: id,
    layout: MerkleTree.describe(layout),
    count: root.count,
    hi: root.hi,
    lo: root.lo,
    cells: next.sketch.cells,
    estimate: SetSketch.estimate(next.sketch)
  })
  act.setTimer("retry", retryAfter * act.self.options.intervalMillis)
  return { ...next, session: { id, peer, upTo: 0, version: 0, items: 0, chunks: [], retries: 0 } }
}

/** A peer begins to compare: this node decides how. */
export const onHello = (given: State, from: string, hello: Hello, act: Act): State => {
  const state = settled(given)
  const { session } = hello
  const { layout, root } = state.tree
  const mine = MerkleTree.describe(layout)
  if (hello.layout !== mine) {
    const failure = new MerkleTree.OtherLayout({ mine, theirs: hello.layout })
    return refuse(say(state, from, { _tag: "Other", session, layout: mine }, act), from, failure, act)
  }
  if (root.hi === hello.hi && root.lo === hello.lo && root.count === hello.count) {
    return say(state, from, { _tag: "Same", session }, act)
  }
  const estimated = SetSketch.estimated(state.sketch, hello.estimate)
  if (estimated === undefined) return refuse(state, from, new Malformed({ from, what: "counters" }), act)
  if (hello.count === 0 || root.count <= listMax) return onRoot(state, from, hello, act)
  const cells = cellsFor(Math.max(1, estimated, Math.abs(root.count - hello.count)))
  if (cells > Math.min(state.sketch.cells, hello.cells) || packets(cells, act) > left(state, act)) {
    return descend(state, from, act)
  }
  return sendCells(state, from, { session, from: 0, to: cells }, act)
}

/** As many cells as decode so many differences most of the time, for an estimate that is a little low too. */
const cellsFor = (differences: number): number => Math.ceil(1.6 * differences) + 12

/** How many messages are left in the round to compare with. */
const left = ({ said }: State, { self: { options } }: Act): number => options.messagesPerRound - said

const perPacket = ({ self: { options } }: Act): number =>
  Math.floor((options.packetBytes - overhead) / SetSketch.cellBytes)

const packets = (cells: number, act: Act): number => Math.ceil(cells / perPacket(act))

const sendCells = (
  state: State,
  peer: string,
  { from: first, session, to: upTo }: { readonly session: number; readonly from: number; readonly to: number },
  act: Act
): State => {
  let next = state
  for (let from = first; from < upTo && left(next, act) > 0; from += perPacket(act)) {
    const to = Math.min(upTo, from + perPacket(act))
    const { root } = state.tree
    const cells = SetSketch.encode(state.sketch, from, to)
    next = say(next, peer, { _tag: "Cells", session, version: root.lo, items: root.count, from, to, upTo, cells }, act)
  }
  return next
}

/** A peer could not decode what it has, or has not got all of it. */
export const onMore = (given: State, from: string, more: More, act: Act): State => {
  const state = settled(given)
  return sendCells(state, from, { ...more, to: Math.min(more.to, state.sketch.cells) }, act)
}

/** Cells have come that this node asked for: once it has all, it decodes them. */
export const onCells = (given: State, from: string, message: Cells, act: Act): State => {
  const { session } = given
  if (session === undefined || session.id !== message.session || session.peer !== from) return given
  const state = settled(given)
  const row =
    message.from < message.to && message.to <= message.upTo && message.upTo <= state.sketch.cells
      ? SetSketch.decodeCells(message.cells, message.from, message.to, message.items)
      : undefined
  if (row === undefined) {
    return refuse({ ...state, session: undefined }, from, new Malformed({ from, what: "cells" }), act)
  }
  const next = withCells(session, message, row)
  const have = next.chunks.reduce((sum, chunk) => sum + chunk.to - chunk.from, 0)
  return have < next.upTo ? { ...state, session: next } : decode(state, next, act)
}

/** What has come together with what came before, if the peer's set has not changed in between. */
const withCells = (session: Session, { from, items, to, upTo, version }: Cells, row: Int32Array): Session => {
  const chunk: Chunk = { from, to, row }
  if (session.chunks.length === 0 || session.version !== version || session.items !== items) {
    return { ...session, version, items, upTo: Math.max(session.upTo, upTo), chunks: [chunk] }
  }
  const isNew = session.chunks.every((other) => other.to <= from || other.from >= to)
  const chunks = isNew ? [...session.chunks, chunk].sort((a, b) => a.from - b.from) : session.chunks
  return { ...session, upTo: Math.max(session.upTo, upTo), chunks }
}

const decode = (state: State, session: Session, act: Act): State => {
  const { peer, upTo: cells } = session
  const row = joined(session)
  const found = SetSketch.difference(state.sketch, row)
  if (found !== undefined) {
    const { mine, theirs } = found
    act.clearTimer("retry")
    act.emit({ _tag: "Compared", peer, by: "sketch", cells, mine: mine.length, theirs: theirs.length })
    const keys = keysOf(state, mine, readable(state, act))
    return want(fetch({ ...state, session: undefined }, peer, keys, act), peer, theirs, act)
  }
  const to = Math.min(state.sketch.cells, Math.ceil(1.5 * cells) + 12)
  if (to === cells || left(state, act) === 0) return byTree(state, session, act)
  act.setTimer("retry", retryAfter * act.self.options.intervalMillis)
  return say(
    { ...state, session: { ...session, upTo: to } },
    peer,
    { _tag: "More", session: session.id, from: cells, to },
    act
  )
}

/** The cells of all chunks, which follow each other without a gap. */
const joined = ({ chunks }: Session): Int32Array => {
  const row = new Int32Array(chunks.reduce((sum, chunk) => sum + chunk.row.length, 0))
  let at = 0
  for (const chunk of chunks) {
    row.set(chunk.row, at)
    at += chunk.row.length
  }
  return row
}

/** No sketch that is small enough tells the difference: the trees will. */
const byTree = (state: State, { peer, upTo }: Session, act: Act): State => {
  act.clearTimer("retry")
  act.emit({ _tag: "Compared", peer, by: "tree", cells: upTo, mine: 0, theirs: 0 })
  return descend({ ...state, session: undefined }, peer, act)
}

/** Asks again for cells that were lost; after some times the comparison ends, and another will follow. */
export const retry = (state: State, act: Act): State => {
  const { session } = state
  if (session === undefined || session.chunks.length === 0) return state
  if (session.retries === retriesMax) return { ...state, session: undefined }
  act.setTimer("retry", retryAfter * act.self.options.intervalMillis)
  let next: State = { ...state, session: { ...session, retries: session.retries + 1 } }
  for (const { from, to } of gaps(session).slice(0, gapsMax)) {
    next = say(next, session.peer, { _tag: "More", session: session.id, from, to }, act)
  }
  return next
}

const gaps = ({ chunks, upTo }: Session): ReadonlyArray<{ readonly from: number; readonly to: number }> => {
  const starts = [0, ...chunks.map(({ to }) => to)]
  const ends = [...chunks.map(({ from }) => from), upTo]
  return starts.flatMap((from, at) => (from < ends[at]! ? [{ from, to: ends[at]! }] : []))
}
