#pragma once
// Encrypts and sends what was planned, on a thread of its own. Each viewer belongs to one worker, so its packets stay in order.
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "datagram-sender.h"
#include "job.h"

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
  /** Finishes the jobs at hand and drops the others. */
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /** What JavaScript's thread is putting together. */
  Job planned;
  /** Viewers that belong to this worker. */
  size_t viewerCount = 0;
  /** Hands over `planned`; drops its packets where too many are waiting already. */
  void submit();
  /** Waits until all is done. */
  void drain();

 private:
  void run();
  /** Does all that waits. */
  void runOnce();
  /** Viewer by viewer: packets of several jobs for one viewer leave together, which costs the system less. */
  void work();
  void send(const Burst& burst);

  DatagramSender sender_;
  Outbox& outbox_;
  std::atomic<uint64_t>& errors_;
  std::mutex mutex_;
  std::condition_variable hasWork_;
  std::condition_variable isIdle_;
  std::vector<Job> queue_;
  /** Empty ones, with their memory. */
  std::vector<Job> spare_;
  size_t queuedPackets_ = 0;
  bool isWorking_ = false;
  bool isClosing_ = false;
  /** Those at hand; only the thread comes here. */
  std::vector<Job> jobs_;
  std::vector<Destination*> order_;
  std::thread thread_;
};
