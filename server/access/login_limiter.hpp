// Slows down who guesses: after some failed logins an address has to wait.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/clock.hpp"
#include "common/sync.hpp"

namespace switchback {

inline constexpr unsigned kFailedLoginsMax = 10;
inline constexpr std::chrono::seconds kFailedLoginWindow{60};
inline constexpr std::size_t kFailedLoginAddressesMax = 4096;

// One for both doors. Thread-safe.
class LoginLimiter {
 public:
  // `clock` outlives it.
  explicit LoginLimiter(const Clock& clock) : clock_(clock) {}

  // How long that address has to wait still: at least a second, nullopt: not at all. `address` is
  // an IP address without a port, or anything else for a peer on this machine.
  [[nodiscard]] std::optional<std::chrono::seconds> WaitOf(std::string_view address)
      SB_EXCLUDES(mutex_);
  void CountFailure(std::string_view address) SB_EXCLUDES(mutex_);

  // Loopback and Unix sockets: everybody on the machine shares them. One program with an old token
  // must not lock out who wants to roll back, so right tokens are taken from these at any time.
  static bool IsLocal(std::string_view address);

 private:
  struct Entry {
    std::string address;
    SteadyTime begun_at;
    unsigned failures = 0;
  };
  using Entries = std::list<Entry>;

  // Of IPv6 the network of 64 bits: whoever has one address has all of them.
  static std::string Normalized(std::string_view address);

  const Clock& clock_;
  Mutex mutex_;
  Entries entries_ SB_GUARDED_BY(mutex_);  // the oldest first
  std::unordered_map<std::string, Entries::iterator> by_address_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
