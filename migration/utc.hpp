// Moments as text: UTC, ISO 8601.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"

namespace switchback {

// "2026-11-21T10:00:00Z".
std::string FormatUtc(WallTime time);
// "2026-01-31T12:00:00Z", also with a fraction of the second; nullopt for anything else.
std::optional<WallTime> ParseUtc(std::string_view text);

}  // namespace switchback
