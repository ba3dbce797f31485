/** The report of a run: one page that needs nothing from elsewhere. */
import { Timeline } from "@troupe/consistency"
import { Svg } from "@troupe/trace"
import { chart } from "./Chart.ts"
import type { Fault } from "./Judge.ts"
import { type Claim, claimsOf, rowsOf, titleOf, verdictOf } from "./Summary.ts"
import type { Outcome } from "./Torture.ts"

const { escape } = Svg

const says = { ok: "all is well", violated: "violated", unknown: "not decided" }

/** Pictures of what is at fault, at the most. */
const pictures = 6

export const htmlOf = (outcome: Outcome): string => {
  const { inflicted, judgement, millis, options, samples } = outcome
  const verdict = verdictOf(outcome)
  const nodes = Array.from({ length: options.nodes }, (_, index) => `n${index + 1}`)
  // What is short is soon understood.
  const culprits = [...judgement.violated, ...judgement.unknown].toSorted(
    (a, b) => a.verdict.reason.length - b.verdict.reason.length
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Torture of ${escape(options.replication)}: ${says[verdict]}</title>
<style>${css}</style>
</head>
<body>
<main>
<header><h1>Torture of ${escape(options.replication)} replication</h1><span class="badge ${verdict}">${says[verdict]}</span></header>
<p class="soft">${escape(titleOf(outcome))}${outcome.isInterrupted ? "; interrupted" : ""}</p>
<section class="claims">${claimsOf(outcome).map(claimHtml).join("")}</section>
<section class="frame">${chart({ samples, inflicted, nodes, millis })}</section>
<section class="frame"><table class="rows"><tbody>
${rowsOf(outcome)
  .map(([name, value]) => `<tr><th>${escape(name)}</th><td>${escape(value)}</td></tr>`)
  .join("\n")}
</tbody></table></section>
${culprits.length === 0 ? "" : `<h2>What is at fault</h2>${culprits.slice(0, pictures).map(culpritHtml).join("")}`}
${culprits.length > pictures ? `<p class="soft">and ${culprits.length - pictures} more keys</p>` : ""}
<h2>Faults</h2>
${inflicted.length === 0 ? `<p class="soft">none</p>` : faultsHtml(outcome)}
<footer>Judge it again: <code>npx troupe verify ${escape(options.directory)}/history</code></footer>
</main>
</body>
</html>
`
}

const claimHtml = ({ details, text, verdict }: Claim): string =>
  `<div class="claim ${verdict}"><b>${escape(text)}</b> <span>${{ ok: "holds", violated: "violated", unknown: "not decided" }[verdict]}</span>` +
  `${details.length === 0 ? "" : `<ul>${details.map((detail) => `<li>${escape(detail)}</li>`).join("")}</ul>`}</div>`

/** As a picture of its own, whose styles are not the page's. */
const culpritHtml = ({ data, history, key, verdict }: Fault): string => {
  const svg = Timeline.svg(history, { title: `${key}, a ${data}`, verdict, limit: 12 })
  return (
    `<figure class="frame"><img alt="${escape(`${key}: ${verdict.reason}`)}" ` +
    `src="data:image/svg+xml;base64,${Buffer.from(svg).toString("base64")}"></figure>`
  )
}

const faultsHtml = ({ inflicted }: Outcome): string => {
  const seconds = (millis: number): string => `${(millis / 1_000).toFixed(1)} s`
  const rows = inflicted.map(
    ({ fromMillis, hitPrimary, kind, toMillis, what }) =>
      `<tr><td>${seconds(fromMillis)}</td><td>${toMillis === undefined ? "to the end" : seconds(toMillis - fromMillis)}</td>` +
      `<td><i class="${kind}"></i>${escape(kind)}</td><td>${escape(what)}${hitPrimary ? " <em>the primary</em>" : ""}</td></tr>`
  )
  return `<section class="frame"><table><thead><tr><th>at</th><th>for</th><th>kind</th><th>what</th></tr></thead><tbody>
${rows.join("\n")}
</tbody></table></section>`
}

const css = `
  :root {
    color-scheme: light dark;
    --paper: light-dark(#fbfaf7, #16181c);
    --card: light-dark(#ffffff, #0d1117);
    --ink: light-dark(#22252b, #e6e4df);
    --soft: light-dark(#6b6f78, #9aa0aa);
    --line: light-dark(#e3e0d8, #31353d);
    --ok: light-dark(#1c6e5a, #58c4a5);
    --violated: light-dark(#c6152b, #ff7b72);
    --unknown: light-dark(#8a6500, #d6a52c);
  }
  * { box-sizing: border-box }
  body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
  main { max-width: 74rem; margin: 0 auto; padding: 2rem 1.25rem }
  h1 { font-size: 1.35rem; margin: 0 }
  h2 { font-size: 1.05rem; margin: 1.75rem 0 .6rem }
  header { display: flex; align-items: center; gap: .9rem; flex-wrap: wrap }
  .soft, footer { color: var(--soft) }
  .badge { border: 1px solid currentColor; border-radius: 99px; padding: .05rem .7rem; font-weight: 600; font-size: .85rem }
  .ok.badge, .ok.claim > span { color: var(--ok) }
  .violated.badge, .violated.claim > span { color: var(--violated) }
  .unknown.badge, .unknown.claim > span { color: var(--unknown) }
  .claims { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: .75rem; margin: 1rem 0 1.25rem }
  .claim, .frame { background: var(--card); border: 1px solid var(--line); border-radius: 10px }
  .claim { padding: .7rem 1rem; border-top: 3px solid var(--ok); overflow-wrap: anywhere }
  .claim.violated { border-top-color: var(--violated) }
  .claim.unknown { border-top-color: var(--unknown) }
  .claim > span { float: right; font-weight: 600 }
  .claim ul { margin: .4rem 0 0; padding-left: 1.1rem; font-size: .85rem; color: var(--soft) }
  .frame { overflow-x: auto; margin: 0 0 1rem; padding: .5rem }
  .frame svg { display: block; width: 100%; height: auto; min-width: 60rem }
  .frame img { display: block; max-width: 100%; height: auto }
  table { border-collapse: collapse; width: 100% }
  th, td { text-align: left; padding: .4rem .8rem; font-variant-numeric: tabular-nums; vertical-align: top }
  th { color: var(--soft); font-weight: 500; white-space: nowrap }
  tbody tr + tr, thead + tbody tr { border-top: 1px solid var(--line) }
  td:nth-child(-n+3):not(.rows td) { white-space: nowrap }
  td i { display: inline-block; width: .75rem; height: .75rem; border-radius: 3px; margin-right: .5rem }
  td em { color: var(--violated); font-style: normal; font-weight: 600 }
  code { font-size: .9em }
${["kill", "pause", "partition", "delay", "clock", "disk"]
  .map((kind, index) => {
    const { dark, light } = Svg.palette[index]!
    return `  i.${kind} { background: light-dark(${light}, ${dark}) }`
  })
  .join("\n")}
`
