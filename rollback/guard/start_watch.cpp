#include "rollback/guard/start_watch.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/log.hpp"

namespace switchback {
namespace {

constexpr const char* kDocument = "starts";

unsigned UncleanStarts(Journal& journal) {
  const auto stored = journal.Load(kDocument);
  if (!stored || !*stored) return 0;
  const auto json = nlohmann::json::parse(**stored, nullptr, false);
  const auto unclean = json.is_object() ? json.value("unclean", nlohmann::json()) : json;
  return unclean.is_number_unsigned() ? unclean.get<unsigned>() : 0;
}

void Store(Journal& journal, unsigned unclean) {
  if (auto stored = journal.Store(kDocument, nlohmann::json{{"unclean", unclean}}.dump()); !stored)
    LogWarning("starts are not counted: {}", stored.error().message);
}

}  // namespace

void StartWatch::Begin(bool is_flag_on) {
  const unsigned before = UncleanStarts(journal_);
  if (settings_.crash_count_max > 0 && before >= settings_.crash_count_max) {
    (void)latch_.Engage(  // in force, whether it could be stored or not
        kLatchByCrashLoop,
        fmt::format("{} starts in a row did not live for {} s while keys went to unified", before,
                    settings_.crash_window.count()),
        nlohmann::json{{"starts", before}}.dump());
    Store(journal_, 0);
    return;
  }
  if (!is_flag_on || latch_.Current()) {
    if (before > 0) Store(journal_, 0);
    return;
  }
  Store(journal_, before + 1);
  settles_at_ = clock_.Now() + settings_.crash_window;
}

void StartWatch::Look() {
  if (settles_at_ && clock_.Now() >= *settles_at_) Settle();
}

void StartWatch::Settle() {
  if (!settles_at_) return;
  settles_at_.reset();
  Store(journal_, 0);
}

}  // namespace switchback
