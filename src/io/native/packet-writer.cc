#include "packet-writer.h"

#include <cstring>

#include "bytes.h"

namespace {
constexpr size_t HEADER_BYTES = 12;
/** With the word in front, so that the longest payload still fits. */
constexpr size_t MAX_EXTENSION_BYTES = 100;

/** Copies an element and fills it up to whole words with zero bytes; returns its end. */
uint8_t* writeElement(uint8_t* at, uint8_t id, const PassedExtension& extension) {
  const size_t size = (extension.length + 4u) & ~3u;
  std::memset(at, 0, size);
  at[0] = static_cast<uint8_t>(id << 4 | (extension.length - 1));
  std::memcpy(at + 1, extension.value, extension.length);
  return at + size;
}

/** Writes the header extensions in the one-byte form (RFC 8285 section 4.2); returns how many bytes they are, 0 without any. */
size_t writeExtensions(uint8_t* out, const Burst& burst, const PlannedPacket& planned, const FramePacket& packet) {
  const Track& track = *burst.track;
  uint8_t* end = out + 4;
  if (track.absSendTimeId != 0) {
    writeU32(end, burst.absSendTime);
    *end = static_cast<uint8_t>(track.absSendTimeId << 4 | 2);
    end += 4;
  }
  if (burst.transportCcId != 0) {
    end[0] = static_cast<uint8_t>(burst.transportCcId << 4 | 1);
    writeU16(end + 1, planned.transportNumber);
    end[3] = 0;
    end += 4;
  }
  if (planned.isAtStart && !track.mid.empty()) {
    std::memcpy(end, track.mid.data(), track.mid.size());
    end += track.mid.size();
  }
  for (uint32_t i = 0; i < packet.extensionCount; i++) {
    const PassedExtension& extension = burst.frame->extensions[packet.firstExtension + i];
    const uint8_t id = track.passedIds[extension.name];
    const size_t size = (extension.length + 4u) & ~3u;
    if (id != 0 && end + size <= out + MAX_EXTENSION_BYTES) end = writeElement(end, id, extension);
  }
  const size_t length = static_cast<size_t>(end - out);
  if (length == 4) return 0;
  writeU16(out, 0xbede);
  writeU16(out + 2, static_cast<uint16_t>(length / 4 - 1));
  return length;
}
}  // namespace

size_t writePacket(uint8_t* out, const Burst& burst, const PlannedPacket& planned) {
  const Track& track = *burst.track;
  const FramePacket& packet = burst.frame->packets[planned.index];
  const bool isRtx = burst.originalSequenceNumber >= 0;
  const uint32_t ssrc = isRtx ? track.rtxSsrc : track.ssrc;
  const uint8_t payloadType = isRtx ? track.rtxPayloadType : track.payloadType;
  const size_t extensionBytes = writeExtensions(out + HEADER_BYTES, burst, planned, packet);
  const size_t headerBytes = HEADER_BYTES + extensionBytes;
  out[0] = extensionBytes > 0 ? 0x90 : 0x80;
  out[1] = static_cast<uint8_t>(packet.marker ? payloadType | 0x80 : payloadType);
  writeU16(out + 2, planned.sequenceNumber);
  writeU32(out + 4, burst.timestamp);
  writeU32(out + 8, ssrc);
  const uint8_t* payload = burst.frame->bytes.data() + packet.offset;
  size_t length = packet.length;
  if (isRtx) {
    writeU16(out + headerBytes, static_cast<uint16_t>(burst.originalSequenceNumber));
    if (length > 0) std::memcpy(out + headerBytes + 2, payload, length);
    payload = out + headerBytes;
    length += 2;
  }
  return burst.destination->protector->protect(out, headerBytes, payload, length, ssrc, planned.rollover, planned.sequenceNumber);
}
