/** The session that a stop packet means: by the id of a lossless answer, or by the ufrags that both sides of a public one know. */
export type StopTarget =
  | { readonly type: "id"; readonly sessionId: string }
  | { readonly type: "ufrags"; readonly local: string; readonly remote: string }

/** Reads the signature of a stop packet: `<address>:<answer's ufrag>:<offer's ufrag>`, or a session id, which has no colon. */
export function parseStopTarget(svrsig: string): StopTarget {
  // From the end: an IPv6 address has colons, a ufrag never has.
  const [remote = "", local] = svrsig.split(":").reverse()
  return local === undefined ? { type: "id", sessionId: svrsig } : { type: "ufrags", local, remote }
}
