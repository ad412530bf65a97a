// Which store a record is read from: the one that the flag routes its key to, or, to compare both,
// one that is named.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "service/db_service.hpp"

namespace switchback {

// The role that answers for the key at this moment, by flag and by what is in sync; nullopt when
// none does. A single read that failed over to the other store is not seen.
std::optional<Role> AnsweringRole(DbService& service, const Collection& collection,
                                  std::string_view key);

// A snapshot of one store by itself, complete up to all that was acknowledged before the call.
// Errors: as ReadStoreCopy.
Result<std::unique_ptr<ReadView>> OpenStoreCopy(DbService& service, Role role,
                                                const Collection& collection);

// What one store holds by itself, complete up to all that was acknowledged before the call.
struct StoreCopy {
  std::optional<std::string> value;
  std::uint64_t sequence = 0;  // of the last batch in it
};

// Waits until that role's store has applied what it lacks, for some seconds at most. Errors:
// kRefused (the store is not filled, or does not hold the collection), kBusy (it lags),
// kUnavailable, kIo, kCorruption.
Result<StoreCopy> ReadStoreCopy(DbService& service, Role role, const Collection& collection,
                                std::string_view key);

}  // namespace switchback
