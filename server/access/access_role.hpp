// Who may do what, over either door: three roles, each of which may do what those before it may.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace switchback {

enum class AccessRole : std::uint8_t {
  kViewer,    // reads: records, status, metrics, history
  kOperator,  // writes records; migrates, rolls out and back, makes backups
  kAdmin,     // everything, also what takes data away for good: restores, deletions, schema
};

const char* AccessRoleName(AccessRole role);  // "viewer" "operator" "admin"
std::optional<AccessRole> ParseAccessRole(std::string_view name);

constexpr bool MayAct(AccessRole has, AccessRole needed) {
  return has >= needed;
}

// Who asks.
struct Principal {
  std::string name;  // of the token; "" = nobody in particular: the single token, or none at all
  AccessRole role = AccessRole::kAdmin;
  std::string digest;  // of the token that was shown; "" without a name
};

}  // namespace switchback
