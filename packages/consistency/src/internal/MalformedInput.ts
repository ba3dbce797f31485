import { Schema } from "effect"
import { located } from "./MalformedHistory.ts"

/** The text of a file breaks the rules of its format. */
export class MalformedInput extends Schema.TaggedError<MalformedInput>()("MalformedInput", {
  format: Schema.String,
  found: Schema.String,
  expected: Schema.String,
  /** From 1, as `column`. */
  line: Schema.Int,
  column: Schema.Int,
  file: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return `${located(this.file, this.line, this.column)}found ${this.found}, expected ${this.expected}`
  }
}
