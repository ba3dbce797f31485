/** What waits for an actor, beside a plain list. */
import { describe, expect, it } from "vitest"
import { Mark } from "../../src/internal/system/envelopes.ts"
import { Fifo, Heap, type Mailbox } from "../../src/internal/system/Mailbox.ts"

/** A small generator, so that the same runs are made every time. */
const chance = (seed: number) => (below: number) => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((seed / 2 ** 32) * below)
}

/**
 * Pushes, shifts and unshifts by chance, of more or less at once, and now and then another one takes up what waits; `place` says
 * where the list takes a message.
 */
const run = (make: () => Mailbox, seed: number, place: (list: Array<number>, message: number) => void): void => {
  const below = chance(seed)
  const list: Array<number> = []
  let mailbox = make()
  let next = 0
  for (let step = 0; step < 500; step++) {
    const count = below([2, 12, 400][below(3)]!)
    switch (below(5)) {
      case 0: {
        const ahead = Array.from({ length: count }, () => -++next)
        mailbox.unshift(ahead)
        list.unshift(...ahead)
        break
      }
      case 1:
      case 2:
        for (let i = 0; i < count; i++) {
          mailbox.push(++next)
          place(list, next)
        }
        break
      default: {
        const expected = list.splice(0, 2 * count)
        expect(expected.map(() => mailbox.shift())).toEqual(expected)
      }
    }
    expect(mailbox.size).toBe(list.length)
    if (below(10) > 0) continue
    const { ahead, messages } = mailbox.all
    mailbox = make()
    mailbox.unshift(messages.slice(0, ahead))
    for (const message of messages.slice(ahead)) mailbox.push(message)
  }
}

/** Puts some that come next back in front of all, as those that have waited longest. */
const ahead = (mailbox: Mailbox, waiting: Set<unknown>, below: (most: number) => number): Set<unknown> => {
  const taken = Array.from({ length: Math.min(mailbox.size, below(4)) }, () => mailbox.shift())
  mailbox.unshift(taken)
  return new Set([...taken.filter((each) => !(each instanceof Mark)), ...waiting])
}

describe("what waits for an actor", () => {
  it("comes in its order, what was put ahead of it first", () => {
    for (let seed = 1; seed <= 10; seed++)
      run(
        () => new Fifo(),
        seed,
        (list, message) => list.push(message)
      )
  })

  it("is dropped in its order of coming, what was put ahead first, whatever its rank, and what is left comes by that", () => {
    const below = chance(1)
    for (const mailbox of [new Fifo(), new Heap((message) => (message as number) % 7)]) {
      let waiting = new Set<unknown>()
      const signal = new Mark(() => {})
      let next = 0
      for (let step = 0; step < 20_000; step++) {
        if (below(100) === 0) mailbox.push(signal)
        if (below(20) === 0) waiting = ahead(mailbox, waiting, below)
        else if (mailbox.size < 50) waiting.add((mailbox.push(++next), next))
        else if (below(3) > 0) {
          const [oldest] = waiting
          expect(mailbox.dropOldest()).toBe(oldest)
          waiting.delete(oldest)
        } else waiting.delete(mailbox.shift())
      }
      while (mailbox.size > 0) waiting.delete(mailbox.shift())
      expect(waiting.size).toBe(0)
    }
  })

  it("leaves nothing behind when it is taken, however often it is put ahead after one was dropped", () => {
    const heap = new Heap(() => 0)
    for (let message = 0; message < 9; message++) heap.push(message)
    heap.dropOldest()
    for (let step = 0; step < 1_000; step++) {
      heap.unshift([step])
      heap.shift()
    }
    expect((heap as unknown as { readonly oldest: ReadonlyArray<unknown> }).oldest.length).toBeLessThan(100)
  })

  it("comes by its rank, what was put ahead of all first", () => {
    const rankOf = (message: unknown): number => Math.abs(message as number) % 3
    for (let seed = 1; seed <= 3; seed++) {
      run(
        () => new Heap(rankOf),
        seed,
        (list, message) => {
          const at = list.findIndex((other) => other > 0 && rankOf(other) > rankOf(message))
          list.splice(at < 0 ? list.length : at, 0, message)
        }
      )
    }
  })
})
