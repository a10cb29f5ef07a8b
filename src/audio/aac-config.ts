/**
 * The AudioSpecificConfig of the AAC that `opus-to-aac` makes, AAC-LC at 48 kHz, known before the first frame: five bits
 * object type 2, four bits rate index 3, four bits channels (ISO/IEC 14496-3 section 1.6.2.1).
 */
export function opusToAacConfig(channels: 1 | 2): Uint8Array {
  return Uint8Array.of(0x11, 0x80 | (channels << 3))
}
