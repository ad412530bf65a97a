// The last line of defence that every backend has against effects no store can hold. Callers refuse
// such input long before; here it ends the transaction and nothing is applied.
#pragma once

#include "backends/backend.hpp"
#include "common/check.hpp"
#include "common/limits.hpp"
#include "common/result.hpp"

namespace switchback {

// kInvalidArgument when the key is empty or longer than kKeyBytesMax (LMDB:
// mdb_env_get_maxkeysize).
inline Status CheckEffect(const Effect& effect) {
  SB_CHECK(effect.collection != nullptr, "an effect names its collection");
  if (effect.kind == EffectKind::kClear) return {};
  if (effect.key.empty() || effect.key.size() > kKeyBytesMax) [[unlikely]] {
    return Fail(ErrorCode::kInvalidArgument, "a key has 1 to " + std::to_string(kKeyBytesMax) +
                                                 " bytes, this one " +
                                                 std::to_string(effect.key.size()));
  }
  return {};
}

}  // namespace switchback
