/** Looks at all actors of a system, parents before their children. */
import type { Cell } from "../system/Cell.ts"

export const walk = (root: Cell, visit: (cell: Cell) => void): void => {
  let cell: Cell | undefined = root.firstChild
  while (cell !== undefined) {
    visit(cell)
    if (cell.firstChild !== undefined) {
      cell = cell.firstChild
      continue
    }
    while (cell !== undefined && cell !== root && cell.next === undefined) cell = cell.parent
    cell = cell === root ? undefined : cell?.next
  }
}

/** Messages that wait for some actors. */
export interface Waiting {
  actors: number
  messages: number
  longest: number
}

export interface Census extends Waiting {
  /** By what they understand. */
  readonly by: Map<string, Waiting>
}

export const census = (root: Cell): Census => {
  const all: Census = { actors: 0, messages: 0, longest: 0, by: new Map() }
  walk(root, (cell) => {
    const { name } = cell.behavior.messages
    let some = all.by.get(name)
    if (some === undefined) all.by.set(name, (some = { actors: 0, messages: 0, longest: 0 }))
    count(all, cell.waiting)
    count(some, cell.waiting)
  })
  return all
}

const count = (waiting: Waiting, messages: number): void => {
  waiting.actors++
  waiting.messages += messages
  if (messages > waiting.longest) waiting.longest = messages
}
