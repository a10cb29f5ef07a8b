#pragma once
// What the threads are handed: packets that have their numbers already, and how each of them is written. Headers are those of
// fanout-viewer.ts and fanout-extensions.ts to the bit.
#include <netinet/in.h>

#include <string>

#include "frame.h"
#include "protector.h"

/** What is negotiated with one viewer for one track. Ids of extensions are 0 where they were not agreed on. */
struct Track {
  std::string trackId;
  uint32_t ssrc = 0;
  uint8_t payloadType = 0;
  bool hasRtx = false;
  uint32_t rtxSsrc = 0;
  uint8_t rtxPayloadType = 0;
  uint8_t absSendTimeId = 0;
  uint8_t transportCcId = 0;
  /** In its place for what goes to one viewer alone from the cache. */
  uint8_t replayTransportCcId = 0;
  uint8_t passedIds[3] = {};
  /** The whole element, filled up to words; empty without one. */
  std::vector<uint8_t> mid;
};

/** Where datagrams go; family 0 is not a UDP address, and JavaScript gets them to send. */
union Address {
  sa_family_t family;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

struct Burst;

/** What encrypts for one viewer, and the packets that wait for it while its thread sorts them. Only that thread comes here. */
struct Destination {
  Destination(uint32_t viewerId, std::unique_ptr<Protector> protector) : viewerId(viewerId), protector(std::move(protector)) {}

  const uint32_t viewerId;
  const std::unique_ptr<Protector> protector;
  Burst* first = nullptr;
  Burst* last = nullptr;
};

struct PlannedPacket {
  /** Its place in the frame. */
  uint32_t index;
  uint32_t rollover;
  uint16_t sequenceNumber;
  uint16_t transportNumber;
  bool isAtStart;
};

/** Packets of one frame for one viewer. What it points to lives at least as long as its job, or the next one of its worker. */
struct Burst {
  Destination* destination;
  const Track* track;
  const Frame* frame;
  Address address;
  /** As the viewer sees it. */
  uint32_t timestamp;
  uint32_t absSendTime;
  /** 0 where these packets have no transport-wide numbers. */
  uint8_t transportCcId;
  /** Sent again in the form of RFC 4588, with this number in front; -1 otherwise. */
  int32_t originalSequenceNumber;
  /** In the job's packets. */
  uint32_t firstPacket;
  uint32_t packetCount;
  /** For the thread: the packets themselves, and what the same viewer gets after them. */
  const PlannedPacket* packets;
  Burst* next;
};

/** Room that a packet may need: header, extensions, number for RTX, the longest payload and the tag. */
constexpr size_t MAX_DATAGRAM_BYTES = 12 + 100 + 2 + 1800 + Protector::MAX_TAG_BYTES;

/** Writes and encrypts one packet at `out`, which has room for the longest; returns its length, 0 where OpenSSL fails. */
size_t writePacket(uint8_t* out, const Burst& burst, const PlannedPacket& planned);
