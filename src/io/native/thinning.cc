#include "thinning.h"

void TrackThinning::setLevel(Thinning level) {
  level_ = level == Thinning::untilKeyframe ? Thinning::none : level;
  if (level == Thinning::untilKeyframe) isWaiting_ = true;
}

void TrackThinning::restart(std::optional<uint32_t> timestamp, std::optional<int64_t> newest) {
  isWaiting_ = false;
  timestamp_ = timestamp;
  isLeavingOut_ = false;
  newest_ = newest;
  wasLeftOut_ = false;
  holes_ = 0;
}

bool TrackThinning::leavesOut(const ThinnableBatch& batch) {
  if (newest_ && unwrap(batch.firstSequenceNumber) <= *newest_) return false;
  const bool isSamePicture = timestamp_ == batch.timestamp;
  timestamp_ = batch.timestamp;
  hidesGaps_ = isSamePicture || isWaiting_;
  if (batch.startsKeyframe) {
    isWaiting_ = false;
    isLeavingOut_ = false;
  } else if (!isSamePicture) {
    const bool isUnwanted = level_ == Thinning::disposable && batch.isDisposable;
    isLeavingOut_ = isWaiting_ || level_ == Thinning::keyframes || isUnwanted;
    if (isLeavingOut_) leftOutCount_++;
    if (isLeavingOut_ && !batch.isDisposable) isWaiting_ = true;
  }
  return isLeavingOut_;
}

int64_t TrackThinning::place(uint16_t laneNumber, bool isLeftOut) {
  const int64_t number = unwrap(laneNumber);
  if (newest_ && number <= *newest_) return lossAt(number);
  if (isLeftOut) {
    const bool isJoined = newest_ && wasLeftOut_ && hidesGaps_;
    addHole(isJoined ? *newest_ + 1 : number, number + 1);
  }
  newest_ = number;
  wasLeftOut_ = isLeftOut;
  hidesGaps_ = true;  // up to the next picture
  return isLeftOut ? -1 : loss();
}

int32_t TrackThinning::laneNumberOf(uint16_t reduced) const {
  if (!newest_) return reduced;
  const int64_t newest = *newest_ - loss();
  const int64_t number = newest + static_cast<int16_t>(reduced - static_cast<uint16_t>(newest));
  for (int64_t i = holes_ - 1; i >= oldest(); i--) {
    const int64_t lost = losses_[i % MAX_HOLES];
    if (number + lost >= starts_[i % MAX_HOLES]) return static_cast<uint16_t>(number + lost);
  }
  return oldest() > 0 ? -1 : static_cast<uint16_t>(number);
}

int64_t TrackThinning::unwrap(uint16_t laneNumber) const {
  const int64_t newest = newest_.value_or(laneNumber);
  return newest + static_cast<int16_t>(laneNumber - static_cast<uint16_t>(newest));
}

void TrackThinning::addHole(int64_t from, int64_t start) {
  const int64_t lost = loss() + start - from;
  const bool isSame = holes_ > 0 && starts_[(holes_ - 1) % MAX_HOLES] == from;
  if (!isSame) holes_++;
  const int64_t at = (holes_ - 1) % MAX_HOLES;
  starts_[at] = start;
  losses_[at] = lost;
}

int64_t TrackThinning::lossAt(int64_t number) const {
  for (int64_t i = holes_ - 1; i >= oldest(); i--) {
    const int64_t at = i % MAX_HOLES;
    const int64_t lossBefore = i == 0 ? 0 : losses_[(i - 1) % MAX_HOLES];
    if (number >= starts_[at]) return losses_[at];
    const bool isInHole = number >= starts_[at] - losses_[at] + lossBefore;
    if (isInHole || (i == oldest() && oldest() > 0)) return -1;
  }
  return 0;
}
