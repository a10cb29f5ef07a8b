import { readFileSync } from "node:fs"
import type { LocalTracks } from "../../src/sdp/answer.ts"
import type { LocalDescription } from "../../src/sdp/serialize.ts"

/** Reads an offer from `test/fixtures/sdp`. */
export function fixture(name: string): string {
  return readFileSync(new URL(`../fixtures/sdp/${name}.sdp`, import.meta.url), "utf8")
}

export const FINGERPRINT = Array.from({ length: 32 }, (_, i) => (i + 16).toString(16).toUpperCase()).join(":")

export const LOCAL: LocalDescription = {
  sessionId: "4611686018427387904",
  ufrag: "edge0001",
  pwd: "0123456789abcdefghijklmn",
  fingerprints: [{ algorithm: "sha-256", value: FINGERPRINT }],
  candidates: [
    { protocol: "udp", address: "192.0.2.7", port: 8000 },
    { protocol: "udp", address: "2001:db8::7", port: 8000 },
    { protocol: "tcp", address: "192.0.2.7", port: 8000 },
  ],
}

export const TRACKS: LocalTracks = {
  audio: { ssrc: 1001, rtxSsrc: 1002, cname: "gate", streamId: "live", trackId: "audio" },
  video: { ssrc: 2001, rtxSsrc: 2002, cname: "gate", streamId: "live", trackId: "video" },
}

/** The lines of one section of an answer, by position; -1 is the session. */
export function section(sdp: string, index: number): string[] {
  const sections = sdp.trimEnd().split("\r\nm=")
  return (sections[index + 1] ?? "").split("\r\n").map((line, i) => (i === 0 && index >= 0 ? `m=${line}` : line))
}
