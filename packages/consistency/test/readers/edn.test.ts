import { type History, Reader, type Transactions } from "@troupe/consistency"
import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { failure, operations, operationsOf, transactions } from "./support.ts"

/** What `text` is read as: the value of a write. */
const value = (text: string): unknown =>
  operations(`[{:process 0, :type :invoke, :f :write, :value ${text}}]`, "knossos").operations[0]?.input

describe("values of EDN become JSON", () => {
  const values: ReadonlyArray<readonly [edn: string, json: unknown]> = [
    ["nil", null],
    ["true", true],
    ["false", false],
    ["-12", -12],
    ["+3", 3],
    ["0", 0],
    ["12N", 12],
    ["9007199254740993", "9007199254740993"],
    ["1.5", 1.5],
    ["-2.5e3", -2500],
    ["1.25M", 1.25],
    ["3/4", "3/4"],
    ["##Inf", "Inf"],
    ["sym/bol", "sym/bol"],
    [":some/key-word", "some/key-word"],
    [String.raw`"a \"b\" \\ \n \u00e9"`, 'a "b" \\ \n é'],
    ['""', ""],
    [String.raw`[\a \newline \u0041 \) \space]`, ["a", "\n", "A", ")", " "]],
    ["(1, 2 (3))", [1, 2, [3]]],
    ["#{3 1 2 11}", [1, 2, 3, 11]],
    ["{:a 1, 2 [nil]}", { a: 1, 2: [null] }],
    ["{:__proto__ 1}", JSON.parse(`{"__proto__":1}`)],
    ['#inst "2015-01-01"', "2015-01-01"],
    ["#a #b/c [1]", [1]],
    ["[1 #_ 2 #_#_ 3 4 5]", [1, 5]],
    ["^{:line 3} [1 ; two\n 3]", [1, 3]]
  ]
  it.each(values)("%s", (edn, json) => expect(value(edn)).toEqual(json))
})

it("vectors beside each other are not nested", () => {
  expect(value(`[${"[] ".repeat(1000)}]`)).toHaveLength(1000)
})

describe("a text that is no EDN is refused, with line and column", () => {
  const refused: ReadonlyArray<readonly [why: string, text: string, message: string]> = [
    [
      "unclosed",
      "[{:process 0\n",
      'x.edn:2:1: found the end of the text, expected "}", which closes "{" of line 1, column 2'
    ],
    ["closed by another", "[{:process 0]", 'x.edn:1:13: found "]", expected "}", which closes "{" of line 1, column 2'],
    [
      "a string without an end",
      '[{:process 0 :value "abc}]',
      `x.edn:1:21: found a string without an end, expected '"' after it`
    ],
    ["an unknown escape", String.raw`[{:process 0 :value "a\q"}]`, String.raw`found "\q" in a string`],
    ["no number", "[{:process 0 :value 12ab}]", 'x.edn:1:21: found "12ab", expected a number'],
    ["no operation", "[{:process 0 :type :invoke :f :read}\n 17]", 'x.edn:2:2: found "17", expected an operation'],
    ["a key without a value", "[{:process 0 :value {:a 1 :b}}]", "x.edn:1:21: found a map whose last key has no value"],
    ["more after the end", "[]\n]", 'x.edn:2:1: found "]", expected nothing more after the history'],
    ["no history", "17", 'x.edn:1:1: found "17", expected "[", "(" or "{"'],
    ["no process", "\n[{:type :ok}]", "x.edn:2:2: found an operation without :process"],
    ["no type", "[{:process 1 :f :read}]", "x.edn:1:2: found an operation without :type"],
    [
      "another type",
      "[{:process 1 :type :maybe :f :read}]",
      'found :type "maybe", expected :invoke, :ok, :fail or :info'
    ],
    ["no function", "[{:process 1 :type :ok}]", "x.edn:1:2: found an operation without :f"],
    ["too deep", `[{:process 1 :value ${"[".repeat(100_000)}`, "found something nested more than 200 deep"],
    ["hidden too deep", `[{:process 1 :value ${"#_".repeat(100_000)}`, "found something nested more than 200 deep"],
    ["a lone tag", "[# {}]", 'found "{", expected a tag after']
  ]
  it.each(refused)("%s", (_, text, message) => {
    const error = failure(text, "knossos", "x.edn")
    expect([error._tag, error.message]).toEqual(["MalformedInput", expect.stringContaining(message)])
  })

  it("in the middle of a file: at line 17", () => {
    const lines = Array.from({ length: 30 }, (_, i) => `{:process ${i}, :type :invoke, :f :read, :value nil}`)
    lines[16] = "{:process 16, :type :invoke, :f ], :value nil}"
    const error = failure(`[${lines.join("\n")}]`, undefined, "run.edn")
    expect(error).toMatchObject({ _tag: "MalformedInput", line: 17, column: 33, file: "run.edn" })
    expect(error.message).toBe('run.edn:17:33: found "]", expected a value')
  })
})

