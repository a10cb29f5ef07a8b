#include "datagram-sender.h"

#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace {
constexpr size_t ARENA_BYTES = 256 * 1024;
constexpr size_t MAX_MESSAGES = 64;
/** Limits of the kernel: UDP_MAX_SEGMENTS, and the length of an IP packet. */
constexpr uint16_t MAX_SEGMENTS = 64;
constexpr size_t MAX_MESSAGE_BYTES = 65'000;
constexpr int ROOM_TIMEOUT_MS = 20;
constexpr int SEGMENT_OPTION = 103;  // UDP_SEGMENT, which older headers lack

socklen_t lengthOf(const Address& address) {
  return address.family == AF_INET ? sizeof address.v4 : sizeof address.v6;
}

bool isSame(const Address& a, const Address& b) { return std::memcmp(&a, &b, lengthOf(a)) == 0; }

bool hasSegmentation(int socket) {
  int size = 0;
  socklen_t length = sizeof size;
  return socket < 0 || getsockopt(socket, IPPROTO_UDP, SEGMENT_OPTION, &size, &length) == 0;
}
}  // namespace

DatagramSender::DatagramSender(int ipv4, int ipv6, std::atomic<uint64_t>& errors)
    : ipv4_(ipv4), ipv6_(ipv6), errors_(errors), canSegment_(hasSegmentation(ipv4) && hasSegmentation(ipv6)),
      arena_(ARENA_BYTES) {
  messages_.reserve(MAX_MESSAGES);
}

uint8_t* DatagramSender::reserve() {
  if (used_ + MAX_DATAGRAM_BYTES > arena_.size()) flush();
  return arena_.data() + used_;
}

void DatagramSender::commit(size_t length, const Address& to) {
  if (!extendLast(length, to)) {
    if (messages_.size() == MAX_MESSAGES) {
      const size_t start = used_;
      flush();
      std::memmove(arena_.data(), arena_.data() + start, length);
    }
    messages_.push_back({to, used_, length, length, 1, false});
  }
  used_ += length;
}

bool DatagramSender::extendLast(size_t length, const Address& to) {
  if (!canSegment_ || messages_.empty()) return false;
  Message& last = messages_.back();
  if (last.isComplete || length > last.segmentBytes || last.segments == MAX_SEGMENTS) return false;
  if (last.length + length > MAX_MESSAGE_BYTES || !isSame(last.to, to)) return false;
  last.length += length;
  last.segments++;
  last.isComplete = length < last.segmentBytes;
  return true;
}

void DatagramSender::flush() {
  size_t done = 0;
  while (done < messages_.size()) {
    size_t end = done + 1;
    while (end < messages_.size() && socketOf(messages_[end]) == socketOf(messages_[done])) end++;
    done += sendSome(&messages_[done], end - done);
  }
  messages_.clear();
  used_ = 0;
}

size_t DatagramSender::sendSome(const Message* messages, size_t count) {
  mmsghdr headers[MAX_MESSAGES];
  iovec pieces[MAX_MESSAGES];
  alignas(cmsghdr) uint8_t controls[MAX_MESSAGES][CMSG_SPACE(sizeof(uint16_t))];
  const int socket = socketOf(messages[0]);
  if (socket < 0) {
    for (size_t i = 0; i < count; i++) errors_ += messages[i].segments;
    return count;
  }
  std::memset(headers, 0, count * sizeof headers[0]);
  for (size_t i = 0; i < count; i++) {
    const Message& message = messages[i];
    pieces[i] = {arena_.data() + message.start, message.length};
    msghdr& header = headers[i].msg_hdr;
    header.msg_name = const_cast<Address*>(&message.to);
    header.msg_namelen = lengthOf(message.to);
    header.msg_iov = &pieces[i];
    header.msg_iovlen = 1;
    if (message.segments == 1) continue;
    header.msg_control = controls[i];
    header.msg_controllen = sizeof controls[i];
    cmsghdr* control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = IPPROTO_UDP;
    control->cmsg_type = SEGMENT_OPTION;
    control->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    const uint16_t size = static_cast<uint16_t>(message.segmentBytes);
    std::memcpy(CMSG_DATA(control), &size, sizeof size);
  }
  const int sent = sendmmsg(socket, headers, static_cast<unsigned>(count), 0);
  if (sent > 0) return static_cast<size_t>(sent);
  if (errno == EINTR) return 0;
  if ((errno == EAGAIN || errno == ENOBUFS) && waitForRoom(socket)) return 0;
  // Refused for the first message: in one piece, or at all.
  if (messages[0].segments > 1 && errno != EAGAIN && errno != ENOBUFS) {
    if (errno == EIO) canSegment_ = false;  // the network device cannot do it
    sendSingly(messages[0]);
  } else {
    errors_ += messages[0].segments;
  }
  return 1;
}

void DatagramSender::sendSingly(const Message& message) {
  const uint8_t* data = arena_.data() + message.start;
  for (size_t at = 0; at < message.length; at += message.segmentBytes) {
    const size_t length = std::min(message.segmentBytes, message.length - at);
    const auto* to = reinterpret_cast<const sockaddr*>(&message.to);
    if (sendto(socketOf(message), data + at, length, 0, to, lengthOf(message.to)) < 0) errors_++;
  }
}

bool DatagramSender::waitForRoom(int socket) const {
  pollfd waiting{socket, POLLOUT, 0};
  return poll(&waiting, 1, ROOM_TIMEOUT_MS) > 0;
}
