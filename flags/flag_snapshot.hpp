// The flags as they stood after one load of the file.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "flags/flag.hpp"

namespace switchback {

using FlagMap = std::map<std::string, FlagRule, std::less<>>;

// Immutable once it is published (FlagStore); any thread may read it. The state before any file was
// read is the default: no flags, so legacy answers.
struct FlagSnapshot {
  std::uint64_t revision = 0;    // counts the changes of valid content: 0 is "no valid file so far"
  std::uint64_t load_count = 0;  // counts the reads of the file, also of same or broken content
  std::string content_hash;      // of the content in force, 16 hex digits; "" at revision 0
  bool is_from_file = false;     // a valid file has been read
  std::string warning;           // why the file as it is now is not in force; "" when it is
  FlagMap flags;

  // The rule of kUnifiedFlagName; off for every key when there is none. A search by name: take it
  // once per snapshot, not once per request. Valid as long as the snapshot.
  [[nodiscard]] const FlagRule& unified() const;
  // The same for one collection: its own flag (kOverridePrefix), or else the one for all.
  [[nodiscard]] const FlagRule& unified(std::string_view collection) const;
  // Some collection has a flag of its own.
  [[nodiscard]] bool has_overrides() const;
  // These flags, by collection.
  [[nodiscard]] std::map<std::string, const FlagRule*> overrides() const;
  // Some key of some collection may be asked to go to unified.
  [[nodiscard]] bool may_go_to_unified() const;
  // The share of kShadowFlagName in thousandths of a percent; 0 when there is none.
  [[nodiscard]] std::uint32_t shadow_share() const;
  // Whether kReadOnlyFlagName is on, for however small a share: writes have no share of keys.
  [[nodiscard]] bool is_read_only() const;
};

}  // namespace switchback
