// What the system takes from any program for the datagrams that a native fan-out sends: burst-floor SECONDS PACKETS_PER_SECOND BYTES PORT…
// Each receiver gets a burst of packets 30 times a second, one message of UDP GSO, as of one picture, and 50 times a second one small packet,
// as of sound; many messages go out with one call. Nothing is encrypted. Prints µs of CPU for each datagram.
#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

namespace {
constexpr int PICTURES_PER_SECOND = 30;
constexpr int SOUNDS_PER_SECOND = 50;
constexpr size_t SOUND_BYTES = 270;
constexpr size_t MESSAGES_AT_ONCE = 64;
constexpr int UDP_SEGMENT_OPTION = 103;
constexpr long NANOSECONDS = 1'000'000'000;

double cpuUs() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

/** Sends one burst to each receiver. */
void sendBursts(int socket, std::vector<sockaddr_in>& receivers, size_t packets, size_t bytes) {
  static const std::vector<uint8_t> data(65'000);
  mmsghdr messages[MESSAGES_AT_ONCE];
  iovec piece{const_cast<uint8_t*>(data.data()), packets * bytes};
  alignas(cmsghdr) uint8_t control[CMSG_SPACE(sizeof(uint16_t))] = {};
  for (size_t done = 0; done < receivers.size();) {
    const size_t count = std::min(MESSAGES_AT_ONCE, receivers.size() - done);
    std::memset(messages, 0, sizeof messages);
    for (size_t i = 0; i < count; i++) {
      msghdr& message = messages[i].msg_hdr;
      message.msg_name = &receivers[done + i];
      message.msg_namelen = sizeof receivers[0];
      message.msg_iov = &piece;
      message.msg_iovlen = 1;
      if (packets == 1) continue;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = IPPROTO_UDP;
      header->cmsg_type = UDP_SEGMENT_OPTION;
      header->cmsg_len = CMSG_LEN(sizeof(uint16_t));
      const auto size = static_cast<uint16_t>(bytes);
      std::memcpy(CMSG_DATA(header), &size, sizeof size);
    }
    const int sent = sendmmsg(socket, messages, static_cast<unsigned>(count), 0);
    if (sent <= 0) std::exit((std::perror("sendmmsg"), 1));
    done += static_cast<size_t>(sent);
  }
}
}  // namespace

int main(int count, char** arguments) {
  if (count < 5) return 2;
  const int seconds = std::atoi(arguments[1]);
  const int packetsPerSecond = std::atoi(arguments[2]);
  const size_t bytes = std::strtoul(arguments[3], nullptr, 10);
  const size_t perPicture = std::clamp<size_t>((packetsPerSecond - SOUNDS_PER_SECOND) / PICTURES_PER_SECOND, 1, 60'000 / bytes);
  std::vector<sockaddr_in> receivers;
  for (int i = 4; i < count; i++) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(std::atoi(arguments[i])));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    receivers.push_back(address);
  }
  const int sender = socket(AF_INET, SOCK_DGRAM, 0);
  const double before = cpuUs();
  size_t sent = 0;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const long start = now.tv_sec * NANOSECONDS + now.tv_nsec;
  for (int picture = 0, sound = 0; picture < seconds * PICTURES_PER_SECOND;) {
    const long pictureDue = start + picture * (NANOSECONDS / PICTURES_PER_SECOND);
    const long soundDue = start + sound * (NANOSECONDS / SOUNDS_PER_SECOND);
    const long due = std::min(pictureDue, soundDue);
    const timespec until{due / NANOSECONDS, due % NANOSECONDS};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
    const bool isPicture = pictureDue <= soundDue;
    const size_t packets = isPicture ? perPicture : 1;
    sendBursts(sender, receivers, packets, isPicture ? bytes : SOUND_BYTES);
    sent += packets * receivers.size();
    isPicture ? picture++ : sound++;
  }
  std::printf("%f\n", (cpuUs() - before) / sent);
}
