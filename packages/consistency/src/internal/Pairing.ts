import type { History, Operation, Value } from "../History.ts"
import { MalformedHistory } from "./MalformedHistory.ts"

/** `unseen` is an ok that says nothing, as a read whose value was not recorded: the operation is left out. */
export type Completion = "ok" | "fail" | "info" | "unseen"

/** An operation while it is built. Line 0 stands for "not from a file". */
export interface Draft {
  readonly process: string
  readonly f: string
  readonly key: string | undefined
  input: Value
  readonly invokeLine: number
  readonly invokeIndex: number
  output: Value | undefined
  ended: "running" | Completion
  returnLine: number
  returnIndex: number
}

/**
 * Pairs completions with their invocations. Events come one by one, so that no reader needs to build them first.
 *
 * @throws MalformedHistory from its methods: whoever calls them returns it as a value
 */
export class Pairing {
  /** All operations in the order of their invocations, failed ones too. */
  readonly drafts: Array<Draft> = []
  private readonly running = new Map<string, Draft>()
  private readonly file: string | undefined
  private index = 0

  constructor(file?: string) {
    this.file = file
  }

  invoke(process: string, f: string, key: string | undefined, input: Value, line: number): void {
    const before = this.running.get(process)
    if (before !== undefined) {
      throw this.malformed(
        `process ${process} invokes "${f}" while its "${before.f}" of ${where(before)} still runs. ` +
          `A process does one thing at a time: complete the first with ok, fail or info, or name another process.`,
        line
      )
    }
    const draft: Draft = {
      process,
      f,
      key,
      input,
      invokeLine: line,
      invokeIndex: this.index++,
      output: undefined,
      ended: "running",
      returnLine: 0,
      returnIndex: 0
    }
    this.drafts.push(draft)
    this.running.set(process, draft)
  }

  /** What `process` does now. */
  current(process: string): Draft | undefined {
    return this.running.get(process)
  }

  complete(process: string, type: Completion, f: string, output: Value | undefined, line: number, key?: string): void {
    const draft = this.running.get(process)
    if (draft === undefined) {
      throw this.malformed(
        `process ${process} completes "${f}", but has no operation running. ` +
          `Its invocation is missing, or it is completed twice.`,
        line
      )
    }
    if (draft.f !== f) {
      throw this.malformed(
        `process ${process} completes "${f}", but what it invoked at ${where(draft)} is "${draft.f}".`,
        line
      )
    }
    if (key !== undefined && draft.key !== key) {
      throw this.malformed(
        `process ${process} completes "${f}" of key ${JSON.stringify(key)}, but what it invoked at ${where(draft)} is ` +
          (draft.key === undefined ? `without a key.` : `of key ${JSON.stringify(draft.key)}.`),
        line
      )
    }
    this.running.delete(process)
    draft.ended = type
    draft.returnLine = line
    draft.returnIndex = this.index++
    if (type === "ok") draft.output = output
  }

  /** Counts an event that is no client's. */
  skip(): void {
    this.index++
  }

  /** Open operations of the functions that `unneeded` names are left out: nothing follows from them. */
  finish(unneeded?: (f: string) => boolean): History {
    const operations: Array<Operation> = []
    for (const draft of this.drafts) {
      const { ended } = draft
      if (ended === "fail" || ended === "unseen") continue
      if (ended !== "ok" && unneeded?.(draft.f) === true) continue
      operations.push(toOperation(draft, operations.length))
    }
    return { operations }
  }

  malformed(reason: string, line: number): MalformedHistory {
    return new MalformedHistory({
      reason,
      index: this.index,
      ...(line > 0 && { line }),
      ...(this.file !== undefined && { file: this.file })
    })
  }
}

const where = (draft: Draft): string =>
  draft.invokeLine > 0 ? `line ${draft.invokeLine}` : `event ${draft.invokeIndex}`

const toOperation = (draft: Draft, id: number): Operation => {
  const { process, f, key, input, output, invokeIndex, returnIndex } = draft
  const invoked = invokeIndex
  const returned = draft.ended === "ok" ? returnIndex : Infinity
  if (draft.invokeLine === 0) return { id, process, f, key, input, output, invoked, returned }
  const source =
    draft.ended === "running"
      ? { invokeLine: draft.invokeLine, invokeIndex }
      : { invokeLine: draft.invokeLine, returnLine: draft.returnLine, invokeIndex, returnIndex }
  return { id, process, f, key, input, output, invoked, returned, source }
}