describe("knossos", () => {
  const one = (...events: ReadonlyArray<string>) => operations(events.join("\n"), "knossos")
  const fields = ({ operations }: History.History) => operations.map(({ f, input, output }) => [f, input, output])

  it("reads a vector, a list, a map a line, and Jepsen's records alike", () => {
    const [first, second] = [
      "{:process 0 :type :invoke :f :write :value 3}",
      "{:process 0 :type :ok :f :write :value 3}"
    ]
    const texts = [
      `[${first} ${second}]`,
      `; a comment\n(${first}\n,${second})`,
      `${first}\n${second}\n`,
      `#jepsen.history.Op${first}\n#jepsen.history.Op ${second}`,
      `#tag [#_ {:x 1} ${first} ${second}] ; the end`
    ]
    for (const text of texts) {
      expect(fields(operations(text, "knossos"))).toEqual([["write", 3, null]])
      expect(Reader.recognise(text)).toBe("knossos")
    }
  })

  it("an argument that the invocation leaves out is the completion's", () => {
    const text = `{:process 0, :type :invoke, :f :write, :value nil} {:process 0, :type :ok, :f :write, :value 4}
{:process 0, :type :invoke, :f :cas} {:process 0, :type :ok, :f :cas, :value [4 5]}`
    expect(operations(text).operations).toMatchObject([
      { f: "write", input: 4, output: null },
      { f: "cas", input: [4, 5], output: true }
    ])
  })

  it("a register starts at 0; a read that returned nil, and one that is open, say nothing and are left out", () => {
    const text = `[{:process 0, :type :invoke, :f :read, :value 4}
 {:process 0, :type :ok, :f :read, :value nil}
 {:process 1, :type :invoke, :f :read, :value nil}
 {:process 2, :type :invoke, :f :read, :value nil}
 {:process 1, :type :info, :f :read, :value nil, :error [:timeout "x"]}
 {:process 0, :type :invoke, :f :read, :value nil}
 {:process 0, :type :ok, :f :read, :value 0}]`
    const [reading] = Result.getOrThrow(Reader.read(text))
    expect(reading).toMatchObject({ format: "knossos", specification: { name: "cas-register", initial: 0 } })
    expect(operationsOf(reading).operations).toEqual([
      {
        id: 0,
        process: "0",
        f: "read",
        key: undefined,
        input: null,
        output: 0,
        invoked: 5,
        returned: 6,
        source: { invokeLine: 6, returnLine: 7, invokeIndex: 5, returnIndex: 6 }
      }
    ])
  })

  it("fail of a cas means that it did not happen; info leaves it open", () => {
    const history = one(
      "{:process 0, :type :invoke, :f :cas, :value [1 2]}",
      "{:process 0, :type :fail, :f :cas, :value [1 2]}",
      "{:process 0, :type :invoke, :f :cas, :value [0 2]}",
      "{:process 0, :type :ok, :f :cas, :value [0 2]}",
      "{:process 0, :type :invoke, :f :cas, :value [2 2]}",
      "{:process 0, :type :info, :f :cas, :value [2 2]}"
    )
    expect(fields(history)).toEqual([
      ["cas", [0, 2], true],
      ["cas", [2, 2], undefined]
    ])
  })

  it("what the nemesis does is skipped, but counts as an event", () => {
    const history = one(
      "{:process :nemesis, :type :info, :f :kill, :value nil}",
      "{:type :info, :process :nemesis, :time 3}",
      "{:process 5, :type :invoke, :f :acquire}"
    )
    expect(history.operations).toMatchObject([{ process: "5", f: "acquire", invoked: 2, source: { invokeLine: 3 } }])
  })

  const specification = (...functions: ReadonlyArray<string>): string | undefined => {
    const events = functions.map((f, i) => `{:process ${i}, :type :invoke, :f :${f}, :value [[:r 1 nil]]}`)
    const [reading] = Result.getOrThrow(Reader.read(events.join("\n"), { format: "knossos" }))
    return reading?._tag === "Operations" ? reading.specification?.name : undefined
  }

  it("the functions tell the specification", () => {
    expect(specification()).toBe("cas-register")
    expect(specification("read", "write")).toBe("cas-register")
    expect(specification("cas")).toBe("cas-register")
    expect(specification("acquire", "release")).toBe("mutex")
    expect(specification("txn")).toBe("multi-register")
    expect(specification("enqueue", "dequeue")).toBe("queue")
    expect(specification("frobnicate")).toBeUndefined()
  })

  const txn = `; x=0 and y=0
[{:type :invoke,
 :f :txn, :value [[:read :x nil] [:write :y 2]], :process 3, :time 7686455705}
{:type :info, :f :start, :process :nemesis, :time 7686334122}
{:type :invoke, :f :txn, :value [[:w :x 9]], :process 4}
{:type :ok, :f :txn, :value [[:r "x" 0] [:w :y 2]], :process 3}
{:type :fail, :f :txn, :value [[:w :x 9]], :process 4}
{:type :invoke, :f :txn, :value [[:r :x nil] [:w :x 5]], :process 6}
{:type :invoke, :f :txn, :value [[:read :x nil] [:read :y nil]], :process 3}
{:type :ok, :f :txn, :value [[:read :x nil] [:read :y 2]], :process 3}]`

  it("a transaction on registers is an operation; a step that read nil says nothing", () => {
    expect(fields(operations(txn))).toEqual([
      [
        "txn",
        [
          ["read", "x", null],
          ["write", "y", 2]
        ],
        [
          ["read", "x", 0],
          ["write", "y", 2]
        ]
      ],
      [
        "txn",
        [
          ["read", "x", null],
          ["write", "x", 5]
        ],
        undefined
      ],
      ["txn", [["read", "y", null]], [["read", "y", 2]]]
    ])
  })

  it("the same text is transactions when asked for: sessions are processes, failed ones are aborted", () => {
    const committed = { status: "committed" } as const
    expect(transactions(txn, "jepsen-txn")).toEqual({
      sessions: 3,
      transactions: [
        {
          ...committed,
          id: 0,
          session: 0,
          accesses: [
            { kind: "read", key: "x", value: 0, line: 6 },
            { kind: "write", key: "y", value: 2, line: 6 }
          ],
          began: 0,
          ended: 3
        },
        {
          ...committed,
          id: 1,
          session: 0,
          accesses: [
            { kind: "read", key: "x", value: null, line: 10 },
            { kind: "read", key: "y", value: 2, line: 10 }
          ],
          began: 6,
          ended: 7
        },
        {
          id: 2,
          session: 1,
          status: "aborted",
          accesses: [{ kind: "write", key: "x", value: 9, line: 5 }],
          began: 2,
          ended: 4
        },
        { id: 3, session: 2, status: "unknown", accesses: [{ kind: "write", key: "x", value: 5, line: 8 }], began: 5 }
      ]
    } satisfies Transactions.TransactionHistory)
  })

  it("a transaction that completes with more or fewer steps than it was invoked with is refused", () => {
    const [invoked, completed] = ["{:type :invoke, :f :txn, :value [[:r :x nil]]", "{:type :ok, :f :txn, :value []"]
    expect(failure(`${invoked}, :process 4}\n${completed}, :process 4}`, "knossos").message).toBe(
      "line 2:1: found 0 steps, expected the 1 that line 1 invokes"
    )
  })

  it("a step that is none is refused", () => {
    const event = (value: string) => `{:type :invoke, :f :txn, :value ${value}, :process 4}`
    expect(failure(event("[[:r :x]]"), "knossos").message).toContain(`found the step ["r","x"]`)
    expect(failure(event("7"), "knossos").message).toContain("found :value 7")
    expect(failure(event("[[:append :x 1]]"), "jepsen-txn").message).toContain("found the step :append")
    expect(failure("{:type :invoke, :f :read, :process 4}", "jepsen-txn").message).toContain("found :f :read")
  })
})

describe("porcupine-kv", () => {
  const text = `{:process 0, :type :invoke, :f :append, :key "0", :value "x 0 0 y"}
{:process 1, :type :invoke, :f :get, :key "7", :value nil}
{:process 0, :type :ok, :f :append, :key "0", :value "x 0 0 y"}
{:process 1, :type :ok, :f :get, :key "7", :value ""}
{:process 1, :type :invoke, :f :put, :key "7", :value "a"}
{:process 2, :type :invoke, :f :get, :key "7", :value nil}`

  it("is operations with keys on a store of texts that are empty at first", () => {
    const [reading] = Result.getOrThrow(Reader.read(text))
    expect(reading).toMatchObject({ format: "porcupine-kv", specification: { name: "key-value", initial: "" } })
    const { operations } = operationsOf(reading)
    expect(operations.map(({ f, key, input, output }) => [f, key, input, output])).toEqual([
      ["append", "0", "x 0 0 y", null],
      ["get", "7", null, ""],
      ["put", "7", "a", undefined]
    ])
  })

  it("an operation without a key is refused", () => {
    const error = failure("{:process 0, :type :invoke, :f :get, :value nil}", "porcupine-kv")
    expect(error.message).toContain("found an operation without :key")
  })
})
