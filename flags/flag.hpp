// One flag: who is on. The form in the file (flags/flag_parser.hpp) is gone here; every form comes
// down to the same rule, so there is one evaluator.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "flags/bucket.hpp"
#include "flags/entity_list.hpp"
#include "flags/murmur3.hpp"

namespace switchback {

// The flag that decides which store answers: off is legacy, on is unified.
inline constexpr std::string_view kUnifiedFlagName = "USE_UNIFIED_DB_SERVICE";
// The share of reads that is repeated on the other store and compared.
inline constexpr std::string_view kShadowFlagName = "SHADOW_READ_PERCENTAGE";
// While it is on, writes are refused and reads go on.
inline constexpr std::string_view kReadOnlyFlagName = "READ_ONLY";
// "USE_UNIFIED_DB_SERVICE@messages" is the flag for that collection alone, in place of the one for
// all.
inline constexpr std::string_view kOverridePrefix = "USE_UNIFIED_DB_SERVICE@";

class FlagdFlag;  // flags/flagd_flag.hpp

// What a file can say about a flag.
struct FlagSettings {
  bool enabled = false;
  std::uint32_t share = kShareTotal;  // 0..kShareTotal; counts only while enabled
  std::string salt;                // put before the entity when hashing; by default the flag's name
  std::vector<std::string> allow;  // see EntityList
  std::vector<std::string> deny;
  bool is_boolean_form = false;  // written as `true` or `false`
  // The flagd form. With `is_targeted` it is asked for each key, and `share` is roughly what it
  // says; without, the settings above say the same.
  std::shared_ptr<const FlagdFlag> flagd = nullptr;
  bool is_targeted = false;
};

// Immutable and copyable; any thread may call anything at any time. Blocks never.
class FlagRule {
 public:
  // Off for every key, the same as a flag that no file names.
  FlagRule() : FlagRule(FlagSettings{}) {}

  // `settings.share` is at most kShareTotal and no entry of the lists is empty; the parser has
  // refused all else.
  explicit FlagRule(FlagSettings settings);

  // Whether `key` is on. The part that counts is EntityOf(key). In this order: off when not
  // enabled; off when denied; on when allowed; on when its bucket is below the share. The answer
  // for a key never changes while the rule stays the same, and a larger share only adds keys.
  // Cost at a percentage: 16..26 ns for keys of 16..40 bytes, no lock, no allocation
  // (bench/flag_decision_bench.cpp). A flagd rule that is more than a share takes microseconds, and
  // allocates.
  [[nodiscard]] bool Decide(std::string_view key) const noexcept {
    return is_constant_ ? constant_ : DecideByKey(key);
  }

  // The same answer for every key is certain.
  [[nodiscard]] bool is_constant() const noexcept { return is_constant_; }
  // That answer. Only when is_constant().
  [[nodiscard]] bool Constant() const noexcept;

  // The effective share in thousandths of a percent, 0..kShareTotal; 0 when not enabled. What
  // `allow` and `deny` add and take away is not counted.
  [[nodiscard]] std::uint32_t share() const noexcept {
    return settings_.enabled ? settings_.share : 0;
  }
  // The share as written, whether enabled or not.
  [[nodiscard]] std::uint32_t configured_share() const noexcept { return settings_.share; }
  // Some key may be on.
  [[nodiscard]] bool MayBeOn() const noexcept { return !is_constant_ || constant_; }
  [[nodiscard]] bool enabled() const noexcept { return settings_.enabled; }
  [[nodiscard]] const std::string& salt() const noexcept { return settings_.salt; }
  [[nodiscard]] const std::vector<std::string>& allow() const noexcept { return allow_.entries(); }
  [[nodiscard]] const std::vector<std::string>& deny() const noexcept { return deny_.entries(); }
  [[nodiscard]] bool is_boolean_form() const noexcept { return settings_.is_boolean_form; }
  // The flagd form that it was written in; nullptr: in another one.
  [[nodiscard]] const FlagdFlag* flagd() const noexcept { return settings_.flagd.get(); }
  // It is more than a share, and `share()` a guess from a sample.
  [[nodiscard]] bool is_targeted() const noexcept { return settings_.is_targeted; }

  // Equal rules decide the same for every key. (The form they were written in does not count, but a
  // targeted rule is equal only to one of the same text.)
  friend bool operator==(const FlagRule& left, const FlagRule& right) noexcept;

 private:
  [[nodiscard]] bool DecideByKey(std::string_view key) const noexcept;

  FlagSettings settings_;  // `allow` and `deny` moved out into the lists below
  EntityList allow_;
  EntityList deny_;
  Murmur3Prefix salt_hash_;
  bool is_constant_ = false;
  bool constant_ = false;
};

}  // namespace switchback
