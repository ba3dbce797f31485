/** What is said of a history: as JSON, and in words with a picture. */
import type { Culprit, Reader, Verdict } from "@troupe/consistency"
import { svgOf, terminalOf } from "../../Histories.ts"
import { type Style, wrap } from "../../terminal/Screen.ts"

export type Kind = "ok" | "violated" | "unknown"

/** It crosses from the thread that judges. */
export type Answer =
  | { readonly _tag: "Unreadable"; readonly file: string; readonly history: string | undefined; readonly error: string }
  | {
      readonly _tag: "Judged"
      readonly kind: Kind
      readonly json: string
      readonly lines: ReadonlyArray<string>
      /** Where a picture was asked for. */
      readonly svg: string | undefined
    }

export interface Judged {
  readonly file: string
  readonly reading: Reader.Reading
  readonly model: string
  readonly verdict: Verdict
  readonly milliseconds: number
}

const kinds = { Ok: "ok", Violated: "violated", Unknown: "unknown" } as const

/** How the answer is told. */
export interface Telling {
  readonly width: number
  readonly style: Style
  readonly hasColor: boolean
  /** Whether a verdict of this kind is to be drawn. */
  readonly isDrawn: (kind: Kind) => boolean
}

export const answerOf = (judged: Judged, telling: Telling): Answer => {
  const kind = kinds[judged.verdict._tag]
  const svg = telling.isDrawn(kind)
    ? svgOf(judged.reading, { title: nameOf(judged), verdict: judged.verdict })
    : undefined
  return { _tag: "Judged", kind, json: JSON.stringify(asJson(judged)), lines: asText(judged, telling), svg }
}

/** What could not be judged for another reason than its budget. */
export const undecided = (
  { file, model, milliseconds }: Pick<Judged, "file" | "model" | "milliseconds">,
  reason: string,
  { style, width }: Pick<Telling, "style" | "width">
): Answer => {
  const json = { file, model, verdict: "unknown", culprit: null, milliseconds: rounded(milliseconds), reason }
  const lines = [headOf("Unknown", file, model, milliseconds, style), ...indented(reason, width)]
  return { _tag: "Judged", kind: "unknown", json: JSON.stringify(json), lines, svg: undefined }
}

export const unreadableAsJson = ({ error, file, history }: Extract<Answer, { readonly _tag: "Unreadable" }>): string =>
  JSON.stringify({ file, ...(history !== undefined && { history }), error })

const rounded = (milliseconds: number): number => Math.round(milliseconds * 1000) / 1000

const asJson = ({ file, milliseconds, model, reading, verdict }: Judged) => ({
  file,
  ...(reading.id !== undefined && { history: reading.id }),
  format: reading.format,
  model,
  verdict: kinds[verdict._tag],
  culprit: verdict._tag === "Violated" ? culpritAsJson(verdict.culprit, reading) : null,
  milliseconds: rounded(milliseconds),
  reason: verdict._tag === "Ok" ? null : verdict.reason
})

const culpritAsJson = (culprit: Culprit, reading: Reader.Reading) => {
  if (culprit._tag === "Operation") {
    const { f, id, input, key, output, process, returned, source } = culprit.operation
    return {
      // Where the file has no order of its own, the one that its times give.
      index:
        source?.returnIndex ?? source?.invokeIndex ?? (returned === Infinity ? culprit.operation.invoked : returned),
      line: source?.returnLine ?? source?.invokeLine ?? null,
      operation: id,
      process,
      f,
      ...(key !== undefined && { key }),
      value: input ?? output ?? null,
      // What a call that has both came to, as the success of a compare-and-set.
      ...(input !== null && (output ?? null) !== null && { output })
    }
  }
  const { accesses, id, session } = culprit.transaction
  const access = culprit.access === undefined ? undefined : accesses[culprit.access]
  const transactions = reading._tag === "Transactions" ? reading.history.transactions : []
  return {
    session,
    transaction: id,
    indexInSession: transactions.filter((other) => other.session === session && other.id < id).length,
    line: access?.line ?? accesses[0]?.line ?? null,
    ...(access !== undefined && {
      access: { index: culprit.access, f: access.kind, key: access.key, value: access.value }
    })
  }
}

const nameOf = ({ file, reading }: Judged): string => (reading.id === undefined ? file : `${file} #${reading.id}`)

/** How many operations a picture between lines of text has. */
const operationsShown = 12

const roomIn = (width: number): number => Math.max(40, width - 4)

const indent = (text: string): string => (text === "" ? "" : `    ${text}`)

const indented = (text: string, width: number): ReadonlyArray<string> => wrap(text, roomIn(width)).map(indent)

const headOf = (
  tag: Verdict["_tag"],
  name: string,
  model: string,
  milliseconds: number,
  { dim, green, red, yellow }: Style
): string => {
  const mark = { Ok: green("✓"), Violated: red("✗"), Unknown: yellow("?") }[tag]
  const says = { Ok: model, Violated: `not ${model}`, Unknown: `${model} or not, it is not known` }[tag]
  return `${mark} ${name}  ${says}  ${dim(`${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`)}`
}

const asText = (judged: Judged, { hasColor, style, width }: Telling): ReadonlyArray<string> => {
  const { milliseconds, model, reading, verdict } = judged
  const head = headOf(verdict._tag, nameOf(judged), model, milliseconds, style)
  if (verdict._tag === "Ok") return [head]
  if (verdict._tag === "Unknown") return [head, ...indented(verdict.reason, width)]
  const picture = terminalOf(reading, { verdict, limit: operationsShown, width: roomIn(width), color: hasColor })
  // Its title is the line's.
  return [head, ...picture.trimEnd().split("\n").slice(1).map(indent), ""]
}
