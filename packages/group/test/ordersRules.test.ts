/** The rules of each order, one by one, with messages that arrive when the test says so. */
import { describe, expect, it } from "vitest"
import { codec } from "../src/internal/orders/numbers.ts"
import { Codec } from "@troupe/transport"
import { ByHand } from "./byHand.ts"
import { rules } from "./interleavings.ts"

/** What was asked for to be sent after a call is sent. */
const turn = (): Promise<void> => new Promise(queueMicrotask)

const answered = async (group: ByHand<any, any>, rank: number): Promise<void> => {
  group.later(rank)
  await turn()
}

describe("causal order by vector clocks", () => {
  const group = () => new ByHand(rules["vector clocks"], 3)

  it("a message carries how many of each its sender was delivered, with itself (Birman, Schiper, Stephenson 1991, §5.1)", () => {
    const all = group()
    expect(all.send(0)).toEqual([1, 0, 0])
    expect(all.send(0)).toEqual([2, 0, 0])
    all.arrive(0, 1)
    expect(all.send(1)).toEqual([1, 1, 0])
  })

  it("an answer waits for its question, and for nothing else", () => {
    const all = group()
    all.send(0)
    all.arrive(0, 1)
    all.send(1)
    all.arrive(1, 2)
    expect(all.delivered[2]).toEqual([])
    expect(all.waiting(2)).toBe(1)
    all.arrive(0, 2)
    expect(all.delivered[2]).toEqual(["0.1", "1.1"])
    expect(all.waiting(2)).toBe(0)
  })

  it("messages that know nothing of each other are delivered as they come", () => {
    const all = group()
    for (const rank of [0, 1]) all.send(rank)
    all.arrive(1, 2)
    all.arrive(0, 2)
    expect(all.delivered[2]).toEqual(["1.1", "0.1"])
  })

  it("whoever waits for a message that is gone is left out at the view's end", () => {
    const all = group()
    all.send(0)
    all.arrive(0, 1)
    all.send(1)
    all.arrive(1, 2)
    all.flush(2)
    expect(all.delivered[2]).toEqual([])
  })
})

describe("causal order by dependency lists", () => {
  const group = () => new ByHand(rules["dependency lists"], 4)

  it("a message names those right before it, not those before them, nor its sender's own", () => {
    const all = group()
    expect(all.send(0)).toEqual([])
    expect(all.send(0)).toEqual([])
    all.arriveAll(0)
    // The answer to both names the second.
    expect(all.send(1)).toEqual([0, 2])
    all.arriveAll(1)
    // The answer to that names it alone.
    expect(all.send(2)).toEqual([1, 1])
  })

  it("what was said at once is named, all of it", () => {
    const all = group()
    for (const rank of [0, 1, 2]) all.send(rank)
    for (const rank of [2, 0, 1]) all.arrive(rank, 3)
    expect(all.send(3)).toEqual([2, 1, 0, 1, 1, 1])
    expect(all.send(3)).toEqual([])
  })

  it("a chain of answers is delivered in its order, from whichever end it comes", () => {
    const all = group()
    for (const rank of [0, 1, 2]) {
      all.send(rank)
      if (rank < 2) for (let to = rank + 1; to < 3; to++) all.arrive(rank, to)
    }
    for (const rank of [2, 1, 0]) {
      expect(all.delivered[3]).toEqual([])
      all.arrive(rank, 3)
    }
    expect(all.delivered[3]).toEqual(["0.1", "1.1", "2.1"])
  })
})

