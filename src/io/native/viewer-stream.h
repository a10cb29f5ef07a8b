#pragma once
// One viewer's side of one track: which packets it gets under which numbers. The same rules as fanout-viewer.ts, step by step, since a
// number that stands for two contents gives the key away. Only the thread of JavaScript comes here.
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "numbers.h"
#include "packet-writer.h"
#include "thinning.h"
#include "worker.h"

class ViewerStream;

/** What tracks follow: one lane of one stream, with what was sent of it. */
struct Source {
  std::string id;
  /** In the order in which they joined. */
  std::vector<ViewerStream*> streams;
  SentHistory history;
};

/** What all tracks of one viewer share. */
struct Viewer {
  uint32_t id = 0;
  Address address{};
  uint16_t nextTransportNumber = 0;
  std::unique_ptr<Destination> destination;
  Worker* worker = nullptr;
  std::vector<std::unique_ptr<ViewerStream>> streams;
};

struct StreamStats {
  double packetCount = 0;
  double octetCount = 0;
  double resentCount = 0;
  uint32_t rtpTimestamp = 0;
  double ptsUs = 0;
  std::optional<uint32_t> latestTimestamp;
};

class ViewerStream {
 public:
  ViewerStream(Viewer& viewer, Track track, uint16_t firstSequenceNumber, uint32_t timestampOffset)
      : viewer_(viewer), track_(std::move(track)), timestampOffset_(timestampOffset), numbers_(firstSequenceNumber) {}

  const Track& track() const { return track_; }
  const StreamStats& stats() const { return stats_; }
  uint16_t nextTransportNumber() const { return viewer_.nextTransportNumber; }
  uint16_t nextSequenceNumber() const { return numbers_.next(); }
  /** What it follows now; null for nothing. */
  Source* source() const { return source_; }

  /** Begins to follow a source; without an offset the first packet decides it. */
  void join(Source& source, std::optional<uint16_t> sequenceOffset, uint32_t timestampShift);
  /** Whatever comes next may be of another source. What came last stays for a while, for `resend`. */
  void leave();
  /** Leaves out part of what the source brings. */
  void setThinning(Thinning level);
  /** Null where nothing ever was to be left out. */
  const TrackThinning* thinning() const { return thinning_.get(); }
  /** Plans the packets of a batch of the source, `indices` of the frame. */
  void sendLive(const FramePtr& frame, const std::vector<uint32_t>& indices, uint32_t absSendTime);
  /** Plans a batch for this viewer alone. */
  void replay(const FramePtr& frame, uint16_t sequenceOffset, uint32_t timestamp, uint32_t absSendTime);
  /** Plans one packet again; false where it is not there any more. */
  bool resend(uint16_t sequenceNumber, uint32_t absSendTime);

 private:
  std::optional<SentPacket> findLive(uint16_t sequenceNumber);
  void keepSent();
  void keepReplayed() { replayedUntil_ = static_cast<uint16_t>(numbers_.next() + SentHistory::CAPACITY); }
  uint32_t liveTimestamp(uint32_t timestamp);
  /** Of the present epoch, as long as nothing was left out in it. */
  std::optional<int64_t> newestLaneNumber() const;
  /** The first packet of a source decides the offset. */
  void runOnWith(uint16_t laneNumber);
  void setOffset(uint16_t sequenceOffset);
  void startEpoch();
  void markTime(uint32_t timestamp, double ptsUs);
  void openBurst(const FramePtr& frame, uint32_t timestamp, uint32_t absSendTime, int32_t originalSequenceNumber = -1,
                 bool isReplay = false);
  void planPacket(uint16_t sequenceNumber, uint32_t index);
  void plan(uint16_t sequenceNumber, uint32_t rollover, uint32_t index, bool isAtStart);

  Viewer& viewer_;
  const Track track_;
  const uint32_t timestampOffset_;
  SentNumbers numbers_;
  StreamStats stats_;
  Source* source_ = nullptr;
  /** Of the present epoch; within one, each number stands for one packet of one lane. */
  uint16_t sequenceOffset_ = 0;
  bool runsOn_ = false;
  uint32_t timestampShift_ = 0;
  /** What `replay` sent and the last of a source that was left, under this viewer's numbers; not needed after `replayedUntil_`. */
  std::unique_ptr<SentHistory> replayed_;
  uint16_t replayedUntil_ = 0;
  /** What the lane's timestamps became with `replay`: late packets of the same pictures come live and need the same. */
  std::unordered_map<uint32_t, uint32_t> replayedTimestamps_;
  uint32_t nextRtxSequence_ = 0;
  /** The lane's, of what came last. */
  std::optional<uint32_t> pictureTimestamp_;
  std::unique_ptr<TrackThinning> thinning_;
};
