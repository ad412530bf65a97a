#include "rollback/salvage.hpp"

#include <algorithm>
#include <bitset>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "backends/collection.hpp"
#include "backends/store_salvage.hpp"
#include "common/bytes.hpp"
#include "common/limits.hpp"
#include "rollback/apart.hpp"

namespace switchback {
namespace {

// Each is a process that reads from one key on. So many find the gaps around some dozen damaged
// pages; past it the gaps that are left are larger than they need be.
constexpr int kProbesMax = 512;
constexpr int kHalvingsMax = 8;

// Keys as fractions, whose digits are the bytes that keys are known to have: in the middle between
// two keys is where about half of the keys between them are before it.
class KeyScale {
 public:
  void Learn(std::string_view key) {
    for (const char byte : key) is_known_[static_cast<unsigned char>(byte)] = true;
  }
  // nullopt when there is hardly a place between the two. `high` = "": past every key.
  [[nodiscard]] std::optional<std::string> Between(const std::string& low,
                                                   const std::string& high) const {
    const auto differ = std::mismatch(low.begin(), low.end(), high.begin(), high.end());
    const auto same = static_cast<std::size_t>(differ.first - low.begin());
    const std::string bytes = KnownBytes();
    const std::uint64_t base = bytes.size() + 1;  // 0 is the key's end
    std::uint64_t whole = 1;
    std::size_t digits = 0;
    for (; whole <= (UINT64_MAX >> 1) / base; ++digits) whole *= base;
    const std::uint64_t from = Number(low, same, digits, bytes);
    const std::uint64_t to = high.empty() ? whole : Number(high, same, digits, bytes);
    std::uint64_t middle = (from + to) / 2;
    if (middle <= from || same + digits > kKeyBytesMax) return std::nullopt;
    std::string key = low.substr(0, same);
    for (std::uint64_t unit = whole / base; middle > 0; middle %= unit, unit /= base)
      key += bytes[static_cast<std::size_t>(std::max<std::uint64_t>(middle / unit, 1) - 1)];
    if (key <= low || (!high.empty() && key >= high)) return std::nullopt;
    return key;
  }

 private:
  // In order.
  [[nodiscard]] std::string KnownBytes() const {
    std::string bytes;
    for (std::size_t byte = 0; byte < is_known_.size(); ++byte)
      if (is_known_[byte]) bytes += static_cast<char>(byte);
    return bytes;
  }
  static std::uint64_t Number(const std::string& key, std::size_t from, std::size_t digits,
                              const std::string& bytes) {
    std::uint64_t number = 0;
    for (std::size_t i = from; i < from + digits; ++i) {
      number *= bytes.size() + 1;
      if (i < key.size()) number += bytes.find(key[i]) + 1;
    }
    return number;
  }
  std::bitset<256> is_known_;
};

// One collection.
class CollectionSalvage {
 public:
  CollectionSalvage(std::string_view engine, const std::string& file, const SalvageSink& sink,
                    SalvagedCollection& salvaged)
      : engine_(engine), file_(file), sink_(sink), salvaged_(salvaged) {}

  Status Run() {
    const Stretch forward = Read({}, "");
    if (!forward.is_whole && !failed_) {
      salvaged_.problem = forward.problem;
      const Stretch backward = Read({.is_backward = true}, forward.last);
      if (!backward.is_whole) open_.emplace(0, SalvageGap{forward.last, backward.last});
      while (!open_.empty() && !failed_) Search();
      JoinGaps();
      // Down to what was read already: there is no gap, whatever was said.
      if (salvaged_.gaps.empty()) salvaged_.problem.clear();
    }
    return failed_ ? Status(Fail(*failed_)) : Status{};
  }

 private:
  // Records one after the other.
  struct Stretch {
    bool is_whole = false;  // up to where it was to end
    std::string first, last;
    std::string problem;
  };

  // From `start` on up to the key `end`, which is not read again; "" = up to the last one.
  Stretch Read(const SalvageStart& start, const std::string& end);
  // Looks from the middle of the gap that was halved least.
  void Search();
  void JoinGaps();

