#include "fanout.h"

#include <unistd.h>

#include <algorithm>

Fanout::Fanout(int ipv4, int ipv6, unsigned threads, std::function<void()> wake)
    : outbox_(std::move(wake), errors_), ipv4_(ipv4 < 0 ? -1 : dup(ipv4)), ipv6_(ipv6 < 0 ? -1 : dup(ipv6)) {
  for (unsigned i = 0; i < std::max(threads, 1u); i++) {
    workers_.push_back(std::make_unique<Worker>(ipv4_, ipv6_, outbox_, errors_, threads > 0));
  }
}

Fanout::~Fanout() {
  workers_.clear();
  if (ipv4_ >= 0) close(ipv4_);
  if (ipv6_ >= 0) close(ipv6_);
}

uint32_t Fanout::addViewer(std::unique_ptr<Protector> protector) {
  auto viewer = std::make_unique<Viewer>();
  viewer->id = nextViewerId_++;
  viewer->destination = std::make_unique<Destination>(viewer->id, std::move(protector));
  const auto isFreer = [](const auto& a, const auto& b) { return a->viewerCount < b->viewerCount; };
  viewer->worker = std::min_element(workers_.begin(), workers_.end(), isFreer)->get();
  viewer->worker->viewerCount++;
  const uint32_t id = viewer->id;
  viewers_.emplace(id, std::move(viewer));
  return id;
}

void Fanout::addTrack(uint32_t viewerId, Track track, uint16_t firstSequenceNumber, uint32_t timestampOffset) {
  const auto viewer = viewers_.find(viewerId);
  if (viewer == viewers_.end()) return;
  viewer->second->streams.push_back(
      std::make_unique<ViewerStream>(*viewer->second, std::move(track), firstSequenceNumber, timestampOffset));
}

void Fanout::setAddress(uint32_t viewerId, const Address& address) {
  const auto viewer = viewers_.find(viewerId);
  if (viewer != viewers_.end()) viewer->second->address = address;
}

void Fanout::removeViewer(uint32_t viewerId) {
  const auto viewer = viewers_.find(viewerId);
  if (viewer == viewers_.end()) return;
  for (const auto& stream : viewer->second->streams) leave(*stream, true);
  Worker& worker = *viewer->second->worker;
  worker.viewerCount--;
  worker.planned.retired.push_back(std::shared_ptr<Viewer>(std::move(viewer->second)));
  viewers_.erase(viewer);
  worker.submit();
}

void Fanout::joinTrack(uint32_t viewerId, const std::string& trackId, const std::string& sourceId,
                       std::optional<uint16_t> sequenceOffset, uint32_t timestampShift) {
  ViewerStream* stream = find(viewerId, trackId);
  if (!stream) return;
  if (stream->source()) leave(*stream, false);
  std::unique_ptr<Source>& source = sources_[sourceId];
  if (!source) {
    source = std::make_unique<Source>();
    source->id = sourceId;
  }
  source->streams.push_back(stream);
  stream->join(*source, sequenceOffset, timestampShift);
}

void Fanout::leaveTrack(uint32_t viewerId, const std::string& trackId) {
  if (ViewerStream* stream = find(viewerId, trackId)) leave(*stream, false);
}

void Fanout::send(const std::string& sourceId, const FramePtr& frame, uint32_t absSendTime) {
  const auto found = sources_.find(sourceId);
  if (found == sources_.end()) return;
  Source& source = *found->second;
  accepted_.clear();
  for (uint32_t index = 0; index < frame->packets.size(); index++) {
    const bool isNew = source.history.add(frame->packets[index].sequenceNumber, frame->timestamp, frame, index);
    if (isNew) accepted_.push_back(index);
  }
  for (ViewerStream* stream : source.streams) stream->sendLive(frame, accepted_, absSendTime);
  submit();
}

uint16_t Fanout::sendTo(uint32_t viewerId, const std::string& trackId, const FramePtr& frame, uint16_t sequenceOffset,
                    uint32_t timestamp, uint32_t absSendTime) {
  ViewerStream* stream = find(viewerId, trackId);
  if (!stream) return 0;
  if (stream->source()) leave(*stream, false);
  stream->replay(frame, sequenceOffset, timestamp, absSendTime);
  submit();
  return stream->nextTransportNumber();
}

uint32_t Fanout::resend(uint32_t viewerId, const std::string& trackId, const uint16_t* sequenceNumbers, size_t count,
                        uint32_t absSendTime) {
  ViewerStream* stream = find(viewerId, trackId);
  if (!stream) return 0;
  uint32_t resent = 0;
  for (size_t i = 0; i < count; i++) resent += stream->resend(sequenceNumbers[i], absSendTime) ? 1 : 0;
  submit();
  return resent;
}

ViewerStream* Fanout::find(uint32_t viewerId, const std::string& trackId) {
  const auto viewer = viewers_.find(viewerId);
  if (viewer == viewers_.end()) return nullptr;
  for (const auto& stream : viewer->second->streams) {
    if (stream->track().trackId == trackId) return stream.get();
  }
  return nullptr;
}

void Fanout::drain() {
  for (const auto& worker : workers_) worker->drain();
}

void Fanout::leave(ViewerStream& stream, bool isRemoved) {
  Source* source = stream.source();
  if (!isRemoved) stream.leave();
  if (!source) return;
  auto& streams = source->streams;
  streams.erase(std::remove(streams.begin(), streams.end(), &stream), streams.end());
  if (streams.empty()) sources_.erase(std::string(source->id));
}

void Fanout::submit() {
  for (const auto& worker : workers_) worker->submit();
}
