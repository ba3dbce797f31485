/**
 * Just enough to write SVG: elements, escaped text, a document with a title and a style sheet for light and dark.
 *
 * @example
 * import { Svg } from "@troupe/trace"
 *
 * console.log(Svg.element("text", { x: 1.25, class: "a" }, Svg.text("1 < 2"))) // <text x="1.25" class="a">1 &lt; 2</text>
 */

export type Attributes = Readonly<Record<string, string | number | undefined>>

/** An element of these children, which are SVG already. Attributes that are undefined are left out. */
export const element = (name: string, attributes: Attributes, ...children: ReadonlyArray<string>): string => {
  let open = `<${name}`
  for (const key in attributes) {
    const value = attributes[key]
    if (value !== undefined) open += ` ${key}="${typeof value === "number" ? round(value) : escape(value)}"`
  }
  return children.length === 0 ? `${open}/>` : `${open}>${children.join("")}</${name}>`
}

/** A text as the content of an element. */
export const text = (content: string): string => escape(content)

/** Safe between tags and in attributes. What XML cannot hold becomes U+FFFD. */
export const escape = (content: string): string =>
  content.toWellFormed().replace(unsafe, (character) => entities[character] ?? "\uFFFD")

// oxlint-disable-next-line no-control-regex -- They are what is looked for.
const unsafe = /[&<>"\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g
const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }

const round = (value: number): string => String(Math.round(value * 100) / 100)

/** `auto` follows the reader's setting. */
export type Theme = "auto" | "light" | "dark"

/** What a selector sets, in light and in dark. */
export type Rule = readonly [selector: string, light: string, dark: string]

/** A style sheet. Dark sets what differs from light. */
export const stylesheet = (theme: Theme, rules: ReadonlyArray<Rule>): string => {
  const css = (of: (rule: Rule) => string): string => rules.map((rule) => `${rule[0]}{${of(rule)}}`).join("\n")
  const dark = rules.filter(([, light, dark]) => light !== dark)
  const darkCss = dark.map(([selector, , dark]) => `${selector}{${dark}}`).join("\n")
  if (theme === "light") return css(([, light]) => light)
  if (theme === "dark") return `${css(([, light]) => light)}\n${darkCss}`
  return `${css(([, light]) => light)}\n@media (prefers-color-scheme: dark){\n${darkCss}\n}`
}

/** A whole file. `title` and `description` are what a screen reader reads. */
export const document = (
  of: {
    readonly width: number
    readonly height: number
    readonly title: string
    readonly description: string
    readonly css: string
  },
  ...children: ReadonlyArray<string>
): string => {
  const width = Math.ceil(of.width)
  const height = Math.ceil(of.height)
  return `${element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-labelledby": "title desc"
    },
    element("title", { id: "title" }, text(of.title)),
    element("desc", { id: "desc" }, text(of.description)),
    // Nothing in it needs escaping, and a reader of HTML would not undo it.
    `<style>${of.css}</style>`,
    element("rect", { class: "paper", width, height }),
    ...children
  )}\n`
}

/** Fonts that are there, in the metrics of which `textWidth` counts. */
export const font = "font-family:ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"

/** How wide a text is in that font: an upper bound for the usual ones. Characters of East Asia take two places. */
export const textWidth = (content: string, size: number): number => {
  let places = 0
  for (const character of content) places += wide.test(character) ? 2 : 1
  return places * size * 0.61
}

const wide = /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\u{1F300}-\u{1FAFF}]/u

/**
 * Colours that are told apart by readers who do not see all colours, after Okabe and Ito, each dark enough on white and
 * light enough on black for text. Red is left out: it is for what is broken.
 */
export const palette: ReadonlyArray<{ readonly light: string; readonly dark: string }> = [
  { light: "#0067A8", dark: "#5CB8F5" },
  { light: "#A85400", dark: "#F2A04A" },
  { light: "#007A5A", dark: "#3CCB9C" },
  { light: "#9C3587", dark: "#E693D4" },
  { light: "#6B6100", dark: "#D6C84B" },
  { light: "#4B4AB8", dark: "#A5A8FF" },
  { light: "#56626D", dark: "#AAB6C2" }
]

/** The colours that all pictures share: paper, ink, what is muted, and what is wrong. */
export const baseRules: ReadonlyArray<Rule> = [
  ["text", `${font};fill:#1F2328;white-space:pre`, `${font};fill:#E6EDF3;white-space:pre`],
  [".paper", "fill:#FFFFFF", "fill:#0D1117"],
  [".muted", "fill:#59636E", "fill:#9198A1"],
  [".wrong", "fill:#C6152B", "fill:#FF7B72"],
  [".halo", "stroke:#FFFFFF;stroke-width:3.5;stroke-linejoin:round;paint-order:stroke", "stroke:#0D1117"]
]
