// Reads what can be read of a damaged store, collection by collection, each in a process of its
// own: forward up to the damage, then backward from the end down to it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace switchback {

struct SalvagedCollection {
  std::string store;  // "legacy" "unified"
  std::string name;
  std::uint64_t record_count = 0;
  // What stopped it, and the keys between which nothing could be read ("" = from the beginning, up
  // to the end); all empty when everything was read.
  std::string problem = {};
  std::string after_key = {}, before_key = {};
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
