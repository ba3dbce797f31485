/** Where a node listens: `host:port`, `[IPv6]:port`, or `:port` for every interface. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** Reads an address; a `string` says what is wrong with it. */
export const parse = (text: string): Address | string => {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]]*)):(\d{1,5})$/.exec(text)
  if (match === null) return `"${text}" is not an address. Write "host:port", "[IPv6]:port" or ":port".`
  const port = Number(match[3])
  if (port > 65_535) return `"${text}" has port ${port}. Ports end at 65535.`
  return { host: match[1] ?? match[2] ?? "", port }
}

export const show = (address: Address): string =>
  address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
