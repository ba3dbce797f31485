import { Reader } from "@troupe/consistency"
import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { failure, operations, samples } from "./readers/support.ts"

describe("recognising", () => {
  it.each(Reader.formats.filter((format) => format !== "jepsen-txn"))("%s", (format) => {
    const text = samples[format]
    expect(Reader.recognise(text)).toBe(format)
    expect(Reader.recognise(`\uFEFF\n\n${text.replaceAll("\n", "\r\n")}`)).toBe(format)
    expect(Result.getOrThrow(Reader.read(`\uFEFF${text}`))).toMatchObject([{ format }])
  })

  it("transactions of Jepsen are a history of operations unless they are asked for", () => {
    expect(Reader.recognise(samples["jepsen-txn"])).toBe("knossos")
  })

  it("goes by the file's name where the text does not tell", () => {
    expect(Reader.recognise("{:f :read}", "x.edn")).toBe("knossos")
    expect(Reader.recognise(`{"type":"ok"}`, "x.ndjson")).toBe("ndjson")
    expect(Reader.recognise("{:f :read}")).toBeUndefined()
  })

  it("a file that is no history is told the formats", () => {
    expect(failure("Dear diary,\ntoday", undefined, "diary.txt").message).toMatchInlineSnapshot(
      `"diary.txt: no history that is known: it begins with "Dear diary,". Formats are ndjson, knossos, jepsen-txn, etcd-log, porcupine-kv, violin, awdit, polysi, memory-models; name one where it is not recognised."`
    )
  })

  it("an empty file is of no format, and an empty history where the format is given", () => {
    expect(failure(" \n", undefined, "empty.edn").message).toContain("empty.edn: no history that is known: it is empty")
    for (const format of Reader.formats) {
      const readings = Result.getOrThrow(Reader.read("", { format }))
      for (const reading of readings) {
        if (reading._tag === "Operations") expect(reading.history.operations).toEqual([])
        else expect(reading.history).toEqual({ transactions: [], sessions: 0 })
      }
      expect(readings).toHaveLength(format === "memory-models" ? 0 : 1)
    }
  })
})

describe("our own NDJSON", () => {
  it("keeps arguments and results as they are, and where they stand", () => {
    expect(operations(`\n${samples.ndjson}`).operations).toEqual([
      {
        id: 0,
        process: "1",
        f: "write",
        key: "x",
        input: 3,
        output: null,
        invoked: 0,
        returned: 1,
        source: { invokeLine: 2, returnLine: 3, invokeIndex: 0, returnIndex: 1 }
      }
    ])
  })

  it("a line that is no JSON, or no event, is refused with its place", () => {
    const event = `{"process":1,"type":"invoke","f":"read"}`
    expect(failure(`${event}\n  {"process":1,]`, undefined, "h.ndjson").message).toMatch(/^h.ndjson:2:16: found "\]"/)
    expect(failure(`${event}\n{"process":1`, undefined, "h.ndjson").message).toMatch(
      /^h.ndjson:2:13: found the end of the line/
    )
    expect(failure(`${event}\n{"process":1,"type":"done","f":"read"}`).message).toContain(
      `line 2:1: found a line that is no event: "type" is "done"`
    )
    expect(failure(`${event}\n${event}`, undefined, "h.ndjson").message).toContain(
      `h.ndjson:2: event 1: process 1 invokes "read" while its "read" of line 1 still runs`
    )
  })
})
