/**
 * Cuts a frame into parts of equal size (the last one smaller), so that they can be handed to the kernel as equal segments, and puts a
 * descriptor of one byte before each. `maxPayloadBytes` is at least 16.
 */
export function cutFrame(
  frame: Uint8Array,
  maxPayloadBytes: number,
  descriptor: (isFirst: boolean, isLast: boolean) => number,
): Uint8Array[] {
  const count = Math.ceil(frame.length / (Math.max(maxPayloadBytes, 16) - 1))
  const partBytes = Math.ceil(frame.length / count)
  const payloads: Uint8Array[] = []
  for (let at = 0; at < frame.length; at += partBytes) {
    const part = frame.subarray(at, at + partBytes)
    const payload = new Uint8Array(1 + part.length)
    payload[0] = descriptor(at === 0, at + partBytes >= frame.length)
    payload.set(part, 1)
    payloads.push(payload)
  }
  return payloads
}
