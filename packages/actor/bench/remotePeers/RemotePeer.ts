/** The same work for all: questions with an integer, to a process that answers with the next one. */

/** Asks `count` questions, `depth` at once. Gives how many answers were right. */
export type Ask = (depth: number, count: number) => Promise<number>

export interface Connection {
  readonly ask: Ask
  /** Of another process still, which answers. */
  readonly cpuElsewhere?: () => Promise<number>
  readonly close?: () => Promise<void>
}

export interface RemotePeer {
  /** What it does less, or more, than an actor here. */
  readonly note: string
  /** Begins to answer, in a process of its own. Gives what `connect` has to know, as JSON. */
  readonly answer: () => Promise<unknown>
  /** In the process that asks. */
  readonly connect: (where: any) => Promise<Connection>
}

/** `depth` at once that ask one question after the other. */
export const askers =
  (next: (value: number) => PromiseLike<number>): Ask =>
  async (depth, count) => {
    let [left, right] = [count, 0]
    const asker = async (): Promise<void> => {
      while (left > 0) {
        const value = left--
        if ((await next(value)) === value + 1) right++
      }
    }
    await Promise.all(Array.from({ length: depth }, asker))
    return right
  }
