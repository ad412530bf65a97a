// Where the stores of a generation lie, and which engine serves a role.
#pragma once

#include <string>

#include "service/role.hpp"

namespace switchback {

inline const char* EngineOf(Role role) {
  return role == Role::kLegacy ? "lmdb" : "sqlite";
}
// What a backend opens.
inline std::string StorePath(const std::string& generation_path, Role role) {
  return generation_path + (role == Role::kLegacy ? "/legacy" : "/unified.sqlite");
}
// The one file of it.
inline std::string StoreFilePath(const std::string& generation_path, Role role) {
  return StorePath(generation_path, role) + (role == Role::kLegacy ? "/data.mdb" : "");
}

}  // namespace switchback
