#include "viewer-stream.h"

namespace {
/** Of a source that was left: a second of a good stream. */
constexpr uint16_t PACKETS_KEPT = 256;
}  // namespace

void ViewerStream::join(Source& source, std::optional<uint16_t> sequenceOffset, uint32_t timestampShift) {
  source_ = &source;
  timestampShift_ = timestampShift;
  runsOn_ = !sequenceOffset;
  if (thinning_) thinning_->restart(pictureTimestamp_, newestLaneNumber());
  if (sequenceOffset) setOffset(*sequenceOffset);
}

void ViewerStream::leave() {
  keepSent();
  source_ = nullptr;
  startEpoch();
}

void ViewerStream::setThinning(Thinning level) {
  if (!thinning_ && level == Thinning::none) return;
  if (!thinning_) thinning_ = std::make_unique<TrackThinning>(pictureTimestamp_, newestLaneNumber());
  thinning_->setLevel(level);
}

void ViewerStream::sendLive(const FramePtr& frame, const std::vector<uint32_t>& indices, uint32_t absSendTime) {
  bool isLeftOut = false;
  if (!indices.empty()) {
    const uint16_t first = frame->packets[indices[0]].sequenceNumber;
    if (runsOn_) runOnWith(first);
    isLeftOut = thinning_ && thinning_->leavesOut({frame->timestamp, frame->startsKeyframe, frame->isDisposable, first});
  }
  pictureTimestamp_ = frame->timestamp;
  bool isSent = false;
  for (const uint32_t index : indices) {
    const uint16_t laneNumber = frame->packets[index].sequenceNumber;
    const int64_t loss = thinning_ ? thinning_->place(laneNumber, isLeftOut) : 0;
    if (loss < 0) continue;
    const uint16_t sequenceNumber = static_cast<uint16_t>(laneNumber + sequenceOffset_ - loss);
    if (!numbers_.take(sequenceNumber)) continue;
    const uint32_t timestamp = liveTimestamp(frame->timestamp);
    if (!isSent) openBurst(frame, timestamp, absSendTime);
    isSent = true;
    planPacket(sequenceNumber, index);
  }
  if (isSent) markTime(liveTimestamp(frame->timestamp), frame->ptsUs);
  if (!replayed_ || static_cast<uint16_t>(numbers_.next() - replayedUntil_) >= 0x8000) return;
  replayed_.reset();
  replayedTimestamps_.clear();
}

void ViewerStream::replay(const FramePtr& frame, uint16_t sequenceOffset, uint32_t timestamp, uint32_t absSendTime) {
  if (!replayed_) replayed_ = std::make_unique<SentHistory>();
  setOffset(sequenceOffset);
  replayedTimestamps_.emplace(frame->timestamp, timestamp);
  bool isSent = false;
  for (uint32_t index = 0; index < frame->packets.size(); index++) {
    const uint16_t sequenceNumber = static_cast<uint16_t>(frame->packets[index].sequenceNumber + sequenceOffset);
    if (!numbers_.take(sequenceNumber)) continue;
    replayed_->add(sequenceNumber, timestamp, frame, index);
    if (!isSent) openBurst(frame, timestamp, absSendTime, -1, true);
    isSent = true;
    planPacket(sequenceNumber, index);
  }
  if (isSent) markTime(timestamp, frame->ptsUs);
  pictureTimestamp_ = frame->timestamp;
  keepReplayed();
}

bool ViewerStream::resend(uint16_t sequenceNumber, uint32_t absSendTime) {
  const int64_t age = numbers_.age(sequenceNumber);
  if (age < 0 || age >= static_cast<int64_t>(SentHistory::CAPACITY)) return false;
  const SentPacket* kept = replayed_ ? replayed_->find(sequenceNumber) : nullptr;
  const std::optional<SentPacket> sent = kept ? *kept : findLive(sequenceNumber);
  if (!sent) return false;
  stats_.resentCount++;
  if (!track_.hasRtx) {
    openBurst(sent->frame, sent->timestamp, absSendTime);
    planPacket(sequenceNumber, sent->index);
    return true;
  }
  openBurst(sent->frame, sent->timestamp, absSendTime, sequenceNumber);
  const bool isAtStart = nextRtxSequence_ < SentNumbers::PACKETS_WITH_MID;
  plan(static_cast<uint16_t>(nextRtxSequence_), nextRtxSequence_ >> 16, sent->index, isAtStart);
  nextRtxSequence_++;
  return true;
}

