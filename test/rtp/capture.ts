import { readFileSync } from "node:fs"
import { join } from "node:path"
import { parseRtpPacket, type RtpPacket } from "../../src/rtp/packet.ts"

/** The packets of a file in test/fixtures/rtp. */
export function readCapture(name: string): RtpPacket[] {
  const bytes = readFileSync(join(import.meta.dirname, "../fixtures/rtp", `${name}.rtp`))
  const packets: RtpPacket[] = []
  for (let at = 0; at < bytes.length; at += 2 + bytes.readUInt16BE(at)) {
    packets.push(parseRtpPacket(new Uint8Array(bytes.subarray(at + 2, at + 2 + bytes.readUInt16BE(at)))))
  }
  return packets
}
