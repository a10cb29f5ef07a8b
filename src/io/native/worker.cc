#include "worker.h"

#include <pthread.h>

#include <utility>

namespace {
/** More than half a second of 300 viewers of a 3 Mbit/s stream; what is older is no use to them. */
constexpr size_t MAX_QUEUED_PACKETS = 65'536;
constexpr size_t MAX_FORWARDED = 16'384;
/** Their memory is used again; more of them wait only where the machine is too slow. */
constexpr size_t MAX_SPARE_JOBS = 4;
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
  if (planned.isEmpty()) return;
  bool isFirst = false;
  {
    const std::lock_guard lock(mutex_);
    const size_t count = planned.packets.size();
    if (queuedPackets_ + count > MAX_QUEUED_PACKETS && queuedPackets_ > 0) {
      errors_ += count;
      planned.dropBursts();
      if (planned.isEmpty()) return;
    }
    queuedPackets_ += planned.packets.size();
    isFirst = queue_.empty();
    queue_.push_back(std::move(planned));
    planned = {};
    if (!spare_.empty()) {
      planned = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  if (!thread_.joinable()) runOnce();
  else if (isFirst) hasWork_.notify_one();
}

void Worker::drain() {
  std::unique_lock lock(mutex_);
  isIdle_.wait(lock, [this] { return queue_.empty() && !isWorking_; });
}

void Worker::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      hasWork_.wait(lock, [this] { return isClosing_ || !queue_.empty(); });
      if (isClosing_) return;
    }
    runOnce();
  }
}

void Worker::runOnce() {
  {
    const std::lock_guard lock(mutex_);
    std::swap(queue_, jobs_);
    queuedPackets_ = 0;
    isWorking_ = true;
  }
  work();
  for (Job& job : jobs_) job.clear();  // may free memory, which nobody should wait for
  const std::lock_guard lock(mutex_);
  for (Job& job : jobs_) {
    if (spare_.size() < MAX_SPARE_JOBS) spare_.push_back(std::move(job));
  }
  jobs_.clear();
  isWorking_ = false;
  isIdle_.notify_all();
}

void Worker::work() {
  for (Job& job : jobs_) {
    for (Burst& burst : job.bursts) {
      burst.packets = &job.packets[burst.firstPacket];
      burst.next = nullptr;
      Destination& destination = *burst.destination;
      if (destination.first == nullptr) order_.push_back(&destination);
      (destination.first == nullptr ? destination.first : destination.last->next) = &burst;
      destination.last = &burst;
    }
  }
  for (Destination* destination : order_) {
    for (const Burst* burst = destination->first; burst != nullptr; burst = burst->next) send(*burst);
    destination->first = nullptr;
  }
  order_.clear();
  sender_.flush();
}

void Worker::send(const Burst& burst) {
  for (uint32_t i = 0; i < burst.packetCount; i++) {
    uint8_t* out = sender_.reserve();
    const size_t length = writePacket(out, burst, burst.packets[i]);
    if (length == 0) errors_++;
    else if (burst.address.family == 0) outbox_.put(burst.destination->viewerId, out, length);
    else sender_.commit(length, burst.address);
  }
}
