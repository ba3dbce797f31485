import { type History, Reader } from "@troupe/consistency"
import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { failure, operations, operationsOf } from "./support.ts"

const fields = ({ operations }: History.History) => operations.map(({ f, input, output }) => [f, input, output])

describe("etcd-log", () => {
  const log = (...events: ReadonlyArray<string>): string =>
    events.map((event) => `INFO  jepsen.util - ${event.replaceAll(" ", "\t").replace(",", " ")}`).join("\n")

  it("a fail of a cas is a cas that was answered false", () => {
    const text = log("0 :invoke :cas [3,0]", "0 :fail :cas [3,0]", "0 :invoke :cas [1,2]", "0 :ok :cas [1,2]")
    expect(fields(operations(text))).toEqual([
      ["cas", [3, 0], false],
      ["cas", [1, 2], true]
    ])
  })

  it("a fail of something else did not happen", () => {
    const text = log("0 :invoke :read nil", "0 :fail :read :timed-out", "0 :invoke :write 1", "0 :fail :write 1")
    expect(fields(operations(text))).toEqual([])
  })

  it("what timed out, or does not complete, is open; open reads are left out", () => {
    const text = log(
      "0 :invoke :write 4",
      "1 :invoke :cas [1,2]",
      "2 :invoke :read nil",
      "3 :invoke :write 5",
      "4 :invoke :cas [2,3]",
      "0 :info :write :timed-out",
      "1 :info :cas :timed-out",
      "2 :info :read :timed-out",
      "4 :fail :cas :timed-out",
      "0 :invoke :read nil"
    )
    expect(fields(operations(text))).toEqual([
      ["write", 4, undefined],
      ["cas", [1, 2], undefined],
      ["write", 5, undefined],
      ["cas", [2, 3], undefined]
    ])
  })

  it("the register is absent at first, and a read of nil found it so", () => {
    const text = log("0 :invoke :read nil", "0 :ok :read nil")
    expect(fields(operations(text))).toEqual([["read", null, null]])
    const [reading] = Result.getOrThrow(Reader.read(text))
    expect(reading).toMatchObject({ format: "etcd-log", specification: { name: "cas-register", initial: null } })
  })

  it("other lines of the log are ignored, the nemesis is too but counts as an event", () => {
    const text = [
      "INFO  jepsen.core - Worker 0 starting",
      "INFO  jepsen.util - :nemesis\t:info\t:start\tnil",
      "",
      "2014-08-01 10:00:00,000 INFO  jepsen.util - 3   :invoke :write  2\r",
      "Everything looks good!",
      "INFO  jepsen.util - 3   :ok     :write  2"
    ].join("\n")
    expect(Reader.recognise(text)).toBe("etcd-log")
    expect(operations(text).operations).toMatchObject([
      {
        process: "3",
        f: "write",
        input: 2,
        output: null,
        invoked: 1,
        returned: 2,
        source: { invokeLine: 4, returnLine: 6, invokeIndex: 1, returnIndex: 2 }
      }
    ])
  })

  it("a value that is none, and a completion without invocation, are refused with their line", () => {
    expect(failure(log("0 :invoke :write 1", "1 :invoke :cas [1,2"), undefined, "etcd.log").message).toMatch(
      /^etcd.log:2:1: found "INFO.*expected a value at its end/
    )
    expect(failure(log("0 :invoke :write 1", "3 :ok :write 1"), undefined, "etcd.log").message).toMatch(
      /^etcd.log:2: event 1: process 3 completes "write", but has no operation running/
    )
  })

  it("an empty log is an empty history when the format is given", () => {
    expect(operations("", "etcd-log").operations).toEqual([])
    expect(failure("", undefined, "etcd_095.log")._tag).toBe("UnknownFormat")
  })
})

