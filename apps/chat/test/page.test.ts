/** The page, as a browser runs it: its script over a document and a socket that stand in for a browser's. */
import { describe, expect, it } from "vitest"
import { runInNewContext } from "node:vm"
import { page } from "../src/page.ts"

/** What the script uses of an element. */
class Element {
  children: ReadonlyArray<Element> = []
  className = ""
  hidden = false
  value = ""
  onsubmit: (event: { preventDefault: () => void }) => void = () => {}
  private text = ""
  readonly classList = { toggle: () => {} }

  get textContent(): string {
    return this.text + this.children.map((child) => child.textContent).join("")
  }

  set textContent(text: string) {
    this.text = text
  }

  append(child: Element): void {
    this.insertBefore(child, null)
  }

  insertBefore(child: Element, before: Element | null): void {
    const at = before === null ? this.children.length : this.children.indexOf(before)
    this.children = this.children.toSpliced(at, 0, child)
  }

  replaceChildren(...children: ReadonlyArray<Element>): void {
    this.children = children
  }

  focus(): void {}
}

/** A connection, as the node has it. */
class Socket {
  onopen: () => void = () => {}
  onmessage: (message: { readonly data: string }) => void = () => {}
  onclose: (() => void) | null = () => {}
  isClosed = false
  private sent: Array<string> = []

  send(text: string): void {
    this.sent.push(text)
  }

  close(): void {
    this.isClosed = true
    this.onclose?.()
  }

  /** Lines that came since the last time. */
  heard(): ReadonlyArray<string> {
    const lines = this.sent.join("").split("\n").slice(0, -1)
    this.sent = []
    return lines
  }

  says(...lines: ReadonlyArray<string>): void {
    this.onmessage({ data: lines.map((line) => `${line}\n`).join("") })
  }
}

const open = () => {
  const elements = new Map<string, Element>()
  const sockets: Array<Socket> = []
  const timers = new Map<number, () => void>()
  let timer = 0
  const $ = (id: string): Element => {
    if (!elements.has(id)) elements.set(id, new Element())
    return elements.get(id)!
  }
  const script = /<script>(.*)<\/script>/s.exec(page)![1]!
  runInNewContext(script, {
    document: { getElementById: $, createElement: () => new Element() },
    location: { href: "http://127.0.0.1:8001/" },
    WebSocket: class extends Socket {
      constructor(url: string) {
        super()
        expect(url).toBe("ws://127.0.0.1:8001/lines")
        sockets.push(this)
      }
    },
    setTimeout: (then: () => void) => (timers.set(++timer, then), timer),
    clearTimeout: (which: number) => timers.delete(which)
  })
  const submit = (form: string): void => $(form).onsubmit({ preventDefault: () => {} })
  return {
    $,
    sockets,
    enters: (name: string, room: string): Socket => {
      $("name").value = name
      $("room").value = room
      submit("enter")
      return sockets.at(-1)!
    },
    types: (text: string): void => {
      $("text").value = text
      submit("say")
    },
    /** A second later. */
    later: (): Socket | undefined => {
      const due = [...timers.values()]
      timers.clear()
      for (const then of due) then()
      return sockets.at(-1)
    },
    log: () => $("log").children.map((line) => line.textContent),
    who: () => $("who").children.map((line) => line.textContent)
  }
}

const greeted = (socket: Socket): Socket => {
  socket.onopen()
  socket.says("* This is n1. Who are you?", "* Welcome. /join a room")
  return socket
}

const entered = (room: string) => [`* You are in ${room}. /help tells what you can do.`, `* In ${room}: ann@n1`]

describe("the page", () => {
  it("enters under a name, and shows who is there and what is said, late posts in their place", () => {
    const { $, enters, log, who } = open()
    const node = greeted(enters("ann", "garden"))
    expect(node.heard()).toEqual(["ann", "/join garden"])
    node.says(...entered("garden"), "* bob@n2 is here")
    expect(node.heard()).toEqual(["/history 200", "/who"])
    node.says("* In garden: ann@n1, bob@n2", "[2 n1] ann: yes?", "[1 n2] bob: hello", "[2 n1] ann: yes?")
    expect($("state").textContent).toBe("ann in garden, on n1")
    expect(who()).toEqual(["ann on n1", "bob on n2"])
    expect(log()).toEqual(["bob@n2 is here", "1 n2bob hello", "2 n1ann yes?"])
  })

  it("goes to another room when the node says so, and to none", () => {
    const { $, enters, log, types, who } = open()
    const node = greeted(enters("ann", "garden"))
    node.says(...entered("garden"), "[1 n1] ann: hello")
    node.heard()
    types("/join two words")
    expect(node.heard()).toEqual(["/join two words"])
    node.says(`! "two words" is no name of a room`)
    expect(log()).toEqual(["1 n1ann hello", `"two words" is no name of a room`])
    types("/join cellar")
    node.says(...entered("cellar"))
    expect([$("state").textContent, log()]).toEqual(["ann in cellar, on n1", []])
    node.says("* You have left cellar")
    expect([$("state").textContent, log(), who()]).toEqual(["ann in no room, on n1", ["You have left cellar"], []])
  })

  it("comes back to a node that was gone, with what was typed meanwhile and what was said before", () => {
    const { $, enters, later, log, types, who } = open()
    const node = greeted(enters("ann", "garden"))
    node.says(...entered("garden"), "[1 n1] ann: hello")
    node.close()
    expect([$("state").textContent, who()]).toEqual(["the node is gone; trying again", []])
    types("anybody?")
    expect($("text").value).toBe("anybody?")
    const again = greeted(later()!)
    expect(again.heard()).toEqual(["ann", "/join garden"])
    again.says(...entered("garden"))
    expect(again.heard()).toEqual(["/history 200"])
    again.says("[1 n1] ann: hello", "* 1 posts of garden")
    expect(log()).toEqual(["1 n1ann hello"])
    types($("text").value)
    expect([again.heard(), $("text").value]).toEqual([["anybody?"], ""])
  })

  it.each(["that is there", "that is gone"])("is left by /quit, at a node %s, and does not come back", (which) => {
    const { $, enters, later, sockets, types } = open()
    const node = greeted(enters("ann", "garden"))
    node.says(...entered("garden"))
    if (which === "that is gone") node.close()
    types("/quit")
    expect(node.isClosed).toBe(true)
    expect([$("state").textContent, $("enter").hidden, $("say").hidden]).toEqual(["you have left", false, true])
    later()
    expect(sockets.length).toBe(1)
  })

  it("has one connection, though somebody enters twice", () => {
    const { enters, later, sockets } = open()
    enters("ann", "garden")
    const node = greeted(enters("anna", "garden"))
    later()
    expect(sockets.map(({ isClosed }) => isClosed)).toEqual([true, false])
    expect(node.heard()).toEqual(["anna", "/join garden"])
  })

  it("tells why a name is refused, and asks for another one", () => {
    const { $, enters, later, sockets } = open()
    enters("ann", "garden").says("* This is n1. Who are you?", "! ann is here already. Take another name")
    later()
    expect($("state").textContent).toBe("ann is here already. Take another name")
    expect([$("enter").hidden, sockets.map(({ isClosed }) => isClosed)]).toEqual([false, [true]])
  })
})
