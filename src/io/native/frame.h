#pragma once
// A batch of packets in native memory: copied once, shared by all viewers, the history and the threads, and never changed.
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

/** A header extension that came with a packet; `name` is its place in PASSED_EXTENSIONS. */
struct PassedExtension {
  uint8_t name;
  uint8_t length; // 1 to 16
  uint8_t value[16];
};

struct FramePacket {
  uint32_t offset;
  uint16_t length;
  uint16_t sequenceNumber;
  bool marker;
  uint32_t firstExtension;
  uint32_t extensionCount;
};

struct Frame {
  uint32_t timestamp = 0;
  double ptsUs = 0;
  bool startsKeyframe = false;
  bool isDisposable = false;
  std::vector<uint8_t> bytes;
  std::vector<FramePacket> packets;
  std::vector<PassedExtension> extensions;
};

using FramePtr = std::shared_ptr<const Frame>;

/** One packet of a frame, kept with the timestamp that it was sent with. */
struct SentPacket {
  FramePtr frame;
  uint32_t index = 0;
  uint32_t timestamp = 0;
  int32_t sequenceNumber = -1;
};

/** The newest packets, found by sequence number; takes no more memory than they need, as most viewers have few of their own. */
class SentHistory {
 public:
  static constexpr size_t CAPACITY = 2048;

  /** Keeps a packet; false where one with its number is there, which stays. */
  bool add(uint16_t sequenceNumber, uint32_t timestamp, const FramePtr& frame, uint32_t index) {
    std::unique_ptr<Page>& page = pages_[sequenceNumber % CAPACITY / PAGE_PACKETS];
    if (!page) page = std::make_unique<Page>();
    SentPacket& slot = (*page)[sequenceNumber % PAGE_PACKETS];
    if (slot.sequenceNumber == sequenceNumber) return false;
    slot = {frame, index, timestamp, sequenceNumber};
    return true;
  }

  const SentPacket* find(uint16_t sequenceNumber) const {
    const std::unique_ptr<Page>& page = pages_[sequenceNumber % CAPACITY / PAGE_PACKETS];
    if (!page) return nullptr;
    const SentPacket& slot = (*page)[sequenceNumber % PAGE_PACKETS];
    return slot.sequenceNumber == sequenceNumber ? &slot : nullptr;
  }

 private:
  static constexpr size_t PAGE_PACKETS = 64;
  using Page = std::array<SentPacket, PAGE_PACKETS>;
  std::array<std::unique_ptr<Page>, CAPACITY / PAGE_PACKETS> pages_;
};
