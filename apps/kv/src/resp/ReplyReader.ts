/** Reads the replies of a server that speaks RESP2, however they are cut into chunks. What is no reply throws. */
import * as Reply from "../Reply.ts"

type Read = readonly [reply: Reply.Reply, next: number]

export class ReplyReader {
  private text = ""
  /** So many characters are needed at the least: a long reply is not read again with each chunk. */
  private needed = 1

  push(chunk: Buffer, onReply: (reply: Reply.Reply) => void): void {
    this.text += chunk.toString("latin1")
    let at = 0
    while (this.text.length - at >= this.needed) {
      this.needed = 1
      const read = this.read(at, at)
      if (read === undefined) break
      onReply(read[0])
      at = read[1]
    }
    if (at > 0) this.text = this.text.slice(at)
  }

  private read(at: number, start: number): Read | undefined {
    const end = this.text.indexOf("\r\n", at)
    if (end < 0) return undefined
    const line = this.text.slice(at + 1, end)
    const next = end + 2
    switch (this.text[at]) {
      case "+":
        return [Reply.simple(line), next]
      case "-":
        return [Reply.failure(line), next]
      case ":":
        return [Reply.integer(this.number(line)), next]
      case "$":
        return this.bulk(this.number(line), next, start)
      case "*":
        return this.multiple(this.number(line), next, start)
      default:
        throw new Error(`the server's reply begins with ${JSON.stringify(this.text.slice(at, at + 1))}: it is none`)
    }
  }

  private number(digits: string): number {
    if (!/^-?[0-9]{1,19}$/.test(digits)) throw new Error(`the server's reply has "${digits.slice(0, 40)}" for a number`)
    return Number(digits)
  }

  private bulk(length: number, at: number, start: number): Read | undefined {
    if (length < 0) return [Reply.none, at]
    if (this.text.length < at + length + 2) {
      this.needed = at + length + 2 - start
      return undefined
    }
    return [Reply.bulk(this.text.slice(at, at + length)), at + length + 2]
  }

  private multiple(length: number, at: number, start: number): Read | undefined {
    if (length < 0) return [Reply.noArray, at]
    const items: Array<Reply.Reply> = []
    let next = at
    while (items.length < length) {
      const read = this.read(next, start)
      if (read === undefined) return undefined
      items.push(read[0])
      next = read[1]
    }
    return [Reply.multiple(items), next]
  }
}
