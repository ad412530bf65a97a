// "lmdb+sqlite": what an application does that keeps both stores itself. Each write is committed to
// LMDB, then to SQLite; reads come from LMDB.
#pragma once

#include <memory>
#include <string>

#include "server/bench/target.hpp"

namespace switchback::bench {

class PairedTarget : public Target {
 public:
  // Both outlive it and hold the same records.
  PairedTarget(Target& first, Target& second)
      : name_(first.name() + "+" + second.name()), first_(first), second_(second) {}

  [[nodiscard]] const std::string& name() const override { return name_; }
  Status Prepare() override { return {}; }
  Result<std::unique_ptr<Client>> NewClient() override;
  Status Settle() override;
  [[nodiscard]] RecordCounter& records() override { return first_.records(); }

 private:
  const std::string name_;
  Target& first_;
  Target& second_;
};

}  // namespace switchback::bench
