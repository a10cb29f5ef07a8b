#pragma once
// Encrypts and sends what was planned, on a thread of its own. Each viewer belongs to one worker, so its packets stay in order.
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "datagram-sender.h"

/** A datagram for JavaScript to send. */
struct Forwarded {
  uint32_t viewerId;
  std::vector<uint8_t> datagram;
};

/** Datagrams for JavaScript to send, from all workers; bounded. */
class Outbox {
 public:
  /** `wake` is called, by any thread, when something lies in the empty box. */
  Outbox(std::function<void()> wake, std::atomic<uint64_t>& errors) : wake_(std::move(wake)), errors_(errors) {}
  void put(uint32_t viewerId, const uint8_t* data, size_t length);
  std::vector<Forwarded> takeAll();

 private:
  const std::function<void()> wake_;
  std::atomic<uint64_t>& errors_;
  std::mutex mutex_;
  std::vector<Forwarded> waiting_;
};

class Worker {
 public:
  /** Without a thread everything is done within `submit`. */
  Worker(int ipv4, int ipv6, Outbox& outbox, std::atomic<uint64_t>& errors, bool hasThread);
  /** Finishes the job at hand and drops the others. */
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /** What JavaScript's thread is putting together. */
  Job planned;
  /** Viewers that belong to this worker. */
  size_t viewerCount = 0;
  /** Hands over `planned`; drops it where too much is waiting already. */
  void submit();
  /** Waits until all is done. */
  void drain();

 private:
  void run();
  void work(const Job& job);

  DatagramSender sender_;
  Outbox& outbox_;
  std::atomic<uint64_t>& errors_;
  std::mutex mutex_;
  std::condition_variable hasWork_;
  std::condition_variable isIdle_;
  std::deque<Job> queue_;
  size_t queuedPackets_ = 0;
  bool isWorking_ = false;
  bool isClosing_ = false;
  std::thread thread_;
};