std::optional<SentPacket> ViewerStream::findLive(uint16_t sequenceNumber) {
  if (!source_ || runsOn_ || !numbers_.isOfEpoch(sequenceNumber)) return std::nullopt;
  const uint16_t reduced = static_cast<uint16_t>(sequenceNumber - sequenceOffset_);
  const int32_t laneNumber = thinning_ ? thinning_->laneNumberOf(reduced) : reduced;
  const SentPacket* sent = laneNumber < 0 ? nullptr : source_->history.find(static_cast<uint16_t>(laneNumber));
  if (!sent) return std::nullopt;
  SentPacket found = *sent;
  found.timestamp = liveTimestamp(sent->timestamp);
  return found;
}

void ViewerStream::keepSent() {
  for (uint16_t ago = PACKETS_KEPT; ago > 0; ago--) {
    const uint16_t sequenceNumber = static_cast<uint16_t>(numbers_.next() - ago);
    if (numbers_.age(sequenceNumber) < 0) continue;
    const std::optional<SentPacket> sent = findLive(sequenceNumber);
    if (!sent) continue;
    if (!replayed_) replayed_ = std::make_unique<SentHistory>();
    replayed_->add(sequenceNumber, sent->timestamp, sent->frame, sent->index);
    keepReplayed();
  }
}

uint32_t ViewerStream::liveTimestamp(uint32_t timestamp) {
  if (!replayedTimestamps_.empty()) {
    const auto replayed = replayedTimestamps_.find(timestamp);
    if (replayed != replayedTimestamps_.end()) {
      keepReplayed();
      return replayed->second;
    }
  }
  return timestamp + timestampShift_;
}

std::optional<int64_t> ViewerStream::newestLaneNumber() const {
  const uint16_t newest = static_cast<uint16_t>(numbers_.next() - 1);
  if (numbers_.age(newest) < 0 || !numbers_.isOfEpoch(newest)) return std::nullopt;
  return static_cast<uint16_t>(newest - sequenceOffset_);
}

void ViewerStream::runOnWith(uint16_t laneNumber) {
  runsOn_ = false;
  sequenceOffset_ = static_cast<uint16_t>(numbers_.next() - laneNumber);
  startEpoch();
}

void ViewerStream::setOffset(uint16_t sequenceOffset) {
  if (sequenceOffset == sequenceOffset_) return;
  sequenceOffset_ = sequenceOffset;
  startEpoch();
}

void ViewerStream::startEpoch() {
  numbers_.startEpoch();
  replayedTimestamps_.clear();
  pictureTimestamp_.reset();
  if (thinning_) thinning_->restart(std::nullopt, std::nullopt);
}

void ViewerStream::markTime(uint32_t timestamp, double ptsUs) {
  const std::optional<uint32_t>& latest = stats_.latestTimestamp;
  stats_.rtpTimestamp = timestamp + timestampOffset_;
  stats_.ptsUs = ptsUs;
  if (!latest || static_cast<int32_t>(timestamp - *latest) > 0) stats_.latestTimestamp = timestamp;
}

void ViewerStream::openBurst(const FramePtr& frame, uint32_t timestamp, uint32_t absSendTime, int32_t originalSequenceNumber,
                             bool isReplay) {
  Job& job = viewer_.worker->planned;
  const uint32_t firstPacket = static_cast<uint32_t>(job.packets.size());
  if (job.frames.empty() || job.frames.back() != frame) job.frames.push_back(frame);
  const uint8_t transportCcId = isReplay ? track_.replayTransportCcId : track_.transportCcId;
  job.bursts.push_back({viewer_.destination.get(), &track_, frame.get(), viewer_.address, timestamp + timestampOffset_,
                        absSendTime, transportCcId, originalSequenceNumber, firstPacket, 0, nullptr, nullptr});
}

void ViewerStream::planPacket(uint16_t sequenceNumber, uint32_t index) {
  const uint32_t rollover = static_cast<uint32_t>(numbers_.estimate(sequenceNumber) >> 16);
  plan(sequenceNumber, rollover, index, numbers_.isAtStart(sequenceNumber));
  stats_.packetCount++;
  stats_.octetCount += viewer_.worker->planned.bursts.back().frame->packets[index].length;
}

void ViewerStream::plan(uint16_t sequenceNumber, uint32_t rollover, uint32_t index, bool isAtStart) {
  Job& job = viewer_.worker->planned;
  const uint16_t transportNumber = job.bursts.back().transportCcId != 0 ? viewer_.nextTransportNumber++ : 0;
  job.packets.push_back({index, rollover, sequenceNumber, transportNumber, isAtStart});
  job.bursts.back().packetCount++;
}
