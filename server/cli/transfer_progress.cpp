#include "server/cli/transfer_progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/cli/output.hpp"
#include "server/http/json_text.hpp"

namespace switchback {
namespace {

constexpr std::chrono::milliseconds kBarInterval{200};
constexpr std::chrono::milliseconds kJsonInterval{1000};

}  // namespace

TransferProgress::TransferProgress(std::ostream& out, bool is_terminal, TransferProgressForm form,
                                   const Clock& clock)
    : out_(out),
      form_(form),
      clock_(clock),
      begun_(clock.Now()),
      interval_(form == TransferProgressForm::kJson ? kJsonInterval : kBarInterval),
      last_(begun_),
      bar_(out, is_terminal) {}

double TransferProgress::seconds() const {
  return std::chrono::duration<double>(clock_.Now() - begun_).count();
}

double TransferProgress::RecordsPerSecond(std::uint64_t records) const {
  return static_cast<double>(records) / std::max(seconds(), 1e-6);
}

void TransferProgress::Show(std::uint64_t records, std::uint64_t done,
                            std::optional<std::uint64_t> total) {
  const SteadyTime now = clock_.Now();
  if (form_ == TransferProgressForm::kNone || now - last_ < interval_) return;
  last_ = now;
  const double rate = RecordsPerSecond(records);
  std::optional<double> percent, eta_seconds;
  if (total && *total > 0 && done > 0) {
    const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(*total));
    percent = 100 * share;
    eta_seconds = seconds() / share - seconds();
  }
  if (form_ == TransferProgressForm::kJson) {
    nlohmann::ordered_json line{{"state", "running"},
                                {"records", records},
                                {"percent", nullptr},
                                {"records_per_second", rate},
                                {"eta_seconds", nullptr}};
    if (percent) line["percent"] = *percent;
    if (eta_seconds) line["eta_seconds"] = *eta_seconds;
    out_ << JsonText(line) << std::flush;
    return;
  }
  std::string text = fmt::format("{} records, {}/s", FormatCount(records),
                                 FormatCount(static_cast<std::uint64_t>(rate)));
  if (eta_seconds) text += ", " + FormatSeconds(*eta_seconds) + " left";
  percent ? bar_.Show(*percent, text, now) : bar_.ShowText(text, now);
}

}  // namespace switchback
