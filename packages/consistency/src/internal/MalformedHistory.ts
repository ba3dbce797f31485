import { Schema } from "effect"

/** Events that no run of a service can have left behind. */
export class MalformedHistory extends Schema.TaggedError<MalformedHistory>()("MalformedHistory", {
  /** What is wrong, and what to do. */
  reason: Schema.String,
  /** The event's place among all events, from 0. */
  index: Schema.Int,
  /** Its line, from 1, where the events came from a file. */
  line: Schema.optionalKey(Schema.Int),
  file: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return `${located(this.file, this.line)}event ${this.index}: ${this.reason}`
  }
}

/** How all errors of readers begin: `file:line:column: `, as far as these are known. */
export const located = (file?: string, line?: number, column?: number): string => {
  if (line === undefined) return file === undefined ? "" : `${file}: `
  const place = column === undefined ? `${line}` : `${line}:${column}`
  return file === undefined ? `line ${place}: ` : `${file}:${place}: `
}
