#pragma once
// What the thread of JavaScript hands to a worker at once, and keeps alive for it.
#include "packet-writer.h"

struct Job {
  std::vector<Burst> bursts;
  std::vector<PlannedPacket> packets;
  /** Those that the bursts point to. */
  std::vector<FramePtr> frames;
  /** Viewers that are gone, to which bursts of this job and of those before it point. */
  std::vector<std::shared_ptr<void>> retired;

  bool isEmpty() const { return bursts.empty() && retired.empty(); }

  /** Forgets what is to be sent. */
  void dropBursts() {
    bursts.clear();
    packets.clear();
    frames.clear();
  }

  /** Forgets everything and keeps the memory for the next one. */
  void clear() {
    dropBursts();
    retired.clear();
  }
};
