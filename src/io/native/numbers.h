#pragma once
// The sequence numbers of one SSRC, each given out only once: the same rules as fanout-numbers.ts and srtp/replay-window.ts.
#include <array>
#include <cstdint>

/** 48-bit packet indices of RFC 3711: a sequence number with how often it wrapped. */
class SentNumbers {
 public:
  /** `firstSequenceNumber` is what `next` is before any was taken. */
  explicit SentNumbers(uint16_t firstSequenceNumber) : firstSequenceNumber_(firstSequenceNumber) {}

  /** One more than the highest number that was taken. */
  uint16_t next() const { return highest_ < 0 ? firstSequenceNumber_ : static_cast<uint16_t>(highest_ + 1); }

  /** The index nearest to the highest one so far; negative for one from before the beginning. */
  int64_t estimate(uint16_t sequenceNumber) const {
    if (highest_ < 0) return sequenceNumber;
    return highest_ + static_cast<int16_t>(sequenceNumber - static_cast<uint16_t>(highest_));
  }

  /** Takes a number; false where that was done before, or where it comes too late: long after the newest, or after `startEpoch`. */
  bool take(uint16_t sequenceNumber) {
    const int64_t index = estimate(sequenceNumber);
    if (index < earliestIndex_ || !isFresh(index)) return false;
    if (firstIndex_ < 0) firstIndex_ = earliestIndex_ = index;
    accept(index);
    return true;
  }

  /** From now on numbers stand for other packets, so only those after the highest so far can be taken. */
  void startEpoch() {
    if (highest_ >= 0) earliestIndex_ = highest_ + 1;
  }

  /** How many numbers after it were taken or skipped; negative for one that was not reached yet. */
  int64_t age(uint16_t sequenceNumber) const { return highest_ - estimate(sequenceNumber); }

  /** False for a number from before `startEpoch`. */
  bool isOfEpoch(uint16_t sequenceNumber) const { return estimate(sequenceNumber) >= earliestIndex_; }

  /** True for the first numbers of the SSRC, taken or not. */
  bool isAtStart(uint16_t sequenceNumber) const { return estimate(sequenceNumber) - firstIndex_ < PACKETS_WITH_MID; }

  static constexpr int64_t PACKETS_WITH_MID = 100;

 private:
  bool isFresh(int64_t index) const {
    if (index > highest_) return true;
    if (index < 0 || highest_ - index >= WINDOW_PACKETS) return false;
    const size_t slot = index % WINDOW_PACKETS;
    return (seen_[slot >> 6] >> (slot & 63) & 1) == 0;
  }

  void accept(int64_t index) {
    if (index - highest_ >= WINDOW_PACKETS) seen_.fill(0);
    else for (int64_t skipped = highest_ + 1; skipped < index; skipped++) mark(skipped, false);
    if (index > highest_) highest_ = index;
    mark(index, true);
  }

  void mark(int64_t index, bool isSeen) {
    const size_t slot = index % WINDOW_PACKETS;
    const uint64_t bit = uint64_t{1} << (slot & 63);
    seen_[slot >> 6] = isSeen ? seen_[slot >> 6] | bit : seen_[slot >> 6] & ~bit;
  }

  static constexpr int64_t WINDOW_PACKETS = 1024;
  std::array<uint64_t, WINDOW_PACKETS / 64> seen_{};
  uint16_t firstSequenceNumber_;
  int64_t highest_ = -1;
  int64_t firstIndex_ = -1;
  int64_t earliestIndex_ = 0;
};
