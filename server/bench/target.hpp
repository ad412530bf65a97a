// What a benchmark runs against: a role of the service, or an engine without our code.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/result.hpp"
#include "server/bench/record.hpp"
#include "server/bench/record_counter.hpp"

namespace switchback::bench {

// One thread's way into a target. Reads hold a snapshot from the first of a turn to EndTurn; a
// client's own writes end the turn of an engine that would not show them otherwise.
class Client {
 public:
  virtual ~Client() = default;
  // The value or nullopt; the view is valid until the next call.
  virtual Result<std::optional<std::string_view>> Read(std::string_view key) = 0;
  // Reads up to `count` records from the first key >= `from` on; returns how many there were.
  virtual Result<std::size_t> Scan(std::string_view from, std::size_t count) = 0;
  // Stores all of them in one transaction, durable on return.
  virtual Status Write(std::span<const RecordView> records) = 0;
  // Reads the record and replaces it, one atomic step, durable on return.
  virtual Status ReadModifyWrite(const RecordView& record) = 0;
  virtual void EndTurn() noexcept = 0;
};

// Thread-safe; outlives its clients.
class Target {
 public:
  virtual ~Target() = default;
  // As in --targets: "legacy", "unified", "25%", "lmdb", "sqlite", "lmdb+sqlite".
  [[nodiscard]] virtual const std::string& name() const = 0;
  // Called before the clients of a run are made: a role turns its flag here.
  virtual Status Prepare() = 0;
  virtual Result<std::unique_ptr<Client>> NewClient() = 0;
  // Waits until what a run left to be done later is done, so that the next run does not pay for it.
  virtual Status Settle() = 0;
  // Records that are in it; runs that insert count on.
  [[nodiscard]] virtual RecordCounter& records() = 0;
};

}  // namespace switchback::bench
