#pragma once
// All viewers, sources and threads: PacketFanout of fanout.ts, without JavaScript.
#include "viewer-stream.h"

class Fanout {
 public:
  /** Uses copies of the sockets, -1 for none, and so many threads; none is for tests. `wake` tells of datagrams to forward. */
  Fanout(int ipv4, int ipv6, unsigned threads, std::function<void()> wake);
  ~Fanout();
  Fanout(const Fanout&) = delete;
  Fanout& operator=(const Fanout&) = delete;

  uint32_t addViewer(std::unique_ptr<Protector> protector);
  void addTrack(uint32_t viewerId, Track track, uint16_t firstSequenceNumber, uint32_t timestampOffset);
  void setAddress(uint32_t viewerId, const Address& address);
  void removeViewer(uint32_t viewerId);
  void joinTrack(uint32_t viewerId, const std::string& trackId, const std::string& sourceId,
                 std::optional<uint16_t> sequenceOffset, uint32_t timestampShift);
  void leaveTrack(uint32_t viewerId, const std::string& trackId);
  void send(const std::string& sourceId, const FramePtr& frame, uint32_t absSendTime);
  /** Returns the viewer's next transport-wide number, 0 for a viewer or track that is not known. */
  uint16_t sendTo(uint32_t viewerId, const std::string& trackId, const FramePtr& frame, uint16_t sequenceOffset,
              uint32_t timestamp, uint32_t absSendTime);
  uint32_t resend(uint32_t viewerId, const std::string& trackId, const uint16_t* sequenceNumbers, size_t count,
                  uint32_t absSendTime);
  /** Null for a viewer or track that is not known. */
  ViewerStream* find(uint32_t viewerId, const std::string& trackId);
  std::vector<Forwarded> takeForwarded() { return outbox_.takeAll(); }
  /** Waits until everything is sent. */
  void drain();
  /** Datagrams that the system did not take, or that waited too long. */
  uint64_t errorCount() const { return errors_; }

 private:
  void leave(ViewerStream& stream, bool isRemoved);
  void submit();

  std::atomic<uint64_t> errors_{0};
  Outbox outbox_;
  const int ipv4_;
  const int ipv6_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unordered_map<uint32_t, std::unique_ptr<Viewer>> viewers_;
  /** Those with viewers. */
  std::unordered_map<std::string, std::unique_ptr<Source>> sources_;
  uint32_t nextViewerId_ = 1;
  std::vector<uint32_t> accepted_;
};
