// Reads what can be read of a damaged store, collection by collection, in processes of its own:
// forward up to the damage, backward from the end down to it, and between the two from keys tried
// by halving, so that several damaged places are several gaps.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace switchback {

// Keys between which nothing could be read; "" = from the beginning, up to the end.
struct SalvageGap {
  std::string after_key, before_key;

  friend bool operator==(const SalvageGap&, const SalvageGap&) = default;
};

struct SalvagedCollection {
  std::string store;  // "legacy" "unified"
  std::string name;
  std::uint64_t record_count = 0;
  std::string problem = {};           // what stopped it first; "" when everything was read
  std::vector<SalvageGap> gaps = {};  // in key order
};

struct SalvageReport {
  std::vector<SalvagedCollection> collections;
  std::vector<std::string> problems;  // what is missing besides, and what was not readable at all
};

using SalvageSink =
    std::function<Status(const std::string& collection, std::string_view key, std::string_view)>;

// Adds to `report`. Errors: those of `sink`; damage is none.
Status SalvageStore(const std::string& store, std::string_view engine, const std::string& file,
                    const SalvageSink& sink, SalvageReport& report);

}  // namespace switchback