describe("total order by a fixed sequencer", () => {
  const group = () => new ByHand(rules.sequencer, 3)

  it("announces once for all that came meanwhile", async () => {
    const all = group()
    for (const rank of [1, 2, 1]) all.send(rank)
    for (const rank of [1, 2, 1]) all.arrive(rank, 0)
    expect(all.delivered[0]).toEqual([])
    await answered(all, 0)
    expect(all.sent[0]).toEqual([{ isControl: true, stamp: [0, 1, 2, 2, 1] }])
    expect(all.delivered[0]).toEqual(["1.1", "1.2", "2.1"])
  })

  it("announces its own message with it, and what else has come", async () => {
    const all = group()
    all.send(1)
    all.arrive(1, 0)
    expect(all.send(0)).toEqual([0, 0, 1, 1, 1])
    await answered(all, 0)
    expect(all.sent[0]!.length).toBe(1)
    expect(all.delivered[0]).toEqual(["0.1", "1.1"])
  })

  it("an announced message that is late holds up all that is announced after it", () => {
    const all = group()
    all.send(1)
    all.arrive(1, 0)
    all.send(0)
    all.send(0)
    all.arrive(0, 2)
    all.arrive(0, 2)
    expect(all.delivered[2]).toEqual(["0.1"])
    all.arrive(1, 2)
    expect(all.delivered[2]).toEqual(["0.1", "1.1", "0.2"])
  })

  it("when the view ends what is not announced follows, by senders, the same everywhere", () => {
    const all = group()
    for (const rank of [2, 1]) {
      all.send(rank)
      for (const to of [1, 2]) if (to !== rank) all.arrive(rank, to)
    }
    for (const rank of [1, 2]) all.flush(rank)
    expect(all.delivered[1]).toEqual(["1.1", "2.1"])
    expect(all.delivered[2]).toEqual(["1.1", "2.1"])
  })

  it("when the view ends an announced message that nobody has is passed over, and what its delivery brought about left out", () => {
    const all = new ByHand(rules.sequencer, 4)
    // Rank 3 is delivered a message of rank 0 that survivors lack, and answers.
    all.send(0)
    all.arrive(0, 3)
    all.send(3)
    all.send(2)
    for (const from of [3, 2]) all.arrive(from, 1)
    all.flush(1)
    expect(all.delivered[1]).toEqual(["2.1"])
  })

  it("when the view ends what is announced after a gap is delivered in that order", async () => {
    const all = new ByHand(rules.sequencer, 4)
    for (const rank of [1, 2, 3]) {
      all.send(rank)
      all.arrive(rank, 0)
    }
    await answered(all, 0)
    // The message of rank 1 is gone with it.
    all.arrive(0, 3)
    all.arrive(2, 3)
    expect(all.delivered[3]).toEqual([])
    all.flush(3)
    expect(all.delivered[3]).toEqual(["2.1", "3.1"])
  })
})

describe("total order by a token", () => {
  const group = () => new ByHand(rules.token, 3)

  it("each announcement passes the token on to the next member", async () => {
    const all = group()
    all.send(0)
    all.arriveAll(0)
    expect(all.send(1)).toEqual([1, 1, 1])
    all.arriveAll(1)
    expect(all.send(0)).toEqual([2])
    all.arriveAll(0)
    await answered(all, 2)
    expect(all.sent[2]).toEqual([{ isControl: true, stamp: [2, 0, 1] }])
  })

  it("who has not got the token announces nothing", async () => {
    const all = group()
    expect(all.send(1)).toEqual([0])
    all.arrive(1, 2)
    for (const rank of [1, 2]) await answered(all, rank)
    expect([all.sent[1]!.length, all.sent[2]!.length]).toEqual([1, 0])
  })

  it("an announcement that comes before an earlier one waits for it", () => {
    const all = group()
    all.send(0)
    all.arrive(0, 1)
    all.send(1)
    all.arrive(1, 2)
    expect(all.delivered[2]).toEqual([])
    all.arrive(0, 2)
    expect(all.delivered[2]).toEqual(["0.1", "1.1"])
  })

  it("when the view ends an announcement whose turn has not come says nothing", () => {
    const all = group()
    all.send(0)
    all.arrive(0, 1)
    all.send(1)
    all.arrive(1, 2)
    all.send(2)
    all.flush(2)
    // That of rank 1 follows what nobody has any more.
    expect(all.delivered[2]).toEqual(["2.1"])
  })
})

