import { label as labelOf } from "./Label.ts"
import type { Options } from "./SpaceTime.ts"
import * as Trace from "./Trace.ts"

/**
 * A log for ShiViz. The first line is the regular expression that it asks for, then, after an empty line, each event in
 * one line: its node, its clock and what happened.
 */
export const shiviz = (trace: Trace.Trace, options: Pick<Options, "label"> = {}): string => {
  const label = options.label ?? labelOf
  const hosts = new Map(trace.header.nodes.map((node) => [node, host(node)]))
  const lines = trace.events.flatMap((event) => {
    if (!("clock" in event)) return []
    const clock = Object.entries(event.clock).map(([node, count]) => `${JSON.stringify(hosts.get(node))}:${count}`)
    return [`${hosts.get(event.node)} {${clock.join(", ")}} ${describe(event, label)}`]
  })
  return `(?<host>\\S*) (?<clock>{.*?}) (?<event>.*)\n\n${lines.map((line) => `${line}\n`).join("")}`
}

/** Without what the expression would end a clock or a name at. */
const host = (node: string): string => node.replace(/[\s{}"\\]/g, "_") || "_"

const describe = (event: Trace.NodeEvent, label: (value: unknown) => string): string => {
  const oneLine = (text: string): string => text.replace(/[\s\p{Cc}]+/gu, " ")
  const sent = Trace.sends(event).map(({ message, to }) => `sends ${label(message)} to ${to}`)
  switch (event._tag) {
    case "Crash":
    case "Restart":
    case "Stop":
      return { Crash: "crashes", Restart: "restarts", Stop: "stops" }[event._tag]
    case "Sent":
      return oneLine(sent.join(""))
    case "Received":
      return oneLine(`receives ${label(event.message)} from ${event.from}`)
    case "Step": {
      const emitted = event.actions.flatMap((action) =>
        action._tag === "Emit" ? [`emits ${label(action.event)}`] : []
      )
      const failed = event.failure === undefined ? [] : [`fails: ${event.failure}`]
      return oneLine([given(event.input, label), ...sent, ...emitted, ...failed].join("; "))
    }
  }
}

const given = (input: Trace.Input, label: (value: unknown) => string): string => {
  switch (input._tag) {
    case "Start":
      return "starts"
    case "Command":
      return `is told ${label(input.command)}`
    case "Message":
      return `receives ${label(input.message)} from ${input.from}`
    case "Timeout":
      return `timeout ${input.timer}`
    case "View":
      return `view ${input.view.number}: ${input.view.members.join(" ")}`
  }
}
