#include "udp-socket.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace {
constexpr unsigned DATAGRAMS_AT_ONCE = 32;
/** So often it takes that many before it wakes JavaScript. */
constexpr int MAX_RUNS = 8;
/** More than any network takes in one piece; what is longer is dropped. */
constexpr size_t MAX_DATAGRAM = 2048;
/** What may wait for JavaScript. */
constexpr size_t MAX_WAITING_BYTES = 4 * 1024 * 1024;
constexpr size_t MAX_WAITING = 16'384;
/** JavaScript is woken at most so often, so that under load it gets many datagrams at a time. */
constexpr std::chrono::microseconds WAKE_INTERVAL{1000};
constexpr int SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

socklen_t lengthOf(const Address& address) {
  return address.family == AF_INET ? sizeof address.v4 : sizeof address.v6;
}

/** With the name of a network interface, as link-local addresses have. */
bool parseScopedAddress(const std::string& host, uint16_t port, int family, Address& address) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return false;
  address = {};
  std::memcpy(&address, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return true;
}
}  // namespace

bool parseAddress(const std::string& host, uint16_t port, int family, Address& address) {
  address = {};
  address.family = static_cast<sa_family_t>(family);
  address.v4.sin_port = htons(port);  // at the same place in both families
  void* digits = family == AF_INET ? static_cast<void*>(&address.v4.sin_addr) : &address.v6.sin6_addr;
  return inet_pton(family, host.c_str(), digits) == 1 || parseScopedAddress(host, port, family, address);
}

std::string formatAddress(const Address& address) {
  char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1] = "";
  if (address.family == AF_INET) inet_ntop(AF_INET, &address.v4.sin_addr, text, sizeof text);
  else if (address.v6.sin6_scope_id == 0) inet_ntop(AF_INET6, &address.v6.sin6_addr, text, sizeof text);
  else {
    const auto* scoped = reinterpret_cast<const sockaddr*>(&address);
    getnameinfo(scoped, sizeof address.v6, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  }
  return text;
}

int openUdpSocket(const Address& address) {
  const int opened = socket(address.family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (opened < 0) return -errno;
  const int on = 1;
  const bool isIpv6 = address.family == AF_INET6;
  setsockopt(opened, SOL_SOCKET, SO_RCVBUF, &SOCKET_BUFFER_BYTES, sizeof SOCKET_BUFFER_BYTES);
  setsockopt(opened, SOL_SOCKET, SO_SNDBUF, &SOCKET_BUFFER_BYTES, sizeof SOCKET_BUFFER_BYTES);
  const bool isSet = !isIpv6 || setsockopt(opened, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0;
  if (isSet && bind(opened, reinterpret_cast<const sockaddr*>(&address), lengthOf(address)) == 0) return opened;
  const int error = errno;
  close(opened);
  return -error;
}

UdpSocket::UdpSocket(int descriptor, std::function<void()> wake)
    : descriptor_(descriptor), closing_(eventfd(0, EFD_CLOEXEC)), wake_(std::move(wake)),
      buffer_(DATAGRAMS_AT_ONCE * MAX_DATAGRAM), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "udp-receive");
}

UdpSocket::~UdpSocket() {
  const uint64_t one = 1;
  while (write(closing_, &one, sizeof one) < 0 && errno == EINTR) continue;
  thread_.join();
  close(closing_);
  close(descriptor_);
}

uint16_t UdpSocket::port() const {
  Address address{};
  socklen_t length = sizeof address;
  getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.v4.sin_port);  // at the same place in both families
}

bool UdpSocket::send(const uint8_t* data, size_t length, const Address& to) {
  const auto* address = reinterpret_cast<const sockaddr*>(&to);
  return sendto(descriptor_, data, length, 0, address, lengthOf(to)) >= 0;
}

Received UdpSocket::takeAll() {
  const std::lock_guard lock(mutex_);
  isWoken_ = false;
  return std::exchange(received_, {});
}

void UdpSocket::run() {
  pollfd waiting[] = {{descriptor_, POLLIN, 0}, {closing_, POLLIN, 0}};
  for (;;) {
    if (poll(waiting, 2, -1) < 0) continue;
    if (waiting[1].revents != 0) return;
    for (int i = 0; i < MAX_RUNS && receiveSome(); i++) continue;
    wakeOnce();
    std::this_thread::sleep_for(WAKE_INTERVAL);
  }
}

void UdpSocket::wakeOnce() {
  {
    const std::lock_guard lock(mutex_);
    if (isWoken_ || received_.origins.empty()) return;
    isWoken_ = true;
  }
  wake_();
}

bool UdpSocket::receiveSome() {
  mmsghdr headers[DATAGRAMS_AT_ONCE] = {};
  iovec pieces[DATAGRAMS_AT_ONCE];
  Address from[DATAGRAMS_AT_ONCE];
  for (unsigned i = 0; i < DATAGRAMS_AT_ONCE; i++) {
    pieces[i] = {buffer_.data() + i * MAX_DATAGRAM, MAX_DATAGRAM};
    headers[i].msg_hdr.msg_name = &from[i];
    headers[i].msg_hdr.msg_namelen = sizeof from[i];
    headers[i].msg_hdr.msg_iov = &pieces[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  const int count = recvmmsg(descriptor_, headers, DATAGRAMS_AT_ONCE, MSG_DONTWAIT, nullptr);
  if (count <= 0) return false;  // an error is that of a datagram that was sent before, and is told once
  const std::lock_guard lock(mutex_);
  for (int i = 0; i < count; i++) {
    const bool isCut = (headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
    const bool isFull = received_.origins.size() >= MAX_WAITING || received_.bytes.size() >= MAX_WAITING_BYTES;
    if (isCut || isFull) {
      dropped_++;
      continue;
    }
    const auto* data = static_cast<const uint8_t*>(pieces[i].iov_base);
    received_.bytes.insert(received_.bytes.end(), data, data + headers[i].msg_len);
    received_.origins.push_back({from[i], headers[i].msg_len});
  }
  return count == static_cast<int>(DATAGRAMS_AT_ONCE);
}
