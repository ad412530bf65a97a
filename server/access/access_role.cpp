#include "server/access/access_role.hpp"

namespace switchback {

const char* AccessRoleName(AccessRole role) {
  switch (role) {
    case AccessRole::kViewer: return "viewer";
    case AccessRole::kOperator: return "operator";
    case AccessRole::kAdmin: return "admin";
  }
  return "";
}

std::optional<AccessRole> ParseAccessRole(std::string_view name) {
  for (const auto role : {AccessRole::kViewer, AccessRole::kOperator, AccessRole::kAdmin}) {
    if (name == AccessRoleName(role)) return role;
  }
  return std::nullopt;
}

}  // namespace switchback
