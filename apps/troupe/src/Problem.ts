/** What ends a command with a line on stderr and an exit code. */
import { type PlatformError, Runtime, Schema } from "effect"

/** The command was asked for something that it cannot do. */
export class Usage extends Schema.TaggedError<Usage>()("Usage", { reason: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 2
  override readonly [Runtime.errorReported] = false

  override get message(): string {
    return this.reason
  }
}

/** A run came to its end, and a property does not hold. The command has said which. */
export class Violated extends Schema.TaggedError<Violated>()("Violated", {}) {
  override readonly [Runtime.errorExitCode] = 1
  override readonly [Runtime.errorReported] = false
}

/** A run could not come to its end. */
export class CannotRun extends Schema.TaggedError<CannotRun>()("CannotRun", { reason: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 3
  override readonly [Runtime.errorReported] = false

  override get message(): string {
    return this.reason
  }
}

/** Why a file cannot be had, in words. */
export const reasonOf = ({ reason }: PlatformError.PlatformError): string =>
  ({
    NotFound: "there is no such file or directory",
    PermissionDenied: "that is not permitted",
    BadResource: "it is not a file"
  })[reason._tag as string] ?? (reason.cause instanceof Error ? reason.cause.message : `the system says ${reason._tag}`)
