import { Schema } from "effect"

/** A node cannot have the port that it is to listen on. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  node: Schema.String,
  address: Schema.String,
  code: Schema.String
}) {
  override get message(): string {
    return `Node "${this.node}" cannot listen on ${this.address}: ${advice[this.code] ?? this.code}`
  }
}

const advice: Record<string, string> = {
  EADDRINUSE: "the port is in use. Stop what listens there, or choose another port (0 takes any that is free).",
  EADDRNOTAVAIL: 'the host is not an address of this machine. Use one that is, or ":port" for all.',
  EACCES: "this user may not open the port. Choose one above 1023.",
  ENOTFOUND: "the host has no address. Check its name, or give the address itself.",
  EAI_AGAIN: "the host could not be looked up. Check its name and the resolver, or give the address itself."
}
