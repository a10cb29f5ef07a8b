#pragma once
// Leaves pictures out for one viewer's track: the same decisions and numbers as fanout-thinning.ts.
#include <array>
#include <cstdint>
#include <optional>

/** The order is that of `THINNING_LEVELS` in fanout-native.ts. */
enum class Thinning { none, disposable, untilKeyframe, keyframes };

/** What the thinning looks at in a batch. */
struct ThinnableBatch {
  uint32_t timestamp;
  bool startsKeyframe;
  bool isDisposable;
  uint16_t firstSequenceNumber;
};

class TrackThinning {
 public:
  /** Takes what `restart` does. */
  TrackThinning(std::optional<uint32_t> timestamp, std::optional<int64_t> newest) : timestamp_(timestamp), newest_(newest) {}

  void setLevel(Thinning level);
  /**
   * Other packets follow, with other numbers, and a picture that can be decoded. `timestamp` is that of the picture that has begun, `newest`
   * the lane's number of the newest packet that was sent.
   */
  void restart(std::optional<uint32_t> timestamp, std::optional<int64_t> newest);
  /** Decides on the next batch; all batches of one picture share what its first one got. Of late packets `place` decides. */
  bool leavesOut(const ThinnableBatch& batch);
  /** How much less the number of a packet is than without thinning, or -1 for one that is not sent. */
  int64_t place(uint16_t laneNumber, bool isLeftOut);
  /** The lane's number of a packet whose number without thinning would be this one; -1 where that is not known any more. */
  int32_t laneNumberOf(uint16_t reduced) const;

  /** Pictures that were left out since the beginning. */
  double leftOutCount() const { return leftOutCount_; }
  /** True while nothing but a keyframe may follow, as a picture was left out to which others refer. */
  bool isWaiting() const { return isWaiting_; }

 private:
  int64_t loss() const { return holes_ == 0 ? 0 : losses_[(holes_ - 1) % MAX_HOLES]; }
  int64_t oldest() const { return holes_ > MAX_HOLES ? holes_ - MAX_HOLES : 0; }
  int64_t unwrap(uint16_t laneNumber) const;
  void addHole(int64_t from, int64_t start);
  int64_t lossAt(int64_t number) const;

  static constexpr int64_t MAX_HOLES = 128;
  Thinning level_ = Thinning::none;
  double leftOutCount_ = 0;
  bool isWaiting_ = false;
  std::optional<uint32_t> timestamp_;
  bool isLeavingOut_ = false;
  /** The newest packet of the lane, unwrapped. */
  std::optional<int64_t> newest_;
  bool wasLeftOut_ = false;
  /** What the lane lacks between two packets that are left out is left out too. */
  bool hidesGaps_ = false;
  /** Where something was left out: lane numbers from `starts_` on lose `losses_` in all. The newest ones, in a ring. */
  std::array<int64_t, MAX_HOLES> starts_{};
  std::array<int64_t, MAX_HOLES> losses_{};
  int64_t holes_ = 0;
};
