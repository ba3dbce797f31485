import type { Transport } from "@troupe/transport"

/** Hands on what arrives once this node listens: what a protocol emits before is heard by nobody. */
export class Gate {
  private isOpen = false
  private early: Array<() => void> = []

  through(transport: Transport["Service"]): Transport["Service"] {
    return {
      ...transport,
      open: (channel, receive) =>
        transport.open(channel, (from, message) => {
          if (this.isOpen) receive(from, message)
          else this.early.push(() => receive(from, message))
        })
    }
  }

  open(): void {
    // In the order of arrival: none arrives meanwhile.
    for (const each of this.early) each()
    this.early = []
    this.isOpen = true
  }
}
