// Who has a data directory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace switchback {

// The process that holds a lock on the file, from /proc/locks: trying the lock ourselves could make
// a server that starts at this moment fail.
std::optional<std::int64_t> LockOwner(const std::string& path);

}  // namespace switchback
