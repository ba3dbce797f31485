/**
 * The page for browsers: one file, nothing from elsewhere. It speaks the lines that `nc` does, over a WebSocket, and shows
 * posts in the order that all nodes agree on.
 */
export const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Troupe chat</title>
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
  [hidden] { display: none !important }
  body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
  main { display: grid; grid-template: auto 1fr auto / minmax(0, 1fr) 13rem; gap: .75rem 1rem; height: 100dvh; max-width: 64rem;
    margin: 0 auto; padding: 1.25rem }
  header { grid-column: 1 / -1; display: flex; align-items: baseline; gap: 1rem; flex-wrap: wrap }
  h1 { font-size: 1.35rem; margin: 0 }
  #state { color: var(--soft) }
  #state.lost { color: var(--warn) }
  #log, aside { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .75rem 1rem;
    overflow-y: auto; margin: 0; list-style: none }
  #log li { overflow-wrap: anywhere; white-space: pre-wrap; padding: .1rem 0 }
  #log b { color: var(--lead); font-weight: 600 }
  #log .at { color: var(--soft); font-size: .8rem; font-variant-numeric: tabular-nums; margin-right: .6rem }
  #log .note { color: var(--soft) }
  #log .refused { color: var(--warn) }
  aside h2 { font-size: .85rem; font-weight: 500; color: var(--soft); margin: 0 0 .35rem }
  aside ul { list-style: none; margin: 0; padding: 0 }
  aside span { color: var(--soft); font-size: .85rem }
  form { grid-column: 1 / -1; display: flex; gap: .5rem }
  input { flex: 1; min-width: 0 }
  input, button { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 8px;
    padding: .55rem .8rem }
  button { background: var(--lead); border-color: var(--lead); color: var(--paper); font-weight: 600 }
  :focus-visible { outline: 2px solid var(--lead); outline-offset: 1px }
  @media (max-width: 40rem) { main { grid-template: auto auto 1fr auto / minmax(0, 1fr); padding: .75rem }
    aside { grid-row: 2; max-height: 7rem } aside ul { display: flex; flex-wrap: wrap; gap: 0 1rem } input { font-size: 16px } }
</style>
</head>
<body>
<main>
  <header><h1>Troupe chat</h1><span id="state" role="status">who are you?</span></header>
  <ol id="log" aria-label="What was said" aria-live="polite"></ol>
  <aside><h2>In the room</h2><ul id="who"></ul></aside>
  <form id="enter">
    <input id="name" placeholder="Your name" aria-label="Your name" autofocus required pattern="[\\p{L}\\p{N}][\\p{L}\\p{M}\\p{N}_\\-]{0,31}">
    <input id="room" placeholder="Room" aria-label="Room" value="garden" required pattern="[\\p{L}\\p{N}][\\p{L}\\p{M}\\p{N}_\\-]{0,31}">
    <button>Enter</button>
  </form>
  <form id="say" hidden>
    <input id="text" placeholder="Say something, or /help" aria-label="A post" autocomplete="off" maxlength="2000">
    <button>Say</button>
  </form>
</main>
<script>
  const $ = (id) => document.getElementById(id)
  let socket, retry, name, room, node, isIn
  let posts = new Map()

  const state = (text, isLost = false) => {
    $("state").textContent = text
    $("state").classList.toggle("lost", isLost)
  }

  const item = (...parts) => {
    const li = document.createElement("li")
    for (const [tag, text, kind] of parts) {
      const part = document.createElement(tag)
      part.textContent = text
      if (kind) part.className = kind
      li.append(part)
    }
    return li
  }

  const append = (li, before) => {
    const log = $("log")
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40
    log.insertBefore(li, before ?? null)
    if (isAtEnd) log.scrollTop = log.scrollHeight
  }

  const inOrder = (a, b) => a.time - b.time || a.node.localeCompare(b.node, undefined, { numeric: true })

  // A post that comes late goes where all nodes have it.
  const addPost = (time, node, user, text) => {
    const key = time + " " + node
    if (posts.has(key)) return
    const li = item(["span", time + " " + node, "at"], ["b", user + " "], ["span", text])
    const post = { time, node, li }
    const [next] = [...posts.values()].filter((other) => inOrder(other, post) > 0).sort(inOrder)
    posts.set(key, post)
    append(li, next?.li)
  }

  const showWho = (people) => $("who").replaceChildren(...people.map((person) => {
    const at = person.lastIndexOf("@")
    return item(["b", person.slice(0, at)], ["span", " on " + person.slice(at + 1)])
  }))

  const onLine = (line) => {
    const post = /^\\[(\\d+) (\\S+)\\] (\\S+): (.*)$/s.exec(line)
    if (post) return addPost(Number(post[1]), post[2], post[3], post[4])
    const who = /^\\* In \\S+: (.*)$/.exec(line)
    if (who) return showWho(who[1].split(", "))
    const greeting = /^\\* This is (\\S+)\\. /.exec(line)
    if (greeting) return (node = greeting[1])
    if (!isIn) return line[0] === "!" ? leave(line.slice(2)) : enter()
    if (/ posts of \\S+$/.test(line)) return
    const entered = /^\\* You are in (\\S+)\\. /.exec(line)
    if (entered) {
      goTo(entered[1])
      return socket.send("/history 200\\n")
    }
    if (/^\\* You have left /.test(line)) goTo(undefined)
    const moved = / is (here|gone)$/.test(line)
    if (moved) socket.send("/who\\n")
    append(item(["span", line.slice(2), line[0] === "!" ? "refused" : "note"]))
  }

  const form = (isEntering) => {
    $("enter").hidden = !isEntering
    $("say").hidden = isEntering
    $(isEntering ? "name" : "text").focus()
  }

  const clear = () => {
    posts = new Map()
    $("log").replaceChildren()
    showWho([])
  }

  const goTo = (entered) => {
    if (entered !== room) clear()
    room = entered
    state(name + (room ? " in " + room : " in no room") + ", on " + node)
  }

  const enter = () => {
    isIn = true
    form(false)
    goTo(room)
    if (room) socket.send("/join " + room + "\\n")
  }

  const hangUp = () => {
    clearTimeout(retry)
    if (!socket) return
    socket.onclose = null
    socket.close()
  }

  // The name was refused, or nobody is to stay.
  const leave = (reason) => {
    hangUp()
    showWho([])
    form(true)
    state(reason, true)
  }

  const connect = () => {
    let rest = ""
    isIn = false
    socket = new WebSocket(location.href.replace(/^http/, "ws") + "lines")
    socket.onopen = () => socket.send(name + "\\n")
    socket.onmessage = ({ data }) => {
      const lines = (rest + data).split("\\n")
      rest = lines.pop()
      lines.forEach(onLine)
    }
    socket.onclose = () => {
      isIn = false
      state("the node is gone; trying again", true)
      showWho([])
      retry = setTimeout(connect, 1000)
    }
  }

  $("enter").onsubmit = (event) => {
    event.preventDefault()
    // Who is impatient enters once, all the same.
    hangUp()
    clear()
    state("entering")
    name = $("name").value
    room = $("room").value
    connect()
  }

  $("say").onsubmit = (event) => {
    event.preventDefault()
    const text = $("text").value.trim()
    if (text === "/quit") {
      $("text").value = ""
      return leave("you have left")
    }
    // It stays there until the node is back.
    if (!isIn) return
    $("text").value = ""
    if (text) socket.send(text + "\\n")
  }
</script>
</body>
</html>
`
