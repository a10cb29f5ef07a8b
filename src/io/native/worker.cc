#include "worker.h"

#include <pthread.h>

#include <utility>

namespace {
/** More than half a second of 300 viewers of a 3 Mbit/s stream; what is older is no use to them. */
constexpr size_t MAX_QUEUED_PACKETS = 65'536;
constexpr size_t MAX_FORWARDED = 16'384;
}  // namespace

void Outbox::put(uint32_t viewerId, const uint8_t* data, size_t length) {
  bool wasEmpty = false;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() == MAX_FORWARDED) {
      errors_++;
      return;
    }
    wasEmpty = waiting_.empty();
    waiting_.push_back({viewerId, {data, data + length}});
  }
  if (wasEmpty) wake_();
}

std::vector<Forwarded> Outbox::takeAll() {
  const std::lock_guard lock(mutex_);
  return std::exchange(waiting_, {});
}

Worker::Worker(int ipv4, int ipv6, Outbox& outbox, std::atomic<uint64_t>& errors, bool hasThread)
    : sender_(ipv4, ipv6, errors), outbox_(outbox), errors_(errors) {
  if (!hasThread) return;
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "fan-out");
}

Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    isClosing_ = true;
  }
  hasWork_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Worker::submit() {
  if (planned.bursts.empty()) return;
  const size_t count = planned.packets.size();
  Job job = std::exchange(planned, {});
  planned.bursts.reserve(job.bursts.size());
  planned.packets.reserve(count);
  if (!thread_.joinable()) {
    work(job);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (queuedPackets_ + count > MAX_QUEUED_PACKETS && !queue_.empty()) {
      errors_ += count;
      return;
    }
    queuedPackets_ += count;
    queue_.push_back(std::move(job));
  }
  hasWork_.notify_one();
}

void Worker::drain() {
  std::unique_lock lock(mutex_);
  isIdle_.wait(lock, [this] { return queue_.empty() && !isWorking_; });
}

void Worker::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    hasWork_.wait(lock, [this] { return isClosing_ || !queue_.empty(); });
    if (isClosing_) return;
    Job job = std::move(queue_.front());
    queue_.pop_front();
    queuedPackets_ -= job.packets.size();
    isWorking_ = true;
    lock.unlock();
    work(job);
    job = {};  // may free memory, which nobody should wait for
    lock.lock();
    isWorking_ = false;
    isIdle_.notify_all();
  }
}

void Worker::work(const Job& job) {
  for (const Burst& burst : job.bursts) {
    for (uint32_t i = 0; i < burst.packetCount; i++) {
      uint8_t* out = sender_.reserve();
      const size_t length = writePacket(out, burst, job.packets[burst.firstPacket + i]);
      if (length == 0) errors_++;
      else if (burst.address.family == 0) outbox_.put(burst.viewerId, out, length);
      else sender_.commit(length, burst.address);
    }
  }
  sender_.flush();
}
