// Who gets what, and why: one key and one flag, taken apart for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "flags/flag.hpp"

namespace switchback {

// What decided, in the order in which it is looked at.
enum class ExplainCause {
  kDisabled,    // the flag is off
  kDenied,      // its `deny` names the entity
  kAllowed,     // its `allow` names the entity
  kBelowShare,  // the bucket is below the share
  kAboveShare,
  kTargeted,  // its targeting rule says so
};

// "disabled" "denied" "allowed" "below-share" "above-share" "targeted".
const char* ExplainCauseName(ExplainCause cause);

struct FlagExplanation {
  std::string key;
  std::string entity;        // the part of the key that counts (EntityOf)
  std::uint32_t bucket = 0;  // 0..kShareTotal - 1, whether it was needed or not
  std::uint32_t share = 0;   // keys below it are on
  bool is_on = false;        // always what rule.Decide(key) says
  ExplainCause cause = ExplainCause::kDisabled;
};

// Pure; takes some microseconds: for questions, not for requests.
FlagExplanation ExplainFlag(const FlagRule& rule, std::string_view key);

// One line of JSON: "key" and "entity" where they are UTF-8, "key_base64", "entity_base64",
// "bucket" and "share" in percent (0.000..100), "is_on", "cause", and "text", a sentence.
std::string FlagExplanationToJson(const FlagExplanation& explanation);

}  // namespace switchback
