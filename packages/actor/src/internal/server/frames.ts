/** What a server and its threads say to each other. */
import { Codec } from "@troupe/transport"
import { Schema } from "effect"

/** The span that what a handler does stands below. */
export type Parent = readonly [traceId: string, spanId: string, isSampled: boolean]

/** Handle this message, in this span, if there is one; or, without a message, stop handling it. */
export type Request = readonly [id: number, message: Uint8Array | undefined, parent?: Parent | undefined]

/** `defect`: it failed with none of its typed failures. `interrupted`: as it was asked to. */
export type Outcome = "reply" | "failure" | "told" | "defect" | "interrupted"

export type Answer = readonly [id: number, outcome: Outcome, bytes: Uint8Array | undefined]

export const defects = Codec.json(Schema.Defect({ includeStack: true }) as unknown as Codec.MessageSchema<unknown>)
