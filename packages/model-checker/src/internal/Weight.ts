/** About how many bytes plain data takes, where none of it is shared with other data. */
export const weight = (value: unknown): number => {
  switch (typeof value) {
    case "string":
      return 16 + value.length
    case "object":
      return value === null ? 0 : ofObject(value)
    default:
      return 0
  }
}

const ofObject = (value: object): number => {
  if (ArrayBuffer.isView(value)) return 64 + value.byteLength
  let bytes = 32
  if (Symbol.iterator in value) {
    for (const part of value as Iterable<unknown>) bytes += 8 + weight(part)
    return bytes
  }
  for (const key in value) bytes += 8 + weight((value as Readonly<Record<string, unknown>>)[key])
  return bytes
}

/** What values weigh on average, of late: one of so many is weighed. */
export class Average {
  mean = 0
  private seen = 0
  private weighed = 0

  add(value: unknown): void {
    if (this.seen++ % 64 !== 0) return
    this.weighed = Math.min(this.weighed + 1, 64)
    this.mean += (weight(value) - this.mean) / this.weighed
  }
}
