#include "udp-socket.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

bool parseAddress(const std::string& host, uint16_t port, int family, Address& address) {
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

int openUdpSocket(const Address& address) {
  const int opened = socket(address.family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (opened < 0) return -errno;
  const int on = 1;
  const bool isIpv6 = address.family == AF_INET6;
  const socklen_t length = isIpv6 ? sizeof address.v6 : sizeof address.v4;
  const bool isSet = !isIpv6 || setsockopt(opened, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0;
  if (isSet && bind(opened, reinterpret_cast<const sockaddr*>(&address), length) == 0) return opened;
  const int error = errno;
  close(opened);
  return -error;
}
