// What can still be read of a damaged store's file. Run it in a process of its own: an engine that
// meets a damaged page may well crash. Reads only.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "backends/backend.hpp"
#include "common/result.hpp"

namespace switchback {

// The collections that the file still names, a call each. Errors: kCorruption, kIo, after which
// there may be more.
Status SalvageNames(std::string_view engine, const std::string& path,
                    const std::function<Status(std::string_view name)>& take);

// The state, when it can be read.
Result<StoreState> SalvageState(std::string_view engine, const std::string& path);

// Where to read, and which way.
struct SalvageStart {
  bool is_backward = false;
  // Forward the first key is not less, backward it is less. "": from the beginning, from the end.
  std::string key = {};
};

// The records of a collection in key order, or against it, up to the first that cannot be read or
// that cannot be one (a key out of order, a size past the limits): kCorruption. Errors of `take`.
using SalvageTake = std::function<Status(std::string_view key, std::string_view value)>;
Status SalvageRecords(std::string_view engine, const std::string& path, const std::string& name,
                      const SalvageStart& start, const SalvageTake& take);

}  // namespace switchback
