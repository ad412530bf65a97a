// How far an export or import is: a bar on a terminal, a plain line now and then elsewhere, or a
// line of JSON each second.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <ostream>

#include "common/clock.hpp"
#include "server/cli/progress.hpp"

namespace switchback {

enum class TransferProgressForm { kNone, kPeople, kJson };

// One thread. Cheap to call often: it looks at the clock and mostly returns.
class TransferProgress {
 public:
  // `out` and `clock` outlive this.
  TransferProgress(std::ostream& out, bool is_terminal, TransferProgressForm form,
                   const Clock& clock);

  // `done` of `total` is what the percentage is of, in whatever unit; nullopt: nobody knows.
  void Show(std::uint64_t records, std::uint64_t done, std::optional<std::uint64_t> total);
  // Ends the bar's line.
  void Finish() { bar_.Finish(); }

  [[nodiscard]] double seconds() const;
  // Since the beginning.
  [[nodiscard]] double RecordsPerSecond(std::uint64_t records) const;

 private:
  std::ostream& out_;
  const TransferProgressForm form_;
  const Clock& clock_;
  const SteadyTime begun_;
  const std::chrono::milliseconds interval_;
  SteadyTime last_;
  Progress bar_;
};

}  // namespace switchback
