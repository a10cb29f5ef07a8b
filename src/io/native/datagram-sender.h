#pragma once
// Collects datagrams and hands them to the system many at a time: sendmmsg, and within one message all packets of the same size to one
// viewer (UDP generic segmentation offload, Linux 4.18), which cost the kernel hardly more than one packet.
#include <atomic>
#include <vector>

#include "packet-writer.h"

class DatagramSender {
 public:
  /** Sockets for each family, -1 where there is none; they stay the caller's. `errors` counts datagrams that the system did not take. */
  DatagramSender(int ipv4, int ipv6, std::atomic<uint64_t>& errors);

  /** Room for the longest packet; good until the next call. */
  uint8_t* reserve();
  /** Takes the packet that was written to `reserve()`. */
  void commit(size_t length, const Address& to);
  /** Sends what was collected. Waits a moment where the system's buffer is full; what does not go out then is lost, as in any network. */
  void flush();

 private:
  struct Message {
    Address to;
    size_t start;
    size_t length;
    size_t segmentBytes;
    uint16_t segments;
    /** No more may follow one that is shorter. */
    bool isComplete;
  };

  int socketOf(const Message& message) const { return message.to.family == AF_INET ? ipv4_ : ipv6_; }
  bool extendLast(size_t length, const Address& to);
  /** Sends messages of one socket; returns how many are done with. */
  size_t sendSome(const Message* messages, size_t count);
  void sendSingly(const Message& message);
  bool waitForRoom(int socket) const;

  const int ipv4_;
  const int ipv6_;
  std::atomic<uint64_t>& errors_;
  bool canSegment_;
  std::vector<uint8_t> arena_;
  size_t used_ = 0;
  std::vector<Message> messages_;
};
