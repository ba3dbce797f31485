/**
 * Multipart timestamps: for each replica manager that takes updates, how many records of its log are included; and, as the
 * last part, how many of those that are ordered by agreement.
 *
 * The timestamp of a record is that of what it depends on, with its own number as its own part. Every other timestamp is
 * a merge of those, so whatever includes a record's number by way of its timestamp includes all that it depends on.
 */
export type Timestamp = ReadonlyArray<number>

export const zero = (parts: number): Timestamp => Array.from({ length: parts }, () => 0)

/** Whether `first` includes all that `second` does. */
export const covers = (first: Timestamp, second: Timestamp): boolean => {
  for (let i = 0; i < second.length; i++) if (second[i]! > first[i]!) return false
  return true
}

/** What either includes; one of the two where it includes the other. */
export const merge = (first: Timestamp, second: Timestamp): Timestamp => {
  if (covers(first, second)) return first
  if (covers(second, first)) return second
  return first.map((count, i) => Math.max(count, second[i]!))
}

export const least = (first: Timestamp, second: Timestamp): Timestamp =>
  covers(second, first) ? first : first.map((count, i) => Math.min(count, second[i]!))

export const withPart = (timestamp: Timestamp, part: number, count: number): Timestamp =>
  timestamp[part] === count ? timestamp : timestamp.with(part, count)

/** A number that is less for whatever comes before. */
export const height = (timestamp: Timestamp): number => {
  let sum = 0
  for (const count of timestamp) sum += count
  return sum
}
