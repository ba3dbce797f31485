import { Reader, type Transactions } from "@troupe/consistency"
import { describe, expect, it } from "vitest"
import { failure, transactions } from "./support.ts"

/** A history in short: `0: r x 1, w y 2`, a line a transaction. */
const short = ({ transactions }: Transactions.TransactionHistory): ReadonlyArray<string> =>
  transactions.map(({ session, status, accesses }) => {
    const own = accesses.map(({ kind, key, value }) => `${kind[0]} ${key} ${JSON.stringify(value)}`).join(", ")
    return `${session}${status === "committed" ? "" : ` ${status}`}: ${own}`
  })

describe("awdit", () => {
  it("has rules of any length between transactions and sessions, and blanks where it likes", () => {
    const text = "w 0 0\r\nw 1 -2\n---\n\n  r 0 0\n=====\n==========\n-----\n# note\nr k v7\n---------\n"
    expect(Reader.recognise(text)).toBe("awdit")
    const history = transactions(text)
    expect(short(history)).toEqual([`0: w 0 0, w 1 -2`, `0: r 0 0`, `1: r k "v7"`])
    expect(history.sessions).toBe(2)
    expect(history.transactions.flatMap(({ accesses }) => accesses.map(({ line }) => line))).toEqual([1, 2, 5, 10])
  })

  it("a rule of sessions ends the transaction, too", () => {
    expect(short(transactions("w 0 0\n===\nr 0 0"))).toEqual(["0: w 0 0", "1: r 0 0"])
  })

  it("is recognised by a rule alone", () => expect(Reader.recognise("-----\nr 1 1")).toBe("awdit"))

  it("another line is refused", () => {
    for (const line of ["x 1 2", "r 1", "r 1 2 3", "--", "-=-"]) {
      expect(failure(`r 1 2\n  ${line}`, undefined, "h.txt").message).toBe(
        `h.txt:2:3: found ${JSON.stringify(line)}, expected "r key value", "w key value", or a rule of at least three "-" or "="`
      )
    }
  })
})

describe("polysi", () => {
  it("lists transactions session by session, whatever the order of lines", () => {
    const text = "w(1,5,2,8)\nr( 1, 5, 1, 4 )\nr(2,6,2,8)\nw(1,9,2,10)\nw(2,6,1,3)\nr(1,0,1,4)"
    expect(Reader.recognise(text)).toBe("polysi")
    const history = transactions(text)
    expect(short(history)).toEqual(["0: w 1 5, r 2 6", "0: w 1 9", "1: r 1 5, r 1 null", "1: w 2 6"])
    expect(history.transactions.map(({ id }) => id)).toEqual([0, 1, 2, 3])
    expect(history.transactions[2]?.accesses.map(({ line }) => line)).toEqual([2, 6])
  })

  it("a 0 that nobody wrote is the absent value; one that somebody wrote is that", () => {
    expect(short(transactions("r(1,0,0,1)\nr(2,0,0,1)\nw(2,0,1,2)"))).toEqual(["0: r 1 null, r 2 0", "1: w 2 0"])
  })

  it("transaction -1 holds writes that were aborted", () => {
    expect(short(transactions("w(3,1,0,-1)\nw(4,1,0,-1)\nr(3,7,0,-1)\nr(3,1,0,0)"))).toEqual([
      "0 aborted: w 3 1, w 4 1",
      "0: r 3 1"
    ])
  })

  it("keeps numbers that JavaScript does not hold", () => {
    expect(short(transactions("w(1,9223372036854775807,0,1)"))).toEqual([`0: w 1 "9223372036854775807"`])
  })

  it("another line is refused", () => {
    expect(failure("r(1,2,3,4)\nr(1,2,3)", undefined, "h.txt").message).toContain(
      `h.txt:2:1: found "r(1,2,3)", expected "r(key,value,session,transaction)"`
    )
  })
})

describe("ndjson of transactions", () => {
  it("says of each its session, accesses, status and times", () => {
    const text = [
      `{"session":"a","accesses":[["w","x",1],["r",7]],"began":0,"ended":4}`,
      `{"session":"b","accesses":[],"status":"unknown"}`,
      `{"session":"a","accesses":[["r","x",null]],"status":"aborted"}`
    ].join("\n")
    const history = transactions(text)
    expect(short(history)).toEqual(["0: w x 1, r 7 null", "0 aborted: r x null", "1 unknown: "])
    expect(history.transactions[0]).toMatchObject({ began: 0, ended: 4 })
    expect(history.transactions[1]).not.toHaveProperty("began")
  })

  it("a line that is none is refused", () => {
    const message = (line: string) => failure(`{"session":1,"accesses":[]}\n${line}`).message
    expect(message(`{"accesses":[]}`)).toContain(`line 2:1: found "session": missing`)
    expect(message(`{"session":1}`)).toContain(`"accesses": missing`)
    expect(message(`{"session":1,"accesses":[["x","k",1]]}`)).toContain(`the access ["x","k",1]`)
    expect(message(`{"session":1,"accesses":[],"status":"ok"}`)).toContain(`"status": "ok"`)
    expect(message(`{"session":1,"accesses":[],"began":"soon"}`)).toContain(`"began": "soon"`)
    expect(message(`null`)).toContain(`found null, expected a transaction`)
  })
})
