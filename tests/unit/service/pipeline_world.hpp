// A write pipeline with a log and a memtable, and nobody who follows: tests say what the stores
// have applied and made durable.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/memory_backend.hpp"
#include "service/write_pipeline.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/shifted_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback::test {

// A write of a test: what it does, and what became of it.
class TestOp final : public WriteOp {
 public:
  using Body = std::function<Status(Transaction&)>;
  explicit TestOp(Body body, std::size_t queued_bytes = 100)
      : body_(std::move(body)), queued_bytes_(queued_bytes) {}
  Status Run(Transaction& transaction) override {
    ++run_count_;
    return body_(transaction);
  }
  void Done(const Status& outcome) override {
    outcome_ = outcome;
    done_.count_down();
  }
  [[nodiscard]] std::size_t QueuedBytes() const override { return queued_bytes_; }

  const Status& Wait() {
    done_.wait();
    return *outcome_;
  }
  [[nodiscard]] bool is_done() const { return done_.try_wait(); }
  [[nodiscard]] int run_count() const { return run_count_; }

 private:
  const Body body_;
  const std::size_t queued_bytes_;
  std::optional<Status> outcome_;
  std::latch done_{1};
  std::atomic<int> run_count_{0};
};

class PipelineWorld {
 public:
  explicit PipelineWorld(PipelineOptions options = {}, std::size_t memtable_records = 1000) {
    log = Must(CommitLog::Open(
        {.directory = dir_.File("log"), .file_bytes = 1 << 20, .make_spares = false}));
    memtable = std::make_unique<Memtable>(
        MemtableOptions{64 << 20, memtable_records, 1 << 20, 100, &clock}, 0);
    memtable->Cover(Role::kLegacy, 0);
    options.clock = &clock;
    pipeline = std::make_unique<WritePipeline>(
        options, *log, *memtable,
        ReadContext{*memtable, flags, refused_load, {&legacy, &unified}, metrics, gate}, catalog,
        watches,
        WritePipeline::Hooks{[this] { ++relief_count; }, [this] { return stores_durable.load(); }});
    pipeline->Start();
  }
  ~PipelineWorld() {
    pipeline->Stop();
    pipeline->FailUnanswered();
  }

  const Collection& collection(const std::string& name) { return *Must(catalog.Intern(name)); }
  Status Put(std::string_view key, std::string_view value) {
    return pipeline->Write(
        [&](Transaction& transaction) { return transaction.Put(collection("c"), key, value); });
  }
  // The value in the memtable, "(none)" when it knows of none.
  std::string Get(std::string_view key) {
    std::string_view value;
    SharedLock lock(memtable->mutex());
    return memtable->Find(collection("c"), key, value) == Memtable::Found::kPut ? std::string(value)
                                                                                : "(none)";
  }
  // Every batch in the log, as the keys of its effects.
  std::vector<std::vector<std::string>> Logged() {
    std::vector<std::vector<std::string>> batches;
    CommitLog::Reader reader = log->NewReader(0);
    while (const auto record = Must(reader.Next(UINT64_MAX))) {
      batches.emplace_back();
      for (const Effect& effect : Must(DecodeBatch(record->payload, catalog)))
        batches.back().emplace_back(effect.key);
    }
    return batches;
  }
  // The memtable's records go to the store, as a follower would do it.
  void ApplyAll() {
    while (true) {
      const auto segments = memtable->NextFor(legacy_store->State().applied_sequence,
                                              {.bytes_max = kApplyBytesMax, .record_count_max = 1});
      if (segments.empty()) return;
      StoreState state;
      state.log_id = log->log_id();
      state.applied_sequence = segments.back()->last_sequence();
      Must(legacy.Apply(Segment::NetEffects(segments), state));
      memtable->Applied(Role::kLegacy, state.applied_sequence);
    }
  }

 private:
  TempDir dir_;

 public:
  ShiftedClock clock;
  CollectionCatalog catalog;
  std::shared_ptr<MemoryStore> legacy_store = std::make_shared<MemoryStore>();
  MemoryBackend legacy{legacy_store, catalog, "legacy"};
  MemoryBackend unified{std::make_shared<MemoryStore>(), catalog, "unified"};
  FlagStore flags;
  std::atomic<std::uint64_t> refused_load{0};
  MetricsRegistry metrics;
  SwitchGate gate;
  WatchRegistry watches;
  std::atomic<std::uint64_t> stores_durable{0};
  std::atomic<int> relief_count{0};
  std::unique_ptr<CommitLog> log;
  std::unique_ptr<Memtable> memtable;
  std::unique_ptr<WritePipeline> pipeline;
};

// Keeps the pipeline's thread inside one write, so that a test can decide what waits behind it.
class Gate {
 public:
  explicit Gate(PipelineWorld& world)
      : op_([this](Transaction&) -> Status {
          is_inside_.count_down();
          opened_.wait();
          return {};
        }) {
    world.pipeline->Submit(op_);
    is_inside_.wait();
  }
  ~Gate() {
    Open();
    op_.Wait();
  }
  void Open() {
    if (!is_open_.exchange(true)) opened_.count_down();
  }

 private:
  std::latch is_inside_{1}, opened_{1};
  std::atomic<bool> is_open_{false};
  TestOp op_;
};

}  // namespace switchback::test
