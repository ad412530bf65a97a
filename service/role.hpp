// The two roles. Code that routes knows roles, never engines.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace switchback {

enum class Role : std::uint8_t { kLegacy = 0, kUnified = 1 };
inline constexpr std::size_t kRoleCount = 2;
inline constexpr std::array<Role, kRoleCount> kRoles{Role::kLegacy, Role::kUnified};

constexpr std::size_t Index(Role role) {
  return static_cast<std::size_t>(role);
}
constexpr Role Other(Role role) {
  return role == Role::kLegacy ? Role::kUnified : Role::kLegacy;
}
constexpr const char* RoleName(Role role) {
  return role == Role::kLegacy ? "legacy" : "unified";
}

}  // namespace switchback
