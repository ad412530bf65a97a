// What a record of a collection must look like. Rules judge and change nothing: a record that
// breaks one is copied as it is, and listed.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace switchback {

struct ValidationRule {
  enum class Format { kBytes, kUtf8, kJson };  // of the value
  Format format = Format::kBytes;
  std::vector<std::string> required;  // JSON pointers (RFC 6901) that must lead to something
  std::size_t key_bytes_max = 0;      // 0 = no limit of its own
  std::size_t value_bytes_max = 0;
};

// Immutable once made; any thread.
class ValidationRules {
 public:
  // {"users": {"format": "json", "required": ["/id"], "key_bytes_max": 64, "value_bytes_max":
  // 4096}} A rule under the name "*" is for collections without one of their own. kInvalidArgument
  // names what is wrong.
  static Result<ValidationRules> Parse(std::string_view json);

  [[nodiscard]] bool is_empty() const { return rules_.empty(); }
  // Null when there is none for this collection.
  [[nodiscard]] const ValidationRule* Find(std::string_view collection) const;

 private:
  std::map<std::string, ValidationRule, std::less<>> rules_;
};

// Why the record breaks the rule; nullopt when it does not. Pure.
std::optional<std::string> WhyInvalid(const ValidationRule& rule, std::string_view key,
                                      std::string_view value);

}  // namespace switchback
