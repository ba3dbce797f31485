import { History, type Specification, Specifications } from "@troupe/consistency"
import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { operations } from "./readers/support.ts"

type Call = Specification.Call

const call = (f: string, input: History.Value, output?: History.Value, key?: string): Call => ({
  f,
  input,
  output,
  key
})

/** The state after calls, or the index of the first that is refused. */
const run = (spec: Specification.Specification, calls: ReadonlyArray<Call>): unknown => {
  let state: unknown = spec.init
  for (const [at, one] of calls.entries()) {
    state = spec.step(state, one)
    if (state === undefined) return `refused ${at}`
  }
  return state
}

const { register, casRegister, multiRegister, keyValue, queue, stack, set, counter, mutex } = Specifications

describe("what a service does", () => {
  it.each<[rule: string, spec: Specification.Specification, calls: ReadonlyArray<Call>, end: unknown]>([
    ["a read returns what was written last", register(), [call("write", 1), call("read", null, 1)], 1],
    ["a register has its initial value", register({ initial: 0 }), [call("read", null, 1)], "refused 0"],
    ["cas writes where it finds what it expects", casRegister({ initial: 1 }), [call("cas", [1, 2], true)], 2],
    ["cas that finds another value fails", casRegister({ initial: 1 }), [call("cas", [3, 2], false)], 1],
    ["cas does not fail where it could write", casRegister({ initial: 1 }), [call("cas", [1, 2], false)], "refused 0"],
    ["an open cas writes if it can", casRegister({ initial: 1 }), [call("cas", [1, 2]), call("cas", [7, 8])], 2],
    [
      "a transaction reads what it has written",
      multiRegister(),
      [
        call(
          "txn",
          [
            ["w", "x", 1],
            ["r", "x", null],
            ["r", "y", null]
          ],
          [
            ["w", "x", 1],
            ["r", "x", 1],
            ["r", "y", null]
          ]
        )
      ],
      { x: 1 }
    ],
    [
      "a transaction sees other writes",
      multiRegister({ initial: 0 }),
      [call("write", 2, null, "y"), call("txn", [["read", "y", null]], [["read", "y", 0]])],
      "refused 1"
    ],
    ["append adds at the end", keyValue(), [call("put", "a"), call("append", "b"), call("get", null, "ab")], "ab"],
    [
      "a queue is first in, first out",
      queue(),
      [call("enqueue", 1), call("enqueue", 2), call("dequeue", null, 1)],
      [2]
    ],
    [
      "an empty queue gives null",
      queue(),
      [call("dequeue", null, null), call("enqueue", 1), call("dequeue", null, null)],
      "refused 2"
    ],
    ["a stack is last in, first out", stack(), [call("push", 1), call("push", 2), call("pop", null, 2)], [1]],
    ["an open pop takes what is there", stack(), [call("pop", null), call("push", 1), call("pop", null)], []],
    [
      "a set has each element once",
      set(),
      [call("add", 1, true), call("add", 1, false), call("read", null, [1])],
      ["1"]
    ],
    [
      "a set says whether it has an element",
      set(),
      [call("add", 2), call("remove", 2, true), call("contains", 2, true)],
      "refused 2"
    ],
    ["a counter counts", counter(), [call("increment", null), call("add", -3), call("read", null, -2)], -2],
    ["fetch-and-add tells the number before", counter(), [call("add", 2), call("fetch-and-add", 3, 2)], 5],
    ["fetch-and-add tells no other number", counter(), [call("fetch-and-add", 3, 1)], "refused 0"],
    ["a lock is not acquired twice", mutex(), [call("acquire", null), call("acquire", null)], "refused 1"],
    ["a lock that is free is not released", mutex(), [call("release", null)], "refused 0"]
  ])("%s", (_, spec, calls, end) => {
    expect(run(spec, calls)).toEqual(end)
  })
})

describe("validate", () => {
  const check = (name: string, f: string, input: History.Value, output: History.Value = null) => {
    const history = History.make([History.invoke("p", f, input), History.ok("p", f, output)])
    const checked = Specifications.validate(history, Specifications.find(name)!)
    return Result.isFailure(checked) ? checked.failure.message : "valid"
  }

  it.each([
    ["register", "cas", [1, 2], "a register has no such function. It has read, write."],
    ["cas-register", "cas", 3, "cas takes [expected, new], not 3"],
    ["multi-register", "txn", [["swap", "x", 1]], 'txn takes a list of ["read" or "write", key, value]'],
    ["key-value", "append", 3, "append takes a text, not 3"],
    ["queue", "enqueue", null, "enqueue takes a value, and null is none"],
    ["set", "read", null, "read returns a list, not null"],
    ["counter", "add", "one", 'add takes a number, not "one"']
  ] as const)("%s: says of %s what is wrong", (name, f, input, says) => {
    expect(check(name, f, input as History.Value)).toContain(says)
  })

  it("says where, and what may be meant", () => {
    const text = `{"process":1,"type":"invoke","f":"read"}\n{"process":2,"type":"invoke","f":"wirte"}`
    const said = Specifications.validate(operations(text), register(), "h.log")
    expect(Result.isFailure(said) && said.failure.message).toBe(
      "h.log:2: operation 1, wirte() of process 2: a register has no such function. It has read, write; is write meant?"
    )
  })

  it("takes the calls of each specification", () => {
    expect(check("multi-register", "txn", [["r", "x", null]], [["r", "x", 1]])).toBe("valid")
    expect(check("mutex", "acquire", null)).toBe("valid")
  })

  it("finds each by its name, and no other", () => {
    for (const name of Specifications.names) expect(Specifications.find(name)?.name).toBe(name)
    expect(Specifications.find("toString")).toBeUndefined()
  })
})
