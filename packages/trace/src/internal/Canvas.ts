/** Characters of a terminal, in which lines that meet join. */

/** Where a light line leaves a cell. */
export const up = 1
export const down = 2
export const left = 4
export const right = 8

const light = [..." ╵╷│╴╯╮┤╶╰╭├─┴┬┼"]

/** SGR codes, such as "1;31"; the empty text: none. */
export type Style = string

interface Cell {
  lines: number
  lane: "up" | "down" | undefined
  character: string | undefined
  style: Style
}

export class Canvas {
  private readonly rows: Array<Array<Cell | undefined>>

  constructor(rows: number) {
    this.rows = Array.from({ length: rows }, () => [])
  }

  private cell(row: number, column: number): Cell {
    return (this.rows[row]![column] ??= { lines: 0, lane: undefined, character: undefined, style: "" })
  }

  /** A heavy line through a cell, or a dashed one where the node is down. */
  lane(row: number, column: number, lane: "up" | "down", style: Style): void {
    const cell = this.cell(row, column)
    cell.lane = lane
    if (cell.style === "") cell.style = style
  }

  /** A line keeps the colour of what was there before; that a lane is crossed does not colour it. */
  line(row: number, column: number, lines: number, style: Style): void {
    const cell = this.cell(row, column)
    if (cell.lines === 0 && cell.lane === undefined) cell.style = style
    cell.lines |= lines
  }

  across(row: number, from: number, to: number, style: Style): void {
    const [first, last] = from < to ? [from, to] : [to, from]
    for (let column = first; column <= last; column++) {
      this.line(row, column, (column > first ? left : 0) | (column < last ? right : 0), style)
    }
  }

  put(row: number, column: number, text: string, style: Style): void {
    for (const [at, character] of [...text].entries()) {
      Object.assign(this.cell(row, column + at), { character, style })
    }
  }

  /** Each row up to `width` characters. */
  render(width: number, color: boolean): ReadonlyArray<string> {
    return this.rows.map((cells) => {
      let line = ""
      let style = ""
      for (let column = 0; column < Math.min(width, cells.length); column++) {
        const cell = cells[column]
        const character = cell === undefined ? " " : glyph(cell)
        const next = character === " " ? "" : (cell?.style ?? "")
        if (color && next !== style) {
          line += `${style === "" ? "" : "\u001b[0m"}${next === "" ? "" : `\u001b[${next}m`}`
          style = next
        }
        line += character
      }
      return style === "" ? line.trimEnd() : `${line}\u001b[0m`
    })
  }
}

const glyph = ({ character, lane, lines }: Cell): string => {
  if (character !== undefined) return character
  if (lane === undefined) return light[lines]!
  const [isLeft, isRight] = [(lines & left) !== 0, (lines & right) !== 0]
  if (lane === "down") return isLeft || isRight ? "┼" : "┊"
  return isLeft && isRight ? "╂" : isLeft ? "┨" : isRight ? "┠" : "┃"
}