describe("violin", () => {
  it("each call is a process of its own; returns may be indented, and comments anywhere", () => {
    const text = `# a figure
# @object atomic-stack

[1] call push(a)  # first
    [2] call push(7)
[1] return
        [3] call pop()
    [2] ret
        [3] return empty
[4] call pop
[4] return 7
[5]  call pop`
    const history = operations(text)
    expect(fields(history)).toEqual([
      ["push", "a", null],
      ["push", 7, null],
      ["pop", null, null],
      ["pop", null, 7],
      ["pop", null, undefined]
    ])
    expect(history.operations.map(({ process, invoked, returned }) => [process, invoked, returned])).toEqual([
      ["1", 0, 2],
      ["2", 1, 4],
      ["3", 3, 5],
      ["4", 6, 7],
      ["5", 8, Infinity]
    ])
    expect(history.operations[2]?.source).toEqual({ invokeLine: 7, returnLine: 9, invokeIndex: 3, returnIndex: 5 })
  })

  const functions = (object: string, ...calls: ReadonlyArray<string>) => {
    const text = [`# @object ${object}`, ...calls.map((call, i) => `[${i}] call ${call}`)].join("\n")
    const [reading] = Result.getOrThrow(Reader.read(text))
    if (reading?._tag !== "Operations") throw new Error("no operations")
    return [reading.specification?.name, ...reading.history.operations.map(({ f }) => f)]
  }

  it("names of functions are the object's", () => {
    const calls = ["add(1)", "enqueue(2)", "put(3)", "remove", "dequeue", "poll"]
    expect(functions("atomic-queue", ...calls)).toEqual([
      "queue",
      ...["enqueue", "enqueue", "enqueue", "dequeue", "dequeue", "dequeue"]
    ])
    expect(functions("atomic-stack", "add(1)", "push(2)", "remove", "pop", "size")).toEqual([
      "stack",
      ...["push", "push", "pop", "pop", "size"]
    ])
    expect(functions("atomic-bag", "add(1)", "remove")).toEqual(["bag", "add", "remove"])
  })

  it("without a header the functions tell the object", () => {
    const [reading] = Result.getOrThrow(Reader.read("[1] call push(1)\n[2] call pop"))
    expect(reading).toMatchObject({ format: "violin", specification: { name: "stack" } })
  })

  it("a second call of a number, a return without a call or a value, and other lines are refused", () => {
    const message = (...lines: ReadonlyArray<string>) =>
      failure(["# @object atomic-stack", ...lines].join("\n"), undefined, "s.log").message
    expect(message("[1] call pop", "[1] return empty", "[1] call pop")).toBe(
      "s.log:4: event 2: [1] is called twice: each call has its own number."
    )
    expect(message("[1] return 3")).toContain("s.log:2: event 0: process 1 completes")
    expect(message("[1] call pop", "  [1] return")).toBe(
      `s.log:3:3: found "[1] return", expected what pop returned: a value, or "empty"`
    )
    expect(message("[1] cal pop")).toContain(`s.log:2:1: found "[1] cal pop", expected "[1] call add(3)"`)
  })
})

describe("memory-models", () => {
  it("holds a history a line, of registers that are 0 at first; equal times overlap", () => {
    const text = [
      `{"id":7,"procs":[[["w","x",1,0,3],["r","y",0,4,6]],[["r","x",1,3,5]]],"verdict":{}}`,
      `{"id":"iriw","procs":[[],[["r","y",0,2.5,2.5]]]}`
    ].join("\n")
    const readings = Result.getOrThrow(Reader.read(text))
    expect(readings.map(({ id, format }) => [id, format])).toEqual([
      ["7", "memory-models"],
      ["iriw", "memory-models"]
    ])
    expect(readings[0]).toMatchObject({ _tag: "Operations", specification: { name: "register", initial: 0 } })
    const { operations } = operationsOf(readings[0])
    expect(
      operations.map(({ process, f, key, input, output, invoked, returned }) => [
        ...[process, f, key, input, output],
        ...[invoked, returned]
      ])
    ).toEqual([
      ["0", "write", "x", 1, null, 0, 2],
      ["1", "read", "x", null, 1, 1, 4],
      ["0", "read", "y", null, 0, 3, 5]
    ])
  })

  it("what is no operation, and operations of a process that overlap, are refused with their line", () => {
    const message = (procs: string) => failure(`{"id":1,"procs":[]}\n{"id":2,"procs":${procs}}`).message
    expect(message(`[[["q","x",1,0,1]]]`)).toContain(`line 2:1: found the operation ["q","x",1,0,1], expected`)
    expect(message(`7`)).toContain(`line 2:1: found "procs": 7`)
    expect(message(`[[["r","x",0,0,5],["r","x",0,4,6]]]`)).toBe(
      `line 2: event 1: "read" of process 0 begins at 4, before the last of its process, "read", ends at 5.`
    )
  })
})
