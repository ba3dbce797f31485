/** The words of a line as somebody types it: apart by spaces, in quotes where they have some. */

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\u0007" }

const isSpace = (character: string): boolean => character === " " || character === "\t"

/** Nothing when a quote has no end, or is followed by more. */
export const splitWords = (line: string): Array<string> | undefined => {
  const words: Array<string> = []
  let i = 0
  for (;;) {
    while (i < line.length && isSpace(line[i]!)) i++
    if (i === line.length) return words
    let word = ""
    while (i < line.length && !isSpace(line[i]!)) {
      const quote = line[i]!
      if (quote !== '"' && quote !== "'") {
        word += line[i++]!
        continue
      }
      const quoted = quote === '"' ? doubleQuoted(line, i + 1) : singleQuoted(line, i + 1)
      if (quoted === undefined) return undefined
      word += quoted.text
      i = quoted.next
      if (i < line.length && !isSpace(line[i]!)) return undefined
    }
    words.push(word)
  }
}

interface Quoted {
  readonly text: string
  readonly next: number
}

const doubleQuoted = (line: string, start: number): Quoted | undefined => {
  let text = ""
  for (let i = start; i < line.length; i++) {
    const character = line[i]!
    if (character === '"') return { text, next: i + 1 }
    if (character !== "\\" || i + 1 === line.length) {
      text += character
      continue
    }
    const hex = /^x([0-9a-fA-F]{2})/.exec(line.slice(i + 1, i + 4))
    if (hex !== null) {
      text += String.fromCharCode(Number.parseInt(hex[1]!, 16))
      i += 3
    } else {
      i++
      text += escapes[line[i]!] ?? line[i]!
    }
  }
  return undefined
}

const singleQuoted = (line: string, start: number): Quoted | undefined => {
  let text = ""
  for (let i = start; i < line.length; i++) {
    if (line[i] === "'") return { text, next: i + 1 }
    if (line[i] === "\\" && line[i + 1] === "'") i++
    text += line[i]!
  }
  return undefined
}
