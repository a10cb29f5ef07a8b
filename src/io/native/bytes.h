#pragma once
// Fields are big-endian on the wire.
#include <cstdint>

inline void writeU16(uint8_t* at, uint16_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

inline void writeU32(uint8_t* at, uint32_t value) {
  writeU16(at, static_cast<uint16_t>(value >> 16));
  writeU16(at + 2, static_cast<uint16_t>(value));
}
