/**
 * Pictures of a run: a lane for each node, time goes down, an arrow for each message.
 *
 * - `terminal`: box drawing for a terminal, a line for each event with what it was.
 * - `svg`: a file for documents and reports, in light and dark.
 * - `mermaid`: a sequence diagram for Markdown. Its arrows are level: it does not show how long a message took.
 * - `shiviz`: a log for ShiViz (https://bestchai.bitbucket.io/shiviz/), to explore long runs.
 *
 * A picture ends with the first property that broke, where one did, and the message that mattered stands out: by default
 * the last that was received before.
 */
export { mattered } from "./internal/Layout.ts"
export { mermaid } from "./Mermaid.ts"
export { shiviz } from "./ShiViz.ts"
export { svg } from "./SpaceTimeSvg.ts"
export { terminal } from "./SpaceTimeTerminal.ts"

export interface Options {
  /** What a message, a command or an event is called. Default: its tag and its fields, "Request 3". */
  readonly label?: (value: unknown) => string
  /** Kinds of messages, by tag, that are left out with the steps that did nothing else, such as heartbeats. */
  readonly hide?: ReadonlyArray<string>
  /** The most events in a picture: the last before the first broken property, or the first of all. Default: 500. */
  readonly limit?: number
  /** The id of the message that mattered; -1: none. Default: the last that was received before a property broke. */
  readonly highlight?: number
}
