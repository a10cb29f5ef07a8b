#pragma once
// The gateway's UDP port on one family of addresses: sends at once, and a thread receives many datagrams at a time.
#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "packet-writer.h"

/** Reads an address in digits; false where it is none. */
bool parseAddress(const std::string& host, uint16_t port, int family, Address& address);

/** The address in digits, without the port. */
std::string formatAddress(const Address& address);

/** Opens and binds a socket that does not block; returns its descriptor, or minus the number of the error. */
int openUdpSocket(const Address& address);

/** Datagrams one behind the other in `bytes`. */
struct Received {
  struct Origin {
    Address from;
    uint32_t length;
  };
  std::vector<uint8_t> bytes;
  std::vector<Origin> origins;
};

class UdpSocket {
 public:
  /** Takes an open socket over. `wake` is called, by a thread, when there is something to take and was nothing before. */
  UdpSocket(int descriptor, std::function<void()> wake);
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  int descriptor() const { return descriptor_; }
  uint16_t port() const;
  /** False where the system does not take it. */
  bool send(const uint8_t* data, size_t length, const Address& to);
  Received takeAll();
  /** Datagrams for which there was no room, or that no network takes. */
  uint64_t droppedCount() const { return dropped_; }

 private:
  void run();
  void wakeOnce();
  /** Takes what the system has; false where it has nothing more. */
  bool receiveSome();

  const int descriptor_;
  const int closing_;
  const std::function<void()> wake_;
  std::atomic<uint64_t> dropped_{0};
  std::mutex mutex_;
  Received received_;
  bool isWoken_ = false;
  std::vector<uint8_t> buffer_;
  std::thread thread_;
};
