// A verify's state and findings as JSON. Units are in the names.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "migration/verify_findings.hpp"
#include "migration/verify_status.hpp"

namespace switchback {

nlohmann::ordered_json VerifyJson(const VerifyStatus& status);

// "key" only when it is UTF-8, "key_base64" always.
nlohmann::ordered_json DifferenceJson(const NamedDifference& difference);

}  // namespace switchback