describe("total order by agreed timestamps", () => {
  const group = () => new ByHand(rules.timestamps, 3)

  it("everybody proposes, the highest proposal is the timestamp (Birman, Joseph 1987)", async () => {
    const all = group()
    all.send(0)
    all.send(2)
    // Rank 1 sees that of rank 2 first.
    for (const from of [2, 0]) all.arrive(from, 1)
    all.arrive(0, 2)
    all.arrive(2, 0)
    for (const rank of [1, 2, 0]) await answered(all, rank)
    expect(all.notes).toEqual([
      { from: 1, to: 0, note: [0, 2] },
      { from: 1, to: 2, note: [0, 1] },
      { from: 2, to: 0, note: [0, 2] },
      { from: 0, to: 2, note: [0, 2] }
    ])
    while (all.notes.length > 0) all.arriveNote()
    for (const rank of [0, 2]) await answered(all, rank)
    // Both are proposed 2: by rank 2 for that of rank 0, and by rank 0 for that of rank 2.
    expect([all.sent[0]![1]!.stamp, all.sent[2]![1]!.stamp]).toEqual([
      [2, 2],
      [2, 0]
    ])
    for (const rank of [0, 2]) all.arriveAll(rank)
    for (const rank of [0, 1, 2]) expect(all.delivered[rank]).toEqual(["2.1", "0.1"])
  })

  it("a message without a timestamp holds up those above what is proposed for it here", async () => {
    const all = group()
    all.send(1)
    all.arrive(1, 0)
    all.send(0)
    for (const to of [1, 2]) all.arrive(0, to)
    for (const rank of [1, 2]) await answered(all, rank)
    while (all.notes.length > 0) all.arriveNote()
    await answered(all, 0)
    expect(all.sent[0]!.length).toBe(2)
    expect(all.delivered[0]).toEqual([])
    // Rank 2 has not received that of rank 1: it can only come out higher there.
    all.arrive(0, 2)
    expect(all.delivered[2]).toEqual(["0.1"])
  })

  it("one note for all of a sender that came meanwhile, and one announcement for all timestamps that are found", async () => {
    const all = group()
    for (let i = 0; i < 3; i++) all.send(0)
    all.arriveAll(0)
    for (const rank of [1, 2]) await answered(all, rank)
    expect(all.notes.map(({ note }) => note)).toEqual([
      [0, 1, 2, 3],
      [0, 1, 2, 3]
    ])
    while (all.notes.length > 0) all.arriveNote()
    await answered(all, 0)
    expect(all.sent[0]![3]).toEqual({ isControl: true, stamp: [1, 2, 2, 2, 3, 2] })
  })

  it("a proposal that was lost is told again, and one that comes twice counts once", async () => {
    const all = group()
    all.send(0)
    all.arriveAll(0)
    for (const rank of [1, 2]) await answered(all, rank)
    all.notes.shift()
    all.arriveNote()
    await answered(all, 0)
    expect(all.sent[0]!.length).toBe(1)
    for (const rank of [1, 1, 2]) all.tick(rank)
    while (all.notes.length > 0) all.arriveNote()
    await answered(all, 0)
    expect(all.sent[0]!.length).toBe(2)
    all.arriveAll(0)
    for (const rank of [0, 1, 2]) expect(all.delivered[rank]).toEqual(["0.1"])
    all.tick(1)
    expect(all.notes).toEqual([])
  })

  it("a proposal for what was not sent is not taken", async () => {
    const all = group()
    all.send(0)
    all.arriveAll(0)
    for (const rank of [1, 2]) await answered(all, rank)
    const [first] = all.notes as [{ readonly from: number; readonly to: number; readonly note: ReadonlyArray<number> }]
    all.notes[0] = { ...first, note: [0, 1, 7, 8, 9] }
    all.arriveNote()
    expect(all.states[0].collected[1].next).toBe(1)
    all.notes.push({ from: 1, to: 0, note: [] }, { from: 1, to: 0, note: [5, 1] })
    while (all.notes.length > 0) all.arriveNote()
    expect(all.states[0].collected[1].next).toBe(1)
  })

  it("when the view ends timestamps come first, then what has none, and nothing before what it follows", async () => {
    const all = new ByHand(rules.timestamps, 4)
    // Everybody agrees on a message of rank 0, which rank 3 alone is told before it answers.
    all.send(0)
    all.arriveAll(0)
    for (const rank of [1, 2, 3]) await answered(all, rank)
    while (all.notes.length > 0) all.arriveNote()
    await answered(all, 0)
    all.arrive(0, 3)
    expect(all.delivered[3]).toEqual(["0.1"])
    all.send(3)
    all.send(1)
    for (const [from, to] of [
      [3, 1],
      [3, 2],
      [1, 2]
    ] as const)
      all.arrive(from, to)
    for (const rank of [1, 2]) {
      all.flush(rank)
      expect(all.delivered[rank]).toEqual(["0.1", "1.1", "3.1"])
    }
  })

  it("when the view ends an answer to what nobody has is left out", async () => {
    const all = new ByHand(rules["timestamps"], 3)
    all.send(0)
    all.arriveAll(0)
    for (const rank of [1, 2]) await answered(all, rank)
    while (all.notes.length > 0) all.arriveNote()
    await answered(all, 0)
    all.arrive(0, 2)
    all.send(2)
    const late = new ByHand(rules["timestamps"], 3)
    late.sent[2]!.push(...all.sent[2]!)
    late.arrive(2, 1)
    late.flush(1)
    expect(late.delivered[1]).toEqual([])
  })
})

describe("numbers as bytes", () => {
  it.each([[[]], [[0]], [[127, 128, 16_383, 16_384]], [[2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]]])(
    "%j is read as it was written",
    (numbers) => {
      expect(Codec.decode(codec, Codec.encode(codec, numbers))).toEqual(numbers)
    }
  )

  it("refuses a number that does not end, and one above 2^53", () => {
    expect(() => Codec.decode(codec, Uint8Array.of(1, 0x80))).toThrow("in the midst of a number")
    expect(() => Codec.decode(codec, new Uint8Array(9).fill(0xff))).toThrow("above 2^53")
  })
})