  const std::string_view engine_;
  const std::string& file_;
  const SalvageSink& sink_;
  SalvagedCollection& salvaged_;
  std::optional<Error> failed_;  // of the sink: the end of it all
  KeyScale scale_;
  std::multimap<int, SalvageGap> open_;  // to be searched, by how often they were halved
  std::set<std::string> tried_;          // keys from which nothing could be read
  std::map<std::string, std::string> nothing_up_to_;  // from a key that was tried
  int probes_ = 0;
};

CollectionSalvage::Stretch CollectionSalvage::Read(const SalvageStart& start,
                                                   const std::string& end) {
  Stretch run;
  const auto work = [&](const ApartWriter& writer) {
    return SalvageRecords(engine_, file_, salvaged_.name, start,
                          [&](std::string_view key, std::string_view value) {
                            std::string frame;
                            AppendSized(frame, key);
                            frame += value;
                            return writer.Write(frame);
                          });
  };
  const Status read = RunApart(work, [&](std::string_view frame) -> Status {
    ByteReader reader(frame);
    const std::string_view key = reader.ReadSized();
    if (!end.empty() && (start.is_backward ? key <= end : key >= end)) {
      run.is_whole = true;
      return Fail(ErrorCode::kCancelled, "everything is read");
    }
    if (auto taken = sink_(salvaged_.name, key, reader.ReadBytes(reader.remaining())); !taken) {
      failed_ = taken.error();
      return taken;
    }
    if (run.first.empty()) run.first = key;
    run.last = key;
    scale_.Learn(key);
    ++salvaged_.record_count;
    return {};
  });
  if (read) {
    run.is_whole = true;
  } else {
    run.problem = read.error().message;
  }
  return run;
}

void CollectionSalvage::Search() {
  const auto [halvings, gap] = *open_.begin();
  open_.erase(open_.begin());
  const auto middle = scale_.Between(gap.after_key, gap.before_key);
  if (!middle || halvings == kHalvingsMax || ++probes_ > kProbesMax) {
    salvaged_.gaps.push_back(gap);
    return;
  }
  const Stretch upward = Read({.key = *middle}, gap.before_key);
  if (failed_) return;
  if (upward.first.empty() && upward.is_whole) {
    nothing_up_to_[*middle] = gap.before_key;
    open_.emplace(halvings + 1, SalvageGap{gap.after_key, *middle});
    return;
  }
  if (upward.first.empty()) {
    tried_.insert(*middle);
    open_.emplace(halvings + 1, SalvageGap{gap.after_key, *middle});
    open_.emplace(halvings + 1, SalvageGap{*middle, gap.before_key});
    return;
  }
  const Stretch downward = Read({.is_backward = true, .key = upward.first}, gap.after_key);
  if (!downward.is_whole)
    open_.emplace(halvings + 1,
                  SalvageGap{gap.after_key, downward.last.empty() ? upward.first : downward.last});
  if (!upward.is_whole) open_.emplace(halvings + 1, SalvageGap{upward.last, gap.before_key});
}

// In order. A key that was only tried separates nothing.
void CollectionSalvage::JoinGaps() {
  auto& gaps = salvaged_.gaps;
  std::sort(gaps.begin(), gaps.end(),
            [](const SalvageGap& a, const SalvageGap& b) { return a.after_key < b.after_key; });
  std::vector<SalvageGap> joined;
  for (SalvageGap& gap : gaps) {
    for (auto up_to = nothing_up_to_.find(gap.before_key); up_to != nothing_up_to_.end();
         up_to = nothing_up_to_.find(gap.before_key))
      gap.before_key = up_to->second;
    if (!joined.empty() && joined.back().before_key == gap.after_key &&
        tried_.contains(gap.after_key)) {
      joined.back().before_key = std::move(gap.before_key);
    } else {
      joined.push_back(std::move(gap));
    }
  }
  gaps = std::move(joined);
}

}  // namespace

Status SalvageStore(const std::string& store, std::string_view engine, const std::string& file,
                    const SalvageSink& sink, SalvageReport& report) {
  std::vector<std::string> names;
  const auto list = [&](const ApartWriter& writer) {
    return SalvageNames(engine, file, [&](std::string_view name) { return writer.Write(name); });
  };
  const Status listed = RunApart(list, [&](std::string_view name) -> Status {
    names.emplace_back(name);
    return {};
  });
  if (!listed)
    report.problems.push_back(
        store + ": not all of its collections could be found: " + listed.error().message);
  for (std::string& name : names) {
    SalvagedCollection salvaged{.store = store, .name = std::move(name)};
    SB_RETURN_IF_ERROR(CollectionSalvage(engine, file, sink, salvaged).Run());
    if (salvaged.record_count > 0 || !salvaged.problem.empty())
      report.collections.push_back(std::move(salvaged));
  }
  return {};
}

}  // namespace switchback
