/** Shares of the interval (§5.2). Normal form: no `[0, 0]`, no `[1, 1]`. */

/** Nothing, all, or a share of each half. */
export type Id = 0 | 1 | readonly [left: Id, right: Id]

/** How often a share may be halved. Trees are walked recursively, and those of others must not use up the stack. */
export const maxDepth = 1_000

const pair = (left: Id, right: Id): Id => (left === right && typeof left === "number" ? left : [left, right])

/** Two shares that make up this one; `undefined` where it was halved too often already. */
export const split = (id: Id, depth = 0): readonly [Id, Id] | undefined => {
  if (id === 0) return [0, 0]
  if (id === 1) {
    if (depth >= maxDepth) return undefined
    return [
      [1, 0],
      [0, 1]
    ]
  }
  const [left, right] = id
  if (left === 0) {
    const parts = split(right, depth + 1)
    return (
      parts && [
        [0, parts[0]],
        [0, parts[1]]
      ]
    )
  }
  if (right === 0) {
    const parts = split(left, depth + 1)
    return (
      parts && [
        [parts[0], 0],
        [parts[1], 0]
      ]
    )
  }
  return [
    [left, 0],
    [0, right]
  ]
}

/** Both shares together; `undefined` where they overlap. */
export const sum = (first: Id, second: Id): Id | undefined => {
  if (first === 0) return second
  if (second === 0) return first
  if (first === 1 || second === 1) return undefined
  const left = sum(first[0], second[0])
  const right = sum(first[1], second[1])
  return left === undefined || right === undefined ? undefined : pair(left, right)
}

export const equals = (first: Id, second: Id): boolean => {
  if (first === second) return true
  if (typeof first === "number" || typeof second === "number") return false
  return equals(first[0], second[0]) && equals(first[1], second[1])
}
