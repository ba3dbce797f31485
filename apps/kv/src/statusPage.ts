/** The status page: one file, nothing from elsewhere. It asks `/cluster` once a second. */
export const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Troupe KV</title>
<link rel="icon" href="data:,">
<style>
  :root {
    color-scheme: light dark;
    --paper: light-dark(#fbfaf7, #16181c);
    --card: light-dark(#ffffff, #1f2228);
    --ink: light-dark(#22252b, #e6e4df);
    --soft: light-dark(#6b6f78, #9aa0aa);
    --line: light-dark(#e3e0d8, #31353d);
    --lead: light-dark(#1c6e5a, #58c4a5);
    --warn: light-dark(#b4541a, #f0a060);
  }
  * { box-sizing: border-box }
  body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
  main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem }
  h1 { font-size: 1.35rem; margin: 0 }
  header { display: flex; align-items: baseline; gap: 1rem; flex-wrap: wrap; margin-bottom: 1.25rem }
  #state { color: var(--soft) }
  .sums { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin-bottom: 1.25rem }
  .sum { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .75rem 1rem }
  .sum b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; line-height: 1.25 }
  .sum span { color: var(--soft); font-size: .85rem }
  .frame { background: var(--card); border: 1px solid var(--line); border-radius: 10px; overflow-x: auto }
  table { border-collapse: collapse; width: 100% }
  th, td { text-align: right; padding: .55rem 1rem; white-space: nowrap; font-variant-numeric: tabular-nums }
  th { color: var(--soft); font-weight: 500; font-size: .85rem }
  tbody tr { border-top: 1px solid var(--line) }
  th:nth-child(-n+3), td:nth-child(-n+3) { text-align: left }
  .primary { color: var(--lead); font-weight: 600 }
  .behind, .apart, .joining { color: var(--warn) }
  footer { color: var(--soft); font-size: .85rem; margin-top: 1rem }
  a { color: inherit }
</style>
</head>
<body>
<main>
  <header><h1>Troupe KV</h1><span id="state" role="status">asking…</span></header>
  <section class="sums" aria-label="The cluster">
    <div class="sum"><b id="leader">–</b><span>leads</span></div>
    <div class="sum"><b id="keys">–</b><span>keys</span></div>
    <div class="sum"><b id="rate">–</b><span>operations a second</span></div>
    <div class="sum"><b id="lag">–</b><span>behind, at most</span></div>
    <div class="sum"><b id="clients">–</b><span>clients</span></div>
  </section>
  <div class="frame">
    <table>
      <thead><tr><th>Node</th><th>Role</th><th>Redis port</th><th>View</th><th>Applied</th><th>Behind</th><th>Keys</th><th>Ops/s</th><th>Clients</th></tr></thead>
      <tbody id="nodes"></tbody>
    </table>
  </div>
  <footer><a href="/cluster">JSON</a> · <a href="/metrics">metrics</a> · <a href="/ready">readiness</a></footer>
</main>
<script>
  const $ = (id) => document.getElementById(id)
  const number = new Intl.NumberFormat("en")
  let before = new Map(), since = 0
  const cell = (row, text, kind) => {
    const td = row.insertCell()
    td.textContent = text
    if (kind) td.className = kind
  }
  const show = ({ nodes }, now) => {
    const top = Math.max(...nodes.map((node) => node.applied))
    let total = 0, worst = 0, clients = 0
    const rows = nodes.map((node) => {
      const was = before.get(node.id)
      const rate = was === undefined || now <= since ? 0 : Math.max(0, (node.counters.commands - was) * 1000 / (now - since))
      // Where nobody leads, a copy counts what it took: others may have taken another number and be as good.
      const behind = node.role === "replica" ? 0 : top - node.applied
      total += rate
      worst = Math.max(worst, behind)
      clients += node.counters.connected
      const row = document.createElement("tr")
      cell(row, node.id)
      cell(row, node.role, node.role)
      cell(row, node.redis)
      cell(row, node.role === "replica" ? "–" : number.format(node.view))
      cell(row, number.format(node.applied))
      cell(row, node.role === "replica" ? "–" : number.format(behind), behind > 1000 ? "behind" : "")
      cell(row, node.keys === null ? "–" : number.format(node.keys))
      cell(row, number.format(Math.round(rate)))
      cell(row, number.format(node.counters.connected))
      return row
    })
    $("nodes").replaceChildren(...rows)
    const lead = nodes.find((node) => node.role === "primary") ?? nodes.find((node) => node.primary)
    $("leader").textContent = lead ? lead.primary ?? lead.id : nodes.some((node) => node.role === "replica") ? "all (quorum)" : "nobody"
    $("keys").textContent = number.format(Math.max(0, ...nodes.map((node) => node.keys ?? 0)))
    $("rate").textContent = number.format(Math.round(total))
    $("lag").textContent = number.format(worst)
    $("clients").textContent = number.format(clients)
    const well = nodes.filter((node) => ["primary", "backup", "replica"].includes(node.role)).length
    const members = Math.max(0, ...nodes.map((node) => node.members.length))
    const here = nodes.length < members ? ", " + nodes.length + " of " + members + " members are shown" : ""
    $("state").textContent = (well === nodes.length ? "all " + well + " nodes at work" : well + " of " + nodes.length + " nodes at work") + here
    before = new Map(nodes.map((node) => [node.id, node.counters.commands]))
    since = now
  }
  const ask = async () => {
    try {
      const answer = await fetch("/cluster")
      show(await answer.json(), performance.now())
    } catch {
      $("state").textContent = "no answer"
    }
    setTimeout(ask, 1000)
  }
  ask()
</script>
</body>
</html>
`
