// What the watchdog asks: the write pipeline from inside, each door from outside.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "service/db_service.hpp"

namespace switchback {

// Hands the pipeline writes that write nothing. At most one waits at any time. Belongs to one
// thread; may go while its write still waits.
class PipelineProbe {
 public:
  // `service` outlives this.
  explicit PipelineProbe(DbService& service);
  ~PipelineProbe();
  PipelineProbe(const PipelineProbe&) = delete;
  PipelineProbe& operator=(const PipelineProbe&) = delete;

  // Whether a write came through within `wait_max`, with whatever outcome, or since the last call.
  bool Answers(std::chrono::milliseconds wait_max);

 private:
  class Probe;
  struct Progress;
  DbService& service_;
  const std::shared_ptr<Progress> progress_;
};

// Connects, sends `request` and waits for the first byte of an answer, or for the end of the
// connection: a port that speaks TLS, or one that refuses strangers, is alive as well. False when
// neither comes within `wait_max`. `host` is an IP address. Blocks for up to `wait_max`.
bool DoorAnswers(const std::string& host, std::uint16_t port, std::string_view request,
                 std::chrono::milliseconds wait_max);

}  // namespace switchback
